"""What a job leaves is kept by its supervisor, in a process of its own; a store that fails changes nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobq_magic.errors import ResultError
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import fetching, keeping, sites, stores, wire
from jobq_magic.runtime.stores import StoreFailed, data_of, packages_for, volume_of
from jobq_magic.stores import open_store
from jobq_magic.stores.claims import Coming
from tests.podded import KEY as POD_KEY
from tests.podded import Pod
from tests.services.kept import KEY, POD, RUN, left
from tests.services.s3 import PACKAGES, S3, SECRET
from tests.services.s3 import s3 as running

pytestmark = pytest.mark.timeout(func_only=True)  # the gateway may have to be built first
SOURCE = Path(__file__).parents[3]
SITE = {"store": "s3://results/blue"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[S3]:
    with running(tmp_path_factory.mktemp("s3")) as service:
        service.bucket("results")
        yield service


@pytest.fixture
def pod(server, monkeypatch, tmp_path) -> dict[str, str]:
    """A pod whose image has s3fs, and whose secrets open the store; what `keep` is told of them."""
    if server.process is None:
        server.start()
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{SOURCE}")
    monkeypatch.setenv("JOBQ_POD_UID", POD)
    secrets = tmp_path / "secrets"
    secrets.write_text(json.dumps(server.environ))
    return {"secrets": str(secrets)}


def kept(server: S3) -> Path:
    return server.bucket("results") / "blue" / RUN / POD


def test_all_that_a_job_leaves_is_kept(pod, server, tmp_path):
    ended = left(tmp_path / "runs", SITE)
    assert keeping.keep(ended.job, **pod)
    there = keeping.unseal((kept(server) / "complete.json").read_bytes(), RUN, POD, KEY)
    names = {"stdout", "stderr", "order", "displays.jsonl", "progress.json", "result.json", "record.jsonl"}
    assert set(there["files"]) == {*names, f"values/{ended.value}"}
    for name in there["files"]:
        source = Path(ended.job.record) if name == "record.jsonl" else ended.paths.folder / name
        assert (kept(server) / name).read_bytes() == source.read_bytes()
    assert ended.notes == []


def test_the_secrets_of_the_job_do_not_come_to_the_first_process(pod, tmp_path):
    ended = left(tmp_path / "runs", SITE)
    assert keeping.keep(ended.job, **pod)
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ


def test_without_a_store_nothing_is_done(tmp_path):
    ended = left(tmp_path / "runs", {})
    assert not keeping.keep(ended.job)
    assert ended.notes == []


def test_of_other_workers_the_values_are_not_kept(pod, server, tmp_path, monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "2")
    monkeypatch.setenv("JOBQ_POD_UID", "of-the-third")
    ended = left(tmp_path / "runs", SITE)
    assert keeping.keep(ended.job, **pod)
    list_ = (kept(server).parent / "of-the-third" / "complete.json").read_bytes()
    there = keeping.unseal(list_, RUN, "of-the-third", KEY)
    assert there["rank"] == 2
    assert not [name for name in there["files"] if name.startswith("values/")]


def test_a_job_that_was_killed_has_its_log_kept(pod, server, tmp_path):
    ended = left(tmp_path / "runs", SITE)
    ended.paths.result.unlink()
    assert keeping.keep(ended.job, **pod)
    assert "stdout" in keeping.unseal((kept(server) / "complete.json").read_bytes(), RUN, POD, KEY)["files"]


@pytest.mark.parametrize(
    ("environ", "store", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another-secret-word"}, "s3://results/blue", "does not know the credentials"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "s3://results/blue", "does not know the credentials"),
        ({}, "s3://no-such-bucket/blue", "is not there: no bucket of that name"),
        ({}, "gs://results/blue", "needs fsspec and gcsfs, which are not all installed"),
        ({}, "results/blue", "is no address"),
        ({}, "pvc://results/blue", "is not to be seen here"),
    ],
    ids=["a wrong secret", "no credentials", "no bucket", "no package", "no address", "no mount"],
)
def test_what_cannot_be_kept_is_one_sentence_on_the_record(pod, server, tmp_path, environ, store, said):
    Path(pod["secrets"]).write_text(json.dumps({**server.environ, **environ}))
    ended = left(tmp_path / "runs", {"store": store})
    before = ended.record
    assert not keeping.keep(ended.job, **pod)
    assert ended.record[:-1] == before, "the end is what it was"
    (note,) = ended.notes
    assert note.startswith(f"Result and log could not be kept in {store}, which {said}")
    assert "another-secret-word" not in note
    assert SECRET not in note
    assert "\n" not in note


def test_a_package_that_breaks_breaks_nothing_else(pod, tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "fsspec.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}:{SOURCE}")
    ended = left(tmp_path / "runs", SITE)
    assert not keeping.keep(ended.job, **pod)
    assert ended.notes[0].endswith("the process that was to do it died")


@pytest.mark.parametrize("said", [b"", b'{"fail', b"Traceback"], ids=["nothing", "cut off", "something else"])
def test_a_process_that_dies_while_it_keeps_has_not_kept(said):
    assert "the process that was to do it died" in keeping._read(said)


def test_a_server_that_is_away_for_a_moment_is_waited_for(pod, server, tmp_path):
    ended = left(tmp_path / "runs", SITE)
    server.kill()
    back = threading.Timer(1.5, server.start)
    back.start()
    assert keeping.keep(ended.job, **pod)
    back.join()
    assert ended.notes == []


def test_a_server_that_dies_in_the_middle_leaves_nothing_that_looks_whole(server, tmp_path, monkeypatch):
    if server.process is None:
        server.start()
    monkeypatch.syspath_prepend(str(PACKAGES))
    ended = left(tmp_path / "runs", SITE)
    store = stores.open_store("s3://results/cut", server.environ)
    whole = store.put

    def put(at: str, path: str) -> None:
        if at.endswith("/result.json"):
            server.kill()
        whole(at, path)

    store.put = put
    with pytest.raises(StoreFailed) as told:
        keeping.put(ended.job, store, POD, patience=0.5)
    assert (told.value.kind, told.value.again) == ("unreachable", True)
    there = {path.name for path in (server.bucket("results") / "cut" / RUN / POD).iterdir()}
    assert "stdout" in there
    assert "complete.json" not in there


def test_a_pod_that_is_to_be_gone_does_not_wait_for_a_store(pod, server, tmp_path):
    ended = left(tmp_path / "runs", SITE)
    server.kill()
    began = time.monotonic()
    assert not keeping.keep(ended.job, late=lambda: time.monotonic() - began > 1, **pod)
    assert time.monotonic() - began < 5
    assert ended.notes[0].endswith("did not take it in the time that there was")


def test_meanwhile_the_log_goes_on_and_says_how_far_it_is(pod, tmp_path):
    ended = left(tmp_path / "runs", SITE, size=24 << 20)
    seen = []

    def beat() -> None:
        with contextlib.suppress(ValueError):
            seen.append(json.loads(ended.paths.progress.read_text()))

    assert keeping.keep(ended.job, beat=beat, **pod)
    assert any(one["label"] == "keeping" and one["total"] > 24 << 20 for state in seen for one in state)
    assert json.loads(ended.paths.progress.read_text()) == [{"label": "epochs", "done": 2, "total": 2}]


def test_a_file_that_grows_meanwhile_is_kept_as_it_is_listed(tmp_path):
    ended = left(tmp_path / "runs", {})
    (tmp_path / "store").mkdir()
    store = stores.Folder(str(tmp_path / "store"))
    whole, grown = store.put, []

    def put(at: str, path: str) -> None:
        whole(at, path)
        if at.endswith("/stdout") and not grown:
            grown.append(at)
            with ended.paths.stdout.open("a") as file:
                file.write("late\n")

    store.put = put
    keeping.put(ended.job, store, POD)
    there = tmp_path / "store" / RUN / POD
    listed = keeping.unseal((there / "complete.json").read_bytes(), RUN, POD, KEY)["files"]["stdout"]
    assert listed["size"] == len((there / "stdout").read_bytes()) == len("epoch 1\nepoch 2\nlate\n")


def test_a_folder_that_is_full_is_said_so():
    failed = stores._of_a_disk(OSError(28, "No space left on device"))
    assert (failed.kind, failed.again) == ("full", False)


@pytest.mark.parametrize(
    ("store", "packages"),
    [
        ("s3://results/blue", ("fsspec>=2024.6", "s3fs>=2024.6")),
        ("gs://results", ("fsspec>=2024.6", "gcsfs>=2024.6")),
        ("abfs://results", ("fsspec>=2024.6", "adlfs>=2024.7")),
        ("other://results", ("fsspec>=2024.6",)),
        ("pvc://results/blue", ()),
        ("oci://registry.example.org/results", ()),
        ("", ()),
    ],
)
def test_an_image_gets_what_its_store_needs_and_nothing_else(store, packages):
    assert packages_for(store) == packages


def test_a_claim_is_a_volume_of_the_pod():
    volume, mount = volume_of("pvc://results/blue")
    assert volume["persistentVolumeClaim"] == {"claimName": "results"}
    assert (volume["name"], mount) == (mount["name"], {"name": mount["name"], "mountPath": stores.MOUNTED})
    assert volume_of("s3://results/blue") is None


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("s3://results/blue", "s3://results/blue/data/fit-1"),
        ("abfs://box@account.example.org", "abfs://box@account.example.org/data/fit-1"),
        ("pvc://results/blue", f"{stores.MOUNTED}/blue/data/fit-1"),
        ("pvc://results", f"{stores.MOUNTED}/data/fit-1"),
        ("oci://registry.example.org/results", ""),
        ("", ""),
    ],
)
def test_a_cell_has_a_place_in_the_store_that_is_its_run_s_own(store, place):
    assert data_of(store, "fit-1") == place


def test_where_a_site_keeps_what_it_keeps():
    assert sites.store_of({"site": SITE}) == "s3://results/blue"
    assert (
        sites.store_of({"site": {"artifacts": "registry.example.org/results"}}) == "oci://registry.example.org/results"
    )
    assert sites.store_of({"backend": "docker"}) == ""


# The whole of a pod: its supervisor, its job, and what reads its log.


def podded(folder: Path, server: S3, cell: str, store: str, **secrets: str) -> Pod:
    made = Pod(folder, cell, outs=("x",), JOBQ_POD_UID=POD, JOBQ_POD="jobq-r1-0", PYTHONPATH=f"{PACKAGES}:{SOURCE}")
    told = {"spec": {}, "target": {"backend": "kueue", "site": {"store": store}}}
    (folder / "secret" / "run.json").write_text(json.dumps(told))
    (folder / "secret" / "secrets").write_text(json.dumps({**server.environ, **secrets}))
    return made


def test_what_is_too_large_for_a_log_comes_by_the_store(server, tmp_path, monkeypatch):
    if server.process is None:
        server.start()
    made = podded(tmp_path, server, "import os; x = os.urandom(5 << 20); print('made')", "s3://results/large")
    assert made.through() == 0
    came = made.collect().collected
    assert (came.ended, came.result, came.kept) == (True, True, True)
    (value,) = came.beyond
    paths = AttemptPaths(tmp_path / "collected")
    assert not (paths.folder / value).exists()
    monkeypatch.syspath_prepend(str(PACKAGES))
    store = open_store("s3://results/large", server.environ)
    store.restore("r1", store.complete("r1", POD, POD_KEY), POD_KEY, paths, attempt=1)
    digest = value.removeprefix("values/")
    assert len(wire.read_group(paths.folder / value, digest=digest)["x"]) == 5 << 20
    assert paths.stdout.read_text() == "made\n"


def test_a_store_that_fails_leaves_the_end_of_the_cell_as_it_was(server, tmp_path):
    made = podded(tmp_path, server, "x = bytes(1 << 20)", "s3://no-such-bucket/large")
    assert made.through() == 0
    came = made.collect().collected
    assert (came.ended, came.result, came.kept) == (True, True, False)
    assert [event["phase"] for event in came.events if "phase" in event][-1] == "succeeded"
    assert "no bucket of that name" in came.events[-1]["note"]


def test_a_small_result_is_in_the_log_and_in_the_store(server, tmp_path):
    if server.process is None:
        server.start()
    made = podded(tmp_path, server, "x = 1", "s3://results/small")
    assert made.through() == 0
    came = made.collect().collected
    assert came.result
    assert not came.beyond
    assert (server.bucket("results") / "small" / "r1" / POD / "complete.json").exists()


def test_what_a_claim_keeps_comes_back_through_a_log(tmp_path):
    ended = left(tmp_path / "runs", {}, size=3 << 20)
    claim = tmp_path / "claim" / "blue"
    claim.mkdir(parents=True)
    keeping.put(ended.job, stores.Folder(str(claim)), POD)
    (tmp_path / "here").mkdir()
    coming = Coming(tmp_path / "here", RUN)
    log = io.BytesIO()
    fetching.send(str(claim), RUN, (), coming.token.encode(), log)
    sent = log.getvalue()
    assert max(map(len, sent.splitlines())) < 8192
    for start in range(0, len(sent), 10_000):
        coming.feed(sent[start : start + 10_000])
        if start == 500_000:  # the log is read again, from a moment before
            assert coming.since() > 0
            coming.feed(sent[: start + 10_000])
    assert coming.ended
    store = open_store(f"file://{tmp_path}/here", {})
    paths = AttemptPaths(tmp_path / "attempt")
    store.restore(RUN, store.complete(RUN, POD, KEY), KEY, paths, attempt=3)
    assert (paths.values / ended.value).read_bytes() == (ended.paths.values / ended.value).read_bytes()
    assert paths.stderr.read_bytes() == b""


def test_a_frame_that_was_lost_on_the_way_is_no_file(tmp_path):
    ended = left(tmp_path / "runs", {}, size=3 << 20)
    (tmp_path / "claim").mkdir()
    keeping.put(ended.job, stores.Folder(str(tmp_path / "claim")), POD)
    (tmp_path / "here").mkdir()
    coming, log = Coming(tmp_path / "here", RUN), io.BytesIO()
    fetching.send(str(tmp_path / "claim"), RUN, (POD,), coming.token.encode(), log)
    lines = log.getvalue().splitlines(keepends=True)
    coming.feed(b"".join(lines[:200] + lines[201:]))
    store = open_store(f"file://{tmp_path}/here", {})
    with pytest.raises(ResultError) as told:
        store.restore(RUN, store.complete(RUN, POD, KEY), KEY, AttemptPaths(tmp_path / "attempt"), attempt=1)
    assert told.value.code == "result-damaged"
