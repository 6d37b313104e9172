"""Tables: drawn by rich on a terminal, plainly aligned everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jobq_magic.render import text

__all__ = ["show"]


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

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(text.one_line(cell), style=_STYLES.get(cell[:1], "")) for cell in row))
    Console().print(table)


_STYLES = {"✓": "green", "✗": "red", "?": "red", "●": "blue", "◌": "yellow", "■": "dim"}
"""By the icon that a phase begins with; see `words.ICONS`."""
