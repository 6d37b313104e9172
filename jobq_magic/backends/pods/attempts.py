"""Which attempt a pod belongs to, and whose output it is.

A pod does not know that it is not the first. Who follows the run gives each pod a place when it is first seen, and
writes that down, since the pods of an attempt that had to make room are gone when the next one begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jobq_magic.cluster.meaning.pod import rank
from jobq_magic.runtime.wire import replace_file

__all__ = ["Attempts", "Book", "Placed"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod that has its place."""

    uid: str
    name: str
    rank: int
    attempt: int
    group: str = ""
    """What it belongs to with others, where its run may have several such groups one after the other."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """All pods of a run that were ever seen, in the order in which they were, and the attempt that is on."""

    current: int = 1
    pods: tuple[Placed, ...] = ()
    evictions: int = 0
    """How often the run had lost its place before; see `missed`."""
    idle: tuple[str, ...] = ()
    """The uids of those that were gone before they began, while their Job went on: they have left nothing."""

    def of(self, attempt: int) -> tuple[Placed, ...]:
        """The newest pod of each rank of an attempt, by rank."""
        newest = {pod.rank: pod for pod in self.pods if pod.attempt == attempt}
        return tuple(newest[rank] for rank in sorted(newest))

    def with_pods(
        self,
        pods: Iterable[Mapping[str, Any]],
        rank_of: Callable[[Mapping[str, Any]], int | None] = rank,
        group_of: Callable[[Mapping[str, Any]], str] = lambda _: "",
    ) -> Attempts:
        """With those that were not seen before.

        A pod whose place is taken begins the next attempt. Those of its group that go on all the time, or have done
        their part, belong to it too, and what they have printed with them: an attempt is whole.

        Args:
            pods: all that there are.
            rank_of: the place of each; None for one that takes the next that is free, and begins nothing.
            group_of: of each; one without a place of its own waits until rank 0 of its group is there, and belongs
                to the newest attempt in which that was.
        """
        done, known = self, {placed.uid for placed in self.pods}
        found = sorted(pods, key=lambda pod: _order(pod, rank_of(pod)))
        for pod in found:
            if (uid := pod["metadata"]["uid"]) in known:
                continue
            place, name, group = rank_of(pod), pod["metadata"]["name"], group_of(pod)
            known.add(uid)
            if place is None:
                done = done.with_worker(uid, name, group)
                continue
            if place in {placed.rank for placed in done.of(done.current)}:
                alike = (other for other in found if rank_of(other) != place and group_of(other) == group)
                done = done.next({other["metadata"]["uid"] for other in alike if _stays(other)})
            done = replace(done, pods=(*done.pods, Placed(uid, name, place, done.current, group)))
        return done

    def with_worker(self, uid: str, name: str, group: str) -> Attempts:
        """With one that takes the next place that is free, which its group has; unchanged where rank 0 of that was not.

        Args:
            uid: of the pod.
            name: of the pod.
            group: see `with_pods`.
        """
        heads = (one.attempt for one in reversed(self.pods) if one.rank == 0 and one.group == group)
        attempt = next(heads, 0) if group else self.current
        if attempt == 0:
            return self
        place = max((one.rank for one in self.of(attempt)), default=0) + 1
        return replace(self, pods=(*self.pods, Placed(uid, name, place, attempt, group)))

    def next(self, stay: Iterable[str] = ()) -> Attempts:
        """The next attempt is on.

        Args:
            stay: the uids of pods that belong to it too: they go on, or have done their part.
        """
        now, uids = self.current + 1, set(stay)
        again = (replace(placed, attempt=now) for placed in self.of(self.current) if placed.uid in uids)
        return replace(self, current=now, pods=(*self.pods, *again))

    @classmethod
    def load(cls, path: Path) -> Attempts:
        """What was written down; nothing where nothing was.

        Raises:
            OSError: it cannot be read now. To count from 1 again would be wrong.
        """
        try:
            known = json.loads(path.read_bytes())
            pods = tuple(Placed(**pod) for pod in known["pods"])
            return cls(known["current"], pods, known.get("evictions", 0), tuple(known.get("idle", ())))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Writes it down.

        Raises:
            OSError: there is no room.
        """
        replace_file(path, json.dumps(asdict(self)).encode())


class Book:
    """The attempts of a run, as they are written down.

    Args:
        path: of the file.

    Raises:
        OSError: see `Attempts.load`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.attempts = Attempts.load(path)

    def keep(self, attempts: Attempts) -> None:
        """Writes down what is so now.

        Raises:
            OSError: there is no room.
        """
        if attempts != self.attempts:
            attempts.save(self._path)
            self.attempts = attempts


def _order(pod: Mapping[str, Any], place: int | None) -> tuple[bool, str, str]:
    """By when they were made, those first that have a place of their own."""
    metadata = pod["metadata"]
    return place is None, metadata.get("creationTimestamp", ""), metadata["name"]


def _stays(pod: Mapping[str, Any]) -> bool:
    """Whether it goes on, or has done its part, which no other pod does again."""
    phase = (pod.get("status") or {}).get("phase")
    return phase == "Succeeded" or (phase != "Failed" and not pod["metadata"].get("deletionTimestamp"))
