"""Large data, there and back: mapped, aligned, writable, and no more memory than what is touched."""

from __future__ import annotations

import numpy as np

from jobq_magic.results.decode import decode

RESIDENT = """
import os, subprocess
def resident():
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())])) >> 10
"""


def test_buffers_are_aligned_and_writable_there(notebook):
    notebook.run("import numpy as np, pandas as pd, polars as pl, pyarrow as pa")
    notebook.run("odd, array = np.ones(3, 'i1'), np.arange(5.0)")
    notebook.run("frame = pd.DataFrame({'a': np.arange(7), 'b': 1.5, 's': list('abcdefg')})")
    notebook.run("table = pa.table({'a': range(9), 's': ['x'] * 9})")
    cell = """
import copy
places = {
    "odd": odd.ctypes.data, "array": array.ctypes.data,
    "a": frame["a"].to_numpy().ctypes.data, "b": frame["b"].to_numpy().ctypes.data,
    **{f"table {n}": b.address for c in table.columns for n, b in enumerate(c.chunk(0).buffers()) if b},
}
off = {name: place % 64 for name, place in places.items() if place % 64}
writable = array.flags.writeable, odd.flags.writeable
array += 1
frame.loc[0, "a"] = 50
"""
    trip = notebook.job(cell)
    assert trip.outcome.names["off"] == {}
    assert trip.outcome.names["writable"] == (True, True)
    assert sorted(trip.outcome.changed) == ["array", "frame"]
    assert trip.outcome.changed["array"].tolist() == [1, 2, 3, 4, 5]
    assert trip.outcome.changed["frame"]["a"].tolist() == [50, 1, 2, 3, 4, 5, 6]


def test_what_comes_back_is_aligned_and_writable_too(notebook):
    trip = notebook.job("import numpy as np\na, b = np.ones(3, 'i1'), np.arange(5.0)")
    for array in trip.outcome.names.values():
        assert array.ctypes.data % 64 == 0
        array[:] = 7


def test_large_data_takes_no_memory_until_it_is_touched_and_comes_back_when_it_is_asked_for(notebook):
    notebook.run(RESIDENT)
    notebook.run("import numpy as np\nlarge = np.zeros(300 << 17)\nlarge[-1] = 5")
    trip = notebook.send("before = resident()\nlarge[0] = 1\nafter, last = resident(), float(large[-1])", most=64 << 20)
    assert trip.outcome.names["last"] == 5
    assert trip.outcome.names["after"] < 150
    assert trip.outcome.names["after"] - trip.outcome.names["before"] < 8
    assert trip.outcome.later["large"] >= 300 << 20
    assert "large" not in trip.outcome.changed
    back = decode(trip.run, 1, notebook.store.key(trip.run)).changed["large"]
    assert (back[0], back[-1], back.shape) == (1, 5, (300 << 17,))
    assert np.count_nonzero(back) == 2


def test_large_data_that_is_only_read_is_not_sent_back(notebook):
    notebook.run("import numpy as np, pandas as pd\nlarge = pd.DataFrame(np.ones((400_000, 10)))")
    trip = notebook.job("total = large.sum().sum()\ncolumn = large[3].max()")
    assert trip.outcome.changed == {}
    assert sum(file.stat().st_size for file in trip.run.paths.attempt(1).values.iterdir()) < 10_000


def test_every_other_element_travels_without_those_between(notebook):
    notebook.run("import numpy as np\nlarge = np.arange(1_000_000.0)[::4]")
    trip = notebook.job("total = large.sum()\nlarge[1] = 0")
    assert trip.outcome.names["total"] == notebook.names["large"].sum()
    assert trip.outcome.changed["large"][:3].tolist() == [0, 0, 8]
    assert next(step["size"] for step in trip.bundle.steps if step["kind"] == "value") < 2_001_000


def test_the_same_object_makes_the_same_bytes_here_and_when_it_came_back(notebook):
    notebook.run("import numpy as np, pandas as pd\nfrom sklearn.neighbors import KNeighborsRegressor")
    made = {
        "model": "KNeighborsRegressor(1).fit(np.arange(90_000.0)[:, None], np.arange(90_000.0) + np.float64(1))",
        "strided": "np.arange(600_000.0)[::2]",
        "frame": "pd.DataFrame({'a': np.arange(90_000), 'b': 1.5, 's': 'text'})",
        "nested": "{'w': [np.ones(200_000), np.float64(1)], 'text': 'x' * 9}",
    }
    there = notebook.job("\n".join(f"{n} = {m}" for n, m in made.items()))
    notebook.names.update(there.outcome.names)
    again = notebook.job("; ".join(made))

    def digests(trip) -> dict[str, str]:
        return {step["names"][0]: step["file"][-64:] for step in trip.bundle.steps if step["kind"] == "value"}

    came_back = {path.name for path in there.run.paths.attempt(1).values.iterdir()}
    assert [name for name, digest in digests(again).items() if digest not in came_back] == []
    assert set(digests(again)) == set(made)
