"""What is kept of what a cluster was sent: all of it, but for what is secret."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobq_magic import handover
from jobq_magic.backends.pods import making, sent
from jobq_magic.backends.pods.integration import JOB
from jobq_magic.cluster.client import Forbidden
from jobq_magic.handover import Handover
from jobq_magic.runs.store import Store
from tests.unit.backends.pods.test_making import TARGET, Api

SECRET = "canary-7-of-this-run"
JOB_ = {
    "kind": "Job",
    "metadata": {"name": "jobq-pi", "annotations": {"note": "<b>bold</b>\x1b[31m\u202e"}},
    "spec": {"template": {"spec": {"containers": [{"env": [{"name": "EPOCHS", "value": "20"}]}]}}},
}


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(making.Image, "load", lambda path: SimpleNamespace(reference="r"))
    run = Store().open(spec={"mode": "kueue", "workers": 2, "secret": {"TOKEN": None}}, target=TARGET, name="pi")
    handover.leave(run.id, Handover({}, {"TOKEN": SECRET}))
    return run


def submitted(run, **more):
    job = {**JOB_, **more, "metadata": {**JOB_["metadata"], "labels": {"jobq.run": run.id}}}
    return replace(JOB, manifest=lambda *_: job)


def kept(run):
    return json.loads(run.paths.manifests.read_bytes())


def test_what_is_sent_is_kept_in_its_order(run):
    making.make(Api(), run, submitted(run))
    assert [one["kind"] for one in kept(run)] == ["Secret", "Job", "Service"]
    assert kept(run)[1]["spec"] == JOB_["spec"]
    assert kept(run)[1]["metadata"]["annotations"] == JOB_["metadata"]["annotations"]


def test_nothing_that_is_secret_is_in_the_file(run):
    env = [{"name": "COPY", "value": f"before {SECRET} after"}, {"name": "WHOLE", "value": SECRET}]
    making.make(Api(), run, submitted(run, spec={"env": env, "args": [SECRET]}))
    text = run.paths.manifests.read_text()
    for secret in (SECRET.encode(), run.paths.key.read_bytes()):
        assert secret not in run.paths.manifests.read_bytes()
        assert base64.b64encode(secret).decode() not in text
    assert kept(run)[0]["data"] == dict.fromkeys(("key", "run.json", "secrets"), "****")
    assert kept(run)[1]["spec"]["env"][0]["value"] == "before **** after"


def test_what_was_refused_is_kept_too(run):
    api = Api()
    api.forbidden = ("create jobs",)
    with pytest.raises(Forbidden):
        making.make(api, run, submitted(run))
    assert [one["kind"] for one in kept(run)] == ["Secret", "Job"]


def test_who_finds_the_job_already_there_leaves_what_is_known_as_it_is(run):
    api = Api()
    making.make(api, run, submitted(run))
    before = run.paths.manifests.read_bytes()
    api.objects["jobs"]["metadata"]["uid"] = "u"
    making.make(api, run, submitted(run, spec={"other": True}))
    assert run.paths.manifests.read_bytes() == before


def test_a_disk_that_takes_nothing_keeps_no_run_from_its_place(run):
    run.paths.manifests.mkdir()
    assert making.make(Api(), run, submitted(run))["uid"] == "u"


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, {"env": [{"name": "DB_PASSWORD", "value": "****"}]}),
        ({"value": "http://ada:s3cr3t-w0rd@proxy:3128"}, {"value": "http://proxy:3128"}),
        ({"annotations": {"x/api-key": "k9s8d7f6g5h4j3"}}, {"annotations": {"x/api-key": "****"}}),
        ({"args": ["a\nAKIAIOSFODNN7EXAMPLQ\nb"]}, {"args": ["a\n****\nb"]}),
        ({"stringData": {"a": "b"}, "kind": "Secret"}, {"stringData": {"a": "****"}, "kind": "Secret"}),
    ],
)
def test_what_only_looks_like_a_secret_is_hidden_too(part, shown):
    assert sent.redacted(part) == shown


@pytest.mark.parametrize(
    "part",
    [
        {"volumes": [{"secret": {"secretName": "jobq-pi-1a2b3c4d5e6f"}}]},
        {"imagePullSecrets": [{"name": "registry-credentials-2"}]},
        {"env": [{"name": "TOKENIZERS_PARALLELISM", "value": "false"}]},
        {"env": [{"name": "JOBQ_RANK", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"image": "registry:5000/team/jobq@sha256:" + "ab" * 32},
        {"automountServiceAccountToken": False, "replicas": 3, "limits": None},
    ],
)
def test_what_is_no_secret_is_shown(part):
    assert sent.redacted(part) == part


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.text(st.characters(codec="ascii", min_codepoint=33), min_size=4, max_size=20), st.text(), st.text())
def test_no_text_that_is_known_to_be_secret_is_in_what_is_shown_wherever_it_stood(found, secret, before, after):
    planted = {"a": found, "b": [before + secret + after], before + secret: {"value": secret}}
    told = sent.redacted(planted, frozenset({secret}))
    assert secret not in "\0".join(_texts(told)) or secret in "****"


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
