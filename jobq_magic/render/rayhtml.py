"""A run's own Ray cluster as HTML: its workers, its tasks, which ran when, and what they used. Pure.

However many workers and tasks there are, what is drawn has an end: a card is drawn anew every other second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jobq_magic.figures import number
from jobq_magic.raytold import RayTold, Span, Timeline
from jobq_magic.render import ray
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
_NAME = 9
"""Letters of a name beside a lane."""
_BINS = 120
_HIGH = 16
_APART = 60.0
"""Seconds by which what is drawn on one line of time may lie outside of it: clocks of pods differ."""
_LATE = 0.05
"""The part of it at its end that is worth being drawn as not known."""


class _Scale(NamedTuple):
    """The line of time, as seconds since the epoch."""

    begin: float
    end: float

    @property
    def long(self) -> float:
        return max(0.01, self.end - self.begin)

    def at(self, when: float) -> float:
        """Where that is on it, between 0 and 1."""
        return min(1.0, max(0.0, (when - self.begin) / self.long))


def summary(snapshot: Snapshot) -> str:
    """How the tasks go, in one line, while they do; nothing where there are none."""
    if snapshot.final or not (told := ray.counts(snapshot)):
        return ""
    return f'<div class="jq-note">{safe(told)}</div>'


def folded(snapshot: Snapshot) -> str:
    """All of it, to be unfolded; nothing where Ray said nothing."""
    if not (drawn := body(snapshot)):
        return ""
    told = ray.counts(snapshot) or "no tasks"
    return f"<details><summary>Workers and tasks: {safe(told)}</summary>{drawn}</details>"


def body(snapshot: Snapshot) -> str:
    """All of it."""
    told = snapshot.ray
    if told is None:
        return ""
    found = ray.workers(snapshot)
    scale = _scale(told)
    parts = [_workers(snapshot, found), _tasks(told)]
    if told.line is not None and told.line.spans:
        parts.append(_line(told.line, scale, {one.node.name: one for one in found if one.node is not None}))
    parts.append(_used(told, scale))
    if lived := ray.lived(snapshot):
        parts.append(f'<div class="jq-note jq-mut">{safe(lived)}; what it knew is here.</div>')
    return "".join(parts)


def _workers(snapshot: Snapshot, found: Sequence[ray.Worker]) -> str:
    if not found:
        return ""
    rows = ray.rows(found[:WORKERS], final=snapshot.final)
    kept = [at for at in range(len(ray.NODES)) if at == 0 or any(row[at] for row in rows)]
    heads, parts = [ray.NODES[at] for at in kept], [ray.shares(one) for one in found[:WORKERS]]
    cells = [
        [_figure(row[at], at) + _meter(part, ray.NODES[at]) for at in kept]
        for row, part in zip(rows, parts, strict=True)
    ]
    table = _table("Workers", heads, cells, left=1 + ("where" in heads))
    rest = len(found) - WORKERS
    return table + (f'<div class="jq-note jq-mut">and {number(rest)} more</div>' if rest > 0 else "")


def _figure(told: str, at: int) -> str:
    """`2.0 GB of 8.0 GB`, as one line or as two: of what, is the second."""
    if ray.NODES[at] in ("worker", "where"):
        return safe(told)
    return safe(told).replace(" ", "\N{NO-BREAK SPACE}").replace("\N{NO-BREAK SPACE}of", " of")


def _meter(shares: Mapping[str, float], name: str) -> str:
    """A bar below a figure that says the same."""
    if name not in shares:
        return ""
    return f'<span class="jq-meter" aria-hidden="true"><i style="width:{100 * shares[name]:.0f}%"></i></span>'


def _tasks(told: RayTold) -> str:
    if not told.tasks:
        return ""
    cells = [[f"<code>{safe(row[0])}</code>", *map(safe, row[1:])] for row in ray.tasks(told)]
    note = "" if told.whole else "More tasks than Ray lists: those that the cell itself began are counted."
    notes = [note, f"actors: {ray.actors(told)}" if told.actors else ""]
    drawn = "".join(f'<div class="jq-note jq-mut">{safe(one)}</div>' for one in notes if one)
    return _table("Tasks", ray.TASKS, cells, left=1) + drawn


def _table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    """Rows of HTML, each with a head of its own; figures, behind the first few, stand to the right."""
    side = ["" if at < left else ' class="jq-n"' for at in range(len(heads))]
    head = "".join(f'<th scope="col"{of}>{safe(name)}</th>' for of, name in zip(side, heads, strict=True))
    body = ""
    for first, *rest in rows:
        cells = "".join(f"<td{of}>{cell}</td>" for of, cell in zip(side[1:], rest, strict=True))
        body += f'<tr><th scope="row" class="jq-first">{first}</th>{cells}</tr>'
    table = f'<table aria-label="{label}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="jq-fit">{table}</div>'


def _scale(told: RayTold) -> _Scale:
    """One line of time for the tasks and for what was used, where their clocks are the same."""
    times = [point[0] for point in told.history]
    line = told.line
    if line is None or not line.spans:
        return _Scale(times[0], times[-1]) if times else _Scale(0, 0)
    ends = [span.begin if span.end is None else span.end for span in line.spans]
    begin, end = line.since, max(line.since + max(ends), line.until or 0)
    if times and times[0] - _APART <= begin and end <= times[-1] + _APART:
        return _Scale(min(begin, times[0]), max(end, times[-1]))
    return _Scale(begin, line.since + max(ends))


def _line(line: Timeline, scale: _Scale, nodes: Mapping[str, ray.Worker]) -> str:
    """How many tasks ran at once on each worker, one lane each, by their names."""
    often = Counter(span.name for span in line.spans)
    colour = {name: at for at, (name, _) in enumerate(often.most_common(_COLOURS))}
    busy = Counter(span.node for span in line.spans)
    ranks = {node: nodes[name].rank if (name := line.nodes[node]) in nodes else None for node in busy}
    lanes = sorted(busy, key=lambda node: (ranks[node] is None, ranks[node] or 0, node))
    known = scale.at(line.until or scale.end)
    late = known < 1 - _LATE
    drawn, each = "", []
    for node in lanes[:_LANES]:
        spans = [span for span in line.spans if span.node == node]
        name = line.nodes[node] if ranks[node] is None else str(ranks[node])
        figures = _several(len(spans), sum(span.failed for span in spans))
        each.append(f"{'worker ' * (ranks[node] is not None)}{name}: {figures}")
        curves = _lane(spans, line, scale, known, colour)
        grey = f'<path class="jq-cu" d="M{known * _BINS:.0f} 0H{_BINS}V{_HIGH}H{known * _BINS:.0f}z"/>' * late
        shown = name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"  # names of pods differ at their ends
        drawn += _row(shown, curves + grey, figures, title=line.nodes[node])
    if (rest := len(lanes) - _LANES) > 0:
        drawn += f'<div class="jq-mut">and {rest} more</div>'
    failed = sum(span.failed for span in line.spans)
    lot = f"{_plural(len(line.spans), 'task')} on {_plural(len(lanes), 'worker')}"
    spoken = f"{lot} within {duration(scale.long)}, {failed} failed"
    legend = [f'<span class="jq-c{at}"><i></i>{safe(line.names[name])}</span>' for name, at in colour.items()]
    legend += ['<span class="jq-c5"><i></i>others</span>'] * (len(often) > _COLOURS)
    legend += ['<span class="jq-cx"><i></i>failed</span>'] * bool(failed)
    legend += ['<span class="jq-cu"><i></i>not known</span>'] * late
    if line.total > len(line.spans):
        legend.append(f'<span class="jq-mut">{number(len(line.spans))} of {number(line.total)} tasks</span>')
    return (
        f'<div class="jq-lanes" role="img" aria-label="Time line: {spoken}; {safe("; ".join(each))}">{drawn}'
        f'<div class="jq-axis"><b></b><span>0 s</span><span>{duration(scale.long)}</span><em></em></div>'
        f'<div class="jq-legend"><b></b>{"".join(legend)}</div></div>'
    )


def _several(tasks: int, failed: int) -> str:
    return _plural(tasks, "task") + (f", {number(failed)} failed" if failed else "")


def _plural(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'s' * (count != 1)}"


def _row(name: str, drawn: str, figures: str, *, title: str = "") -> str:
    """Something over the time, between its name and its figures."""
    told = f' title="{safe(title)}"' if title else ""
    return (
        f'<div><b{told}>{safe(name)}</b><svg viewBox="0 0 {_BINS} {_HIGH}" height="{_HIGH}"'
        f' preserveAspectRatio="none" aria-hidden="true">{drawn}</svg><em>{safe(figures)}</em></div>'
    )


def _lane(spans: Sequence[Span], line: Timeline, scale: _Scale, known: float, colour: Mapping[int, int]) -> str:
    layers = [[0.0] * _BINS for _ in range(_COLOURS + 1)]
    failed = set()
    for span in spans:
        begin = _BINS * scale.at(line.since + span.begin)
        end = _BINS * (known if span.end is None else scale.at(line.since + span.end))
        first, last = min(_BINS - 1, int(begin)), min(_BINS - 1, int(end))
        layer = layers[colour.get(span.name, _COLOURS)]
        for at in range(first, last + 1):
            layer[at] += max(0.0, min(end, at + 1) - max(begin, at))
        if span.failed:
            failed.add(last)
    top = max(1.0, *(sum(column) for column in zip(*layers, strict=True)))
    base, drawn = [0.0] * _BINS, ""
    for number_, layer in enumerate(layers):
        if any(layer):
            upper = [low + more for low, more in zip(base, layer, strict=True)]
            drawn += f'<path class="jq-c{number_}" d="{_area(base, upper, top)}"/>'
            base = upper
    return drawn + "".join(f'<path class="jq-cx" d="M{at} 0h1v{_HIGH}h-1z"/>' for at in sorted(failed))


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


def _used(told: RayTold, scale: _Scale) -> str:
    """What was used over the time, of all nodes."""
    points = told.history
    if len(points) < 3 or points[-1][0] <= points[0][0]:
        return ""
    lasted = points[-1][0] - points[0][0]
    if scale.at(points[0][0]) >= scale.at(points[-1][0]):  # the tasks were told of by another clock
        scale = _Scale(points[0][0], points[-1][0])
    cores, held = max(point[1] for point in points), max(point[2] for point in points)
    curves = _row("CPU", _curve([(scale.at(at), cpu) for at, cpu, _, _ in points]), f"at most {cores:.1f} cores")
    curves += _row("memory", _curve([(scale.at(at), memory) for at, _, memory, _ in points]), f"at most {size(held)}")
    spoken = f"Over {duration(lasted)}: at most {cores:.1f} cores and {size(held)}"
    return f'<div class="jq-lanes jq-used" role="img" aria-label="{spoken}">{curves}</div>'


def _curve(points: Sequence[tuple[float, float]]) -> str:
    top = max(value for _, value in points) or 1
    drawn = " ".join(f"{at * _BINS:.1f},{_HIGH * (1 - value / top):.1f}" for at, value in points)
    first, last = points[0][0] * _BINS, points[-1][0] * _BINS
    return f'<path class="jq-c0" d="M{first:.1f} {_HIGH}L{drawn}L{last:.1f} {_HIGH}Z"/>'
