"""Cards, lists and errors as HTML. Pure; everything that comes from a run is escaped, and acts on nothing.

`live` is what changes while a run goes on, in pieces, so that what stays as it is need not be drawn again; whoever
shows it adds the style and buttons. `card` is the whole, and for a run that has ended the form that is saved: it needs
no kernel, and says what can be typed instead of having buttons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple, Protocol

from jobq_magic.bundle import Account
from jobq_magic.errors import JobqError
from jobq_magic.render import account, console, content, gauges, image, queue, queuehtml, rayhtml, sources, text
from jobq_magic.render.card import Card
from jobq_magic.render.colours import rules
from jobq_magic.render.content import Content
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import link
from jobq_magic.render.sources import several
from jobq_magic.render.style import SHORT, STYLE, icon
from jobq_magic.snapshot import Phase, PlaceTold, Snapshot
from jobq_magic.words import clock, duration, size, some

__all__ = [
    "STYLE",
    "Live",
    "Printed",
    "card",
    "columns",
    "copy_id",
    "details",
    "error",
    "final",
    "line",
    "live",
    "log",
    "table",
    "typed",
    "voice",
]

TAIL = 12
"""Lines of the log that are in sight."""
_WIDE = 240
"""Characters of a line in sight: twelve lines must not fill a screen."""
_TRACEBACK = 60
# What is between backticks, a line of ours, or an option with its value: a word that no sentence has, or that ends one.
_TYPED = re.compile(
    r"`(?P<quoted>[^`]+)`|%jobq [a-z]+(?: [a-z0-9-]+)?"
    r"|--[a-z][a-z-]*(?: (?=[^\s,]*[A-Z0-9:=/])(?>[^\s,]*[^\s,.;)])(?=[,.;:)]*(?:\s|$))| [a-z][a-z-]*(?=[,.;)]|$))?"
)
# Style sheets are the one thing in the HTML of a widget that says when it is there, and needs nothing from elsewhere.
_SPEAK = (
    "let it=document.getElementById('jq-said');"
    "if(!it){it=document.createElement('div');it.id='jq-said';it.setAttribute('role','status');"
    "it.style.cssText='position:fixed;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)';"
    "document.body.append(it)}"
    "const {say}=this.dataset;setTimeout(()=>it.textContent===say||(it.textContent=say),100)"
)
_ID = re.compile(r"[a-z0-9-]{1,80}")


class Live(NamedTuple):
    """A run that goes on, in pieces; each may be empty."""

    state: str
    """Where it stands and how far it is. Nothing in it takes the focus: it is drawn four times a second."""
    whose: str
    """The style sheet of `by`. It changes only when another worker begins to print."""
    by: str
    """Singles out the lines of one worker. It stays as it is, and what is chosen in it."""
    log: str
    awaited: str
    links: str
    image: str
    """To be unfolded. It changes only when the image is there."""
    queue: str
    """To be unfolded: the quota, and who stands ahead. It changes only when they do."""
    fold: str
    """Unfolds `workers`. It stays as it is, and so unfolded."""
    workers: str
    """The workers and tasks of a Ray cluster of its own, for who has unfolded them."""


class Printed(Protocol):
    """The end of what a run printed."""

    @property
    def text(self) -> str:
        """As it came."""

    @property
    def cut(self) -> bool:
        """Whether there is more before it."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Who has printed something, where several may."""


def card(card: Card) -> str:
    """All of a run. Where it has ended: without anything that needs a kernel."""
    told = content.read(card)
    parts = [_live(card, told)]
    if len(told.log) > TAIL or card.cut or any(len(console.told(line)) > _WIDE for line in told.log):
        parts.append(_whole_log(card, told))
    unfolded = card.snapshot.reason == "built"  # then it is what was asked for
    parts += [
        queuehtml.folded(_waited_in(card.snapshot)),
        rayhtml.folded(card.snapshot),
        image.folded(card.snapshot.image, unfolded=unfolded),
        account.folded(card.account),
    ]
    if card.snapshot.final:
        parts.append(_foot(card.snapshot.run))
    return _styled(_box(card.snapshot, card.snapshot.run, "".join(parts)))


def live(card: Card) -> Live:
    """What changes while a run goes on, and at its end what it came to; without the style."""
    told, snapshot = content.read(card), card.snapshot
    head = _head(snapshot, snapshot.run, content.place(card), "", _took(card))
    unfolded = image.folded(snapshot.image), queuehtml.folded(_waited_in(snapshot))
    workers = rayhtml.body(snapshot)
    names = several(card.sources)
    by = sources.sheet(names), sources.row(snapshot.run, sources.room(names))
    pieces = *by, _tail(card, told), _awaited(card), _links(card), *unfolded, rayhtml.FOLD * bool(workers), workers
    drawn = [_box(snapshot, snapshot.run, head + _state(card, told))]
    drawn += [f'<div class="jq">{piece}</div>' * bool(piece) for piece in pieces]
    return Live(*(rules(piece) + piece for piece in drawn))


