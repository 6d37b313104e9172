"""`make demo`: executes 03-pi-on-ray.ipynb with nobody in front, and says what happened.

The run goes into your own store, so that `jobq list` shows it afterwards.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from rich.console import Console
from rich.markup import escape

from jobq_magic.errors import JobqError
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
    try:
        store = Store()
        with watched(store, since):
            execute(notebook)
    except (CellExecutionError, DeadKernelError, JobqError) as error:
        return failed(error)
    except KeyboardInterrupt:
        if (run := newest(store, since)) is not None:
            store.request_stop(run, "interrupted")
        return failed(RuntimeError("it was interrupted"))
    finally:
        EXECUTED.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, EXECUTED)
    printed = output_of(notebook, CELL)
    run = newest(store, since)
    if "π" not in printed or run is None:
        return failed(RuntimeError("the notebook ran, and did not print π"))
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


def execute(notebook: nbformat.NotebookNode) -> None:
    """Executes it as nbconvert does, without the kernel's own log."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(HERE)}},
    )
    client.execute()


@contextmanager
def watched(store: Store, since: float) -> Iterator[None]:
    """Shows where the run stands while it has not ended."""
    ended = threading.Event()
    with console.status("Starting a kernel") as spinner:

        def watch() -> None:
            told = ""
            while not ended.wait(0.1):
                sentence = "Starting a kernel" if (run := newest(store, since)) is None else standing(store, run)
                spinner.update(sentence)
                plain = sentence.partition("  ")[0]
                if not console.is_terminal and plain != told:
                    console.print(f"  {plain}")
                told = plain

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


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
    """What a cell printed."""
    cell = next(cell for cell in notebook.cells if cell.get("id") == cell_id)
    return "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()


def failed(error: Exception) -> int:
    """Says why, in one sentence."""
    if isinstance(error, CellExecutionError):
        why = f"{error.ename}: {error.evalue}"
    elif isinstance(error, DeadKernelError):
        why = "the kernel died"
    else:
        why = str(error)
    console.print(f"[bold red]The demo failed.[/] {escape(why)}")
    console.print(f"  what was executed: {shown(EXECUTED)}")
    return 1


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
