"""The objects of a run: what is made beside a Job of another's making, and what is not removed."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest

from jobq_magic import handover
from jobq_magic.backends.kueue import making
from jobq_magic.cluster.client import Exists, Forbidden, Missing, Unreachable
from jobq_magic.handover import Handover
from jobq_magic.runs.store import Store

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
    monkeypatch.setattr(making.manifests, "job", lambda *_: job(run.id))
    api = Api()
    api.forbidden = (right,)
    with pytest.raises(Forbidden):  # an API server that was just started knows of no rights
        making.make(api, run)
    api.objects = {}
    assert making.make(api, run, lenient=True)["uid"] == "u"


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
