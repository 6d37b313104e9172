"""Tells the definition index what each cell executed."""

from __future__ import annotations

from typing import Any

from jobq_magic.capture.definitions import DefinitionIndex

__all__ = ["History"]


class History:
    """Records executed cells of a shell into a `DefinitionIndex`, from now on and, as far as it can be told, from before.

    Args:
        shell: the IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.index = DefinitionIndex()
        parsed = shell.history_manager.input_hist_parsed
        before = [(f"Cell [{number}]", text) for number, text in enumerate(parsed) if number and text]
        # The cell that loads the extension is running; it is recorded when it has ended.
        self.index.bootstrap(before[:-1] if before else [])

    def post_run_cell(self, result: Any) -> None:
        """After each cell: what it defined, and which objects its names hold now."""
        info = result.info
        if info is None or info.silent or not info.store_history:
            return
        count = result.execution_count
        parsed = self._shell.history_manager.input_hist_parsed
        if count is not None and count < len(parsed):
            self.index.record(parsed[count], f"Cell [{count}]", self._shell.user_ns, count)
