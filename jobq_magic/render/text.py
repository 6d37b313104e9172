"""Snapshots, lists and errors as plain text. Pure: what is drawn is given, the time too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobq_magic.bundle import Bundle
from jobq_magic.errors import JobqError
from jobq_magic.snapshot import Phase, Progress, Snapshot
from jobq_magic.words import ICONS, SPENT, ago, duration, say, size

__all__ = [
    "CLUSTER_COLUMNS",
    "COLUMNS",
    "cluster_row",
    "clusters",
    "columns",
    "error",
    "final",
    "live",
    "one_line",
    "place",
    "progress",
    "pruned",
    "row",
    "spent",
    "status",
    "table",
    "travellers",
]

COLUMNS = ("run", "phase", "where", "created", "took")
"""Heads of the list of runs; see `row`."""
CLUSTER_COLUMNS = ("id", "state", "shape", "used by", "ends in", "dashboard")
"""Heads of the list of Ray clusters; see `cluster_row`."""

_BAR = 24
# What a name, an error's text or a label may hold besides text would move a terminal's cursor.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def final(snapshot: Snapshot) -> str:
    """One line about the end that is the same at every execution: no id, no times, no addresses."""
    line = f"{snapshot.name} [{snapshot.mode}] {snapshot.phase}"
    if snapshot.phase is not Phase.SUCCEEDED:
        line += f": {say(snapshot).sentence}"
    elif snapshot.result == "lost":
        line += ", result lost"
    return one_line(line)


def status(snapshot: Snapshot, *, now: float) -> str:
    """One line: icon, phase, run, place, time."""
    parts = [f"{ICONS[snapshot.phase]} {_phase(snapshot)}", snapshot.run, place(snapshot), _elapsed(snapshot, now)]
    return one_line("  ".join(parts))


def live(snapshot: Snapshot, *, now: float) -> str:
    """The status line, and below it the sentence with its advice, progress, links, and the times at the end."""
    words = say(snapshot)
    lines = [status(snapshot, now=now)]
    sentence = words.sentence if snapshot.phase is not Phase.SUCCEEDED else ""
    if told := " ".join(_closed(part) for part in (sentence, words.advice) if part):
        lines.append(f"  {one_line(told)}")
    if not snapshot.final:
        lines += [f"  {_bar(state)}" for state in snapshot.progress]
    elif times := spent(snapshot):
        lines.append("  " + " · ".join(f"{what} {how_long}" for what, how_long in times))
    lines += [f"  {one_line(link.title)}: {one_line(link.href)}" for link in snapshot.links if not snapshot.final]
    lines += [f"  {one_line(note)}" for note in snapshot.notes]
    return "\n".join(lines)


def place(snapshot: Snapshot) -> str:
    """Where it runs, and on how many workers: `Ray on this machine · 4 workers`."""
    if snapshot.workers is None:
        return snapshot.where
    return f"{snapshot.where} · {snapshot.workers} worker{'s' * (snapshot.workers != 1)}"


def spent(snapshot: Snapshot) -> list[tuple[str, str]]:
    """What took how long, phase by phase: `("captured", "12 ms")`."""
    spans = zip(snapshot.times, snapshot.times[1:], strict=False)
    return [(SPENT[before.phase], duration(max(0, after.at - before.at))) for before, after in spans]


def row(snapshot: Snapshot, *, now: float) -> tuple[str, ...]:
    """What the list says about a run, under `COLUMNS`."""
    took = "" if snapshot.seconds is None else duration(snapshot.seconds)
    if not snapshot.final:
        took = _elapsed(snapshot, now)
    return (
        snapshot.run,
        f"{ICONS[snapshot.phase]} {_phase(snapshot)}",
        place(snapshot),
        ago(max(0, now - snapshot.created)),
        took,
    )


def table(snapshots: Iterable[Snapshot], *, now: float) -> str:
    """The list of runs, or the sentence that there are none."""
    rows = [row(snapshot, now=now) for snapshot in snapshots]
    return columns(COLUMNS, rows) if rows else "No runs"


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads, aligned."""
    cells = [tuple(heads), *(tuple(map(one_line, row)) for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(heads))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def travellers(bundle: Bundle) -> str:
    """What a cell takes along, why, from where, and how big it is."""
    rows = [
        (each.name, each.kind, "" if each.size is None else size(each.size), each.origin, each.why)
        for each in bundle.travellers
    ]
    total = sum(each.size or 0 for each in bundle.travellers)
    lines = [columns(("name", "kind", "size", "from", "needed by"), rows)] if rows else ["Nothing but the cell itself"]
    lines += [f"{len(rows)} thing{'s' * (len(rows) != 1)}, {size(total)}"] if rows else []
    return "\n".join([*lines, *bundle.notes])


def clusters(found: Sequence[Mapping[str, Any]], *, stopped: bool = False) -> str:
    """The Ray clusters on this machine, or with `stopped`, those that were asked to end."""
    if not stopped:
        return columns(CLUSTER_COLUMNS, [cluster_row(one) for one in found]) if found else "No Ray on this machine"
    told = [f"{one['id']} ({one['shape']}) {'ended' if one['ended'] else 'was asked to end'}" for one in found]
    return "\n".join(told) or "No Ray cluster to stop"


def cluster_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    """What is said about a Ray cluster, under `CLUSTER_COLUMNS`."""
    ends = "" if one["ends_in"] is None else duration(one["ends_in"])
    return one["id"], one["state"], one["shape"], ", ".join(one["users"]), ends, one["dashboard"] or ""


def pruned(count: int, freed: int, *, values_only: bool = False, dry_run: bool = False) -> str:
    """What a prune took away, or would take: `Removed 3 runs: 1.2 GB`."""
    verb = "Would remove" if dry_run else "Removed"
    return f"{verb} {'the values of ' * values_only}{count} run{'s' * (count != 1)}: {size(freed)}"


def error(problem: JobqError) -> str:
    """What went wrong, and below it why and what to do."""
    first, *rest = problem.lines()
    return "\n".join([first, *(f"  {line}" for line in rest)])


def _phase(snapshot: Snapshot) -> str:
    lost = snapshot.phase is Phase.SUCCEEDED and snapshot.result == "lost"
    again = f" (attempt {snapshot.attempt})" if snapshot.attempt > 1 else ""
    return f"{snapshot.phase}{', result lost' * lost}{again}"


def _elapsed(snapshot: Snapshot, now: float) -> str:
    return duration(max(0, (snapshot.ended or now) - snapshot.created))


def progress(state: Progress) -> str:
    """How far, in words: `fit 6,412 / 10,000`."""
    done = _number(state.done) + (f" / {_number(state.total)}" if state.total else "")
    return one_line(f"{state.label} {done}".strip())


def _bar(state: Progress) -> str:
    if not state.total:
        return progress(state)
    full = round(min(1.0, max(0.0, state.done / state.total)) * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {progress(state)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def _closed(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!", ")")) else f"{sentence}."


def one_line(text: str) -> str:
    """The same without what would move a terminal's cursor."""
    return _CONTROL.sub("", text.replace("\n", " ").replace("\t", " "))
