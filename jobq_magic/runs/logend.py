"""LogEnd: the end of what a run prints, as text."""

from __future__ import annotations

from dataclasses import replace

from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.tail import Chunk, Decoder, Item

__all__ = ["LOG_END", "LogEnd"]

LOG_END = 16 << 10
"""Characters of a log that a card shows the end of."""


class LogEnd:
    """The end of what a run prints, as text.

    Args:
        most: characters that are kept.
    """

    def __init__(self, most: int = LOG_END) -> None:
        self._most = most
        self._decode = Decoder()
        self._prefixed = Prefixes(colour=True)
        self._clear_first = False
        self.text = ""
        self.cut = False
        self._sources: dict[str, None] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """Who has printed something, where several may."""
        return tuple(self._sources)

    def apply(self, item: Item) -> None:
        """One thing more that the run wrote: `clear_output` clears what was printed before it, too."""
        if isinstance(item, Chunk):
            self._before_output()
            if item.source:
                self._sources[item.source] = None
            self._feed(item)
        elif item.kind == "display_data":
            self._before_output()
        elif item.kind == "clear_output" and not item.source:  # what a worker printed is not another's to clear
            self._clear_first = item.wait
            if not item.wait:
                self._clear()

    def _before_output(self) -> None:
        if self._clear_first:
            self._clear()

    def _clear(self) -> None:
        self.text, self.cut, self._clear_first = "", False, False

    def _feed(self, chunk: Chunk) -> None:
        if len(chunk.data) > 4 * self._most:  # most of it will not be shown: spare its decoding
            chunk = replace(chunk, data=chunk.data[-4 * self._most :])
            self.text, self.cut = "", True
        text = self.text + self._decode(self._prefixed(chunk))
        if len(text) > self._most:
            begin = text.find("\n", len(text) - self._most) + 1
            text, self.cut = text[begin or len(text) - self._most :], True
        self.text = text
