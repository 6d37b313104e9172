"""docs/options.md is what the options say of themselves."""

from __future__ import annotations

import os

from jobq_magic import plugins
from jobq_magic.options import Row, table
from jobq_magic.spec import declared
from tests.docs.conftest import ROOT

PATH = ROOT / "docs/options.md"
PARTS = {"gpus": ("TYPE:", "gpu_type"), "workers": ("MIN..MAX", "max_workers")}
"""What a value may hold that is a field of its own."""
MARK = "<!-- generated from here on -->\n"


def _generated() -> str:
    lines: list[str] = []
    group = ""
    for row in table():
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| option | | setting | modes |", "|---|---|---|---|"]
        lines.append(_line(row))
    return "\n".join([*lines[1:], ""])


def _line(row: Row) -> str:
    flags = ", ".join(f"`{flag}`" for flag in row.flags)
    value = f" `{row.metavar}`".replace("|", "\\|") if row.metavar else ""
    default = f" (default: `{row.default}`)" if row.default else ""
    setting = f"`{row.field}`" if row.setting else ""
    return f"| {flags}{value} | {row.help}{default} | {setting} | {_modes(row)} |"


def _modes(row: Row) -> str:
    """Those that do not refuse it."""
    if row.field == "mode" or declared()[row.field].notebook:
        return "all"
    part, field = PARTS.get(row.field, ("", ""))
    return _that_honour(row.field) + (f"; `{part}`: {_that_honour(field)}" if part else "")


def _that_honour(field: str) -> str:
    named = [mode for mode in plugins.OURS if field in plugins.backend(mode).honours]
    return "all" if named == [*plugins.OURS] else ", ".join(named) or "none yet"


def test_the_table_is_the_one_that_the_options_give():
    written, mark, rest = PATH.read_text(encoding="utf-8").partition(MARK)
    assert mark
    if os.environ.get("JOBQ_GOLDEN") == "write":
        PATH.write_text(written + MARK + "\n" + _generated(), encoding="utf-8")
        return
    assert rest == "\n" + _generated(), "JOBQ_GOLDEN=write renews it"
