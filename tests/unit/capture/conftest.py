"""A notebook without a kernel, jobs without a backend: what travels is loaded by a process that knows nothing of it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from jobq_magic.capture import CaptureOptions, DefinitionIndex, Source, capture
from jobq_magic.runtime.execute import execute, register
from jobq_magic.runtime.launch import runtime_folder

# Forks once per bundle: a job starts from here with the runtime loaded, and nothing else.
REPLAYER = """
import json, os, sys, traceback
from _jobq_runtime import execute, main, wire, shell, state
for line in sys.stdin:
    ask = json.loads(line)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answer = {}
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            manifest = json.load(open(os.path.join(ask["bundle"], "manifest.json")))
            fresh = main.fresh_main()
            main.load_steps(ask["bundle"], manifest["steps"], fresh)
            value = main._cell(ask["bundle"], manifest["cell"], fresh)
            answer["value"] = repr(value)
            answer["names"] = {n: repr(fresh.__dict__[n]) for n in manifest["cell"]["outs"] if n in fresh.__dict__}
            answer["shows"] = {n: repr(eval(n, fresh.__dict__)) for n in ask["show"]}
            answer["held"] = sorted(n for n in fresh.__dict__ if not n.startswith("__"))
        except BaseException:
            answer["error"] = traceback.format_exc()
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    print(data.decode(), flush=True)
"""


@pytest.fixture(scope="session")
def replayer(tmp_path_factory):
    """A process that loads bundles."""
    folder = runtime_folder(tmp_path_factory.mktemp("runtime"))
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", REPLAYER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path_factory.mktemp("elsewhere"),
    )
    yield process
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


class Notebook:
    """Executes cells in a `__main__` of its own and keeps an index of them, as a kernel with the extension does."""

    def __init__(self, folder: Path, replayer) -> None:
        self.main = ModuleType("__main__")
        self.index = DefinitionIndex()
        self.folder = folder
        self.count = 0
        self.history: list[tuple[str, str]] = []
        self._replayer = replayer
        self._bundles = 0

    @property
    def names(self):
        return self.main.__dict__

    def run(self, cell: str, *, record: bool = True):
        """Executes a cell; its last value."""
        self.count += 1
        text = TransformerManager().transform_cell(cell)
        label = f"Cell [{self.count}]"
        self.history.append((label, text))
        register(label, text, 1)
        if record:
            self.index.before(text, self.names)
        try:
            return execute(text, label, self.names)
        finally:
            if record:
                self.index.record(text, label, self.names, self.count)

    def capture(self, cell: str, **options):
        """The bundle of a cell."""
        self._bundles += 1
        transform = TransformerManager().transform_cell
        source = Source(
            cell=transform(cell),
            label=f"Cell [{self.count + 1}]",
            namespace=self.names,
            index=self.index,
            transform=transform,
        )
        return capture(source, self.folder / f"bundle{self._bundles}", CaptureOptions(**{"here": False, **options}))

    def job(self, bundle, *show: str) -> dict:
        """What a fresh process makes of a bundle."""
        self._replayer.stdin.write(json.dumps({"bundle": str(bundle.folder), "show": show}) + "\n")
        self._replayer.stdin.flush()
        answer = json.loads(self._replayer.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def agree(self, cell: str, **options):
        """Runs a cell there and here: value and names must be the same. Returns its bundle."""
        bundle = self.capture(cell, **options)
        there = self.job(bundle)
        value = self.run(cell)
        assert there["value"] == repr(value)
        here = {name: repr(self.names[name]) for name in bundle.cell["outs"] if name in self.names}
        assert there["names"] == here
        return bundle


@pytest.fixture
def notebook(tmp_path, monkeypatch, replayer):
    """An empty notebook."""
    made = Notebook(tmp_path, replayer)
    monkeypatch.setitem(sys.modules, "__main__", made.main)
    return made


def steps(bundle, kind: str) -> list[str]:
    """The names of a bundle's steps of a kind, in order."""
    return [
        ",".join(step.get("names") or [step.get("name") or step.get("of") or step.get("what") or step["module"]])
        for step in bundle.steps
        if step["kind"] == kind
    ]


def loaded(bundle, name: str):
    """A value of a bundle, as a job loads it."""
    from jobq_magic.runtime.wire import read_group

    step = next(step for step in bundle.steps if step["kind"] == "value" and name in step["names"])
    return read_group(bundle.folder / step["file"], loads=pickle.loads)[name]
