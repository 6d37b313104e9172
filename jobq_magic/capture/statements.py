"""What is known of a statement by its text: a cell that is edited in one line is compiled in that line only."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

from jobq_magic.capture.bytecode import compiled

__all__ = ["Text", "check", "children", "remembered", "walk"]

_ACROSS = re.compile(r"\b(global|nonlocal|__future__)\b")
"""What can be wrong although every single statement is right."""
_WHOLE = (ast.Assign, ast.AugAssign, ast.Expr, ast.Import, ast.FunctionDef, ast.AsyncFunctionDef, ast.Delete)
"""Statements that are compiled as a whole when their names are looked for."""
_ENDS = (ast.Raise, ast.While, ast.If, ast.Try, ast.With, ast.Match)
"""Statements behind which nothing may be reached."""

_MOST = 8192
"""How many findings are remembered; a notebook of 300 cells makes about that many."""
_LONG = 50_000
"""Bytes of a statement beyond which nothing is remembered: such texts are data."""
_LEAVES = frozenset({int, str, type(None), bool, float, complex, bytes, ast.Load, ast.Store, ast.Del})

_T = TypeVar("_T")
_known: dict[Hashable, object] = {}


class Text:
    """A text whose statements are asked for their own part of it."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode("utf-8", "replace").splitlines(keepends=True)

    def of(self, node: ast.AST) -> bytes | None:
        """The part of a node, from the line of its first decorator on; None where it is not known."""
        first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if first is None or last is None or not 0 < first <= last <= len(self._lines):
            return None
        start: int = node.col_offset  # type: ignore[attr-defined]
        end: int = node.end_col_offset  # type: ignore[attr-defined]
        if decorators := getattr(node, "decorator_list", None):
            first, start = min(decorator.lineno for decorator in decorators), 0
        if first == last:
            one: bytes = self._lines[first - 1][start:end]
            return one
        lines = self._lines
        part = [lines[first - 1][start:], *lines[first : last - 1], lines[last - 1][:end]]
        found: bytes = b"".join(part)
        return found if len(found) <= _LONG else None


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes right below, without what only says whether a name is read or bound; quicker than `ast`.

    Only the fields of a node are looked at. All trees share the nodes of operators, and what draws IPython's tracebacks
    gives each node of its own trees a `parent`: from such an operator the way would lead into those, and round in them.
    """
    held = node.__dict__
    for name in node._fields:
        value: Any = held.get(name)
        kind = type(value)
        if kind in _LEAVES:
            continue
        if kind is list:
            for one in value:
                if isinstance(one, ast.AST):
                    yield one
        elif isinstance(value, ast.AST):
            yield value


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node, and all below it, in no order."""
    ahead = [node]
    while ahead:
        node = ahead.pop()
        yield node
        ahead.extend(children(node))


def remembered(key: Hashable | None, find: Callable[[], _T]) -> _T:
    """What `find` gives, found once for each key; always anew for None. What raises is not remembered."""
    if key is None:
        return find()
    if (found := _known.get(key, _known)) is not _known:
        return found  # type: ignore[return-value]
    made = find()
    if len(_known) >= _MOST:
        # The older half: a dictionary keeps its order.
        for old in list(_known)[: _MOST // 2]:
            _known.pop(old, None)
    _known[key] = made
    return made


def check(tree: ast.Module, text: str, parts: Text, flags: int) -> None:
    """Compiles what following the statements would not: what is wrong beyond a single one, or is never reached.

    Raises:
        SyntaxError: it does not compile.
    """
    if _ACROSS.search(text):
        compiled(tree.body, flags)
        return
    reached = True
    for statement in tree.body:
        if not reached or not isinstance(statement, _WHOLE):
            key = parts.of(statement)
            remembered(None if key is None else ("compiles", key, flags), _compiles(statement, flags))
        reached = reached and not isinstance(statement, _ENDS)


def _compiles(statement: ast.stmt, flags: int) -> Callable[[], bool]:
    return lambda: compiled([statement], flags) is not None
