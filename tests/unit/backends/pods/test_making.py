"""The objects of a run: what is made beside a Job of another's making, and what is not removed."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import replace
from http import HTTPStatus
from types import SimpleNamespace

import pytest

from jobq_magic import handover
from jobq_magic.backends.pods import making
from jobq_magic.backends.pods.integration import JOB
from jobq_magic.backends.rayjob.integration import RAYJOB
from jobq_magic.cluster import client
from jobq_magic.cluster.client import Exists, Forbidden, Missing, Unreachable
from jobq_magic.errors import BackendError
from jobq_magic.handover import Handover
from jobq_magic.runs.store import Store
from tests.unit.cluster.apiserver import status

TARGET = {"backend": "kueue", "where": "queue main of team", "site": {"namespace": "team"}}


class Api:
    """A namespace that keeps what it is given."""

    place = SimpleNamespace(namespace="team")

    def __init__(self, **objects):
        self.objects = objects
        self.deleted = []
        self.silent = False
        self.forbidden = ()

    def get(self, path):
        if self.silent:
            raise Unreachable("cluster-silent", "It does not answer")
        kind = path.split("/")[-2]
        if kind not in self.objects:
            raise Missing("cluster-missing", "There is none")
        return self.objects[kind]

    def create(self, path, body):
        kind = path.split("/")[-1]
        self._allow("create", kind)
        if kind in self.objects:
            raise Exists("cluster-exists", "It is there")
        self.objects[kind] = body
        return {**body, "metadata": {**body["metadata"], "uid": "u"}}

    def patch(self, path, body):
        self._allow("patch", path.split("/")[-2])

    def delete(self, path, *, owned_first=False):
        self._allow("delete", kind := path.split("/")[-2])
        self.deleted.append(kind)

    def _allow(self, verb, kind):
        if f"{verb} {kind}" in self.forbidden:
            raise Forbidden("cluster-forbidden", f"We may not {verb} {kind}")


@pytest.fixture
def run():
    run = Store().open(spec={"mode": "kueue", "workers": 2, "secret": {"TOKEN": None}}, target=TARGET, name="pi")
    handover.leave(run.id, Handover({}, {"TOKEN": "canary-7"}))
    return run


def job(run="other"):
    return {"metadata": {"name": "x", "uid": "u", "labels": {"jobq.run": run}}}


def test_a_job_that_kueue_made_elsewhere_gets_secret_and_service_which_it_owns(run):
    api = Api()
    making.furnish(api, run, "far")
    secret, service = api.objects["secrets"], api.objects["services"]
    owners = [one["metadata"]["ownerReferences"] for one in (secret, service)]
    assert [(one["kind"], one["name"], one["uid"]) for [one] in owners] == [("Job", f"jobq-{run.id}", "far")] * 2
    assert b"canary-7" in base64.b64decode(secret["data"]["secrets"])
    assert base64.b64decode(secret["data"]["key"]) == run.paths.key.read_bytes()


def test_whoever_comes_second_leaves_it_as_it_is(run):
    api = Api()
    making.furnish(api, run, "far")
    first = dict(api.objects)
    making.furnish(api, run, "far")
    assert api.objects == first


def test_all_of_a_run_is_removed_by_its_name(run):
    making.remove(api := Api(jobs=job()), run)
    assert api.deleted == ["jobs", "secrets"]


@pytest.mark.parametrize("right", ["create services", "patch secrets"])
def test_without_a_right_that_a_cell_can_do_without_its_job_is_made_when_that_is_sure(run, monkeypatch, right):
    monkeypatch.setattr(making.Image, "load", lambda path: SimpleNamespace(reference="r"))
    made = replace(JOB, manifest=lambda *_: job(run.id))
    api = Api()
    api.forbidden = (right,)
    with pytest.raises(Forbidden):  # an API server that was just started knows of no rights
        making.make(api, run, made)
    api.objects = {}
    assert making.make(api, run, made, lenient=True)["uid"] == "u"


def test_the_secret_of_a_ray_cluster_goes_with_its_owner_since_kuberay_ends_it_by_the_token_in_it(run):
    making.remove(api := Api(rayjobs=job()), run, RAYJOB)
    making.remove(none := Api(), run, RAYJOB, sure=False)
    assert (api.deleted, none.deleted) == (["rayjobs"], ["rayjobs", "secrets"])


def test_the_job_is_removed_where_its_secret_may_not_be(run):
    api = Api(jobs=job())
    api.forbidden = ("delete secrets",)
    making.remove(api, run)
    assert api.deleted == ["jobs"]


def test_what_was_never_known_to_be_its_own_is_looked_at_before(run):
    making.remove(other := Api(jobs=job("other")), run, sure=False)
    making.remove(own := Api(jobs=job(run.id)), run, sure=False)
    making.remove(none := Api(), run, sure=False)
    assert (other.deleted, own.deleted, none.deleted) == ([], ["jobs", "secrets"], ["jobs", "secrets"])


def test_where_nobody_answers_that_is_told_and_asked_again(run):
    api = Api()
    api.silent = True
    with pytest.raises(Unreachable):
        making.remove(api, run, sure=False)


class Keeping:
    """An API server that keeps what is made; `job` is how it answers whoever makes a Job."""

    def __init__(self, server):
        self.there, self.job, self.begun = {}, None, False
        self.server = server
        server.always = self.answer

    def answer(self, handler):
        _, path, _, _, body = self.server.asked[-1]
        make, body = handler.command == "POST", json.loads(body or "{}")
        kind, name = (path.split("/")[-1], body["metadata"]["name"]) if make else path.split("/")[-2:]
        if make and (kind, name) in self.there:
            handler.whole(HTTPStatus.CONFLICT, status(409, "AlreadyExists", "it is there"))
        elif make and kind == "jobs" and isinstance(self.job, int):
            handler.whole(self.job, status(self.job, "", "no"))
        elif make:
            metadata = {**body["metadata"], "uid": f"uid-{kind}"}
            told = {"startTime": "2026-01-01T00:00:00Z"} if self.begun else {}
            self.there[kind, name] = {**body, "metadata": metadata, "status": told}
            if kind == "jobs" and self.job == "lost":
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            handler.whole(HTTPStatus.CREATED, self.there[kind, name])
        elif (kind, name) not in self.there:
            handler.whole(HTTPStatus.NOT_FOUND, status(404, "NotFound", "not found"))
        elif handler.command == "DELETE":
            handler.whole(HTTPStatus.OK, self.there.pop((kind, name)))
        else:
            self.there[kind, name]["metadata"] |= body.get("metadata", {})
            handler.whole(HTTPStatus.OK, self.there[kind, name])

    @property
    def kinds(self):
        return {kind for kind, _ in self.there}

    @property
    def secret(self):
        (found,) = (one for (kind, _), one in self.there.items() if kind == "secrets")
        return found


@pytest.fixture
def integration(run):
    """A Job without all that it does."""
    metadata = {"name": f"jobq-{run.id}", "labels": {"jobq.run": run.id}}
    return replace(JOB, manifest=lambda *_: {"metadata": metadata})


@pytest.fixture
def keeping(server, monkeypatch):
    monkeypatch.setattr(client, "_PAUSES", ())  # each request is sent once
    monkeypatch.setattr(making.Image, "load", lambda path: SimpleNamespace(reference="r"))
    return Keeping(server)


def owners(secret):
    return [one["uid"] for one in secret["metadata"].get("ownerReferences", ())]


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_whose_making_was_not_answered_keeps_its_secret_and_is_found(api, run, keeping, begun, integration):
    keeping.job, keeping.begun = "lost", begun
    with pytest.raises(Unreachable):
        making.make(api, run, integration)
    secret = keeping.secret
    assert making.make(api, run, integration)["uid"] == "uid-jobs"
    assert keeping.secret is secret
    assert owners(secret) == ["uid-jobs"]


@pytest.mark.parametrize(("code", "left"), [(403, set()), (422, set()), (500, {"secrets"}), (504, {"secrets"})])
def test_nothing_is_left_of_a_job_that_is_refused_for_good(api, run, keeping, code, left, integration):
    keeping.job = code
    with pytest.raises(BackendError):
        making.make(api, run, integration)
    assert keeping.kinds == left


@pytest.mark.parametrize("begun", [False, True])
def test_a_secret_that_somebody_removed_is_made_again(api, run, keeping, begun, integration):
    keeping.begun = begun
    making.make(api, run, integration)
    del keeping.there["secrets", f"jobq-{run.id}"]
    assert making.make(api, run, integration)["uid"] == "uid-jobs"
    assert owners(keeping.secret) == ["uid-jobs"]
    assert b"canary-7" in base64.b64decode(keeping.secret["data"]["secrets"])


@pytest.mark.parametrize("begun", [False, True])
def test_a_secret_whose_values_nobody_knows_any_more_ends_a_job_that_has_not_begun(
    api, run, keeping, begun, integration
):
    keeping.begun = begun
    making.make(api, run, integration)
    del keeping.there["secrets", f"jobq-{run.id}"]
    handover.remove(run.id)
    if begun:
        assert making.make(api, run, integration)["uid"] == "uid-jobs"
    else:
        with pytest.raises(BackendError, match="TOKEN is no longer known"):
            making.make(api, run, integration)
    assert ("jobs" in keeping.kinds) is begun
