"""What the backend keeps while runs come and go."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobq_magic import handover
from jobq_magic.backends.kueue import KueueBackend
from jobq_magic.backends.pods import backend as module
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.pods.watched import Watched
from jobq_magic.backends.rayjob import RayJobBackend
from jobq_magic.cluster import client, kinds
from jobq_magic.cluster.status import Objects
from jobq_magic.errors import BackendError
from jobq_magic.handover import Handover
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from tests.support import eventually
from tests.unit.cluster.apiserver import ApiServer
from tests.unit.cluster.test_connection import plugin


@pytest.fixture
def backend():
    found = KueueBackend()
    yield found
    found.close()


@pytest.fixture
def submitted(environ, tmp_path, monkeypatch):
    """A run of somebody, whose name a plugin for credentials reads."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environ.user(**plugin(tmp_path, "print(json.dumps({'status': {'token': os.environ['AWS_PROFILE']}}))"))

    def run(who: str) -> Run:
        site = {"namespace": "team", "kubeconfig": environ["KUBECONFIG"], "context": "here"}
        target = {"backend": "kueue", "where": "queue main of team", "site": site}
        found = Store().open(spec={"mode": "kueue", "workers": None}, target=target, name=who)
        handover.leave(found.id, Handover({"AWS_PROFILE": who}))
        return found

    return run


def test_a_run_that_could_not_go_on_is_not_paused(backend, server, submitted):
    run = submitted("ada")
    server.always = (200, {"status": {"allowed": True}})
    backend.check_pause(run)
    run.spec["no_requeue"] = True
    with pytest.raises(BackendError, match="cannot be paused: --no-requeue ends it"):
        backend.check_pause(run)


def heard(server: ApiServer) -> set[str]:
    return {headers.get("Authorization", "") for _, _, query, headers, _ in server.asked if query.get("watch")}


def test_runs_of_two_people_are_followed_as_each_of_them(backend, server, submitted):
    for who in "ada", "bob":
        backend.observe(submitted(who), 1, {})
    eventually(lambda: heard(server) == {"Bearer ada", "Bearer bob"})


def test_who_we_are_no_more_is_not_watched_for_once_nobody_follows_a_run_by_it(backend, server, submitted):
    first, second = submitted("ada"), submitted("bob")
    backend.observe(first, 1, {})
    backend.observe(second, 1, {})
    assert len(backend._watched) == 2
    backend.leave(second)
    assert len(backend._watched) == 2
    backend.leave(first)
    [api] = backend._watched
    assert api is backend._api(second)


def test_watches_that_a_run_is_about_to_join_are_not_ended(backend, server, submitted, monkeypatch):
    first, second, third = submitted("ada"), submitted("bob"), submitted("eve")
    joining, join = [], Watched.join

    def slow(watched: Watched, job: str, call: threading.Event) -> None:
        if third.id not in backend._runs and first.id in job:
            backend.observe(second, 1, {})  # by now we are somebody else at that place
            thread = threading.Thread(target=backend.leave, args=[third])  # which ends what nobody has joined
            thread.start()
            thread.join(0.2)
            joining.append(thread)
        join(watched, job, call)

    monkeypatch.setattr(Watched, "join", slow)
    backend.observe(first, 1, {})
    joining[0].join(10)
    assert len(backend._watched) == 2
    assert not any(watched.watches.again.closed for watched in backend._watched.values())


def test_a_disk_that_is_full_is_told_and_the_run_is_looked_at_again(backend, server, submitted, monkeypatch):
    run = submitted("ada")
    backend.observe(run, 1, {})
    found = [OSError(errno.ENOSPC, "No space left on device"), Observation("running")]

    def observe(asked: str) -> Observation:
        if isinstance(now := found.pop(0), OSError):
            raise now
        return now

    monkeypatch.setattr(backend._runs[run.id].following, "observe", observe)
    seen = backend.observe(run, 1, {})
    assert (seen.phase, "cannot be written down: [Errno 28] No space left" in seen.notes[0]) == (None, True)
    assert backend.observe(run, 1, {}).phase == "running"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE])
