"""What came back, into the namespace: on the main thread, while no cell is active."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobq_magic.errors import JobFailed
from jobq_magic.results.decode import Outcome

__all__ = ["bind", "drawable"]


def bind(outcome: Outcome, namespace: dict[str, Any], shipped: Mapping[str, Any]) -> list[str]:
    """Binds what came back.

    Args:
        outcome: of the run.
        namespace: the user's.
        shipped: the values that were sent, by name: who still holds one that was changed there is rebound with it.

    Returns:
        Notes: what was rebound beyond the names of the cell, and what did not come back.
    """
    notes = []
    for name, value in outcome.changed.items():
        if name not in shipped:  # another session sent it: nobody here holds what was sent
            namespace[name] = value
            notes.append(f"{name} was changed in place by the run")
            continue
        old = shipped[name]
        holders = [each for each, held in namespace.items() if held is old and not each.startswith("_")]
        if not holders:
            notes.append(f"{name} was changed by the run, but holds another value here now; it was left alone")
            continue
        for each in holders:
            namespace[each] = value
        also = [each for each in holders if each != name]
        notes.append(f"{name} was changed in place" + (f"; {', '.join(also)} with it" if also else ""))
    namespace.update(outcome.names)
    notes += [f"{entry['name']} did not come back: {entry['reason']}" for entry in outcome.skipped]
    return notes


def drawable(error: BaseException) -> BaseException:
    """The error, or one that looks like it where IPython would draw frames of its own and of ours around it.

    It does so with a SyntaxError and an ExceptionGroup, which it does not ask how they are drawn.
    """
    draw = getattr(error, "_render_traceback_", None)
    if draw is None or not isinstance(error, SyntaxError | BaseExceptionGroup):
        return error
    stand_in: JobFailed = type(type(error).__name__, (JobFailed,), {})("exception", str(error))
    stand_in._render_traceback_ = draw  # type: ignore[method-assign]
    return stand_in
