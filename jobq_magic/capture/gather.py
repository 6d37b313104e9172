"""The steps of a capture, one after the other."""

from __future__ import annotations

import ast
import builtins
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobq_magic.bundle import Account, Bundle
from jobq_magic.capture.account import not_seen, notes_of, out_of_reach, states_of, stayed_of, travellers_of
from jobq_magic.capture.closure import Walk
from jobq_magic.capture.files import collect_files
from jobq_magic.capture.magics import settle
from jobq_magic.capture.modules import LocalCode
from jobq_magic.capture.names import Analysis, analyse
from jobq_magic.capture.requirements import roots
from jobq_magic.capture.secretscan import secret_in_source
from jobq_magic.capture.source import CaptureOptions, Source
from jobq_magic.capture.state import collect
from jobq_magic.capture.steps import step, write_text
from jobq_magic.errors import CaptureError

__all__ = ["gather"]


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
    _check_names(walk, analysis, options)
    walk.cell(analysis)
    walk.include(name for name in options.include if name in source.namespace or name not in analysis.bound)
    walk.merge()
    order = walk.ordered()
    used, setters = frozenset(code.seen), frozenset(source.index.setters)
    states = list(collect(used, setters, here=options.here))
    files = collect_files(
        options.files, Path.cwd(), folder=folder / "files", insisted=frozenset(options.include), here=options.here
    )
    needed = roots(code.modules, options.requirements, options.needed)
    notes += [
        *walk.notes,
        *(() if options.include else not_seen(analysis, source.namespace)),
        *notes_of(walk, order, text, used, setters),
        *(() if options.here else needed.notes),
        *out_of_reach(walk, order, text, files.names, options),
    ]
    steps = [{"kind": "state", "what": what, "data": data} for what, data in states]
    walk.put(order, dry=options.dry)
    (folder / "code").mkdir(exist_ok=True)
    steps += [step(node, folder, number) for number, node in enumerate(order, 1)]
    return Bundle.write(
        folder,
        steps=steps,
        cell={
            "file": "code/cell.py",
            "sha256": write_text(folder / "code/cell.py", text),
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
            travellers=(*states_of(states), *travellers_of(walk, order), *files.travellers),
            requirements=needed.requirements,
            stayed=(*stayed_of(options, used, setters), *code.stayed),
            notes=tuple(dict.fromkeys([*notes, *code.notes, *files.notes])),
            seconds=time.perf_counter() - began,
        ),
    )


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


def _refuse_questions(analysis: Analysis, namespace: Mapping[str, Any]) -> None:
    for line, call, name in analysis.hints.asks:
        own = name in analysis.bound or (name == "input" and namespace.get(name, builtins.input) is not builtins.input)
        if not own or name == "getpass":
            raise CaptureError(
                "input-in-cell",
                f"{call} on line {line} asks a question, and nobody can answer in a job",
                do="Ask in a cell of its own, and use the answer here",
            )


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


def _check_names(walk: Walk, analysis: Analysis, options: CaptureOptions) -> None:
    """Refuses names in options that are not there, or that contradict each other.

    Raises:
        CaptureError: `missing-name` or `contradiction`.
    """
    for option, given in ("--exclude", options.exclude), ("--remake", options.remake), ("--include", options.include):
        for name in given:
            if option != "--include" and name not in analysis.bound:
                walk.check(name, option)
            if option != "--exclude" and name in options.exclude:
                raise CaptureError(
                    "contradiction", f"{name} is in --exclude and in {option}", do="Name it in one of them"
                )
