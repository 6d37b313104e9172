"""The gate before each cell: a cell that reads a name which a run is still to bind waits for it first.

IPython shows every cell's syntax tree to the transformers of the shell before it runs the cell, and a transformer may
take its time, may bind names, and may keep the cell from running (`InputRejected`). Callbacks of `pre_run_cell` could
not: what they raise is printed, and the cell runs all the same.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from IPython.display import display

from jobq_magic.capture.reads import reads
from jobq_magic.errors import JobqError
from jobq_magic.notebook import frontend
from jobq_magic.notebook.bindings import Sent
from jobq_magic.notebook.notrun import interrupted, not_there, unusable
from jobq_magic.render import html, text
from jobq_magic.words import duration, ongoing, size

if TYPE_CHECKING:
    from jobq_magic.notebook.session import Session

__all__ = ["Gate"]

_SOON = 0.3
"""Seconds of waiting that need no word."""


class Gate:
    """Lets a cell through when what it reads is there.

    Args:
        session: whose runs bind names.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = False
        self._code = ""

    def pre_execute(self) -> None:
        """Before each request; what is no cell (`silent`) comes no further than here."""
        self._asked = False

    def pre_run_cell(self, info: Any) -> None:
        """Before each cell. Inspectors of variables do not store history, and are never kept waiting."""
        self._asked = bool(info.store_history)
        self._code = getattr(info, "transformed_cell", None) or self._session.shell.transform_cell(info.raw_cell)

    def visit(self, tree: ast.AST) -> ast.AST:
        """Waits where it must; the tree is left as it is.

        Raises:
            NotRun: the cell is not to be executed.
        """
        if not self._session.bindings or not self._asked:
            return tree
        session, shell = self._session, self._session.shell
        # IPython would take the gate down, should it raise anything else.
        try:
            session.retry(frontend.cell_id(shell))
            names = reads(self._code, shell.user_ns, flags=shell.compile.flags, transform=shell.transform_cell)
            session.bindings.noticed(names, session.label)
        except Exception:  # noqa: BLE001 - a cell that cannot be looked at runs, and may meet a NameError
            return tree
        self.wait(names)
        return tree

    def wait(self, names: frozenset[str], *, makes: frozenset[str] = frozenset()) -> None:
        """Waits until these names are bound, as far as runs have to bind them.

        Args:
            names: which.
            makes: those that the cell itself binds or changes. Of a run that failed it does these once more, and
                starts from what they held before; so does the cell of that very run, with all of them.

        Raises:
            NotRun: interrupted, or the run failed.
        """
        session = self._session
        while wanted := session.bindings.owners(names) or session.bindings.answering(names):
            by_run: dict[str, list[str]] = {}
            for name, sent in wanted.items():
                by_run.setdefault(sent.run.id, []).append(name)
            for awaited in by_run.values():
                self._wait_for(wanted[awaited[0]], awaited, makes)

    def _wait_for(self, sent: Sent, names: Sequence[str], makes: frozenset[str]) -> None:
        session = self._session
        line = _Line(session, sent, names)
        try:
            while not sent.ended and session.bindings.get(sent.run) is sent:
                session.shown.bind_what_came_back(within=0.1)
                if not sent.ended:
                    line.show()
            if sent.later and (session.bindings.owners(names) or session.bindings.answering(names)):
                line.fetching(sent.later)
                session.shown.fetch(sent)
        except KeyboardInterrupt:
            line.close("Interrupted")
            raise interrupted(sent, names) from None
        except JobqError as error:
            line.close("Failed")
            raise unusable(error, sent, names) from None
        line.close()
        if sent.failed and session.bindings.owners(names):
            again = sent.cell_id is not None and sent.cell_id == frontend.cell_id(session.shell)
            session.bindings.release(sent.run, None if again else makes.intersection(names))
            if missing := [name for name in names if session.bindings.owners([name]).get(name) is sent]:
                raise not_there(sent, missing)


class _Line:
    """What a cell says while it waits: one display that is kept up to date."""

    def __init__(self, session: Session, sent: Sent, names: Sequence[str]) -> None:
        self._session, self._sent = session, sent
        self._names = ", ".join(names)
        self._began = time.monotonic()
        self._handle: Any = None
        self._shown = ""

    def show(self) -> None:
        """Draws it, where the wait is worth a word and the words differ."""
        waited = time.monotonic() - self._began
        if waited < _SOON:
            return
        run = self._sent.run
        snapshot = self._session.store.snapshot(run)
        elapsed = ongoing(time.time() - snapshot.created)
        self._say(
            f"Waiting for {self._names} from {run.id} ({snapshot.phase}, {elapsed}).",
            f"Interrupt the kernel to stop waiting: the run goes on. jobq stop {run.id} in a terminal ends the run.",
        )

    def fetching(self, later: Mapping[str, int]) -> None:
        """Says that something large is being read."""
        self._say(f"Fetching {self._names} ({size(max(later.values()))}) from {self._sent.run.id}.", "")

    def close(self, how: str = "Waited") -> None:
        """Says how long it took."""
        if self._handle is not None:
            waited = duration(time.monotonic() - self._began)
            told = f"Waited {waited} for {self._names} from {self._sent.run.id}."
            self._say(told if how == "Waited" else f"{how}: {told}", "")

    def _say(self, sentence: str, advice: str) -> None:
        if self._shown == (told := sentence + advice):
            return
        self._shown = told
        if self._session.in_terminal:
            if self._handle is None:
                self._handle = True
                print(sentence, advice.replace("Interrupt the kernel", "Press Ctrl-C"))
            return
        drawn = {"text/plain": text.line(sentence, advice), "text/html": html.line(sentence, advice)}
        if self._handle is None:
            self._handle = display(drawn, raw=True, display_id=True)
        else:
            self._handle.update(drawn, raw=True)
