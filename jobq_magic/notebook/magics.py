"""`%%jobq`, `%jobq`, and what goes with them into a shell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Int, Unicode

__all__ = ["JobqMagics", "load", "unload"]

_NAME = "_jobq_magics"


@magics_class
class JobqMagics(Magics):
    """Settings of a notebook session: `%config JobqMagics.mode = "ray"`. `%jobq config` says what they amount to."""

    mode = Unicode(None, allow_none=True, help="where cells run: local, ray, ...").tag(config=True)
    profile = Unicode(None, allow_none=True, help="settings of a place, by name").tag(config=True)
    workers = Unicode(None, allow_none=True, help="places for parallel tasks").tag(config=True)
    cpus = Unicode(None, allow_none=True, help="CPUs of each worker").tag(config=True)
    gpus = Unicode(None, allow_none=True, help="GPUs of each worker").tag(config=True)
    memory = Unicode(None, allow_none=True, help="memory of each worker").tag(config=True)
    queue = Unicode(None, allow_none=True, help="local queue of Kueue").tag(config=True)
    timeout = Unicode(None, allow_none=True, help="the longest that a cell may run").tag(config=True)
    retries = Int(None, allow_none=True, help="how often a cell is tried again").tag(config=True)
    wait = Bool(None, allow_none=True, help="wait for jobs in the cell").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        from jobq_magic.notebook.history import History

        self.history = History(shell)
        self._session: Any = None
        self.guests: list[Callable[[], None]] = []
        """What takes completion and its like out of the shell again."""

    def settings(self) -> dict[str, Any]:
        """What was set by %config."""
        found = {name: getattr(self, name) for name in self.class_own_traits(config=True)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def session(self) -> Any:
        """What cells of this notebook share; made when the first one is submitted."""
        if self._session is None:
            from jobq_magic.notebook.session import Session

            self._session = Session(self.shell, self.history, self.settings)
        return self._session

    def close(self) -> None:
        """Ends the session, if there is one."""
        if self._session is not None:
            self._session.close()

    @no_var_expand
    @line_cell_magic
    def jobq(self, line: str, cell: str | None = None) -> Any:
        """Run the cell somewhere bigger, as if it had run here: `%%jobq [options]`.

        `%jobq --help` shows the options, and `%jobq` alone what else there is.
        """
        if cell is None:
            from jobq_magic.notebook.verbs import run_line

            return run_line(self.session, line)
        return self.session.run_cell(line, cell)


def load(shell: Any) -> None:
    """Puts the magics into a shell, once."""
    if shell is None or _NAME in shell.__dict__:
        return
    from jobq_magic.notebook import completion, manual, postmortem, warming

    magics = JobqMagics(shell)
    shell.__dict__[_NAME] = magics
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.history.pre_run_cell)
    shell.events.register("post_run_cell", magics.history.post_run_cell)
    shell.input_transformers_post.append(_let_empty_cells_reach_us)
    magics.guests = [room.install(shell) for room in (completion, manual, postmortem)]
    magics.observe(lambda _: warming.begin(magics.settings()), names=["mode", "profile"])
    warming.begin(magics.settings())


def unload(shell: Any) -> None:
    """Takes out everything that `load` put in."""
    magics = shell.__dict__.pop(_NAME, None)
    if magics is None:
        return
    for leave in magics.guests:
        leave()
    for event in ("pre_run_cell", "post_run_cell"):
        with suppress(ValueError):
            shell.events.unregister(event, getattr(magics.history, event))
    with suppress(ValueError):
        shell.input_transformers_post.remove(_let_empty_cells_reach_us)
    magics.close()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("jobq", None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)


_EMPTY = "get_ipython().run_cell_magic('jobq', "


def _let_empty_cells_reach_us(lines: list[str]) -> list[str]:
    """IPython answers a cell magic without a body with a UsageError, which some tools take for success."""
    if lines and lines[0].startswith(_EMPTY) and lines[0].rstrip().endswith(", '')"):
        return [lines[0].rstrip()[: -len("'')")] + "'\\n')\n", *lines[1:]]
    return lines
