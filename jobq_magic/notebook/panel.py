"""The panel: a run under its cell, kept up to date, and frozen into plain HTML at its end.

Core ipywidgets only, so that every front end that shows widgets shows it. What changes is in few `HTML` widgets, each
drawn when it looks different: what a person has selected, focused or scrolled to stays while only the clock goes on.
The bundle has the same as plain HTML and text, for front ends without widgets.

A front end forgets which outputs to update when its page is loaded anew (JupyterLab drops `update_display_data` then).
So the widgets of the newest panels live on after the end, and tell whoever still sees them how to draw the run to stay.
"""

from __future__ import annotations

import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from IPython.display import display

from jobq_magic.errors import JobqError
from jobq_magic.pauses import PAUSABLE
from jobq_magic.render import html, text
from jobq_magic.render.card import Card
from jobq_magic.runs.logend import LogEnd
from jobq_magic.snapshot import Phase

__all__ = ["Panel"]

_VIEW = "application/vnd.jupyter.widget-view+json"
_KEPT = 20
"""Ended panels whose widgets live on, should the page have been loaded anew: each takes about 40 kB of the kernel."""
_MESSAGE = 7800
"""Bytes that a message counts as, at least: so a panel sends about four a second, however few bytes they have."""
_BREATH = 10.0
"""Seconds between two words about progress, at least; a change of phase is told at once."""
_PAUSE = "Let this run give back what it holds; Resume starts it again"
_RESUME = "Start this run again, as a new attempt"
_STYLE = (
    html.STYLE
    + """<style>
.jq-panel .jq{border:0;border-radius:0}
.jq-panel .widget-html,.jq-panel .widget-html-content{margin:0;line-height:inherit}
.jq-panel .jq-sheet,.jq-panel .jq-voice{display:none}
.jq-panel:has(.jq-whole pre) .jq-out{display:none}
.jq-panel:not(:has(.jq-fold[open])) .jq-workers{display:none}
.jq-panel .jq-bare{padding:0 12px 8px}.jq-panel .jq-buttons .jq-bare{padding:0}
.jq-buttons{border-top:1px solid var(--jq-line);padding:5px 12px;gap:4px 8px;align-items:baseline;
flex-flow:row wrap}.jq-buttons>*{flex:none;max-width:100%}.jq-buttons>:first-child{flex:1 1 15em}
.jq-panel .jq-buttons details{border:0}.jq-panel .jq-buttons summary{padding:3px 0}
.jq-panel .jq-buttons .jupyter-button{width:auto;height:auto;margin:0;padding:1px 10px;
border:1px solid var(--jq-line);border-radius:4px;background:var(--jq-bg);color:var(--jq-fg);
font:12px/1.6 var(--jp-ui-font-family,system-ui,sans-serif)}
.jq-panel .jq-buttons .jq-btn,.jq-panel .jq-buttons a{font:12px/1.6 var(--jp-ui-font-family,system-ui,sans-serif)}
</style>"""
)


