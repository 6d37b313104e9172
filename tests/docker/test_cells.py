"""Cells in containers: what they print, what comes back, and what they find there."""

from __future__ import annotations

from array import array

from jobq_magic.backends.docker import DockerBackend
from jobq_magic.engine import containers
from jobq_magic.runs.tail import Chunk, Display, Tail
from jobq_magic.words import say
from tests.support import eventually


def test_both_streams_come_back_byte_for_byte_and_in_order(place):
    cell = place.run(
        "import sys\n"
        "for n in range(2000): print('line', n); n % 100 or print('also', n, file=sys.stderr)\n"
        "sys.stdout.buffer.write(bytes(range(256)))"
    )
    assert cell.snapshot.phase == "succeeded"
    out = cell.run.paths.attempt(1)
    assert out.stdout.read_bytes() == b"".join(b"line %d\n" % n for n in range(2000)) + bytes(range(256))
    assert out.stderr.read_bytes() == b"".join(b"also %d\n" % n for n in range(0, 2000, 100))
    chunks = [item for item in Tail(place.store, cell.run).poll() if isinstance(item, Chunk)]
    assert [chunk.stream for chunk in chunks[:4]] == ["stdout", "stderr", "stdout", "stderr"]


def test_values_go_in_and_come_back_bigger_than_a_megabyte_too(place):
    there = array("d", range(1 << 18))
    cell = place.run(
        "back = there[::-1]\nsmall = {'a': 1}\nlen(there)", values={"there": there}, outs=("back", "small")
    )
    assert cell.value == 1 << 18
    assert cell.outcome.names["back"] == there[::-1]
    assert cell.outcome.names["small"] == {"a": 1}


def test_what_only_the_cell_defines_comes_back_although_nothing_is_installed(place):
    cell = place.run("class Own:\n    size = 3\nthing = Own()\ntwice = lambda n: 2 * n", outs=("thing", "twice"))
    assert (cell.outcome.names["thing"].size, cell.outcome.names["twice"](4)) == (3, 8), cell.outcome.skipped
    cell = place.run("class Mine(ValueError): ...\nraise Mine('bad luck')")
    assert type(cell.outcome.error).__bases__ == (ValueError,)


def test_the_functions_for_jobs_are_there_in_any_image(place):
    cell = place.run(
        "import subprocess\n"
        "from jobq_magic import get_num_workers, is_ray_available, parallel_map, progress\n"
        "for _ in progress(range(2)): pass\n"
        "asked = subprocess.run(['python3', '-c', 'import jobq_magic; print(jobq_magic.parallel_map(abs, [-1]))'],"
        " capture_output=True, text=True)\n"
        "parallel_map(lambda n: n * n, range(3)), is_ray_available(), get_num_workers(), asked.stdout, asked.stderr"
    )
    assert cell.value == ([0, 1, 4], False, 1, "[1]\n", "")
    assert cell.snapshot.progress


def test_an_exception_is_told_with_the_line_of_the_cell(place):
    cell = place.run("one = 1\n\nraise ValueError('bad luck')")
    assert (cell.snapshot.phase, say(cell.snapshot).sentence) == ("failed", "ValueError: bad luck")
    assert 'File "Cell [7]", line 3' in "\n".join(cell.outcome.error._render_traceback_())


def test_displays_come_back_as_they_were_made(place):
    cell = place.run("display({'text/html': '<b>bold</b>', 'text/plain': 'bold'}, raw=True)")
    assert cell.snapshot.phase == "succeeded", (cell.stderr, cell.snapshot)
    (shown,) = [item for item in Tail(place.store, cell.run).poll() if isinstance(item, Display)]
    assert shown.bundle["text/html"] == "<b>bold</b>"


def test_the_home_can_be_written_and_is_the_working_folder(place):
    cell = place.run("import os\nopen('here', 'w').close()\n(os.getcwd(), os.environ['HOME'], os.path.exists('~'))")
    assert cell.value == ("/home/jobq", "/home/jobq", False)


def test_a_container_does_not_inherit_the_environment_here(place, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "1")
    cell = place.run("import os\n('ONLY_HERE' in os.environ, os.environ['GIVEN'])", env={"GIVEN": "a b=c"})
    assert cell.value == (False, "a b=c")


def test_a_pythonpath_that_is_asked_for_comes_behind_what_the_image_has(place):
    cell = place.run("import sys\n'/elsewhere' in sys.path", env={"PYTHONPATH": "/elsewhere"})
    assert cell.value is True


def test_orphans_that_end_are_buried(place):
    cell = place.run(
        "import subprocess, os, time\n"
        "subprocess.run(['sh', '-c', '(sleep 0.05 &) ; (sleep 0.1 &)'])\n"
        "def state(pid):\n"
        "    try: return open(f'/proc/{pid}/stat').read().split()[2]\n"
        "    except OSError: return None  # buried between two looks\n"
        "def states(): return [s for p in os.listdir('/proc') if p.isdigit() and (s := state(p))]\n"
        "deadline = time.time() + 10\n"
        "while len(states()) > 2 and time.time() < deadline: time.sleep(0.01)\n"
        "states()"
    )
    assert len(cell.value) == 2
    assert "Z" not in cell.value


def test_two_cells_run_at_once(place):
    cell = (
        "import os, time\nprint('up', flush=True)\nwhile not os.path.exists('/both/go'): time.sleep(0.02)\nos.getpid()"
    )
    both = place.store.root / "both"
    both.mkdir()
    cells = [place.start(cell, volume=(f"{both}:/both",)) for _ in range(2)]
    for one in cells:
        one.until("up")
    (both / "go").touch()
    assert [one.end().phase for one in cells] == ["succeeded", "succeeded"]


def test_no_container_is_left_of_a_cell_that_has_ended(place):
    cell = place.run("1")
    assert place.state(cell) is None


def test_a_container_whose_follower_was_killed_is_removed_when_another_is_started(place):
    run = place.open("1")
    backend = DockerBackend()
    handle = backend.submit(run, 1)
    eventually(lambda: containers.inspect(place.engine, handle["container"]).status == "exited")
    backend.close()
    place.run("2")
    assert containers.inspect(place.engine, handle["container"]) is None


def test_usage_of_the_container_is_sampled(place):
    cell = place.run("import time\nx = bytearray(100_000_000)\nt = time.time()\nwhile time.time() < t + 2.2: pass")
    (usage,) = cell.snapshot.usage
    assert usage.peak > 100_000_000
    assert max(usage.history) > 0
