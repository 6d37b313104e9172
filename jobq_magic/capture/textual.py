"""Names in texts that are code: constants for `eval` and `exec`, keys of `globals()`, queries of data frames."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from jobq_magic.capture.statements import walk

__all__ = ["TEXTUAL", "constant_exec", "hides_names", "own_namespace", "textual_names", "textual_stores"]

TEXTUAL = re.compile(r"\b(eval|exec|query|globals|locals|vars)\s*\(")
"""Without a match of it, a text has nothing of the kind."""
_SPACES = frozenset({"globals", "locals", "vars"})
_METHODS = frozenset({"query", "eval"})
_AT_NAME = re.compile(r"@([A-Za-z_]\w*)")


def textual_names(node: ast.AST) -> set[str]:
    """The names that a statement may read by texts in it, without that of a constant `exec`."""
    found: set[str] = set()
    apart = node.value if constant_exec(node) is not None else None  # type: ignore[attr-defined]
    for inner in walk(node):
        match inner:
            case ast.Call(func=ast.Name(id="eval" | "exec"), args=[ast.Constant(value=str(text)), *_]):
                if inner is not apart and not own_namespace(inner):
                    found |= _names_in(text)
            case ast.Call(func=ast.Attribute(attr=method), args=[ast.Constant(value=str(text)), *_]) if (
                method in _METHODS
            ):
                found.update(_AT_NAME.findall(text))
                match inner.func:
                    case ast.Attribute(value=ast.Name(id="pd" | "pandas"), attr="eval"):  # of a frame: its columns
                        found |= _names_in(text)
            case ast.Subscript(ctx=ast.Load() | ast.Del()) if (key := _key(inner)) is not None:
                found.add(key)
            case ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Name(id=space), args=[]), attr="get" | "pop"),
                args=[ast.Constant(value=str(key)), *_],
            ) if space in _SPACES:
                found.add(key)
    return found


def textual_stores(node: ast.AST) -> Iterator[str]:
    """The names that it binds by `globals()["name"] = ...`."""
    for inner in walk(node):
        if isinstance(inner, ast.Subscript) and isinstance(inner.ctx, ast.Store) and (key := _key(inner)) is not None:
            yield key


def hides_names(node: ast.AST) -> bool:
    """Whether it may bind names that cannot be told: by a text made on the way, by `globals().update(...)`."""
    for inner in walk(node):
        match inner:
            case ast.Call(func=ast.Name(id="exec"), args=[first, *_]):
                if not isinstance(first, ast.Constant) and not own_namespace(inner):
                    return True
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=space), args=[]), attr="update")):
                if space in _SPACES:
                    return True
            case ast.Subscript(ctx=ast.Store(), value=ast.Call(func=ast.Name(id=space), args=[]), slice=key):
                if space in _SPACES and not isinstance(key, ast.Constant):
                    return True
    return False


def constant_exec(node: ast.AST) -> str | None:
    """The text of a statement `exec("...")` that is executed in the notebook's namespace."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id="exec"), args=[ast.Constant(value=str(text)), *_]) as call):
            return None if own_namespace(call) else text
    return None


def own_namespace(call: ast.Call) -> bool:
    """Whether an `eval` or `exec` is given a namespace that is not the notebook's."""
    given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "globals")]
    return bool(given) and not any(
        (isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in _SPACES)
        or isinstance(one, ast.Starred)
        for one in given
    )


def _key(node: ast.Subscript) -> str | None:
    match node:
        case ast.Subscript(value=ast.Call(func=ast.Name(id=space), args=[]), slice=ast.Constant(value=str(key))):
            return key if space in _SPACES else None
    return None


def _names_in(text: str) -> set[str]:
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in walk(tree) if isinstance(node, ast.Name)}
