"""Watching a run from a cell that waits for it: what it writes becomes the cell's own output."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterable

from IPython.display import clear_output, display

from jobq_magic.render import content, image, text
from jobq_magic.render.card import Card
from jobq_magic.run import Run
from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.tail import Chunk, Decoder, Item
from jobq_magic.snapshot import Phase, Snapshot

__all__ = ["Detached", "Emitter", "Interrupted", "Stopped", "TerminalFace", "tell_image"]


class Detached(KeyboardInterrupt):
    """The cell was interrupted while it watched; the run goes on."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.id)
        self._lines = [
            f"Detached from {run.id}: it goes on.",
            f"  %jobq attach {run.id} brings it back; %jobq stop {run.id} ends it.",
        ]

    def _render_traceback_(self) -> list[str]:
        return self._lines


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted before it had been handed over; its submission is called off."""

    def _render_traceback_(self) -> list[str]:
        return ["Interrupted before the cell was handed over: it does not run."]


class Stopped(KeyboardInterrupt):
    """The cell was interrupted where its run has no panel yet, or nobody is in front: the run was stopped with it."""

    def __init__(self, snapshot: Snapshot) -> None:
        run = snapshot.run
        super().__init__(run)
        if snapshot.phase is Phase.SUCCEEDED:
            self._line = f"Interrupted when {run} had ended: %jobq result {run} has what came of it."
        elif snapshot.final:
            self._line = f"Interrupted: {run} was stopped."
        else:
            self._line = f"Interrupted: {run} is being stopped; jobq status {run} says how far that is."

    def _render_traceback_(self) -> list[str]:
        return [self._line]


class Emitter:
    """Writes what a run wrote where a cell's own output goes.

    The ids of displays are a run's own: in the notebook they stand for others, so that a run can change what it
    displayed itself, and nothing that another cell shows.
    """

    def __init__(self) -> None:
        self._decode = Decoder()
        self._prefixed = Prefixes(one=False)
        self._own = f"jobq-{secrets.token_hex(8)}-"

    def __call__(self, items: Iterable[Item]) -> None:
        """The next items."""
        for item in items:
            if isinstance(item, Chunk):
                stream = sys.stdout if item.stream == "stdout" else sys.stderr
                stream.write(self._decode(self._prefixed(item)))
                stream.flush()
            elif item.kind == "clear_output":
                if not item.source:  # what others wrote is not this worker's to clear
                    clear_output(wait=item.wait)
            else:
                named = item.transient.get("display_id")
                display(
                    dict(item.bundle),
                    metadata=dict(item.metadata),
                    transient={"display_id": self._own + item.source + named} if named else {},
                    raw=True,
                    update=item.kind == "update_display_data",
                )


class TerminalFace:
    """A run in a terminal, where nothing can be drawn anew: a word when it begins, and one when it has ended."""

    def __init__(self, snapshot: Snapshot) -> None:
        print(text.status(snapshot, now=time.time()))

    def show(self, card: Card) -> int:
        """Nothing: the thread that calls this must not print."""
        del card
        return 0

    def freeze(self, card: Card) -> None:
        """Says how it ended."""
        print(text.live(card.snapshot, now=card.now, beside=content.beside(card)))
        tell_image(card.snapshot)


def tell_image(snapshot: Snapshot) -> None:
    """Prints what was asked for with `--build-only`: the same lines as long as the same is in it."""
    if snapshot.reason == "built" and snapshot.image is not None:
        print(image.stable(snapshot.image))
