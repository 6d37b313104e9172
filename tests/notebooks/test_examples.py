"""The examples: as they are in the repository, executed again, and as the demo."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.services.engine import engine_host
from tests.support import eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))
# tests/cluster/kueue executes the one that needs a cluster.
HERE = [path for path in EXAMPLES if path.stem != "06-kueue"]
LARGEST = 64_000
JOBQ = str(Path(sys.executable).parent / "jobq")
# A cold Ray and five kernels, on cores that others use too.
PATIENCE = 240
pytestmark = pytest.mark.timeout(PATIENCE + 10)
each = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in EXAMPLES])


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """With an engine, for the example that wants one."""
    with engine_host() as host:
        yield {**environment, "DOCKER_HOST": host}


def command(environment: dict[str, str], *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on some words."""
    env = {**environment, **more}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def ray_ends(environment):
    yield
    command(environment, "-c", "from jobq_magic.backends.ray import pool; pool.stop()")


def test_there_are_the_six_of_them():
    names = ["01-hello", "02-pandas-and-a-plot", "03-pi-on-ray", "04-errors", "05-docker", "06-kueue"]
    assert [path.stem for path in EXAMPLES] == names


@each
def test_each_begins_by_loading_the_extension_and_making_sure_of_it(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert code[0].source == "%load_ext jobq_magic"
    assert code[1].source.endswith('\nassert get_ipython().find_cell_magic("jobq")')


@each
def test_each_is_kept_executed_and_fit_to_be_compared(path):
    text = path.read_text(encoding="utf-8")
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert len(text) < LARGEST
    ids = [cell.id for cell in book.cells]
    assert all(re.fullmatch(r"[a-z-]+", ident) for ident in ids)
    assert len(set(ids)) == len(ids)
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    for cell in book.cells:
        raised = any(output.output_type == "error" for output in cell.get("outputs", []))
        assert raised == ("raises-exception" in cell.metadata.get("tags", [])), cell.id


@each
def test_no_output_tells_whose_machine_it_was_made_on(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert not re.search(r"/(home|root|work|tmp|Users|usr)/", nbformat.from_dict(output).__repr__()), cell.id


def test_executed_again_they_show_the_same(environment, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    # How a card is dressed is no part of what it shows: a change of the style leaves the examples true.
    (tmp_path / "sanitize.cfg").write_text("[style]\nregex: (?s)<style>.*?</style>\nreplace: <style></style>\n")
    pytest_alone = ["-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider", "-q", "--tb=short"]
    nbval = ["--nbval", "--nbval-cell-timeout=200", f"--nbval-sanitize-with={tmp_path / 'sanitize.cfg'}"]
    done = command(environment, *pytest_alone, *nbval, *map(str, HERE))
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sum(cell.cell_type == "code" for path in HERE for cell in nbformat.read(path, as_version=4).cells)
    assert f"{cells} passed" in done.stdout


def test_the_demo_prints_pi_and_says_how_to_go_on(environment):
    done = command(environment, "examples/demo.py")
    assert done.returncode == 0, done.stdout + done.stderr
    book = nbformat.read(ROOT / "build/demo/pi.ipynb", as_version=4)
    [printed] = [cell.outputs[0].text.strip() for cell in book.cells if cell.id == "pi"]
    assert printed in done.stdout
    assert re.search(r"\n  ran +[\d.:]+", done.stdout)
    assert re.search(r"jupyter lab build/demo/pi\.ipynb\n", done.stdout)
    run = re.search(r"the run +(pi-[0-9a-f]{8})", done.stdout)
    assert run is not None
    listed = command(environment, JOBQ, "list")
    assert run[1] in listed.stdout, listed.stderr


def test_a_demo_that_fails_says_so_in_a_sentence(environment):
    done = command(environment, "examples/demo.py", JOBQ_FORCE_WORKERS="none")
    assert done.returncode == 1
    assert "The demo failed. OptionError: JOBQ_FORCE_WORKERS=none is not a number of workers" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_demo_that_is_interrupted_stops_its_run(environment):
    with subprocess.Popen(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        told = ""
        for line in demo.stdout:
            told += line
            if line.startswith(("  Starting Ray", "  Ray is starting", "  The cell is running")):
                break
        demo.send_signal(signal.SIGINT)
        told += demo.stdout.read()
    assert demo.returncode == 1, told
    assert "The demo failed. It was interrupted, and its run is stopped" in told
    assert 'demo.py", line' not in told  # a kernel that is ended may have words of its own

    def phase() -> str:
        return str(json.loads(command(environment, JOBQ, "status", "pi", "--json").stdout)["phase"])

    # Nobody waits for long: on a busy machine Ray ends later than the demo.
    eventually(lambda: phase() == "cancelled", timeout=60, every=1)
