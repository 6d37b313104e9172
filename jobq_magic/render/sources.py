"""Whose lines a log has, where several workers print: those of one are singled out by a chip, without a kernel.

A line is a worker's by its label, as `runs.prefix` writes it; what has none is the driver's. Each line carries whose it
is as a class, and the style sheet beside the chips hides the others. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from jobq_magic.render import console
from jobq_magic.render.console import Line
from jobq_magic.render.safe import html as safe

__all__ = ["chips", "drawn", "room", "row", "several", "sheet"]

_DRIVER = "driver"
"""Who is called so by `runs.prefix`."""
_MOST = 16
"""Chips of workers at most; the lines of others are seen among all."""
_ROOM = 64
"""Workers, the first by rank, for whom a row has room at once, be they there or not."""
_LABEL = re.compile(r"\[(\d{1,9})\]")
_LOOKS = """\
.jq-by{display:flex;flex-wrap:wrap;gap:4px 6px;padding:4px 12px;font-size:11px;border-top:1px solid var(--jq-line);
align-items:center}
.jq-by label{position:relative;border:1px solid var(--jq-line);border-radius:4px;padding:0 7px;cursor:pointer}
.jq-by label:has(.jq-one){display:none}
.jq-by label:has(:checked){border-color:var(--jq-blue)}
.jq-by label:has(:focus-visible){outline:2px solid var(--jq-blue);outline-offset:1px}
.jq-by input{position:absolute;inset:0;opacity:0;margin:0;cursor:pointer}
.jq:not(:has(.jq-by .jq-one:checked)) .jq-old{display:none}.jq:has(.jq-by .jq-one:checked) .jq-any{display:none}
"""


def several(known: Sequence[str]) -> tuple[str, ...]:
    """Of whom there is a chip, in order, where there is more than one: "" is the driver, the others are workers.

    Args:
        known: who has printed something.
    """
    # Those who came first: whoever comes later takes no chip away.
    numbers = sorted([name for name in known if name.isascii() and name.isdigit()][:_MOST], key=int)
    named = (*[""] * (_DRIVER in known), *numbers)
    return named if len(named) > 1 else ()


def chips(run: str, names: Sequence[str]) -> str:
    """What singles out the lines of one, in their order; nothing where there is only one."""
    return sheet(names) + row(run, names)


def room(names: Sequence[str]) -> tuple[str, ...]:
    """These, in order, and whoever may come: a row that has room for them stays as it is, and so does what is chosen.

    Of the ranks beyond that a row has only those that have a chip: as many as there may be would be megabytes.
    """
    beyond = [name for name in names if name and int(name) >= _ROOM]
    return ("", *map(str, range(_ROOM)), *beyond) if names else ()


def row(run: str, names: Sequence[str]) -> str:
    """Chips of each of them; with the style sheet of some of them, those of these are in sight."""
    if not names:
        return ""
    group = f"jq-by-{safe(run)}"
    drawn = [_chip(group, "all", "", checked=True)]
    drawn += [_chip(group, name or _DRIVER, f"jq-one jq-b{_key(name)}") for name in names]
    return f'<div class="jq-by" role="radiogroup" aria-label="Whose lines">{"".join(drawn)}</div>'


def sheet(names: Sequence[str]) -> str:
    """The style sheet by which a chip of one of them is in sight, and hides the lines of the others."""
    if not names:
        return ""
    each = "".join(
        f".jq-by label:has(.jq-b{key}){{display:block}}"
        f".jq:has(.jq-b{key}:checked) .jq-l:not(.jq-l{key}){{display:none}}"
        f".jq:has(.jq-b{key}:checked) .jq-l.jq-l{key}{{display:inline}}"
        for key in map(_key, names)
    )
    return f"<style>{_LOOKS}{each}</style>"


def drawn(
    log: Sequence[Line],
    names: Sequence[str],
    *,
    cut: bool = False,
    lines: int = console.LINES,
    columns: int = console.COLUMNS,
) -> str:
    """The last lines as HTML, and of each of these workers as many, which are in sight once it is singled out."""
    if not names:
        return console.drawn(log, cut=cut, lines=lines, columns=columns)
    whose = [_whose(line) for line in log]
    kept = set(range(max(0, len(log) - lines), len(log)))
    for name in names:
        kept.update(islice((at for at in range(len(log) - 1, -1, -1) if whose[at] == name), lines))
    above = console.above(len(log) - lines, cut=cut)
    parts = [f'<span class="jq-mut jq-any">{above}\n</span>'] if above else []
    for at in sorted(kept):
        classes = ["jq-l", *([f"jq-l{_key(whose[at])}"] if whose[at] in names else [])]
        classes += ["jq-old"] * (at < len(log) - lines)
        line = console.drawn([log[at]], columns=columns)
        parts.append(f'<span class="{" ".join(classes)}">{line}\n</span>')
    return "".join(parts)


def _chip(group: str, told: str, classes: str, *, checked: bool = False) -> str:
    own = f' class="{classes}"' if classes else ""
    return f'<label><input type="radio" name="{group}"{own}{" checked" * checked}>{safe(told)}</label>'


def _key(name: str) -> str:
    return name or "d"


def _whose(line: Line) -> str:
    if not line or line[0][1].front is None:
        return ""
    found = _LABEL.fullmatch(line[0][0])
    return found[1] if found else ""
