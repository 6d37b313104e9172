"""Where a run stands in its queue: what Kueue's visibility API tells, its quota, and a guess of how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobq_magic.cluster.amounts import of_pod_sets
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.meaning.parts import Object, condition, maps, moment, name_of, number, text
from jobq_magic.cluster.meaning.workload import owner
from jobq_magic.figures import asked as amount_of
from jobq_magic.snapshot import PlaceTold, QuotaTold

__all__ = ["Line", "Others", "line_of", "place_of"]

_RECENT = 3600.0
"""Seconds of a queue's past that say something of its next minutes."""
_FEWEST = 3
"""Admissions from which on one may speak of a rate."""
_MOST_NAMED = 5
_LENGTHS = (
    *(10, 20, 30, 45),
    *(60 * minutes for minutes in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45)),
    *(3600 * hours for hours in (1, 1.5, 2, 3, 4, 6, 8, 12, 18)),
    *(86_400 * days for days in (1, 1.5, 2, 3, 4, 5, 7, 10, 14, 21, 30)),
)
"""Seconds that are guessed: no guess is better than that, and one that grew all the time would be told all the time."""


@dataclass(frozen=True, slots=True)
class Line:
    """Who waits in a LocalQueue, as Kueue told."""

    queue: str
    names: tuple[str, ...] = ()
    """Workloads of this queue in their order."""
    places: Mapping[str, int] | None = None
    """Of each of them in its ClusterQueue, where others' runs wait too; 1 is next. None: not known."""
    unknown: str = ""
    """Why nothing is known, in one sentence."""
    refused: bool = False
    """It is not told to us, and so it will stay for a while."""


def line_of(queue: str, summary: Object) -> Line:
    """What a PendingWorkloadsSummary says."""
    places = {}
    for order, each in enumerate(maps(summary, "items")):
        place = number(each, "positionInClusterQueue")
        if name := name_of(each):
            places[name] = 1 + (order if place is None else int(place))
    return Line(queue, tuple(sorted(places, key=lambda name: places[name])), places)


class Others:
    """The Workloads of a namespace, looked up: made once when they changed, and shared by all runs that wait there.

    Args:
        workloads: all of them; that a run's own is among them does no harm.
    """

    def __init__(self, workloads: Iterable[Object] = ()) -> None:
        self._all = tuple(workloads)
        self._names: dict[str, Object] | None = None
        self._began: dict[str, list[float]] | None = None
        self._told: dict[str, str] = {}

    def __iter__(self) -> Iterator[Object]:
        return iter(self._all)

    def named(self, name: str) -> Object | None:
        """The one of a name."""
        if self._names is None:
            self._names = {name_of(each): each for each in self._all}
        return self._names.get(name)

    def told(self, name: str) -> str:
        """Whose one of them is, and how large; its name alone where it is not known."""
        if name not in self._told:
            found = self.named(name)
            self._told[name] = _sized(found) if found else name
        return self._told[name]

    def began(self, queue: str, now: float) -> list[float]:
        """When runs of a LocalQueue got their quota, of those in the last hour that are still there."""
        if self._began is None:
            self._began = {}
            for each in self._all:
                reserved = condition(each, "QuotaReserved")
                when = moment(reserved, "lastTransitionTime") if reserved.get("status") == "True" else None
                if when is not None:
                    self._began.setdefault(text(each, "spec", "queueName"), []).append(when)
        return sorted(when for when in self._began.get(queue, ()) if now - _RECENT <= when <= now)


def place_of(
    workload: Object,
    *,
    line: Line | None = None,
    capacity: Capacity | None = None,
    others: Others | None = None,
    now: float = 0.0,
    hopeless: bool = False,
) -> PlaceTold:
    """Where a run stands in its queue. What is not known is None, and `unknown` says why.

    Args:
        workload: of the run.
        line: who waits there; None: nobody asked yet.
        capacity: of the queue.
        others: the namespace's Workloads.
        now: seconds since the epoch.
        hopeless: it will not start as it is, so there is nothing to guess.
    """
    queue = text(workload, "spec", "queueName") or (capacity.queue if capacity else "")
    above = text(workload, "status", "admission", "clusterQueue") or (capacity.cluster_queue if capacity else "")
    others = others or Others()
    quota = quota_of(workload, capacity)
    position, ahead, unknown = None, tuple[str, ...](), ""
    if line is not None:
        unknown = line.unknown
        position = (line.places or {}).get(name_of(workload))
        ahead = _ahead(line, name_of(workload), position, others)
    waiting = capacity.waiting if capacity and position is not None else None
    if waiting is not None and position is not None:
        waiting = max(waiting, position)  # the two were told at different moments
    guess = None
    if line is not None and position is not None and not hopeless:
        guess = _guess(line, name_of(workload), others.began(queue, now), now)
    return PlaceTold(
        queue, above, position, waiting, ahead, guess, quota, unknown or (capacity.unknown if capacity else "")
    )


def quota_of(workload: Object, capacity: Capacity | None) -> tuple[QuotaTold, ...]:
    """What a run asks for in all, beside what there is: of each resource in each flavor of its queue."""
    asked = {name: count for name, count in of_pod_sets(workload).items() if count > 0}
    found = []
    for resource, count in sorted(asked.items(), key=lambda pair: _ORDER.get(pair[0], 2)):
        flavors = capacity.of(resource) if capacity else []
        found += [QuotaTold(resource, each.flavor, count, each.free, each.most, each.nominal) for each in flavors]
        if not flavors:
            found.append(QuotaTold(resource, "", count, most=0.0 if capacity and capacity.whole else None))
    return tuple(found)


_ORDER = {"cpu": 0, "memory": 1, "ephemeral-storage": 3, "pods": 4}


def _ahead(line: Line, name: str, position: int | None, others: Others) -> tuple[str, ...]:
    """Those before it: by name where the namespace has them, the rest by their number."""
    if position is None or name not in line.names:
        return ()
    before = line.names[: line.names.index(name)]
    told = [others.told(each) for each in before[:_MOST_NAMED]]
    if len(before) > _MOST_NAMED:
        told.append(f"{len(before) - _MOST_NAMED} more of this queue")
    if (elsewhere := position - 1 - len(before)) > 0:
        told.append(f"{elsewhere} of other queues")
    return tuple(told)


def _sized(workload: Object) -> str:
    asked = of_pod_sets(workload)
    gpus = sorted(name for name, count in asked.items() if "/" in name and count)
    sizes = [amount_of(name, asked[name]) for name in ("cpu", *gpus) if asked.get(name)]
    return f"{owner(workload)}: {', '.join(sizes)}" if sizes else owner(workload)


def _guess(line: Line, name: str, admitted: Sequence[float], now: float) -> float | None:
    """About how long, by its place in its own queue and how fast others began lately; None where that says nothing."""
    if len(admitted) < _FEWEST or now - admitted[0] <= 0 or name not in line.names:
        return None
    seconds = (now - admitted[0]) / len(admitted)
    guess = (line.names.index(name) + 1) * seconds
    return float(min(_LENGTHS, key=lambda length: max(length, guess) / min(length, guess)))
