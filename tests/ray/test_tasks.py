"""Ray's own tasks and actors in a cell: what the notebook defines means the same in them, and in what comes back."""

from __future__ import annotations

import pytest

DEFINITIONS = """
import asyncio, collections, dataclasses, enum, functools, os, sys, typing, warnings
import ray

@dataclasses.dataclass
class Point:
    x: int

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

class Named(typing.NamedTuple):
    left: int
    right: int

class Wrong(Exception):
    def __init__(self, what, code):
        super().__init__(f'{what}: {code}')
        self.code = code

class VeryWrong(Wrong):
    pass

@ray.remote
def point(x):
    return Point(x + base)

@ray.remote
def is_point(value):
    return isinstance(value, Point) and type(value) is sys.modules['__main__'].Point

@ray.remote
def fail(code):
    raise VeryWrong('no', code)

@ray.remote(num_cpus=0.5)
def nested(x):
    return ray.get(point.remote(x))

@functools.lru_cache
def remembered(x):
    return Point(x * base)

@functools.singledispatch
def kind(value):
    return 'object'

@kind.register
def _(value: Point):
    return 'point'

@ray.remote
class Counter:
    def __init__(self, start):
        self.points = [start]
    def add(self, point):
        self.points.append(point)
        return sum(point.x for point in self.points)
    def all(self):
        return self.points
    def fail(self):
        raise Wrong('actor', 3)

@ray.remote
class Waiter:
    def __init__(self):
        self.event = asyncio.Event()
    async def wait(self):
        await self.event.wait()
        return Point(1)
    async def go(self):
        self.event.set()

@ray.remote
def stream(n):
    for x in range(n):
        yield Point(x)

def adder(by):
    def add(point):
        return Point(point.x + by)
    return add
"""

CELL = """
import helpers_of_mine
found = {}

def attempt(what, call):
    try:
        found[what] = call()
    except BaseException as error:
        found[what] = f'{type(error).__name__}: {error}'

@ray.remote
def own(point):
    return OwnPoint(point.x * base)

class OwnPoint(Point):
    pass

@ray.remote
class OwnActor:
    def make(self, x):
        self.x = x
        return OwnPoint(x)
    def get(self):
        return self.x

class OwnWrong(Wrong):
    pass

@ray.remote
def own_fail():
    raise OwnWrong('own', 9)

def caught(reference, kind):
    try:
        ray.get(reference)
    except kind as error:
        return isinstance(error, kind), error.code, type(error.cause) is kind

def of_an_actor():
    counter = Counter.remote(Point(1))
    counter.add.remote(Point(2))
    return ray.get(counter.add.remote(Point(3))), [type(p) is Point for p in ray.get(counter.all.remote())]

def of_an_async_actor():
    waiter = Waiter.remote()
    waiting = waiter.wait.remote()
    ray.get(waiter.go.remote())
    return type(ray.get(waiting)) is Point

def of_an_own_actor():
    actor = OwnActor.remote()
    made = ray.get(actor.make.remote(4))
    return type(made) is OwnPoint, isinstance(made, Point), ray.get(actor.get.remote())

def of_a_named_actor():
    kept = Counter.options(name='kept').remote(Point(5))
    ray.get(kept.all.remote())
    @ray.remote
    def add():
        return ray.get(ray.get_actor('kept').add.remote(Point(6)))
    return ray.get(add.remote())

@ray.remote
def enums(colour):
    return colour is Colour.RED, Colour.BLUE, Named(1, 2)

def of_enums():
    there, back, named = ray.get(enums.remote(Colour.RED))
    return there, back is Colour.BLUE, type(named) is Named, named.right

@ray.remote
def use(function, *args):
    return function(*args)

def by_pool():
    from ray.util.multiprocessing import Pool
    with Pool(2) as pool:
        return [type(p) is Point for p in pool.map(adder(1), [Point(1), Point(2)])], pool.map(len, ['ab'])

def by_joblib():
    import joblib
    from ray.util.joblib import register_ray
    register_ray()
    with joblib.parallel_config('ray', n_jobs=2):
        return [type(p) is Point for p in joblib.Parallel()(joblib.delayed(remembered)(x) for x in (1, 2))]

@ray.remote
def spawns():
    import multiprocessing
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.map(helpers_of_mine.triple, [1]) + pool.map(remembered, [2])

@ray.remote
def warned():
    with warnings.catch_warnings(record=True) as seen:
        warnings.warn('quiet', DeprecationWarning)
    return len(seen), os.getcwd() == cwd

attempt('argument', lambda: ray.get(is_point.remote(Point(1))))
attempt('result', lambda: (type(ray.get(point.remote(1))) is Point, ray.get(point.remote(1)).x))
attempt('put and get', lambda: type(ray.get(ray.put(Point(1)))) is Point)
attempt('by reference', lambda: ray.get(is_point.remote(point.remote(1))))
attempt('in a dict', lambda: ray.get(use.remote(lambda d: type(d['p']) is Point, {'p': Point(1)})))
attempt('nested', lambda: type(ray.get(nested.remote(1))) is Point)
attempt('exception', lambda: caught(fail.remote(7), VeryWrong))
attempt('exception by its base', lambda: caught(fail.remote(7), Wrong))
attempt('exception of an actor', lambda: caught(Counter.remote(Point(1)).fail.remote(), Wrong))
attempt('exception of the cell', lambda: caught(own_fail.remote(), OwnWrong))
attempt('task of the cell', lambda: (type(ray.get(own.remote(Point(2)))) is OwnPoint, ray.get(own.remote(Point(2))).x))
attempt('actor', of_an_actor)
attempt('async actor', of_an_async_actor)
attempt('actor of the cell', of_an_own_actor)
attempt('named actor', of_a_named_actor)
attempt('stream', lambda: [type(ray.get(r)) is Point for r in stream.remote(3)])
attempt('enums', of_enums)
attempt('closure', lambda: type(ray.get(use.remote(adder(2), Point(1)))) is Point)
attempt('cached', lambda: type(ray.get(use.remote(remembered, 2))) is Point)
attempt('dispatch', lambda: ray.get([use.remote(kind, Point(1)), use.remote(kind, 1)]))
attempt('partial', lambda: ray.get(use.remote(functools.partial(pow, 2), 5)))
attempt('method', lambda: ray.get(use.remote('{}!'.format, 1)))
attempt('module of mine', lambda: ray.get(use.remote(helpers_of_mine.triple, 2)))
attempt('class of a module of mine', lambda: type(ray.get(use.remote(helpers_of_mine.Box))) is helpers_of_mine.Box)
attempt('warnings and folder', lambda: ray.get(warned.remote()))
attempt('pool', by_pool)
attempt('joblib', by_joblib)
attempt('spawns', lambda: [getattr(v, 'x', v) for v in ray.get(spawns.remote())])
"""

