"""The steps of a capture, one after the other."""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobq_magic.bundle import Account, Bundle, Stayed, Traveller
from jobq_magic.capture.closure import Walk
from jobq_magic.capture.files import collect_files
from jobq_magic.capture.magics import settle
from jobq_magic.capture.modules import LocalCode
from jobq_magic.capture.names import Analysis, analyse
from jobq_magic.capture.order import Node
from jobq_magic.capture.requirements import roots
from jobq_magic.capture.secretscan import secret_in_source
from jobq_magic.capture.source import CaptureOptions, Source
from jobq_magic.capture.state import collect, left_behind
from jobq_magic.capture.values import views_apart
from jobq_magic.errors import CaptureError

__all__ = ["gather"]

_NOT_SET = "does not travel; set it in the cell where it matters"


def gather(source: Source, folder: Path, options: CaptureOptions) -> Bundle:
    """See `capture.capture`."""
    began = time.perf_counter()
    text, notes, analysis = _read(source)
    folder.mkdir(parents=True, exist_ok=True)
    if not options.questions:
        _refuse_questions(analysis, source.namespace)
    if (secret := secret_in_source(text, frozenset(options.include))) is not None:
        raise CaptureError(
            "secret-in-value",
            f"line {secret[0]} of the cell holds {secret[1]}",
            do="Read it from os.environ and pass it with --secret NAME, or insist with --include and the name it has",
        )
    code = LocalCode(folder / "modules", frozenset(options.include), here=options.here)
    walk = Walk(
        source.namespace,
        source.index,
        values=folder / "values",
        code=code,
        include=frozenset(options.include),
        exclude=frozenset(options.exclude),
        remake=frozenset(options.remake),
        limit=options.limit,
        pool=options.pool,
    )
    for option, given in ("--exclude", options.exclude), ("--remake", options.remake):
        for name in given:
            if name not in analysis.bound:
                walk.check(name, option)
            if option != "--exclude" and name in options.exclude:
                raise _contradiction(name, option)
    for name in options.include:
        if name in options.exclude:
            raise _contradiction(name, "--include")
    walk.cell(analysis)
    walk.include(name for name in options.include if name in source.namespace or name not in analysis.bound)
    walk.merge()
    order = walk.ordered()
    if (dynamic := _dynamic(analysis, source.namespace)) and not options.include:
        walk.notes.append(f"{dynamic[0]} may read names that are not seen; add them with --include")
    for qualified, names in walk.opaque.items():
        if qualified.rpartition(".")[0] not in walk.opaque:
            walk.notes.append(f"{qualified} travels by value, as its source is not known (in {names})")
    used, setters = frozenset(code.seen), frozenset(source.index.setters)
    for module in left_behind(used, setters):
        walk.notes.append(f"what earlier cells set in {module} {_NOT_SET}")
    walk.notes += _set_there(text, {name for node in order if node.definition is not None for name in node.names})
    values = [name for node in order if node.kind == "value" for name in node.names]
    walk.notes += views_apart({name: source.namespace[name] for name in values if name in source.namespace})
    states = list(collect(used, setters, here=options.here))
    files = collect_files(
        options.files, Path.cwd(), folder=folder / "files", insisted=frozenset(options.include), here=options.here
    )
    needed = roots(code.modules, options.requirements)
    defined = [(node.names[0], node.definition.text) for node in order if node.names and node.definition]
    texts = [("cell", text), *defined]
    if not options.here:
        from jobq_magic.capture.unshipped import unshipped

        held = [(name, source.namespace[name]) for name in values if name in source.namespace]
        walk.notes += [*needed.notes, *unshipped(texts, Path.cwd(), files.names, held)]
    if options.environ is not None:
        walk.notes += _missed(texts, source.namespace, options.environ)
    steps = [{"kind": "state", "what": what, "data": data} for what, data in states]
    walk.put(order, dry=options.dry)
    (folder / "code").mkdir(exist_ok=True)
    steps += [_step(node, folder, number) for number, node in enumerate(order, 1)]
    return Bundle.write(
        folder,
        steps=steps,
        cell={
            "file": "code/cell.py",
            "sha256": _text(folder / "code/cell.py", text),
            "label": source.label,
            "line": 1,
            "flags": analysis.flags,
            "outs": _outs(analysis, walk, options),
            "only": options.no_out or options.outs is not None,
        },
        modules=code.files,
        files=files.files,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        account=Account(
            travellers=(*_states(states), *walk.travellers(order), *files.travellers),
            requirements=needed.requirements,
            stayed=(*_stayed(options, used, setters), *code.stayed),
            notes=tuple(dict.fromkeys([*notes, *walk.notes, *code.notes, *files.notes])),
            seconds=time.perf_counter() - began,
        ),
    )


