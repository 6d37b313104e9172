"""Cells on a Ray that does not see our files: what goes there, what comes back, and how it ends."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from jobq_magic.backends.ray import reading
from jobq_magic.backends.ray import remote as module
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.check import is_here
from jobq_magic.backends.ray.client import Api
from jobq_magic.backends.ray.package import package
from jobq_magic.backends.ray.pool import Pool
from jobq_magic.backends.ray.roads import Answer, Lost
from jobq_magic.cluster.collecting import collected
from jobq_magic.errors import BackendError
from jobq_magic.runs.store import Store
from jobq_magic.runtime.carrier import LIMIT
from tests.byhand import Followed
from tests.ray.conftest import Cell, Place
from tests.ray.elsewhere import Elsewhere, begun
from tests.support import eventually


@pytest.fixture(scope="module")
def ray(tmp_path_factory) -> Iterator[Elsewhere]:
    """A Ray that sees nothing of what tests write."""
    with begun(tmp_path_factory.getbasetemp()) as ray:
        yield ray


@pytest.fixture
def there(ray, shared_pool, monkeypatch) -> Place:
    """The Ray backend, with the token of that Ray."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", ray.token)
    return _Place(Store(), shared_pool, RayBackend(shared_pool), ray)


class _Place(Place):
    def __init__(self, store: Store, pool: Pool, backend: RayBackend, ray: Elsewhere) -> None:
        super().__init__(store, pool, backend)
        self.ray = ray

    def open(self, cell, *, target=None, **how):
        return super().open(cell, target={"address": self.ray.address, **(target or {})}, **{"workers": None, **how})


def notes(cell: Cell) -> set[str]:
    return {note for seen in cell.seen for note in seen.notes}


def test_a_cell_comes_back_with_its_values_and_what_driver_and_workers_printed(there):
    cell = there.run(
        "from jobq_magic import parallel_map\nprint('driver\\ragain')\n"
        "squares = parallel_map(square, range(4))\nsum(squares)",
        definitions="def square(x):\n    print(f'worker {x}')\n    return x * x",
        outs=("squares",),
    )
    assert "session" in cell.handle
    assert cell.values == {"squares": [0, 1, 4, 9]}
    assert cell.outcome.value == 14
    paths = cell.run.paths.attempt(1)
    assert paths.stdout.read_bytes() == b"driver\ragain\n"
    assert cell.stderr == ""
    # Whose line it is, and no line twice or with the prefix that Ray's own log monitor gives it.
    assert sorted(paths.worker(1).stdout.read_text().splitlines()) == [f"worker {x}" for x in range(4)]
    assert notes(cell) == set()
    each = cell.seen[-1].each
    assert [(one.rank, one.name) for one in each] == [(0, "driver"), (1, there.ray.api.nodes()[0].ip)]


def test_a_class_of_the_notebook_is_the_same_on_driver_and_workers(there):
    cell = there.run(
        "from jobq_magic import parallel_map\nall(type(p) is Point for p in parallel_map(move, [Point(1), Point(2)]))",
        definitions=(
            "class Point:\n    def __init__(self, x):\n        self.x = x\n"
            "def move(p):\n    assert isinstance(p, Point)\n    return Point(p.x + 1)"
        ),
    )
    assert cell.outcome.value is True


def test_an_exception_is_the_result_and_a_death_says_how(there):
    raised, killed = there.start("{}['missing']"), there.start("import os\nprint('in')\nos.kill(os.getpid(), 9)")
    end = raised.end()
    assert (end.phase, end.reason, end.facts["error"]) == ("failed", "exception", "KeyError: 'missing'")
    end = killed.end()
    assert (end.phase, end.reason, dict(end.facts)) == ("failed", "killed", {"signal": 9})
    assert killed.stdout == "in\n"


def test_a_value_that_a_log_does_not_carry_is_told_of_or_kept_in_the_store(there):
    large, code = random.Random(1).randbytes(2 * LIMIT), "import random\nx = random.Random(1).randbytes({})"
    assert there.backend.carries({"address": there.ray.address}) == LIMIT
    cell = there.run(code.format(2 * LIMIT), outs=("x",))
    (told,) = notes(cell)
    assert "a log carries 262 kB of values" in told
    site = {"store": f"file://{there.ray.temp}/store"}
    assert there.backend.carries({"address": there.ray.address, "site": site}) is None
    cell = there.run(code.format(2 * LIMIT), outs=("x",), target={"site": site})
    assert cell.values == {"x": large}
    assert notes(cell) == set()


def test_every_line_comes_once_although_streams_break(there, monkeypatch):
    plain, broken = Api.read, []

    def fragile(self, node, file, *, follow=None, silence=30.0):
        answer = plain(self, node, file, follow=follow, silence=silence)
        if follow is None:
            return answer
        broken.append(file)
        parts = iter(answer)
        left = [b"", next(parts, b"")[:-7]]

        def cut():
            if not left:
                raise Lost("cut")
            return left.pop()

        return Answer(answer.status, cut, answer.close)

    monkeypatch.setattr(Api, "read", fragile)
    monkeypatch.setattr(reading, "_PAUSE", 0.05)
    cell = there.run(
        "import time\nfrom jobq_magic import parallel_map\n"
        "for i in range(2000):\n    print(i)\n    time.sleep(0.001)\nparallel_map(work, range(2));",
        definitions="def work(n):\n    for i in range(500):\n        print(n, 'é', i)",
    )
    assert len(broken) > 2
    assert cell.stdout == "".join(f"{i}\n" for i in range(2000))
    printed = cell.run.paths.attempt(1).worker(1).stdout.read_text().splitlines()
    assert sorted(printed) == sorted(f"{n} é {i}" for n in range(2) for i in range(500))


