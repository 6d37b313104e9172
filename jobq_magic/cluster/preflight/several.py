"""Quota where a run has several kinds of pods: a head, workers, perhaps a submitter.

A queue gives each kind a flavor of its own, and takes the run when there is enough for all of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jobq_magic.cluster.amounts import Amounts, told, total
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.preflight import quota
from jobq_magic.cluster.preflight.answers import Answers, heard
from jobq_magic.cluster.preflight.limits import of_pods
from jobq_magic.cluster.preflight.pods import WORKER, Pods
from jobq_magic.cluster.preflight.queues import DEFAULT
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.figures import asked as shown
from jobq_magic.findings import Finding

__all__ = ["look"]

_ENOUGH = float("inf")
_LESS = "Ask for less: --cpus, --memory, or --driver-cpus and --driver-memory for the head"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Pods that are alike, and what the queue has for them."""

    pods: Pods
    asked: Amounts
    """All of them together."""
    has: Capacity

    @property
    def covered(self) -> dict[str, float]:
        """What of it the queue counts."""
        return {resource: value for resource, value in self.asked.items() if self.has.of(resource)}

    @property
    def devices(self) -> dict[str, float]:
        """What of it the queue lacks altogether; that it overlooks cpus and memory, Kueue may be told."""
        return {name: value for name, value in self.asked.items() if "/" in name and not self.has.of(name)}

    def of(self, count: int) -> _Kind:
        """As many of them."""
        each = {name: value / self.pods.count * count for name, value in self.asked.items()} if self.pods.count else {}
        return replace(self, pods=replace(self.pods, count=count), asked=each)


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the run ever fits, and whether it fits now."""
    if len(wanted.pods) == 1:
        yield from quota.look(answers, wanted)
        return
    queue = heard(answers("cluster-queue"))
    name = wanted.queue or DEFAULT
    if not queue:
        if queue.how == "forbidden":
            yield Finding("quota", "unknown", f"The quota of the queue {name} may not be read")
        return
    kinds = [_Kind(pods, of_pods(answers, pods), quota.capacity_for(answers, wanted, pods)) for pods in wanted.pods]
    for kind in kinds:
        if devices := kind.devices:
            what = f"The queue {name} has no {' and no '.join(sorted(devices))}, and {_asks(kind, devices)}"
            do = quota.elsewhere(kind.has, kind.asked, min(devices)) or "Ask which queue has some"
            yield Finding("quota", "problem", what, do)
            return
    if problem := _alone(kinds, name) or _together(kinds, name):
        yield problem
        return
    asked = total(kind.asked for kind in kinds)
    yield Finding("quota", "ok", f"The run asks for {told(asked)} in {_words(kinds)}, which the queue {name} can grant")
    yield from _grown(kinds, name)
    lacking = _lacking(kinds, now=True)
    if lacking:
        free = " and ".join(shown(resource, max(free, 0)) for resource, free in sorted(lacking.items()))
        yield Finding("quota-free", "ok", f"It will wait in the queue {name}: {free} free now")
    else:
        yield Finding("quota-free", "ok", f"The queue {name} has that much free now")


def _alone(kinds: Sequence[_Kind], name: str) -> Finding | None:
    """That the pods of one kind fit into no flavor, or not even one of them."""
    for kind in kinds:
        for few in (kind.of(1), kind):
            if short := few.has.lacking(few.covered):
                has = told(short) or " and ".join(shown(resource, 0) for resource in short)
                asks = _asks(few, {resource: few.asked[resource] for resource in short})
                what = f"{asks[0].upper()}{asks[1:]}, and the queue {name} never has more than {has} for that"
                do = _smaller(few, short) if few.pods.count == 1 else _fewer(kinds, kind)
                other = quota.elsewhere(kind.has, kind.asked, min(short))
                return Finding("quota", "problem", what, _or(do, other))
    return None


def _together(kinds: Sequence[_Kind], name: str) -> Finding | None:
    """That each kind fits, and not all of them at once."""
    if not (short := _lacking(kinds)):
        return None
    asked = total(kind.asked for kind in kinds)
    what = (
        f"The run asks for {told({resource: asked[resource] for resource in short})} in {_words(kinds)},"
        f" and the queue {name} never has more than {told(short)}"
    )
    workers = next((kind for kind in kinds if kind.pods.one == WORKER), kinds[0])
    do = _fewer(kinds, workers)
    return Finding("quota", "problem", what, _or(do, quota.elsewhere(kinds[0].has, asked, min(short))))


def _grown(kinds: Sequence[_Kind], name: str) -> Iterator[Finding]:
    """That a cluster which may grow will never grow so far."""
    for kind in kinds:
        if kind.pods.most > kind.pods.count and (most := _most(kinds, kind, kind.pods.most)) < kind.pods.most:
            what = f"The queue {name} never has room for {kind.pods.most} workers: there will be {most} at most"
            asks_for = f"{kind.pods.count}..{most}" if most > kind.pods.count else f"{most}"
            yield Finding("quota", "warning", what, f"Write --workers {asks_for}")


def _lacking(kinds: Sequence[_Kind], *, now: bool = False) -> dict[str, float]:
    """What does not suffice for all of them, over all flavors that one of them may have; and how much there is.

    Which kind gets which flavor is the queue's to say: what is told here to be too much, is too much however it does.
    """
    quotas = {(each.resource, each.flavor): each for kind in kinds for each in kind.has.quotas}
    there: dict[str, float] = {}
    for each in quotas.values():
        has = each.most if not now or each.free is None else each.free
        there[each.resource] = there.get(each.resource, 0) + (_ENOUGH if has is None else has)
    asked = total(kind.covered for kind in kinds)
    short = {name: there[name] for name, value in asked.items() if value > there[name] + 1e-9}
    if now and not short:
        for kind in kinds:
            short |= kind.has.lacking(kind.covered, now=True)
    return short


def _most(kinds: Sequence[_Kind], kind: _Kind, count: int) -> int:
    """How many of one kind fit beside the others, at most so many."""
    low, high = 0, count
    while low < high:
        middle = math.ceil((low + high) / 2)
        more = kind.of(middle)
        fits = not more.has.lacking(more.covered) and not _lacking([more if one is kind else one for one in kinds])
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _fewer(kinds: Sequence[_Kind], kind: _Kind) -> str:
    """With how many workers it would fit; "" where that is no way out."""
    most = _most(kinds, kind, kind.pods.count) if kind.pods.one == WORKER else 0
    return f"Ask for at most {most} worker{'s' * (most > 1)}: --workers {most}" if most else ""


def _smaller(kind: _Kind, short: Mapping[str, float]) -> str:
    """How much of it one may ask for, as one would write it."""
    written = quota.written(short) if kind.pods.one == WORKER and all(short.values()) else ""
    return f"Ask for at most {told(short)}: {written}" if written else ""


def _or(do: str, other: str) -> str:
    return f"{do or _LESS}, or u{other[1:]}" if other else do or _LESS


def _asks(kind: _Kind, what: Mapping[str, float]) -> str:
    """`4 workers ask for 32 cpus`."""
    one, count = kind.pods.each, kind.pods.count
    return f"{one} asks for {told(what)}" if count == 1 else f"{_many(one, count)} ask for {told(what)}"


def _many(one: str, count: int) -> str:
    """`a worker of large`, three times: `3 workers of large`."""
    return f"{count} {one.removeprefix('a ').replace('worker', 'workers', 1)}"


def _words(kinds: Sequence[_Kind]) -> str:
    """`a head, 4 workers and a submitter`."""
    words = [
        _many(kind.pods.one, kind.pods.count) if kind.pods.count != 1 else kind.pods.one.replace("the ", "a ", 1)
        for kind in kinds
    ]
    return f"{', '.join(words[:-1])} and {words[-1]}"
