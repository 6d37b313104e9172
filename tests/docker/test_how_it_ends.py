"""How a container ends, told from what was seen of it and from what the job left."""

from __future__ import annotations

import os
import subprocess

from jobq_magic.backends import dockerrun
from jobq_magic.backends.docker import DockerBackend
from jobq_magic.engine import containers
from jobq_magic.image import Image
from jobq_magic.words import say
from tests.support import eventually

SLEEPS = "import time\nprint('up')\ntime.sleep(100)"
HUNGRY = "x = []\nprint('hungry')\nwhile True: x.append(bytearray(1 << 20))"


def test_a_cell_that_needs_more_memory_than_it_may_have_is_told_so_with_its_limit(place):
    cell = place.run(HUNGRY, memory="64Mi")
    assert (cell.snapshot.phase, cell.snapshot.reason) == ("failed", "out-of-memory")
    assert say(cell.snapshot).sentence == "Out of memory: it needed more than its limit of 64Mi"
    assert cell.stdout == "hungry\n"


def test_a_child_that_needs_too_much_memory_is_told_of_beside_what_the_cell_makes_of_it(place):
    child = "x = []\nwhile True: x.append(bytearray(1 << 20))"
    cell = place.run(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}]).returncode", memory="64Mi"
    )
    assert cell.value == -9
    assert cell.snapshot.notes == ("A process of the job was ended by the kernel, since memory was out",)


def test_a_stop_ends_all_processes_and_is_told_as_stopped(place):
    cell = place.start(
        "import subprocess\nprint('up', flush=True)\nsubprocess.run(['sleep', '100'], start_new_session=True)"
    )
    cell.until("up")
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")
    state = eventually(lambda: (seen := place.state(cell)) is None or seen.status == "exited")
    assert state


def test_docker_stop_by_somebody_else_is_told_as_stopped_too(place):
    cell = place.start(SLEEPS)
    cell.until("up")
    place.engine.api.stop(cell.container)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")


def test_a_cell_that_ignores_sigterm_is_killed_and_that_is_said(place, monkeypatch):
    cell = place.start("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(100)")
    cell.until("deaf")
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped-hard")


def test_the_time_limit_ends_it(place):
    cell = place.run(SLEEPS, timeout=0.5)
    assert say(cell.snapshot).sentence == "Stopped after its time limit of 500 ms"


def test_what_a_killed_cell_printed_is_there(place):
    cell = place.run("import os\nprint('last words')\nos.kill(os.getpid(), 9)")
    assert (cell.snapshot.reason, cell.stdout) == ("killed", "last words\n")


def test_every_line_that_was_printed_survives_the_killing_of_the_container(place, tmp_path):
    cell = place.start(
        "import os\nfile = os.open('/v/printed', os.O_CREAT | os.O_WRONLY)\nn = 0\n"
        "while True:\n    print('line', n)\n    os.pwrite(file, b'%12d' % n, 0)\n    n += 1",
        volume=(f"{tmp_path}:/v",),
    )
    cell.until("line 20000")
    place.engine.api.kill(cell.container)
    assert (cell.end().phase, cell.snapshot.reason) == ("failed", "container-killed")
    printed = int((tmp_path / "printed").read_text())
    lines = cell.stdout.splitlines()
    assert len(lines) - printed in (1, 2)
    assert lines == [f"line {n}" for n in range(len(lines))]
    assert place.state(cell) is None


def test_a_container_that_somebody_removes_is_told_so(place):
    cell = place.start(SLEEPS)
    cell.until("up")
    place.engine.api.remove_container(cell.container, force=True)
    assert (cell.end().phase, cell.snapshot.reason) == ("lost", "container-removed")


def test_a_result_counts_although_the_container_was_killed_before_its_end_was_on_record(place):
    run = place.open("'done'")
    backend = DockerBackend()
    handle = backend.submit(run, 1)
    record = run.paths.record
    eventually(lambda: place.store.snapshot(run).final)
    kept = [line for line in record.read_bytes().splitlines(keepends=True) if b'"succeeded"' not in line]
    eventually(lambda: containers.inspect(place.engine, handle["container"]).status == "exited")
    record.write_bytes(b"".join(kept))
    seen = backend.observe(run, 1, handle)
    assert seen.phase == "succeeded"
    backend.close()


