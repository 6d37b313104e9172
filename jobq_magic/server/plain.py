"""What jobs have written, as JSON that every browser reads: no half characters, no numbers that JSON does not have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["plain"]

_DEEPEST = 100
"""Parts within parts; what is deeper was made to be."""
_DEEP = "…"


def plain(value: Any, deep: int = 0) -> Any:
    """A value that JSON gave, or nearly, as JSON that can be sent: texts stay what they are, whatever is in them.

    Half characters become `?`, and what is no number (`NaN`, infinity) becomes null.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(each, deep + 1) for key, each in value.items()} if deep < _DEEPEST else _DEEP
    if isinstance(value, list | tuple):
        return [plain(each, deep + 1) for each in value] if deep < _DEEPEST else _DEEP
    return value
