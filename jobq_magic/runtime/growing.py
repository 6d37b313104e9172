"""What is new in a file: of one that only grows, and of one that is replaced as a whole."""

from __future__ import annotations

import os

_BLOCK = 1 << 16


class Growing:
    """A file that is appended to; it may not be there yet.

    Args:
        path: where it is.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self.at = 0
        """Up to where it was taken."""
        self.lines = 0
        """How many newlines lie before that."""

    def size(self) -> int:
        """How long it is now."""
        file = self._open()
        return 0 if file is None else os.fstat(file).st_size

    def read(self, count: int) -> bytes:
        """The bytes that come next, at most `count`; they stay where they are."""
        file = self._open()
        return b"" if file is None or count <= 0 else os.pread(file, count, self.at)

    def take(self, data: bytes) -> None:
        """Passes over what was read."""
        self.skip(len(data), data.count(b"\n"))

    def skip(self, size: int, lines: int) -> None:
        """Passes over so many bytes, with so many newlines."""
        self.at += size
        self.lines += lines

    def next_lines(self, count: int) -> bytes:
        """The whole lines that come next, about `count` bytes of them, or one that is longer; they stay."""
        data = self.read(count)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == count:
            end = self.line_end(count, self.size())
            data = self.read(end)
        return data[:end]

    def line_end(self, after: int, end: int) -> int:
        """Bytes of the next line with its newline, of which the first `after` have none; 0 where it has no end yet.

        Args:
            after: bytes that were looked at.
            end: offset in the file up to which to look.
        """
        file = self._open()
        while file is not None and self.at + after < end:
            block = os.pread(file, min(_BLOCK, end - self.at - after), self.at + after)
            if not block:
                break
            if (found := block.find(b"\n")) >= 0:
                return after + found + 1
            after += len(block)
        return 0

    def close(self) -> None:
        """Closes it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int | None:
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        return self._file


class Replaced:
    """A small file that is replaced as a whole; looking costs one `stat`.

    Args:
        path: where it is.
        most: bytes beyond which it is passed over.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = path
        self._most = most
        self._seen: tuple[int, ...] = ()

    def new(self) -> bytes | None:
        """All of it, where it is another one than the last time; else None."""
        try:
            found = os.stat(self._path)
            seen = found.st_ino, found.st_mtime_ns, found.st_size
            if seen == self._seen or found.st_size > self._most:
                return None
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        self._seen = seen
        return data
