"""`make bench-capture`: what capture costs, beside what the notebook holds, what it did before, and the disk.

Every figure is taken in a process of its own, with nothing of the kernel around: `capture` is a function of a cell, a
namespace and an index of definitions.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import distributions, version
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.table import Row, alternate, publish

GIGABYTE = 125_000_000
"""Numbers of 8 bytes."""
ROUNDS = 10

CELLS = [
    "import math, json, functools, collections\nimport numpy as np",
    "from dataclasses import dataclass, field",
    "scale, shift, names = 2.0, 1, ['a', 'b']\nlimits = {'low': 0, 'high': 9}",
    """@dataclass
class Point:
    x: float
    y: float = shift
    tags: list = field(default_factory=list)
    def norm(self):
        return math.hypot(self.x, self.y) * scale""",
    """class Model:
    kind = 'linear'
    def __init__(self, weights):
        self.weights = weights
    def predict(self, rows):
        return [clip(sum(w * v for w, v in zip(self.weights, row))) for row in rows]""",
    "def clip(value):\n    return max(limits['low'], min(limits['high'], value))",
    "@functools.lru_cache(maxsize=None)\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)",
    "def load(text):\n    return [Point(**one) for one in json.loads(text)]",
    "def centre(points):\n    return Point(mean(p.x for p in points), mean(p.y for p in points))",
    "def mean(values):\n    values = list(values)\n    return sum(values) / len(values)",
    "square = lambda value: value * value\ncube = lambda value: square(value) * value",
    "model = Model([0.5, 0.25])\npoints = [Point(1.0, 2.0), Point(3.0)]\nrows = np.arange(12.0).reshape(6, 2)",
    "counts = collections.Counter('abracadabra')\ntext = '[{\"x\": 1, \"y\": 2}]'",
]
CELL = """
result = model.predict(rows)
middle = centre(points + load(text))
total = sum(map(cube, result)) + fib(20) + middle.norm() + counts['a'] + len(names) + shift
"""


class Notebook:
    """A `__main__` whose cells are indexed, as a kernel's are."""

    def __init__(self, cells: list[str]) -> None:
        from jobq_magic.capture import DefinitionIndex

        self.main = sys.modules["__main__"] = ModuleType("__main__")
        self.index = DefinitionIndex()
        for number, cell in enumerate(cells, 1):
            exec(compile(cell, f"<cell {number}>", "exec"), vars(self.main))  # noqa: S102 - that is what a kernel does
            self.index.record(cell, f"Cell [{number}]", vars(self.main), number)

    def source(self, cell: str) -> Any:
        """What capture is asked for."""
        from jobq_magic.capture import Source

        return Source(cell=cell, label="Cell [99]", namespace=vars(self.main), index=self.index)


class Ground:
    """A folder on the disk that a store would lie on, and captures into it."""

    def __init__(self, folder: str) -> None:
        self._numbers = count()
        self.folder = Path(folder)
        self.pool = self.folder / "values"

    def capture(self, source: Any, *, pooled: bool = True) -> tuple[float, Any]:
        """Seconds, and the bundle."""
        from jobq_magic.capture import CaptureOptions, capture

        target = self.folder / f"bundle{next(self._numbers)}"
        start = time.perf_counter()
        bundle = capture(source, target, CaptureOptions(pool=self.pool if pooled else None))
        return time.perf_counter() - start, bundle

    def clear(self, *bundles: Any) -> None:
        """Gives back what bundles take of the disk."""
        for bundle in bundles:
            shutil.rmtree(bundle.folder)
        shutil.rmtree(self.pool, ignore_errors=True)


def closure(ground: Ground) -> list[Row]:
    """Twenty names, of which most are definitions."""
    import cloudpickle

    notebook = Notebook(CELLS)
    source = notebook.source(CELL)
    needed = ("model", "rows", "points", "load", "text", "centre", "cube", "fib", "counts", "names", "shift")
    _, bundle = ground.capture(source)
    names = len(bundle.travellers)

    def peer() -> float:
        start = time.perf_counter()
        cloudpickle.dumps({name: vars(notebook.main)[name] for name in needed})
        return time.perf_counter() - start

    warm, theirs = alternate(lambda: ground.capture(source)[0], peer, ROUNDS)
    cold = statistics.median(float(_elsewhere("cold")) for _ in range(5))
    what = f"closure of {names} names"
    return [
        Row(f"{what}, warm", warm, theirs, warm / theirs, "ours <= 0.010 s", warm <= 0.010, note="cloudpickle.dumps"),
        Row(f"{what}, first of a kernel", cold, theirs, cold / theirs, "ours <= 0.060 s", cold <= 0.060),
    ]


def _cold(ground: Ground) -> None:
    """The first capture of a kernel: nothing was analysed yet, and the imports of the room are a part of it."""
    for loaded_before in ("cloudpickle", "jobq_magic.notebook.session"):
        importlib.import_module(loaded_before)
    source = Notebook(CELLS).source(CELL)

    print(ground.capture(source)[0])


def namespaces(ground: Ground) -> list[Row]:
    """The same cell in notebooks that hold more and more."""
    times: dict[int, Callable[[], float]] = {}
    for held in (10, 1_000, 10_000):
        notebook = Notebook(CELLS + [f"extra{number} = [{number}]" for number in range(held)])
        if held == 10_000:
            import numpy as np

            vars(notebook.main)["unneeded"] = [np.ones(GIGABYTE) for _ in range(4)]
        source = notebook.source(CELL)
        times[held] = lambda source=source, main=notebook.main: _in(main, lambda: ground.capture(source)[0])
    rows = []
    for held in (1_000, 10_000):
        mine, smallest = alternate(times[held], times[10], 20)
        what = f"namespace of {held:,} names" + " and 4 GB not needed" * (held == 10_000)
        note = "that of 10 names"
        rows.append(Row(what, mine, smallest, mine / smallest, "<= 1.2", mine <= 1.2 * smallest, note=note))
    return rows


