"""Where a run stands in its queue, and how its workers go, as HTML: what `queue` does not say as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic import queuewords
from jobq_magic.render import account, content, gauges
from jobq_magic.render.queue import of_interest
from jobq_magic.render.safe import html as safe
from jobq_magic.render.style import icon
from jobq_magic.snapshot import Phase, PlaceTold, Snapshot, Usage, WorkerTold

__all__ = ["chips", "folded"]

CHIPS = 16
"""Workers that are shown one by one."""
_AHEAD = 50


def folded(told: PlaceTold | None) -> str:
    """The quota, and who stands ahead, to be unfolded; nothing where neither is known."""
    if told is None:
        return ""
    drawn = ""
    if told.quota:
        rows = queuewords.quota(told.quota)
        table = account.table(queuewords.QUOTA, rows, code={0}, right=range(1, 5))
        summary = "; ".join(f"{row[1]} {row[0]} asked" + (f", {row[2]} free" if row[2] else "") for row in rows[:2])
        of = f'<div class="jq-note jq-mut">of the cluster queue {safe(told.cluster_queue)}</div>'
        drawn += f"<details><summary>Quota: {safe(summary)}</summary>{of * bool(told.cluster_queue)}{table}</details>"
    if told.ahead:
        first = "".join(f"<li>{safe(one)}</li>" for one in told.ahead[:_AHEAD])
        more = f"<li>and {len(told.ahead) - _AHEAD} more</li>" if len(told.ahead) > _AHEAD else ""
        summary = f"What stands ahead: {len(told.ahead)}"
        drawn += f'<details><summary>{summary}</summary><ol class="jq-ahead">{first}{more}</ol></details>'
    return drawn


def chips(snapshot: Snapshot) -> str:
    """The workers: each, with what it uses, where they are few; else how many are how."""
    used = () if snapshot.final else snapshot.usage
    each = snapshot.each
    if len(each) < 2 or not of_interest(snapshot):
        return gauges.processes(used)
    if len(each) > CHIPS:
        crowd = queuewords.crowd(queuewords.crew(snapshot))
        return f'<div class="jq-note">{safe(crowd)}</div>' + gauges.processes(used)
    known = {one.label: one for one in used}
    names = ["driver" if snapshot.led and not one.rank else str(one.rank) for one in each]
    drawn = "".join(_chip(one, name, known.pop(name, None), used) for one, name in zip(each, names, strict=True))
    if len(used) > 1 and not known:
        drawn += gauges.together(used)
    listed = f'<div class="jq-ws" role="list" aria-label="Workers">{drawn}</div>'
    return listed + gauges.processes(tuple(known.values()))


def _chip(one: WorkerTold, name: str, used: Usage | None, beside: Sequence[Usage]) -> str:
    phase = Phase(one.phase) if one.phase in set(Phase) else Phase.QUEUED
    who = "Driver" if name == "driver" else f"Worker {name}"
    uses = f"{content.load(used.cpu)} CPU, {gauges.spoken(used)}" if used is not None else ""
    spoken = ", ".join(filter(None, (f"{who}: {queuewords.standing(one)}", one.node, one.name, uses)))
    node = f' <span class="jq-mut">{safe(one.node)}</span>' if one.node else ""
    return (
        f'<span class="jq-{phase}" role="listitem" title="{safe(spoken)}" aria-label="{safe(spoken)}">'
        f"{icon(phase)}<b>{safe(name)}</b>{node}{gauges.figures(used, beside) if used is not None else ''}</span>"
    )
