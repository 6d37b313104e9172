"""What a pod's log says between the lines of the job: one line a frame, which vouches for what it says.

    RS "jobq1" | token | kind | seq | crc32 of what lies around it | payload, a JSON object in ASCII | LF

The log is the only way out of a pod that needs no service, no volume and no right; but it is cut when it is rotated,
it says things twice when it is read again, and anybody in the container can write to it. So text stays as it was
printed, before the frame that tells its place, its size and its checksum, and `seq` goes up by one with each frame.
The token comes from the run's key: what a job prints by chance is no frame.

**Kinds.** Each payload has `t`, the time. In the order of a log:

- `begin` `{protocol, attempt, rank, pod: {name, uid}, start, again}`: how often a container began in this pod;
  `again`: what an earlier one carried is carried once more, from its first byte on.
- `text` `{of, at, size, lines, crc, open}`: the text before it is `size` bytes of a stream at the offset `at`, before
  which the stream has `lines` newlines. `open`: it ends within a line, and the newline after it is not the job's.
- `add` `{to, at, size, lines, part, of, data, z}`: what was appended to a file. Streams go this way where a log would
  not keep them: what is no UTF-8, and what looks like a frame.
- `put` `{to, part, of, data, z}`: a file, as a whole.
- `beat` `{}`: nothing happened for a while.
- `end` `{sizes, lines, status, result, values}`: all is carried; `result`: there was one; `values`: those that it names
  were to go, too, which are the first worker's alone. Of files that were too large for a log, a file `beyond.json`
  tells: `{sizes, kept}`; `kept`: they are somewhere else.

Of `data` (base64; deflated where `z`) each of `of` parts has a piece; the parts of one frame follow each other.
"""

from __future__ import annotations

import json
from binascii import b2a_base64, crc32
from functools import cache

from .wire import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import Any

LINE = 8192
"""Bytes of a frame at most: runtimes of containers cut lines at 16 KiB, and mark the cut."""
PIECE = 1 << 16
"""Bytes of text before a frame at most, but for the newline."""
WHOLE = 64 << 20
"""Bytes that `unpacked` makes at most."""
MARK = b"\x1ejobq1 "

_DATA = 7680
"""Characters of data in a frame: what is left is for the rest of it."""
_TINY = 512
"""Bytes below which it is not worth deflating."""
_LINE = rb"\x1ejobq1 ([0-9a-f]{12}) ([a-z]+) (\d{1,15}) ([0-9a-f]{8}) (\{[ -~]*\})"


class Frame:
    """One frame, as it was read."""

    __slots__ = ("fields", "kind", "seq")

    def __init__(self, kind: str, seq: int, fields: dict[str, Any]) -> None:
        self.kind, self.seq, self.fields = kind, seq, fields


def token(key: bytes) -> bytes:
    """What tells the frames of a run from any other line, by the run's key."""
    return signature(b"frames", key)[:12]


class Writer:
    """Makes the frames of one container, in order.

    Args:
        key: of the run.
    """

    def __init__(self, key: bytes) -> None:
        self.mark = MARK + token(key) + b" "
        self._head = self.mark[len(MARK) :]
        self._seq = 0

    def frame(self, kind: str, fields: dict[str, Any]) -> bytes:
        """One line.

        Raises:
            ValueError: it would be too long.
        """
        self._seq += 1
        name = b"%s%s %d " % (self._head, kind.encode(), self._seq)
        payload = json.dumps(fields, separators=(",", ":")).encode()
        line = b"%s%s%08x %s\n" % (MARK, name, crc32(payload, crc32(name)), payload)
        if len(line) > LINE:
            raise ValueError(f"a frame of {len(line)} bytes")
        return line

    def parted(self, kind: str, fields: dict[str, Any], data: bytes) -> Iterator[bytes]:
        """The lines of a frame that has data."""
        deflated = _deflated(data) if len(data) >= _TINY else data
        z = len(deflated) < len(data)
        text = b2a_base64(deflated if z else data, newline=False).decode()
        count = -(-len(text) // _DATA) or 1
        for part in range(count):
            piece = text[part * _DATA : (part + 1) * _DATA]
            yield self.frame(kind, {**fields, "part": part, "of": count, "data": piece, "z": z})


def _deflated(data: bytes) -> bytes:
    import zlib

    return zlib.compress(data, 1)


def parse(line: bytes, token: bytes) -> Frame | None:
    """The frame that a line is; None where it is none of this run, or was damaged.

    Args:
        line: without its newline.
        token: of the run.
    """
    found = _line().fullmatch(line)
    if found is None or found[1] != token:
        return None
    name = line[found.start(1) : found.start(4)]
    if crc32(found[5], crc32(name)) != int(found[4], 16):
        return None
    try:
        fields = json.loads(found[5])
    except (ValueError, RecursionError):
        return None
    return Frame(found[2].decode(), int(found[3]), fields)


@cache
def _line() -> re.Pattern[bytes]:
    """Only who reads frames pays for it: a job waits for what its writer imports."""
    import re

    return re.compile(_LINE)


def unpacked(text: str, z: bool) -> bytes | None:
    """The data whose parts were put together again; None where it is damaged, or larger than anything we carry."""
    import base64
    import zlib

    try:
        data = base64.b64decode(text, validate=True)
        if not z:
            return data
        inflating = zlib.decompressobj()
        made = inflating.decompress(data, WHOLE)
    except (ValueError, zlib.error):
        return None
    return made if inflating.eof else None
