"""The cases, read from `notebooks/*.py`: one file a theme, one notebook a case.

# === two names, one list              a case begins; its name
# refused: cannot-travel: a lock       the cell that travels is refused, with this code, and this in its message
# differs: a, b                        these names may hold something else, by design
a = [1]                                the first cell
# %%                                   the next one
b = a
# %% jobq --no-out                     a cell that travels, with options
b.append(2)
# %%                                   cells after it see what came back
a is b
# %% there                             only where cells travel; `here`: only in the plain notebook
assert a == [1]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "notebooks"


@dataclass
class Cell:
    """One cell; `jobq` holds the options of one that travels."""

    code: str = ""
    jobq: str | None = None
    only: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """As the host wants it."""
        return {"code": self.code, "jobq": self.jobq, "only": self.only}


@dataclass
class Case:
    """A notebook, and what is known of it beforehand."""

    theme: str
    name: str
    cells: list[Cell] = field(default_factory=list)
    refused: tuple[str, str] | None = None
    differs: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """What the test is called."""
        return f"{self.theme}: {self.name}"


def cases() -> list[Case]:
    """All of them."""
    return [case for path in sorted(FOLDER.glob("*.py")) for case in read(path)]


def read(path: Path) -> Iterator[Case]:
    """The cases of a theme."""
    case: Case | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        word, _, tail = rest.partition(" ")
        if mark == "#" and word == "===":
            if case is not None:
                yield _ended(case)
            case = Case(path.stem.replace("_", " "), tail.strip(), [Cell()])
        elif case is None:
            assert not line.strip() or line.startswith("#"), f"{path.name}: {line!r} is in no case"
        elif mark == "#" and word == "refused:":
            code, _, text = tail.partition(": ")
            case.refused = (code, text)
        elif mark == "#" and word == "differs:":
            case.differs = frozenset(tail.split(", "))
        elif mark == "#" and word == "%%":
            kind, _, options = tail.partition(" ")
            assert kind in ("", "jobq", "here", "there"), f"{path.name}: {line!r}"
            case.cells.append(Cell(jobq=options if kind == "jobq" else None, only=kind if kind != "jobq" else ""))
        else:
            case.cells[-1].code += line + "\n"
    if case is not None:
        yield _ended(case)


def _ended(case: Case) -> Case:
    for cell in case.cells:
        cell.code = cell.code.strip("\n") + "\n"
    case.cells = [cell for cell in case.cells if cell.code.strip()]
    assert any(cell.jobq is not None for cell in case.cells), f"{case.id}: no cell travels"
    return case
