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

What only results need is imported when there is one: a pod with a tenth of a core waits 10 ms for each that an import
takes, before the first line of its cell.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from _operator import _compare_digest  # `hmac.compare_digest`

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

try:  # what `hashlib` has where there is no OpenSSL, by its name since Python 3.12, and by the one before
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found]
    except ImportError:  # some Pythons are built with OpenSSL's alone
        from hashlib import sha256 as _sha256

PROTOCOL = 1
"""Raised when a runtime of one version could misread a bundle of another."""
EAGER = 64 << 20
"""Bytes of a value group up to which it is read as soon as the run has ended; bigger ones when a cell reads a name."""
SHARED = 1 << 20
"""Bytes of a value group from which it is worth finding again: below, writing it costs less than the question."""

FINAL = frozenset({"succeeded", "failed", "cancelled", "lost"})
"""The phases in which a run has ended."""

_MAGIC = b"JOBQVAL1"
_ALIGN = 64
_LARGE = 4 << 20
"""Bytes of buffers from which a second thread is worth its start."""
_WORD = 8
_CHUNK = 1 << 18
_BLOCK = 64
_INNER, _OUTER = (bytes(number ^ pad for number in range(256)) for pad in (0x36, 0x5C))


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


class Pickled:
    """A value group in the making: its head as it was pickled, and the buffers that it refers to, not copied."""

    def __init__(self, head: list[bytes], buffers: list[memoryview]) -> None:
        self.head, self.buffers = head, buffers

    @property
    def size(self) -> int:
        """Bytes of the file that it makes."""
        return sum(map(len, self.pieces()))

    @property
    def digest(self) -> str:
        """The sha256 of that file, in hex; reads all buffers."""
        return _digest(self.pieces())

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The file, piece by piece."""
        length = sum(map(len, self.head))
        end = len(_MAGIC) + _WORD * (2 + 2 * len(self.buffers)) + length
        index = [_MAGIC, _word(length), _word(len(self.buffers))]
        body: list[bytes | memoryview] = []
        for buffer in self.buffers:
            gap = -end % _ALIGN
            index += [_word(end + gap), _word(buffer.nbytes)]
            body += [bytes(gap), buffer.cast("B")]
            end += gap + buffer.nbytes
        yield b"".join(index)
        yield from self.head
        yield from body


def _word(number: int) -> bytes:
    return number.to_bytes(_WORD, "little")


def pickle_group(value: object, *, pickler: Callable[..., Any] | None = None, limit: int | None = None) -> Pickled:
    """Pickles `value` with its buffers out of band; nothing is written, and no buffer is read.

    Args:
        value: what to pickle.
        pickler: called as `pickler(file, protocol=5, buffer_callback=...)`; None: that of the standard library.
        limit: bytes of head and buffers together.

    Raises:
        TooLarge: as soon as it is known to be beyond the limit.
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

    if pickler is None:
        from pickle import Pickler

        pickler = Pickler
    pickler(head, protocol=5, buffer_callback=keep).dump(value)
    return Pickled(head.parts, buffers)


def is_written(path: str | os.PathLike[str], group: Pickled) -> bool:
    """Whether the file at `path` holds this very group; four times as fast as a digest.

    Raises:
        OSError: it cannot be read.
    """
    import mmap

    with open(path, "rb") as file:
        if not (size := os.fstat(file.fileno()).st_size) or size != group.size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as written:
            at = 0
            for piece in group.pieces():
                view = memoryview(piece)
                for start in range(0, len(view), _CHUNK):
                    part = view[start : start + _CHUNK]
                    # `startswith` compares with any buffer as it is; `==` would copy it, or go byte by byte.
                    if not written[at + start : at + start + len(part)].startswith(part):
                        return False
                at += len(view)
    return True


