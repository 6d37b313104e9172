"""The panel: a run under its cell, kept up to date, and frozen into plain HTML at its end.

Core ipywidgets only, so that every front end that shows widgets shows it. One `HTML` widget holds all that changes: a
drawing is one message. The bundle has the same as plain HTML and text, for front ends without widgets.

A front end forgets which outputs to update when its page is loaded anew (JupyterLab drops `update_display_data` then).
So the widgets of the newest panels live on after the end, and tell whoever still sees them how to draw the run to stay.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, ClassVar

from IPython.display import display

from jobq_magic.render import html, text
from jobq_magic.render.card import Card
from jobq_magic.runs.logend import LogEnd

__all__ = ["Panel"]

_VIEW = "application/vnd.jupyter.widget-view+json"
_KEPT = 20
"""Ended panels whose widgets live on, should the page have been loaded anew: each takes about 40 kB of the kernel."""
_STYLE = (
    html.STYLE
    + """<style>
.jq-panel .jq{border:0;border-radius:0}
.jq-panel .widget-html,.jq-panel .widget-html-content{margin:0;line-height:inherit}
.jq-panel .jq-sheet{display:none}
.jq-buttons{border-top:1px solid var(--jq-line);padding:5px 12px;gap:8px;align-items:flex-start}
.jq-buttons>:first-child{flex:1;min-width:0}.jq-buttons details{border:0}.jq-buttons summary{padding:3px 0}
.jq-buttons .jupyter-button{width:auto;height:auto;margin:0;padding:1px 10px;
border:1px solid var(--jq-line);border-radius:4px;background:var(--jq-bg);color:var(--jq-fg);
font:12px/1.6 var(--jp-ui-font-family,system-ui,sans-serif)}
.jq-buttons .jq-btn{font:12px/1.6 var(--jp-ui-font-family,system-ui,sans-serif)}
</style>"""
)


class Panel:
    """Draws one run in the cell that is running when it is made.

    Args:
        card: how it looks first.
        stop: asks for the run to be stopped; called on a press of Stop, in any thread.
        log: gives the end of the log, longer than the card has it; called on a press of Full log.
    """

    _ended: ClassVar[deque[Panel]] = deque()

    def __init__(self, card: Card, *, stop: Callable[[], None], log: Callable[[], LogEnd]) -> None:
        self._lock = threading.Lock()  # a widget must not be set by two threads at once
        self._drawn, self._said = _bare(html.live(card)), html.sr(card)
        self._frozen = False
        self._make(card, stop, log)
        bundle = {
            _VIEW: {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id},
            "text/html": html.card(card),
            "text/plain": text.card(card),
        }
        self._handle: Any = display(bundle, raw=True, display_id=True)

    def show(self, card: Card) -> int:
        """Draws the card where it looks different; the bytes that this took."""
        drawn, said = _bare(html.live(card)), html.sr(card)
        taken = 0
        with self._lock:
            if self._frozen:
                return 0
            if drawn != self._drawn:
                self._live.value = self._drawn = drawn
                taken += len(drawn)
            if said != self._said:
                self._voice.value = self._said = said
                taken += len(said)
        return taken

    def freeze(self, card: Card) -> None:
        """Puts plain HTML in its place, which a saved notebook shows without a kernel."""
        if self._handle is not None:
            self._handle.update({"text/html": html.card(card), "text/plain": text.card(card)}, raw=True)
        run = card.snapshot.run
        advice = (
            f"The page was loaded anew while this ran. %jobq attach {run} draws it again, to stay with the notebook."
        )
        with self._lock:
            first, self._frozen = not self._frozen, True
            self._live.value = _bare(html.card(card)) + _bare(html.line("", advice))
            if first:
                gone = [self._whole, *self._bar.children, self._bar]
                self._box.children = (self._style, self._voice, self._live)
                _close(gone)
                self._ended.append(self)
        while len(self._ended) > _KEPT:
            self._ended.popleft().close()

    def close(self) -> None:
        """Lets its widgets go."""
        with self._lock:
            self._frozen = True
            _close([*self._box.children, self._box])

    def _make(self, card: Card, stop: Callable[[], None], log: Callable[[], LogEnd]) -> None:
        import ipywidgets as widgets

        wide = widgets.Layout(width="auto", margin="0")

        def part(content: str) -> Any:
            return widgets.HTML(content, layout=wide)

        self._style, self._voice, self._live = part(_STYLE), part(self._said), part(self._drawn)
        self._style.add_class("jq-sheet")
        self._voice.add_class("jq-voice")
        self._whole = part("")
        end = widgets.Button(description="Stop", tooltip="Stop this run and all its processes")
        full = widgets.Button(description="Full log", tooltip="Show more of what it printed")

        def on_stop(_: Any) -> None:
            end.disabled, end.description = True, "Stopping"
            stop()

        def on_full(_: Any) -> None:
            self._whole.value = "" if self._whole.value else _bare(html.log(log()))
            full.description = "Less log" if self._whole.value else "Full log"

        end.on_click(on_stop)
        full.on_click(on_full)
        sent, copy = _bare(html.details(card.sent)), _bare(html.copy_id(card.snapshot.run))
        self._bar = widgets.HBox([part(sent), end, full, part(copy)], layout=wide)
        self._bar.add_class("jq-buttons")
        self._box = widgets.VBox([self._style, self._voice, self._live, self._whole, self._bar], layout=wide)
        for name in ("jq", "jq-panel"):
            self._box.add_class(name)


def _bare(drawn: str) -> str:
    """Without the style, which a panel sends once."""
    return drawn.removeprefix(html.STYLE)


def _close(widgets: Iterable[Any]) -> None:
    for widget in widgets:
        with suppress(Exception):  # a front end that is gone takes its widgets with it
            widget.close()
