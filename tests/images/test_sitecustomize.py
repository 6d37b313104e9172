"""What is installed in an image is found as if it were installed in the base: in real interpreters of a real base."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import jobq_magic.images
from tests.wheels import Environment

SOURCE = Path(jobq_magic.images.__file__).parent / "inside" / "sitecustomize.py"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An interpreter with packages of its own."""
    place = Environment(tmp_path_factory.mktemp("base") / "venv")
    (place.site / "shared.py").write_text("WHOSE = 'base'\n")
    (place.site / "only_base.py").write_text("")
    return place


@pytest.fixture
def root(tmp_path):
    """What the layers bring, somewhere else than in an image."""
    root = tmp_path / "jobq"
    for name in ("path", "site-packages"):
        (root / name).mkdir(parents=True)
    shutil.copy(SOURCE, root / "path")
    (root / "site-packages" / "shared.py").write_text("WHOSE = 'image'\n")
    return root


def python(base, root, *arguments, code=None, env=None):
    """A process of the base with what the layers bring."""
    if code is not None:
        arguments = (*arguments, "-c", code)
    known = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    known["PYTHONPATH"] = str(root / "path")
    return subprocess.run(
        [base.python, *arguments], capture_output=True, text=True, env=known | (env or {}), cwd=root, timeout=60
    )


def said(done):
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


@pytest.fixture
def own(base):
    """Writes a `sitecustomize` of the base; removed afterwards."""
    path = base.site / "sitecustomize.py"

    def write(text):
        path.write_text(text)
        shutil.rmtree(base.site / "__pycache__", ignore_errors=True)

    yield write
    path.unlink(missing_ok=True)


def test_what_is_installed_hides_what_the_base_has_and_the_rest_of_the_base_is_there(base, root):
    code = "import shared, only_base; print(shared.WHOSE)"
    assert said(python(base, root, code=code)) == "image"


def test_local_code_of_a_cell_is_found_by_programs_that_it_starts_and_hides_no_standard_library(base, root):
    modules = root / "bundle" / "modules"
    modules.mkdir(parents=True)
    (modules / "mine.py").write_text("print('mine')\n")
    (modules / "shared.py").write_text("WHOSE = 'local'\n")
    (modules / "json.py").write_text("raise ImportError('not this one')\n")
    assert said(python(base, root, "-P", "-m", "mine")) == "mine"
    assert said(python(base, root, code="import json, shared; print(shared.WHOSE)")) == "local"


def test_the_standard_library_is_hidden_by_nothing(base, root):
    (root / "site-packages" / "json.py").write_text("raise ImportError('not this one')\n")
    assert said(python(base, root, code="import json; print(json.dumps(1))")) == "1"


def test_what_is_installed_comes_behind_the_standard_library_and_before_the_base(base, root):
    path = json.loads(said(python(base, root, "-P", code="import sys, json; print(json.dumps(sys.path))")))
    ours = path.index(str(root / "bundle" / "modules"))
    assert path[ours + 1] == str(root / "site-packages")
    library = [index for index, entry in enumerate(path) if entry.endswith(("lib-dynload", ".zip"))]
    assert path[0] == str(root / "path")
    assert max(library) + 1 == ours
    assert path.index(str(base.site)) == ours + 2
    assert len(path) == len(set(path))


def test_packages_that_lie_below_the_standard_library_are_no_part_of_it(base, root):
    code = f"""
import json, os, runpy, sys
library = os.path.dirname(os.__file__)
sys.path[:] = [entry for entry in sys.path if "-packages" not in entry]
sys.path += [library + "/site-packages", library + "/dist-packages/more"]
runpy.run_path({str(root / "path" / "sitecustomize.py")!r})
print(json.dumps([entry for entry in sys.path if "-packages" in entry]))
"""
    found = json.loads(said(python(base, root, code=code)))
    assert found[0] == str(root / "site-packages")
    assert [entry.rpartition("/")[2] for entry in found[1:]] == ["site-packages", "more"]


