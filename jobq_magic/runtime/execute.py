"""Runs source as a notebook runs a cell: statement by statement, top-level await, the last expression's value."""

from __future__ import annotations

import _ast
import sys

from .afterimport import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COROUTINE = 0x80
"""`inspect.CO_COROUTINE`, without 8 ms of import."""
_lines: dict[str, list[str]] = {}


def register(label: str, text: str, first: int) -> None:
    """Lets tracebacks and `inspect.getsource` find the lines of a text that begins at line `first` of a cell."""
    lines = _lines.setdefault(label, [])
    new = text.splitlines(keepends=True)
    lines += ["\n"] * (first - 1 + len(new) - len(lines))
    lines[first - 1 : first - 1 + len(new)] = new
    # It is not imported for this: with all that it imports, it takes 2 ms.
    if "linecache" in sys.modules:
        _show(sys.modules["linecache"])
    elif len(_lines) == 1:
        after_import("linecache", _show)


def _show(linecache: Any) -> None:
    # A modification time of None keeps `linecache.checkcache` from looking for a file.
    linecache.cache |= {label: (sum(map(len, lines)), None, lines, label) for label, lines in _lines.items()}


def execute(text: str, label: str, namespace: dict[str, Any], *, first: int = 1, flags: int = 0) -> Any:
    """Executes `text` in `namespace`.

    Args:
        text: plain Python.
        label: the name that tracebacks show.
        namespace: globals and locals.
        first: the line of the cell that `text` begins at.
        flags: of `compile`: future statements that are in force.

    Returns:
        The value of the last statement where it is an expression without a semicolon after it, else None.
    """
    flags |= _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile("\n" * (first - 1) + text, label, "exec", flags | _ast.PyCF_ONLY_AST, dont_inherit=True)
    last = None
    if tree.body and isinstance(tree.body[-1], _ast.Expr) and not _silenced(text):
        last = _ast.Expression(tree.body.pop().value)
    code = compile(tree, label, "exec", flags, dont_inherit=True)
    tail = compile(last, label, "eval", flags, dont_inherit=True) if last is not None else None
    if any(part is not None and part.co_flags & _COROUTINE for part in (code, tail)):
        return _run_async(code, tail, namespace)
    eval(code, namespace)
    return eval(tail, namespace) if tail is not None else None


def _run_async(code: Any, tail: Any, namespace: dict[str, Any]) -> Any:
    import asyncio  # 25 ms that few cells need

    async def body() -> Any:
        value: Any = None
        for part in (code, tail):
            value = eval(part, namespace) if part is not None else None
            if part is not None and part.co_flags & _COROUTINE:
                value = await value
        return value

    return asyncio.run(body())


def _silenced(text: str) -> bool:
    """Whether the last expression ends in a semicolon, which keeps a notebook from showing it."""
    if ";" not in text.rstrip().rpartition("\n")[2]:  # the usual case, without `tokenize`
        return False
    import io
    import tokenize

    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT):
                last = token.string
    except (tokenize.TokenError, SyntaxError):
        return False
    return last == ";"
