"""`%%jobq?` and `%jobq?` show the options and the verbs, and not the sentence that is in the source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["install"]


def install(shell: Any) -> Callable[[], None]:
    """Lets IPython show the help where it is asked for the documentation of the magic.

    Returns:
        What undoes it.
    """
    magic = shell.magics_manager.magics["cell"].get("jobq")
    function = getattr(magic, "__func__", None)
    if function is None:
        return lambda: None
    # IPython asks an object for `getdoc` first (IPython.core.oinspect); a docstring would have to be made on loading,
    # with all that the options need.
    function.getdoc = _help

    def remove() -> None:
        function.__dict__.pop("getdoc", None)

    return remove


def _help() -> str:
    from jobq_magic.notebook.verbs import help_text

    return help_text()
