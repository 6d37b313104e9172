"""What rarely changes is remembered for a minute: a cell that is run again does not ask it again."""

from __future__ import annotations

import threading
import time

from jobq_magic.cluster.preflight.answers import Answer

__all__ = ["forget", "keep", "recall"]

SECONDS = 60.0
_kept: dict[tuple[str, str], tuple[float, Answer]] = {}
_lock = threading.Lock()


def recall(place: str, question: str) -> Answer | None:
    """The answer of less than a minute ago."""
    with _lock:
        at, answer = _kept.get((place, question), (float("-inf"), Answer("unasked")))
    return answer if time.monotonic() - at < SECONDS else None


def keep(place: str, question: str, answer: Answer) -> None:
    """Remembers an answer; that there was none is not worth it."""
    if answer.how in {"there", "missing"}:
        with _lock:
            _kept[place, question] = (time.monotonic(), answer)


def forget() -> None:
    """Asks all anew."""
    with _lock:
        _kept.clear()
