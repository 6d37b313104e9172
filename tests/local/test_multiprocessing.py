"""Processes that a cell starts: as in a kernel, and with what the notebook defines also where a kernel has it not."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from jobq_magic.runtime import process
from tests.notebooks.conftest import environment, opened
from tests.support import eventually

__all__ = ["environment"]

METHODS = ("fork", "spawn", "forkserver")
MODULE = """
def doubled(x):
    return 2 * x
"""
NOTEBOOK = """
import dataclasses, functools, multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
import sums_of_mine

rate = 3
table = {'a': [1, 2]}

@dataclasses.dataclass
class Point:
    x: int
    def scaled(self):
        return Point(self.x * rate)

class Bad(Exception):
    def __init__(self, value, why):
        super().__init__(value, why)

def plus(x):
    return x + 1

def times(x):
    return x * rate + table['a'][0]

def point(x):
    return Point(x)

def x_of(point):
    assert isinstance(point, Point)
    return point.x

def fail(x):
    raise Bad(x, 'no')

@functools.lru_cache
def remembered(x):
    return Point(x + rate)
"""
# Ways to call a function on items in other processes; each gives a list.
WAYS = """
import contextlib

@contextlib.contextmanager
def by_pool(context):
    with context.Pool(1) as pool:
        yield lambda function, items: pool.map_async(function, items).get(30)

def report(queue, function, items):
    queue.put([function(item) for item in items])

@contextlib.contextmanager
def by_process(context):
    def call(function, items):
        queue = context.Queue()
        child = context.Process(target=report, args=(queue, function, items))
        child.start()
        results = queue.get(timeout=PATIENCE)
        child.join()
        return results
    yield call

@contextlib.contextmanager
def by_executor(context):
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield lambda function, items: list(pool.map(function, items))

@contextlib.contextmanager
def by_manager(context):
    with context.Manager() as manager:
        yield lambda function, items: list(manager.list([function(item) for item in items]))

WAYS = {way.__name__: way for way in (by_pool, by_process, by_executor, by_manager)}
"""
CELL = """
from joblib import Parallel, delayed
scale = 7

class Own:
    def __init__(self, x):
        self.x = x * scale

def own(x):
    return Own(x)

def own_times(x):
    return plus(x) * rate * scale

@functools.lru_cache
def own_remembered(x):
    return x * scale

def bad(call):
    try:
        call(fail, [1])
    except Bad as error:
        return type(error) is Bad, error.args

CASES = {
    'function': lambda call: call(plus, [1, 2]),
    'function that reads values': lambda call: call(times, [1, 2]),
    'function of the cell': lambda call: call(own_times, [1, 2]),
    'method': lambda call: [p.x for p in call(Point.scaled, [Point(2)])],
    'module of mine': lambda call: call(sums_of_mine.doubled, [1, 2]),
    'argument': lambda call: call(x_of, [Point(4)]),
    'result': lambda call: [(type(p) is Point, p) for p in call(point, [1])],
    'result of a class of the cell': lambda call: [(type(o) is Own, o.x) for o in call(own, [1])],
    'cached': lambda call: [(type(p) is Point, p) for p in call(remembered, [1, 2])],
    'cached, of the cell': lambda call: call(own_remembered, [1, 2]),
    'partial': lambda call: call(functools.partial(pow, 2), [3]),
    'exception': bad,
}

def attempt(what, call):
    try:
        return repr(what(call))
    except BaseException as error:
        return type(error).__name__

found = {}
for method, way, cases, fragile in ASKED:
    # Where a call breaks what holds the processes, the next one needs another.
    for now in [[case] for case in cases] if fragile else [cases]:
        with WAYS[way](multiprocessing.get_context(method)) as call:
            for what in now:
                found[method, way, what] = attempt(CASES[what], call)
with Parallel(n_jobs=2) as joblib:
    for what, calls in {
        'function': [delayed(times)(x) for x in (1, 2)],
        'lambda': [delayed(lambda x: times(x) + scale)(x) for x in (1, 2)],
        'result': [delayed(Point)(1)],
        'module of mine': [delayed(sums_of_mine.doubled)(1)],
        'cached': [delayed(remembered)(1)],
    }.items():
        found['loky', 'joblib', what] = attempt(lambda call: [(v, type(v) is Point) for v in call(calls)], joblib)
