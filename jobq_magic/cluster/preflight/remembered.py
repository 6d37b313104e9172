"""What rarely changes is remembered for a minute: a cell that is run again does not ask it again.

It is kept with the Api that was asked, which is one for each place and person (`connection.kept`): what somebody may do
answers for nobody else.
"""

from __future__ import annotations

import threading
import time
import weakref

from jobq_magic.cluster.client import Api
from jobq_magic.cluster.preflight.answers import Answer

__all__ = ["keep", "recall"]

SECONDS = 60.0
_kept: weakref.WeakKeyDictionary[Api, dict[str, tuple[float, Answer]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def recall(api: Api, question: str) -> Answer | None:
    """The answer of less than a minute ago."""
    with _lock:
        at, answer = _kept.get(api, {}).get(question, (float("-inf"), Answer("unasked")))
    return answer if time.monotonic() - at < SECONDS else None


def keep(api: Api, question: str, answer: Answer) -> None:
    """Remembers an answer; that there was none is not worth it."""
    if answer.how in {"there", "missing"}:
        with _lock:
            _kept.setdefault(api, {})[question] = (time.monotonic(), answer)
