"""parallel_map and its family on Ray."""

from __future__ import annotations

import pytest

CELL = """
import os, time, threading, tempfile, ray
from jobq_magic import parallel_map, parallel_starmap, scatter_gather
found = {}

parallel_map(abs, range(100))
began = time.perf_counter()
found['order'] = parallel_map(lambda x: -x, range(10_000)) == [-x for x in range(10_000)]
found['seconds an item'] = (time.perf_counter() - began) / 10_000
minus = ray.remote(lambda x: -x)
began = time.perf_counter()
ray.get([minus.remote(x) for x in range(500)])
found['seconds a task'] = (time.perf_counter() - began) / 500

found['starmap'] = parallel_starmap(pow, [(2, 3), (3, 2)])
found['scatter'] = scatter_gather([(pow, (2, 3), {}), (int, ('ff',), {'base': 16})])
found['empty'] = parallel_map(abs, [])
found['arguments'] = parallel_map(lambda x, by: x * by, range(3), by=5)
found['errors'] = [str(e) for e in parallel_map(lambda x: 1 // x, [0, 1], return_exceptions=True)]

read = []
def items():
    for number in range(100_000):
        read.append(number)
        yield number
def early(x):
    time.sleep(0.02)
    if x == 3:
        raise KeyError('three')
    return x
began = time.perf_counter()
try:
    parallel_map(early, items())
except KeyError as error:
    found['first error'] = error.args, type(error).__name__, 'On the worker' in error.__notes__[0], error.__cause__
    found['which item'] = error.__notes__[1]
found['read'] = len(read)
found['seconds to the first error'] = time.perf_counter() - began

def span(folder):
    began = time.time()
    open(f'{folder}/{os.getpid()}', 'w').close()
    while len(os.listdir(folder)) < 2 and time.time() < began + 30:
        time.sleep(0.01)
    time.sleep(0.02)
    return began, time.time()
def most(spans):
    return max(sum(b <= at < e for b, e in spans) for at, _ in spans)
found['at a time'] = most(parallel_map(span, [tempfile.mkdtemp()] * 8))
found['one at a time'] = most(parallel_map(span, [tempfile.gettempdir()] * 4, max_concurrency=1))
found['uneven'] = parallel_map(lambda x: time.sleep(0.5 if x == 900 else 0) or x, range(1000)) == list(range(1000))

class Odd(Exception):
    def __init__(self, lock, text):
        super().__init__(text)
        self.lock = lock
def odd(x):
    raise Odd(threading.Lock(), 'cannot travel')
for name, call in {
    'unpicklable error': lambda: parallel_map(odd, [1]),
    'unpicklable result': lambda: parallel_map(lambda _: threading.Lock(), [1]),
    'too much': lambda: parallel_map(abs, [1], num_gpus=1),
    'dead worker': lambda: parallel_map(lambda _: os._exit(1), [1]),
}.items():
    try:
        call()
    except Exception as error:
        found[name] = f'{type(error).__name__}: {error}'
found['nested'] = parallel_map(lambda x: sum(parallel_map(abs, [x, -x])), range(4))
"""


@pytest.fixture(scope="module")
def found(shared_pool, tmp_path_factory):
    from jobq_magic.backends.ray.backend import RayBackend
    from jobq_magic.runs.store import Store
    from tests.ray.conftest import Place

    place = Place(Store(tmp_path_factory.mktemp("store")), shared_pool, RayBackend(shared_pool))
    return place.run(CELL, outs=("found",)).values["found"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("order", True),
        ("starmap", [8, 9]),
        ("scatter", [8, 255]),
        ("empty", []),
        ("arguments", [0, 5, 10]),
        ("errors", ["integer division or modulo by zero", "1"]),
        ("nested", [0, 2, 4, 6]),
        ("uneven", True),
    ],
)
def test_gives_what_a_loop_would(found, what, expected):
    assert found[what] == expected


def test_raises_the_first_error_as_itself_and_runs_nothing_more(found):
    assert found["first error"] == (("three",), "KeyError", True, None)
    assert found["which item"] == "This was item 3, counted from 0."
    assert found["seconds to the first error"] < 5


def test_reads_a_generator_only_as_far_as_it_works(found):
    assert found["read"] < 100


def test_runs_as_many_at_a_time_as_there_are_workers_and_no_more_than_asked(found):
    assert found["at a time"] == 2
    assert found["one at a time"] == 1


def test_small_calls_cost_much_less_than_a_task_each(found):
    assert found["seconds an item"] < found["seconds a task"] / 4


def test_says_what_cannot_be(found):
    assert found["unpicklable error"] == "RuntimeError: Odd: cannot travel"
    assert "cannot pickle '_thread.lock' object" in found["unpicklable result"]
    assert found["too much"] == "ValueError: each call asks for 1 GPUs, and this Ray has 0"
    assert found["dead worker"].startswith("WorkerCrashedError")
