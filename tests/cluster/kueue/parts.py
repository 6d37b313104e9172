"""Who takes part in a round: the kernel that submits, and the witness to whom cells tell what they do."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.cluster.kueue.judge import Heard
from tests.cluster.layout import FIRST

KERNEL = """
import os, sys
from pathlib import Path
from jobq_magic import config, follower, pipeline
from jobq_magic.capture import Source
from jobq_magic.runs.store import Store
options, cell = {options!r}, {cell!r}
where = dict(magics={{}}, cwd=Path.cwd(), environ=os.environ, interactive=False)
resolved = config.resolve(options, **where)
from jobq_magic.plugins import backend
backend(resolved.target["backend"])
print("ready", flush=True)
sys.stdin.readline()
store = Store()
source = Source(cell=cell, label="Cell [1]", namespace={{}})
submitted = pipeline.submit(resolved, source, store, headless=True)
follower.tend(store, submitted.run)
print("submitted", flush=True)
sys.stdin.readline()
"""


class Witness:
    """Hears what cells say of themselves, by connections that nothing of the product or the cluster is on."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._lines: dict[str, socket.socket] = {}
        self.did = 0
        self._listening = socket.create_server((FIRST.address, 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def tell(self, words: str) -> bool:
        """Says something to the cell that is at work now; whether there is one."""
        for one in reversed(self.heard):
            if one.over == float("inf") and one.value is None:
                with contextlib.suppress(OSError):
                    self._lines[one.name].sendall(words.encode())
                    return True
        return False

    @property
    def ended(self) -> bool:
        """Whether a cell came to its own end."""
        return any(one.leads and one.value is not None for one in self.heard)

    @property
    def busy(self) -> bool:
        """Whether a cell is being executed, or a process is there that had a task of it."""
        return any(one.over == float("inf") for one in self.heard)

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._hear, args=(line,), daemon=True).start()

    def _hear(self, line: socket.socket) -> None:
        one: Heard | None = None
        with contextlib.suppress(OSError), line, line.makefile("r") as words:
            for word in words:
                kind, *rest = word.split()
                if kind == "begun":
                    one = Heard(rest[0], int(rest[1]), time.monotonic(), who=rest[2])
                    self._lines[one.name] = line
                    self.heard.append(one)
                elif one is not None and kind == "end":
                    one.value = int(rest[0])
                elif kind == "did":
                    self.did += 1
                elif one is not None:
                    setattr(one, kind, int(rest[0]))
        if one is not None:
            one.over = time.monotonic()


class Kernel:
    """A kernel for those who have no time for one: a process that submits, and stays."""

    def __init__(self, text: str, options: dict[str, Any]) -> None:
        self.log = Path("kernel.log").absolute()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", KERNEL.format(options=options, cell=text)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.said() == "ready", self.log.read_text()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> bool:
        """Kills it; whether it lived."""
        lived = self.alive
        self.process.kill()
        return lived

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.kill()
        self.process.wait()
