"""What a Ray that is there is given: the token that is its own, and the files of the cell as they are."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import urllib.request
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobq_magic import config, pipeline
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.package import package
from jobq_magic.backends.ray.reach import reach
from jobq_magic.capture import Source
from jobq_magic.cluster import connection
from jobq_magic.errors import BackendError
from jobq_magic.runs.store import Store
from tests.unit.cluster.apiserver import ApiServer, status

CLUSTERS = "/rayclusters/shared"
SECRETS = "/api/v1/namespaces/team/secrets/"
READY = {"status": {"state": "ready"}}
NOT_OURS = 'User "ada" cannot get resource "rayclusters" in API group "ray.io" in the namespace "team"'
TOKEN = {"authOptions": {"mode": "token"}}


@pytest.fixture
def token(tmp_path):
    """What is sent to the RayCluster `shared`; whoever asks has used Ray on this machine."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("saved\n")
    kubeconfig = tmp_path / "kubeconfig"
    with contextlib.closing(ApiServer()) as server:
        named = {"name": "lab"}
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "lab",
                    "clusters": [{**named, "cluster": {"server": server.address}}],
                    "users": [{**named, "user": {}}],
                    "contexts": [{**named, "context": {"cluster": "lab", "user": "lab", "namespace": "team"}}],
                }
            )
        )

        def sent(spec, secret="", refuses=False, silent=False, **environ):
            data = {"auth_token": base64.b64encode(secret.encode()).decode()}
            server.refused = {
                CLUSTERS: (200, {"spec": spec, **READY})
                if spec is not None
                else (403, status(403, "Forbidden", NOT_OURS)),
                "/proxy/api/version": (lambda handler: handler.hang())
                if silent
                else ((401, {}) if refuses else (200, {"ray_version": "2.60.0"})),
                SECRETS: (200, {"data": data}) if secret else (404, status(404, "NotFound", "no")),
            }
            environ = {"HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig), **environ}
            server.asked.clear()
            api = reach({"raycluster": "shared"}, environ)
            assert not any("X-Ray-Authorization" in headers for *_, headers, _ in server.asked)
            return api.token

        yield sent
    connection.forget()


def test_what_ray_saved_here_is_not_sent_to_a_cluster_that_has_a_token_of_its_own(token):
    assert token(TOKEN, secret="theirs") == "theirs"


def test_a_cluster_that_wants_no_token_gets_none(token):
    assert token({}, RAY_AUTH_TOKEN="set") == ""
    assert token({"authOptions": {"mode": "disabled"}}, secret="theirs", RAY_AUTH_TOKEN="set") == ""


def test_what_the_environment_says_counts_before_the_secret_and_files_after_it(token, tmp_path):
    (tmp_path / "file").write_text("filed")
    path = str(tmp_path / "file")
    assert token(TOKEN, secret="theirs", RAY_AUTH_TOKEN="set") == "set"
    assert token(TOKEN, secret="theirs", RAY_AUTH_TOKEN_PATH=path) == "theirs"
    assert token(TOKEN, RAY_AUTH_TOKEN_PATH=path) == "filed"
    assert token(TOKEN) == "saved"


def test_a_cluster_that_may_not_be_read_or_whose_author_set_its_mode_is_asked_with_a_token(token):
    assert token(None, secret="theirs") == "theirs"
    own = {"template": {"spec": {"containers": [{"env": [{"name": "RAY_AUTH_MODE", "value": "token"}]}]}}}
    assert token({"headGroupSpec": own}, RAY_AUTH_TOKEN="set") == "set"


def test_a_cluster_that_wants_a_token_and_does_not_say_so_gets_it_once_it_has_refused(token):
    elsewhere = {"containers": [{"envFrom": [{"configMapRef": {"name": "auth"}}]}]}
    spec = {"headGroupSpec": {"template": {"spec": elsewhere}}}
    assert token(spec, refuses=True, RAY_AUTH_TOKEN="set") == "set"
    assert token(spec, refuses=True, secret="theirs") == "theirs"
    assert token(spec, RAY_AUTH_TOKEN="set") == ""


def test_of_a_cluster_that_does_not_answer_it_is_told_so_and_not_that_a_token_is_missing(token, monkeypatch):
    monkeypatch.setattr("jobq_magic.backends.ray.reach._PATIENCE", 0.3)
    with pytest.raises(BackendError, match="The RayCluster shared of team does not answer: ") as error:
        token({}, silent=True, RAY_AUTH_TOKEN="set")
    assert error.value.code == "ray-unreachable"
    assert token({}, refuses=True, RAY_AUTH_TOKEN="set") == "set"


@pytest.mark.parametrize("own", ["of the follower", None])
def test_a_ray_of_this_machine_is_told_the_token_of_who_submitted_whoever_follows(monkeypatch, own):
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    monkeypatch.setattr("jobq_magic.backends.ray.check.sees_our_files", lambda session: True)
    jobs, sent = {}, []

    def answer(one):
        if one.headers.get("Authorization") != "Bearer theirs":
            return one.whole(401, {})
        if one.path == "/api/version":
            return one.whole(200, {"ray_version": "2.60.0", "session_name": "session"})
        if one.path == "/nodes?view=summary":
            return one.whole(200, {"data": {"summary": []}})
        if one.command == "GET" and one.path == "/api/jobs/":
            return one.whole(200, [])
        if one.path.endswith("/stop"):
            jobs["x"] = "STOPPED"
        elif one.command == "POST":
            jobs["x"] = "PENDING"
            sent.append(json.loads(ray.asked[-1][-1])["runtime_env"]["env_vars"])
        return one.whole(200 if jobs else 404, {"status": jobs.get("x")})

    backend, store = RayBackend(), Store()
    with contextlib.closing(ApiServer()) as ray:
        ray.always = answer
        with monkeypatch.context() as submitter:
            submitter.setenv("RAY_AUTH_TOKEN", "theirs")
            submitter.setenv("WHO", "the submitter")
            asked = {"mode": "ray", "address": ray.address, "env": ["WHO"]}
            resolved = config.resolve(asked, cwd=Path.cwd(), environ=os.environ, interactive=True)
            run = pipeline.submit(resolved, Source("1", "Cell [1]", {}), store).run
        monkeypatch.setenv("WHO", "the follower")
        if own is not None:
            monkeypatch.setenv("RAY_AUTH_TOKEN", own)
        handle = {"submission": "x", "api": ray.address}
        try:
            seen = backend.observe(run, 1, handle)
            assert (seen.phase, seen.reason) == ("starting", "ray-worker-start")
            assert jobs == {"x": "PENDING"}, "it was submitted"
            assert sent[0]["WHO"] == "the submitter"
            with urllib.request.urlopen(seen.links[0]["href"], timeout=10) as page:
                assert page.status == 200
            backend.stop(run, 1, handle, "stopped")
            assert jobs == {"x": "STOPPED"}
            assert {headers.get("Authorization") for *_, headers, _ in ray.asked} == {"Bearer theirs"}
        finally:
            if backend._links._dashboards is not None:
                backend._links._dashboards.end()


def test_a_program_that_goes_along_is_one_there(tmp_path):
    bundle = tmp_path / "bundle"
    (bundle / "files").mkdir(parents=True)
    for name, mode in {"tool.sh": 0o755, "data.csv": 0o644}.items():
        (bundle / "files" / name).write_text("x")
        (bundle / "files" / name).chmod(mode)
    for name in ("key", "run.json"):
        (tmp_path / name).write_text("{}")
    paths = SimpleNamespace(bundle=bundle, identity=tmp_path / "run.json", key=tmp_path / "key")
    packed = zipfile.ZipFile(io.BytesIO(package(SimpleNamespace(paths=paths)).data)).infolist()
    modes = {one.filename.rpartition("/")[2]: one.external_attr >> 16 for one in packed}
    assert (modes["tool.sh"], modes["data.csv"], modes["key"]) == (0o700, 0o600, 0o600)
