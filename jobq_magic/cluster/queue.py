"""Asking who waits in a queue, and what it has. Neither can be watched by users, so it is asked again, at a pace.

All runs of a queue share one answer, all queues of a cluster one pace: two hundred runs that wait cost no more than
one.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobq_magic.cluster.capacity import Capacity, capacity
from jobq_magic.cluster.kinds import VISIBILITY, kueue_version, visible
from jobq_magic.cluster.place import Line, line_of
from jobq_magic.cluster.refusals import Answered, Forbidden, Missing
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Lines", "asked", "lines"]

FIRST = 2.0
"""Seconds between two questions of one queue, while its answers change."""
SLOWEST = 30.0
"""And at most, while they do not."""
_GROWTH = 1.5
CAPACITY = 10.0
"""Seconds between two looks at what a queue has, while that changes."""
_SLOWEST_CAPACITY = 60.0
_REQUESTS = 4
"""Of one such look."""
_APART = 1.0
"""Seconds between two questions to one cluster, on average."""
_AT_ONCE = 10.0
"""Questions that may come together, after a time without any: runs are looked at together, too."""
_PATIENT = 30.0
"""Seconds for which a queue that had to wait for its first answer goes before those that have one."""
_REFUSED = 600.0
"""Until that is asked again which we may not ask, or which there is not."""
_SILENT = 10.0
_LIMIT = 1000
"""Runs in one answer: who stands further behind, has no number that would tell him anything."""


@dataclass(slots=True)
class _Had:
    capacity: Capacity | None = None
    due: float = 0.0
    pause: float = CAPACITY


@dataclass(slots=True)
class _Queue:
    line: Line
    due: float = 0.0
    pause: float = FIRST
    asked: float = float("-inf")
    changed: Hashable = None
    owed: bool = True
    """It was never told, or nobody was in it before something moved: that goes before what is asked again."""


class Lines:
    """Who waits in the queues of one cluster, and what they have. Threads may share it: one asks, the others are told.

    Args:
        api: the cluster.
        clock: seconds that only grow.
    """

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = weakref.ref(api)
        self._clock = clock
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._had: dict[tuple[str, str], _Had] = {}
        self._lock = threading.Lock()
        self._spare, self._counted = _AT_ONCE, clock()
        self._first: dict[Hashable, float] = {}

    def line(self, namespace: str, queue: str, changed: Hashable = None) -> Line:
        """Who waits in a queue, as it was told last; asked anew when it is time.

        Args:
            namespace: of the queue.
            queue: its name.
            changed: whatever is different when something happened that moves a queue; then it is asked as soon as the
                pace allows.
        """
        with self._lock:
            known = self._queues.setdefault((namespace, queue), _Queue(Line(queue)))
            if changed != known.changed:
                known.changed = changed
                if not known.line.unknown:
                    known.owed = known.owed or not known.line.names
                    known.pause, known.due = FIRST, min(known.due, known.asked + FIRST)
            now = self._clock()
            if now < known.due or not self._may(now, 1, ("line", namespace, queue), first=known.owed):
                return known.line
            known.asked, known.due, known.owed = now, now + _SILENT, False  # the others do not ask meanwhile
        line, pause = self._ask(namespace, queue, known)
        with self._lock:
            known.line, known.pause, known.due = line, pause, known.asked + pause
        return line

    def capacity(self, namespace: str, queue: str) -> Capacity | None:
        """What a queue has, as it was told last; None until there was time to ask.

        Args:
            namespace: of the queue.
            queue: its name.
        """
        with self._lock:
            known = self._had.setdefault((namespace, queue), _Had())
            now, api = self._clock(), self._api()
            if api is None or now < known.due:
                return known.capacity
            if not self._may(now, _REQUESTS, ("capacity", namespace, queue), first=known.capacity is None):
                return known.capacity
            known.due = now + known.pause
        try:
            found = capacity(api, namespace, queue)
        except BackendError:  # no answer: what was known is the best there is
            return known.capacity
        with self._lock:
            known.pause = CAPACITY if found != known.capacity else min(_SLOWEST_CAPACITY, known.pause * _GROWTH)
            known.capacity, known.due = found, now + known.pause
        return found

    def _may(self, now: float, requests: int, what: Hashable, *, first: bool) -> bool:
        """Whether there is room for so many questions now; what is owed goes before what is asked again."""
        self._spare = min(_AT_ONCE, self._spare + (now - self._counted) / _APART)
        self._counted = now
        self._first = {each: since for each, since in self._first.items() if now - since < _PATIENT}
        if self._spare < requests or (not first and self._first):
            if first:
                self._first.setdefault(what, now)
            return False
        self._first.pop(what, None)
        self._spare -= requests
        return True

    def _ask(self, namespace: str, queue: str, known: _Queue) -> tuple[Line, float]:
        api = self._api()
        if api is None:
            return known.line, SLOWEST
        try:
            found = asked(api, namespace, queue)
        except BackendError:  # no answer: what was known is the best there is
            return known.line, _SILENT
        if found.unknown:
            return found, _REFUSED if found.refused else SLOWEST
        moved = (found.names, found.places) != (known.line.names, known.line.places)
        return found, FIRST if moved else min(SLOWEST, known.pause * _GROWTH)


def asked(api: Api, namespace: str, queue: str) -> Line:
    """Who waits in a queue, asked of the cluster in this moment.

    Args:
        api: the cluster.
        namespace: of the queue.
        queue: its name.

    Raises:
        BackendError: it does not answer. What it refuses is said in the line.
    """
    try:
        where = visible(kueue_version(api, VISIBILITY), namespace, queue)
        return line_of(queue, api.get(where, limit=_LIMIT))
    except Forbidden:
        return Line(queue, unknown=note("place-untold", error="we may not list pending workloads"), refused=True)
    except Missing:
        return Line(queue, unknown=note("place-untold", error="Kueue does not tell it here"), refused=True)
    except Answered as error:
        return Line(queue, unknown=note("place-untold", error=f"{error.what[:1].lower()}{error.what[1:]}"))


_KEPT: weakref.WeakKeyDictionary[Api, Lines] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def lines(api: Api) -> Lines:
    """The one of a cluster, which all its runs share."""
    with _LOCK:
        found = _KEPT.get(api)
        if found is None:
            found = _KEPT[api] = Lines(api)
        return found
