"""A notebook with `%%jobq` in it means what it means without: random notebooks, executed all three ways.

What docs/what-travels.md names as different is not generated: what a failed cell had bound, names that a job deletes,
what is shared inside of values. A value that is changed behind a function is waited for, as nothing tells beforehand.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from tests.notebooks.conftest import Notebook, Reply

FIRST = """
import time
import numpy as np
class Box:
    def __init__(self, items):
        self.items, self.count = items, 0
    def put(self, x):
        self.items.append(x)
        self.count += 1
        return self.count
    def __repr__(self):
        return f"Box({self.items}, {self.count})"
def total():
    return len(r) * 100 + a
def push(x):
    r.append(x)
def add(values, x):
    values[0] += x
def outer():
    return [total() for _ in range(1)][0] + len(o.items)
def step():
    global a
    a += 1
def keyed(key, values=[]):
    return d.get(key, 0)
a, b, c = 1, 2, 3
r, s = [1, 2], [3, 4]
d, e = {"x": 1}, {"y": 2}
v, w = np.arange(3), np.ones(3, dtype=int)
o, p = Box([1]), Box([2])
"""
NAMES = ("a", "b", "c", "r", "s", "d", "e", "v", "w", "o", "p", "i")
LAST = (
    "[repr(globals().get(n, 'gone')) for n in {names}], "
    "[(m, n) for m in {held} for n in {held} if m < n and m in globals() and globals()[m] is globals().get(n)]"
)
INTS, LISTS, DICTS, ARRAYS, BOXES = "abc", "rs", "de", "vw", "op"


@dataclass
class Cell:
    """One cell; `options` of `%%jobq`, where it has one."""

    code: str
    options: str | None = None
    again: str | None = None
    """An id: the cell is executed as that cell."""

    def source(self, *, magics: bool) -> str:
        """As it is executed."""
        if self.options is None or not magics:
            return self.code
        return f"%%jobq {self.options}".rstrip() + f"\n{self.code}"


class Writer:
    """Writes a notebook, by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.gone: set[str] = set()
        self.answered = False

    def name(self, kind: str) -> str:
        """A name of the kind that is there."""
        there = [name for name in kind if name not in self.gone]
        return self.chance.choice(there)

    def value(self) -> str:
        """An expression that is an integer."""
        a, r, d, v, o = (self.name(kind) for kind in (INTS, LISTS, DICTS, ARRAYS, BOXES))
        return self.chance.choice(
            [
                a,
                f"{a} + {self.chance.randint(1, 9)}",
                f"len({r})",
                f"sum(x for x in {r})",
                f"{d}.get('x', 0) + {a}",
                f"int({v}.sum())",
                f"{o}.count + len({o}.items)",
                f"max([x + {a} for x in {r}] or [0])",
                f"(lambda: {a} * 2)()",
                *(["total()", "outer()", "keyed('x')"] if "a" not in self.gone else []),
            ]
        )

    def statement(self) -> str:
        """One that means the same in a job."""
        a, r, d, v, o = (self.name(kind) for kind in (INTS, LISTS, DICTS, ARRAYS, BOXES))
        new = self.chance.choice(INTS)
        value = self.value()
        found = self.chance.choice(
            [
                f"{new} = {value}",
                f"{new} = {value}",
                f"{a} += {value}",
                f"{r}.append({value})",
                f"{r} += [{value}]",
                f"{r} = {r} + [{value}]",
                f"{r}[0] = {value}",
                f"{r}.sort()",
                f"{r} = [x % 7 for x in {r}]",
                f"{d}['k{self.chance.randint(1, 2)}'] = {value}",
                f"{d}.update(z={value})",
                f"{d} = dict({d}, n={value})",
                f"{v}[1] = {value} % 50",
                f"{v} += 1",
                f"{v} = {v} * 2 % 91",
                f"{v}[:2] *= 2",
                f"{o}.put({value})",
                f"{o}.count += 1",
                f"{o}.items = [{value}]",
                f"{o} = Box([{value}])",
                f"if {value} % 2:\n    {r}.append(5)\nelse:\n    {a} = {value}",
                f"for i in range(2):\n    {r}.append(i)",
                f"if {value} % 2:\n    {new} = {value}" if new not in self.gone else f"{new} = 0",
                f"with np.errstate(all='ignore'):\n    {new} = {value}",
                f"try:\n    {new} = {r}.pop()\nexcept IndexError:\n    {new} = 0",
                f"{new} = {r}.pop() if {r} else 0",
                f"({r} or [0])[0]\n{new} = (walrus := {value}) + walrus",
            ]
        )
        if f"{new} = " in found:
            self.gone.discard(new)
        return found

    def kernel_statement(self) -> str:
        """One that is for the kernel."""
        (b1, b2), c = self.chance.choice([LISTS, DICTS, ARRAYS, BOXES]), self.name(INTS)
        choices = [f"{b2} = {b1}", f"print({self.value()})", f"print({self.name(LISTS)}, {self.name(BOXES)})"]
        if "a" not in self.gone:
            choices += ["step()", "push(7)", f"{self.name(INTS)} = {self.name(BOXES)}.put({self.value()})"]
        if not self.gone and c != "a":
            choices.append(f"del {c}")
        found = self.chance.choice(choices)
        if found.startswith("del"):
            self.gone.add(c)
        return found

    def cells(self) -> list[Cell]:
        """The notebook."""
        made = [Cell(FIRST)]
        for number in range(self.chance.randint(5, 12)):
            made += self.cell(number)
        return made

    def cell(self, number: int) -> list[Cell]:
        """One cell, or a failed one and the same mended."""
        chance, answered = self.chance, self.answered
        self.answered = False
        away = chance.random() < 0.55
        options = chance.choice(["", "", "", "--wait"]) if away else None
        if away:
            if chance.random() < 0.12:
                read = self.value()
                return [Cell(f"inner = {read}\nprint(inner)", chance.choice(["--no-out", "--no-out --wait"]))]
            if chance.random() < 0.12 and "a" not in self.gone:
                return [Cell(chance.choice(["push(3)", "add(v, 2)", "add(r, 1)"]), "--wait")]
            if chance.random() < 0.15:
                new = self.chance.choice(INTS)
                self.gone.discard(new)
                return [Cell(f"inner = {self.value()}\n{new} = inner + 1", f"-o {new}")]
        lines = [
            self.statement() if away or chance.random() < 0.5 else self.kernel_statement()
            for _ in range(chance.randint(1, 3))
        ]
        if away:
            if chance.random() < 0.5:
                lines.insert(0, f"time.sleep({chance.choice([0.1, 0.3, 0.5])})")
            if chance.random() < 0.15:
                ident = f"c{number}"
                mended = chance.choice(["", None])
                code = "\n".join(lines)
                return [Cell(f"1 / 0\n{code}", "", ident), Cell(code, mended, ident)]
        else:
            if answered and chance.random() < 0.6:
                lines.insert(0, chance.choice(["print(_)", "print(_, __)"]))
            if chance.random() < 0.1:
                lines.append("1 / 0")
            elif chance.random() < 0.15:
                lines.insert(0, "%%time")
        if chance.random() < 0.4 and "1 / 0" not in lines and lines[0] != "%%time":
            lines.append(self.value())
            self.answered = True
        return [Cell("\n".join(lines), options)]


