"""Finding: lines in which something is found, from a line on in either direction, and how many there are in all.

Counting is bounded in time, and goes on with the next question: what is known of a closed block stays true.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobq_magic.runs.logview.looking import Part, Picked
from jobq_magic.runs.logview.matching import Matcher, Spans, unescaped, units
from jobq_magic.runs.logview.texts import Text

__all__ = ["Counted", "Found", "Hit", "find"]


class Hit(NamedTuple):
    """A line in which something is found."""

    n: int
    """Its number in the log."""
    at: int
    """Its place among the lines that were asked for."""
    spans: Spans
    """Where, in units of UTF-16, in its text without escapes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    hits: list[Hit]
    next: int | None
    """The place from which to go on; None: there is nothing more in this direction."""
    total: int | None
    """How many lines there are in which it is found; None: they were not counted to the end yet."""
    before: int | None
    """How many of these lie before the first of the hits, in the order of lines; None where not known."""
    looked: int
    """Among how many lines they were counted."""


class Counted:
    """How many lines of each closed block hold something, as far as they were counted: four bytes a block."""

    def __init__(self) -> None:
        self._blocks = array("i")

    def of(self, number: int) -> int | None:
        """How many of a block; None where they were not counted."""
        return self._blocks[number] if number < len(self._blocks) and self._blocks[number] >= 0 else None

    def keep(self, number: int, count: int) -> None:
        """Remembers how many."""
        while len(self._blocks) <= number:
            self._blocks.append(-1)
        self._blocks[number] = count


def find(
    picked: Picked, matcher: Matcher, counted: Counted, *, start: int, backwards: bool, limit: int, until: float
) -> Found:
    """Looks from a place on, this one too, and then counts the others, up to a time.

    Args:
        picked: the lines that are asked for.
        matcher: what finds it.
        counted: what is known of earlier questions.
        start: the place; counted from 1, or, where less than nothing, from the end; 0 is where it begins by itself.
        backwards: whether it looks from there to the beginning.
        limit: of hits.
        until: of `time.monotonic`; at least one block is looked at.
    """
    if start < 0:
        start += picked.total + 1
    elif backwards:
        start = min(start or picked.total, picked.total)
    if not backwards:
        start = max(1, start)
    search = _Search(picked, matcher, counted)
    hits, next_ = search.hits(start, backwards=backwards, limit=limit, until=until)
    search.count(until)
    lowest = min((hit.at for hit in hits), default=None)
    return Found(hits, next_, search.total(), None if lowest is None else search.before(lowest), search.looked())


class _Search:
    def __init__(self, picked: Picked, matcher: Matcher, counted: Counted) -> None:
        self._picked = picked
        self._matcher = matcher
        self._counted = counted
        self._rows: dict[int, list[int]] = {}
        """What was found in parts in this search; of those that are not closed, this is all that is known."""

    def hits(self, start: int, *, backwards: bool, limit: int, until: float) -> tuple[list[Hit], int | None]:
        picked, found = self._picked, list[Hit]()
        if not 1 <= start <= picked.total:
            return found, None
        first = picked.holds(start)
        for number in range(first, -1, -1) if backwards else range(first, picked.parts):
            if number < picked.closed and self._counted.of(number) == 0:
                continue
            if number != first and time.monotonic() >= until:
                place = picked.before(number + 1) if backwards else picked.before(number) + 1
                return found, place if 1 <= place <= picked.total else None
            part = picked.part(number)
            mine = [
                index for index in self._found(part)
                if (part.first + index <= start if backwards else part.first + index >= start)
            ]  # fmt: skip
            if backwards:
                mine.reverse()
            room = limit - len(found)
            found += self._told(part, mine[:room])
            if len(mine) > room:
                return found, part.first + mine[room]
        return found, None

    def count(self, until: float) -> None:
        """Counts what was not counted yet."""
        for number in range(self._picked.parts):
            if not self._known(number):
                self._found(self._picked.part(number))
                if time.monotonic() >= until:  # not before: whoever asks again gets on, be it ever so little
                    return

    def total(self) -> int | None:
        if not self._picked.complete or not all(map(self._known, range(self._picked.parts))):
            return None
        return sum(map(self._many, range(self._picked.parts)))

    def before(self, place: int) -> int | None:
        last = self._picked.holds(place)
        if not all(map(self._known, range(last))):
            return None
        part = self._picked.part(last)
        here = sum(part.first + index < place for index in self._found(part))
        return here + sum(map(self._many, range(last)))

    def looked(self) -> int:
        known = filter(self._known, range(self._picked.parts))
        return sum(self._picked.before(number + 1) - self._picked.before(number) for number in known)

    def _known(self, number: int) -> bool:
        return number in self._rows or (number < self._picked.closed and self._counted.of(number) is not None)

    def _many(self, number: int) -> int:
        return len(self._rows[number]) if number in self._rows else self._counted.of(number) or 0

    def _found(self, part: Part) -> list[int]:
        """Indices in the places of a part."""
        if part.number not in self._rows:
            rows = self._all(part)
            if not isinstance(part.places, range):
                wanted = {place: index for index, place in enumerate(part.places)}
                rows = [wanted[row] for row in rows if row in wanted]
            if part.number < self._picked.closed:
                self._counted.keep(part.number, len(rows))
                if len(self._rows) > _KEPT:
                    return rows
            self._rows[part.number] = rows
        return self._rows[part.number]

    def _all(self, part: Part) -> list[int]:
        # All at once: where streams take turns at every line, pieces are many.
        pieces = self._picked.texts.pieces(part.block.spans)
        return list(self._matcher.rows(Text(b"\n".join([piece.data for piece in pieces])))) if part.block.lines else []

    def _told(self, part: Part, found: Sequence[int]) -> Iterable[Hit]:
        if not found:
            return []
        at = {part.places[index]: part.first + index for index in found}
        lines = list(self._picked.texts.lines(part.block, sorted(at)))
        texts = [unescaped(line.text) for line in lines]
        spans = self._matcher.spans(texts)
        told = {
            at[place]: Hit(line.n, at[place], units(text, each))
            for place, line, text, each in zip(sorted(at), lines, texts, spans, strict=True)
        }
        return [told[part.first + index] for index in found]


_KEPT = 8
"""Parts whose rows are remembered in one search."""
