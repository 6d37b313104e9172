"""Where a run stands in its queue, and how its workers go, as HTML: what `queue` does not say as text. Pure."""

from __future__ import annotations

from jobq_magic import queuewords
from jobq_magic.render import account
from jobq_magic.render.queue import of_interest
from jobq_magic.render.safe import html as safe
from jobq_magic.render.style import icon
from jobq_magic.snapshot import Phase, PlaceTold, Snapshot, WorkerTold

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
    """The workers: each, where they are few; else how many are how."""
    if len(snapshot.each) < 2 or not of_interest(snapshot):
        return ""
    if len(snapshot.each) > CHIPS:
        return f'<div class="jq-note">{safe(queuewords.crowd(queuewords.crew(snapshot)))}</div>'
    drawn = "".join(_chip(one, driver=snapshot.led and not one.rank) for one in snapshot.each)
    return f'<div class="jq-ws" role="list" aria-label="Workers">{drawn}</div>'


def _chip(one: WorkerTold, *, driver: bool) -> str:
    phase = Phase(one.phase) if one.phase in set(Phase) else Phase.QUEUED
    who = "Driver" if driver else f"Worker {one.rank}"
    spoken = ", ".join(filter(None, (f"{who}: {queuewords.standing(one)}", one.node, one.name)))
    node = f' <span class="jq-mut">{safe(one.node)}</span>' if one.node else ""
    return (
        f'<span class="jq-{phase}" role="listitem" title="{safe(spoken)}" aria-label="{safe(spoken)}">'
        f"{icon(phase)}<b>{'driver' if driver else one.rank}</b>{node}</span>"
    )
