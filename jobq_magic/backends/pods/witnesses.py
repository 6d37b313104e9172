"""What the pods of a run have told: every log that can be read is being read, and the store has what no log has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.reading import PATIENCE, Leavings, Reader
from jobq_magic.backends.pods.stored import Finding
from jobq_magic.cluster.collecting import Collected, collected
from jobq_magic.cluster.meaning.pod import has_begun, has_ended
from jobq_magic.cluster.status import Objects
from jobq_magic.run import Run

__all__ = ["Witnesses", "failures", "released"]


class Witnesses:
    """All pods of a run, as far as what they said came over.

    Args:
        watched: what is known of it, wherever its pods are.
        run: the run.
        key: the run's own key.
        call: is set when more came.
        mine: whether the run is ours to follow still.
        now: the cluster's clock.
    """

    def __init__(
        self,
        watched: Elsewhere,
        run: Run,
        key: bytes,
        call: threading.Event,
        mine: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        self._watched, self._run, self._key, self._call, self._mine, self._now = watched, run, key, call, mine, now
        self._readers: dict[tuple[str, int], Reader] = {}
        self._stored: dict[tuple[str, int], Leavings] = {}
        self._finding: Finding | None = None
        self._idle: set[str] = set()
        """Pods that were seen, and whose container was not started as far as that is known."""
        self._pods: tuple[Mapping[str, Any], ...] = ()
        self._by_uid: dict[str, Mapping[str, Any]] = {}

    def read(self, objects: Objects, attempts: Attempts, work: Callable[[], Collection[str] | None]) -> None:
        """Every log that can be read is being read from now on.

        Args:
            objects: what the cluster has of the run.
            attempts: its pods.
            work: the names of some that are known to be at work, whatever the cluster says of them: one on a node that
                the API server does not reach has begun all the same.
        """
        alive = self._alive(objects)
        idle = {uid for uid, pod in alive.items() if not has_begun(pod)}
        at_work = (work() if idle else None) or ()
        for placed in attempts.pods:
            pod = alive.get(placed.uid)
            begun = pod is not None and (placed.uid not in idle or placed.name in at_work)
            if pod is not None:
                (self._idle.discard if begun else self._idle.add)(placed.uid)
            reader = self._readers.get((placed.uid, placed.attempt))
            if reader is None and begun:
                reader = self._reader(placed)
            if reader is not None and (pod is None or has_ended(pod) or self.is_left(pod)):
                reader.over()

    def read_copy(self, placed: Placed) -> None:
        """The log of a pod that has ended, with a copy of what another one of its place printed, is being read."""
        self._reader(placed, copy=True).over()

    @property
    def printed(self) -> float:
        """When anything came that one of them printed, by the monotonic clock; 0 where nothing did."""
        return max((reader.printed for reader in self._readers.values()), default=0.0)

    def reads(self, placed: Placed) -> bool:
        """Whether its log is being read, or was, by this process."""
        return (placed.uid, placed.attempt) in self._readers

    def awaits(self, placed: Placed) -> bool:
        """Whether it may have printed something: its log is being read, or the store is asked for it."""
        where = placed.uid, placed.attempt
        return self.reads(placed) or (where in self._stored and placed.uid not in self._idle)

    def idle(self, objects: Objects) -> set[str]:
        """The uids of those that are gone, and never began."""
        return self._idle - self._alive(objects).keys()

    def told(self, placed: Placed, objects: Objects, attempts: Attempts) -> Told:
        """What one has told so far."""
        reader = self._readers.get((placed.uid, placed.attempt))
        if reader is not None:
            return reader.told()
        pod = self._alive(objects).get(placed.uid)
        if pod is not None and has_begun(pod):
            return Told(placed.rank)
        # It never began, or it was gone before anybody read it: what an earlier process collected is all there is.
        was_read = self._was_read(placed)
        if pod is not None and not was_read:
            return Told(placed.rank, drained=has_ended(pod) or self.is_left(pod))
        paths = self._run.paths.attempt(placed.attempt).worker(placed.rank)
        known = collected(paths) if was_read else Collected()
        return self._of_store(placed, known, attempts) if pod is None else Told(placed.rank, known.events, known.ended)

    def of_earlier(self, objects: Objects, attempts: Attempts) -> tuple[list[Told], bool]:
        """What came over from pods whose attempts are over, each when nothing more will; whether that is all."""
        now = {placed.uid for placed in attempts.of(attempts.current)}
        told = [(one, self.told(one, objects, attempts)) for one in attempts.pods if one.uid not in now]
        whole = not any(self._was_read(placed) and not one.drained for placed, one in told)
        return [one for _, one in told if one.drained], whole

    def found(self, attempts: Attempts, *, led: bool = False, crew: bool = False) -> Attempts | None:
        """The attempts with those pods that the store alone knows; None while it has not answered. See `Finding`."""
        if self._finding is None:
            api = self._watched.reading.api
            self._finding = Finding(self._run, self._key, self._call, api, self._mine, led=led)
        return self._finding.placed(attempts, crew=crew) if self._finding.done else None

    @property
    def unfound(self) -> str:
        """Why the store did not answer that, to people; "" where it did, or was not asked."""
        return "" if self._finding is None else self._finding.note

    def is_left(self, pod: Mapping[str, Any]) -> bool:
        """Whether it should have been gone for a while: nobody on its node says that it is."""
        told = pod["metadata"].get("deletionTimestamp")
        return bool(told) and self._now() - datetime.fromisoformat(told).timestamp() > PATIENCE

    def close(self) -> None:
        """Nobody follows the run any more, here."""
        for reader in self._readers.values():
            reader.close()
        for leavings in self._stored.values():
            leavings.close()
        if self._finding is not None:
            self._finding.close()

    def _alive(self, objects: Objects) -> Mapping[str, Mapping[str, Any]]:
        """The pods that are there, by their uids: each of hundreds is asked for at each look."""
        if self._pods is not objects.pods:
            self._pods, self._by_uid = objects.pods, {pod["metadata"]["uid"]: pod for pod in objects.pods}
        return self._by_uid

    def _reader(self, placed: Placed, *, copy: bool = False) -> Reader:
        reader = Reader(self._watched, self._run, self._key, placed, self._call, self._mine, copy=copy)
        self._readers[placed.uid, placed.attempt] = reader
        return reader

    def _was_read(self, placed: Placed) -> bool:
        paths = self._run.paths.attempt(placed.attempt).worker(placed.rank)
        return self.reads(placed) or Path(paths.folder, "collected.json").exists()

    def _of_store(self, placed: Placed, known: Collected, attempts: Attempts) -> Told:
        where = placed.uid, placed.attempt
        if where not in self._stored:
            idle = placed.uid in attempts.idle
            begun = not idle and placed.uid not in self._idle
            asked = self._run, self._key, placed, self._call, self._watched.reading.api, self._mine
            self._stored[where] = Leavings(*asked, begun=begun, idle=idle)
        return self._stored[where].told(known)


def failures(told: list[Told]) -> int:
    """How many of a run's drivers are known to have failed by themselves."""
    return sum(one.end is not None and one.end["phase"] == "failed" for one in told if one.rank == 0)


def released(told: list[Told], attempts: Attempts, witnesses: Witnesses) -> list[Told]:
    """What came over, where a driver has ended, or was ended: a worker that has not begun will print nothing."""
    if not any(one.rank == 0 and one.end is not None for one in told):
        return told
    read = {placed.rank for placed in attempts.of(attempts.current) if witnesses.awaits(placed)}
    return [one if one.drained or one.rank in read else replace(one, drained=True) for one in told]
