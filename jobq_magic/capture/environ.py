"""What source reads of the environment, which never travels: the names, so that they can be passed."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jobq_magic.capture.secretscan import parsed

__all__ = ["reads", "sets"]

_EVERYWHERE = frozenset({"PATH", "HOME", "PWD", "PYTHONPATH"})
"""What each job has, or is no business of a cell."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_DOLLAR = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_WORDS = ("environ", "getenv", "expandvars", "run_line_magic")
_PARTS = {id(os): "os", id(os.environ): "environ", id(os.getenv): "getenv"}


def reads(texts: Iterable[tuple[str, str]], namespace: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """The variables that texts read by constant names, each once, and whose text is the first to do so.

    Args:
        texts: whose they are (`cell`, or a name), and their source.
        namespace: of the notebook: tells what `os` and its parts were imported as, and that a name is another's.
    """
    found: dict[str, str] = {}
    for whose, text in texts:
        for name, how in _uses(text, namespace or {}):
            if how == "reads" and _NAME.match(name) and name not in _EVERYWHERE and not name.startswith("JOBQ_"):
                found.setdefault(name, whose)
    return sorted(found.items())


def sets(texts: Iterable[tuple[str, str]], namespace: Mapping[str, Any] | None = None) -> frozenset[str]:
    """The variables that texts set by constant names."""
    return frozenset(name for _, text in texts for name, how in _uses(text, namespace or {}) if how == "sets")


def _uses(text: str, namespace: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The variables that a text uses, each with `reads` or `sets`."""
    if not any(word in text for word in _WORDS):
        return
    tree = parsed(text.encode("utf-8", "replace"))
    if tree is None:
        return
    what = _meaning(_bound(tree), namespace)
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(name)), ctx=context):
                if what(owner) == "environ":
                    yield name, "sets" if isinstance(context, ast.Store) else "reads"
            case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()], comparators=[owner]):
                if what(owner) == "environ":
                    yield name, "reads"
            case ast.Call(func=function, args=[first, *_]) if what(function) == "getenv":
                yield from ((name, "reads") for name in _text(first))
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if what(owner) == "environ":
                yield from _called(method, node)
            case ast.Call():
                yield from _in_texts(node)


def _meaning(own: Mapping[str, str | None], namespace: Mapping[str, Any]) -> Callable[[ast.expr], str | None]:
    """Tells whether an expression is `os`, its `environ` or its `getenv`."""

    def what(node: ast.expr) -> str | None:
        match node:
            case ast.Name(id=name) if name in own:
                return own[name]
            case ast.Name(id=name) if name in namespace:
                return _PARTS.get(id(namespace[name]))
            case ast.Name(id="os" | "environ" | "getenv" as name):
                return name  # what it is usually called
            case ast.Attribute(value=ast.Name() as owner, attr="environ" | "getenv" as part):
                return part if what(owner) == "os" else None
        return None

    return what


def _in_texts(call: ast.Call) -> Iterator[tuple[str, str]]:
    """What is named inside a text: `os.path.expandvars("$DATA/x")`, `%env NAME`."""
    match call:
        case ast.Call(func=ast.Attribute(attr="expandvars"), args=[ast.Constant(value=str(path))]):
            yield from ((one or other, "reads") for one, other in _DOLLAR.findall(path))
        case ast.Call(func=ast.Attribute(attr="run_line_magic"), args=[ast.Constant(value="env" | "set_env"), line]):
            for told in _text(line):
                name, sign, _ = told.replace(" ", "=", 1).partition("=")
                yield name, "sets" if sign else "reads"


def _called(method: str, call: ast.Call) -> Iterator[tuple[str, str]]:
    """What a method of `os.environ` uses."""
    if method in ("get", "pop", "__getitem__", "setdefault") and call.args:
        yield from ((name, "sets" if method == "setdefault" else "reads") for name in _text(call.args[0]))
    elif method == "update":
        keys = [key for arg in call.args if isinstance(arg, ast.Dict) for key in arg.keys if key is not None]
        yield from ((name, "sets") for key in keys for name in _text(key))
        yield from ((keyword.arg, "sets") for keyword in call.keywords if keyword.arg is not None)


def _text(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _bound(tree: ast.Module) -> dict[str, str | None]:
    """What the names that a text binds stand for: `os`, `environ`, `getenv`, or something of its own."""
    found: dict[str, str | None] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found[name] = None
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.asname or alias.name: "os" for alias in names if alias.name == "os"}
            case ast.ImportFrom(module="os", names=names):
                found |= {alias.asname or alias.name: alias.name for alias in names}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(value=ast.Name(id="os"), attr="environ")):
                found[name] = "environ"
    return found
