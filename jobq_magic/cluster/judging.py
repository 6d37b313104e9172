"""Why a run waits of which Kueue says nothing, out of what its queue has.

Kueue does not look at a Workload that is like another which did not fit (its gate SchedulingEquivalenceHashing), and
says nothing of it, or only what was true before.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.meaning.finding import NOTHING, Reason

__all__ = ["judged"]


def judged(asked: Mapping[str, float], capacity: Capacity) -> Reason:
    """What keeps a run waiting, if it is the numbers; nothing where they do not tell.

    Args:
        asked: in all, by resource.
        capacity: of its queue.
    """
    wanted = {resource: count for resource, count in asked.items() if count > 0}
    for resource, most in capacity.lacking(wanted).items():
        code = "too-large" if capacity.of(resource) else "resource-unknown"
        return Reason(code, {"resource": resource, "asked": wanted[resource], "most": most})
    for resource, count in wanted.items():
        free = {each.flavor: each.free for each in capacity.of(resource) if each.free is not None}
        if free and len(free) == len(capacity.of(resource)) and max(free.values()) < count:
            flavor = max(free, key=lambda name: free[name])
            lacking = round(count - free[flavor], 9)
            return Reason("no-quota", {"resource": resource, "flavor": flavor, "lacking": lacking, "asked": count})
    return NOTHING
