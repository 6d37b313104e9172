"""A log by pages, and what is found in it: one pass over what a run wrote, with a memory that does not grow with it."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import NamedTuple

from jobq_magic.errors import OptionError
from jobq_magic.runs.prefix import DRIVER, label
from jobq_magic.runs.tail import Chunk, Display, Item

__all__ = ["LONGEST", "PAGE", "Line", "Page", "Wanted", "add_words", "as_shown", "lines", "page", "plain", "wanted"]

PAGE = 1000
"""Lines of a page."""
LONGEST = 64 << 10
"""Bytes of a line that are kept; what a job prints may have no line ends at all."""
_FIRST = frozenset({"0", DRIVER})
"""What the first worker is called from when on there are several."""


class Line(NamedTuple):
    """One line of a log."""

    stream: str
    text: bytes
    """Without its end, and without whose it is."""
    source: str = ""
    """Rank of the worker that wrote it, where a run has several; else ""."""

    @property
    def shown(self) -> bytes:
        """With whose it is, as a face shows it."""
        return label(self.source).encode() + self.text


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a log are asked for."""

    page: int | None = None
    """Counted from 1; None: the last."""
    last: int | None = None
    """Only so many from the end, instead of a page."""
    text: bytes = b""
    """Only lines that hold this."""
    pattern: re.Pattern[bytes] | None = None
    """Only lines in which this is found."""
    stream: str = ""
    """Only `stdout`, or only `stderr`."""
    worker: int | None = None
    """Only of the worker of this rank; who gives the log sees to it."""

    @property
    def words(self) -> str:
        """What they are asked for by, besides a page or a number: ` --grep 'some words' --stderr`."""
        pattern = "" if self.pattern is None else self.pattern.pattern.decode()
        said = [
            f" {flag} {quote(text)}" for flag, text in (("--grep", self.text.decode()), ("--regex", pattern)) if text
        ]
        said += [] if self.worker is None else [f" --worker {self.worker}"]
        return "".join([*said, f" --{self.stream}" if self.stream else ""])

    @property
    def everything(self) -> bool:
        """Whether nothing particular is asked for."""
        return self == Wanted(worker=self.worker)


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, and where they stand among all that were asked for."""

    lines: tuple[Line, ...]
    first: int
    """Number of the first of them, counted from 1."""
    total: int

    @property
    def number(self) -> int:
        """Which page it is."""
        return (self.first - 1) // PAGE + 1

    @property
    def pages(self) -> int:
        """How many there are."""
        return max(1, -(-self.total // PAGE))

    def told(self, command: str) -> str:
        """Which lines these are, and how to see the others; nothing where these are all.

        Raises:
            OptionError: there is no such page.
        """
        if not self.lines and self.first > 1:
            raise OptionError(
                "no-such-page",
                f"There is no page {self.number}: there {'is' if self.pages == 1 else 'are'} {self.pages}",
                do=f"{command} --page {self.pages} shows the last",
            )
        last = self.first + len(self.lines) - 1
        if last - self.first + 1 == self.total:
            return ""
        where = f"Lines {self.first:,} to {last:,} of {self.total:,}" if self.lines else f"None of {self.total:,} lines"
        if (self.first - 1) % PAGE:  # the last N lines, which are no page
            return f"{where}; {command} shows more"
        others = [("before", self.number - 1), ("after", self.number + 1)]
        ways = [f"--page {page} shows those {way}" for way, page in others if 0 < page <= self.pages]
        return f"{where}, page {self.number} of {self.pages}; {command} {', '.join(ways)}"


_EVERYTHING = Wanted()


def lines(items: Iterable[Item], asked: Wanted = _EVERYTHING) -> Iterator[Line]:
    """The lines that are asked for, one by one as they are written; pages are no matter here."""
    for batch in _batches(items, asked):
        yield from batch.lines()


def page(items: Iterable[Item], asked: Wanted = _EVERYTHING) -> Page:
    """The page that is asked for, and how many lines there are."""
    total = 0
    if asked.page is not None:
        start = (asked.page - 1) * PAGE
        found: list[Line] = []
        for batch in _batches(items, asked):
            if total < start + PAGE and total + batch.count > start:
                found += batch.lines()[max(0, start - total) : start + PAGE - total]
            total += batch.count
        return Page(tuple(found), start + 1, total)
    most = PAGE if asked.last is None else asked.last
    held, kept = 0, deque[_Batch]()
    for batch in _batches(items, asked):
        kept.append(batch)
        held += batch.count
        total += batch.count
        while held - kept[0].count >= most:
            held -= kept.popleft().count
            if not kept:
                break
    if asked.last is None and total:
        most = (total - 1) % PAGE + 1  # the last page begins where pages begin
    last = [line for batch in kept for line in batch.lines()][max(0, held - most) :] if most else []
    return Page(tuple(last), total - len(last) + 1, total)


def add_words(parser: ArgumentParser) -> None:
    """Adds the arguments of `logs` that say which lines; see `wanted`."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on to the end of the run")
    parser.add_argument("--worker", type=int, metavar="N", help="only what the worker of rank N wrote")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines")
    parser.add_argument("--page", type=int, metavar="K", help=f"only page K; a page has {PAGE:,} lines")
    search = parser.add_mutually_exclusive_group()
    search.add_argument("--grep", metavar="TEXT", help="only lines that hold a text")
    search.add_argument("--regex", metavar="RE", help="only lines in which a regular expression is found")
    stream = parser.add_mutually_exclusive_group()
    for name in ("stdout", "stderr"):
        stream.add_argument(f"--{name}", dest="stream", action="store_const", const=name, help=f"only {name}")


