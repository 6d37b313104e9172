"""What is said while the cluster is brought up, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Failed(Exception):
    """One sentence that says what does not work, and what is known of it."""


class Steps:
    """Lines with the time since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.times: dict[str, float] = {}
        """When a step was done, in seconds since the beginning."""

    def say(self, text: str) -> None:
        """Prints a line."""
        print(f"[{self.seconds:6.1f} s] {text}", flush=True)

    def done(self, text: str) -> None:
        """Prints a line, and keeps its time."""
        self.times[text] = self.seconds
        self.say(text)

    def measured(self, what: str, seconds: float, target: float) -> None:
        """Prints what something took, beside what it should take."""
        self.say(f"{what}: {seconds:.1f} s (target {target} s)")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


def until(
    check: Callable[[], T], what: str, *, seconds: float, every: float = 0.1, why: Callable[[], str] = lambda: ""
) -> T:
    """The first true value of `check`.

    Args:
        check: looks once; an exception counts as not yet, and is told at the end.
        what: is waited for.
        seconds: at most.
        every: how often it is looked at, in seconds.
        why: what is known of it, where it does not come.

    Raises:
        Failed: it did not come in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := check():
                return found
            told = ""
        except Exception as error:
            told = f": {error}"
        if time.monotonic() > deadline:
            known = why()
            raise Failed(f"{what}: not within {seconds:.0f} s{told}" + (f"\n{known}" if known else ""))
        time.sleep(every)
