"""The pods of a run's own Ray cluster: what begins when, who hears of the end, and what ends how."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobq_magic.runtime import keeping, launch, pod, rayline, raypod, shortage
from jobq_magic.runtime import process as processes
from jobq_magic.words import reason
from tests.podded import KEY
from tests.rayed import Pair, fake, free_ports
from tests.support import eventually

WAITS = "import time\nprint('there', flush=True)\ntime.sleep(60)"


@pytest.fixture
def pair(tmp_path):
    made = []

    def make(cell: str, **options) -> Pair:
        made.append(Pair(tmp_path, cell, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def folder(container):
    return container.pod.folder / "volume" / "r1"


def test_the_first_line_of_a_cell_does_not_wait_for_ray(pair):
    head = pair("print('first')").head("sleep 60").start()
    assert eventually(lambda: "first\n" in head.stdout, timeout=20)
    assert not (folder(head) / "ray.json").exists()


def test_who_connects_to_ray_waits_until_it_is_there(pair, tmp_path):
    cell = "from _jobq_runtime import raypod\nprint('waits')\nraypod.wait()\nprint('connects')"
    go = tmp_path / "go"
    head = pair(cell).head(f"until [ -e {go} ]; do sleep 0.05; done; {fake()}").start()
    eventually(lambda: head.stdout == "waits\n", timeout=20)
    go.touch()
    assert eventually(lambda: head.stdout == "waits\nconnects\n", timeout=20)


def test_no_line_of_a_worker_is_hidden_behind_a_repeated_5x(pair):
    head = pair("import os\nprint(os.environ['RAY_DEDUP_LOGS'], os.environ['RAY_COLOR_PREFIX'])").head(fake()).start()
    eventually(lambda: head.seen().ended, timeout=20)
    assert head.stdout == "0 0\n"


@pytest.mark.parametrize(("cell", "status"), [("print('well')", 0), ("1 / 0", 1), ("import os; os._exit(7)", 7)])
def test_kuberays_job_ends_as_the_cell_did_and_the_head_stays_until_it_is_ended(pair, cell, status):
    ground = pair(cell)
    head = ground.head(fake()).start()
    assert ground.awaited() == (status, b"")
    eventually(lambda: head.seen().ended, timeout=20)
    assert head.seen().status == status
    assert head.process.poll() is None
    assert head.end() == status


def test_kuberays_job_outlives_a_cell_whose_time_was_over_where_it_would_be_tried_again(pair):
    ground = pair(WAITS, spec={"timeout": 1})
    head = ground.head(fake(), JOBQ_STAYS="600").start()
    eventually((folder(head) / "ended.json").exists, timeout=20)
    with pytest.raises(subprocess.TimeoutExpired):
        ground.awaited(patience=2)
    head.environ["JOBQ_STAYS"] = "2"
    assert ground.awaited()[0] == pod.OVERDUE


def test_kuberays_job_ends_with_a_cell_that_fails_where_it_would_be_tried_again(pair):
    ground = pair("1 / 0")
    ground.head(fake(), JOBQ_STAYS="600").start()
    assert ground.awaited()[0] == pod.RAISED


def test_kuberays_job_prints_the_log_of_the_head_where_it_is_asked_to(pair):
    ground = pair("for n in range(3000): print('line', n)", variables={"JOBQ_PRINTS": "1"})
    head = ground.head(fake()).start()
    _, printed = ground.awaited()
    assert head.stdout.splitlines() == [f"line {n}" for n in range(3000)]
    assert printed == head.pod.log.read_bytes()


def test_ray_that_does_not_start_ends_the_cell_and_what_it_said_is_told(pair):
    head = pair(WAITS).head("echo the port 6379 is taken >&2; exit 3").start()
    assert head.process.wait(20) == pod.NO_RESULT
    last = head.seen().events[-1]
    assert (last["phase"], last["reason"]) == ("failed", "ray-not-started")
    assert last["facts"] == {"said": "the port 6379 is taken"}
    assert head.seen().ended


def test_ray_that_comes_up_at_its_second_try_is_no_matter_of_the_cells(pair, tmp_path):
    cell = "from _jobq_runtime import raypod\nraypod.wait()\nprint('connects')"
    once = tmp_path / "once"
    # What it started holds its ports when it is gone.
    first = f"touch {once}; {fake()} & sleep 1; exit 1"
    head = pair(cell).head(f"[ -e {once} ] || {{ {first.replace('started.', 'is starting.')}; }}; {fake()}").start()
    eventually(lambda: head.seen().ended, timeout=20)
    assert head.stdout == "connects\n"
    assert head.seen().status == 0


def test_a_raylet_that_is_gone_is_not_waited_for(pair, tmp_path):
    shutil.copy("/bin/sleep", tmp_path / "raylet")
    worker = pair("").worker(f"{tmp_path / 'raylet'} 0.5 & sleep 60").start()
    assert worker.process.wait(20) == pod.LOST


def test_which_part_of_ray_is_gone_is_told_where_nobody_else_has_seen_it_yet(pair, tmp_path):
    shutil.copy("/bin/sleep", tmp_path / "raylet")
    head = pair(WAITS).head(f"{tmp_path / 'raylet'} 2 & {fake()}").start()
    assert head.process.wait(20) == pod.NO_RESULT
    last = head.seen().events[-1]
    assert (last["reason"], last["facts"]) == ("ray-died", {"said": "its process raylet is gone"})


def test_a_pod_that_kuberay_did_not_make_says_so(pair):
    head = pair(WAITS).head("echo", KUBERAY_GEN_RAY_START_CMD="").start()
    head.process.wait(20)
    assert "KUBERAY_GEN_RAY_START_CMD" in head.seen().events[-1]["facts"]["said"]


def test_ray_that_dies_ends_the_cell_and_its_log_is_whole(pair, tmp_path):
    ends = tmp_path / "ends"
    ground = pair(WAITS)
    head = ground.head(fake(until=ends)).start()
    eventually(lambda: head.stdout == "there\n" and (folder(head) / "ray.json").exists(), timeout=20)
    ends.touch()
    assert head.process.wait(20) == pod.NO_RESULT
    last = head.seen().events[-1]
    assert (last["phase"], last["reason"]) == ("failed", "ray-died")
    assert last["facts"]["said"].endswith(" raylet has exited, alas")
    assert reason(last["reason"], last["facts"]).sentence.endswith(" raylet has exited, alas")
    assert head.stdout == "there\n"
    assert ground.awaited()[0] == pod.NO_RESULT


def test_a_driver_that_ray_takes_along_died_with_ray(pair, tmp_path):
    ends = tmp_path / "ends"
    cell = """