def test_a_container_that_was_paused_is_told_so_and_goes_on_when_it_is_resumed(place):
    cell = place.start("import os, time\nprint('up')\nwhile not os.path.exists('/tmp/go'): time.sleep(0.02)")
    cell.until("up")
    place.engine.api.pause(cell.container)
    eventually(lambda: cell.snapshot.phase == "paused")
    place.engine.api.unpause(cell.container)
    eventually(lambda: cell.snapshot.phase == "running")
    command = place.engine.api.exec_create(cell.container, ["sh", "-c", ": > /tmp/go"])
    place.engine.api.exec_start(command)
    assert cell.end().phase == "succeeded"


def test_a_paused_container_can_be_stopped(place):
    cell = place.start(SLEEPS)
    cell.until("up")
    place.engine.api.pause(cell.container)
    eventually(lambda: cell.snapshot.phase == "paused")
    place.store.request_stop(cell.run)
    assert cell.end().phase == "cancelled"


def test_submitting_twice_starts_one_container(place):
    run = place.open("open('/proc/self/cgroup').read()")
    backend = DockerBackend()
    assert backend.submit(run, 1) == backend.submit(run, 1)
    cell = place.follow(run)
    assert cell.end().phase == "succeeded"
    backend.close()


def test_a_container_whose_submitter_died_before_it_started_it_is_started_by_the_next(place):
    run = place.open("'done'")
    wanted = dockerrun.wanted(place.engine, run, 1, _reference(run))
    assert containers.create(place.engine, wanted)
    assert place.follow(run).end().phase == "succeeded"


def test_it_goes_on_when_nobody_follows_it(place):
    run = place.open("import time\ntime.sleep(0.5)\n'done'")
    backend = DockerBackend()
    backend.submit(run, 1)
    eventually(lambda: place.store.snapshot(run).final)
    assert place.store.snapshot(run).phase == "succeeded"
    backend.close()


def test_the_engine_of_another_machine_is_not_believed_that_there_is_no_such_container(place):
    run = place.open("import time\ntime.sleep(100)")
    backend = DockerBackend()
    handle = backend.submit(run, 1)
    seen = backend.observe(run, 1, {**handle, "container": "never-made", "engine": "of another machine"})
    assert seen.phase is None
    assert backend.observe(run, 1, {**handle, "container": "gone"}).reason == "container-removed"
    backend.close()


def test_a_rerun_gives_the_same(place):
    first = place.run("print('hello')\n6 * 7")
    image = first.run.paths.image.read_bytes()
    second = place.run("print('hello')\n6 * 7")
    assert (second.value, second.stdout) == (first.value, first.stdout)
    assert second.run.paths.image.read_bytes() == image


def test_an_image_with_another_python_is_told_so(place):
    cell = place.run("1", python="3.99")
    assert say(cell.snapshot).sentence.endswith("and the notebook 3.99")


def test_an_image_without_python_is_refused_in_words(place):
    scratch = subprocess.run(["tar", "c", "-T", os.devnull], capture_output=True, check=True).stdout
    place.engine.api.import_image_from_data(scratch, repository="jobq-test-empty", tag="1")
    run = place.open("1")
    told = place.engine.api.inspect_image("jobq-test-empty:1")["Id"]
    image = run.paths.image.read_text().replace(place.engine.api.inspect_image(_reference(run))["Id"], told)
    run.paths.image.write_text(image)
    cell = place.follow(run)
    assert say(cell.end()).sentence == "The image has no python3"
    assert place.state(cell) is None
    place.engine.api.remove_image("jobq-test-empty:1")


def _reference(run):
    return Image.load(run.paths.image).reference


def test_a_path_without_python_is_not_laid_on_the_image(place):
    cell = place.run("1", env={"PATH": "/nowhere"})
    assert say(cell.snapshot).sentence.startswith("There is no python3 on the PATH that --env gives the job, /nowhere")


def test_an_image_that_is_gone_is_refused_in_words(place):
    run = place.open("1")
    image = run.paths.image.read_text().replace(_reference(run), "sha256:" + "0" * 64)
    run.paths.image.write_text(image)
    cell = place.follow(run)
    assert (cell.end().phase, cell.snapshot.reason) == ("failed", "refused")
    assert "no longer" in say(cell.snapshot).sentence
