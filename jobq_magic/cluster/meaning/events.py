"""Events: what was told of an object, and when."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic.cluster.meaning.parts import Object, moment, name_of, text

__all__ = ["about", "last_seen"]

_TIMES = (("series", "lastObservedTime"), ("lastTimestamp",), ("eventTime",), ("firstTimestamp",))


def about(kind: str, found: Object | None, events: Sequence[Object]) -> list[Object]:
    """The events of an object, the newest last.

    Args:
        kind: of the object, which a list of objects does not say of each.
        found: the object.
        events: among which they are.
    """
    name = name_of(found)
    of = [each for each in events if text(each, "involvedObject", "kind") == kind]
    return sorted((each for each in of if text(each, "involvedObject", "name") == name), key=last_seen)


def last_seen(event: Object) -> float:
    """When it happened last; 0 where that is not told."""
    return next((time for path in _TIMES if (time := moment(event, *path)) is not None), 0.0)
