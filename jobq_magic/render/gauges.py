"""What is measured, drawn as HTML: the line of time, bars of progress, and what processes use."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from jobq_magic.render import content
from jobq_magic.render.bars import Bar
from jobq_magic.render.content import Content
from jobq_magic.render.safe import html as safe
from jobq_magic.snapshot import Usage
from jobq_magic.words import size

__all__ = ["bars", "figures", "processes", "spoken", "time", "together"]

_WORKERS = 24
_FEW = 8
"""Processes whose memory has room beside them; where there are more, it is in their tooltips."""
_POINTS = 12
_PLAIN = ' class="jq-plain"'
"""Of bars without labels."""


def time(told: Content) -> str:
    """The phases by their lengths, and what is left."""
    whole = sum(span.took for span in told.spans) + (told.left or 0)
    parts = [(span.took, ' class="jq-open"' if span.going and told.left is None else "") for span in told.spans]
    if told.left is not None:
        parts.append((told.left, ' class="jq-rest"'))
    # Parts that add up to less than one would not fill the line.
    drawn = "".join(
        f'<i{kind} style="flex:{max(1, round(999 * (took / whole)))}"></i>' for took, kind in parts if 0 < whole < inf
    )
    return f'<div class="jq-time" aria-hidden="true">{drawn}</div>' if drawn else ""


def bars(told: Content) -> str:
    """How far it is."""
    named = any(bar.label for bar in told.bars)
    drawn = "".join(_bar(bar, named=named) for bar in told.bars)
    if told.hidden:
        drawn += f'<div class="jq-bar jq-mut"><span>and {told.hidden} more</span></div>'
    return f'<div class="jq-bars"><div{"" if named else _PLAIN}>{drawn}</div></div>' if drawn else ""


def _bar(bar: Bar, *, named: bool) -> str:
    part = content.percent(bar)
    beside = " · ".join(filter(None, (bar.rate, f"{bar.left} left" if bar.left and not bar.closed else "")))
    label, count = safe(bar.label), safe(bar.count)
    first, last = f'<span title="{label}">{label}</span>' * named, f'<span class="jq-mut">{safe(beside)}</span>'
    if part is None:
        return f'<div class="jq-bar">{first}<span></span><span>{count}</span>{last}</div>'
    spoken = safe(", ".join(filter(None, (bar.count.replace(" / ", " of "), beside))))
    return (
        f'<div class="jq-bar" role="progressbar" aria-label="{label or "Progress"}" aria-valuemin="0"'
        f' aria-valuemax="100" aria-valuenow="{part:.0f}" aria-valuetext="{spoken}">'
        f'{first}<div><i style="width:{part:.1f}%"></i></div><span>{count}</span>{last}</div>'
    )


def processes(workers: Sequence[Usage]) -> str:
    """How busy each process is, and what it holds."""
    if not workers:
        return ""
    drawn = "".join(
        f'<span role="listitem" title="{_named(each)}{spoken(each)}">'
        f"{f'<b>{safe(each.label)}</b>' * bool(each.label)}{figures(each, workers)}</span>"
        for each in workers[:_WORKERS]
    )
    if len(workers) > 1:
        drawn += together(workers, len(workers) - _WORKERS)
    return f'<div class="jq-wk" role="list" aria-label="Processes">{drawn}</div>'


def figures(used: Usage, beside: Sequence[Usage]) -> str:
    """How busy one is, and what it holds; as high as the busiest of those beside it would fill the drawing."""
    top = max([1.0, *(point for each in beside for point in each.history)])
    held = f' <span class="jq-mut">{size(used.memory)}</span>' if len(beside) <= _FEW else ""
    return f"{_spark(used.history, top)} {content.load(used.cpu)}{held}"


def spoken(used: Usage) -> str:
    """What there is to say of one beside."""
    return f"{size(used.memory)}, at most {size(used.peak)}"


def together(workers: Sequence[Usage], more: int = 0) -> str:
    """What all of them hold, at the end of a row that leaves so many out."""
    total = size(sum(each.memory for each in workers))
    rest = f"and {more} more, " if more > 0 else ""
    return f'<span role="listitem" class="jq-all jq-mut">{rest}{total} in all</span>'


def _named(used: Usage) -> str:
    return f"{safe(used.label)}: " if used.label else ""


def _spark(history: Sequence[float], top: float) -> str:
    points = history[-_POINTS:]
    if len(points) < 2:
        return ""
    step = 34 / (_POINTS - 1)
    drawn = " ".join(f"{at * step:.0f},{11 - 10 * max(0, each) / top:.0f}" for at, each in enumerate(points))
    return f'<svg viewBox="0 0 34 12" width="34" height="12" aria-hidden="true"><polyline points="{drawn}"/></svg>'