def test_another_process_goes_on_where_one_left(there):
    cell = there.start(
        "import time\nfrom jobq_magic import parallel_map\n"
        "for i in range(40):\n    print(i, flush=True)\n    time.sleep(0.1)\nparallel_map(work, range(2))",
        definitions="def work(n):\n    print('work', n)\n    return n",
    )
    cell.until("5")
    there.backend.leave(cell.run)
    cell.place = replace_backend(there)
    end = cell.end()
    assert end.phase == "succeeded"
    assert cell.stdout == "".join(f"{i}\n" for i in range(40))
    assert sorted(cell.run.paths.attempt(1).worker(1).stdout.read_text().splitlines()) == ["work 0", "work 1"]


def test_who_comes_after_the_last_word_reads_what_workers_printed(there, monkeypatch):
    cell = there.start(
        "from jobq_magic import parallel_map\nparallel_map(work, range(2))",
        definitions="def work(n):\n    print('work', n)\n    return n",
    )
    with monkeypatch.context() as patched:
        patched.setattr(reading.WorkerLogs, "start", lambda _: None)
        eventually(lambda: (cell.look(), collected(cell.run.paths.attempt(1)).ended)[1], 100)
        there.backend.leave(cell.run)
    assert not cell.run.paths.attempt(1).worker(1).stdout.exists()
    cell.place = replace_backend(there)
    assert cell.end().phase == "succeeded"
    assert sorted(cell.run.paths.attempt(1).worker(1).stdout.read_text().splitlines()) == ["work 0", "work 1"]


def replace_backend(place: _Place) -> _Place:
    return _Place(place.store, place.pool, RayBackend(place.pool), place.ray)


def test_a_follower_takes_it_from_its_submission_to_its_end(there):
    followed = Followed.begin(there, there.open("print('seen')\n6 * 7", outs=()))
    followed.end()
    assert followed.value == 42
    assert followed.stdout == "seen\n"
    phases = [one.phase for one in followed.snapshot.times]
    assert phases[-3:] == ["running", "collecting", "succeeded"]


def test_a_stop_ends_it_and_keeps_what_it_printed(there):
    cell = there.start("import time\nprint('in', flush=True)\ntime.sleep(1000)")
    cell.until("in")
    there.store.request_stop(cell.run, "stopped")
    cell.stop()
    end = cell.end(30)
    assert (end.phase, end.reason) == ("cancelled", "stopped")
    assert cell.stdout == "in\n"
    assert f"jobq-{cell.run.id}-1" not in there.ray.api.active_jobs()


def test_a_stop_of_a_job_that_ray_has_not_begun_is_asked_for_again(there):
    cell = there.start("import time\ntime.sleep(1000)")
    there.store.request_stop(cell.run, "stopped")
    cell.stop()
    assert cell.end(60).phase == "cancelled"
    assert f"jobq-{cell.run.id}-1" not in there.ray.api.active_jobs()


def test_a_submission_made_twice_is_one_job(there):
    run = there.open("print('once')")
    handle = there.backend.submit(run, 1)
    assert there.backend.submit(run, 1) == handle
    cell = Cell(there, run, handle)
    assert cell.end().phase == "succeeded"
    assert cell.stdout == "once\n"


def test_a_package_is_the_same_bytes_and_one_too_large_names_what_makes_it_so(there):
    run = there.open("len(big) + len(small)", values={"big": os.urandom(300_000)})
    made = package(run)
    assert made == package(run)
    with pytest.raises(BackendError) as refused:
        package(run, limit=200_000)
    assert refused.value.code == "ray-package"
    assert "of which big takes 300 kB; the dashboard of a Ray takes 200 kB" in refused.value.what


def test_what_cannot_be_read_there_is_refused_before_anything_goes(there, monkeypatch):
    target = {"backend": "ray", "address": there.ray.address}
    assert there.backend.check({}, target) == ()
    assert not is_here(there.ray.api, there.ray.api.version()["session_name"])
    with pytest.raises(BackendError) as refused:
        there.backend.check({}, {**target, "site": {"store": "pvc://results/x"}})
    assert refused.value.code == "ray-claim"
    monkeypatch.setattr(Api, "python", lambda _: "3.9.1")
    with pytest.raises(BackendError) as refused:
        there.backend.check({}, target)
    assert refused.value.code == "ray-python"
    assert "has Python 3.9, and this notebook has 3.1" in refused.value.what


def test_another_ray_than_ours_is_told_of(there, monkeypatch):
    monkeypatch.setattr("jobq_magic.backends.ray.check.installed", lambda: "2.53.0")
    (told,) = there.backend.check({}, {"backend": "ray", "address": there.ray.address})
    assert told == f"Ray at {there.ray.address} is {there.ray.api.version()['ray_version']}, and Ray here is 2.53.0"


def test_a_ray_that_dies_or_begins_a_new_life_loses_its_runs(there, monkeypatch):
    monkeypatch.setattr(module, "_SILENT", 2.0)
    code = "import time\nprint('in', flush=True)\ntime.sleep(1000)"
    silent, anew = there.start(code), there.start(code)
    silent.until("in")
    anew.until("in")
    there.backend.leave(anew.run)
    there.ray.end()
    end = silent.end(60)
    assert (end.phase, end.reason) == ("lost", "ray-gone")
    assert "does not answer" in end.facts["error"]
    assert silent.stdout == "in\n"
    there.ray.start()
    end = anew.end(60)
    assert (end.phase, end.reason) == ("lost", "ray-gone")
    assert end.facts["error"] == "it was started anew, and knows the run no more"
