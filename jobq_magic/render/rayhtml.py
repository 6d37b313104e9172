"""A run's own Ray cluster as HTML: its workers, its tasks, which ran when, and what they used. Pure.

However many workers and tasks there are, what is drawn has an end: a card is drawn anew every other second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from jobq_magic.figures import number
from jobq_magic.raytold import RayTold, Timeline
from jobq_magic.render import account, ray
from jobq_magic.render.safe import html as safe
from jobq_magic.snapshot import Snapshot
from jobq_magic.words import duration, size

__all__ = ["FOLD", "body", "folded", "summary"]

FOLD = '<details class="jq-fold"><summary>Workers, tasks, time line</summary></details>'
"""Unfolds what is drawn elsewhere on the page: that changes all the time, and this stays as it is."""
WORKERS = 32
"""Workers in the table."""
_LANES = 12
"""Workers on the line of time."""
_COLOURS = 5
"""Names on it that have a colour of their own."""
_BINS = 120
_HIGH = 16


def summary(snapshot: Snapshot) -> str:
    """How the tasks go, in one line, while they do; nothing where there are none."""
    if snapshot.final or snapshot.ray is None or not (told := ray.counts(snapshot.ray)):
        return ""
    return f'<div class="jq-note">{safe(told)}</div>'


def folded(snapshot: Snapshot) -> str:
    """All of it, to be unfolded; nothing where Ray said nothing."""
    if not (drawn := body(snapshot)):
        return ""
    assert snapshot.ray is not None
    told = ray.counts(snapshot.ray, final=snapshot.final) or "no tasks"
    return f"<details><summary>Workers and tasks: {safe(told)}</summary>{drawn}</details>"


def body(snapshot: Snapshot) -> str:
    """All of it."""
    told = snapshot.ray
    if told is None:
        return ""
    found = ray.workers(snapshot)
    parts = [_table(snapshot, found), _tasks(told)]
    if told.line is not None and told.line.spans:
        parts.append(_line(told.line, {one.node.name: one.rank for one in found if one.node is not None}))
    parts.append(_used(told))
    if lived := ray.lived(snapshot):
        parts.append(f'<div class="jq-note jq-mut">{safe(lived)}; what it knew is here.</div>')
    return "".join(parts)


def _table(snapshot: Snapshot, found: Sequence[ray.Worker]) -> str:
    if not found:
        return ""
    rows = ray.rows(found[:WORKERS], final=snapshot.final)
    kept = [at for at in range(len(ray.NODES)) if at == 0 or any(row[at] for row in rows)]
    heads, shown = [ray.NODES[at] for at in kept], [[row[at] for at in kept] for row in rows]
    table = account.table(heads, shown, code=set(), right=[at for at, column in enumerate(kept) if column >= 2])
    rest = len(found) - WORKERS
    return table + (f'<div class="jq-note jq-mut">and {number(rest)} more</div>' if rest > 0 else "")


def _tasks(told: RayTold) -> str:
    if not told.tasks:
        return ""
    note = "" if told.whole else "More tasks than Ray lists: those that the cell itself began are counted."
    table = account.table(ray.TASKS, ray.tasks(told), code={0}, right=range(1, 5))
    actors = ", ".join(f"{number(many)} {state}" for state, many in told.actors.items())
    notes = [note, f"actors: {actors}" if actors else ""]
    return table + "".join(f'<div class="jq-note jq-mut">{safe(one)}</div>' for one in notes if one)


def _line(line: Timeline, ranks: dict[str, int | None]) -> str:
    """How many tasks ran at once on each worker, one lane each, by their names."""
    whole = max([0.01, *(span.begin if span.end is None else span.end for span in line.spans)])
    often = Counter(span.name for span in line.spans)
    colour = {name: at for at, (name, _) in enumerate(often.most_common(_COLOURS))}
    busy = Counter(span.node for span in line.spans)
    lanes = sorted(busy, key=lambda node: (ranks.get(line.nodes[node]) is None, ranks.get(line.nodes[node]) or 0, node))
    drawn = "".join(_lane(line, node, whole, colour, ranks) for node in lanes[:_LANES])
    if (rest := len(lanes) - _LANES) > 0:
        drawn += f'<div class="jq-mut">and {rest} more</div>'
    some = "" if line.total <= len(line.spans) else f"{number(len(line.spans))} of {number(line.total)} tasks; "
    failed = sum(span.failed for span in line.spans)
    spoken = f"{number(len(line.spans))} tasks on {len(lanes)} workers within {duration(whole)}, {failed} failed"
    legend = "".join(f'<span class="jq-c{at}"><i></i>{safe(line.names[name])}</span>' for name, at in colour.items())
    others = '<span class="jq-c5"><i></i>others</span>' * (len(often) > _COLOURS)
    bad = '<span class="jq-cx"><i></i>failed</span>' * bool(failed)
    return (
        f'<div class="jq-lanes" role="img" aria-label="Time line: {spoken}">{drawn}'
        f'<div class="jq-legend">{legend}{others}{bad}<span class="jq-mut">{some}{duration(whole)}</span></div></div>'
    )


def _lane(line: Timeline, node: int, whole: float, colour: dict[int, int], ranks: dict[str, int | None]) -> str:
    spans = [span for span in line.spans if span.node == node]
    layers = [[0.0] * _BINS for _ in range(_COLOURS + 1)]
    wide = whole / _BINS
    for span in spans:
        end = whole if span.end is None else span.end
        first, last = min(_BINS - 1, int(span.begin / wide)), min(_BINS - 1, int(end / wide))
        layer = layers[colour.get(span.name, _COLOURS)]
        for at in range(first, last + 1):
            layer[at] += max(0.0, min(end, (at + 1) * wide) - max(span.begin, at * wide)) / wide
    top = max(1.0, *(sum(column) for column in zip(*layers, strict=True)))
    base, drawn = [0.0] * _BINS, ""
    for number_, layer in enumerate(layers):
        if any(layer):
            upper = [low + more for low, more in zip(base, layer, strict=True)]
            drawn += f'<path class="jq-c{number_}" d="{_area(base, upper, top)}"/>'
            base = upper
    ends = sorted({int((span.end or whole) / wide) for span in spans if span.failed})
    drawn += "".join(f'<path class="jq-cx" d="M{min(at, _BINS - 1)} 0h1v{_HIGH}h-1z"/>' for at in ends)
    rank = ranks.get(line.nodes[node])
    name = line.nodes[node] if rank is None else str(rank)
    return (
        f'<div><b title="{safe(line.nodes[node])}">{safe(name)}</b><svg viewBox="0 0 {_BINS} {_HIGH}" height="{_HIGH}"'
        f' preserveAspectRatio="none" aria-hidden="true">{drawn}</svg></div>'
    )


def _area(low: Sequence[float], high: Sequence[float], top: float) -> str:
    """Steps from the left along the upper edge, and back along the lower one."""
    there = _steps(enumerate(high), top)
    back = _steps(reversed(list(enumerate(low))), top, back=True)
    return f"M0 {_HIGH}{there}V{_y(low[-1], top)}{back}Z"


def _steps(points: Iterable[tuple[int, float]], top: float, *, back: bool = False) -> str:
    drawn: list[str] = []
    last = ""
    for at, value in points:
        y = _y(value, top)
        if y == last and drawn:
            drawn.pop()
        else:
            drawn.append(f"V{y}")
        drawn.append(f"H{at if back else at + 1}")
        last = y
    return "".join(drawn)


def _y(value: float, top: float) -> str:
    return f"{_HIGH * (1 - value / top):.1f}".removesuffix(".0")


def _used(told: RayTold) -> str:
    """What was used over the time, of all nodes."""
    points = told.history
    if len(points) < 3 or points[-1][0] <= points[0][0]:
        return ""
    since, lasted = points[0][0], points[-1][0] - points[0][0]
    cores, held = max(point[1] for point in points), max(point[2] for point in points)
    curves = "".join(
        f"<div><b>{name}</b>{_curve([((at - since) / lasted, value) for at, value in of])}<span>{peak}</span></div>"
        for name, peak, of in (
            ("CPU", f"at most {cores:.1f} cores", [(at, cpu) for at, cpu, _, _ in points]),
            ("memory", f"at most {size(held)}", [(at, memory) for at, _, memory, _ in points]),
        )
    )
    spoken = f"Over {duration(lasted)}: at most {cores:.1f} cores and {size(held)}"
    return f'<div class="jq-lanes jq-used" role="img" aria-label="{spoken}">{curves}</div>'


def _curve(points: Sequence[tuple[float, float]]) -> str:
    top = max(value for _, value in points) or 1
    drawn = " ".join(f"{at * _BINS:.0f},{_HIGH * (1 - value / top):.0f}" for at, value in points)
    return (
        f'<svg viewBox="0 0 {_BINS} {_HIGH}" height="{_HIGH}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="jq-c0" d="M0 {_HIGH}L{drawn}L{_BINS} {_HIGH}Z"/></svg>'
    )
