"""The one line that says why, out of what Ray says at length."""

from __future__ import annotations

import re

__all__ = ["reason_in"]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# `ValueError: ...` that ends a traceback, with nothing of a log in front of it.
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b.*")
_COMPLAINT = re.compile(r"error|fail|cannot|unable|not found|died", re.IGNORECASE)
_LONGEST = 300


def reason_in(text: str) -> str:
    """The last exception that is told in `text`, else its last complaint, else its last line; "" for no text."""
    lines = [line for line in (line.strip() for line in _ANSI.sub("", text).splitlines()) if line]
    raised = [line for line in lines if _RAISED.match(line)]
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    for found in (raised, complaints, lines):
        if found:
            line = found[-1]
            return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
    return ""
