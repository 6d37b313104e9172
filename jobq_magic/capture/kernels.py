"""Names that a kernel puts into a notebook's namespace: they stay there, or the job has its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

__all__ = ["PROVIDED", "is_history", "is_ipythons", "is_kernels"]

PROVIDED = frozenset({"get_ipython", "display", "open", "__name__", "__doc__", "exit", "quit"})
"""Names that a job has too."""
_KERNELS_OWN = re.compile(r"_+|_\d+|_i+|_i\d+|_[ido]h|In|Out|get_ipython|exit|quit|open_in_colab|_exit_code")
_HISTORY = re.compile(r"_{1,3}|_\d+|_i{1,3}|_i\d+|_[ido]h|In|Out")


def is_history(name: str) -> bool:
    """Whether a name is one under which IPython keeps what was executed, and its values."""
    return _HISTORY.fullmatch(name) is not None


def is_kernels(name: str, namespace: Mapping[str, Any]) -> bool:
    """Whether a name in a namespace is the kernel's own, and not one that the user gave a value."""
    if not _KERNELS_OWN.fullmatch(name):
        return False
    out = namespace.get("Out")
    shown = ["", *out.values()] if isinstance(out, dict) else [""]
    return name != "_" or any(namespace[name] is value for value in shown)


def is_ipythons(value: object) -> bool:
    """`open` and `display` of a kernel are IPython's own; a job has its own."""
    # Its `open` says that it is of `io`, by `functools.wraps`.
    made_in = value.__globals__.get("__name__") if isinstance(value, FunctionType) else None
    return str(made_in or getattr(value, "__module__", "")).partition(".")[0] in ("IPython", "ipykernel")
