"""Cells on a real cluster: what they print, what comes back, and what they find there."""

from __future__ import annotations

from array import array

from jobq_magic.runs.tail import Chunk, Display, Tail
from jobq_magic.words import say
from tests.support import eventually


def test_both_streams_come_back_byte_for_byte_and_in_order(place):
    cell = place.run(
        "import sys\n"
        "for n in range(2000): print('line', n); n % 100 or print('also', n, file=sys.stderr)\n"
        "sys.stdout.buffer.write(bytes(range(256)))"
    )
    assert cell.snapshot.phase == "succeeded", (cell.snapshot, cell.stderr)
    out = cell.run.paths.attempt(1)
    assert out.stdout.read_bytes() == b"".join(b"line %d\n" % n for n in range(2000)) + bytes(range(256))
    assert out.stderr.read_bytes() == b"".join(b"also %d\n" % n for n in range(0, 2000, 100))
    chunks = [item for item in Tail(place.store, cell.run).poll() if isinstance(item, Chunk)]
    assert [chunk.stream for chunk in chunks[:4]] == ["stdout", "stderr", "stdout", "stderr"]


def test_values_go_in_and_small_ones_come_back_in_the_log(place):
    there = array("d", range(1 << 18))
    cell = place.run("back = there[::-64]\nlen(there)", values={"there": there}, outs=("back",))
    assert cell.value == 1 << 18
    assert cell.outcome.names["back"] == there[::-64]


def test_an_exception_is_told_with_the_line_of_the_cell(place):
    cell = place.run("one = 1\n\nraise ValueError('bad luck')")
    assert (cell.snapshot.phase, say(cell.snapshot).sentence) == ("failed", "ValueError: bad luck")
    assert 'File "Cell [7]", line 3' in "\n".join(cell.outcome.error._render_traceback_())


def test_displays_come_back_as_they_were_made(place):
    cell = place.run("display({'text/html': '<b>bold</b>', 'text/plain': 'bold'}, raw=True)")
    assert cell.snapshot.phase == "succeeded", (cell.stderr, cell.snapshot)
    (shown,) = [item for item in Tail(place.store, cell.run).poll() if isinstance(item, Display)]
    assert shown.bundle["text/html"] == "<b>bold</b>"


def test_phases_say_no_more_than_was_seen(place):
    cell = place.run("1")
    phases = [time.phase.value for time in cell.snapshot.times]
    assert phases[:2] == ["capturing", "building"]
    assert phases[-3:] == ["running", "collecting", "succeeded"]
    between = phases[2:-3]
    assert between == [phase for phase in ("submitting", "queued", "starting") if phase in between]


def test_what_was_collected_is_removed_from_the_cluster(place, jobs):
    cell = place.run("1")
    assert cell.snapshot.phase == "succeeded"
    eventually(lambda: jobs() == [], 30)


def test_the_workers_of_a_run_know_their_ranks_and_each_other(place):
    cell = place.run(
        "import os, socket\n"
        "from urllib import request\n"
        "print(os.environ['JOBQ_RANK'], os.environ['JOBQ_WORLD_SIZE'], os.environ['RANK'], os.environ['MASTER_PORT'])\n"
        "rank = int(os.environ['JOBQ_RANK'])\n"
        "import time\n"
        "port = int(os.environ['MASTER_PORT'])\n"
        "if rank == 0:\n"
        "    met = socket.create_server(('', port))\n"
        "    (there, _) = met.accept(); word = there.recv(5)\n"
        "else:\n"
        "    for _ in range(300):\n"
        "        try:\n"
        "            socket.create_connection((os.environ['MASTER_ADDR'], port)).sendall(b'hello'); break\n"
        "        except OSError: time.sleep(0.1)\n"
        "    word = b'sent'\n"
        "word",
        workers=2,
    )
    assert (cell.value, cell.snapshot.notes) == (b"hello", ())
    assert [cell.written(rank=rank) for rank in (0, 1)] == ["0 2 0 29500\n", "1 2 1 29500\n"]
    assert [(worker.rank, worker.phase) for worker in cell.snapshot.each] == [(0, "succeeded"), (1, "succeeded")]


def test_a_worker_that_fails_fails_the_run_and_is_named(place):
    cell = place.run(
        "import os, time\nif os.environ['JOBQ_RANK'] == '1': raise ValueError('only here')\ntime.sleep(600)", workers=2
    )
    assert (cell.snapshot.phase, cell.snapshot.reason) == ("failed", "exception")
    assert cell.snapshot.facts["rank"] == 1
    assert "ValueError: only here" in cell.written("stderr", rank=1)


def test_secrets_reach_the_job_and_nothing_that_can_be_read(place, work):
    cell = place.start(
        "import os, time\nprint('up', flush=True)\ntime.sleep(3)\nlen(os.environ['TOKEN'])",
        secret={"TOKEN": None},
        secrets={"TOKEN": "canary-7"},
    )
    cell.until("up")
    job = work.batch.read_namespaced_job(cell.job, work.namespace)
    pods = work.core.list_namespaced_pod(work.namespace)
    assert "canary-7" not in str(job) + str(pods)
    cell.end()
    assert cell.value == len("canary-7")
    for path in cell.run.folder.rglob("*"):
        assert not path.is_file() or b"canary-7" not in path.read_bytes()


def test_what_is_asked_for_is_what_the_pod_gets(place):
    cell = place.run(
        "import os\n"
        "s = os.statvfs('/dev/shm')\n"
        "(s.f_blocks * s.f_frsize, os.environ['GIVEN'], os.getuid() != 0, os.getcwd())",
        shm="32Mi",
        env={"GIVEN": "a b=c"},
    )
    assert cell.value == (32 << 20, "a b=c", True, "/home/jobq")


def test_where_the_root_is_read_only_a_cell_can_write_where_programs_do(place):
    container = {"name": "main", "securityContext": {"readOnlyRootFilesystem": True}}
    cell = place.run(
        "import os, tempfile\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "with open(os.path.expanduser('~/.here'), 'w') as file: file.write('x')\n"
        "try: open('/opt/here', 'w')\n"
        "except OSError as error: told = error.strerror\n"
        "told",
        site={"pod_template": {"spec": {"containers": [container]}}},
    )
    assert cell.value == "Read-only file system", cell.told