class Panel:
    """Draws one run in the cell that is running when it is made.

    Args:
        card: how it looks first.
        stop: asks for the run to be stopped; called on a press of Stop, in any thread.
        log: gives the end of the log, longer than the card has it; called on a press of Full log.
        pause: asks for the run to be paused, or to go on; None where it cannot be.
        store: where the run is kept: told to the front end, which may go on with it when this kernel is gone.
    """

    _ended: ClassVar[deque[Panel]] = deque()

    def __init__(
        self,
        card: Card,
        *,
        stop: Callable[[], None],
        log: Callable[[], LogEnd],
        pause: Callable[[bool], object] | None = None,
        store: str = "",
    ) -> None:
        self._lock = threading.Lock()  # a widget must not be set by two threads at once
        self._frozen = False
        self._spoke = card.snapshot.phase, time.monotonic()
        self._rest: Any = None
        self._known: tuple[Phase, tuple[str, ...]] | None = None
        self._make(card, stop, log, pause)
        bundle = {
            _VIEW: {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id},
            "text/html": html.card(replace(card, notes=(*card.notes, _still(card.snapshot.run)))),
            "text/plain": text.card(card),
        }
        mark = {"jobq": {"run": card.snapshot.run, "store": store, "host": platform.node()}}
        self._handle: Any = display(bundle, raw=True, display_id=True, metadata=mark)

    def show(self, card: Card) -> int:
        """Draws the card where it looks different; the bytes that this took."""
        live, taken = html.live(card), 0
        with self._lock:
            if self._frozen:
                return 0
            for part, value in zip(self._parts, (self._said(card), *live), strict=True):
                if part.value != value:
                    part.value = value
                    taken += max(_MESSAGE, len(value))
            self._log.tabbable = bool(live.log)
            self._turn(card)
        return taken

    def freeze(self, card: Card) -> None:
        """Puts plain HTML in its place, which a saved notebook shows without a kernel."""
        run = card.snapshot.run
        with self._lock:
            if not self._frozen:  # the end is told here, where it is known what came back
                self._voice.value = html.voice(card)
        if self._handle is not None:
            bundle, mark = {"text/html": html.card(card), "text/plain": text.card(card)}, {"jobq": {"run": run}}
            self._handle.update(bundle, raw=True, metadata=mark)
        advice = (
            f"The page was loaded anew while this ran. %jobq attach {run} draws it again, to stay with the notebook."
        )
        with self._lock:
            first, self._frozen = not self._frozen, True
            self._state.value = _bare(html.card(card)) + _bare(html.line("", advice))
            if first:
                kept = (self._style, self._state)
                gone = [one for one in (*self._box.children, *self._bar.children) if one not in kept]
                self._box.children = kept
                _close(gone, but=self._box.layout)
                self._ended.append(self)
        while len(self._ended) > _KEPT:
            self._ended.popleft().close()

    def close(self) -> None:
        """Lets its widgets go."""
        with self._lock:
            self._frozen = True
            _close([*self._box.children, self._box])

    def _said(self, card: Card) -> str:
        phase, at = self._spoke
        now = time.monotonic()
        if card.snapshot.final or (card.snapshot.phase is phase and now - at < _BREATH):
            return str(self._voice.value)
        self._spoke = card.snapshot.phase, now
        return html.voice(card)

    def _turn(self, card: Card) -> None:
        """What the button for pausing does next. It is there where the place can pause, and works where the run can."""
        snapshot = card.snapshot
        if self._rest is None or self._known == (snapshot.phase, snapshot.notes):
            return
        self._known = snapshot.phase, snapshot.notes  # a refusal is a note
        paused = snapshot.phase is Phase.PAUSED
        self._rest.description = "Resume" if paused else "Pause"
        self._rest.tooltip = _RESUME if paused else _PAUSE
        self._rest.disabled = not paused and snapshot.phase not in PAUSABLE

    def _make(
        self,
        card: Card,
        stop: Callable[[], None],
        log: Callable[[], LogEnd],
        pause: Callable[[bool], object] | None,
    ) -> None:
        import ipywidgets as widgets

        wide = widgets.Layout(width="auto", margin="0")

        def part(content: str) -> Any:
            return widgets.HTML(content, layout=wide)

        live = html.live(card)
        self._style, self._voice, self._state = part(_STYLE), part(html.voice(card)), part(live.state)
        whose, by = part(live.whose), part(live.by)
        self._log, awaited, links, self._whole = part(live.log), part(live.awaited), part(live.links), part("")
        image, queue, fold, workers = part(live.image), part(live.queue), part(live.fold), part(live.workers)
        self._parts = (self._voice, self._state, whose, by, self._log, awaited, links, image, queue, fold, workers)
        names = {self._style: "sheet", whose: "sheet", self._voice: "voice", self._log: "out", self._whole: "whole"}
        names[workers] = "workers"
        for widget, name in names.items():
            widget.add_class(f"jq-{name}")
        # The log scrolls, and who has no mouse must get there. The widget's own element has the focus: it stays.
        self._log.tabbable = bool(live.log)
        end = widgets.Button(description="Stop", tooltip="Stop this run and all its processes")
        full = widgets.Button(description="Full log", tooltip="Show more of what it printed")

        def on_stop(_: Any) -> None:
            try:
                stop()
            except JobqError as error:
                self._whole.value = _bare(html.error(error))
            else:
                end.description = "Stopping"  # not disabled: it would lose the focus, and a second press does no harm

        def on_full(_: Any) -> None:
            try:
                self._whole.value = "" if self._whole.value else _bare(html.log(log()))
            except JobqError as error:
                self._whole.value = _bare(html.error(error))
            full.description = "Less log" if self._whole.value else "Full log"

        self._rest = None if pause is None else widgets.Button()
        self._turn(card)

        def on_rest(_: Any) -> None:
            assert pause is not None
            wanted = self._rest.description in ("Pause", "Pausing")
            try:
                pause(wanted)
            except JobqError as error:
                self._whole.value = _bare(html.error(error))
            else:
                self._rest.description = "Pausing" if wanted else "Resuming"

        if self._rest is not None:
            self._rest.on_click(on_rest)
        end.on_click(on_stop)
        full.on_click(on_full)
        sent, copy = _bare(html.details(card.account)), _bare(html.copy_id(card.snapshot.run))
        self._bar = widgets.HBox([part(sent), links, *filter(None, (self._rest,)), end, full, part(copy)], layout=wide)
        self._bar.add_class("jq-buttons")
        above = [self._style, whose, self._voice, self._state, by, self._log, self._whole, awaited, queue]
        above += [fold, workers, image, self._bar]
        self._box = widgets.VBox(above, layout=wide)
        for name in ("jq", "jq-panel"):
            self._box.add_class(name)


def _still(run: str) -> str:
    """What a notebook that was saved too early, or a front end without widgets, has to say of its card."""
    return f"So it was when the cell was executed: %jobq status {run} tells how it went on"


def _bare(drawn: str) -> str:
    """Without the style, which a panel sends once."""
    return drawn.removeprefix(html.STYLE)


def _close(widgets: Iterable[Any], but: Any = None) -> None:
    """Lets widgets go, with the layout and the style that each has as models of their own."""
    for widget in widgets:
        for model in (widget, getattr(widget, "style", None), widget.layout):
            if model is None or model is but:
                continue
            with suppress(Exception):  # a front end that is gone takes its widgets with it
                model.close()
