"""JupyterLab and Notebook 7 as a person has them: a page, its notebooks, and what each cell shows.

Nothing here clicks where a command does it: the application is asked through `window.jupyterapp`, which is there under
`--expose-app-in-browser`. What a person clicks in our own output is clicked for real: `book.area(0).get_by_role(...)`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import ConsoleMessage, Error, Locator, Page

ROOT = Path(__file__).parents[2]
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

# What the applications say of themselves, whatever a notebook shows.
_NOT_OURS = (
    "reading 'schema'",  # Notebook 7.6 asks for settings of plugins that it does not have
    "the server responded with a status of 404",  # files of settings that nobody wrote
    "reading 'kernel'",  # jupyterlab_widgets 3.0, of a notebook without a kernel
    "reading 'last_modified'",  # Notebook 7.2, of a notebook without a checkpoint
    "Could not restore the debugger state",
    "create_subshell_request",  # a kernel that ends while JupyterLab still asks it for one
    "net::ERR_NETWORK_CHANGED",  # pods of a cluster on this machine come and go
    "ResizeObserver loop",
    "reading 'processLuminoMessage'",  # JupyterLab 4.6, of a part of a page that is closed while it is being laid out
)

_WIDGET = """
const widget = [...jupyterapp.shell.widgets("main")].find(w => w.context?.path === path);
if (!widget) throw new Error(`${path} is not open`);
const book = widget.content, session = widget.sessionContext, cell = book.widgets[index];
"""

# Notebook 7 has opened the one notebook of its page already.
_OPEN = """async ([path, kernel]) => {
    const factory = "Notebook", start = kernel ? {kernel: {name: "python3"}} : {};
    const kernelPreference = {shouldStart: kernel, autoStartDefault: false, canStart: kernel};
    const there = [...jupyterapp.shell.widgets("main")].find(w => w.context?.path === path);
    const open = () => jupyterapp.commands.execute("docmanager:open", {path, factory, kernelPreference, ...start});
    const widget = there ?? await open();
    await widget.context.ready;
    widget.node.dataset.path = path;
    if (kernel) {
        await widget.sessionContext.ready;
        await widget.sessionContext.session.kernel.info;
    }
    await widget.revealed;
}"""


@dataclass
class Server:
    """A running Jupyter server, with what its kernels have."""

    url: str
    folder: Path
    """Where the notebooks are; the working folder of the kernels."""
    env: dict[str, str]
    """The environment of the kernels: `JOBQ_HOME` and the like."""


@dataclass
class Lab:
    """One tab of a browser with JupyterLab in it, or with Notebook 7."""

    page: Page
    server: Server
    problems: list[str] = field(default_factory=list)
    """What the page complained about: uncaught exceptions, and errors on the console."""
    books: list[Book] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)

    def start(self, path: str = "lab?reset") -> None:
        """Loads the application, with no notebook open: `lab?reset`, or `notebooks/NAME.ipynb` for Notebook 7."""
        self.page.goto(f"{self.server.url}/{path}", wait_until="commit")
        self.ready()

    def ready(self) -> None:
        """Waits until the application is there."""
        self.page.wait_for_function("window.jupyterapp !== undefined")
        self.page.evaluate("jupyterapp.restored.then(() => null)")

    def open(self, cells: Sequence[str], *, name: str = "", extension: bool = True) -> Book:
        """A new notebook with these cells, open, in front, with a kernel of its own.

        Args:
            cells: the sources. Cell 0 is the first of them.
            name: of the file, without `.ipynb`.
            extension: whether `%load_ext jobq_magic` has been executed, quietly.
        """
        self.made += 1
        book = self.written(cells, name or f"book-{self.made}")
        self.evaluate(_OPEN, [book.path, True])
        if extension:
            book.quietly("%load_ext jobq_magic")
        return book

    def open_classic(self, cells: Sequence[str], *, name: str = "", extension: bool = True) -> Book:
        """The same in Notebook 7, which has one notebook a page."""
        self.made += 1
        book = self.written(cells, name or f"classic-{self.made}")
        self.start(f"notebooks/{book.path}")
        self.evaluate(_OPEN, [book.path, True])
        if extension:
            book.quietly("%load_ext jobq_magic")
        return book

    def written(self, cells: Sequence[str], name: str) -> Book:
        """A notebook as a file, not open yet."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        book.metadata["kernelspec"] = KERNEL
        nbformat.write(book, self.server.folder / f"{name}.ipynb")
        self.books.append(Book(self, f"{name}.ipynb"))
        return self.books[-1]

    def evaluate(self, function: str, argument: Any = None, timeout: float = 60) -> Any:
        """What a JavaScript function gives; unlike the page's own `evaluate`, not later than the time-out."""
        late = f"new Promise((_, no) => setTimeout(() => no(new Error('not within {timeout} s')), {1000 * timeout}))"
        return self.page.evaluate(f"argument => Promise.race([({function})(argument), {late}])", argument)

    def theme(self, name: str) -> None:
        """Changes the theme: `JupyterLab Light`, `JupyterLab Dark`."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def alone(self) -> None:
        """Hides what stands beside the notebooks."""
        self.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
        self.page.wait_for_selector("#jp-left-stack", state="hidden")

    def close(self) -> None:
        """Closes every notebook and ends its kernel."""
        for book in [*self.books]:
            book.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"{message.text} ({message.location.get('url', '')})")

    def _on_error(self, error: Error) -> None:
        self._complain(f"{error.message}\n{error.stack or ''}")

    def _complain(self, text: str) -> None:
        if not any(words in text for words in _NOT_OURS):
            self.problems.append(text)


@dataclass
class Book:
    """One open notebook. Cells are counted from 0."""

    lab: Lab
    path: str

    # --- what a person does ---

    def start(self, index: int) -> None:
        """Executes a cell, and does not wait."""
        self.show()
        self._js("book.activeCellIndex = index; void jupyterapp.commands.execute('notebook:run-cell');", index)

    def run(self, index: int) -> bool:
        """Executes a cell and waits until it is done; whether it ended without an error."""
        self.show()
        code = "book.activeCellIndex = index; return await jupyterapp.commands.execute('notebook:run-cell');"
        return bool(self._js(code, index))

    def run_all(self) -> bool:
        """Executes all cells and waits; whether none of them failed. What follows an error is not executed."""
        self.show()
        return bool(self._js("return await jupyterapp.commands.execute('notebook:run-all-cells');"))

    def write(self, index: int, source: str) -> None:
        """Gives a cell another source."""
        self._js("cell.model.sharedModel.setSource(more);", index, source)

    def append(self, source: str) -> int:
        """Adds a cell at the end; its index."""
        code = "book.model.sharedModel.addCell({cell_type: 'code', source: more}); return book.widgets.length - 1;"
        return int(self._js(code, 0, source))

    def interrupt(self) -> None:
        """What the ■ of the toolbar does."""
        self._js("await session.session.kernel.interrupt();")

    def show(self) -> None:
        """Brings the notebook to the front."""
        self._js("jupyterapp.shell.activateById(widget.id); await widget.revealed;")

    def save(self) -> nbformat.NotebookNode:
        """Saves; the notebook as it is on disk then."""
        self._js("await widget.context.save();")
        return nbformat.read(self.lab.server.folder / self.path, as_version=4)

    def reload(self, *, save: bool = True, kernel: bool = True) -> None:
        """Loads the page anew and opens the notebook again, as the browser's own reload does.

        Args:
            save: whether it is saved before; otherwise what happened since the last save is lost.
            kernel: whether its kernel is found again; without, it is shut down, and there is none.
        """
        if save:
            self.save()
        if not kernel:
            self._js("await session.shutdown();")
        self.lab.start()
        self.reopen(kernel=kernel)

    def reopen(self, *, kernel: bool = True) -> None:
        """Opens it again in a page that was loaded anew for another notebook."""
        self.lab.evaluate(_OPEN, [self.path, kernel])

    def close(self) -> None:
        """Closes it without saving, and ends its kernel."""
        self.lab.books.remove(self)
        try:
            self._js("await session.shutdown(); widget.context.model.dirty = false; widget.close();")
        except Error:  # the page has gone on to another notebook
            pass

    # --- what a person sees ---

    def area(self, index: int) -> Locator:
        """The output area of a cell: for clicks, `get_by_role`, `expect(...)`."""
        return self._cell(index).locator(".jp-Cell-outputArea")

    def text(self, index: int) -> str:
        """What is to be read below a cell, as a person reads it."""
        self.show()
        return str(self.area(index).inner_text())

    def html(self, index: int) -> str:
        """The HTML below a cell."""
        return str(self.area(index).inner_html())

    def prompt(self, index: int) -> str:
        """`[3]:`, or `[*]:` while the cell waits or runs."""
        return str(self._cell(index).locator(".jp-InputPrompt").inner_text()).strip()

    def says(self, index: int, words: str, timeout: float = 20) -> None:
        """Waits until the words are to be read below a cell."""
        self.show()
        self.area(index).get_by_text(words).first.wait_for(timeout=1000 * timeout)

    def idle(self, timeout: float = 60) -> None:
        """Waits until no cell waits or runs, and the kernel is idle."""
        self.lab.page.wait_for_function(
            f"""path => {{ const index = 0; {_WIDGET}
            return session.session?.kernel?.status === "idle" &&
                book.widgets.every(one => one.model.type !== "code" || one.model.executionState === "idle"); }}""",
            arg=self.path,
            timeout=1000 * timeout,
        )

    def picture(self, index: int, name: str) -> Path:
        """A picture of what is below a cell: `build/pictures/NAME`, or `$PICTURES/NAME`."""
        self.show()
        return picture(self.area(index), name)

    # --- what a notebook holds ---

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell as the page holds them: what would be saved."""
        return list(self._js("return cell.model.outputs.toJSON();", index))

    def quietly(self, code: str) -> None:
        """Executes code that is in no cell and in no history, and waits."""
        self._js("await session.session.kernel.requestExecute({code: more, silent: true}).done;", 0, code)

    def _cell(self, index: int) -> Locator:
        notebook = self.lab.page.locator(f'.jp-NotebookPanel[data-path="{self.path}"]')
        return notebook.locator(".jp-WindowedPanel-viewport > .jp-Cell").nth(index)

    def _js(self, code: str, index: int = 0, more: Any = None) -> Any:
        return self.lab.evaluate(f"async ([path, index, more]) => {{ {_WIDGET} {code} }}", [self.path, index, more])


def picture(what: Locator | Page, name: str) -> Path:
    """A picture of a part of a page: `build/pictures/NAME`, or `$PICTURES/NAME`."""
    path = ROOT / os.environ.get("PICTURES", "build/pictures") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    what.screenshot(path=path, animations="disabled")
    return path
