"""What is told of a capture: what travels, what stays, and what the user should know."""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobq_magic.bundle import Stayed, Traveller
from jobq_magic.capture.closure import Walk
from jobq_magic.capture.names import Analysis
from jobq_magic.capture.order import Node
from jobq_magic.capture.source import CaptureOptions
from jobq_magic.capture.state import left_behind
from jobq_magic.runtime.sharing import views
from jobq_magic.words import apart

__all__ = ["not_seen", "notes_of", "out_of_reach", "states_of", "stayed_of", "travellers_of"]

_NOT_SET = "does not travel; set it in the cell where it matters"


def travellers_of(walk: Walk, order: Iterable[Node]) -> list[Traveller]:
    """What travels of the notebook, and its local code."""
    found = []
    for node in order:
        if (node.kind == "import" and not node.names) or node.turn == "early":
            continue
        origin, size, digest, kind = "", None, "", node.kind
        if node.imported is not None:
            origin = ".".join(part for part in node.imported if part)
        elif node.definition is not None:
            text = node.definition.text.encode("utf-8", "surrogatepass")
            origin, size, digest = node.definition.label, len(text), hashlib.sha256(text).hexdigest()
            kind = "remade" if node.names and node.names[0] in walk.remade else kind
        elif node.group is not None:
            size, digest = node.group.size, node.group.digest
            bound = (made.label for name in node.names if (made := walk.index.made(name)) is not None)
            origin = ", ".join(dict.fromkeys(bound))
        found.append(Traveller(", ".join(node.names) or node.of, kind, node.why, size, origin, digest))
    found += [
        Traveller(module, "module", why, size, "local code")
        for module, (why, size) in sorted(walk.code.shipped.items())
    ]
    return found


def states_of(states: Iterable[tuple[str, Any]]) -> Iterator[Traveller]:
    """What travels of what earlier cells set process-wide, but for what only says where files lie."""
    for what, data in states:
        if what not in ("cwd", "sys.path"):
            yield Traveller(what, "state", "set by earlier cells", len(json.dumps(data)))


def stayed_of(options: CaptureOptions, used: frozenset[str], setters: frozenset[str]) -> Iterator[Stayed]:
    """What stays because the user said so, and of what earlier cells set."""
    for name in sorted(options.exclude):
        yield Stayed(name, "left out with --exclude")
    for module in left_behind(used, setters):
        yield Stayed(f"settings of {module}", f"what earlier cells set {_NOT_SET}")


def notes_of(
    walk: Walk, order: Iterable[Node], text: str, used: frozenset[str], setters: frozenset[str]
) -> Iterator[str]:
    """What is not as a reader of the cell might think."""
    for qualified, names in walk.opaque.items():
        if qualified.rpartition(".")[0] not in walk.opaque:
            yield f"{qualified} travels by value, as its source is not known (in {names})"
    for module in left_behind(used, setters):
        yield f"what earlier cells set in {module} {_NOT_SET}"
    nodes = list(order)
    yield from _set_there(text, {name for node in nodes if node.definition is not None for name in node.names})
    values = [name for node in nodes if node.kind == "value" for name in node.names]
    for shared in views({name: walk.namespace[name] for name in values if name in walk.namespace}):
        yield apart(shared, "here", "in the job")


def not_seen(analysis: Analysis, namespace: Mapping[str, Any]) -> Iterator[str]:
    """Where the cell reads names that cannot be seen; a function of the notebook named `eval` does not."""
    for call in analysis.hints.dynamic:
        name = call.partition("(")[0]
        if name not in analysis.bound and namespace.get(name, vars(builtins)[name]) is vars(builtins)[name]:
            yield f"{call} may read names that are not seen; add them with --include"
            return


def out_of_reach(
    walk: Walk, order: Iterable[Node], text: str, files: frozenset[str], options: CaptureOptions
) -> Iterator[str]:
    """What the cell has here and misses there: files, where the job does not see them, and the environment."""
    nodes = list(order)
    texts = [
        ("cell", text),
        *((node.names[0], node.definition.text) for node in nodes if node.names and node.definition),
    ]
    if not options.here:
        from jobq_magic.capture.unshipped import unshipped

        values = [name for node in nodes if node.kind == "value" for name in node.names]
        held = [(name, walk.namespace[name]) for name in values if name in walk.namespace]
        yield from unshipped(texts, Path.cwd(), files, held)
    if options.environ is not None:
        yield from _missed(texts, walk.namespace, options.environ)


def _missed(texts: Sequence[tuple[str, str]], namespace: Mapping[str, Any], given: frozenset[str]) -> Iterator[str]:
    """What is read of the environment that there is here, and that the job is not given."""
    from jobq_magic.capture import environ

    set_there = environ.sets(texts, namespace)
    for variable, whose in environ.reads(texts, namespace):
        if variable in os.environ and variable not in given | set_there:
            who = "the cell" if whose == "cell" else whose
            yield f"{who} reads {variable} of the environment; pass it with --env {variable}, or --secret {variable}"


def _set_there(text: str, definitions: set[str]) -> Iterator[str]:
    """What the cell itself sets on classes and functions of the notebook: the notebook's own stay as they are."""
    ahead: list[ast.AST] = [ast.parse(text)]
    while ahead:
        node = ahead.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        ahead += ast.iter_child_nodes(node)
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()) if name in definitions:
                yield f"{name}.{attribute} is set in the job only; set it in a cell without %%jobq"
