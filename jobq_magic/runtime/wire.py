"""What both sides of a run agree on: the file of a value group, the signed result, the lines of the record.

**Value group** (`values/<sha256>`): one pickle of protocol 5 with its buffers out of band. All integers are
little-endian u64.

    "JOBQVAL1" | length of head | number n of buffers | n x (offset, length) | head | zeros | buffer | zeros | ...

Each buffer starts at a multiple of 64 bytes, so that a mapping of the file gives aligned arrays without a copy.

**Result**: `result.json` is one JSON object on the first line, and the HMAC-SHA256 of that line on the second. The key
is the run's own; the object names run and attempt and the sha256 of each file beside it, so nothing of another run, or
of another attempt, passes.

**Record**: one JSON object a line, written by one `write` to a file opened for appending. A reader ignores a last line
without its end.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import mmap
import os
import pickle
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

PROTOCOL = 1
"""Raised when a runtime of one version could misread a bundle of another."""
EAGER = 64 << 20
"""Bytes of a value group up to which it is read as soon as the run has ended; bigger ones when a cell reads a name."""

_MAGIC = b"JOBQVAL1"
_ALIGN = 64
_WORD = struct.Struct("<Q")
_CHUNK = 1 << 20


class TooLarge(Exception):
    """A value group passed its limit while it was written; `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Damaged(Exception):
    """A file is not what was written: wrong magic, wrong digest, wrong signature."""


class _Bounded:
    """A growing head that refuses to pass `limit` bytes: pickling a huge object stops at once, not after."""

    def __init__(self, limit: int | None) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.limit = limit

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self.take(count)
        self.parts.append(bytes(data))
        return count

    def take(self, count: int) -> None:
        self.size += count
        if self.limit is not None and self.size > self.limit:
            raise TooLarge(self.limit)


def write_group(
    folder: str | os.PathLike[str],
    value: object,
    *,
    pickler: Callable[..., Any] = pickle.Pickler,
    limit: int | None = None,
) -> tuple[str, int]:
    """Pickles `value` into `folder`, in a file named by its sha256; a file that is already there is not written again.

    Args:
        folder: where value groups lie; must exist.
        value: what to pickle.
        pickler: called as `pickler(file, protocol=5, buffer_callback=...)`.
        limit: bytes of head and buffers together.

    Returns:
        The sha256 of the file, in hex, and its size in bytes.

    Raises:
        TooLarge: before the buffers beyond the limit were touched.
        Exception: whatever the pickler raises.
    """
    head = _Bounded(limit)
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous: in band
            return True
        head.take(raw.nbytes)
        buffers.append(raw)
        return False

    pickler(head, protocol=5, buffer_callback=keep).dump(value)
    pieces = list(_pieces(b"".join(head.parts), buffers))
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    name, size = digest.hexdigest(), sum(len(piece) for piece in pieces)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        _put(path, pieces)
    return name, size


def _pieces(head: bytes, buffers: list[memoryview]) -> Iterator[bytes | memoryview]:
    start = len(_MAGIC) + _WORD.size * (2 + 2 * len(buffers))
    end = start + len(head)
    index = [_MAGIC, _WORD.pack(len(head)), _WORD.pack(len(buffers))]
    body: list[bytes | memoryview] = [head]
    for buffer in buffers:
        gap = -end % _ALIGN
        index += [_WORD.pack(end + gap), _WORD.pack(buffer.nbytes)]
        body += [bytes(gap), buffer.cast("B")]
        end += gap + buffer.nbytes
    yield b"".join(index)
    yield from body


def read_group(
    path: str | os.PathLike[str], *, loads: Callable[..., Any] = pickle.loads, digest: str | None = None
) -> Any:
    """The value of a group; its buffers are private, writable mappings of the file.

    Args:
        path: the file.
        loads: called as `loads(head, buffers=...)`.
        digest: the sha256 that the file must have; checked before anything is unpickled.

    Raises:
        Damaged: the file is not a value group, or not the one that `digest` names.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < len(_MAGIC) + 2 * _WORD.size:
            raise Damaged(f"{os.path.basename(path)} is cut short")
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    if digest is not None and hashlib.sha256(view).hexdigest() != digest:
        raise Damaged(f"{os.path.basename(path)} does not have its digest")
    if view[: len(_MAGIC)] != _MAGIC:
        raise Damaged(f"{os.path.basename(path)} is not a value group")
    (start, length), buffers = spans(view)
    return loads(view[start : start + length], buffers=[view[offset : offset + size] for offset, size in buffers])


def head_size(path: str | os.PathLike[str]) -> int:
    """How many bytes of a value group are pickled in band; they take as much memory, and more, when it is read."""
    with open(path, "rb") as file:
        file.seek(len(_MAGIC))
        return int(_WORD.unpack(file.read(_WORD.size))[0])


def spans(view: memoryview) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Where the head and the buffers of a value group lie: offset and length of each, in bytes."""
    at = len(_MAGIC)
    length, count = _WORD.unpack_from(view, at)[0], _WORD.unpack_from(view, at + 8)[0]
    at += 16
    buffers = [struct.unpack_from("<QQ", view, at + 16 * number) for number in range(count)]
    return (at + 16 * count, length), [(offset, size) for offset, size in buffers]


def canonical(value: object) -> bytes:
    """JSON with one spelling: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes beside, then renames, so that a reader sees all of it or none."""
    _put(os.fspath(path), [data])


def _put(path: str, pieces: Iterable[bytes | memoryview]) -> None:
    partial = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        with open(partial, "wb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
        os.replace(partial, path)
    except BaseException:  # the disk is full: what does not serve must not fill it
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def seal(result: dict[str, Any], key: bytes) -> bytes:
    """`result` as the two lines of `result.json`."""
    line = canonical(result)
    return line + b"\n" + hmac.new(key, line, hashlib.sha256).hexdigest().encode() + b"\n"


def unseal(data: bytes, key: bytes, *, run: str, attempt: int) -> dict[str, Any]:
    """The result in `data`.

    Raises:
        Damaged: the signature is not that of `key`, or the result is of another run or attempt.
    """
    line, _, mac = data.partition(b"\n")
    if not hmac.compare_digest(hmac.new(key, line, hashlib.sha256).hexdigest().encode(), mac.strip()):
        raise Damaged("result.json does not carry this run's signature")
    result: dict[str, Any] = json.loads(line)
    if (result.get("run"), result.get("attempt")) != (run, attempt):
        raise Damaged(f"result.json is of run {result.get('run')}, attempt {result.get('attempt')}")
    return result


def append_event(path: str | os.PathLike[str], event: dict[str, Any]) -> None:
    """Adds one line to a record by one `write`; an event with a phase gets its time where it has none."""
    if "phase" in event:
        event = {"at": time.time(), **event}
    line = canonical(event) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a writer was cut short: lose its line, not ours
            line = b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
    finally:
        os.close(descriptor)


def read_events(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The whole lines of a record; a line that is no JSON object (of a disk that was full) is passed over."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
