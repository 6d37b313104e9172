"""Splitting: frames, and the text before each of them, out of bytes that come in any pieces."""

from __future__ import annotations

from jobq_magic.runtime.frames import LINE, MARK, Frame, parse

__all__ = ["Splitter"]

_MOST = 1 << 20
"""Bytes of text that are kept while no frame vouches for them: a frame needs no more than `frames.PIECE`, and the rest
shows why a container never came to its first frame."""


class Splitter:
    """Takes a log, gives its frames.

    Args:
        token: of the run, `frames.token`.
    """

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._mark = MARK + token + b" "
        self._held = bytearray()
        self._looked = 0

    def feed(self, data: bytes) -> list[tuple[bytes, Frame]]:
        """The frames that are whole with these bytes, each with the text between it and the one before."""
        self._held += data
        found = []
        begin = 0
        while (at := self._held.find(self._mark, self._looked)) >= 0:
            end = self._held.find(b"\n", at, at + LINE)
            if end < 0 and len(self._held) - at < LINE:
                self._looked = at
                break
            starts = at == begin or self._held[at - 1] == 10
            frame = parse(bytes(self._held[at:end]), self._token) if starts and end >= 0 else None
            self._looked = at + 1
            if frame is not None:
                found.append((bytes(self._held[begin:at]), frame))
                begin = self._looked = end + 1
        else:
            self._looked = max(self._looked, len(self._held) - len(self._mark))
        cut = max(begin, len(self._held) - _MOST)
        del self._held[:cut]
        self._looked -= cut
        return found

    def left(self) -> bytes:
        """The text behind the last frame, without frames that were cut short or damaged."""
        lines = bytes(self._held).split(b"\n")
        if lines[-1].startswith(MARK) or MARK.startswith(lines[-1]):
            lines[-1] = b""
        return b"\n".join(line for line in lines if not line.startswith(MARK))

    def forget(self) -> None:
        """The log is read anew from somewhere: what has no frame yet comes again."""
        self._held.clear()
        self._looked = 0
