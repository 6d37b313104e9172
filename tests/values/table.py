"""Tables of values: how one is made, and what is true of it here, in the job, and of what comes back."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import indent
from typing import Any

from tests.values.ground import Notebook, Trip, opened


@dataclass(frozen=True)
class Case:
    """A value that travels; `holds` only reads, and calls it `v`."""

    name: str
    made: str
    holds: str


@dataclass(frozen=True)
class Refused:
    """A value that is refused; its name is `v`, and `words` are part of the refusal."""

    name: str
    made: str
    words: str
    before: str = "pass"
    after: str = "pass"


@dataclass(frozen=True)
class Change:
    """A value that the statement `does` changes in place; `holds` afterwards, and not before."""

    name: str
    made: str
    does: str
    holds: str


@dataclass(frozen=True)
class Table:
    """What notebooks hold of one kind; `setup` is their first cell."""

    setup: str
    cases: list[Case]
    refused: list[Refused] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@contextmanager
def notebook_of(table: Table) -> Iterator[Notebook]:
    """A notebook in which the first cell of a table was executed."""
    with (
        tempfile.TemporaryDirectory(prefix="jobq ü ") as base,
        tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime,
        opened(Path(base), Path(runtime)) as notebook,
    ):
        notebook.run(table.setup)
        yield notebook


@dataclass(frozen=True)
class Journey:
    """What became of a table's values: each was made here, and all went through one job."""

    notebook: Notebook
    trip: Trip
    here: dict[str, Any]
    back: dict[str, Any]
    changed: dict[str, Any]

    @property
    def said(self) -> dict[str, Any]:
        """What the job said of each: True, or what is wrong."""
        return dict(self.trip.outcome.names["said"])

    def holds(self, case: Case | Change, value: object) -> object:
        """What the expression of a case says of a value, in the notebook."""
        return eval(f"lambda v: {case.holds}", self.notebook.names)(value)


def journey(notebook: Notebook, cases: list[Case]) -> Journey:
    """A job looks at all values, and brings them back under other names."""
    lines = [
        f"said[{case.name!r}] = bool((lambda v: {case.holds})(x{number}))\nback{number} = [x{number}]"
        for number, case in enumerate(cases)
    ]
    found = _sent(notebook, cases, lines)
    names = found.trip.outcome.names
    return replace(found, back={c.name: names[f"back{n}"][0] for n, c in enumerate(cases) if f"back{n}" in names})


def journey_of_changes(notebook: Notebook, changes: list[Change]) -> Journey:
    """A job changes all values in place."""
    lines = [
        re.sub(r"\bv\b", f"x{number}", change.does)
        + f"\nsaid[{change.name!r}] = bool((lambda v: {change.holds})(x{number}))"
        for number, change in enumerate(changes)
    ]
    return _sent(notebook, changes, lines)


def _sent(notebook: Notebook, cases: Sequence[Case | Change], lines: list[str]) -> Journey:
    cell = "said = {}"
    for number, (case, line) in enumerate(zip(cases, lines, strict=True)):
        notebook.run(f"x{number} = {case.made}")
        cell += f"\ntry:\n{indent(line, '    ')}\nexcept Exception as error:\n    said[{case.name!r}] = repr(error)"
    here = {case.name: notebook.names[f"x{number}"] for number, case in enumerate(cases)}
    trip = notebook.job(cell)
    changed = {c.name: trip.outcome.changed[f"x{n}"] for n, c in enumerate(cases) if f"x{n}" in trip.outcome.changed}
    return Journey(notebook, trip, here, {}, changed)


def problems(table: Table) -> dict[str, str]:
    """What is wrong with the cases and changes of a table, by name; for a process of its own."""
    found = {}
    with notebook_of(table) as notebook:
        sent = journey(notebook, table.cases)
        for case in table.cases:
            back = sent.back.get(case.name)
            if sent.said[case.name] is not True or not sent.holds(case, back) or case.name in sent.changed:
                found[case.name] = f"{sent.said[case.name]}, {back!r}, changed: {case.name in sent.changed}"
    with notebook_of(table) as notebook:
        sent = journey_of_changes(notebook, table.changes)
        for change in table.changes:
            told = change.name in sent.changed and sent.holds(change, sent.changed[change.name])
            if sent.said[change.name] is not True or not told:
                found[change.name] = f"{sent.said[change.name]}, {sent.changed.get(change.name)!r}"
    return found
