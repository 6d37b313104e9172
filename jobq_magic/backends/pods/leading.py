"""Runs whose driver decides: whether it has ended for good, what begins anew, and what came of it another way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from jobq_magic.backends.pods.attempts import Attempts, Book, Placed
from jobq_magic.backends.pods.course import Told, driver_end
from jobq_magic.backends.pods.driver import Driver
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.integration import Integration
from jobq_magic.backends.pods.witnesses import Witnesses, failures, released
from jobq_magic.cluster import kinds
from jobq_magic.cluster.status import Objects, Standing
from jobq_magic.errors import BackendError
from jobq_magic.run import Run
from jobq_magic.runtime.sites import store_of

__all__ = ["Leading"]


class Leading:
    """One run; where no driver leads it, nothing is decided here.

    Args:
        integration: what stands for it on the cluster.
        run: the run.
        book: the places of its pods.
        witnesses: what they told.
        watched: what is known of it.
    """

    def __init__(
        self, integration: Integration, run: Run, book: Book, witnesses: Witnesses, watched: Elsewhere
    ) -> None:
        self._of, self._run, self._book = integration, run, book
        self._witnesses, self._watched = witnesses, watched
        self._driver = Driver()
        self._copied = False
        """The copy of what it printed was looked for."""
        self._alone = False
        """What it printed came from elsewhere than its log: its workers were not seen, either."""

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers that keep the run from its end, for a while."""
        return self._of.led and self._driver.lingers

    @property
    def alone(self) -> bool:
        """Whether nothing came of a worker, since nobody saw it."""
        return self._of.led and self._is_short(default=self._alone and not self._crew())

    @property
    def is_whole(self) -> bool:
        """Whether all workers are known of which there is anything: of those that nobody saw, the store may know."""
        if not self._of.led or not self._is_short(default=False):
            return True
        before = self._book.attempts
        return self.found(crew=True) and self._book.attempts == before

    def joined(self) -> set[str] | None:
        """The names of the workers that the head has heard of Ray of; None where it has told nothing of that."""
        path = self._run.paths.attempt(self._book.attempts.current).ray
        try:
            return {node["name"] for node in json.loads(path.read_bytes())["nodes"] if not node["head"]}
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def told(self, objects: Objects) -> list[Told]:
        """What came over from the pods of the attempt that is on, by rank."""
        attempts = self._book.attempts
        told = [self._witnesses.told(placed, objects, attempts) for placed in attempts.of(attempts.current)]
        return released(told, attempts, self._witnesses) if self._of.led else told

    def look(self, objects: Objects, told: Sequence[Told], asked: str, *, failed: int, current: bool) -> bool:
        """Sees what came over; whether a failure, if there is one, is not the last word.

        Args:
            objects: what the cluster has of the run.
            told: what came over from the attempt that is on.
            asked: the reason of a request to stop, or "".
            failed: how many drivers have failed.
            current: what the cluster has is known for sure.
        """
        return self._driver.look(
            told,
            asked,
            again=self._tries_again(objects, told, failed),
            left=self.has_left(objects),
            printed=self._witnesses.printed,
            leaves=current and self._leaves(objects),
        )

    def is_decided(self, objects: Objects, asked: str) -> bool:
        """Whether its driver has ended for good: where its pod is made anew, as by a drain, that is nobody's wish."""
        if not self._of.led:
            return False
        told = self.told(objects)
        end = self._driver.has_ended(told, asked)
        if end is None or end["phase"] == "succeeded":
            return end is not None
        before, _ = self._witnesses.of_earlier(objects, self._book.attempts)
        return not self._tries_again(objects, told, failures([*before, *told]))

    def with_crew(self, objects: Objects) -> Attempts:
        """The attempts with those workers of a driver that has ended which were not seen before."""
        workers = [pod for pod in objects.pods if self._of.rank(pod) is None]
        return self._book.attempts.with_pods(workers, self._of.rank, self._of.group)

    def went_on(self, objects: Objects) -> bool:
        """Whether a Job that is over has had another attempt after the last one that was seen, which is all read."""
        head = next((one for one in self.told(objects) if one.rank == 0), None)
        return head is not None and head.drained and self.has_left(objects) and not self.is_decided(objects, "")

    def has_left(self, objects: Objects) -> bool:
        """Whether the Job goes on, or has ended, with other pods than those of the head that was seen last."""
        head = self._head()
        if objects.job is None or head is None or not head.group or (at := self._of.at(objects.job)) == head.group:
            return False
        return bool(at) or self._of.end(objects.job) is None

    def failed_before(self, objects: Objects) -> list[int]:
        """The attempts that are over since their cell had failed."""
        if not self._of.led:
            return []
        attempts = self._book.attempts
        earlier = (one for one in attempts.pods if one.rank == 0 and one.attempt < attempts.current)
        return [one.attempt for one in earlier if failures([self._witnesses.told(one, objects, attempts)])]

    def copied(self, objects: Objects, standing: Standing | None, asked: str) -> bool:
        """Reads the copy of what a driver printed where its own log did not come whole; see `Integration.copied`.

        False while the cluster does not say whether there is one: the run is not settled, which would remove it.
        """
        over = standing is not None and standing.over and not asked
        if not (over and self._of.copied) or store_of(self._run.target) or self._copied:
            return True
        told = self.told(objects)
        first = next((one for one in told if one.rank == 0), None)
        if first is not None and (driver_end(told, "") is not None or not first.drained):
            return True
        api = self._watched.reading.api
        try:
            path = kinds.path(kinds.PODS, api.place.namespace)
            found = api.get(path, labelSelector=self._of.copied(self._run)).get("items") or []
        except BackendError as error:
            if error.passing:
                return False
            found = []
        self._copied = True
        if found:
            attempts, group = self._book.attempts, self._of.at(objects.job or {})
            pod = max(found, key=lambda one: one["metadata"].get("creationTimestamp", ""))
            placed = Placed(pod["metadata"]["uid"], pod["metadata"]["name"], 0, attempts.current, group)
            self._book.keep(replace(attempts, pods=(*attempts.pods, placed)))
            self._witnesses.read_copy(placed)
            self._note_crew()
        return True

    def found(self, *, crew: bool = False) -> bool:
        """Whether the store was asked for pods that nobody has seen; it is worth that where there is no other way.

        Args:
            crew: only workers may be unseen.
        """
        if not store_of(self._run.target):
            return True
        found = self._witnesses.found(self._book.attempts, led=self._of.led, crew=crew)
        if found is not None and found != self._book.attempts:
            self._book.keep(found)
            self._note_crew()
        return found is not None

    def _crew(self) -> list[Placed]:
        """The workers that are known."""
        attempts = self._book.attempts
        return [placed for placed in attempts.of(attempts.current) if placed.rank]

    def _is_short(self, *, default: bool) -> bool:
        """Whether the head has heard of Ray of more workers than are known."""
        if (joined := self.joined()) is None:
            return default
        known = {one.name for one in self._crew()}
        # On the network of their nodes (hostNetwork) they have the names of those: then numbers say it.
        return bool(joined - known) if joined & known else len(joined) > len(known)

    def _note_crew(self) -> None:
        """What a driver printed came from elsewhere: workers that nobody saw may have left nothing."""
        self._alone = self._of.led

    def _tries_again(self, objects: Objects, told: Sequence[Told], failed: int) -> bool:
        """Whether what failed begins anew, or did: not where its time was over."""
        job, end = objects.job, driver_end(told, "") or {}
        if job is None or end.get("reason") == "deadline" or not self._of.tries_again(job, failed):
            return False
        return self._of.end(job) is None or self.has_left(objects)

    def _leaves(self, objects: Objects) -> bool:
        """Whether the pod of the driver is gone, or goes."""
        head = self._head()
        pods = [pod["metadata"] for pod in objects.pods if head is not None and pod["metadata"]["uid"] == head.uid]
        return head is not None and all("deletionTimestamp" in one for one in pods)

    def _head(self) -> Placed | None:
        attempts = self._book.attempts
        return next((placed for placed in attempts.of(attempts.current) if placed.rank == 0), None)