from _jobq_runtime import raypod
import os, socket, time
raypod.wait()
print('there')
while raypod.answers(raypod.ports()[1]): time.sleep(0.01)
os._exit(1)
"""
    head = pair(cell).head(fake(until=ends)).start()
    eventually(lambda: head.stdout == "there\n", timeout=20)
    ends.touch()
    head.process.wait(20)
    assert head.seen().events[-1]["reason"] == "ray-died"


def test_a_head_that_is_ended_ends_the_cell_first_and_all_in_its_grace(pair):
    head = pair(WAITS, variables={"JOBQ_GRACE": "5"}).head(fake()).start()
    eventually(lambda: head.stdout == "there\n", timeout=20)
    began = time.monotonic()
    assert head.end() == pod.CALLED
    assert time.monotonic() - began < 5
    assert head.seen().ended
    assert head.seen().events[-1]["phase"] == "cancelled"


def test_a_head_that_is_started_again_never_runs_the_cell_again_and_kuberays_job_still_ends(pair, tmp_path):
    ground = pair(f"open({str(tmp_path / 'ran')!r}, 'a').write('.')\n" + WAITS)
    head = ground.head(fake()).start()
    eventually(lambda: head.stdout == "there\n", timeout=20)
    head.kill()
    (folder(head) / "ray.json").unlink(missing_ok=True)
    head.start()
    eventually((folder(head) / "ray.json").exists, timeout=20)  # KubeRay's job is in Ray
    assert ground.awaited()[0] == pod.NO_RESULT
    assert (tmp_path / "ran").read_text() == "."
    assert head.process.poll() is None
    seen = head.seen()
    assert (seen.start, seen.ended, head.stdout) == (2, True, "there\n")


def test_a_head_that_was_ended_and_is_started_again_in_its_pod_did_not_answer(pair):
    head = pair(WAITS, variables={"JOBQ_GRACE": "5"}).head(fake()).start()
    eventually(lambda: head.stdout == "there\n", timeout=20)
    assert head.end() == pod.CALLED
    head.start()
    eventually(lambda: head.seen().ended and head.seen().start == 2, timeout=20)
    last = head.seen().events[-1]
    assert (last["phase"], last["reason"]) == ("failed", "not-answering")


def test_a_head_whose_supervisor_alone_is_killed_ends_so_that_the_next_container_says_it(pair):
    ground = pair(WAITS)
    head = ground.head(fake()).start()
    told = rayline.Hearing("127.0.0.1", ground.line, KEY)
    eventually(lambda: head.stdout == "there\n", timeout=20)
    started = folder(head) / "attempts" / "1" / "supervisor.json"
    known = json.loads(started.read_text())
    os.kill(known["supervisor"]["pid"], signal.SIGKILL)
    assert head.process.wait(20) == 128 + signal.SIGKILL
    assert processes.alive(known["job"]) is not True
    assert not told.ended.is_set()
    head.start()
    assert eventually(lambda: told.ended.is_set() and head.seen().ended, timeout=20)
    last = head.seen().events[-1]
    assert (last["phase"], last["reason"]) == ("failed", "no-result")


def test_a_container_that_is_ended_before_its_job_began_leaves_it_to_the_next_one(pair):
    cell = "from _jobq_runtime import raypod\nraypod.wait()\nprint('connects')"
    head = pair(cell).head(fake())
    folder(head).mkdir(parents=True)
    (folder(head) / "starts").write_text(".")  # all that the first one came to
    head.start()
    eventually(lambda: head.seen().ended, timeout=20)
    assert (head.stdout, head.seen().status, head.seen().start) == ("connects\n", 0, 2)


UNDOES = """
import os, time
print("there", flush=True)
os.mkdir(os.environ["JOBQ_OUT"] + "/ray.json")
time.sleep(60)
"""


def test_a_head_whose_supervisor_has_an_error_of_its_own_ends_so_that_the_next_container_says_it(pair):
    ground = pair(UNDOES)
    head = ground.head(fake()).start()
    assert head.process.wait(30) == pod.CRASHED
    (folder(head) / "attempts" / "1" / "ray.json").rmdir()
    head.start()
    eventually(lambda: head.seen().ended, timeout=30)
    last = head.seen().events[-1]
    assert (last["phase"], last["reason"]) == ("failed", "no-result")
    assert ground.awaited()[0] == pod.NO_RESULT


def test_an_error_that_the_next_container_has_too_is_the_end_of_kuberays_job(pair):
    ground = pair(UNDOES)
    head = ground.head(fake()).start()
    assert head.process.wait(30) == pod.CRASHED
    head.start()
    eventually((folder(head) / "ended.json").exists, timeout=30)  # KubeRay's job begins behind it
    assert ground.awaited()[0] == pod.CRASHED
    assert head.process.poll() is None


@pytest.mark.parametrize(("cell", "reason"), [("import os; os._exit(7)", "exit"), ("1 / 0", "exception")])
def test_a_head_that_is_started_again_after_the_end_says_the_same_end(pair, cell, reason):
    ground = pair(cell)
    head = ground.head(fake()).start()
    eventually(lambda: head.seen().ended, timeout=20)
    first = head.seen()
    assert (first.events[-1]["reason"], first.status) == (reason, ground.awaited()[0])
    head.kill()
    head.start()
    eventually(lambda: head.seen().start == 2 and head.seen().ended, timeout=20)
    again = head.seen()
    assert (again.events, again.status) == (first.events, first.status)
    assert ground.awaited()[0] == first.status


KEEPS = """
import os, subprocess, sys
from jobq_magic.runtime import process, raypod
process.become_subreaper()
spared = subprocess.Popen(
    ["/bin/sh", "-c", "read go; sleep 60 & echo $!; wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
ray = raypod.Ray(sys.argv[1], {})
born = []
listed = process.descendants
def descendants(pid):
    found = listed(pid)
    if pid in (os.getpid(), spared.pid) and not born:
        spared.stdin.write(b"go\\n")
        spared.stdin.flush()
        born.append(int(spared.stdout.readline()))
    return found
process.descendants = descendants
ray.end(0.5, spared=spared.pid)
print([process.started(pid) is not None for pid in (ray.pid, spared.pid, *born)])
spared.kill()
os.kill(born[0], 9)
"""


def test_a_process_that_the_cell_starts_while_ray_is_ended_lives(tmp_path):
    environ = {**os.environ, "KUBERAY_GEN_RAY_START_CMD": "sleep 60"}
    command = [sys.executable, "-c", KEEPS, str(tmp_path)]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert told.stdout == "[False, True, True]\n", told.stderr


def test_the_cell_has_no_door_of_the_head_open(pair):
    cell = """
import os, stat
for number in range(100):
    try: kind = os.fstat(number).st_mode
    except OSError: continue
    print("a socket" if stat.S_ISSOCK(kind) else "a file")
"""
    head = pair(cell).head(fake()).start()
    eventually(lambda: head.seen().ended, timeout=20)
    assert "a file" in head.stdout
    assert "a socket" not in head.stdout


PRINTS = """
import os, sys, time
out = os.environ["JOBQ_OUT"]
def say(name, text):
    file = os.open(os.path.join(out, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, text.encode())
say("stdout", f"a task, which knows {os.environ['TOKEN']}\\n")
say("stderr", "a warning\\n")
"""


def working(of_ray: str) -> str:
    """Ray, and a task that prints."""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(PRINTS)}; {of_ray}"


def test_what_tasks_print_comes_through_the_log_of_their_worker(pair):
    ground = pair(WAITS)
    worker = ground.worker(working(fake(of="worker"))).start()
    eventually(lambda: worker.stdout and worker.came("stderr"), timeout=20)
    assert (worker.stdout, worker.came("stderr")) == ("a task, which knows s3\n", "a warning\n")
    seen = worker.seen()
    assert seen.begun
    assert not seen.ended
    assert worker.end() == 0
    assert worker.seen().ended


def test_a_worker_says_its_end_once_the_head_says_that_the_job_has_ended(pair, tmp_path):
    go = tmp_path / "go"
    ground = pair(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)")
    worker = ground.worker(working(fake(of="worker"))).start()
    eventually(lambda: worker.stdout, timeout=20)
    head = ground.head(fake()).start()  # whoever is first waits for the other
    eventually(lambda: head.seen().begun, timeout=20)
    assert not worker.seen().ended
    go.touch()
    eventually(lambda: worker.seen().ended, timeout=20)
    assert worker.process.poll() is None
    assert not worker.seen().gaps


GOES_ON = """
import os, time
out, number = os.open(os.path.join(os.environ["JOBQ_OUT"], "stdout"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 0
while True:
    os.write(out, f"line {number}\\n".encode())
    number += 1
    time.sleep(0.01)
"""


def test_a_task_that_ray_does_not_end_with_its_job_is_ended_and_all_that_it_printed_is_carried(pair, tmp_path):
    go = tmp_path / "go"
    ground = pair(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)")
    hook = raypod.HOOK["worker_process_setup_hook"].replace(raypod.__package__, launch.NAME)
    hooked = f"__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR={hook}"
    task = f"{hooked} {shlex.quote(sys.executable)} -c {shlex.quote(GOES_ON)} &"
    worker = ground.worker(f"{task} {fake(of='worker')}").start()
    head = ground.head(fake()).start()
    eventually(lambda: worker.stdout and head.seen().begun, timeout=20)
    go.touch()
    eventually(lambda: worker.seen().ended, timeout=20)
    written = folder(worker) / "attempts/1/stdout"
    assert worker.stdout == written.read_text()
    assert worker.process.poll() is None


def test_a_worker_whose_ray_dies_ends_and_carries_all_again_when_it_is_started_again(pair, tmp_path):
    ends = tmp_path / "ends"
    worker = pair("").worker(working(fake(of="worker", until=ends))).start()
    eventually(lambda: worker.stdout, timeout=20)
    ends.touch()
    assert worker.process.wait(20) == pod.LOST
    ends.unlink()
    worker.start()
    eventually(lambda: worker.stdout == "a task, which knows s3\n" * 2, timeout=20)
    assert worker.seen().start == 2


def test_workers_of_a_head_that_is_ended_wait_for_the_next_one(pair):
    ground = pair(WAITS, variables={"JOBQ_GRACE": "5"})
    head = ground.head(fake()).start()
    eventually(lambda: head.stdout == "there\n", timeout=20)
    with socket.create_connection(("127.0.0.1", ground.line), timeout=20) as worker:
        worker.sendall(b"n" * 32)
        assert head.end() == pod.CALLED
        assert worker.recv(64) == b""


CLEANS_UP = """
import os, signal, socket, sys, time
def ended(*_):
    print("is ended")
    time.sleep(2.5)
    try: socket.create_connection(("127.0.0.1", int(os.environ["WORKER"]))).close()
    except OSError: print("without its worker")
    else: print("with its worker")
    sys.exit()
signal.signal(signal.SIGTERM, ended)
print("there")
time.sleep(60)
"""


def is_connected(port: int) -> bool:
    """Whether somebody has a connection to a port of this machine."""
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path("/proc/net", kind).read_text().splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("first", ["head", "worker"])
def test_where_all_pods_are_ended_a_job_has_its_workers_until_it_has_said_its_last_words(pair, first):
    ground = pair(CLEANS_UP, variables={"JOBQ_GRACE": "30"})
    worker = ground.worker(working(fake(of="worker"))).start()
    head = ground.head(fake(), WORKER=worker.environ["JOBQ_RAY_PORTS"].split(",")[1]).start()
    eventually(lambda: head.stdout == "there\n" and (folder(head) / "ray.json").exists(), timeout=20)
    eventually(lambda: worker.stdout and is_connected(ground.line), timeout=20)
    for one in (head, worker) if first == "head" else (worker, head):
        one.process.send_signal(signal.SIGTERM)
    head.process.wait(20)
    ended = time.monotonic()
    assert head.stdout == "there\nis ended\nwith its worker\n"
    assert worker.process.wait(20) == 0
    assert time.monotonic() - ended < 15
    assert worker.seen().ended


def test_a_worker_that_alone_is_ended_is_soon_let_go(pair):
    ground = pair(WAITS, variables={"JOBQ_GRACE": "60"})
    worker = ground.worker(working(fake(of="worker"))).start()
    head = ground.head(fake()).start()
    eventually(lambda: head.stdout == "there\n" and worker.stdout and is_connected(ground.line), timeout=20)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    assert worker.seen().ended
    assert not head.seen().ended


def test_a_worker_whose_ray_ends_after_the_job_is_started_again(pair, tmp_path):
    ends = tmp_path / "ends"
    ground = pair("print('well')")
    worker = ground.worker(fake(of="worker", until=ends)).start()
    ground.head(fake()).start()
    eventually(lambda: worker.seen().ended, timeout=20)
    assert worker.process.poll() is None
    ends.touch()
    assert worker.process.wait(20) == pod.LOST


def test_only_who_has_the_key_of_the_run_is_believed(tmp_path):
    (port,) = free_ports(1)
    ready, _ = os.pipe()
    stranger = rayline.Line(port, b"another", ready)
    stranger.tell()
    told = rayline.Hearing("127.0.0.1", port, KEY)
    for _ in range(20):
        stranger.wait(0.1)
    assert not told.ended.is_set()
    stranger.close()
    head = rayline.Line(port, KEY, ready)
    head.tell()
    assert eventually(lambda: (head.wait(0.05), told.ended.is_set())[1], timeout=20)
    head.close()


def test_the_line_says_nothing_before_the_job_has_ended_and_then_to_all(tmp_path):
    (port,) = free_ports(1)
    ready, _ = os.pipe()
    head = rayline.Line(port, KEY, ready)
    told = [rayline.Hearing("127.0.0.1", port, KEY) for _ in range(20)]
    rude = socket.create_connection(("127.0.0.1", port))
    rude.sendall(b"GET / HTTP/1.1\r\n")
    for _ in range(10):
        head.wait(0.05)
    assert not any(one.ended.is_set() for one in told)
    head.tell()
    assert eventually(lambda: (head.wait(0.05), all(one.ended.is_set() for one in told))[1], timeout=20)
    rude.close()
    head.close()


def test_the_commands_of_the_pods_are_known_to_the_runtime(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(launch.runtime_folder(tmp_path)), "JOBQ_RUN": "r1"}
    for argv in (launch.head_argv("r1"), launch.worker_argv("r1")):
        found = subprocess.run([sys.executable, *argv[1:]], env=environ, capture_output=True, text=True, check=False)
        assert (found.returncode, found.stderr[:37]) == (pod.UNSEEN, "jobq: the pod of r1 cannot begin: /ru")


def test_rays_token_is_the_runs_alone():
    assert raypod.token(KEY) == raypod.token(KEY) != raypod.token(b"another")


def test_a_ray_that_lets_everybody_in_is_not_started(pair, tmp_path):
    (tmp_path / "image" / "ray-2.51.2.dist-info").mkdir(parents=True)
    ground = pair(WAITS)
    head, worker = ground.head(fake()), ground.worker(fake(of="worker"))
    for one in (head, worker):
        one.environ["PYTHONPATH"] += f":{tmp_path / 'image'}"
        one.start()
    assert head.process.wait(20) == pod.NO_RESULT
    last = head.seen().events[-1]
    assert last["reason"] == "ray-not-started"
    assert last["facts"] == {"said": "the image has Ray 2.51.2, which lets everybody in; 2.52 or newer is needed"}
    assert worker.process.wait(20) == pod.LOST


@pytest.mark.parametrize(("there", "starts"), [("2.59.1", False), ("2.60.1", False), ("2.60.0", True)])
def test_another_ray_than_the_notebooks_is_not_started_either(pair, tmp_path, there, starts):
    (tmp_path / "image" / f"ray-{there}.dist-info").mkdir(parents=True)
    cell = "from _jobq_runtime import raypod\nraypod.wait()\nprint('connects')"
    ground = pair(cell, variables={raypod.WANTED: "2.60.0"})
    head = ground.head(fake())
    head.environ["PYTHONPATH"] += f":{tmp_path / 'image'}"
    head.start()
    eventually(lambda: head.seen().ended, timeout=20)
    last = head.seen().events[-1]
    assert head.stdout == ("connects\n" if starts else "")
    if starts:
        assert head.seen().status == 0
        return
    assert last["reason"] == "ray-not-started"
    assert last["facts"]["said"].startswith(f"the image has Ray {there}, and this notebook 2.60.0; ")
    assert reason(last["reason"], last["facts"]).sentence.endswith(f"or install ray=={there} here")


def test_an_end_that_cannot_be_written_yet_is_written_once_it_can(pair):
    ground = pair("print('well')")
    head = ground.head(fake())
    (folder(head) / "ended.json").mkdir(parents=True)
    head.start()
    eventually(lambda: head.seen().ended, timeout=20)
    assert head.process.poll() is None
    (folder(head) / "ended.json").rmdir()
    assert ground.awaited() == (0, b"")
    assert head.end() == 0


def stored(container, store: Path) -> Callable[[], Path | None]:
    """Gives the pod of a container a store; what is to be asked for what it has kept there, once that is all."""
    store.mkdir(exist_ok=True)
    told = {"spec": {}, "target": {"site": {"store": f"file://{store}"}}}
    (container.pod.folder / "secret" / "run.json").write_text(json.dumps(told))
    container.environ |= {"JOBQ_POD_UID": f"uid-of-{container.environ['JOBQ_POD']}", "RAY_CLUSTER_NAME": "c1"}
    kept = store / "r1" / container.environ["JOBQ_POD_UID"]
    return lambda: kept if (kept / "complete.json").exists() else None


def test_a_worker_keeps_what_its_tasks_printed_in_the_store_when_the_job_has_ended(pair, tmp_path):
    go = tmp_path / "go"
    ground = pair(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)")
    worker = ground.worker(working(fake(of="worker")))
    kept = stored(worker, tmp_path / "store")
    worker.start()
    head = ground.head(fake()).start()
    eventually(lambda: worker.stdout and head.seen().begun, timeout=20)
    assert kept() is None
    go.touch()
    there = eventually(kept, timeout=20)
    assert (there / "stdout").read_text() == "a task, which knows s3\n"
    assert (there / "stderr").read_text() == "a warning\n"
    told = keeping.unseal((there / "complete.json").read_bytes(), "r1", "uid-of-worker", KEY)
    assert (told["name"], told["rank"], told["group"]) == ("worker", None, "c1")
    assert worker.seen().ended
    assert worker.process.poll() is None


def test_a_worker_that_is_ended_keeps_what_its_tasks_printed_in_its_grace(pair, tmp_path):
    worker = pair(WAITS).worker(working(fake(of="worker")))
    kept = stored(worker, tmp_path / "store")
    worker.start()
    eventually(lambda: worker.stdout, timeout=20)
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < float(worker.environ["JOBQ_GRACE"])
    assert (kept() / "stdout").read_text() == "a task, which knows s3\n"


@pytest.mark.parametrize(("killed", "told"), [(3, ""), (4, " (memory was full: ask for more with --driver-memory)")])
def test_that_memory_was_full_is_told_of_a_part_of_ray_that_is_gone(monkeypatch, killed, told):
    ray = raypod.Ray.__new__(raypod.Ray)
    ray._lost, ray._short = ["gcs_server"], 3
    monkeypatch.setattr(raypod.Ray, "_read", lambda _: b"Ray runtime started.\n")
    monkeypatch.setattr(shortage, "killed", lambda: killed)
    assert ray._said() == f"its process gcs_server is gone{told}"


def test_a_store_that_does_not_answer_holds_no_worker_whose_job_has_ended(pair):
    ground = pair("print('well')", variables={"JOBQ_GRACE": "20"})
    worker = ground.worker(working(fake(of="worker")))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        site = {"artifacts": f"http://127.0.0.1:{silent.getsockname()[1]}/results"}
        (worker.pod.folder / "secret" / "run.json").write_text(json.dumps({"spec": {}, "target": {"site": site}}))
        worker.start()
        eventually(lambda: worker.stdout, timeout=20)
        ground.head(fake()).start()
        asked, _ = silent.accept()
        began = time.monotonic()
        assert worker.end() == 0
        assert time.monotonic() - began < 8
        asked.close()
    assert worker.seen().ended


def test_a_store_that_does_not_answer_does_not_hold_a_worker_beyond_its_grace(pair):
    worker = pair(WAITS, variables={"JOBQ_GRACE": "8"}).worker(working(fake(of="worker")))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = {"artifacts": f"http://127.0.0.1:{silent.getsockname()[1]}/results"}
        (worker.pod.folder / "secret" / "run.json").write_text(json.dumps({"spec": {}, "target": {"site": site}}))
        worker.start()
        eventually(lambda: worker.stdout, timeout=20)
        began = time.monotonic()
        assert worker.end() == 0
        assert time.monotonic() - began < 8
        silent.settimeout(0)
        asked, _ = silent.accept()
        asked.close()
    assert worker.seen().ended
