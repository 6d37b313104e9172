"""What a job leaves outlives its pod and its Job, where its site has a store; also what is too large for a log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from jobq_magic import handover
from jobq_magic.backends.pods import claimed
from jobq_magic.handover import Handover
from jobq_magic.image import BuildRequest, Packages, Recipe
from jobq_magic.images.platforms import here
from jobq_magic.runtime.wire import canonical, replace_file
from tests.cluster.cells import PYTHON, Cell
from tests.cluster.kueue.waits import profile
from tests.cluster.layout import FIRST, REGISTRY_PUSH
from tests.services.s3 import PACKAGES, S3
from tests.services.s3 import s3 as running
from tests.support import eventually

LOCK = Path(__file__).parents[3] / "requirements" / "s3fs.lock"
LARGE = "import os\nx = os.urandom(5 << 20)\nprint('made')\nlen(x)"
SITE = {"store": "s3://results/blue"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[S3]:
    """At an address that pods reach."""
    with running(tmp_path_factory.mktemp("s3"), FIRST.address) as service:
        service.bucket("results")
        yield service


@pytest.fixture
def s3(server: S3, monkeypatch) -> S3:
    monkeypatch.syspath_prepend(str(PACKAGES))
    if server.process is None:
        server.start()
    return server


def opened(place, s3: S3, cell: str, *, site: dict = SITE, **how):
    """A run whose image has what the store needs, and whose job has its credentials."""
    run = place.open(cell, site=site, secrets=s3.environ, memory="300Mi", **how)
    request = BuildRequest(
        Recipe(base="host"),
        Packages(LOCK.read_text()),
        PYTHON,
        here(),
        destination={name: run.target[name] for name in ("to", "push", "pull")},
    )
    replace_file(run.paths.request, canonical(request.to_json()))
    handover.leave(run.id, Handover(s3.environ, s3.environ))
    return run


def test_five_megabytes_come_back_by_a_bucket(place, s3):
    cell = place.follow(opened(place, s3, LARGE, outs=("x",)))
    cell.end()
    assert cell.value == 5 << 20
    assert len(cell.outcome.names["x"]) == 5 << 20
    assert cell.stdout == "made\n"
    assert cell.snapshot.notes == ()


CELLS = (
    "%load_ext jobq_magic",
    "%%jobq --profile cluster --store s3://results/notebook --memory 500Mi --name large {given}\n"
    + LARGE
    + "\nsmall = 7",
    "len(x), small",
)


@pytest.mark.timeout(300)
def test_a_cell_of_a_notebook_names_the_bucket_and_five_megabytes_are_bound(
    server, kubeconfig, images, namespace, queue, tmp_path
):
    if server.process is None:
        server.start()
    (tmp_path / "config.toml").write_text(profile("cluster"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBQ_")}
    own = {
        "PYTHONPATH": str(PACKAGES),  # what it needs, and tests of other things must not have
        "KUBECONFIG": str(kubeconfig),
        "JOBQ_CACHE": str(images),
        "JOBQ_CONFIG": str(tmp_path / "config.toml"),
        "JOBQ_HOME": str(tmp_path / "store"),
        "JOBQ_RUNTIME_DIR": str(tmp_path / "r"),
        "JOBQ_INTERACTIVE": "0",
    }
    given = " ".join(f"--{'secret' if 'KEY' in name else 'env'} {name}" for name in server.environ)
    book = new_notebook(cells=[new_code_cell(cell.format(given=given)) for cell in CELLS])
    NotebookClient(book, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute(
        env={**kept, **server.environ, **own}
    )
    (bound,) = book.cells[-1].outputs
    assert bound.data["text/plain"] == f"({5 << 20}, 7)"
    (folder,) = (server.folder / "buckets/results/notebook").glob("large-*/*")
    assert {"complete.json", "result.json", "stdout", "values"} <= {path.name for path in folder.iterdir()}


def test_without_a_store_five_megabytes_are_lost_and_one_setting_is_named(place):
    cell = place.run(LARGE, outs=("x",))
    assert cell.snapshot.phase == "succeeded"
    (note,) = cell.snapshot.notes
    assert note.startswith("5.2 MB of what came of it are lost: a log carries 262 kB")
    assert "--store s3://BUCKET/FOLDER" in note
    assert [entry["name"] for entry in cell.outcome.skipped] == ["x"]


def test_a_store_that_fails_is_told_and_the_cell_ends_as_it_would(place, s3):
    run = opened(place, s3, "x = 1\nx", site={"store": "s3://no-such-bucket/blue"}, outs=("x",))
    cell = place.follow(run)
    cell.end()
    assert cell.value == 1
    assert any("s3://no-such-bucket/blue" in note and "no bucket of that name" in note for note in cell.snapshot.notes)


@pytest.mark.parametrize("kept", ["nothing", pytest.param("the Job", marks=pytest.mark.slow)])
def test_a_run_whose_pod_is_gone_is_there_the_next_morning(place, s3, work, admin, kept):
    run = opened(place, s3, LARGE, outs=("x",))
    place.submit(run)
    name = f"jobq-{run.id}"
    eventually(lambda: work.batch.read_namespaced_job(name, work.namespace).status.succeeded, 90)
    assert not place.store.snapshot(run).final
    if kept == "nothing":
        work.batch.delete_namespaced_job(name, work.namespace, propagation_policy="Background")
    else:  # as where a node is no more, and as MultiKueue leaves it
        client.CoreV1Api(admin).delete_collection_namespaced_pod(work.namespace)
    eventually(lambda: not work.core.list_namespaced_pod(work.namespace).items, 60)

    cell: Cell = place.follow(run)
    cell.end()
    assert cell.value == 5 << 20
    assert cell.stdout == "made\n"
    assert cell.snapshot.phase == "succeeded"


@pytest.fixture
def claim(admin, namespace, tmp_path_factory) -> Iterator[str]:
    """A claim upon a folder of the node, as an administrator makes it."""
    folder = tmp_path_factory.mktemp("claim")
    folder.chmod(0o777)  # as a share is that all may write to
    core = client.CoreV1Api(admin)
    size = {"storage": "1Gi"}
    spec = {
        "capacity": size,
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "hostPath": {"path": str(folder)},
    }
    name = f"{namespace}-results"
    core.create_persistent_volume({"metadata": {"name": name}, "spec": spec})
    wanted = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": name,
        "resources": {"requests": size},
    }
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "results"}, "spec": wanted})
    yield "results"
    core.delete_namespaced_persistent_volume_claim("results", namespace)
    core.delete_persistent_volume(name)


def test_five_megabytes_come_back_by_a_claim(place, claim, jobs):
    cell = place.run(LARGE, site={"store": f"pvc://{claim}/blue/results"}, outs=("x",))
    assert cell.value == 5 << 20
    assert len(cell.outcome.names["x"]) == 5 << 20
    assert cell.snapshot.notes == ()
    eventually(lambda: jobs() == [], 30)


def test_a_claim_of_which_nothing_comes_back_is_told_with_the_end(place, claim, monkeypatch):
    monkeypatch.setattr(claimed, "_PATIENCE", 0.0)
    cell = place.run(LARGE, site={"store": f"pvc://{claim}/blue"}, outs=("x",))
    assert cell.snapshot.phase == "succeeded"
    (note,) = cell.snapshot.notes
    assert f"kept in pvc://{claim}/blue could not be read from here" in note


def test_five_megabytes_come_back_by_a_repository(place):
    # As the nodes call the registry it is known only to them; pods reach it by the address that we push to.
    site = {"artifacts": f"http://{REGISTRY_PUSH}/results"}
    cell = place.run(LARGE, site=site, outs=("x",))
    assert cell.value == 5 << 20
    assert len(cell.outcome.names["x"]) == 5 << 20
    assert cell.snapshot.notes == ()
