"""Journal: which runs have changed since a version, for any number of askers who each know their own."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable

__all__ = ["Journal"]

_MOST = 4096
"""Changes that are remembered."""


class Journal:
    """Changes in order. A version names this journal and a number in it; versions of other processes are not known."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._oldest = 0
        self._changes: deque[tuple[int, str]] = deque()

    @property
    def version(self) -> str:
        """The version of now."""
        return f"{self._epoch}-{self._number}"

    def add(self, changed: Iterable[str]) -> None:
        """Takes down what has changed, together: a new version."""
        self._number += 1
        for identity in changed:
            if len(self._changes) >= self._most:
                self._oldest = self._changes.popleft()[0]
            self._changes.append((self._number, identity))

    def since(self, version: str) -> list[str] | None:
        """What has changed since a version, each once; None where that is not known."""
        epoch, _, number = version.partition("-")
        if epoch != self._epoch or not number.isascii() or not number.isdigit() or len(number) > 15:
            return None
        at = int(number)
        if not self._oldest <= at <= self._number:
            return None
        found: dict[str, None] = {}
        for when, identity in reversed(self._changes):
            if when <= at:
                break
            found[identity] = None
        return [*found]
