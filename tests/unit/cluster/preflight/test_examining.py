"""From questions to findings: an API server by hand, which can be silent, slow and wrong."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from jobq_magic.cluster import connection
from jobq_magic.cluster.preflight import CODES, asking, check, examine
from jobq_magic.cluster.preflight.examining import looked_at
from jobq_magic.errors import BackendError
from jobq_magic.findings import Finding
from jobq_magic.site import Site
from tests.unit.cluster.apiserver import config

from .support import Answer, given, listed, missing, named, there, wanted


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    connection.forget()


@pytest.fixture
def silent(tmp_path):
    """A server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        path = tmp_path / "silent"
        path.write_text(json.dumps(config(f"http://127.0.0.1:{door.getsockname()[1]}", {})))
        yield {"KUBECONFIG": str(path), "HOME": str(tmp_path)}


def test_no_kubeconfig_is_one_finding(tmp_path):
    (found,) = examine({"queue": "main"}, Site(), {"HOME": str(tmp_path)})
    assert (found.code, found.level) == ("cluster", "problem")
    assert found.what == "There is no kubeconfig (~/.kube/config)"
    with pytest.raises(BackendError, match="There is no kubeconfig"):
        check({"queue": "main"}, Site(), {"HOME": str(tmp_path)})


def test_a_cluster_that_is_not_there_is_one_finding_at_once(environ, server):
    server.close()
    began = time.monotonic()
    (found,) = examine({"queue": "main"}, Site(), environ)
    assert (found.code, found.level) == ("cluster", "problem")
    assert "cannot be reached" in found.what
    assert time.monotonic() - began < 3
    with pytest.raises(BackendError, match="cannot be reached"):
        check({"queue": "main"}, Site(), environ)


def test_a_cluster_that_says_nothing_is_waited_for_as_long_as_is_said(silent, monkeypatch):
    assert asking.FIRST <= 5
    assert asking.TOTAL <= 15
    monkeypatch.setattr(asking, "FIRST", 0.3)
    began = time.monotonic()
    (found,) = examine({"queue": "main"}, Site(), silent)
    assert (found.level, found.what.endswith("does not answer in time")) == ("problem", True)
    assert time.monotonic() - began < 2


def test_a_server_that_knows_nothing_breaks_no_look(environ, server):
    server.always = (200, {})
    found = list(examine({"queue": "main", "volume": ["data:/data"], "priority": "high"}, Site(), environ))
    assert {finding.level for finding in found} <= {"ok", "warning", "problem", "unknown"}
    assert {finding.code for finding in found} <= {*CODES}


@pytest.mark.parametrize(
    "body",
    [
        {"items": 3},
        {"items": [{}]},
        {"items": [{"metadata": {"name": "main"}, "spec": 4}], "versions": [{"version": "v1beta2"}]},
        {"metadata": None, "status": [], "versions": "x"},
        "nonsense",
    ],
)
def test_a_server_that_talks_nonsense_raises_nothing(environ, server, body):
    server.always = (200, body)
    assert list(examine({"queue": "main", "priority": "high"}, Site(), environ))


