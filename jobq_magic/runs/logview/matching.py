"""Matching: in which lines a text or a regular expression is found, and where; escapes of terminals hide nothing.

A text is looked for in the bytes of many lines at once, where these are what is shown. A regular expression is tried in
a process of its own (`trial`): one that takes too long is ended there, and refused in one sentence.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import AnyStr, NamedTuple, Protocol, Self, TypeAlias

from jobq_magic.errors import OptionError
from jobq_magic.runs.logview import trial
from jobq_magic.runs.logview.texts import Text

__all__ = ["PATIENCE", "Literal", "Matcher", "Query", "Regex", "Spans", "matcher", "unescaped", "units"]

PATIENCE = 2.0
"""Seconds of a processor that an expression may take for one block of lines; most take a hundredth of that."""
_STUCK = 10.0
"""Seconds after which its process is given up in any case."""

# As `render.safe` has it: a face drops what these are.
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
_ESCAPE = re.compile(_ESCAPES)
_RAW_ESCAPE = re.compile(_ESCAPES.encode())

Spans: TypeAlias = list[tuple[int, int]]


class Query(NamedTuple):
    """What is looked for."""

    text: str
    regex: bool = False
    case: bool = False


class Matcher(Protocol):
    """Finds."""

    def rows(self, text: Text) -> Sequence[int]:
        """In which lines it is found."""

    def spans(self, lines: Sequence[str]) -> list[Spans]:
        """Where, in each of some lines without escapes, in characters."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def matcher(query: Query) -> Matcher:
    """What finds it; a context manager.

    Raises:
        OptionError: there is nothing to be found.
    """
    if not query.text:
        raise OptionError("nothing-to-find", "There is no text to be found", do="Give one")
    return Regex(query.text, case=query.case) if query.regex else Literal(query.text, case=query.case)


def unescaped(text: str) -> str:
    """What is shown of a line."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def units(line: str, spans: Spans) -> Spans:
    """The same in units of UTF-16, in which browsers count."""
    if line.isascii() or max(line) <= "\uffff":
        return spans

    def unit(at: int) -> int:
        return len(line[:at].encode("utf-16-le")) // 2

    return [(unit(begin), unit(end)) for begin, end in spans]


class Literal:
    """Finds a text. Where case does not count, that of A to Z does not, and of others as far as it is asked for.

    Args:
        text: what is found.
        case: whether capitals count.
    """

    def __init__(self, text: str, *, case: bool) -> None:
        self._folded = not case
        self._never = "\n" in text
        ascii_ = re.ASCII if text.isascii() else re.NOFLAG
        self._pattern = re.compile(re.escape(text), re.NOFLAG if case else re.IGNORECASE | ascii_)
        self._needle = (text.lower() if text.isascii() and self._folded else text).encode("utf-8", "surrogatepass")
        # A character that stands for broken ones has no bytes of its own in the log.
        self._bytes = (case or text.isascii()) and "\ufffd" not in text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def rows(self, text: Text) -> Sequence[int]:
        """In which lines it is found."""
        data = text.data
        if self._never:
            return ()
        hidden = b"\x1b" in data
        plain = text.plain
        if plain and self._bytes and (not hidden or data.isascii()):
            data = _RAW_ESCAPE.sub(b"", data) if hidden else data
            hay = data.lower() if self._folded else data
            return _rows(hay, lambda at: hay.find(self._needle, at), b"\n")
        if plain and not hidden:
            whole = data.decode("utf-8", "replace")
            return _rows(whole, lambda at: _start(self._pattern, whole, at), "\n")
        search = self._pattern.search
        lines = (unescaped(line.decode("utf-8", "replace")) for line in text.lines())
        return [row for row, line in enumerate(lines) if search(line)]

    def spans(self, lines: Sequence[str]) -> list[Spans]:
        """Where, in each of some lines without escapes."""
        return [trial.spans(self._pattern, line) for line in lines]


def _start(pattern: re.Pattern[str], text: str, at: int) -> int:
    return found.start() if (found := pattern.search(text, at)) else -1


def _rows(hay: AnyStr, find: Callable[[int], int], newline: AnyStr) -> list[int]:
    """In which lines something is found."""
    rows, row, at = [], 0, 0
    while (place := find(at)) >= 0:
        row += hay.count(newline, at, place)
        rows.append(row)
        at, row = hay.find(newline, place) + 1, row + 1
        if not at:
            break
    return rows


class Regex:
    """Finds a regular expression, line by line.

    Args:
        pattern: the expression.
        case: whether capitals count.
    """

    def __init__(self, pattern: str, *, case: bool) -> None:
        self._pattern = pattern
        # With -I and -S it starts in a few hundredths of a second, and nothing of the user's environment counts.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", trial.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        try:
            wrong = self._ask(b"p", json.dumps({"pattern": pattern, "case": case, "seconds": PATIENCE}).encode())
            if wrong:
                raise OptionError("bad-regex", f"{pattern} is no regular expression: {wrong.decode()}")
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def rows(self, text: Text) -> Sequence[int]:
        """In which lines it is found."""
        data = text.data if text.plain else b"\n".join(text.lines())
        return array("I", self._ask(b"w", unescaped(data.decode("utf-8", "replace")).encode()))

    def spans(self, lines: Sequence[str]) -> list[Spans]:
        """Where, in each of some lines without escapes."""
        if not lines:
            return []
        found = json.loads(self._ask(b"s", "\n".join(lines).encode()))
        return [[(begin, end) for begin, end in each] for each in found]

    def _ask(self, kind: bytes, said: bytes) -> bytes:
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None
        assert pipes[1] is not None
        until = time.monotonic() + _STUCK
        try:
            pipes[0].write(trial.HEAD.pack(kind, len(said)))
            left = memoryview(said)
            while left:
                left = left[pipes[0].write(left) or 0 :]
            _, size = trial.HEAD.unpack(self._read(pipes[1].fileno(), trial.HEAD.size, until))
            return self._read(pipes[1].fileno(), size, until)
        except (OSError, TimeoutError) as error:
            raise OptionError(
                "regex-too-slow",
                f"The regular expression {self._pattern} was given up: it takes longer than {PATIENCE:g} seconds",
                do="Find a text, or make it simpler: a repetition within a repetition takes very long",
            ) from error

    def _read(self, pipe: int, size: int, until: float) -> bytes:
        found = bytearray()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while len(found) < size:
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            if not (data := os.read(pipe, size - len(found))):
                raise BrokenPipeError
            found += data
        return bytes(found)

    def _end(self) -> None:
        self._process.kill()
        for pipe in self._process.stdin, self._process.stdout:
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()