EXPECTED = {
    "argument": True,
    "result": (True, 101),
    "put and get": True,
    "by reference": True,
    "in a dict": True,
    "nested": True,
    "exception": (True, 7, True),
    "exception by its base": (True, 7, False),
    "exception of an actor": (True, 3, True),
    "exception of the cell": (True, 9, True),
    "task of the cell": (True, 200),
    "actor": (6, [True, True, True]),
    "async actor": True,
    "actor of the cell": (True, True, 4),
    "named actor": 11,
    "stream": [True, True, True],
    "enums": (True, True, True, 2),
    "closure": True,
    "cached": True,
    "dispatch": ["point", "object"],
    "partial": 32,
    "method": "1!",
    "module of mine": 6,
    "class of a module of mine": True,
    "warnings and folder": (0, True),
    "pool": ([True, True], [2]),
    "joblib": [True, True],
    "spawns": [3, 200],
}

FILTERS = [["ignore", None, f"builtins:{name}Warning", None, 0] for name in ("Deprecation", "Resource")]


@pytest.fixture(scope="module")
def found(shared_pool, tmp_path_factory):
    from jobq_magic.backends.ray.backend import RayBackend
    from jobq_magic.runs.store import Store
    from tests.ray.conftest import Place

    place = Place(Store(tmp_path_factory.mktemp("store ü")), shared_pool, RayBackend(shared_pool))
    folder = tmp_path_factory.mktemp("mine")
    (folder / "helpers_of_mine.py").write_text("def triple(x):\n    return 3 * x\n\nclass Box:\n    pass\n")
    state = [
        {"kind": "state", "what": "sys.path", "data": [str(folder)]},
        {"kind": "state", "what": "cwd", "data": str(folder)},
        {"kind": "state", "what": "warnings", "data": FILTERS},
    ]
    values = {"base": 100, "cwd": str(folder)}
    cell = place.start(CELL, definitions=DEFINITIONS, values=values, outs=("found",), state=state)
    assert cell.end(250).phase == "succeeded", cell.stderr
    assert "jobq:" not in cell.stderr
    return cell.values["found"]


@pytest.mark.parametrize("case", EXPECTED)
def test_means_the_same_in_tasks_and_actors(found, case):
    assert found[case] == EXPECTED[case]
