"""Values that definitions were executed with, back as the notebook has them: a registry holds each function once."""

from __future__ import annotations

import collections

from .changes import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["put_back", "restored"]


def restored(
    held: dict[str, Any], values: dict[str, Any], pickler: Callable[..., Any], *, anew: bool
) -> dict[str, Any]:
    """What the names of a group are to hold now, after the definitions that may have changed it.

    Where it can be, this is the object that is held, with the content put back: what the definitions made may hold it
    too (a decorator that was given the registry).

    Args:
        held: what names hold.
        values: the same group, loaded once more.
        pickler: tells whether something has changed.
        anew: what is held was not whole.
    """
    now = {name: held[name] for name in values if name in held}
    if len(now) < len(values):
        return values
    if not anew:
        one, other = fingerprint(now, pickler), fingerprint(values, pickler)
        if one is None or other is None or (one.head, one.buffers) == (other.head, other.buffers):
            return now
    if len(values) > 1:  # what they share is shared among the new ones only
        return values
    ((name, new),) = values.items()
    return {name: now[name] if put_back(now[name], new) else new}


def put_back(old: Any, new: Any) -> bool:
    """Gives an object the content of another of its kind, where that is possible."""
    if type(old) is not type(new) or old is new or isinstance(old, type):
        return False
    if isinstance(old, list):
        old[:] = new
    elif isinstance(old, dict | set):
        old.clear()
        old.update(new)
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(new)
    elif type(old).__module__ != "__main__":
        return False
    state = getattr(old, "__dict__", None)
    if state is not None:
        state.clear()
        state.update(new.__dict__)
    return state is not None or type(old).__module__ != "__main__"
