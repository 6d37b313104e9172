"""A NameError that explains itself: what a run is still to bind is not in the namespace, however it is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobq_magic.notebook.bindings import Bindings

__all__ = ["explain_name_errors"]

_NAME = "showtraceback"


def explain_name_errors(shell: Any, bindings: Bindings) -> Callable[[], None]:
    """Adds to a NameError, where it is shown, which run the name comes from; what takes that away again.

    IPython has no hook between an exception and its traceback but `set_custom_exc`, which has one place only and hides
    the error from those that execute notebooks. So the shell's own method is wrapped, for this shell alone.
    """
    plain = getattr(shell, _NAME)

    def showtraceback(exc_tuple: Any = None, *args: Any, **options: Any) -> Any:
        error = exc_tuple[1] if exc_tuple is not None else sys.exc_info()[1]
        if isinstance(error, NameError) and (told := _told(bindings, error.name)):
            error.add_note(told)
        return plain(exc_tuple, *args, **options)

    setattr(shell, _NAME, showtraceback)

    def away() -> None:
        if shell.__dict__.get(_NAME) is showtraceback:
            del shell.__dict__[_NAME]

    return away


def _told(bindings: Bindings, name: str | None) -> str:
    found = bindings.owners([name]) if name else {}
    for sent in found.values():
        run = sent.run.id
        if name is not None and name in sent.lost:
            return (
                f"{name} did not come back from {run}: {sent.lost[name]}; %jobq release {run} brings back what it held"
            )
        if sent.failed:
            return f"{name} would have come from {run}, which ended badly; %jobq release {run} brings back what it held"
        return (
            f"{name} comes from {run}, which has not ended. Cells that are seen to read it wait by themselves; "
            f"write {name} into this one, or let %jobq attach {run} --wait wait"
        )
    return ""
