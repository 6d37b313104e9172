"""Which shipped values did the cell change in place?

A value is fingerprinted by pickling it, buffers out of band: once after it was loaded, once at the end. The head is
compared by its digest. A buffer is compared with the file that it was loaded from, byte by byte, which the loaded value
shares until it is written to (the mapping is private); so large data costs one pass at the end, and none before.
"""

from __future__ import annotations

import hashlib
import mmap
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable, Iterable
    from typing import Any

_CHUNK = 1 << 20
_FROZEN = (str, bytes, int, float, complex, bool, type(None), range)


class Watched(NamedTuple):
    """One shipped group: its names, the objects that they held, and how they looked when they were loaded."""

    names: tuple[str, ...]
    values: dict[str, Any]
    path: str
    print: tuple[bytes, list[int]] | None


def watch(names: Iterable[str], values: dict[str, Any], path: str, pickler: Callable[..., Any]) -> Watched | None:
    """Remembers a group as it is now; None where nothing in it can change."""
    if all(isinstance(value, _FROZEN) for value in values.values()):
        return None
    taken = _take(values, pickler)
    return Watched(
        tuple(names), values, path, (taken[0], [buffer.nbytes for buffer in taken[1]]) if taken is not None else None
    )


def changed(group: Watched, pickler: Callable[..., Any]) -> bool:
    """Whether the objects of a group differ from what was loaded. What cannot be told is taken for unchanged."""
    if group.print is None or (taken := _take(group.values, pickler)) is None:
        return False
    head, buffers = taken
    return head != group.print[0] or [b.nbytes for b in buffers] != group.print[1] or not _same(group.path, buffers)


def _take(values: dict[str, Any], pickler: Callable[..., Any]) -> tuple[bytes, list[memoryview]] | None:
    buffers: list[memoryview] = []
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

    try:
        pickler(Head(), protocol=5, buffer_callback=keep).dump(values)
    except Exception:  # what was loaded by other means than it is pickled by; such values are not watched
        return None
    return digest.digest(), buffers


def _same(path: str, buffers: list[memoryview]) -> bool:
    if not buffers:
        return True
    from .wire import spans

    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as original:
        where = spans(memoryview(original))[1]
        if [size for _, size in where] != [buffer.nbytes for buffer in buffers]:
            return False
        for (start, size), buffer in zip(where, buffers, strict=True):
            flat = buffer.cast("B")
            for at in range(0, size, _CHUNK):
                if original[start + at : start + min(at + _CHUNK, size)] != flat[at : at + _CHUNK].tobytes():
                    return False
    return True
