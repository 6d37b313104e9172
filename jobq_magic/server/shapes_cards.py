"""The shape of a card."""

from __future__ import annotations

from typing_extensions import TypedDict

__all__ = ["CardTold"]


class CardTold(TypedDict):
    """A run as its panel draws it."""

    run: str
    final: bool
    """Whether it will look so for ever."""
    bundle: dict[str, str]
    """As a notebook keeps it: `text/html`, `text/plain`."""
