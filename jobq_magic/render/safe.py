"""Text of strangers, so that it is seen and never acts: not on a page, not on a terminal, not on the order of words.

Names, labels, exceptions and log lines come from runs and hold anything. What would move a cursor, turn the direction
of what follows, or end a line where none ends, is shown by its number: `⟨U+202E⟩`.
"""

from __future__ import annotations

import re
from html import escape

__all__ = ["ESCAPES", "html", "link", "one_line", "short", "visible"]

ESCAPES = re.compile(
    r"\x1b(?:"
    r"\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"  # CSI: colours, the cursor
    r"|\[[0-?]*[ -/]*"  # one that is cut off, or broken
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC and its kin: titles, links, pictures
    r"|[ -/]*[0-~]?"  # two letters
    r")"
)
"""One escape sequence of a terminal, whole or cut off."""

# C0 without tab and newline, DEL, C1; what turns the direction; separators of lines; halves of surrogate pairs, which
# cannot be encoded.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The same with every character that would act replaced by its number."""
    return _ACTING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def one_line(text: str) -> str:
    """The same as one line without colours."""
    return visible(" ".join(ESCAPES.sub("", text).splitlines()).replace("\t", " "))


def short(text: str, most: int = 400) -> str:
    """`one_line`, with its end left out where it is long: a message may hold a table."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 2]} …"


def html(text: str) -> str:
    """`one_line`, as HTML."""
    return escape(one_line(text))


def link(href: str) -> str:
    """An address that leads to a page, or a path on the server of this one; else nothing: a record may say anything."""
    here = href.startswith("/") and not href.startswith(("//", "/\\"))
    return one_line(href) if here or href.startswith(("http://", "https://")) else ""
