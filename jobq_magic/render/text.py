"""Snapshots, lists and errors as plain text. Pure: what is drawn is given, the time too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobq_magic import queuewords
from jobq_magic.errors import JobqError
from jobq_magic.render import console, content, queue, ray
from jobq_magic.render.bars import Bar
from jobq_magic.render.card import Card
from jobq_magic.render.safe import link, one_line
from jobq_magic.snapshot import Phase, Progress, Snapshot
from jobq_magic.words import ICONS, ago, duration, lasted, layers, say, size, some

__all__ = [
    "CLUSTER_COLUMNS",
    "COLUMNS",
    "brief",
    "card",
    "cluster_row",
    "clusters",
    "columns",
    "error",
    "final",
    "line",
    "live",
    "one_line",
    "place",
    "progress",
    "pruned",
    "row",
    "spent",
    "status",
    "table",
]

COLUMNS = ("run", "phase", "where", "created", "ran")
"""Heads of the list of runs; see `row`."""
CLUSTER_COLUMNS = ("id", "state", "shape", "used by", "ends in", "dashboard")
"""Heads of the list of Ray clusters; see `cluster_row`."""

_BAR = 24
_TAIL = 12
"""Lines of the log at the end of a card."""
_TRACEBACK = 60


def final(snapshot: Snapshot) -> str:
    """One line about the end that is the same at every execution: no id, no times, no addresses."""
    line = f"{snapshot.name} [{snapshot.mode}] {snapshot.phase}"
    if snapshot.phase is not Phase.SUCCEEDED or snapshot.reason:
        line += f": {say(snapshot).sentence}"
    else:
        line = f"{snapshot.name} [{snapshot.mode}] {content.word(snapshot)}"
    return one_line(line)


def card(card: Card) -> str:
    """All of a run that is worth reading in a terminal: `live`, and what its HTML says besides. No colours."""
    snapshot, told = card.snapshot, content.read(card)
    head = [
        f"{ICONS[snapshot.phase]} {content.word(snapshot)}",
        snapshot.run,
        content.place(card),
        _elapsed(snapshot, card.now),
    ]
    lines = [one_line("  ".join(head))]
    lines += [f"  {where}"] if (where := queue.place(snapshot)) else []
    first, broke, advice = content.sentence(card)
    first = f"{first} ({broke})." if broke else first
    if said := " ".join(content.closed(part) for part in (first, advice) if part):
        lines.append(f"  {said}")
    lines += [f"  {one}" for one in (queue.said(snapshot), *queue.lines(snapshot), *ray.lines(snapshot)) if one]
    if times := " · ".join(map(_caption, content.captions(card, told))):
        lines.append(f"  {times}")
    lines += [f"  {_drawn(bar)}" for bar in told.bars]
    lines += [f"  and {told.hidden} more bars"] if told.hidden else []
    if not snapshot.final:
        lines += _workers(card)
        lines += [f"  {one_line(each.title)}: {address}" for each in snapshot.links if (address := link(each.href))]
    if snapshot.final and card.came:
        changed = {"bound": "", "changed": "changed in place, "}
        back = [f"{one_line(one.name)} ({changed[one.how]}{size(one.size)})" for one in card.came]
        lines.append(f"  came back: {', '.join(some(back))}")
    lines += [f"  {note}" for note in some(content.notes(card))]
    if card.awaited and not snapshot.final:
        lines.append(f"  {', '.join(map(one_line, some(card.awaited)))} {content.will_come(card)}")
    if snapshot.phase is Phase.FAILED and card.traceback:
        lines += ["", console.plain(card.traceback, lines=_TRACEBACK)]
    if told.log:
        lines += ["", console.simple(told.log, cut=card.cut, lines=_TAIL)]
    return "\n".join(lines)


def line(sentence: str, advice: str = "") -> str:
    """One sentence, with what to do about it after it."""
    return " ".join(one_line(part) for part in (sentence, advice) if part)


def status(snapshot: Snapshot, *, now: float) -> str:
    """One line: icon, phase, run, place, time."""
    parts = [f"{ICONS[snapshot.phase]} {_phase(snapshot)}", snapshot.run, place(snapshot), _elapsed(snapshot, now)]
    return one_line("  ".join(parts))


def brief(snapshot: Snapshot, *, now: float) -> str:
    """The status line, and below it the sentence of a reason, where there is one."""
    words = say(snapshot) if snapshot.reason else None
    told = [f"  {one_line(content.closed(words.sentence))}"] if words else []
    return "\n".join([status(snapshot, now=now), *told])


def live(snapshot: Snapshot, *, now: float, beside: Sequence[str] | None = None) -> str:
    """The status line, and below it the sentence with its advice, progress, links, and the times at the end.

    Args:
        snapshot: where it stands.
        now: the time.
        beside: what there is to say besides, where that is more than the notes of the snapshot; see `content.beside`.
    """
    words = say(snapshot)
    lines = [status(snapshot, now=now)]
    lines += [f"  {where}"] if (where := queue.place(snapshot)) else []
    sentence = words.sentence if snapshot.phase is not Phase.SUCCEEDED or snapshot.reason else ""
    if told := " ".join(content.closed(part) for part in (sentence, words.advice) if part):
        lines.append(f"  {one_line(told)}")
    lines += [f"  {one}" for one in (queue.said(snapshot), *queue.lines(snapshot), *ray.lines(snapshot)) if one]
    if not snapshot.final:
        lines += [f"  {_bar(state)}" for state in snapshot.progress]
    elif times := spent(snapshot):
        lines.append("  " + " · ".join(f"{what} {how_long}" for what, how_long in times))
    if snapshot.image is not None and (came := layers(snapshot.image.layers)):
        lines.append(f"  image: {one_line(came)}")
    lines += [f"  {one_line(link.title)}: {one_line(link.href)}" for link in snapshot.links if not snapshot.final]
    notes = snapshot.notes if beside is None else beside
    lines += [f"  {one_line(note)}" for note in (*queue.notes(snapshot), *notes)]
    return "\n".join(lines)


def place(snapshot: Snapshot) -> str:
    """Where it runs, and on how many workers: `Ray on this machine · 4 workers`."""
    if snapshot.workers is None:
        return snapshot.where
    return f"{snapshot.where} · {snapshot.workers} worker{'s' * (snapshot.workers != 1)}"


def spent(snapshot: Snapshot) -> list[tuple[str, str]]:
    """What took how long, phase by phase: `("captured", "12 ms")`."""
    spans = zip(snapshot.times, snapshot.times[1:], strict=False)
    return [(lasted(before.phase, after.phase), duration(max(0, after.at - before.at))) for before, after in spans]


def row(snapshot: Snapshot, *, now: float) -> tuple[str, ...]:
    """What the list says about a run, under `COLUMNS`."""
    ran = snapshot.ran(now)
    return (
        snapshot.run,
        f"{ICONS[snapshot.phase]} {_phase(snapshot)}",
        place(snapshot),
        ago(max(0, now - snapshot.created)),
        "" if ran is None else duration(ran),
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
    part = content.there(snapshot) if snapshot.phase is Phase.BUILDING else None
    word = content.word(snapshot) + (f" {part:.0f} %" if part is not None else "")
    if snapshot.phase is Phase.QUEUED and (position := queuewords.short(snapshot.place)):
        word += f", {position}"
    again = queuewords.again(snapshot)
    return word + (f" ({again})" if again else "")


def _elapsed(snapshot: Snapshot, now: float) -> str:
    return duration(max(0, (snapshot.ended or now) - snapshot.created))


def progress(state: Progress) -> str:
    """How far, in words: `fit 6,412 / 10,000`, `numpy 34 MB / 112 MB`."""
    return one_line(f"{state.label} {content.counted(state)}".strip())


def _bar(state: Progress) -> str:
    if not state.total:
        return progress(state)
    full = round(min(1.0, max(0.0, state.done / state.total)) * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {progress(state)}"


def _caption(told: tuple[str, str, str]) -> str:
    return " ".join(filter(None, told)).replace(" , ", ", ")


def _drawn(bar: Bar) -> str:
    part = content.percent(bar)
    full = 0 if part is None else round(part / 100 * _BAR)
    track = "" if part is None else f"{'█' * full}{'░' * (_BAR - full)}"
    left = f"{bar.left} left" if bar.left and not bar.closed else ""
    return "  ".join(filter(None, (track, one_line(f"{bar.label} {bar.count}".strip()), bar.rate, left)))


def _workers(card: Card) -> list[str]:
    workers = card.snapshot.usage
    told = [f"{one_line(each.label)} {content.load(each.cpu)} {size(each.memory)}".strip() for each in workers]
    return [f"  {' · '.join(some(told))}"] if told else []
