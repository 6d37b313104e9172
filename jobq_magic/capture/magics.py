"""IPython's magics in a cell that IPython has already transformed: `get_ipython().run_line_magic(...)` and its kin.

Some travel (the job has a small shell that knows them), some are dropped because they are about the kernel, and all
others are refused.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter

from jobq_magic.capture.statements import walk
from jobq_magic.errors import CaptureError

__all__ = ["MagicCall", "calls", "magic_call", "settle", "shell_names"]

_METHODS = frozenset({"system", "getoutput", "run_line_magic", "run_cell_magic"})
_PYTHON = frozenset({"time", "timeit", "prun", "capture"})
_SHELL = frozenset({"bash", "sh"})
_DROPPED = frozenset({"matplotlib", "load_ext", "reload_ext", "autoreload", "config"})
_INSTALLERS = frozenset({"pip", "conda", "mamba", "micromamba", "uv"})
_WAYS_OUT = {
    "cd": "Use os.chdir(...)",
    "run": "Import the file, or run it with !python",
    "writefile": "Use open(..., 'w')",
    "jobq": "A cell travels once: remove the inner one",
}
# Options of the timing magics that take a value, attached or as the next word.
_VALUED = {"timeit": "nrp", "prun": "lsTD", "time": "", "capture": ""}
_DOLLAR = re.compile(r"\$\$|\$([^\W\d][\w.]*\w|[^\W\d])")


@dataclass(frozen=True, slots=True)
class MagicCall:
    """One magic: `!ls` is the method `system`, `%%time` the method `run_cell_magic` with the name `time`."""

    node: ast.Call
    method: str
    name: str
    line: str
    cell: str | None

    @property
    def shown(self) -> str:
        """As the user wrote it, near enough."""
        if self.method in ("system", "getoutput"):
            return f"!{self.line}"
        return f"{'%%' if self.cell is not None else '%'}{self.name} {self.line}".rstrip()

    @property
    def body(self) -> str | None:
        """The Python that it executes, still in IPython's syntax; None where it executes none."""
        if self.name not in _PYTHON:
            return None
        return self.cell if self.cell is not None else self._statement()

    @property
    def setup(self) -> str:
        """The Python that `%%timeit` executes first."""
        return self._statement() if self.name == "timeit" and self.cell is not None else ""

    @property
    def binds(self) -> bool:
        """Whether the names that the body binds are the notebook's."""
        return self.name != "timeit"

    @property
    def captured(self) -> list[str]:
        """Names that it binds itself: `%%capture out`, `%%bash --out text`."""
        if self.name == "capture":
            return [word for word in self.line.split() if word.isidentifier()][:1]
        if self.name in _SHELL:
            return re.findall(r"--(?:out|err|proc)[ =]+(\w+)", self.line)
        return []

    def _statement(self) -> str:
        rest = self.line.lstrip()
        while (match := re.match(r"(--[\w-]+(=\S*)?|-(\w)(\S*))(\s+|$)", rest)) is not None:
            rest = rest[match.end() :]
            letter, attached = match[3], match[4]
            if letter and letter in _VALUED[self.name] and not attached:
                rest = re.sub(r"^\S+\s*", "", rest)
        return rest


def magic_call(node: ast.AST) -> MagicCall | None:
    """The magic that a node of a transformed cell is, if it is one."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method), args=[*given]
        ) if method in _METHODS:
            words = [word.value for word in given if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            if len(words) != len(given) or not words:
                return None
            if method in ("system", "getoutput"):
                return MagicCall(node, method, method, words[0], None)
            line = words[1] if len(words) > 1 else ""
            return MagicCall(node, method, words[0], line, words[2] if len(words) > 2 else None)
    return None


def calls(tree: ast.AST) -> list[MagicCall]:
    """All magics in a tree, from top to bottom."""
    found = [magic for node in walk(tree) if (magic := magic_call(node)) is not None]
    return sorted(found, key=lambda magic: (magic.node.lineno, magic.node.col_offset))


def shell_names(line: str) -> list[str]:
    """The expressions that IPython puts their values for: `{expr}` and `$name`, also in the format of another."""
    names = [match[1] for match in _DOLLAR.finditer(line) if match[1]]
    ahead = [line]
    while ahead:
        try:
            for _, expression, spec, _ in Formatter().parse(ahead.pop()):
                names += [expression] if expression else []
                ahead += [spec] if spec else []
        except ValueError:  # a brace alone: IPython leaves the line as it is
            continue
    return names


def settle(text: str, transform: Callable[[str], str] | None = None) -> tuple[str, list[str]]:
    """The text with the magics that travel, without those that mean nothing in a job.

    Args:
        text: a transformed cell that compiles.
        transform: IPython's transformation, for bodies of magics, which arrive raw.

    Returns:
        The text, with every line where it was, and notes on what was dropped.

    Raises:
        CaptureError: `magic-cannot-travel`.
        SyntaxError: in a body.
    """
    if "get_ipython" not in text:
        return text, []
    notes: list[str] = []
    changes: list[tuple[ast.Call, str]] = []
    for magic in calls(ast.parse(text)):
        if magic.name in _DROPPED:
            notes.append(f"{magic.shown} is for the kernel, and was left out")
            changes.append((magic.node, "None"))
            continue
        _refuse(magic)
        if magic.body is None:
            continue
        body, more = settle(transform(magic.body) if transform is not None else magic.body, transform)
        ast.parse(body)
        notes += more
        if body.strip() != magic.body.strip():
            head = magic.line if magic.cell is not None else magic.line[: len(magic.line) - len(magic.body)]
            words = [magic.name, head, body] if magic.cell is not None else [magic.name, head + body.strip()]
            changes.append((magic.node, f"get_ipython().{magic.method}({', '.join(map(repr, words))})"))
    return _replace(text, changes), notes


def _refuse(magic: MagicCall) -> None:
    if magic.method in ("system", "getoutput") or magic.name in _PYTHON | _SHELL | {"env"}:
        first = _first_word(magic.line) if magic.method in ("system", "getoutput") else ""
        if first not in ("pip", "pip3", "conda", "mamba") or " install" not in magic.line:
            return
    if magic.name in _INSTALLERS or magic.method in ("system", "getoutput"):
        raise CaptureError(
            "magic-cannot-travel",
            f"{magic.shown} (line {magic.node.lineno}) would install into the job, not into this kernel",
            do="Run it in a cell of its own, or name what the job needs with --requirement",
        )
    raise CaptureError(
        "magic-cannot-travel",
        f"{magic.shown} (line {magic.node.lineno}) does not work in a job",
        do=_WAYS_OUT.get(magic.name, "Run it in a cell of its own, or remove it"),
    )


def _first_word(line: str) -> str:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    return words[0] if words else ""


def _replace(text: str, changes: list[tuple[ast.Call, str]]) -> str:
    lines = text.encode().splitlines(keepends=True)
    for node, new in sorted(changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        # Lines stay where they are, so that tracebacks name the right ones.
        padded = f"({new}" + "\n" * (last - first) + ")" if last > first else new
        lines[first : last + 1] = (before + padded.encode() + after).splitlines(keepends=True)
    return b"".join(lines).decode()
