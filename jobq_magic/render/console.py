"""What a terminal would show of a text, as lines of styled spans. Pure, and bounded.

Carriage return and backspace go back, and what follows is written over; CSI A goes up a line and CSI K empties one,
because nested bars are drawn with them; CSI m colours. Every other escape sequence is dropped. The rest shows as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from jobq_magic.render.colours import PLAIN, Colour, Style, cube, paint
from jobq_magic.render.safe import ESCAPES, visible

__all__ = ["COLUMNS", "LINES", "Line", "above", "drawn", "html", "plain", "screen", "simple", "told"]

LINES = 500
"""Lines that are drawn at most: a page with more is slow, and nobody reads them there."""
COLUMNS = 2000
"""Characters of a line that are drawn at most."""

_TOKEN = re.compile(rf"(?P<text>[^\x1b\n\r\b\t]+)|(?P<lines>\n+)|(?P<move>[\r\t]|\x08+)|{ESCAPES.pattern}")
# The end of a sequence whose beginning was cut off before it.
_REMNANT = re.compile(r"\[?[0-9;:]*m|\[[0-9;:?]+[A-Za-z]")


Line = tuple[tuple[str, Style], ...]
"""Spans of one line: text, and how it looks."""


class _Row:
    """One line while it is written: spans that grow at their end, or, once it was written over, single characters."""

    __slots__ = ("cells", "length", "spans", "styles")

    def __init__(self) -> None:
        self.spans: list[tuple[str, Style]] = []
        self.cells: list[str] | None = None
        self.styles: list[Style] = []
        self.length = 0

    def write(self, column: int, text: str, style: Style) -> None:
        end = column + len(text)
        if column == 0 and end >= self.length:
            self.spans, self.cells = [(text, style)], None
        elif column == self.length and self.cells is None:
            self.spans.append((text, style))
        else:
            cells = self._single()
            if column > self.length:
                cells += " " * (column - self.length)
                self.styles += [PLAIN] * (column - self.length)
            cells[column:end] = text
            self.styles[column:end] = [style] * len(text)
        self.length = max(self.length, end)

    def keep(self, first: int, last: int) -> None:
        """Empties all but the columns from `first` to `last`."""
        cells = self._single()
        cells[last:], self.styles[last:] = [], []
        cells[:first], self.styles[:first] = " " * min(first, len(cells)), [PLAIN] * min(first, len(cells))
        self.length = len(cells)

    def line(self) -> Line:
        """What it shows, without blanks at its end where they are no coloured block."""
        spans = list(self.spans)
        if self.cells is not None:
            # None of the pieces is long: what is written over character by character is a spinner or a bar.
            pairs = groupby(zip(self.styles, self.cells, strict=True), key=_style_of)
            spans = [("".join(cell for _, cell in each), style) for style, each in pairs]
        while spans and not spans[-1][1].back and "v" not in spans[-1][1].flags:
            text, style = spans.pop()
            if short := text.rstrip():
                spans.append((short, style))
                break
        return tuple(spans)

    def _single(self) -> list[str]:
        if self.cells is None:
            self.cells = [cell for text, _ in self.spans for cell in text]
            self.styles = [style for text, style in self.spans for _ in text]
        return self.cells


_style_of = itemgetter(0)


def screen(text: str, *, cut: bool = False) -> list[Line]:
    """The lines that a terminal would show, without empty ones at the end and blanks at their ends.

    Args:
        text: what was printed.
        cut: whether it begins somewhere inside of what was printed. What is left of its first line is dropped, where
            there is another.
    """
    rows: list[_Row | None] = [_Row()]
    row, column, style = 0, 0, PLAIN
    for token in _TOKEN.finditer(_from_a_beginning(text) if cut else text):
        kind = token.lastgroup
        if kind == "lines":
            row, column = row + len(token[0]), 0
            rows += [None] * (row + 1 - len(rows))
            continue
        if kind is None:
            continue
        if (line := rows[row]) is None:
            line = rows[row] = _Row()
        if kind == "text":
            line.write(column, token[0], style)
            column += len(token[0])
        elif kind == "move":
            if token[0] == "\t":
                blanks = 8 - column % 8
                line.write(column, " " * blanks, style)
                column += blanks
            else:
                column = 0 if token[0] == "\r" else max(0, column - len(token[0]))
        elif token["final"] == "m":
            style = _styled(style, token["parameters"])
        elif token["final"] == "A":
            row = max(0, row - _number(token["parameters"], 1))
        elif token["final"] == "K":
            ends = {0: (0, column), 1: (column + 1, line.length), 2: (0, 0)}
            line.keep(*ends.get(_number(token["parameters"], 0), (0, column)))
    lines = [() if each is None else each.line() for each in rows]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def told(line: Line) -> str:
    """What a line says, without its looks."""
    return "".join(text for text, _ in line)


def html(text: str, *, cut: bool = False, lines: int = LINES, columns: int = COLUMNS) -> str:
    """The text as HTML for the inside of a `<pre>`, at most so many lines and characters a line, which it says."""
    return drawn(screen(text, cut=cut), cut=cut, lines=lines, columns=columns)


def drawn(screen: Sequence[Line], *, cut: bool = False, lines: int = LINES, columns: int = COLUMNS) -> str:
    """The last lines of a screen as HTML."""
    shown = ["".join(paint(visible(part), style) for part, style in line) for line in _short(screen, lines, columns)]
    hidden = above(len(screen) - lines, cut=cut)
    return "\n".join(([f'<span class="jq-mut">{hidden}</span>'] if hidden else []) + shown)


def plain(text: str, *, cut: bool = False, lines: int = LINES, columns: int = COLUMNS) -> str:
    """The text without colours and cursor, at most so many lines and characters a line, which it says."""
    return simple(screen(text, cut=cut), cut=cut, lines=lines, columns=columns)


def simple(screen: Sequence[Line], *, cut: bool = False, lines: int = LINES, columns: int = COLUMNS) -> str:
    """The last lines of a screen as plain text."""
    hidden = above(len(screen) - lines, cut=cut)
    return "\n".join(([hidden] if hidden else []) + [visible(told(line)) for line in _short(screen, lines, columns)])


def _short(screen: Sequence[Line], lines: int, columns: int) -> Iterator[Line]:
    for line in screen[-lines:] if lines else ():
        more = sum(len(text) for text, _ in line) - columns
        yield (
            line if more <= 0 else (*_part(line, 0, columns), (f" … {more:,} more character{'s' * (more != 1)}", PLAIN))
        )


def above(hidden: int, *, cut: bool) -> str:
    """What stands above the lines that are drawn, where there are more."""
    if cut:
        return "… more above"
    return f"… {hidden:,} line{'s' * (hidden != 1)} above" if hidden > 0 else ""


def _from_a_beginning(text: str) -> str:
    for end in "\n", "\r":
        _, found, rest = text.partition(end)
        if found and rest:
            return rest
    return _REMNANT.sub("", text, count=1) if _REMNANT.match(text) else text


def _part(spans: Iterable[tuple[str, Style]], first: int, last: int) -> list[tuple[str, Style]]:
    """The spans between two columns."""
    found, at = [], 0
    for text, style in spans:
        end = at + len(text)
        if end > first and at < last:
            found.append((text[max(0, first - at) : last - at], style))
        at = end
    return found


def _number(parameters: str, default: int) -> int:
    return int(parameters[:6]) if parameters.isascii() and parameters.isdigit() else default


_FLAGS = {1: "b", 2: "d", 3: "i", 4: "u", 7: "v"}
_ENDS = {21: "u", 22: "bd", 23: "i", 24: "u", 27: "v"}


@lru_cache(1024)
def _styled(style: Style, parameters: str) -> Style:
    """The style after a CSI m."""
    front, back, flags = style
    parts = parameters.split(";")[:32]
    if ":" in parameters:
        codes = iter([code for part in parts for code in _codes(part)])
    else:
        codes = iter([_number(part, 0) for part in parts])
    for code in codes:
        if code == 0:
            front, back, flags = PLAIN
        elif code in _FLAGS:
            flags |= {_FLAGS[code]}
        elif code in _ENDS:
            flags -= set(_ENDS[code])
        elif 30 <= code <= 37 or 90 <= code <= 97:
            front = code - 30 if code < 90 else code - 82
        elif 40 <= code <= 47 or 100 <= code <= 107:
            back = code - 40 if code < 100 else code - 92
        elif code == 38:
            front = _extended(codes, front)
        elif code == 48:
            back = _extended(codes, back)
        elif code == 58:  # the colour of an underline
            _extended(codes, None)
        elif code == 39:
            front = None
        elif code == 49:
            back = None
    return Style(front, back, flags)


def _codes(part: str) -> list[int]:
    """The numbers between two semicolons; a colon may stand inside of a colour, `38:2::r:g:b`."""
    first, *rest = (_number(code, 0) for code in part.split(":"))
    if first not in {38, 48, 58}:
        return [first]
    return [first, rest[0], *rest[-3:]] if len(rest) == 5 else [first, *rest]


def _extended(codes: Iterator[int], otherwise: Colour) -> Colour:
    """One of 256 colours (`5;n`), or one of all (`2;r;g;b`)."""
    match next(codes, None):
        case 5:
            return cube(min(255, next(codes, 0)))
        case 2:
            red, green, blue = (min(255, next(codes, 0)) for _ in range(3))
            return f"#{red:02x}{green:02x}{blue:02x}"
    return otherwise