def wanted(args: Namespace) -> Wanted:
    """Which lines those arguments ask for.

    Raises:
        OptionError: they contradict each other, or cannot be.
    """
    for option, number, least in ("--lines", args.lines, 0), ("--page", args.page, 1):
        if number is not None and (number < least or args.follow):
            raise OptionError(
                "bad-command", f"{option} takes a number of {least} or more, and does not go with --follow"
            )
    if args.lines is not None and args.page is not None:
        raise OptionError("contradiction", "--lines and --page contradict each other", do="Give one of them")
    try:
        pattern = re.compile(args.regex.encode()) if args.regex else None
    except re.error as error:
        raise OptionError("bad-regex", f"--regex {args.regex} is no regular expression: {error}") from error
    return Wanted(args.page, args.lines, (args.grep or "").encode(), pattern, args.stream or "", args.worker)


class _Batch:
    """Some lines of one stream that follow each other; cut apart only where somebody looks at them."""

    def __init__(self, stream: str, text: bytes | list[bytes], source: str = "") -> None:
        self._stream, self._text, self._source = stream, text, source
        self.count = text.count(b"\n") + 1 if isinstance(text, bytes) else len(text)

    def lines(self) -> list[Line]:
        found = self._text.split(b"\n") if isinstance(self._text, bytes) else self._text
        return [Line(self._stream, as_shown(line), self._source) for line in found]


def _batches(items: Iterable[Item], asked: Wanted) -> Iterator[_Batch]:
    """The lines that are asked for, chunk by chunk: one by one, those of a big log would take minutes."""
    rest: dict[tuple[str, str], bytes] = {}
    for item in items:
        if not isinstance(item, Chunk):
            if (shown := plain(item)) and asked.stream != "stderr":
                yield _Batch("stdout", _chosen(b"\n".join(shown), asked), item.source)
            continue
        stream, data = item.stream, item.data
        if item.begins:  # nobody goes on with what an earlier attempt left open
            yield from _left(rest, asked)
            rest.clear()
            data = data.lstrip(b"\n")
        if asked.stream and stream != asked.stream:
            continue
        of = stream, item.source
        if item.source in _FIRST and (unnamed := rest.pop((stream, ""), None)) is not None:
            rest[of] = unnamed  # it has a name since others were heard of
        end = data.rfind(b"\n")
        if end < 0:
            rest[of] = _bounded(rest.get(of, b"") + data)
            continue
        whole = rest.pop(of, b"") + data[:end]
        if data[end + 1 :]:
            rest[of] = _bounded(data[end + 1 :])
        if asked.text in whole:
            yield _Batch(stream, _chosen(whole, asked), item.source)
    yield from _left(rest, asked)


def _left(rest: Mapping[tuple[str, str], bytes], asked: Wanted) -> Iterator[_Batch]:
    """The lines that have no end."""
    for (stream, source), data in rest.items():
        yield _Batch(stream, _chosen(data, asked), source)


def _chosen(text: bytes, asked: Wanted) -> bytes | list[bytes]:
    if not asked.text and asked.pattern is None:
        return text
    found = [line for line in text.split(b"\n") if asked.text in line]
    return found if asked.pattern is None else [line for line in found if asked.pattern.search(line)]


def _bounded(line: bytes) -> bytes:
    """What is kept of a line that has no end yet: of one that is written over and over, the newest."""
    if len(line) <= LONGEST:
        return line
    return _last(line)[: LONGEST + 1] + b"\r" * line.endswith(b"\r")  # which whatever comes next is written over


def as_shown(line: bytes) -> bytes:
    """A line as a terminal shows it once it is written, at most so long."""
    line = _last(line) if b"\r" in line else line
    return line if len(line) <= LONGEST else line[:LONGEST] + b" ... (cut)"


def _last(line: bytes) -> bytes:
    """What a terminal would show of a line that was written over and over."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def plain(item: Display) -> list[bytes]:
    """The lines that stand for a display."""
    shown = item.bundle.get("text/plain", "")
    return ("".join(shown) if isinstance(shown, list) else str(shown)).encode("utf-8", "replace").splitlines()