def _in(main: ModuleType, measured: Callable[[], float]) -> float:
    sys.modules["__main__"] = main
    return measured()


def again(ground: Ground) -> Row:
    """A second run of a cell whose values did not change."""
    firsts, seconds = [], []
    for number in range(5):
        notebook = Notebook([*CELLS, f"big = np.arange({GIGABYTE // 4}, dtype=float) + {number}"])
        source = notebook.source(CELL + "\nbig.sum()")
        first, before = ground.capture(source)
        second, after = ground.capture(source)
        assert before.digest == after.digest
        firsts.append(first)
        seconds.append(second)
        ground.clear(before, after)
    mine, theirs = statistics.median(seconds), statistics.median(firsts)
    what = "again, nothing changed: 20 names and 250 MB (same digest)"
    return Row(what, mine, theirs, mine / theirs, "<= 0.3", mine <= 0.3 * theirs, note="the first time")


def kernels(ground: Ground) -> Row:
    """Two kernels that executed the same cells: what they capture has one digest."""
    del ground
    digests = {_elsewhere("digest") for _ in range(3)}
    same = len(digests) == 1
    return Row("a new kernel, same notebook: digests", len(digests), 1, len(digests), "1", same, unit="")


def _digest(ground: Ground) -> None:
    print(ground.capture(Notebook(CELLS).source(CELL))[1].digest)


def gigabyte(ground: Ground) -> list[Row]:
    """Arrays of 1 GB, beside writing the same bytes to the same disk."""
    import numpy as np

    notebook = Notebook(["import numpy as np"])
    arrays = [np.random.default_rng(seed).random(GIGABYTE // 4) for seed in range(4)]
    vars(notebook.main).update({f"a{number}": array for number, array in enumerate(arrays)})
    source = notebook.source("a0.sum() + a1.sum() + a2.sum() + a3.sum()")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def ours() -> float:
        seconds, bundle = ground.capture(source, pooled=False)
        ground.clear(bundle)
        return seconds

    def peer() -> float:
        path = ground.folder / "peer"
        start = time.perf_counter()
        for number, array in enumerate(arrays):
            with path.with_name(f"peer{number}").open("wb", buffering=0) as file:
                file.write(memoryview(array).cast("B"))
        seconds = time.perf_counter() - start
        for number in range(4):
            path.with_name(f"peer{number}").unlink()
        return seconds

    mine, theirs = alternate(ours, peer, 5)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [
        Row("1 GB of arrays", mine, theirs, mine / theirs, "<= 1.3", mine <= 1.3 * theirs, note="a sequential write"),
        Row("  memory for that", grown, 64, grown / 64, "<= 64 MB", grown <= 64, unit="MB"),
    ]


ROOTS = ("numpy", "pandas", "matplotlib", "scipy", "scikit-learn", "polars", "pyarrow", "pydantic", "rich", "requests")
PLATFORM = "x86_64-manylinux_2_28"


def lock(ground: Ground) -> list[Row]:
    """The lock of ten packages, beside uv alone on the same input; and where it was made before."""
    from uv import find_uv_bin

    from jobq_magic.bundle import Requirement
    from jobq_magic.capture.requirements.locking import lock as make

    here = {name: version(name) for name in ROOTS}
    needed = [Requirement(name, here[name]) for name in ROOTS]
    frozen = sorted(f"{each.name}=={each.version}" for each in distributions() if each.name != "jobq-magic")
    (ground.folder / "roots.in").write_text("\n".join(ROOTS))
    (ground.folder / "freeze.txt").write_text("\n".join(dict.fromkeys(frozen)))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [find_uv_bin(), "pip", "compile", "roots.in", "-c", "freeze.txt", "--generate-hashes", "--quiet"]
    command += ["--python", sys.executable, "--python-version", python, "--python-platform", PLATFORM]
    caches = count()

    def ours() -> float:
        cache = ground.folder / f"locks{next(caches)}"
        start = time.perf_counter()
        assert not make(needed, python=python, platform=PLATFORM, cache=cache).cached
        return time.perf_counter() - start

    def peer() -> float:
        start = time.perf_counter()
        subprocess.run(command, cwd=ground.folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def kept() -> float:
        start = time.perf_counter()
        assert make(needed, python=python, platform=PLATFORM, cache=ground.folder / "locks0").cached
        return time.perf_counter() - start

    mine, theirs = alternate(ours, peer, 10)
    again = statistics.median(kept() for _ in range(ROUNDS))
    return [
        Row("lock of 10 roots", mine, theirs, mine / theirs, "<= 1.1", mine <= 1.1 * theirs, note="uv pip compile"),
        Row("  made before", again, theirs, again / theirs, "ours <= 0.010 s", again <= 0.010),
    ]


def _elsewhere(what: str) -> str:
    """What one of the functions here prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.capture", what]
    return subprocess.check_output(command, text=True, env={**os.environ, "PYTHONHASHSEED": "random"}).strip()


def main() -> None:
    """Measures all, or prints one figure for the process that asked."""
    with tempfile.TemporaryDirectory(prefix="jobq-bench-", dir=Path.home()) as folder:
        ground = Ground(folder)
        for asked in sys.argv[1:]:
            {"cold": _cold, "digest": _digest}[asked](ground)
            return
        rows = closure(ground)
        for part in (namespaces, again, kernels, gigabyte, lock):
            gc.collect()
            found = part(ground)
            rows += found if isinstance(found, list) else [found]
        publish("capture", rows)


if __name__ == "__main__":
    main()
