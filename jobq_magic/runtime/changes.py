"""Which shipped values did the cell change in place?

A value is fingerprinted by pickling it, buffers out of band: once after it was loaded, once at the end. The head is
compared by its digest. A buffer is compared with the file that it was loaded from, byte by byte, which the loaded value
shares until it is written to (the mapping is private); so large data costs one pass at the end, and none before. Where
the buffers are others than the file's (the value was pickled in band), they are compared by a digest.

Reading is no change: what a value has computed meanwhile and keeps (`functools.cached_property`, the caches of pandas)
is let go of before it is said to have changed, and what counts how often it was asked is looked at without its count.
"""

from __future__ import annotations

import functools
import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable, Iterable
    from typing import Any

_CHUNK = 1 << 20
_FROZEN = (str, bytes, int, float, complex, bool, type(None), range)
_CACHE = "_cache"
"""Where objects of pandas keep what they have computed."""


class Watched:
    """One shipped group: its names, the objects that they held, and how they looked when they were loaded."""

    def __init__(self, names: tuple[str, ...], values: dict[str, Any], path: str, seen: _Print | None) -> None:
        self.names, self.values, self.path, self.print = names, values, path, seen


class _Print:
    """How a group looks.

    Args:
        head: the digest of what is pickled in band.
        sizes: of its buffers.
        data: the digest of its buffers, where they are not those of the file.
        kept: by the id of an object: what it had computed already.
    """

    def __init__(self, head: bytes, sizes: list[int], data: bytes | None, kept: dict[int, frozenset[str]]) -> None:
        self.head, self.sizes, self.data, self.kept = head, sizes, data, kept


class _Taken:
    def __init__(self, head: bytes, buffers: list[memoryview], met: list[Any]) -> None:
        self.head, self.buffers, self.met = head, buffers, met

    @property
    def sizes(self) -> list[int]:
        return [buffer.nbytes for buffer in self.buffers]


def can_change(values: dict[str, Any]) -> bool:
    """Whether anything in a group can."""
    return not all(isinstance(value, _FROZEN) for value in values.values())


def watch(names: Iterable[str], values: dict[str, Any], path: str, pickler: Callable[..., Any]) -> Watched:
    """Remembers a group as it is now."""
    taken = fingerprint(values, pickler)
    if taken is None:
        return Watched(tuple(names), values, path, None)
    data = None if taken.sizes == _sizes(path) else _digest(taken.buffers)
    kept = {id(held): computed for held in taken.met if (computed := _computed(held))}
    return Watched(tuple(names), values, path, _Print(taken.head, taken.sizes, data, kept))


def changed(group: Watched, pickler: Callable[..., Any]) -> bool:
    """Whether the objects of a group differ from what was loaded. What cannot be told is taken for unchanged."""
    before = group.print
    if before is None:
        return False
    if (taken := fingerprint(group.values, pickler)) is None:
        return True  # it could be pickled before: something is in it now that cannot
    if taken.head != before.head and _let_go(taken.met, before.kept):
        again = fingerprint(group.values, pickler)
        taken = again if again is not None else taken
    if (taken.head, taken.sizes) != (before.head, before.sizes):
        return True
    return not (_same(group.path, taken.buffers) if before.data is None else _digest(taken.buffers) == before.data)


def fingerprint(values: dict[str, Any], pickler: Callable[..., Any]) -> _Taken | None:
    """What tells later whether values have changed; None where they cannot be pickled."""
    buffers: list[memoryview] = []
    import hashlib

    digest = hashlib.sha256()

    class Head:
        def write(self, data: Any) -> int:
            digest.update(data)
            return len(data)

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            buffers.append(buffer.raw())
        except BufferError:
            return True
        return False

    class Printer(pickler):  # type: ignore[misc, valid-type]  # a class that is made for each job
        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            how = _USED.get((kind.__module__.partition(".")[0], kind.__qualname__))
            return how(value) if how is not None else super().reducer_override(value)

    try:
        writer = Printer(Head(), protocol=5, buffer_callback=keep)
        writer.dump(values)
    except Exception:  # what was loaded by other means than it is pickled by; such values are not watched
        return None
    met = [held for _, held in writer.memo.copy().values() if _lazy(type(held))]
    return _Taken(digest.digest(), buffers, met)


