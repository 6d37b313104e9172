"""Rows of a bench: measured in turns, printed as a table, written as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["Row", "alternate", "publish"]


@dataclass(frozen=True)
class Row:
    """One comparison. `ours` and `peer` are in `unit`; `ratio` is what the target speaks of."""

    what: str
    ours: float
    peer: float
    ratio: float
    target: str
    met: bool
    unit: str = "s"
    note: str = ""


def alternate(ours: Callable[[], float], peer: Callable[[], float], rounds: int = 10) -> tuple[float, float]:
    """Medians of both, measured in turns after one round that is thrown away."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def publish(name: str, rows: list[Row]) -> None:
    """Prints the table, and writes `build/bench/NAME.json`."""
    table = Table(title=f"bench-{name}", title_justify="left")
    for head in ("what", "ours", "peer", "ratio", "target", "met"):
        table.add_column(head, justify="left" if head in ("what", "target") else "right")
    for row in rows:
        table.add_row(
            row.what + (f"\n  {row.note}" if row.note else ""),
            f"{row.ours:.4g} {row.unit}",
            f"{row.peer:.4g} {row.unit}",
            f"{row.ratio:.2f}",
            row.target,
            "yes" if row.met else "NO",
        )
    Console(width=130).print(table)
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=1) + "\n")
