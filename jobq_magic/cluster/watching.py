"""Watches: what a namespace holds, kept up to date by one watch for each kind, however many runs ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from weakref import WeakSet

from jobq_magic.cluster.client import Api, Forbidden, Missing
from jobq_magic.cluster.kinds import EVENTS, JOBS, PODS, RAYCLUSTERS, RAYJOBS, Kind
from jobq_magic.cluster.known import Known, of_ours
from jobq_magic.cluster.names import RUN
from jobq_magic.cluster.pace import Again
from jobq_magic.cluster.watch import Watch
from jobq_magic.errors import BackendError

__all__ = ["Watches"]

_SELECTORS = dict.fromkeys((JOBS, PODS, RAYJOBS, RAYCLUSTERS), RUN)  # KubeRay gives a RayCluster its RayJob's labels
"""Of what a namespace may hold a great deal that is not ours."""
_LEAP = 5.0
"""Seconds by which the wall's clock may get ahead of ours before we take it that this machine slept."""
_LOOK = 5.0


class _Connected(Protocol):
    def renew(self) -> None: ...


class Watches:
    """The watches of one namespace; each is started when its kind is first asked for.

    Args:
        api: the cluster; its place says which namespace.
        clock: of the wall.
    """

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.time) -> None:
        self.api = api
        self.namespace = api.place.namespace
        self.again = Again()
        self._clock = clock
        self._news = threading.Condition()
        self._changed = 0
        self._watches: dict[Kind, Watch] = {}
        self._others: WeakSet[_Connected] = WeakSet()
        self._apart = clock() - time.monotonic()

    @property
    def changed(self) -> int:
        """Grows with everything that is news."""
        return self._changed

    def objects(self, kind: Kind) -> Mapping[str, dict[str, Any]]:
        """What is known now, by name. Of events: those about objects of runs, the newest 200 of each."""
        return self._watch(kind).known.objects()

    def current(self, kind: Kind) -> bool:
        """Whether that is what there is: it was listed, and is watched."""
        return self._watch(kind).current

    def refused(self, kind: Kind) -> Forbidden | Missing | None:
        """Why a kind cannot be watched at all: a right is missing, or the cluster does not have it."""
        return self._watch(kind).refused

    def trouble(self) -> BackendError | None:
        """Why nothing is heard at present, in one sentence; None while all is well."""
        late = [watch for watch in self._all() if watch.behind() > 0]
        return max(late, key=Watch.behind).trouble if late else None

    def behind(self) -> float:
        """For how many seconds nothing was heard of some kind; 0 while all is well."""
        return max((watch.behind() for watch in self._all()), default=0.0)

    def last(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """An object as it was last seen, whether or not it is still there."""
        return self._watch(kind).known.last(name)

    def deleted(self, kind: Kind, name: str) -> bool:
        """Whether an object was seen, and is there no more."""
        return self._watch(kind).known.deleted(name)

    def wait(self, seen: int, seconds: float) -> int:
        """Returns when something is news.

        Args:
            seen: `changed` as it was when the caller looked.
            seconds: after which it returns anyway.

        Returns:
            `changed` now.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._awake()
            with self._news:
                left = deadline - time.monotonic()
                if self._changed != seen or left <= 0 or self.again.closed:
                    return self._changed
                self._news.wait(min(left, _LOOK))

    def also(self, other: _Connected) -> None:
        """Renews something else, too, when this machine has slept."""
        with self._news:
            self._others.add(other)

    def renew(self) -> None:
        """Opens all watches anew: their connections may be dead."""
        with self._news:
            others = list(self._others)
        for each in (*self._all(), *others):
            each.renew()
        self.again.told()

    def close(self) -> None:
        """Ends all watches."""
        self.again.close()
        for watch in self._all():
            watch.close()
        self.wake()
        for watch in self._all():
            watch.join(2)

    def _watch(self, kind: Kind) -> Watch:
        with self._news:
            found = self._watches.get(kind)
            if found is not None:
                return found
            known = Known(of_ours if kind == EVENTS else None)
            selector = _SELECTORS.get(kind, "")
            found = Watch(self.api, kind, self.namespace, selector, known, self.wake, self.again)
            self._watches[kind] = found
        if not self.again.closed:
            found.start()
        return found

    def _all(self) -> list[Watch]:
        with self._news:
            return list(self._watches.values())

    def wake(self) -> None:
        """Ends the waiting of all who wait, as if something were news."""
        with self._news:
            self._changed += 1
            self._news.notify_all()

    def _awake(self) -> None:
        """Connections do not outlive the sleep of a machine: our clock stood still meanwhile, the wall's did not."""
        apart = self._clock() - time.monotonic()
        if apart - self._apart > _LEAP:
            self.renew()
        self._apart = apart
