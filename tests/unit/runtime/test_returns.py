"""Which values have a file together on their way back: those that share what can be told apart, and what is small."""

from __future__ import annotations

import os
import threading
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import ModuleType

import numpy as np
import pytest

from jobq_magic.runtime.returns import Returns, pickler_for
from jobq_magic.runtime.wire import read_group

LARGE = 1_200_000


class ById:
    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


class Slots(ById):
    __slots__ = ("step",)


class Reduced(ById):
    """As a parameter of torch is: what it is made of is new each time."""

    def __reduce_ex__(self, protocol):
        return Reduced, ()


class Copied(ById):
    def __getstate__(self):
        return {"step": 1}


class Unmade:
    def __init__(self):
        self.path = "there"

    def __setstate__(self, state):
        raise FileNotFoundError(state["path"])


class Colour(Enum):
    RED = 1


def sent(folder, values, *, narrow):
    """The files, as the names in them, and the values read from them; and what is not in any."""
    made = Returns(str(folder), lambda: pickler_for(ModuleType("__main__"), []), narrow=narrow)
    files: dict[str, list[str]] = {}
    for name, entry in made.group(values).items():
        files.setdefault(entry["group"], []).append(name)
    back = {name: value for file in files for name, value in read_group(folder / "values" / file).items()}
    return sorted(map(sorted, files.values())), back, [entry["name"] for entry in made.skipped]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("kind", [Slots, Reduced, Copied])
def test_what_has_a_hash_of_its_own_stays_one_object(tmp_path, kind, narrow):
    part = kind()
    model, optimizer = [part, os.urandom(LARGE)], {"state": {part: os.urandom(LARGE)}}
    files, back, _ = sent(tmp_path, {"model": model, "optimizer": optimizer, "rest": os.urandom(LARGE)}, narrow=narrow)
    assert files == [["model", "optimizer"], ["rest"]]
    assert next(iter(back["optimizer"]["state"])) is back["model"][0]


@pytest.mark.parametrize(
    "value", ["a text", Decimal("0.5"), Colour.RED, PurePath("here"), (1, 2), np.float32(1), np.dtype("U5"), Slots]
)
def test_what_is_told_by_its_value_binds_nothing_together(tmp_path, value):
    files, _, _ = sent(tmp_path, {"a": [value, os.urandom(LARGE)], "b": [value, os.urandom(LARGE)]}, narrow=True)
    assert files == [["a"], ["b"]]


def test_what_is_too_large_to_be_copied_takes_no_other_value_with_it(tmp_path):
    score, rows = {"loss": 0.1}, [{"row": str(number)} for number in range(100_000)]
    values = {"rows": rows, "score": score, "history": [1, 2], "row": [rows[7]], "large": [os.urandom(LARGE), score]}
    files, back, _ = sent(tmp_path, values, narrow=True)
    assert files == [["history"], ["large", "score"], ["row", "rows"]]
    assert back["row"][0] is back["rows"][7]
    assert back["large"][1] is back["score"]


def test_what_is_large_and_cannot_be_pickled_takes_no_other_value_with_it(tmp_path):
    values = {"bad": [os.urandom(2 * LARGE), threading.Lock()], "score": {"loss": 0.1}, "middle": bytearray(300_000)}
    files, back, skipped = sent(tmp_path, values, narrow=True)
    assert (files, skipped) == ([["middle"], ["score"]], ["bad"])
    assert back["score"] == {"loss": 0.1}


def test_what_is_pickled_and_cannot_be_made_again_is_told_so(tmp_path):
    made = Returns(str(tmp_path), lambda: pickler_for(ModuleType("__main__"), []), narrow=True)
    assert made.group({"bad": Unmade(), "good": [1]}).keys() == {"good"}
    reason = "Unmade is pickled, and cannot be made again: FileNotFoundError: there"
    assert made.skipped == [{"name": "bad", "reason": reason}]
