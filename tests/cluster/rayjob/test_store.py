"""What a run on a Ray cluster of its own leaves outlives that, its RayJob and its logs, where its site has a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobq_magic import handover
from jobq_magic.handover import Handover
from jobq_magic.image import BuildRequest, Packages, Recipe
from jobq_magic.images.platforms import here
from jobq_magic.phrases import UNREAD_STORE
from jobq_magic.runtime.wire import canonical, replace_file
from tests.cluster.cells import PYTHON
from tests.cluster.layout import FIRST
from tests.services.s3 import PACKAGES, S3
from tests.services.s3 import s3 as running
from tests.support import eventually

LOCK = Path(__file__).parents[3] / "requirements" / "s3fs.lock"
RAYJOBS = ("ray.io", "v1")
CELL = """
import os, ray
print('driver')
ray.init()
@ray.remote(num_cpus=1)
class Worker:
    def work(self, number):
        import fsspec
        for n in range(100): print('line', n)
        with fsspec.open(f'{os.environ["JOBQ_DATA"]}/{number}', 'w') as file: file.write('of a task')
        return os.environ['JOBQ_POD']
workers = [Worker.remote() for _ in range(2)]
pods = set(ray.get([one.work.remote(number) for number, one in enumerate(workers)]))
x = os.urandom(5 << 20)
len(pods), len(x)
"""


@pytest.fixture
def s3(tmp_path, monkeypatch) -> Iterator[S3]:
    """At an address that pods reach."""
    monkeypatch.syspath_prepend(str(PACKAGES))
    with running(tmp_path / "s3", FIRST.address) as service:
        service.bucket("results")
        yield service


@pytest.fixture
def run(place, s3):
    """One whose image has what the store needs, and whose pods have its credentials."""
    run = place.open(CELL, site={"store": "s3://results/blue"}, secrets=s3.environ, outs=("x",))
    request = BuildRequest(
        Recipe(base=place.base),
        Packages(LOCK.read_text()),
        PYTHON,
        here(),
        destination={name: run.target[name] for name in ("to", "push", "pull")},
    )
    replace_file(run.paths.request, canonical(request.to_json()))
    handover.leave(run.id, Handover(s3.environ, s3.environ))
    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_value_in_a_store_that_this_machine_does_not_reach_is_told_with_the_store_and_the_way_out(place, run, s3):
    cell = place.follow(run)
    eventually(lambda: place.store.handle(run), 120)
    away = {**s3.environ, "AWS_ENDPOINT_URL": f"http://{FIRST.address}:9"}  # its pods are told the true one by now
    handover.leave(run.id, Handover(away, away))
    cell.end(200)
    assert cell.snapshot.phase == "succeeded", cell.told
    assert cell.value == (2, 5 << 20)
    (told,) = cell.outcome.skipped
    assert told["name"] == "x"
    assert told["reason"] == "it is kept in s3://results/blue, and could not be read from here"
    assert told["advice"] == UNREAD_STORE
    (note,) = cell.snapshot.notes
    assert note.startswith("The store s3://results/blue is not to be reached")
    assert "whether this machine may reach it" in note
    assert "driver" in cell.written().splitlines()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_driver_and_workers_left_is_there_the_next_morning(place, run, s3, work, rayjobs):
    place.submit(run)
    name = f"jobq-{run.id}"
    eventually(lambda: work.rayjob(name).get("jobDeploymentStatus") == "Complete", 180)
    assert not place.store.snapshot(run).final
    work.others.delete_namespaced_custom_object(*RAYJOBS, work.namespace, "rayjobs", name)
    eventually(lambda: rayjobs() == [] and not work.core.list_namespaced_pod(work.namespace).items, 90)

    cell = place.follow(run)
    cell.end()
    assert cell.snapshot.phase == "succeeded", cell.told
    assert cell.value == (2, 5 << 20)
    assert len(cell.outcome.names["x"]) == 5 << 20
    assert "driver" in cell.written().splitlines()
    lines = [f"line {n}" for n in range(100)]
    assert [cell.written(rank=rank).splitlines() for rank in (1, 2)] == [lines, lines]
    assert cell.snapshot.notes == ()
    kept = s3.folder / "buckets/results/blue/data" / run.id
    assert [path.read_text() for path in sorted(kept.iterdir())] == ["of a task", "of a task"]