def test_a_key_that_cannot_be_read_for_a_moment_is_read_at_the_next_look(
    backend, server, submitted, monkeypatch, number
):
    run, reads = submitted("ada"), Path.read_bytes

    def away(self: Path) -> bytes:
        if self == run.paths.key:
            raise OSError(number, os.strerror(number), str(self))
        return reads(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", away)
        seen = backend.observe(run, 1, {})
    assert (seen.phase, os.strerror(number) in seen.notes[0]) == (None, True)
    assert not backend.observe(run, 1, {}).notes


def test_a_worker_cluster_that_is_silent_is_told_until_a_stop_is_asked_for_which_it_does_not_hold_up(
    backend, server, submitted, monkeypatch
):
    run = submitted("ada")
    backend.observe(run, 1, {})
    error = BackendError("cluster-unreachable", "The cluster of west cannot be reached")
    monkeypatch.setattr(Elsewhere, "reading", SimpleNamespace(behind=lambda: 30.0, trouble=lambda: error))
    monkeypatch.setattr(Following, "observe", lambda self, asked: Observation("running"))
    seen = backend.observe(run, 1, {})
    assert (seen.phase, seen.reason, seen.facts) == ("running", "cluster-silent", {"error": error.what})
    Store().request_stop(run)
    seen = backend.observe(run, 1, {})
    assert (seen.phase, seen.reason) == ("stopping", "stopped")


@pytest.mark.parametrize(("finalizers", "policy"), [([], "Background"), (["audit.example.com/keep"], "Foreground")])
def test_pods_of_a_job_that_others_keep_are_removed_before_it(
    backend, server, submitted, monkeypatch, finalizers, policy
):
    run = submitted("ada")
    backend.observe(run, 1, {})
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {"finalizers": finalizers}}))
    server.always = (200, {})
    backend.stop(run, 1, {}, "stopped")
    [body] = [body for method, path, _, _, body in server.asked if method == "DELETE" and "/jobs/" in path]
    assert json.loads(body)["propagationPolicy"] == policy


def test_a_run_whose_time_is_over_and_that_does_not_end_is_removed_and_that_is_known(
    backend, server, submitted, monkeypatch
):
    run = submitted("ada")
    backend.observe(run, 1, {})
    reasons = []
    following = backend._runs[run.id].following
    monkeypatch.setattr(following, "observe", lambda asked: reasons.append(asked) or Observation())
    for _ in range(2):
        backend.stop(run, 1, {}, "deadline")
        backend.observe(run, 1, {})
    assert reasons == ["", "deadline"]  # so that a Job which is gone then was not taken away by somebody else


def test_who_follows_a_run_after_its_job_was_removed_for_its_time_is_told_of_that(
    backend, server, submitted, monkeypatch
):
    run = submitted("ada")
    run.spec["timeout"] = 60
    backend.observe(run, 1, {})
    seen = [Observation("collecting"), Observation("lost", "job-deleted")]
    monkeypatch.setattr(Following, "observe", lambda self, asked: seen[0])
    backend.stop(run, 1, {}, "deadline")
    assert backend.observe(run, 1, {}) == Observation("collecting")  # it may end by itself
    backend.stop(run, 1, {}, "deadline")
    told = backend.observe(run, 1, {})
    assert (told.phase, told.reason, told.facts) == ("stopping", "deadline", {"seconds": 60})
    seen.pop(0)
    assert backend.observe(run, 1, {}).phase == "lost"


