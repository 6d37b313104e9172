"""A NameError that explains itself: what a run is still to bind is not in the namespace, however it is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobq_magic.notebook.frontend import replace_method
from jobq_magic.notebook.notrun import in_name_error

if TYPE_CHECKING:
    from jobq_magic.notebook.bindings import Bindings

__all__ = ["explain_name_errors"]


def explain_name_errors(shell: Any, bindings: Bindings) -> Callable[[], None]:
    """Adds to a NameError, where it is shown, which run the name comes from; what takes that away again.

    IPython has no hook between an exception and its traceback but `set_custom_exc`, which has one place only and hides
    the error from those that execute notebooks. So the shell's own method is wrapped, for this shell alone.
    """
    plain = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **options: Any) -> Any:
        error = exc_tuple[1] if exc_tuple is not None else sys.exc_info()[1]
        if isinstance(error, NameError):
            for name, sent in bindings.owners([error.name or ""]).items():
                error.add_note(in_name_error(name, sent))
        return plain(exc_tuple, *args, **options)

    return replace_method(shell, "showtraceback", showtraceback)
