"""The panel: a run under its cell, kept up to date, and frozen into plain HTML at its end.

Core ipywidgets only, so that every front end that shows widgets shows it. One `HTML` widget holds all that changes: a
drawing is one message. The bundle has the same as plain HTML and text, for front ends without widgets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from IPython.display import display

from jobq_magic.render import html, text
from jobq_magic.render.card import Card

__all__ = ["Panel"]

if not hasattr(html, "card"):  # TEMPORARY
    _old = html.live
    html.card = lambda card: f"<pre>{card.snapshot.phase} {card.log}</pre>"
    html.live = lambda card, now=None: _old(card, now=now) if now else html.card(card)
    html.sr = lambda card: str(card.snapshot.phase)
    html.details = lambda sent: f"{len(sent)} sent"
    html.copy_id = lambda run: run
    html.log = lambda end: end.text
    html.line = lambda a, b: f"<div>{a} {b}</div>"
    text.card = lambda card: text.live(card.snapshot, now=card.now) + "".join(f"\n{x}" for x in (card.log, *card.notes))
    text.line = lambda a, b: f"{a} {b}"

_VIEW = "application/vnd.jupyter.widget-view+json"


class Panel:
    """Draws one run in the cell that is running when it is made.

    Args:
        card: how it looks first.
        stop: asks for the run to be stopped; called on a press of Stop, in any thread.
        log: gives the end of the log, longer than the card has it; called on a press of Full log.
    """

    def __init__(self, card: Card, *, stop: Callable[[], None], log: Callable[[], str]) -> None:
        self._lock = threading.Lock()  # a widget must not be set by two threads at once
        self._drawn = html.live(card)
        self._said = html.sr(card)
        self._frozen = False
        self._box, self._live, self._voice = self._made(card, stop, log)
        bundle = {
            _VIEW: {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id},
            "text/html": html.card(card),
            "text/plain": text.card(card),
        }
        self._handle: Any = display(bundle, raw=True, display_id=True)

    def show(self, card: Card) -> int:
        """Draws the card where it looks different; the bytes that this took."""
        drawn, said = html.live(card), html.sr(card)
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
        """Puts plain HTML in its place, which a saved notebook shows without a kernel, and lets the widgets go."""
        with self._lock:
            frozen, self._frozen = self._frozen, True
        if self._handle is not None:
            self._handle.update({"text/html": html.card(card), "text/plain": text.card(card)}, raw=True)
        for widget in () if frozen else (*self._box.children[-1].children, *self._box.children, self._box):
            with suppress(Exception):  # a front end that is gone takes its widgets with it
                if widget.comm is not None:
                    widget.close()

    def _made(self, card: Card, stop: Callable[[], None], log: Callable[[], str]) -> tuple[Any, Any, Any]:
        import ipywidgets as widgets

        wide = widgets.Layout(width="auto", margin="0")
        live = widgets.HTML(self._drawn, layout=wide)
        voice = widgets.HTML(self._said, layout=wide)
        voice.add_class("jq-voice")
        details = widgets.HTML(html.details(card.sent), layout=wide)
        whole = widgets.HTML("", layout=wide)
        end = widgets.Button(description="Stop", tooltip="Stop this run and all its processes")
        full = widgets.Button(description="Full log", tooltip="Show more of what it printed")

        def on_stop(_: Any) -> None:
            end.disabled, end.description = True, "Stopping"
            stop()

        def on_full(_: Any) -> None:
            whole.value = "" if whole.value else log()
            full.description = "Less log" if whole.value else "Full log"

        end.on_click(on_stop)
        full.on_click(on_full)
        copy = widgets.HTML(html.copy_id(card.snapshot.run), layout=wide)
        bar = widgets.HBox([details, end, full, copy], layout=wide)
        bar.add_class("jq-buttons")
        box = widgets.VBox([voice, live, whole, bar], layout=wide)
        box.add_class("jq-panel")
        return box, live, voice