def told(reply: Reply) -> tuple[str, str | None, str | None]:
    """What a plain cell said."""
    lines = [line for line in reply.stdout.splitlines() if not line.startswith(("CPU times", "Wall time"))]
    return "\n".join(lines), reply.value, reply.error


def executed(notebook: Notebook, cells: list[Cell], *, magics: bool, person: bool) -> list[object]:
    """What the plain cells said, and what all names hold in the end."""
    notebook.person = person
    notebook.run("for _n in {*globals()} & {" + ", ".join(map(repr, NAMES)) + "}: del globals()[_n]")
    for _ in range(3):  # so that `__` is none of an earlier notebook
        notebook.run("0")
    said: list[object] = []
    for number, cell in enumerate(cells):
        code = cell.source(magics=magics)
        reply = notebook.run_as({"cell_id": cell.again or f"n{number}"}, code)
        if cell.options is None:
            said.append((cell.code if number else "", *told(reply)))
    for name in NAMES:
        notebook.run(f"{name}")
    held = LISTS + DICTS + ARRAYS + BOXES
    said.append(told(notebook.run(LAST.format(names=NAMES, held=repr(held)))))
    return said


def drawn(cells: list[Cell]) -> str:
    """The notebook, for who has to find out."""
    return "\n---\n".join(cell.source(magics=True) for cell in cells[1:])


def compare(notebook: Notebook, seed: int) -> None:
    """Executes one notebook plain, with a person in front, and headless."""
    cells = Writer(seed).cells()
    expected = executed(notebook, cells, magics=False, person=True)
    for person in (True, False):
        found = executed(notebook, cells, magics=True, person=person)
        different = [(is_, should) for is_, should in zip(found, expected, strict=True) if is_ != should]
        assert not different, f"seed {seed}, person {person}: {different[0][0]} != {different[0][1]}\n{drawn(cells)}"


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_random_notebook_means_the_same_plain_with_a_person_and_headless(attended, seed):
    compare(attended, seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_random_notebooks_mean_the_same(attended):
    for seed in range(1000, 1100):
        compare(attended, seed)
