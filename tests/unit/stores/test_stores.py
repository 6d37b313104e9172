"""What a job has kept, read back: from a real S3, a folder, and a real registry."""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest

from jobq_magic.errors import ResultError
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import keeping, stores, wire
from jobq_magic.runtime.main import Job
from jobq_magic.stores import check_store, open_store
from tests.services.kept import KEY, POD, RUN, left
from tests.services.registry import free_port, registry
from tests.services.s3 import KEY as S3_KEY
from tests.services.s3 import SECRET
from tests.services.tokens import tokens

pytestmark = pytest.mark.timeout(func_only=True)  # the gateway may have to be built first
URL = "s3://results/team/blue"


def logged_in(folder, host, word="of the tests"):
    """The environment of somebody who has logged in to a registry."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"ada:{word}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return {"DOCKER_CONFIG": str(folder)}


@pytest.fixture(params=["s3", "file", "oci"])
def place(request, tmp_path):
    """The address of an empty store, and the environment that opens it."""
    if request.param == "s3":
        yield URL, request.getfixturevalue("s3").environ
    elif request.param == "file":
        (tmp_path / "store").mkdir()
        yield f"file://{tmp_path}/store", {}
    else:
        with registry(tmp_path / "registry", users={"ada": "of the tests"}) as service:
            yield f"oci://{service.address}/team/results", logged_in(tmp_path / "docker", service.host)


@pytest.fixture
def ended(tmp_path):
    return left(tmp_path / "runs", {})


@pytest.fixture
def kept(place, ended):
    """The store, and what a job has kept in it."""
    url, environ = place
    keeping.put(ended.job, stores.open_store(url, environ), POD, name="jobq-x-0", rank=0)
    return open_store(url, environ)


def refused(do, *args):
    with pytest.raises(ResultError) as told:
        do(*args)
    assert SECRET not in str(told.value)
    return told.value


def test_all_that_was_left_comes_back_to_the_byte(kept, ended, tmp_path):
    there = kept.complete(RUN, POD, KEY)
    assert (there.pod, there.name, there.rank) == (POD, "jobq-x-0", 0)
    paths = AttemptPaths(tmp_path / "attempts" / "2")
    kept.restore(RUN, there, KEY, paths, attempt=2)
    for name in ("stdout", "stderr", "order", "displays.jsonl", "progress.json", f"values/{ended.value}"):
        assert (paths.folder / name).read_bytes() == (ended.paths.folder / name).read_bytes()
    assert {path.name for path in paths.values.iterdir()} == {ended.value}


def test_a_result_is_that_of_the_attempt_which_it_was(kept, tmp_path):
    paths = AttemptPaths(tmp_path / "attempts" / "2")
    kept.restore(RUN, kept.complete(RUN, POD, KEY), KEY, paths, attempt=2)
    assert wire.unseal(paths.result.read_bytes(), KEY, run=RUN, attempt=2)["status"] == "ok"


def test_what_is_there_as_it_should_be_does_not_travel(kept, tmp_path):
    there, paths = kept.complete(RUN, POD, KEY), AttemptPaths(tmp_path / "attempts" / "1")
    assert kept.restore(RUN, there, KEY, paths, attempt=1) > 1 << 20
    assert kept.restore(RUN, there, KEY, paths, attempt=1) == 0
    paths.stdout.write_text("epoch 1\n")  # the log lost the rest
    assert kept.restore(RUN, there, KEY, paths, attempt=1) == 16
    assert paths.stdout.read_text() == "epoch 1\nepoch 2\n"


def test_the_record_of_the_pod_is_read_apart(kept, ended, tmp_path):
    there = kept.complete(RUN, POD, KEY)
    assert [event["phase"] for event in kept.record(RUN, there)] == ["running", "succeeded"]


def test_pods_are_found_without_a_cluster(kept):
    assert kept.pods(RUN) == [POD]
    assert kept.pods("another-run-1") == []


def test_what_was_never_kept_is_none(kept):
    assert kept.complete(RUN, "another-pod", KEY) is None
    assert kept.complete("another-run-1", POD, KEY) is None


def test_without_the_list_nothing_is_complete(place, ended, tmp_path):
    url, environ = place
    store = stores.open_store(url, environ)
    store.put(f"{RUN}/{POD}/stdout", str(ended.paths.stdout))
    store.publish(RUN, POD)
    assert open_store(url, environ).complete(RUN, POD, KEY) is None


def test_what_is_deleted_is_gone(kept):
    kept.delete(RUN)
    kept.delete(RUN)
    assert kept.complete(RUN, POD, KEY) is None


def test_only_the_run_that_is_named_is_deleted(kept, place, ended):
    url, environ = place
    other = Job(f"{RUN}1", ended.job.folder, ended.job.attempt)
    keeping.put(other, stores.open_store(url, environ), POD)
    kept.delete(RUN)
    assert kept.complete(f"{RUN}1", POD, KEY) is not None


def test_a_list_that_another_run_has_signed_is_not_used(kept):
    error = refused(kept.complete, RUN, POD, b"another key")
    assert (error.code, "complete.json" in error.why) == ("result-damaged", True)


def test_a_list_of_another_pod_is_not_used(kept, place, tmp_path):
    url, environ = place
    store = stores.open_store(url, environ)
    store.get(f"{RUN}/{POD}/complete.json", str(tmp_path / "list"))
    store.put(f"{RUN}/other/complete.json", str(tmp_path / "list"))
    store.publish(RUN, "other")
    error = refused(open_store(url, environ).complete, RUN, "other", KEY)
    assert (error.code, error.why) == ("result-damaged", "complete.json is of another pod")


def test_a_store_can_be_tried(place):
    url, environ = place
    found = check_store(url, environ)
    assert (found.code, found.level) == ("store", "ok"), found
    assert stores.open_store(url, environ).pods("jobq-check") == []


# Of S3 alone: what goes wrong.


def test_an_object_that_was_changed_is_not_used(s3, ended, tmp_path):
    keeping.put(ended.job, stores.open_store(URL, s3.environ), POD)
    value = s3.bucket("results") / "team/blue" / RUN / POD / "values" / ended.value
    data = bytearray(value.read_bytes())
    data[1000] ^= 1
    value.write_bytes(data)
    store, to = open_store(URL, s3.environ), tmp_path / "values" / ended.value
    error = refused(store.fetch, RUN, store.complete(RUN, POD, KEY), f"values/{ended.value}", to)
    assert error.code == "result-damaged"
    assert list(to.parent.iterdir()) == []


def test_an_object_that_is_gone_is_named(s3, ended, tmp_path):
    keeping.put(ended.job, stores.open_store(URL, s3.environ), POD)
    (s3.bucket("results") / "team/blue" / RUN / POD / "stdout").unlink()
    store = open_store(URL, s3.environ)
    error = refused(store.fetch, RUN, store.complete(RUN, POD, KEY), "stdout", tmp_path / "stdout")
    assert (error.code, "stdout" in error.what) == ("store-absent", True)


@pytest.mark.parametrize(
    ("environ", "url", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another-secret-word"}, URL, "store-credentials"),
        ({"AWS_ACCESS_KEY_ID": "nobody-of-that-name"}, URL, "store-credentials"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, URL, "store-credentials"),
        ({}, "s3://no-such-bucket/team", "store-missing"),
    ],
    ids=["a wrong secret", "a wrong key", "none", "no bucket"],
)
def test_a_store_that_does_not_open_says_why(s3, environ, url, code):
    store = open_store(url, {**s3.environ, **environ})
    for do in (store.pods, store.delete):
        error = refused(do, RUN)
        assert error.code == code
        assert error.what.startswith(f"The store {url} ")
        assert "another-secret-word" not in str(error)
    assert refused(store.complete, RUN, POD, KEY).code == code
    found = check_store(url, {**s3.environ, **environ})
    assert (found.level, url in found.what) == ("problem" if code == "store-missing" else "warning", True)
    assert found.advice


def test_a_server_that_is_away_for_a_moment_is_waited_for(s3, ended):
    keeping.put(ended.job, stores.open_store(URL, s3.environ), POD)
    store = open_store(URL, s3.environ)
    s3.kill()
    back = threading.Timer(1.0, s3.start)
    back.start()
    assert store.complete(RUN, POD, KEY) is not None
    back.join()


def test_a_server_that_stays_away_is_told(s3, monkeypatch):
    monkeypatch.setattr("jobq_magic.stores._TRIES", 0.5)
    store = open_store(URL, s3.environ)
    s3.kill()
    began = time.monotonic()
    assert refused(store.complete, RUN, POD, KEY).code == "store-unreachable"
    assert check_store(URL, s3.environ).level == "warning"
    assert time.monotonic() - began < 10


def test_a_multipart_upload_comes_back_whole(s3, tmp_path):
    ended = left(tmp_path / "runs", {}, size=21 << 20)
    keeping.put(ended.job, stores.open_store(URL, s3.environ), POD)
    store = open_store(URL, s3.environ)
    store.fetch(RUN, store.complete(RUN, POD, KEY), f"values/{ended.value}", tmp_path / "value")
    assert (tmp_path / "value").stat().st_size == 21 << 20


def test_credentials_of_this_process_do_not_count(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "with-another-secret")
    assert open_store(URL, s3.environ).pods(RUN) == []


# Addresses.


def test_a_claim_is_not_to_be_read_from_here():
    error = refused(open_store, "pvc://results/blue", {})
    assert (error.code, "mounted" in error.what) == ("store-claim", True)
    assert check_store("pvc://results/blue", {}).level == "unknown"


@pytest.mark.parametrize("url", ["results/blue", "nosuch://results", "oci://registry.example.org"])
def test_what_is_no_address_is_refused(url):
    assert refused(open_store, url, {}).code == "store-name"


def test_a_protocol_without_its_package_says_what_to_install():
    error = refused(open_store, "gs://results/blue", {})
    assert error.code == "store-packages"
    assert error.what == "The store gs://results/blue needs fsspec and gcsfs, which are not all installed"
    assert "pip install fsspec gcsfs" in error.do
    found = check_store("gs://results/blue", {})
    assert (found.level, found.what, found.advice) == ("warning", error.what, error.do)


def test_a_password_in_an_address_is_not_told(s3):
    store = open_store(f"s3://{S3_KEY}:{SECRET}@results/x", s3.environ)
    assert store.shown == "s3://results/x"


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/../../b", "", "a//b", ".hidden"])
def test_no_name_leads_out_of_a_store(tmp_path, name):
    with pytest.raises(stores.StoreFailed):
        stores.Folder(str(tmp_path)).get(name, str(tmp_path / "x"))


# A registry that asks for tokens.


def test_a_registry_that_wants_tokens_gets_them(tmp_path, ended):
    folder = tmp_path / "tokens"
    folder.mkdir()
    with (
        tokens(folder, users={"ada": "of the tests"}) as server,
        registry(folder / "registry", token=server.settings) as running,
    ):
        url, environ = f"oci://{running.address}/team/results", logged_in(tmp_path / "docker", running.host)
        keeping.put(ended.job, stores.open_store(url, environ), POD)
        store = open_store(url, environ)
        assert store.complete(RUN, POD, KEY) is not None
        store.delete(RUN)
        assert open_store(url, environ).complete(RUN, POD, KEY) is None
        error = refused(open_store(url, {"HOME": str(tmp_path)}).complete, RUN, POD, KEY)
        assert error.code in {"store-credentials", "store-denied"}
        other = open_store(url, logged_in(tmp_path / "other", running.host, "another secret word"))
        error = refused(other.complete, RUN, POD, KEY)
        assert error.code == "store-credentials"
        assert "another secret word" not in str(error)


def test_a_registry_that_is_away_is_told(monkeypatch):
    monkeypatch.setattr("jobq_magic.stores._TRIES", 0.5)
    error = refused(open_store(f"oci://http://127.0.0.1:{free_port()}/team/results", {}).complete, RUN, POD, KEY)
    assert error.code == "store-unreachable"
