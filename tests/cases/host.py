"""A process with a plain IPython shell, which forks once per notebook: `python host.py`, asked by lines of JSON.

A notebook is a list of cells. It is executed in one of three ways: `plain`, `jobq` (the extension is there from the
beginning, and cells that travel begin with `%%jobq`), or `late` (the extension comes right before the first of them).
The answer is what a person could see: what each cell wrote and said, and what the names hold in the end.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import sys
import traceback
from typing import Any

ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
TIMES = re.compile(r"^(CPU times|Wall time): .*$", re.MULTILINE)
ATOMS = (int, float, complex, bool, str, bytes, tuple, frozenset, range, type(None), type(...), slice)
LONGEST = 2_000


class Heard:
    """Where prints and displays of a notebook go, in order."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def write(self, text: str) -> int:
        if self.events and self.events[-1][0] == "stdout":
            self.events[-1] = ("stdout", self.events[-1][1] + text)
        elif text:
            self.events.append(("stdout", text))
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1


def prepared() -> Any:
    """A shell that has executed nothing, in a process that has loaded what every notebook needs."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.system = shell.system_piped
    hook = type(shell.displayhook)
    for method in ("write_output_prompt", "write_format_data", "finish_displayhook"):
        setattr(hook, method, lambda *_, **__: None)
    shell.showtraceback = lambda *_, **__: None
    # What the first cell would import; nothing of it is in the shell yet.
    import cloudpickle  # noqa: F401

    import jobq_magic.backends.local
    import jobq_magic.capture.gather
    import jobq_magic.notebook.magics
    import jobq_magic.notebook.session
    import jobq_magic.results.decode  # noqa: F401

    return shell


class Words:
    """Says values and exceptions in words that are the same in every process."""

    def __init__(self, home: str) -> None:
        self.home = home

    def error(self, error: BaseException | None, depth: int = 0) -> list[Any] | None:
        """An exception with its kin: what `except` and a reader could tell of it."""
        if error is None or depth > 5:
            return None
        own = {name: self.shown(value) for name, value in sorted(vars(error).items()) if not name.startswith("_")}
        inner = [self.error(each, depth + 1) for each in getattr(error, "exceptions", ())]
        context = error.__context__ if error.__cause__ is None and not error.__suppress_context__ else None
        kin = [self.error(each, depth + 1) for each in (error.__cause__, context)]
        return [self.clean(type(error).__name__), self.clean(str(error)), own, inner, kin]

    def held(self, names: dict[str, Any]) -> dict[str, Any]:
        """What names hold, and which of them hold one object."""
        same: dict[int, list[str]] = {}
        for name, value in names.items():
            if not isinstance(value, ATOMS):
                same.setdefault(id(value), []).append(name)
        return {
            "names": {name: self.shown(value) for name, value in names.items()},
            "same": sorted(group for group in same.values() if len(group) > 1),
        }

    def shown(self, value: Any) -> str | None:
        """A value, as text that is the same in every process."""
        if value is None:
            return None
        try:
            return f"{self.clean(type(value).__name__)}: {self.clean(repr(value))}"[:LONGEST]
        except Exception as error:
            return f"{type(value).__name__}, whose repr raises {type(error).__name__}: {error}"

    def clean(self, text: str) -> str:
        """Without addresses and times, and without the folder of this notebook."""
        return TIMES.sub(r"\1", ADDRESS.sub("0x", text.replace(self.home, "HOME").replace("\r\n", "\n")))


class Notebook(Words):
    """Executes cells in the shell of this process."""

    def __init__(self, shell: Any, *, home: str) -> None:
        super().__init__(home)
        self.shell = shell
        self.heard = Heard()
        self.runs: list[Any] = []
        self.dropped: set[str] = set()
        sys.stdout = self.heard  # type: ignore[assignment]
        shell.display_pub.publish = self._publish
        self.known = set(shell.user_ns)

    def _publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        self.heard.events.append(("display", data.get("text/plain", "")))

    def spy(self) -> None:
        """Remembers what is submitted."""
        from jobq_magic import pipeline

        plain = pipeline.submit

        def submit(*args: Any, **options: Any) -> Any:
            self.runs.append(plain(*args, **options))
            return self.runs[-1]

        pipeline.submit = submit

    def run(self, code: str) -> dict[str, Any]:
        """Executes a cell; what it wrote and said."""
        self.heard.events.clear()
        before = len(self.runs)
        result = self.shell.run_cell(code, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        told: dict[str, Any] = {"notes": []}
        events = [list(event) for event in self.heard.events]
        if len(self.runs) > before:
            events = self._of_the_job(events, told)
        told["wrote"] = [[kind, self.clean(text)] for kind, text in events]
        told["value"] = None if error is not None else self.shown(result.result)
        told["error"] = self.error(error) if error is not None else None
        if type(error).__module__ == "jobq_magic.errors":
            told["code"] = getattr(error, "code", "")
        return told

    def _of_the_job(self, events: list[list[str]], told: dict[str, Any]) -> list[list[str]]:
        """Without the notes before what the job wrote, the card below it, and the notes after that."""
        first = "".join(f"{note}\n" for note in (*self.runs[-1].notes, *self.runs[-1].bundle.notes))
        told["notes"] = first.splitlines()
        if first and events and events[0][1].startswith(first):
            events[0][1] = events[0][1][len(first) :]
        ends = [at for at, (kind, text) in enumerate(events) if kind == "display" and text.startswith("cell [")]
        if ends:
            told["notes"] += "".join(text for kind, text in events[ends[-1] + 1 :] if kind == "stdout").splitlines()
            events = events[: ends[-1]]
        return [event for event in events if event[1]]

    def look(self) -> dict[str, Any]:
        """What the names of the notebook hold, and which of them hold one object."""
        namespace = self.shell.user_ns
        names = sorted(name for name in namespace if name not in self.known and not name.startswith("_"))
        return self.held({name: namespace[name] for name in names})


def executed(shell: Any, ask: dict[str, Any]) -> dict[str, Any]:
    """The answer: what the cells said, and what the names hold."""
    os.makedirs(ask["home"], exist_ok=True)
    os.chdir(ask["home"])
    sys.path.insert(0, "")
    notebook = Notebook(shell, home=ask["home"])
    way, said = ask["way"], []
    if way != "plain":
        notebook.spy()
    first = next((at for at, cell in enumerate(ask["cells"]) if cell["jobq"] is not None), -1)
    load = {"plain": -1, "jobq": 0, "late": first}[way]
    for at, cell in enumerate(ask["cells"]):
        if at in (0, first):  # the cells have the same numbers in all three ways
            shell.run_cell("%load_ext jobq_magic" if at == load else "pass", store_history=True)
        if cell["only"] not in ("", "here" if way == "plain" else "there"):
            continue
        code = cell["code"]
        if cell["jobq"] is not None and way != "plain":
            code = f"%%jobq {cell['jobq']}".rstrip() + f"\n{code}"
        elif cell["jobq"] is not None:
            code = f"\n{code}"
        said.append(notebook.run(code))
    return {"said": said, **notebook.look(), "drops": sorted(dropped(shell, ask["cells"]))}


def dropped(shell: Any, cells: list[dict[str, Any]]) -> set[str]:
    """What cells that travel bind, and what does not come back: definitions and imports."""
    found: set[str] = set()
    for cell in cells:
        if cell["jobq"] is None:
            continue
        try:
            waiting: list[ast.AST] = [ast.parse(shell.transform_cell(cell["code"]))]
        except SyntaxError:
            continue
        while waiting:
            for node in ast.iter_child_nodes(waiting.pop()):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    found.add(node.name)
                elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                    found |= set(dir(importlib.import_module(str(node.module))))
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
                else:
                    waiting.append(node)
    return found


def main() -> None:
    """Answers until its input ends; `number` tells which question an answer is of."""
    shell = prepared()
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in iter(sys.stdin.readline, ""):
        ask = json.loads(line)
        if os.fork():
            while True:  # whoever has ended
                try:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        break
                except ChildProcessError:
                    break
            continue
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        try:
            answer = executed(shell, ask)
        except BaseException:
            answer = {"broken": traceback.format_exc()}
        data = json.dumps({"number": ask["number"], **answer}).encode() + b"\n"
        with os.fdopen(os.open(ask["answer"] + ".part", os.O_WRONLY | os.O_CREAT), "wb") as file:
            file.write(data)
        os.rename(ask["answer"] + ".part", ask["answer"])
        os.write(out, b"%d\n" % ask["number"])
        os._exit(0)


if __name__ == "__main__":
    main()