def _without(*names: str) -> Callable[[Any], Any]:
    """Looks at an object without some of its attributes."""

    def look(value: Any) -> Any:
        found = value.__reduce_ex__(5)
        state = found[2] if len(found) > 2 else None
        if not isinstance(state, dict):
            return found
        return (*found[:2], {name: held for name, held in state.items() if name not in names}, *found[3:])

    return look


def _without_counts(value: Any) -> Any:
    """Looks at a tree of scikit-learn, which counts its queries: all that it holds is in its arrays."""
    make, arguments, state = value.__reduce__()[:3]
    return make, arguments, tuple(held for held in state if not isinstance(held, int))


_COLOURS = ("Colormap", "ListedColormap", "LinearSegmentedColormap")
_TREES = ("KDTree", "KDTree32", "KDTree64", "BallTree", "BallTree32", "BallTree64")
_USED: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("matplotlib", "CallbackRegistry"): _without("_cid_gen"),  # counts how often it was pickled
    **{("matplotlib", name): _without("_lut", "_isinit") for name in _COLOURS},
    **{("sklearn", name): _without_counts for name in _TREES},
}
"""By library and name of a class: how to look at what differs after it was only read."""


_LAZY: dict[type, frozenset[str]] = {}


def _lazy(kind: type) -> frozenset[str]:
    """The attributes in which an object of this class keeps what it computes when it is read."""
    if kind in _LAZY:
        return _LAZY[kind]
    names = {
        name
        for parent in kind.__mro__
        for name, held in vars(parent).items()
        if type(held) is functools.cached_property
    }
    if any(str(parent.__module__).partition(".")[0] == "pandas" for parent in kind.__mro__):
        names.add(_CACHE)
    _LAZY[kind] = frozenset(names)
    return _LAZY[kind]


def _computed(held: Any) -> frozenset[str]:
    """What an object has computed, by name; what lies in its cache, with a dot before the name."""
    own = getattr(held, "__dict__", {})
    cache = own.get(_CACHE)
    found = {name for name in _lazy(type(held)) if name in own}
    return frozenset(found | {f".{name}" for name in (cache if isinstance(cache, dict) else ())})


def _let_go(met: list[Any], kept: dict[int, frozenset[str]]) -> bool:
    """Removes what was computed since; whether there was anything. It is computed again when it is asked for."""
    found = False
    for held in met:
        for name in _computed(held) - kept.get(id(held), frozenset()):
            if name == _CACHE and _always_has_one(type(held)):
                continue
            if name.startswith("."):
                held.__dict__.get(_CACHE, {}).pop(name[1:], None)
            else:
                held.__dict__.pop(name, None)
            found = True
    return found


def _always_has_one(kind: type) -> bool:
    """Whether objects of this class break without a cache; that of others is made when it is first needed."""
    return any(parent.__name__ in ("Index", "ArrowExtensionArray") for parent in kind.__mro__)


def _digest(buffers: list[memoryview]) -> bytes:
    import hashlib

    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    return digest.digest()


def _sizes(path: str) -> list[int]:
    from .wire import spans

    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as original,
        memoryview(original) as view,
    ):
        return [size for _, size in spans(view)[1]]


def _same(path: str, buffers: list[memoryview]) -> bool:
    if not buffers:
        return True
    from .wire import spans

    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as original:
        where = spans(memoryview(original))[1]
        for (start, size), buffer in zip(where, buffers, strict=True):
            flat = buffer.cast("B")
            for at in range(0, size, _CHUNK):
                if original[start + at : start + min(at + _CHUNK, size)] != flat[at : at + _CHUNK].tobytes():
                    return False
    return True
