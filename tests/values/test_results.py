"""What comes back is what it was: classes the same, exceptions themselves; what cannot come is named."""

# ruff: noqa: E501  # a case is read as one line

from __future__ import annotations

import importlib
import sys

import pytest

from jobq_magic.errors import JobFailed

CLASSES = """
import threading

class Wrong(Exception):
    def __init__(self, code, what):
        super().__init__(f"{what} ({code})")
        self.code, self.what = code, what

class Keyed(Exception):
    def __init__(self, *, key):
        self.key = key
    def __str__(self):
        return f"no {self.key}"

class Holding(Exception):
    pass

class Model:
    def __init__(self, weight):
        self.weight = weight
    class Part:
        pass
"""


@pytest.fixture
def errors(notebook):
    """A notebook with exceptions of its own."""
    notebook.run(CLASSES)
    return notebook


def text(error: BaseException) -> str:
    return "\n".join(error._render_traceback_())


def test_classes_of_the_notebook_are_the_same_classes(errors):
    back = errors.job("a, b = Model(1), [Model.Part(), Model, Wrong]").outcome.names
    assert type(back["a"]) is errors.names["Model"]
    assert type(back["b"][0]) is errors.names["Model"].Part
    assert back["b"][1:] == [errors.names["Model"], errors.names["Wrong"]]


def test_instances_of_a_class_of_the_cell_share_it_and_work(notebook):
    cell = """
rate = 3
class Own:
    made = 0
    def __init__(self, n):
        self.n = n
    def value(self):
        return self.n * rate
    def __eq__(self, other):
        return isinstance(other, Own) and self.n == other.n
a, b = Own(1), {"o": [Own(2)]}
"""
    first = notebook.job(cell).outcome.names
    assert type(first["a"]) is type(first["b"]["o"][0])
    assert (first["a"].value(), type(first["a"]).__name__) == (3, "Own")
    assert first["a"] == type(first["a"])(1)
    second = notebook.job(cell).outcome.names
    assert type(second["a"]) is type(second["b"]["o"][0])
    assert (second["a"].value(), second["a"] == first["a"]) == (3, False)


def test_an_instance_of_a_class_of_a_cell_goes_into_the_next_job(notebook):
    cell = "class Own:\n    def value(self):\n        return self.n\na = Own()\na.n = 5"
    notebook.names.update(notebook.job(cell).outcome.names)
    back = notebook.job("x = a.value()\na.n += 1").outcome
    assert back.names["x"] == 5
    assert back.changed["a"].value() == 6