def test_the_last_words_of_a_job_that_is_over_are_read_however_long_that_takes(backend, server, submitted, monkeypatch):
    run = submitted("ada")
    backend.observe(run, 1, {})
    over = {"metadata": {}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    monkeypatch.setattr(Following, "objects", Objects(over))
    for _ in range(3):
        backend.stop(run, 1, {}, "deadline")
    assert deletions(server) == 0


@pytest.fixture
def kept(backend, server, submitted, monkeypatch):
    """A run that was asked to end, on a cluster that lets nobody delete its Job."""
    run = submitted("ada")
    backend.observe(run, 1, {})
    right = f'jobs.batch "jobq-{run.id}" is forbidden: User "ada" cannot delete resource "jobs" in API group "batch"'
    server.refused[f"/jobs/jobq-{run.id}"] = (403, {"reason": "Forbidden", "message": right})
    Store().request_stop(run)
    monkeypatch.setattr(Following, "observe", lambda self, asked: Observation("queued", "no-quota"))
    return run


def deletions(server: ApiServer) -> int:
    return len([path for method, path, *_ in server.asked if method == "DELETE" and "/jobs/" in path])


def test_a_stop_that_the_cluster_refuses_is_told_with_who_can_help_and_tried_again(backend, server, kept):
    for tries in 1, 2:
        backend.stop(kept, 1, {}, "stopped")
        assert deletions(server) == tries
        seen = backend.observe(kept, 1, {})
        assert (seen.phase, seen.reason, seen.notes) == ("stopping", "stop-refused", ())
        assert seen.facts["error"].startswith("We may not delete jobs.batch")
    assert backend.settle(kept, {"job": "x"})  # nobody asks for a minute for what is refused
    server.refused.clear()
    server.always = (200, {})
    backend.stop(kept, 1, {}, "stopped")
    assert backend.observe(kept, 1, {}) == Observation("queued", "no-quota")


def test_a_run_that_went_on_since_its_job_could_not_be_deleted_ended_as_it_did(backend, kept, monkeypatch):
    backend.stop(kept, 1, {}, "stopped")
    monkeypatch.setattr(Following, "observe", lambda self, asked: Observation("succeeded"))
    seen = backend.observe(kept, 1, {})
    assert (seen.phase, len(seen.notes)) == ("succeeded", 1)
    assert "It was to end, and the cluster did not let us delete its Job: We may not delete" in seen.notes[0]
    assert "Ask who runs the cluster" in seen.notes[0]


def test_a_job_that_may_not_be_deleted_leaves_the_queue_where_that_is_allowed(backend, server, kept, monkeypatch):
    workload = {"metadata": {"name": "w"}, "spec": {}, "status": {}}
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}, workload))
    monkeypatch.setattr(kinds, "kueue_version", lambda api: "v1beta2")
    server.always = (200, {})
    backend.stop(kept, 1, {}, "stopped")
    [sent] = [
        json.loads(body) for method, path, _, _, body in server.asked if method == "PATCH" and "workloads" in path
    ]
    assert sent == {"spec": {"active": False}}
    assert backend._runs[kept.id].following.deactivated
    assert "stays in the cluster" in backend.observe(kept, 1, {}).notes[0]


def test_a_stop_that_the_cluster_does_not_answer_for_a_moment_is_told_as_that(backend, server, submitted, monkeypatch):
    monkeypatch.setattr(client, "_PAUSES", ())
    run = submitted("ada")
    backend.observe(run, 1, {})
    server.refused["/jobs/"] = (503, {})
    with pytest.raises(BackendError) as told:
        backend.stop(run, 1, {}, "stopped")
    assert told.value.passing
    assert backend._runs[run.id].refused is None


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("active", [True, False])
def test_a_wish_to_pause_or_to_go_on_is_passed_on_whatever_the_watches_have_seen_of_the_one_before(
    backend, server, submitted, monkeypatch, wanted, active
):
    run = submitted("ada")
    workload = {"metadata": {"name": "w"}, "spec": {"active": active}}
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}, workload))
    monkeypatch.setattr(kinds, "kueue_version", lambda api: "v1beta2")
    server.refused["/workloads/w"] = (200, {})
    assert backend.pause(run, 1, {}, wanted=wanted)
    assert [json.loads(body) for method, *_, body in server.asked if method == "PATCH"] == [
        {"spec": {"active": not wanted}}
    ]


def test_a_job_whose_log_nobody_could_read_stays_where_it_may_be_read_still(backend, server, submitted, monkeypatch):
    run = submitted("ada")
    backend.observe(run, 1, {})
    following = backend._runs[run.id].following
    pod = {"metadata": {"uid": "p"}}
    for reason, pods, kept in ("log-lost", (pod,), True), ("", (pod,), False), ("log-lost", (), False):
        monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}, pods=pods))
        monkeypatch.setattr(following, "observe", lambda asked, reason=reason: Observation("succeeded", reason))
        assert backend.observe(run, 1, {}).stays is kept


