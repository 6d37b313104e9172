"""`make demo`: executes 03-pi-on-ray.ipynb with nobody in front, and says what happened.

The run goes into your own store, so that `jobq list` shows it afterwards.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from rich.console import Console
from rich.markup import escape

from jobq_magic.render import text
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.words import duration, say

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "03-pi-on-ray.ipynb"
EXECUTED = HERE.parent / "build" / "demo" / "pi.ipynb"
CELL, NAME = "pi", "pi"

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Returns the exit status: 0 where π came back."""
    console.print(f"[bold]{shown(SOURCE)}[/], executed headless: π on four Ray workers of this machine")
    console.print("[dim]The first time, Ray has to start: a few seconds. Later runs find it warm.[/]\n")
    began, since = time.monotonic(), time.time()
    notebook = nbformat.read(SOURCE, as_version=4)
    store = Store()
    work = Work(notebook)
    work.start()
    try:
        watch(store, since, work)
    except KeyboardInterrupt:
        if (run := newest(store, since)) is not None:
            store.request_stop(run, "interrupted")
            work.join(20)
        return failed(RuntimeError("It was interrupted, and its run is stopped"))
    EXECUTED.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, EXECUTED)
    if work.error is not None:
        return failed(work.error)
    printed = output_of(notebook, CELL)
    run = newest(store, since)
    if "π" not in printed or run is None:
        return failed(RuntimeError("The notebook ran, and did not print π"))
    snapshot = store.snapshot(run)
    console.print(f"  [bold green]{escape(printed)}[/]\n")
    for what, how_long in text.spent(snapshot):
        console.print(f"  {what:<14}{how_long:>8}")
    console.print(f"  {'all of it':<14}{duration(time.monotonic() - began):>8}   [dim]with the start of a kernel[/]\n")
    jobq = shown(Path(sys.executable).parent / "jobq")
    console.print(f"  the notebook   {shown(EXECUTED)}")
    console.print(f"  open it        {shown(Path(sys.executable).parent / 'jupyter')} lab {shown(EXECUTED)}")
    console.print(f"  the run        {run.id}, in your store: {jobq} list; {jobq} logs {run.id}")
    return 0


class Work(threading.Thread):
    """Executes the notebook as nbconvert does, but for the kernel's own log; aside, so that an interrupt reaches `main`."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        super().__init__(daemon=True)
        self.error: Exception | None = None
        self._client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=600,
            record_timing=False,
            extra_arguments=["--IPKernelApp.log_level=40"],
            resources={"metadata": {"path": str(HERE)}},
        )

    def run(self) -> None:
        """Until its end, or the first cell that fails."""
        try:
            self._client.execute()
        except Exception as error:
            self.error = error


def watch(store: Store, since: float, work: Work) -> None:
    """Shows where the run stands until the notebook has ended."""
    told = ""
    with console.status("Starting a kernel") as spinner:
        while work.is_alive():
            run = newest(store, since)
            sentence = "Starting a kernel" if run is None else standing(store, run)
            spinner.update(escape(sentence))
            plain = sentence.partition("  ")[0]
            if not console.is_terminal and plain != told:
                console.print(f"  {escape(plain)}")
            told = plain
            work.join(0.1)


def standing(store: Store, run: Run) -> str:
    """One line: where a run stands, how far it is, and since when."""
    snapshot = store.snapshot(run)
    progress = ", ".join(text.progress(state) for state in snapshot.progress)
    since = snapshot.times[-1].at if snapshot.times else snapshot.created
    taken = "" if snapshot.final else f"  {duration(max(0.0, time.time() - since))}"
    return f"{say(snapshot).sentence}{taken}" + (f"  ({progress})" if progress and not snapshot.final else "")


def newest(store: Store, since: float) -> Run | None:
    """The run of this demo, once it is there."""
    return next((run for run in store.list(limit=3) if run.name == NAME and run.created >= since), None)


def output_of(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    """What a cell printed, each line set in like the rest."""
    cell = next(cell for cell in notebook.cells if cell.get("id") == cell_id)
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()
    return printed.replace("\n", "\n  ")


def failed(error: Exception) -> int:
    """Says why, and where more is to be seen."""
    why = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
    console.print(f"[bold red]The demo failed.[/] {escape(why)}")
    if EXECUTED.exists():
        console.print(f"  the notebook, as far as it came: {shown(EXECUTED)}")
    return 1


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
