"""Stopping a cell on Ray, wherever it is."""

from __future__ import annotations

from jobq_magic.backends.ray import pool as pools
from jobq_magic.backends.ray.client import Api
from tests.ray.conftest import alive
from tests.support import eventually

TREE = """
import os, subprocess, time
from jobq_magic import parallel_map
def note(pid):
    with open({notes!r}, 'a') as file:
        print(pid, file=file)
def start():
    note(os.getpid())
    note(subprocess.Popen(['sleep', '1000']).pid)
    note(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)
    # A daemon: its parent is gone, and it has a session of its own.
    script = ('import os, time, sys\\nif os.fork(): sys.exit()\\nos.setsid()\\n'
              'print(os.getpid(), flush=True)\\ntime.sleep(1000)')
    note(_daemon(script))
def _daemon(script):
    child = subprocess.Popen(['python3', '-c', script], stdout=subprocess.PIPE, text=True)
    return int(child.stdout.readline())
def work(_):
    start()
    time.sleep(1000)
start()
print('in')
parallel_map(work, [0])
"""


def test_a_stop_ends_the_whole_tree_on_driver_and_workers(place, tmp_path):
    notes = tmp_path / "notes"
    cell = place.start(TREE.format(notes=str(notes)))
    cell.until("in")
    eventually(lambda: len(notes.read_text().split()) == 8, 30)
    cell.stop()
    end = cell.end(30)
    assert (end.phase, end.reason) == ("cancelled", "stopped")
    pids = [int(line) for line in notes.read_text().split()]
    eventually(lambda: not [pid for pid in pids if alive(pid)], 10)


def test_a_stop_of_a_cell_that_ignores_it_kills_it(place):
    cell = place.start(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('in')\nwhile True: time.sleep(1)"
    )
    cell.until("in")
    cell.stop()
    assert cell.end(30).phase == "cancelled"


def test_a_stop_of_a_job_that_ray_has_not_started_yet_is_followed(place, tmp_path):
    side = tmp_path / "side"
    cell = place.start(f"open({str(side)!r}, 'w')\nimport time\ntime.sleep(1000)")
    cell.stop()  # PENDING: Ray answers yes, and starts it all the same
    assert cell.end(60).phase == "cancelled"
    ready = place.pool.clusters()[0].ready
    assert cell.run.id not in str(Api(ready["dashboard"], place.pool.clusters()[0].token).active_jobs())


def test_a_stop_while_ray_starts_submits_nothing(own):
    cell = own.start("1")
    assert (cell.look().phase, cell.seen[-1].reason) == ("queued", "ray-starting")
    cell.stop()
    assert cell.end(5).phase == "cancelled"
    (ended,) = pools.stop(pool=own.pool)
    assert ended["ended"]
    assert pools.status(own.pool) == []