"""
EXPECTED = {
    "function": "[2, 3]",
    "function that reads values": "[4, 7]",
    "function of the cell": "[42, 63]",
    "method": "[6]",
    "module of mine": "[2, 4]",
    "argument": "[4]",
    "result": "[(True, Point(x=1))]",
    "result of a class of the cell": "[(True, 7)]",
    "cached": "[(True, Point(x=4)), (True, Point(x=5))]",
    "cached, of the cell": "[7, 14]",
    "partial": "[8]",
    "exception": "(True, (1, 'no'))",
}
LOKY = {
    "function": "[(4, False), (7, False)]",
    "lambda": "[(11, False), (14, False)]",
    "result": "[(Point(x=1), True)]",
    "module of mine": "[(2, False)]",
    "cached": "[(Point(x=4), True)]",
}
# One process for all cases, or one for each; a manager's process only holds what comes and goes.
CASES_OF = {
    "by_pool": list(EXPECTED),
    "by_executor": list(EXPECTED),
    "by_process": ["function", "function of the cell", "result"],
    "by_manager": ["argument", "result", "result of a class of the cell"],
}
TABLE = {
    **{(method, way, what): EXPECTED[what] for method in METHODS for way in CASES_OF for what in CASES_OF[way]},
    **{("loky", "joblib", what): expected for what, expected in LOKY.items()},
}
IN_A_JOB = [(method, way, CASES_OF[way], False) for method in METHODS for way in CASES_OF]
# Where a spawned process finds nothing of the notebook, a kernel's pool starts new ones for ever: it is left out.
IN_A_KERNEL = [
    *(("fork", way, CASES_OF[way], False) for way in CASES_OF),
    ("spawn", "by_executor", ["function", "module of mine", "partial"], True),
]


def cell(asked: object, patience: float) -> str:
    return f"PATIENCE, ASKED = {patience}, {asked!r}\n{WAYS}{CELL}print(found)"


@pytest.fixture(scope="module")
def columns(environment):
    """The table as it comes out of a job, and of the kernel itself."""
    with opened(environment, person=False) as notebook:
        Path(environment["BASE"], "work", "sums_of_mine.py").write_text(MODULE)
        assert notebook.run(NOTEBOOK).error is None
        job = notebook.run("%%jobq --no-out\n" + cell(IN_A_JOB, 30), 100)
        assert job.error is None, job.traceback
        assert job.stderr == ""
        kernel = notebook.run(cell(IN_A_KERNEL, 1), 100)
        return ast.literal_eval(job.stdout), ast.literal_eval(kernel.stdout)


@pytest.mark.parametrize("case", TABLE, ids=", ".join)
def test_a_process_of_a_cell_does_what_it_does_in_a_kernel_and_more(columns, case):
    job, kernel = columns
    assert job[case] == TABLE[case]
    if case in kernel and kernel[case][0] in "[(":  # else it is the name of an exception
        assert kernel[case] == job[case]


def test_a_kernel_has_nothing_of_the_notebook_in_a_spawned_process(columns):
    _, kernel = columns
    assert kernel["spawn", "by_executor", "function"] == "BrokenProcessPool"
    assert kernel["spawn", "by_executor", "module of mine"] == "[2, 4]"


SPAWN = "import multiprocessing, os\nspawn = multiprocessing.get_context('spawn')\n"


def started(target: str, arguments: str = "()") -> str:
    return f"child = spawn.Process(target={target}, args={arguments})\nchild.start()\nchild.join()\n"


def wrote(local, run, stream: str = "stdout") -> str:
    return "".join(data for kind, data in local.wrote(run) if kind == stream)


@pytest.mark.parametrize("method", METHODS)
def test_the_cell_is_executed_once_and_what_its_children_print_is_printed(local, method):
    run, end = local.run(
        f"import multiprocessing\nprint('the cell')\ncontext = multiprocessing.get_context({method!r})\n"
        "def mine():\n    f()\n    print('mine')\n"
        + started("f").replace("spawn", "context")
        + started("mine").replace("spawn", "context")
        + "print('the end', child.exitcode)",
        definitions="def f():\n    print('child')",
    )
    assert end.phase == "succeeded"
    assert wrote(local, run) == "the cell\nchild\nchild\nmine\nthe end 0\n"
    assert wrote(local, run, "stderr") == ""


def test_a_spawned_process_has_the_values_as_they_are_when_it_starts(local):
    run, _ = local.run(
        SPAWN + "def mine():\n    print(f(), rows, rows is same, more)\nmore = 'first'\n" + started("mine")
        + "base += 1\nrows.append(3)\nmore = 'second'\n" + started("mine"),
        definitions="def f():\n    return base, rows",
        values=[{"base": 10, "unread": 1}, {"rows": [1, 2], "same": None}],
    )  # fmt: skip
    assert wrote(local, run) == "(10, [1, 2]) [1, 2] False first\n(11, [1, 2, 3]) [1, 2, 3] False second\n"


def test_what_a_spawned_process_binds_globally_is_read_by_the_functions_of_notebook_and_cell(local):
    run, _ = local.run(
        SPAWN + "def begin(value):\n    global shared\n    shared = value\n"
        "def mine(x):\n    return f(x), shared + x\n"
        "with spawn.Pool(1, initializer=begin, initargs=(40,)) as pool:\n    print(pool.map(mine, [1, 2]))",
        definitions="def f(x):\n    return shared * x",
    )
    assert wrote(local, run) == "[(40, 41), (80, 42)]\n"


def test_what_cannot_travel_to_a_spawned_process_does_not_keep_the_rest_from_it(local):
    run, end = local.run(
        SPAWN + "import threading\nlock, base = threading.Lock(), 5\ndef mine():\n    with lock: pass\n" + started("f"),
        definitions="def f():\n    print(base)\ndef A():\n    return lock",
    )
    assert end.phase == "succeeded"
    assert wrote(local, run) == "5\n"


def test_what_is_too_large_for_each_spawned_process_is_told_once(local):
    run, _ = local.run(
        SPAWN + "base, rows = 5, bytes(70 << 20)\n" + 2 * started("f"),
        definitions="def f():\n    print(base, 'rows' in globals())\ndef A():\n    return rows",
    )
    assert wrote(local, run) == "5 False\n5 False\n"
    said = "jobq: rows is too large to be given to each process that is spawned; pass it on, or use fork\n"
    assert wrote(local, run, "stderr") == said


def test_a_definition_that_fails_in_a_spawned_process_is_told_there(local):
    run, end = local.run(
        SPAWN + started("f"),
        definitions="import multiprocessing\n"
        "if multiprocessing.current_process().name != 'MainProcess': raise OSError('only there')\ndef f(): pass",
    )
    assert end.phase == "succeeded"
    assert "jobq: A, f could not be loaded in a child process" in wrote(local, run, "stderr")
    assert "OSError: only there" in wrote(local, run, "stderr")


def test_a_spawned_process_starts_others(local):
    run, _ = local.run(
        SPAWN + "def outer():\n    child = spawn.Process(target=f, args=(base,))\n    child.start()\n    child.join()\n"
        "base = 1\n" + started("outer"),
        definitions="def f(x):\n    print('inner', x, base)",
    )
    assert wrote(local, run) == "inner 1 1\n"


@pytest.mark.parametrize("method", METHODS)
def test_a_child_displays_as_the_cell_does(local, method):
    run, _ = local.run(
        SPAWN.replace("'spawn'", repr(method)) + started("f"),
        definitions="def f():\n    display({'text/plain': 'shown'}, raw=True)",
    )
    (shown,) = [told for kind, told in local.wrote(run) if kind == "display_data"]
    assert shown == {"text/plain": "shown"}


def test_nothing_in_main_of_the_job_tells_that_it_is_one(local):
    run, _ = local.run(
        SPAWN + started("f") + "print('__file__' in globals(), __name__, '__getattr__' in globals())",
        definitions="def f():\n    print('__file__' in globals(), __name__, '__getattr__' in globals())",
    )
    assert wrote(local, run) == 2 * "False __main__ False\n"


@pytest.mark.parametrize("method", METHODS)
def test_a_child_that_is_killed_ends_the_call_that_waits_for_it(local, method):
    run, end = local.run(
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n"
        f"context = multiprocessing.get_context({method!r})\n"
        "child = context.Process(target=f)\nchild.start()\nchild.join()\nprint(child.exitcode)\n"
        "with ProcessPoolExecutor(1, mp_context=context) as pool:\n    pool.submit(f).result()",
        definitions="import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert wrote(local, run) == "-9\n"
    assert end.facts["error"].startswith("BrokenProcessPool")


def test_a_stop_ends_all_processes_of_the_cell(local):
    run = local.start(
        "import multiprocessing, time\npools = []\n"
        "for method in ('fork', 'spawn', 'forkserver'):\n"
        "    pools.append(multiprocessing.get_context(method).Pool(1))\n"
        "    print(pools[-1].apply(f))\nprint('ready')\ntime.sleep(1000)",
        definitions="import os\ndef f():\n    return os.getpid()",
    )
    stdout = run.paths.attempt(1).stdout
    eventually(lambda: stdout.exists() and "ready" in stdout.read_text(), 30)
    job = local.processes(run)["job"]["pid"]
    pids = [job, *process.descendants(job)]
    assert len(pids) >= 6
    run.paths.stop.write_text("stopped")
    assert local.end(run).phase == "cancelled"
    assert [pid for pid in pids if process.started(pid) is not None] == []


def test_the_job_waits_for_a_process_that_the_cell_leaves_running_and_says_so(local, tmp_path):
    gate = tmp_path / "gate"
    run = local.start(
        SPAWN + f"print('cell')\nspawn.Process(target=f, args=({str(gate)!r},)).start()\n"
        "spawn.Process(target=time.sleep, args=(1000,), daemon=True).start()",
        definitions="import os, time\ndef f(gate):\n"
        "    while not os.path.exists(gate): time.sleep(0.01)\n    print('left', flush=True)",
    )
    errors = run.paths.attempt(1).stderr
    eventually(lambda: errors.exists() and "waits for" in errors.read_text(), 30)
    assert not local.store.snapshot(run).final
    gate.touch()
    began = time.monotonic()
    assert local.end(run).phase == "succeeded"
    assert time.monotonic() - began < 20
    assert wrote(local, run) == "cell\nleft\n"
    said = wrote(local, run, "stderr")
    assert said.startswith("jobq: the cell has ended, and the job waits for a process that it started (SpawnProcess-1")
