"""Tables: drawn by rich on a terminal, plainly aligned everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jobq_magic.render import text

__all__ = ["show", "widths"]


def show(heads: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
    """Prints rows under their heads, or the words for none."""
    if not rows:
        print(empty)
    elif sys.stdout.isatty():
        _show_rich(heads, rows)
    else:
        print(text.columns(heads, rows))


def _show_rich(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [[text.one_line(cell) for cell in row] for row in rows]
    console = Console()
    fitted = widths([heads, *rows], console.width - _BETWEEN * len(heads))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head, width in zip(heads, fitted, strict=True):
        table.add_column(head, width=width)
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell[:1], "")) for cell in row))
    console.width = max(console.width, sum(fitted) + _BETWEEN * len(heads))  # what is too wide the terminal wraps
    console.print(table)


def widths(lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide columns are to fit into so many characters; the first, and words, are broken in no case.

    Args:
        lines: their cells, heads among them.
        room: for all of them together.
    """
    columns = list(zip(*lines, strict=True))
    fitted = [max(map(len, cells)) for cells in columns]
    least = [max((len(word) for cell in cells for word in cell.split()), default=0) for cells in columns]
    least[0] = fitted[0]
    while sum(fitted) > room and fitted != least:
        widest = max(range(len(fitted)), key=lambda number: (fitted[number] > least[number], fitted[number]))
        fitted[widest] -= 1
    return fitted


_BETWEEN = 2
"""Characters from one column to the next."""
_STYLES = {"✓": "green", "✗": "red", "?": "red", "●": "blue", "◌": "yellow", "■": "dim"}
"""By the icon that a phase begins with; see `words.ICONS`."""
