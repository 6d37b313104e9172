"""Who is in front: a person, or nobody; and which cell of which notebook is running."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

__all__ = ["cell_id", "cell_identity", "in_terminal", "interactive", "replace_method", "request"]


def interactive(shell: Any) -> bool:
    """Whether a person is in front.

    `JOBQ_INTERACTIVE` (1 or 0) decides; without it, whether the front end can be asked for input: the `allow_stdin` of
    the execute request, which nbclient, and with it nbconvert, papermill and nbval, sends as false. A terminal counts
    as a person.
    """
    asked = os.environ.get("JOBQ_INTERACTIVE", "")
    if asked in ("0", "1"):
        return asked == "1"
    if in_terminal(shell):
        return True
    return bool(request(shell).get("content", {}).get("allow_stdin", False))


def cell_identity(shell: Any, label: str) -> dict[str, Any]:
    """What is known of the cell that is running: for going back to it, never for making it work."""
    known = {
        "label": label,
        "notebook": os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__session__"),
        "cell_id": cell_id(shell),
    }
    return {key: value for key, value in known.items() if value}


def in_terminal(shell: Any) -> bool:
    """Whether this is IPython in a terminal: nothing that was printed can be drawn anew there."""
    return getattr(shell, "kernel", None) is None


def cell_id(shell: Any) -> str | None:
    """The id of the cell that is running, where the front end tells it (JupyterLab does, nbclient does not)."""
    told = request(shell).get("metadata", {}).get("cellId")
    return str(told) if told else None


def replace_method(shell: Any, name: str, method: Callable[..., Any]) -> Callable[[], None]:
    """Puts a function in the place of a method of this one shell; what takes it away again."""
    setattr(shell, name, method)

    def away() -> None:
        if shell.__dict__.get(name) is method:  # nobody has replaced it once more
            del shell.__dict__[name]

    return away


def request(shell: Any) -> dict[str, Any]:
    """The message that the running cell is executed by; empty without a kernel."""
    try:
        parent: dict[str, Any] = shell.get_parent()
        return parent
    except (AttributeError, LookupError):  # no kernel, or no request yet
        return {}