WELL = {
    "version": there(gitVersion="v1.36.3"),
    "namespace": there(named("team-blue")),
    "kueue": there(versions=[{"version": "v1beta2"}]),
    "rules": there(status={"resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
    "queues": listed(named("main", spec={"clusterQueue": "blue"})),
    "cluster-queue": there(named("blue", spec={"namespaceSelector": {}})),
    "limit-ranges": listed(),
    "resource-quotas": listed(),
    "job": there(),
}
SILENT = Answer("failed", why="The cluster of blue does not answer in time", do="Check the network, the VPN")


def looked(**other):
    """What is not well, where all is well but some answers."""
    known = WELL | {question.replace("_", "-"): answer for question, answer in other.items()}
    return [one for one in looked_at(given(known), wanted()) if one.level != "ok"]


def test_where_all_is_well_nothing_else_is_said():
    assert looked() == []


def test_one_question_that_nobody_answered_is_named_and_cells_hang_on_it():
    (found,) = looked(limit_ranges=SILENT, resource_quotas=listed())
    assert found == Finding("limit-range", "unknown", f"Not known: limit-range. {SILENT.why}", SILENT.do, needed=True)


def test_a_cluster_that_falls_silent_in_the_middle_is_one_finding_that_names_what_is_not_known():
    (found,) = looked(queues=SILENT, limit_ranges=SILENT, resource_quotas=SILENT)
    assert (found.code, found.level, found.needed) == ("unanswered", "unknown", True)
    assert found.what == f"Not known: queue, limit-range, resource-quota. {SILENT.why}"


def test_what_no_cell_needs_to_know_is_unknown_and_no_more():
    (found,) = looked(rules=SILENT)
    assert (found.code, found.needed) == ("rbac", False)


@pytest.mark.parametrize(
    ("wrong", "first", "left"),
    [
        ({"namespace": missing()}, "namespace", "rbac, queue, cluster-queue, quota, visibility, pod-security, "),
        ({"rules": there(status={})}, "rbac", "queue, cluster-queue, quota, visibility, pod-security, limit-range, "),
        ({"kueue": missing()}, "kueue", "queue, cluster-queue, quota, visibility"),
        ({"queues": listed()}, "queue", "cluster-queue, quota, visibility"),
    ],
)
def test_one_cause_is_one_finding_and_what_hangs_on_it_is_named(wrong, first, left):
    cause, rest = looked(**wrong)
    assert (cause.code, cause.level) == (first, "problem")
    assert (rest.code, rest.level, rest.needed) == ("not-looked-at", "unknown", False)
    assert rest.what.startswith(f"Not looked at, since {first} comes first: {left}")


def test_a_server_that_answers_first_and_then_no_more_is_one_finding_on_which_cells_hang(environ, server, monkeypatch):
    monkeypatch.setattr(asking, "TOTAL", 1.0)
    over = threading.Event()

    def answer(handler):
        if "/namespaces/team/" in handler.path:
            over.wait(10)
            return
        every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        known = {"versions": [{"version": "v1beta2"}], "status": {"resourceRules": [every]}}
        data = json.dumps(known).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    server.always = answer
    try:
        found = {one.code: one for one in examine({"queue": "main", "priority": "high"}, Site(), environ)}
    finally:
        over.set()
    unknown = found["unanswered"]
    assert (unknown.level, unknown.needed) == ("unknown", True)
    assert unknown.what.startswith("Not known: queue, ")
    assert unknown.what.endswith("does not answer in time")
    assert [code for code, one in found.items() if one.needed] == ["unanswered"]


def test_what_rarely_changes_is_asked_once_a_minute_and_by_doctor_always(environ, server):
    server.always = (200, {})

    def asked_for_version(look):
        server.asked.clear()
        try:
            list(look)
        except BackendError:
            pass
        return sum(path == "/version" for _, path, *_ in server.asked)

    def checked():
        yield from check({"queue": "main"}, Site(), environ)

    assert asked_for_version(checked()) == 1
    assert asked_for_version(checked()) == 0
    assert asked_for_version(examine({"queue": "main"}, Site(), environ)) == 1


def test_what_was_found_of_one_person_answers_for_nobody_else(environ, server):
    """On the same machine, in the same context and namespace: who has just logged in may do other things."""
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

    def answer(handler):
        may = [every] if handler.headers["Authorization"] == "Bearer ada" else []
        handler.whole(200, {"versions": [{"version": "v1beta2"}], "status": {"resourceRules": may}})

    server.always = answer

    def refusal(who):
        environ.user(token=who)
        with pytest.raises(BackendError) as caught:
            check({"queue": "main"}, Site(), environ)
        return caught.value.code

    assert [refusal(who) for who in ("ada", "bob", "ada")] == ["queue", "rbac", "queue"]