def test_classes_of_a_local_module_are_the_modules(notebook, tmp_path, monkeypatch):
    (tmp_path / "shapes_of_mine.py").write_text(
        "class Round:\n    r = 1\n    class Inner:\n        pass\nclass Broken(Exception):\n    pass\nUNIT = Round()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("shapes_of_mine")
    try:
        notebook.run("import shapes_of_mine\nfrom shapes_of_mine import Round")
        back = notebook.job("a, b, c = Round(), shapes_of_mine.Round.Inner(), [shapes_of_mine.Round]").outcome.names
        assert (type(back["a"]), type(back["b"]), back["c"]) == (module.Round, module.Round.Inner, [module.Round])
        error = notebook.send("raise shapes_of_mine.Broken('b')").outcome.error
        assert type(error) is module.Broken
    finally:
        del sys.modules["shapes_of_mine"]


@pytest.mark.parametrize(
    ("cell", "kind", "holds"),
    [
        ("raise Wrong(3, 'bad')", "Wrong", "e.code == 3 and e.what == 'bad' and str(e) == 'bad (3)'"),
        ("raise Keyed(key='k')", "Keyed", "e.key == 'k' and str(e) == 'no k'"),
        (
            "e = ValueError('v')\ne.more = [1]\ne.add_note('n')\nraise e",
            "ValueError",
            "e.more == [1] and e.__notes__ == ['n']",
        ),
        ("import json\njson.loads('{')", "JSONDecodeError", "e.pos == 1 and e.doc == '{'"),
        ("b'\\xff'.decode()", "UnicodeDecodeError", "e.start == 0"),
        ("open('/nowhere/at all')", "FileNotFoundError", "e.errno == 2 and e.filename == '/nowhere/at all'"),
        ("{}['k']", "KeyError", "e.args == ('k',)"),
        ("int('x')", "ValueError", "'invalid literal' in str(e)"),
        ("raise StopIteration(5)", "StopIteration", "e.value == 5"),
        ("import subprocess\nsubprocess.run(['false'], check=True)", "CalledProcessError", "e.returncode == 1"),
        (
            "raise ExceptionGroup('g', [Wrong(1, 'a'), ExceptionGroup('h', [KeyError('k')])])",
            "ExceptionGroup",
            "e.exceptions[0].code == 1 and e.exceptions[1].exceptions[0].args == ('k',)",
        ),
        ("import pandas as pd\npd.DataFrame({'a': [1]})['b']", "KeyError", "e.args == ('b',)"),
        ("import numpy as np\nnp.linalg.inv(np.zeros((2, 2)))", "LinAlgError", "'Singular' in str(e)"),
        ("import polars as pl\npl.DataFrame({'a': [1]}).select('b')", "ColumnNotFoundError", "'b' in str(e)"),
        ("assert 1 == 2, 'no'", "AssertionError", "str(e) == 'no'"),
    ],
)
def test_an_exception_is_itself(errors, cell, kind, holds):
    error = errors.send(cell).outcome.error
    assert not isinstance(error, JobFailed)
    assert type(error).__name__ == kind
    assert type(error) is errors.names.get(kind, type(error))
    assert eval(holds, {"e": error})
    assert text(error)


def test_an_exception_comes_with_its_causes(errors):
    cell = "try:\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise Wrong(1, 'w') from e\nexcept Wrong:\n    raise KeyError('last')"
    error = errors.send(cell).outcome.error
    assert type(error) is KeyError
    assert "ZeroDivisionError" in text(error)
    assert "Wrong: w (1)" in text(error)
    assert type(error.__context__) is errors.names["Wrong"]
    assert type(error.__context__.__cause__) is ZeroDivisionError


def test_an_exception_that_holds_what_cannot_come_is_of_its_class_all_the_same(errors):
    outcome = errors.send("e = Holding('kept')\ne.lock, e.n = threading.Lock(), 5\nraise e").outcome
    assert type(outcome.error).__name__ == "Holding"
    assert type(outcome.error) is errors.names["Holding"]
    assert (str(outcome.error), outcome.error.n) == ("kept", 5)
    assert "lock" in " ".join(entry["reason"] for entry in outcome.skipped)


ARRAYS = """
import numpy as np
base = np.arange(6.0)
same, alone, frozen = base, np.arange(3), np.arange(4)
frozen.flags.writeable = False
"""


@pytest.mark.parametrize(
    ("cell", "apart"),
    [
        ("table = base.reshape(2, 3)", ("base", "table")),
        ("base[0] = 5\nfirst = base[:2]; last = base[1:]", ("base", "first", "last")),
        ("there = np.zeros((2, 2)); turned = there.T; again = there", ("there", "turned")),
        ("one, two = np.split(np.zeros(4), 2)", None),
        ("part = frozen[:1]", None),
        ("again = base; copied = base[1:].copy()", None),
        ("total = float(base[1:].sum())", None),
    ],
)
def test_arrays_that_shared_memory_in_the_job_are_told(notebook, cell, apart):
    notebook.run(ARRAYS)
    assert notebook.job(cell).outcome.apart == ((apart,) if apart else ())


def test_each_name_that_cannot_come_back_is_told_with_its_reason(notebook):
    cell = """
import sqlite3, threading
import xgboost
lock = {"deep": [threading.Lock()]}
rows = (n for n in range(3))
file = open("made.txt", "w")
reading = open("made.txt")
database = sqlite3.connect(":memory:")
matrix = xgboost.DMatrix([[1.0]])
library = __import__("ctypes").CDLL(None)
kept, also = 1, [2]
"""
    outcome = notebook.job(cell).outcome
    assert dict(outcome.names) == {"kept": 1, "also": [2]}
    reasons = {entry["name"]: entry["reason"] for entry in outcome.skipped}
    assert set(reasons) == {"lock", "rows", "file", "reading", "database", "matrix", "library"}
    for name, word in {"lock": "lock", "rows": "generator", "file": "TextIOWrapper", "matrix": "DMatrix"}.items():
        assert word in reasons[name]


def test_what_two_names_share_is_shared_in_what_comes_back(notebook):
    notebook.run("import numpy as np\nshared = np.zeros(3)\nholder = {'a': shared}")
    trip = notebook.job("shared[0] = 1\nother = [shared]\nview = {'s': shared, 'h': holder}")
    changed, names = trip.outcome.changed, trip.outcome.names
    assert changed["holder"]["a"] is changed["shared"]
    assert names["other"][0] is changed["shared"]
    assert names["view"]["s"] is changed["shared"]
    assert names["view"]["h"] is changed["holder"]