def voice(card: Card) -> str:
    """One sentence for who listens: it is spoken by the region for that, which a page has one of.

    What is to be spoken must change in an element that stays. None of a panel does: a widget's content is replaced as a
    whole, and at the end the panel is. So the first one that speaks adds such an element to the page.
    """
    return f'<style data-say="{safe(content.sr(card))}" onload="{escape(_SPEAK)}"></style>'


def final(snapshot: Snapshot) -> str:
    """The card of a run that has ended, the same at every execution: no id, no times, no addresses."""
    told = Card(snapshot, 0)
    head = _head(snapshot, snapshot.name, snapshot.mode)
    return SHORT + _box(snapshot, snapshot.name, head + _say(told))


def details(travelled: Account | None) -> str:
    """What travelled, to be unfolded; nothing where nothing did."""
    drawn = account.folded(travelled)
    return f'{STYLE}<div class="jq">{drawn}</div>' if drawn else ""


def log(printed: Printed) -> str:
    """More of what a run printed than its card has."""
    shown = console.screen(printed.text, cut=printed.cut)
    lines = (
        sources.drawn(shown, several(printed.sources), cut=printed.cut)
        or '<span class="jq-mut">Nothing printed yet</span>'
    )
    told = "Printed so far, to be read and copied: this does not move"
    box = f'<pre role="group" aria-label="Log" tabindex="0">{lines}</pre>'
    return _styled(f'<div class="jq"><div class="jq-foot">{told}</div>{box}</div>')


def copy_id(run: str) -> str:
    """A button that copies the id of a run."""
    return f'{STYLE}<div class="jq jq-bare">{_copy(run)}</div>'


def line(sentence: str, advice: str = "") -> str:
    """One sentence, with what to do about it beside it."""
    tip = f' <span class="jq-mut">{typed(advice)}</span>' if advice else ""
    return f'{STYLE}<div class="jq jq-bare">{safe(sentence)}{tip}</div>'


