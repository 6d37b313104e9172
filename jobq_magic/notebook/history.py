"""Tells the definition index what each cell executed."""

from __future__ import annotations

from typing import Any

from jobq_magic.capture.definitions import DefinitionIndex

__all__ = ["History"]


class History:
    """Records the executed cells of a shell into a `DefinitionIndex`: from now on, and from before as far as is known.

    Args:
        shell: the IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.index = DefinitionIndex()
        self._unnumbered = 0
        parsed = shell.history_manager.input_hist_parsed
        before = [(f"Cell [{number}]", text) for number, text in enumerate(parsed) if number and text]
        # The cell that loads the extension is running; it is recorded when it has ended.
        self.index.bootstrap(before[:-1] if before else [], shell.compile.flags)

    @property
    def number(self) -> int | None:
        """Of the cell that is running: where its last value goes, `Out[number]`; None where it is not numbered."""
        return (len(self._shell.history_manager.input_hist_parsed) - 1) or None

    @property
    def label(self) -> str:
        """How the cell that is running is called: by its number, as the notebook shows it."""
        # The input is stored before the cell runs; `execution_count` is already that of the next cell in IPython 9.
        numbered = len(self._shell.history_manager.input_hist_parsed) - 1
        return f"Cell [{numbered or self._unnumbered + 1}]"

    def pre_run_cell(self, info: Any) -> None:
        """Before each cell: what the names hold that it may define."""
        if not info.silent:
            text = getattr(info, "transformed_cell", None) or self._shell.transform_cell(info.raw_cell)
            self.index.before(text, self._shell.user_ns)

    def post_run_cell(self, result: Any) -> None:
        """After each cell: what it defined, and which objects its names hold now."""
        info = result.info
        if info is None or info.silent:
            return
        label = f"Cell [{result.execution_count}]" if info.store_history else self.label
        if not info.store_history and self._shell.execution_count == 1:
            self._unnumbered += 1  # nbval executes all cells so, and IPython counts none of them
        if result.error_before_exec is None:
            text = getattr(info, "transformed_cell", None) or self._shell.transform_cell(info.raw_cell)
            self.index.record(text, label, self._shell.user_ns, flags=self._shell.compile.flags)
