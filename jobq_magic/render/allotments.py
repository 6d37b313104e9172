"""What queues have, and who uses it: a table of rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic import queuewords
from jobq_magic.nearby import Allotment
from jobq_magic.render import html, text
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line

__all__ = ["COLUMNS", "drawn", "drawn_html", "notes", "rows"]

COLUMNS = ("queue", "resource", "flavor", "used", "mine", "quota", "free", "waiting")
"""Heads of the table; see `rows`."""
_NONE = "Nothing is known of what there is"


def rows(found: Sequence[Allotment]) -> list[tuple[str, ...]]:
    """What the table says of queues, under `COLUMNS`: a row for each resource in each flavor; "" is not known."""
    told = []
    for one in found:
        for number, share in enumerate(one.shares):
            counts = (share.used, share.mine, share.total, share.free)
            figures = [queuewords.count(share.resource, each) for each in counts]
            first = number == 0
            waiting = str(one.waiting) if first and one.waiting is not None else ""
            told.append((one.queue if first else "", share.resource, share.flavor, *figures, waiting))
    return told


def notes(found: Sequence[Allotment]) -> list[str]:
    """What is not known, and why; and which queues take no work."""
    told = {one.unknown: None for one in found if one.unknown}
    closed = [f"Queue {one.queue} takes no work now" for one in found if not one.open and one.cluster_queue]
    return [*map(one_line, told), *map(one_line, closed)]


def drawn(found: Sequence[Allotment]) -> str:
    """All of it as text."""
    table = rows(found)
    return "\n".join([text.columns(COLUMNS, table) if table else _NONE, *notes(found)])


def drawn_html(found: Sequence[Allotment]) -> str:
    """The same as HTML."""
    told = "".join(f'<div class="jq-note jq-mut">{safe(one)}</div>' for one in notes(found))
    return html.columns(COLUMNS, rows(found), none=_NONE) + (f'<div class="jq jq-bare">{told}</div>' if told else "")