def table(snapshots: Iterable[Snapshot], *, now: float) -> str:
    """The list of runs."""
    return columns(text.COLUMNS, [text.row(snapshot, now=now) for snapshot in snapshots], none="No runs")


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]], *, none: str) -> str:
    """Rows under their heads, or the sentence that there are none."""
    if not rows:
        return line(none)
    head = "".join(f'<th scope="col">{safe(each)}</th>' for each in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    drawn = f'<table class="jq-list"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'{STYLE}<div class="jq"><div class="jq-fit">{drawn}</div></div>'


def error(problem: JobqError) -> str:
    """What went wrong, why, and what to do."""
    return problem.html()


def _cell(words: str) -> str:
    title = f' title="{safe(words)}"' if len(words) > 28 else ""  # its end may not be in sight
    return f"<td{title}>{safe(words)}</td>"


def _styled(drawn: str) -> str:
    return STYLE + rules(drawn) + drawn


def _box(snapshot: Snapshot, name: str, body: str) -> str:
    label = safe(f"Run {name}: {content.word(snapshot)}")
    return f'<div class="jq jq-{snapshot.phase}" role="group" aria-label="{label}">{body}</div>'


def _live(card: Card, told: Content) -> str:
    snapshot = card.snapshot
    head = _head(snapshot, snapshot.run, content.place(card), _links(card), _took(card))
    tail = _tail(card, told)
    scrolled = f'<div class="jq-out" tabindex="0">{tail}</div>' * bool(tail)
    by = sources.chips(snapshot.run, several(card.sources)) * bool(tail)
    return head + _state(card, told) + by + scrolled + _awaited(card)


def _state(card: Card, told: Content) -> str:
    snapshot = card.snapshot
    parts = [
        _say(card),
        "" if snapshot.final else gauges.time(told),
        _times(card, told),
        gauges.bars(told),
        queuehtml.chips(snapshot),
        rayhtml.summary(snapshot),
        *(f'<div class="jq-note jq-mut">{typed(note)}</div>' for note in some(content.notes(card))),
    ]
    if snapshot.phase is Phase.FAILED and card.traceback:
        lines = console.html(card.traceback, lines=_TRACEBACK, columns=_WIDE * 2)
        parts.append(f'<pre role="group" aria-label="Traceback" tabindex="0">{lines}</pre>')
    return "".join(parts)


def _tail(card: Card, told: Content) -> str:
    """The end of the log. It scrolls inside of something that is longer at its beginning: the last line is in sight."""
    if not told.log:
        return ""
    lines = sources.drawn(told.log, several(card.sources), cut=card.cut, lines=TAIL, columns=_WIDE)
    return f'<pre class="jq-tail" role="group" aria-label="End of the log">{lines}</pre>'


def _awaited(card: Card) -> str:
    if not card.awaited or card.snapshot.final:
        return ""
    names = ", ".join(some([f"<code>{safe(name)}</code>" for name in card.awaited]))
    return f'<div class="jq-foot"><span>{names} {content.will_come(card)}</span></div>'


def _links(card: Card) -> str:
    return "" if card.snapshot.final else " ".join(_link(each.title, each.href) for each in card.snapshot.links)


def _head(snapshot: Snapshot, name: str, where: str, links: str = "", time: str = "") -> str:
    word = content.word(snapshot).capitalize()
    return (
        f'<div class="jq-head"><div class="jq-who"><span class="jq-pill">{icon(snapshot.phase)}{word}</span> '
        f'<b title="{safe(name)}">{safe(name)}</b> <span class="jq-mut" title="{safe(where)}">{safe(where)}</span>'
        f' {links}</div> <span class="jq-mut">{time}</span></div>'
    )


def _took(card: Card) -> str:
    took = max(0, (card.snapshot.ended or card.now) - card.snapshot.created)
    return duration(took) if card.snapshot.final else clock(took)


def _link(title: str, href: str) -> str:
    if not (address := link(href)):
        return ""
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{safe(title)} ↗</a>'


def _waited_in(snapshot: Snapshot) -> PlaceTold | None:
    return None if snapshot.final else snapshot.place


def _say(card: Card) -> str:
    where, cluster = queue.place(card.snapshot), queue.said(card.snapshot)
    drawn = f'<div class="jq-say"><b>{safe(where)}</b></div>' * bool(where) + _sentence(card)
    return drawn + f'<div class="jq-note jq-small jq-mut">{safe(cluster)}</div>' * bool(cluster)


def _sentence(card: Card) -> str:
    first, broke, advice = content.sentence(card)
    if not first:
        return ""
    beside = " ".join(content.closed(part) for part in (broke, advice) if part)
    if card.snapshot.final:
        first = f"<b>{safe(first)}</b>" + "<br>" * bool(beside)
    else:
        under = "<br>" if queue.place(card.snapshot) else " "
        first = f"{safe(content.closed(first))}{under}" if beside else safe(first)
    tip = f'<span class="jq-mut">{typed(beside)}</span>' if beside else ""
    return f'<div class="jq-say">{first}{tip}</div>'


def typed(advice: str) -> str:
    """Advice, with what can be typed set apart."""
    return _TYPED.sub(lambda found: f'<code class="jq-copy">{found["quoted"] or found[0]}</code>', safe(advice))


def _times(card: Card, told: Content) -> str:
    drawn = [
        f"<span>{' '.join(filter(None, (word, f'<b>{figure}</b>', safe(after)))).replace(' , ', ', ')}</span>"
        for word, figure, after in content.captions(card, told)
    ]
    if card.snapshot.final and card.came:
        each = [
            f"<b>{safe(one.name)}</b> ({'changed in place, ' * (one.how == 'changed')}{size(one.size)})"
            for one in card.came
        ]
        drawn.append(f"<span>came back: {', '.join(some(each))}</span>")
    return f'<div class="jq-times">{" ".join(drawn)}</div>' if drawn else ""


def _whole_log(card: Card, told: Content) -> str:
    lines = sources.drawn(told.log, several(card.sources), cut=card.cut)
    count = f"the last {len(told.log):,} lines" if card.cut else f"{len(told.log):,} line{'s' * (len(told.log) != 1)}"
    return (
        f'<details class="jq-full"><summary>Full log ({count})</summary>'
        f'<pre role="group" aria-label="Log" tabindex="0">{lines}</pre></details>'
    )


def _foot(run: str) -> str:
    shown = [f"%jobq rerun {run}", f"%jobq logs {run}", run]
    codes = " ".join(f'<code class="jq-copy" tabindex="0">{safe(each)}</code>' for each in shown)
    return f'<div class="jq-foot">{codes} <span class="jq-acts">{_AGAIN}{_copy(run)}</span></div>'


# JupyterLab and Notebook 7 execute the command of a button that is marked so (their "command linker"), here: the cell
# that was clicked into. Everywhere else the button is not seen.
_AGAIN = (
    '<button type="button" class="jq-btn jq-again" data-commandlinker-command="notebook:run-cell"'
    ' data-commandlinker-args="{}">Run again</button>'
)


def _copy(run: str) -> str:
    """A button that copies the id; none where what is called an id could be more than letters."""
    if not _ID.fullmatch(run):
        return ""
    # Where the page may not write to the clipboard, the id beside it can still be selected by one click.
    act = f"navigator.clipboard?.writeText('{run}').then(()=>this.textContent='Copied')"
    return f'<button type="button" class="jq-btn" onclick="{escape(act, quote=False)}">Copy id</button>'
