"""Notebooks executed as they are, and with cells that travel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOST = Path(__file__).with_name("host.py")


class Host:
    """A process that executes notebooks, several at a time; see `host.py`."""

    def __init__(self, base: Path, environment: dict[str, str]) -> None:
        self.base, self.count = base, 0
        self.errors = (base / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(HOST)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
            cwd=base,
        )

    def execute(self, cells: Iterable[dict[str, Any]], ways: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What a notebook says and holds, by way; all ways at once."""
        asked: dict[int, tuple[str, Path]] = {}
        told = list(cells)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for way in ways:
            self.count += 1
            answer = self.base / f"{self.count}.json"
            asked[self.count] = way, answer
            # Of one length, so that texts are cut at the same place.
            home = str(self.base / f"{self.count:06}" / "notebook")
            ask = {"number": self.count, "answer": str(answer), "cells": told, "way": way, "home": home}
            self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        found: dict[str, dict[str, Any]] = {}
        while asked:
            line = self.process.stdout.readline()
            assert line, f"the host is gone: {(self.base / 'stderr').read_text()}"
            way, answer = asked.pop(int(line))
            found[way] = json.loads(answer.read_text())
            answer.unlink()
            assert "broken" not in found[way], found[way]["broken"]
        return found

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()
        self.errors.close()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One for all notebooks of a session, over a store of its own."""
    base = tmp_path_factory.mktemp("host ü")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBQ_", "RAY_"))}
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime:
        for folder in ("home", "store"):
            (base / folder).mkdir()
        own = {
            "HOME": str(base / "home"),
            "IPYTHONDIR": str(base / "home" / ".ipython"),
            "JOBQ_HOME": str(base / "store"),
            "JOBQ_RUNTIME_DIR": runtime,
            "JOBQ_INTERACTIVE": "0",
            "PYTHONHASHSEED": "0",  # the order of sets of texts is the same everywhere
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        made = Host(base, {**kept, **own})
        yield made
        made.close()
