"""The bundle: deterministic, grouped by what is shared, in an order in which everything finds what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from .conftest import loaded, steps

CAPTURE_ONCE = """
import sys
from pathlib import Path
from types import ModuleType
from jobq_magic.capture import *
from jobq_magic.runtime.execute import execute
main = sys.modules["__main__"] = ModuleType("__main__")
index = DefinitionIndex()
cells = [
    "import math, numpy as np",
    "class A:\\n    kinds = {'x', 'y'}\\n    def f(self): return helper(self.v)",
    "def helper(x): return math.sqrt(x) + len(names)",
    "a = A(); a.v = 4",
    "names = ['n', 'm']; table = {'k': [1.5, None], 'a': a}",
    "arr = np.arange(10.)",
    "add = (lambda n: lambda x: x + n)(3)",
]
for number, cell in enumerate(cells, int(sys.argv[2])):
    execute(cell, f"Cell [{number}]", main.__dict__)
    index.record(cell, f"Cell [{number}]", main.__dict__)
source = Source("r = a.f() + arr.sum() + add(1) + table['k'][0]", "Cell [99]", main.__dict__, index)
print(capture(source, Path(sys.argv[1])).digest)
"""


def test_equal_content_has_an_equal_digest_whatever_the_hash_seed_the_folder_and_the_counts(tmp_path):
    digests = set()
    for seed in range(4):
        folder = tmp_path / f"f{seed}"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", CAPTURE_ONCE, str(folder / "bundle"), str(seed * 10 + 1)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_another_content_has_another_digest(notebook):
    notebook.run("def f():\n    return n\nn = 1")
    one = notebook.capture("f()").digest
    assert notebook.capture("f()").digest == one
    assert notebook.capture("f() ").digest != one
    notebook.run("n = 2")
    assert notebook.capture("f()").digest != one
    notebook.run("n = 1\ndef f():\n    return n + 0")
    assert notebook.capture("f()").digest != one


def test_the_manifest_names_the_digest_of_every_file(notebook):
    import hashlib

    notebook.run("def f():\n    return n\nn = [1]")
    bundle = notebook.capture("f()")
    manifest = json.loads((bundle.folder / "manifest.json").read_text())
    named = {}
    for step in [*manifest["steps"], manifest["cell"]]:
        if "file" in step:
            named[step["file"]] = step.get("sha256", step["file"].rpartition("/")[2])
    files = {
        str(p.relative_to(bundle.folder)): p
        for p in bundle.folder.rglob("*")
        if p.is_file() and p.name != "manifest.json"
    }
    assert named.keys() == files.keys()
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == named[name]


def test_only_what_the_cell_needs_travels(notebook):
    notebook.run("import threading\nlock = threading.Lock()\nbig = bytearray(10_000_000)\nx = 1\ndef f(): return big")
    bundle = notebook.capture("x + 1")
    assert [traveller.name for traveller in bundle.travellers] == ["x"]
    assert sum(p.stat().st_size for p in bundle.folder.rglob("*") if p.is_file()) < 2_000


def test_values_that_share_nothing_are_groups_of_their_own(notebook):
    notebook.run("import numpy as np\na = np.zeros(3)\nb = np.zeros(4)\nc = 'text'\nd = [c]")
    assert steps(notebook.capture("a, b, c, d"), "value") == ["a", "b", "c", "d"]


def test_data_frames_that_share_their_columns_are_groups_of_their_own(notebook):
    notebook.run("import pandas as pd\ndf = pd.DataFrame({'x': [1, 2, 3]})\nsmall = df[df.x > 1]")
    assert steps(notebook.capture("df, small"), "value") == ["df", "small"]


def test_values_that_share_an_object_are_one_group(notebook):
    notebook.run("s = [1]\na = {'s': s}\nb = (s,)\nother = [2]")
    bundle = notebook.capture("a, b, other")
    assert steps(bundle, "value") == ["a,b", "other"]
    values = {p.name for p in (bundle.folder / "values").iterdir()}
    assert len(values) == 2


def test_arrays_travel_out_of_band_and_come_aligned(notebook):
    notebook.run("import numpy as np\na = np.arange(100_000.)")
    bundle = notebook.capture("a.sum()")
    back = loaded(bundle, "a")
    assert np.array_equal(back, notebook.names["a"])
    assert back.flags.writeable
    assert back.__array_interface__["data"][0] % 64 == 0


def test_what_travels_is_told_with_its_reason_and_size(notebook):
    notebook.run("import math\nn = [1, 2]\nclass M:\n    pass\nm = M()")
    notebook.run("def train():\n    return math.pi, n, m")
    rows = {row.name: row for row in notebook.capture("train()").travellers}
    assert rows["train"].why == "cell"
    assert rows["train"].origin == "Cell [2]"
    assert rows["n"].why == "cell → train"
    assert rows["n"].kind == "value"
    assert rows["n"].size > 0
    assert rows["M"].why == "cell → train → m"
    assert rows["math"].kind == "import"


def test_what_went_by_value_is_told(notebook):
    notebook.run("exec('def made():\\n    return 1')")
    assert any("made travels by value" in note for note in notebook.capture("made()").notes)


def test_arrays_that_share_memory_are_told(notebook):
    notebook.run("import numpy as np\nbase = np.arange(10)\nview = base[2:5]\nsame = base\nother = np.arange(3)")
    notebook.run("left, right = np.split(other, [1])")  # of one array, and of different parts of it
    (note,) = notebook.capture("view[0] = base.sum() + same[0] + left[0] + right[0]").notes
    assert note.startswith(("base and view share memory here", "view and base share memory here"))


def test_what_went_by_value_is_told_once_when_names_share_it(notebook):
    notebook.run("from collections import namedtuple\nA, x = namedtuple('A', 'x'), 1\nB = [A(1)]")
    assert notebook.capture("A, B").notes == ("A travels by value, as its source is not known (in A, B)",)


def test_a_class_that_went_by_value_is_told_without_its_methods(notebook):
    notebook.run("exec('class A:\\n    def f(self):\\n        return 1')")
    assert notebook.capture("A().f()").notes == ("A travels by value, as its source is not known (in A)",)


def test_reads_that_cannot_be_seen_are_told(notebook):
    notebook.run("code = 'x = 1'")
    assert any("exec() on line 1" in note for note in notebook.capture("exec(code)").notes)


def test_a_function_of_the_notebook_that_is_named_as_a_builtin_is_not_said_to_read_names(notebook):
    notebook.run("def eval(tree, env):\n    return env[tree]\nenv = {'x': 1}")
    assert notebook.capture("eval('x' * 1, env)").notes == ()
    assert notebook.capture("def exec(text):\n    return text\nexec(str(env))").notes == ()


def test_names_to_bring_back(notebook):
    notebook.run("def f():\n    global g\n    g = 1")
    assert notebook.capture("import os\n_p = 1\ndef h(): pass\nx = y = 1").cell["outs"] == ["x", "y"]
    assert notebook.capture("f()\nx = 1").cell["outs"] == ["x", "g"]
    assert notebook.capture("x = y = 1", outs=("y",)).cell["outs"] == ["y"]
    assert notebook.capture("x = y = 1", no_out=True).cell["outs"] == []


def test_include_adds_names_that_are_not_seen(notebook):
    notebook.run("hidden = 5\nkey = 'hidden'")
    bundle = notebook.capture("globals()[key]", include=("hidden",))
    assert notebook.job(bundle)["value"] == "5"


def test_magics_of_the_kernel_are_left_out_and_lines_stay(notebook):
    bundle = notebook.capture(
        "%matplotlib inline\n%load_ext autoreload\nx = 1\nimport inspect\ninspect.currentframe().f_lineno"
    )
    assert notebook.job(bundle)["value"] == "5"
    assert [note.split(" is ")[0] for note in bundle.notes] == ["%matplotlib inline", "%load_ext autoreload"]


def test_shell_lines_travel_with_the_names_in_them(notebook, tmp_path):
    notebook.run("word = 'hi'\nclass C:\n    w = 'ho'")
    assert notebook.job(notebook.capture("out = !echo {word} {C.w} $word\nout"))["value"] == "['hi ho hi']"


def test_the_body_of_a_magic_is_transformed_and_travels(notebook):
    notebook.run("word = 'hi'")
    bundle = notebook.capture("%%time\nout = !echo {word}\n%matplotlib inline\n")
    assert notebook.job(bundle)["names"]["out"] == "['hi']"


def test_future_statements_of_the_cell_that_made_it_hold(notebook):
    notebook.run("from __future__ import annotations\ndef f(x: Nowhere): return x")
    notebook.agree("f(1), f.__annotations__")


def test_a_list_of_twenty_names_is_captured_in_time(notebook):
    for number in range(10):
        notebook.run(f"v{number} = [{number}]")
        notebook.run(f"def f{number}(x):\n    y = [x + z for z in v{number}]\n    return sum(y)")
    cell = " + ".join(f"f{number}(1)" for number in range(10))
    notebook.capture(cell)
    began = time.perf_counter()
    for _ in range(5):
        notebook.capture(cell)
    assert (time.perf_counter() - began) / 5 < 0.1, "ten times what it takes"


@pytest.mark.parametrize("size", [10, 3_000])
def test_the_time_does_not_grow_with_the_namespace(notebook, size):
    notebook.run("x = 1\ndef f():\n    return x")
    for number in range(size):
        notebook.names[f"unrelated{number}"] = [number]
    notebook.capture("f()")
    began = time.perf_counter()
    for _ in range(20):
        notebook.capture("f()")
    assert (time.perf_counter() - began) / 20 < 0.05


def test_capture_executes_nothing(notebook):
    notebook.run(
        textwrap.dedent("""
        ran = []
        class Loud:
            def __getattr__(self, name):
                if not name.startswith('__'):
                    ran.append(name)
                raise AttributeError(name)
            @property
            def p(self):
                ran.append('p')
        loud = Loud()
        def f():
            ran.append('f')
        """)
    )
    notebook.capture("f(), loud, Loud")
    assert notebook.names["ran"] == []