@pytest.fixture
def rayjob(submitted, monkeypatch):
    """A RayJob, of a run that is followed and whose end is on record."""
    backend, run = RayJobBackend(), submitted("ada")
    backend.observe(run, 1, {})
    monkeypatch.setattr(Elsewhere, "current", True)
    yield backend, run
    backend.close()


def policies(server: ApiServer) -> list[str]:
    asked = [body for method, path, _, _, body in server.asked if method == "DELETE" and "/rayjobs/" in path]
    return [json.loads(body)["propagationPolicy"] for body in asked]


def test_a_rayjob_is_let_go_of_once_it_is_gone_and_removed_once(rayjob, server, monkeypatch):
    backend, run = rayjob
    server.always = (200, {})
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}))
    assert [backend.settle(run, {"job": "x"}) for _ in range(3)] == [False] * 3
    monkeypatch.setattr(Following, "objects", Objects(None))
    assert backend.settle(run, {"job": "x"})
    assert policies(server) == ["Background"]


def test_a_rayjob_is_let_go_of_by_who_has_not_followed_it(submitted, server, monkeypatch):
    backend, run = RayJobBackend(), submitted("ada")
    server.refused["/rayjobs/"] = (200, {})
    assert not backend.settle(run, {"job": "x"}), "nothing of it was seen yet, nor that it is gone"
    monkeypatch.setattr(Elsewhere, "current", True)
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}))
    assert not backend.settle(run, {"job": "x"})
    monkeypatch.setattr(Following, "objects", Objects(None))
    assert backend.settle(run, {"job": "x"})
    backend.close()
    assert policies(server) == ["Background"]
    assert not [path for _, path, *_ in server.asked if path.endswith("/log")], "what came over is on record"


def test_what_of_a_run_cannot_be_read_here_at_once_is_no_reason_to_ask_no_more(submitted, server):
    backend, run = RayJobBackend(), submitted("ada")
    server.refused["/rayjobs/"] = (200, {})
    key = run.paths.key.rename(run.folder / "away")
    assert not backend.settle(run, {"job": "x"})
    key.rename(run.paths.key)
    assert not backend.settle(run, {"job": "x"}), "that it is gone was not seen yet"
    backend.close()
    assert policies(server) == ["Background"]


def test_a_job_is_let_go_of_by_who_has_not_followed_it(backend, server, submitted):
    run = submitted("ada")
    server.refused["/jobs/"] = (200, {})
    assert backend.settle(run, {"job": "x"})
    assert deletions(server) == 1


def test_what_a_rayjob_made_goes_before_it_where_nobody_lets_go_of_it(rayjob, server, monkeypatch):
    backend, run = rayjob
    server.always = (200, {})
    monkeypatch.setattr(module, "_LETTING_GO", 0.0)
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {"finalizers": ["ray.io/rayjob-finalizer"]}}))
    assert not any(backend.settle(run, {"job": "x"}) for _ in range(4))
    assert policies(server) == ["Background", "Foreground"]


@pytest.mark.parametrize(("finalizers", "policy"), [([], "Background"), (["ray.io/rayjob-finalizer"], "Foreground")])
def test_workers_that_do_not_end_are_removed_by_whom_the_cluster_lets(rayjob, server, monkeypatch, finalizers, policy):
    backend, run = rayjob
    server.always = (200, {})
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {"finalizers": finalizers}}))
    monkeypatch.setattr(Following, "holders", tuple(finalizers))
    monkeypatch.setattr(Following, "lingers", True)
    monkeypatch.setattr(Following, "observe", lambda *_: Observation())
    backend.observe(run, 1, {})
    assert policies(server) == [policy]


@pytest.mark.parametrize("reason", ["log-lost", ""])
def test_a_rayjob_which_no_cluster_removes_does_not_stay(rayjob, server, monkeypatch, reason):
    backend, run = rayjob
    monkeypatch.setattr(Following, "objects", Objects({"metadata": {}}, pods=({"metadata": {"uid": "p"}},)))
    monkeypatch.setattr(Following, "observe", lambda *_: Observation("succeeded", reason))
    assert not backend.observe(run, 1, {}).stays
