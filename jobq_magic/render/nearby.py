"""Who else is in the queues of a place: a table of rows. Pure."""

from __future__ import annotations

from jobq_magic import queuewords
from jobq_magic.nearby import Neighbour, Neighbours
from jobq_magic.render import html, text
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line
from jobq_magic.snapshot import Phase
from jobq_magic.words import ICONS, ago

__all__ = ["COLUMNS", "drawn", "drawn_html", "none", "row"]

COLUMNS = ("name", "owner", "kind", "queue", "state", "position", "asks for", "created")
"""Heads of the table; see `row`."""


def row(one: Neighbour, *, now: float) -> tuple[str, ...]:
    """What the table says of one of them, under `COLUMNS`."""
    icon = f"{ICONS[Phase(one.phase)]} " if one.phase in set(Phase) else ""
    position = queuewords.ordinal(one.position) if one.position is not None else ""
    if position and one.waiting is not None:
        position += f" of {one.waiting}"
    asks = ", ".join(f"{queuewords.count(name, amount)} {name}" for name, amount in one.asks.items())
    if one.workers is not None and one.workers > 1:
        asks = f"{one.workers} workers" + (f": {asks}" if asks else "")
    created = "" if one.created is None else ago(max(0, now - one.created))
    return one.name, one.owner, one.kind, one.queue, f"{icon}{one.phase}", position, asks, created


def none(found: Neighbours) -> str:
    """The sentence that there are none."""
    return one_line(f"Nothing runs or waits in {found.where}")


def drawn(found: Neighbours, *, now: float) -> str:
    """All of it as text."""
    rows = [row(one, now=now) for one in found.rows]
    return "\n".join([text.columns(COLUMNS, rows) if rows else none(found), *map(one_line, found.unknown)])


def drawn_html(found: Neighbours, *, now: float) -> str:
    """The same as HTML."""
    table = html.columns(COLUMNS, [row(one, now=now) for one in found.rows], none=none(found))
    notes = "".join(f'<div class="jq-note jq-mut">{safe(one)}</div>' for one in found.unknown)
    return table + (f'<div class="jq jq-bare">{notes}</div>' if notes else "")