def test_pth_files_are_read_and_their_folders_come_with_ours(base, root):
    (root / "extra").mkdir()
    (root / "extra" / "shared_more.py").write_text("")
    (root / "site-packages" / "a.pth").write_text(f"{root / 'extra'}\nimport sys; sys.marked = 'yes'\n")
    code = "import sys, json, shared_more; print(json.dumps([sys.marked, sys.path]))"
    marked, path = json.loads(said(python(base, root, code=code)))
    assert marked == "yes"
    assert path.index(str(root / "site-packages")) < path.index(str(root / "extra")) < path.index(str(base.site))


def test_a_pth_file_that_fails_is_told_and_stops_nothing(base, root):
    (root / "site-packages" / "a.pth").write_text("import nowhere_at_all\n")
    done = python(base, root, code="import shared; print(shared.WHOSE)")
    assert (done.returncode, done.stdout) == (0, "image\n")
    assert "nowhere_at_all" in done.stderr


def test_the_base_s_own_sitecustomize_runs_after_ours_and_is_the_one_that_is_seen(base, root, own):
    own("import sys, shared\nsys.told = shared.WHOSE\nMINE = True\n")
    code = "import sys, sitecustomize; print(sys.told, sitecustomize.MINE, sitecustomize.__file__)"
    assert said(python(base, root, code=code)) == f"image True {base.site / 'sitecustomize.py'}"


def test_what_the_base_s_own_sitecustomize_raises_is_told_as_without_ours(base, root, own):
    own("raise ValueError('of the base')\n")
    with_ours = python(base, root, code="import shared; print(shared.WHOSE)")
    without = python(base, root, code="import shared; print(shared.WHOSE)", env={"PYTHONPATH": ""})
    assert (with_ours.returncode, with_ours.stdout, without.stdout) == (0, "image\n", "base\n")
    assert with_ours.stderr == without.stderr != ""


@pytest.mark.parametrize(("flags", "whose"), [(["-I"], "base"), (["-E"], "base"), (["-s"], "image"), (["-B"], "image")])
def test_flags_mean_what_they_mean(base, root, flags, whose):
    assert said(python(base, root, *flags, code="import shared; print(shared.WHOSE)")) == whose


def test_without_site_nothing_happens(base, root):
    code = "import sys; print('sitecustomize' in sys.modules, any('site-packages' in entry for entry in sys.path))"
    assert said(python(base, root, "-S", code=code)) == "False False"


def test_a_folder_that_is_not_there_is_no_mistake(base, root):
    shutil.rmtree(root / "site-packages")
    assert said(python(base, root, code="import shared; print(shared.WHOSE)")) == "base"


def test_processes_that_a_job_starts_find_the_same(base, root):
    script = root / "script.py"
    script.write_text(
        "import multiprocessing, subprocess, sys\n"
        "def whose(_):\n"
        "    import shared\n"
        "    return shared.WHOSE\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        found = pool.map(whose, [1])\n"
        "        pool.close()\n"
        "        pool.join()\n"
        "    again = subprocess.run([sys.executable, '-c', 'import shared; print(shared.WHOSE)'],\n"
        "        capture_output=True, text=True)\n"
        "    print(found[0], again.stdout.strip())\n"
    )
    assert said(python(base, root, str(script))) == "image image"


def test_nothing_is_imported_for_it(base, root):
    code = "import sys; print(*sorted(sys.modules))"
    bare = said(python(base, root, code=code, env={"PYTHONPATH": ""})).split()
    assert set(said(python(base, root, code=code)).split()) - set(bare) == {"sitecustomize"}


def test_it_costs_less_than_two_milliseconds(base, root):
    code = f"""
import sys, time
text = compile(open({str(SOURCE)!r}).read(), {str(root / "path" / "sitecustomize.py")!r}, "exec")
before, times = list(sys.path), []
for _ in range(50):
    sys.path[:] = [entry for entry in before if "jobq/site-packages" not in entry]
    began = time.perf_counter()
    exec(text, {{"__file__": {str(root / "path" / "sitecustomize.py")!r}, "__name__": "sitecustomize"}})
    times.append(time.perf_counter() - began)
print(min(times))
"""
    assert float(said(python(base, root, code=code))) < 0.002


def test_any_python_that_a_base_may_have_can_read_it():
    import ast

    ast.parse(SOURCE.read_text(), feature_version=(3, 7))