def put_group(folder: str | os.PathLike[str], group: Pickled) -> str:
    """Writes a value group into `folder`, in a file named by its sha256; one that is there is not written again.

    Args:
        folder: where value groups lie; must exist.
        group: what to write.

    Returns:
        The sha256 of the file, in hex.
    """
    if sum(buffer.nbytes for buffer in group.buffers) < _LARGE:
        digest = group.digest
        path = os.path.join(folder, digest)
        if not os.path.exists(path):
            _put(path, group.pieces())
        return digest
    from concurrent.futures import ThreadPoolExecutor

    partial = os.path.join(folder, f".{os.getpid()}.{time.monotonic_ns()}")
    with ThreadPoolExecutor(1) as aside:  # the digest is made while the file is written: both release the interpreter
        digesting = aside.submit(lambda: group.digest)
        _put(partial, group.pieces())
    digest = digesting.result()
    os.replace(partial, os.path.join(folder, digest))
    return digest


def _digest(pieces: Iterable[bytes | memoryview]) -> str:
    parts = list(pieces)
    if sum(memoryview(part).nbytes for part in parts) < SHARED:
        digest = _sha256()
    else:  # OpenSSL is four times as fast
        import hashlib

        digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return str(digest.hexdigest())


def write_group(
    folder: str | os.PathLike[str],
    value: object,
    *,
    pickler: Callable[..., Any] | None = None,
    limit: int | None = None,
) -> tuple[str, int]:
    """Pickles `value` into `folder`; see `pickle_group` and `put_group`.

    Returns:
        The sha256 of the file, in hex, and its size in bytes.
    """
    group = pickle_group(value, pickler=pickler, limit=limit)
    return put_group(folder, group), group.size


def read_group(
    path: str | os.PathLike[str], *, loads: Callable[..., Any] | None = None, digest: str | None = None
) -> Any:
    """The value of a group; its buffers are private, writable mappings of the file.

    Args:
        path: the file.
        loads: called as `loads(head, buffers=...)`; None: that of `pickle`.
        digest: the sha256 that the file must have; checked before anything is unpickled.

    Raises:
        Damaged: the file is not a value group, or not the one that `digest` names.
        OSError: it cannot be read.
    """
    import mmap

    if loads is None:
        import pickle

        loads = pickle.loads
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < len(_MAGIC) + 2 * _WORD:
            raise Damaged(f"{os.path.basename(path)} is cut short")
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    if digest is not None and _digest([view]) != digest:
        raise Damaged(f"{os.path.basename(path)} does not have its digest")
    if view[: len(_MAGIC)] != _MAGIC:
        raise Damaged(f"{os.path.basename(path)} is not a value group")
    (start, length), buffers = spans(view)
    return loads(view[start : start + length], buffers=[view[offset : offset + size] for offset, size in buffers])


def head_size(path: str | os.PathLike[str]) -> int:
    """How many bytes of a value group are pickled in band; they take as much memory, and more, when it is read."""
    with open(path, "rb") as file:
        file.seek(len(_MAGIC))
        return int.from_bytes(file.read(_WORD), "little")


def spans(view: memoryview) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Where the head and the buffers of a value group lie: offset and length of each, in bytes."""
    import struct

    at = len(_MAGIC)
    length, count = struct.unpack_from("<QQ", view, at)
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
    return line + b"\n" + signature(line, key) + b"\n"


def signature(data: bytes, key: bytes) -> bytes:
    """Its HMAC-SHA256 in hex, as RFC 2104 has it. `hmac` would load OpenSSL for that: 4 ms."""
    block = (key if len(key) <= _BLOCK else _sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner = _sha256(block.translate(_INNER) + data)
    return str(_sha256(block.translate(_OUTER) + inner.digest()).hexdigest()).encode()


def unseal(data: bytes, key: bytes, *, run: str, attempt: int) -> dict[str, Any]:
    """The result in `data`.

    Raises:
        Damaged: the signature is not that of `key`, or the result is of another run or attempt.
    """
    line, _, mac = data.partition(b"\n")
    if not _compare_digest(signature(line, key), mac.strip()):
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
            return parse_events(file.read())
    except FileNotFoundError:
        return []


def parse_events(data: bytes) -> list[dict[str, Any]]:
    """The same of the bytes of a record."""
    events = []
    for line in data.split(b"\n")[:-1]:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