def _contradiction(name: str, option: str) -> CaptureError:
    return CaptureError("contradiction", f"{name} is in --exclude and in {option}", do="Name it in one of them")


def _states(states: Iterable[tuple[str, Any]]) -> Iterator[Traveller]:
    for what, data in states:
        if what not in ("cwd", "sys.path"):
            yield Traveller(what, "state", "set by earlier cells", len(json.dumps(data)))


def _stayed(options: CaptureOptions, used: frozenset[str], setters: frozenset[str]) -> Iterator[Stayed]:
    for name in sorted(options.exclude):
        yield Stayed(name, "left out with --exclude")
    for module in left_behind(used, setters):
        yield Stayed(f"settings of {module}", f"what earlier cells set {_NOT_SET}")


def _missed(texts: Sequence[tuple[str, str]], namespace: Mapping[str, Any], given: frozenset[str]) -> Iterator[str]:
    """What is read of the environment that there is here, and that the job is not given."""
    from jobq_magic.capture import environ

    set_there = environ.sets(texts, namespace)
    for variable, whose in environ.reads(texts, namespace):
        if variable in os.environ and variable not in given | set_there:
            who = "the cell" if whose == "cell" else whose
            yield f"{who} reads {variable} of the environment; pass it with --env {variable}, or --secret {variable}"


def _read(source: Source) -> tuple[str, list[str], Analysis]:
    """The cell as it travels, what to say about that, and what it needs."""
    try:
        if not ast.parse(source.cell).body:
            raise CaptureError("empty-cell", "the cell is empty: there is nothing to run")
        text, notes = settle(source.cell, source.transform)
        return text, notes, analyse(text, source.flags)
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        raise CaptureError("syntax-error", f"the cell does not compile: {error.msg}{where}") from error
    except (RecursionError, MemoryError) as error:
        raise CaptureError(
            "syntax-error",
            "the cell does not compile: an expression in it is nested too deeply",
            do="Break it up: give its parts names",
        ) from error
    except ValueError as error:  # null bytes
        raise CaptureError("syntax-error", f"the cell does not compile: {error}") from error


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


def _refuse_questions(analysis: Analysis, namespace: Mapping[str, Any]) -> None:
    for line, call, name in analysis.hints.asks:
        own = name in analysis.bound or (name == "input" and namespace.get(name, builtins.input) is not builtins.input)
        if not own or name == "getpass":
            raise CaptureError(
                "input-in-cell",
                f"{call} on line {line} asks a question, and nobody can answer in a job",
                do="Ask in a cell of its own, and use the answer here",
            )


def _dynamic(analysis: Analysis, namespace: Mapping[str, Any]) -> list[str]:
    """Where the cell reads names that cannot be seen; a function of the notebook named `eval` does not."""
    return [
        call
        for call in analysis.hints.dynamic
        for name in [call.partition("(")[0]]
        if name not in analysis.bound and namespace.get(name, vars(builtins)[name]) is vars(builtins)[name]
    ]


def _outs(analysis: Analysis, walk: Walk, options: CaptureOptions) -> list[str]:
    """The names to bring back.

    Raises:
        CaptureError: `unknown-out`.
    """
    if options.no_out:
        return []
    if options.outs is not None:
        for name in options.outs:
            if name not in analysis.bound and name not in walk.nodes and not analysis.hints.dynamic:
                raise CaptureError(
                    "unknown-out",
                    f"the cell does not bind '{name}'",
                    do=f"It binds: {', '.join(analysis.stores)}" if analysis.stores else "It binds nothing",
                )
        return list(options.outs)
    late = sorted(name for name in analysis.late_stores | walk.late_stores if not name.startswith("_"))
    return list(dict.fromkeys([*analysis.stores, *late]))


def _step(node: Node, folder: Path, number: int) -> dict[str, Any]:
    if node.imported is not None:
        module, attribute = node.imported
        return {
            "kind": "import",
            "module": module,
            "attribute": attribute,
            "name": node.names[0] if node.names else None,
        }
    if node.definition is not None:
        definition = node.definition
        file = f"code/{number:03}.py"
        return {
            "kind": "source",
            "names": list(node.names),
            "file": file,
            "sha256": _text(folder / file, definition.text),
            "label": definition.label,
            "line": definition.line,
            "flags": definition.flags,
        }
    assert node.group is not None
    file = f"values/{node.group.digest}"
    turn = {"turn": node.turn} if node.turn else {}
    if node.kind == "attributes":
        return {"kind": "attributes", "of": node.of, "file": file, **turn}
    return {"kind": "value", "names": list(node.names), "file": file, "size": node.group.size, **turn}


def _text(path: Path, text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
