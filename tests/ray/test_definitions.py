"""What a notebook defines means the same on the workers as on the driver."""

from __future__ import annotations

import pytest

DEFINITIONS = """
import functools, dataclasses, enum, collections
from jobq_magic import parallel_map

base = 10

@functools.lru_cache
def remembered(x):
    return Point(x + offset, 0)

@functools.singledispatch
def kind(value):
    return 'object'

@kind.register
def _(value: int):
    return 'int'

@dataclasses.dataclass
class Point:
    x: int
    y: int

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

class Outer:
    class Inner:
        pass

class Child(Point):
    limit = scale * 2
    def __init__(self, x):
        super().__init__(x, limit_of(self))

def limit_of(child):
    return child.limit

class Bad(Exception):
    def __init__(self, a, b):
        super().__init__(f'{a} and {b}')
        self.pair = a, b

Pair = collections.namedtuple('Pair', 'left right')

def fail(x):
    raise Bad(x, x + 1)
"""

CELL = """
import os, sys
def local(x):
    return Point(x, 1)
results = {
    'cached': parallel_map(remembered, [1, 2]),
    'cached type': [type(p) is Point for p in parallel_map(remembered, [1, 2])],
    'isinstance there': parallel_map(lambda p: isinstance(p, Point), [Point(1, 2)]),
    'made there is ours': [type(p) is Point for p in parallel_map(local, [1])],
    'enum there': parallel_map(lambda c: c is Colour.RED, [Colour.RED, Colour.BLUE]),
    'enum back': [c is Colour.BLUE for c in parallel_map(lambda _: Colour.BLUE, [0])],
    'nested class': [type(v) is Outer.Inner for v in parallel_map(lambda _: Outer.Inner(), [0])],
    'dispatch': parallel_map(kind, [1, 'a']),
    'super and a value of the class': parallel_map(lambda x: Child(x).y, [1]),
    'namedtuple': [type(v) is Pair for v in parallel_map(lambda x: Pair(x, x), [1])],
    'main there': parallel_map(lambda _: sys.modules['__main__'].Point is Point, [0]),
    'cwd': parallel_map(lambda _: os.getcwd(), [0]) == [os.getcwd()],
}
try:
    parallel_map(fail, [1])
except Bad as error:
    results['error'] = error.pair, type(error) is Bad, error.__notes__[0].splitlines()[-1]
results = {k: [(p.x, p.y) for p in v] if k == 'cached' else v for k, v in results.items()}
"""

EXPECTED = {
    "cached": [(101, 0), (102, 0)],
    "cached type": [True, True],
    "isinstance there": [True],
    "made there is ours": [True],
    "enum there": [True, False],
    "enum back": [True],
    "nested class": [True],
    "dispatch": ["int", "object"],
    "super and a value of the class": [14],
    "namedtuple": [True],
    "main there": [True],
}


@pytest.fixture(scope="module")
def results(shared_pool, tmp_path_factory):
    from jobq_magic.backends.ray.backend import RayBackend
    from jobq_magic.runs.store import Store
    from tests.ray.conftest import Place

    place = Place(Store(tmp_path_factory.mktemp("store ü")), shared_pool, RayBackend(shared_pool))
    cell = place.run(CELL, definitions=DEFINITIONS, values={"offset": 100, "scale": 7}, outs=("results",))
    assert cell.stderr == ""
    return cell.values["results"]


@pytest.mark.parametrize("case", EXPECTED)
def test_means_the_same_on_a_worker(results, case):
    assert results[case] == EXPECTED[case]


def test_an_exception_of_the_notebook_comes_back_as_itself_with_the_traceback_of_the_worker(results):
    pair, same, last = results["error"]
    assert pair == (1, 2)
    assert same
    assert last == "Bad: 1 and 2"


def test_a_definition_that_fails_on_workers_is_told_and_spoils_nothing_else(place):
    cell = place.run(
        "from jobq_magic import parallel_map\nout = parallel_map(fine, [1])",
        definitions="import sys\nif 'default_worker' in sys.argv[0]: raise OSError('only here')\ndef fine(x): return x",
        outs=("out",),
    )
    assert cell.values == {"out": [1]}
