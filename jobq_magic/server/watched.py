"""Pictures of the runs that pages want to hear all of: one for all pages, drawn anew when something has changed."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass

from jobq_magic.errors import StoreError
from jobq_magic.run import Run
from jobq_magic.runs.looking import Files
from jobq_magic.server.runs import one
from jobq_magic.server.view import View

__all__ = ["Pictures"]

_PERIOD = 0.25
"""Seconds between two pictures of a run: as often as a panel draws it."""
_GONE = 2.0
"""Seconds after which a run that was not there is looked for again."""


@dataclass(slots=True)
class _Watched:
    """One run, and its last picture."""

    files: Files | None = None
    number: int = 0
    text: str = ""
    due: bool = True
    """Whether something of it has changed since."""
    next: float = float("-inf")
    """When it may be drawn again, by `time.monotonic`."""


class Pictures:
    """Draws runs, for a caller who asks from one thread at a time.

    Args:
        view: of which store.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._watched: dict[str, _Watched] = {}

    def draw(self, identities: Collection[str]) -> dict[str, tuple[int, str]]:
        """The newest picture of each, with its number: another number, another picture. Of what is not there, nothing.

        All others are forgotten.
        """
        self._watched = {identity: self._watched.get(identity) or _Watched() for identity in identities}
        for identity, watched in self._watched.items():
            self._look(identity, watched)
        return {identity: (each.number, each.text) for identity, each in self._watched.items() if each.text}

    def _look(self, identity: str, watched: _Watched) -> None:
        if watched.files is not None:
            watched.due = watched.files.moved() or watched.due
        now = time.monotonic()
        if not watched.due or now < watched.next:
            return
        watched.next = now + _PERIOD
        try:
            run = Run.load(self._view.store.runs / identity)
            before = watched.files or Files(run, 1)
            watched.files = before.of(run, self._view.store.snapshot(run).attempt)
            watched.files.moved()  # what happens from here on is in the next picture
            watched.due = False
            told = {"kind": "run", "run": one(self._view, run)}
        except (StoreError, OSError, ValueError):  # it was removed, which the rows tell, or it never was
            watched.files, watched.next = None, now + _GONE
            watched.due = True
            return
        text = json.dumps(told, allow_nan=False, separators=(",", ":"))
        if text != watched.text:
            watched.number, watched.text = watched.number + 1, text
