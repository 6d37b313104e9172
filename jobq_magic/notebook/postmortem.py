"""`%debug` after an exception that came from a job: IPython's own would stand in our frames."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from jobq_magic.errors import JobFailed, JobqError
from jobq_magic.notebook.frontend import replace_method

__all__ = ["install"]


def install(shell: Any) -> Callable[[], None]:
    """Lets `%debug`, and `%pdb on`, say where the frames of a job's exception are, instead of standing in ours.

    Returns:
        What undoes it.
    """
    plain = shell.debugger

    def debugger(force: bool = False) -> None:
        error = getattr(sys, "last_value", None)
        if (told := _no_frames(error)) is None:
            plain(force=force)
        elif force or shell.call_pdb:
            print(told)

    return replace_method(shell, "debugger", debugger)


def _no_frames(error: object) -> str | None:
    """What to say where a debugger would find no frame of the user's; None where it would."""
    run = getattr(error, "__jobq_run__", "")
    if run or isinstance(error, JobFailed):
        of = f" ({run})" if run else ""
        return f"The frames ended with the job{of}: %%jobq --debug on the cell runs it here, where %debug works."
    if isinstance(error, JobqError):
        return "Nothing of the cell was executed: there are no frames to look at."
    return None
