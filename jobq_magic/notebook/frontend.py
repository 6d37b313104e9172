"""Who is in front: a person, or nobody; and which cell of which notebook is running."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["cell_identity", "interactive"]


def interactive(shell: Any) -> bool:
    """Whether a person is in front.

    `JOBQ_INTERACTIVE` (1 or 0) decides; without it, whether the front end can be asked for input: the `allow_stdin` of
    the execute request, which nbclient, and with it nbconvert, papermill and nbval, sends as false. A terminal counts
    as a person.
    """
    asked = os.environ.get("JOBQ_INTERACTIVE", "")
    if asked in ("0", "1"):
        return asked == "1"
    if getattr(shell, "kernel", None) is None:
        return True
    return bool(_request(shell).get("content", {}).get("allow_stdin", False))


def cell_identity(shell: Any, label: str) -> dict[str, Any]:
    """What is known of the cell that is running: for going back to it, never for making it work."""
    request = _request(shell)
    known = {
        "label": label,
        "notebook": os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__session__"),
        "cell_id": request.get("metadata", {}).get("cellId"),
    }
    return {key: value for key, value in known.items() if value}


def _request(shell: Any) -> dict[str, Any]:
    try:
        parent: dict[str, Any] = shell.get_parent()
        return parent
    except (AttributeError, LookupError):  # no kernel, or no request yet
        return {}
