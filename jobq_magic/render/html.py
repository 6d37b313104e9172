"""Snapshots, lists and errors as HTML. Pure; everything that comes from a run is escaped.

One card a run, as `<div class="jq">`: head, say, times, bar. Its colours are JupyterLab's variables, with defaults
where there are none (a page made by nbconvert), so that it follows the theme.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from jobq_magic.errors import JobqError
from jobq_magic.render import text
from jobq_magic.snapshot import Phase, Progress, Snapshot
from jobq_magic.words import ICONS, duration, say

__all__ = ["STYLE", "error", "final", "live", "table"]

STYLE = """<style>
.jq{--c:var(--jp-ui-font-color2,#656d76);color:var(--jp-ui-font-color1,#1f2328);background:var(--jp-layout-color1,#fff);
 border:1px solid var(--jp-border-color2,#d8dee4);border-radius:6px;overflow:hidden;
 font:13px/1.45 var(--jp-ui-font-family,sans-serif)}
.jq-running,.jq-collecting{--c:var(--jp-brand-color1,#0969da)}
.jq-queued,.jq-starting,.jq-paused{--c:var(--jp-warn-color1,#9a6700)}
.jq-succeeded{--c:var(--jp-success-color1,#1a7f37)}
.jq-failed,.jq-lost{--c:var(--jp-error-color1,#cf222e)}
.jq-head{display:flex;align-items:center;gap:10px;padding:8px 12px}
.jq-pill{font-weight:600;color:var(--c);white-space:nowrap}
.jq-name{font-weight:600}
.jq-mut{color:var(--jp-ui-font-color2,#656d76)}
.jq-grow{flex:1}
.jq-num{font-variant-numeric:tabular-nums}
.jq-say,.jq-bar,.jq-note{padding:0 12px 8px}
.jq-times{display:flex;gap:14px;flex-wrap:wrap;padding:0 12px 8px;font-size:11px}
.jq-bar{display:flex;align-items:center;gap:10px}
.jq-bar div{flex:1;height:6px;border-radius:3px;overflow:hidden;background:var(--jp-layout-color2,#f6f8fa)}
.jq-bar i{display:block;height:100%;background:var(--jp-brand-color1,#0969da)}
.jq a{color:var(--jp-content-link-color,#0969da);text-decoration:none}
.jq-list td,.jq-list th{text-align:left;padding:2px 12px}
</style>"""


def final(snapshot: Snapshot) -> str:
    """The card of a run that has ended, the same at every execution: no id, no times, no addresses."""
    return STYLE + _card(snapshot, _head(snapshot, snapshot.name, snapshot.mode) + _say(snapshot))


def live(snapshot: Snapshot, *, now: float) -> str:
    """The card of a run at one moment."""
    clock = duration(max(0, (snapshot.ended or now) - snapshot.created))
    links = "" if snapshot.final else "".join(_link(link.title, link.href) for link in snapshot.links)
    parts = [
        _head(snapshot, snapshot.run, text.place(snapshot), f'{links}<span class="jq-num jq-mut">{clock}</span>'),
        _say(snapshot),
        _times(snapshot),
        *(_bar(progress) for progress in snapshot.progress if not snapshot.final),
        *(f'<div class="jq-note jq-mut">{escape(note)}</div>' for note in snapshot.notes),
    ]
    return STYLE + _card(snapshot, "".join(parts))


def table(snapshots: Iterable[Snapshot], *, now: float) -> str:
    """The list of runs."""
    rows = [text.row(snapshot, now=now) for snapshot in snapshots]
    if not rows:
        return f'{STYLE}<div class="jq jq-mut">No runs</div>'
    head = "".join(f"<th>{escape(column)}</th>" for column in text.COLUMNS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'{STYLE}<table class="jq jq-list jq-num"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def error(problem: JobqError) -> str:
    """What went wrong, why, and what to do."""
    return problem.html()


def _card(snapshot: Snapshot, body: str) -> str:
    return f'<div class="jq jq-{snapshot.phase}" role="status">{body}</div>'


def _head(snapshot: Snapshot, name: str, where: str, right: str = "") -> str:
    word = snapshot.phase.capitalize()
    if snapshot.phase is Phase.SUCCEEDED and snapshot.result == "lost":
        word += ", result lost"
    return (
        f'<div class="jq-head"><span class="jq-pill">'
        f'<span aria-hidden="true">{ICONS[snapshot.phase]}</span> {word}</span>'
        f'<span class="jq-name">{escape(name)}</span><span class="jq-mut">{escape(where)}</span>'
        f'<span class="jq-grow"></span>{right}</div>'
    )


def _say(snapshot: Snapshot) -> str:
    words = say(snapshot)
    if snapshot.phase is Phase.SUCCEEDED and not words.advice:
        return ""
    tip = f' <span class="jq-mut">{escape(words.advice)}</span>' if words.advice else ""
    return f'<div class="jq-say">{escape(words.sentence)}{tip}</div>'


def _times(snapshot: Snapshot) -> str:
    spans = "".join(f"<span>{what} <b>{how_long}</b></span>" for what, how_long in text.spent(snapshot))
    return f'<div class="jq-times jq-num jq-mut">{spans}</div>' if spans else ""


def _bar(progress: Progress) -> str:
    told = text.progress(progress)
    if not progress.total:
        return f'<div class="jq-bar jq-num"><span>{escape(told)}</span></div>'
    part = min(100.0, max(0.0, 100 * progress.done / progress.total))
    return f'<div class="jq-bar jq-num"><div><i style="width:{part:.1f}%"></i></div><span>{escape(told)}</span></div>'


def _link(title: str, href: str) -> str:
    """A link, where it leads to a page; what a record says may be anything."""
    if not href.startswith(("http://", "https://")):
        return ""
    return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">{escape(title)} ↗</a>'
