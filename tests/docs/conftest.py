"""Documents as notebooks: a Python block is a cell, and the text block right below is what it shows.

They are executed headless, or with a person in front where the document says so in a comment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jobq_magic.backends.ray import pool

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PERSON = "<!-- with a person in front -->"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Block:
    """One fenced block."""

    language: str
    text: str
    line: int
    shows: str | None = None
    """The text block right below."""


@dataclass
class Document:
    """A markdown file and its blocks."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    person: bool = False
    """Whether its cells are executed as with a person in front."""

    @classmethod
    def read(cls, path: Path) -> Document:
        """Its blocks; a text block with nothing but blank lines above it belongs to the block before."""
        text, end = path.read_text(encoding="utf-8"), 0
        found = cls(path, person=_PERSON in text)
        for match in _BLOCK.finditer(text):
            language, body, line = match[1], match[2], text.count("\n", 0, match.start()) + 1
            if language == "text" and found.blocks and not text[end : match.start()].strip():
                found.blocks[-1].shows = body
            else:
                found.blocks.append(Block(language, body, line))
            end = match.end()
        return found

    def of(self, language: str) -> list[Block]:
        """The blocks in one language."""
        return [block for block in self.blocks if block.language == language]


def shown(cell: nbformat.NotebookNode) -> str:
    """What a cell shows, as text."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback) + "\n")
        else:
            parts.append(output.data["text/plain"] + "\n")
    return _ANSI.sub("", "".join(parts))


def alike(expected: str, found: str) -> bool:
    """Whether a text is what the document says; `...` stands for anything on its line."""
    lines, seen = expected.strip().splitlines(), found.strip().splitlines()
    if len(lines) != len(seen):
        return False
    patterns = [".*".join(map(re.escape, re.sub(r" +", " ", line.rstrip()).split("..."))) for line in lines]
    return all(
        re.fullmatch(pattern, re.sub(r" +", " ", line.rstrip())) for pattern, line in zip(patterns, seen, strict=True)
    )


@dataclass
class Workshop:
    """A folder as a reader of the documents has it, and the commands of this environment."""

    folder: Path

    def execute(self, blocks: list[Block], *, person: bool = False) -> list[str]:
        """Runs blocks as the cells of one notebook; what each shows."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block.text.rstrip("\n")) for block in blocks])
        resources = {"metadata": {"path": str(self.folder)}}
        env = {**os.environ, "JOBQ_INTERACTIVE": "1" if person else "0"}
        NotebookClient(book, timeout=200, allow_errors=True, resources=resources).execute(env=env)
        return [shown(cell) for cell in book.cells]

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs one command line."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.fixture(scope="module")
def warm() -> Iterator[str]:
    """A folder for what may vanish, shared by documents, so that they share a Ray too; it ends with them."""
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as folder:
        yield folder
        if Path(folder, "ray").exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("JOBQ_RUNTIME_DIR", folder)
                pool.stop()


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: str) -> Workshop:
    """A folder with the examples in it."""
    monkeypatch.setenv("JOBQ_RUNTIME_DIR", warm)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return Workshop(tmp_path)
