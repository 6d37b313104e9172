"""What a store has of a pod comes here, also from a claim, whose Job is there no longer than somebody waits for it."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic.backends.pods import claimed
from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.pods.reading import Leavings, Reader
from jobq_magic.backends.pods.stored import Bringing, Finding
from jobq_magic.cluster import client, pace
from jobq_magic.cluster.collecting import Collected
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.status import Objects
from jobq_magic.image import Image
from jobq_magic.run import Run
from jobq_magic.runtime import fetching, keeping, stores
from jobq_magic.site import Site
from jobq_magic.snapshot import FINAL
from tests.services.kept import KEY, POD, RUN, left
from tests.support import eventually
from tests.unit.cluster.apiserver import PODS, status

PLACED = Placed(POD, "jobq-x-0", 0, 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(claimed, "_LOOK", 0.01)
    monkeypatch.setattr(pace, "FIRST", 0.01)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """One that keeps what comes of it on a claim; nothing else of it is needed here."""
    site = {"namespace": "team", "store": "pvc://results/blue"}
    folder = tmp_path / "store" / RUN
    (folder / "bundle").mkdir(parents=True)
    found = Run(RUN, "pi", 0.0, {"queue": "main"}, {"backend": "kueue", "site": site}, {}, "", folder=folder)
    found.paths.image.write_text(json.dumps(Image("host/team/jobq@sha256:0", "sha256:0", "0").to_json()))
    facts = Facts(RUN, "pi", "host/team/jobq@sha256:0", found.spec, Site.from_json(site))
    monkeypatch.setattr(Facts, "of", lambda *asked: facts)
    return found


@pytest.fixture
def kept(tmp_path):
    """What its pod left on the claim."""
    ended = left(tmp_path / "runs", {})
    (tmp_path / "claim" / "blue").mkdir(parents=True)
    keeping.put(ended.job, stores.Folder(str(tmp_path / "claim" / "blue")), POD)
    return ended


class Jobs:
    """The Jobs of an API server, each of which has the pod `p`, that mounts the claim."""

    def __init__(self, server, claim):
        self.server, self.claim = server, claim
        self.there: dict[str, Any] = {}
        self.made: list[str] = []
        self.lost = 0  # answers that will not arrive
        self.state = "terminated"
        server.refused["/jobs"] = self.answer
        server.logs = [self.send]

    def answer(self, handler):
        path, body = self.server.asked[-1][1], self.server.asked[-1][4]
        if handler.command == "DELETE":
            self.there.pop(path.rpartition("/")[2], None)
            self.server.pods.clear()
            handler.whole(200, {})
            return
        job = json.loads(body)
        if (name := job["metadata"]["name"]) in self.there:
            handler.whole(HTTPStatus.CONFLICT, status(409, "AlreadyExists", f'jobs.batch "{name}" already exists'))
            return
        self.there[name] = job
        self.made.append(name)
        self.server.put("p", status={"containerStatuses": [{"name": "main", "state": {self.state: {}}}]})
        if self.lost:
            self.lost -= 1
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.whole(201, job)

    def send(self, handler):
        (job,) = self.there.values()
        *_, token, below, run, pod = job["spec"]["template"]["spec"]["containers"][0]["command"]
        out = io.BytesIO()
        fetching.send(str(self.claim / below), run, [pod], token.encode(), out)
        handler.begin()
        handler.chunk(out.getvalue())
        handler.end()


@pytest.fixture
def jobs(server, tmp_path) -> Jobs:
    return Jobs(server, tmp_path / "claim")


def brings(run, api, mine=lambda: True) -> Bringing:
    return Bringing(run, KEY, PLACED, threading.Event(), api, mine)


@pytest.mark.parametrize("lost", [0, 1], ids=["answered", "the answer was lost"])
def test_what_a_claim_keeps_comes_here_and_the_job_that_reads_it_is_gone(run, api, jobs, kept, lost):
    jobs.lost = lost
    bringing = brings(run, api)
    assert bringing.join(20)
    assert (bringing.note, [event.get("phase") for event in bringing.events]) == ("", ["running", "succeeded"])
    value = run.paths.attempt(1).values / kept.value
    assert value.read_bytes() == (kept.paths.values / kept.value).read_bytes()
    assert (len(jobs.made), jobs.there) == (1, {})


@pytest.mark.parametrize("when", ["made", "waited for", "read", "removed"])
def test_an_api_server_that_is_away_for_a_moment_loses_nothing_of_a_claim(
    run, api, server, jobs, kept, monkeypatch, when
):
    """For longer than a single request waits for it: each is sent once here."""
    monkeypatch.setattr(client, "_PAUSES", ())
    away, left = (503, status(503, "ServiceUnavailable", "apiserver is shutting down")), [3]

    def sometimes(answer, *methods):
        def told(handler):
            if handler.command in methods and left[0]:
                left[0] -= 1
                handler.whole(*away)
            else:
                answer(handler)

        return told

    def pods(handler):
        if "/log?" in handler.path:
            jobs.send(handler)
        else:
            handler.whole(200, {"items": list(server.pods.values())})

    def while_it_is_read(handler):
        server.refused[PODS] = looks  # from now on
        eventually(lambda: not left[0])
        jobs.send(handler)

    looks = sometimes(pods, "GET")
    if when == "waited for":
        server.refused[PODS] = looks
    elif when == "read":
        jobs.state, server.logs = "running", [while_it_is_read]
    else:
        server.refused["/jobs"] = sometimes(jobs.answer, "POST" if when == "made" else "DELETE")
    bringing = brings(run, api)
    assert bringing.join(20)
    assert (bringing.note, [event.get("phase") for event in bringing.events]) == ("", ["running", "succeeded"])


def test_a_job_whose_making_is_not_answered_any_more_is_removed_when_nobody_waits_for_it(run, api, jobs, monkeypatch):
    monkeypatch.setattr(client, "_PAUSES", ())
    jobs.state, jobs.lost = "waiting", 1
    leavings = Leavings(run, KEY, PLACED, threading.Event(), api, lambda: True)
    assert not leavings.told(Collected()).drained
    eventually(lambda: jobs.there)
    leavings.close()
    eventually(lambda: not jobs.there)


def test_what_keeps_a_cluster_from_reading_a_claim_is_told_when_it_lasts(run, api, server, jobs, monkeypatch):
    monkeypatch.setattr(client, "_PAUSES", ())
    monkeypatch.setattr(claimed, "_PATIENCE", 0.2)
    server.refused["/jobs"] = (500, status(500, "InternalError", "failed calling webhook mjob.kb.io"))
    bringing = brings(run, api)
    assert bringing.join(20)
    assert "failed calling webhook mjob.kb.io" in bringing.note


def test_whose_answer_nobody_waits_for_any_more_leaves_no_job_that_waits(run, api, jobs, kept):
    jobs.state = "waiting"
    leavings = Leavings(run, KEY, PLACED, threading.Event(), api, lambda: True)
    assert not leavings.told(Collected()).drained
    eventually(lambda: jobs.there)
    leavings.close()
    eventually(lambda: not jobs.there)


def test_who_was_overtaken_leaves_no_job_that_waits(run, api, jobs, kept):
    jobs.state, mine = "waiting", [True]
    bringing = brings(run, api, lambda: mine[0])
    eventually(lambda: jobs.there)
    mine.clear()
    mine.append(False)
    assert bringing.join(20)
    assert not jobs.there


def test_who_was_overtaken_writes_nothing_of_what_came(run, api, jobs, kept):
    asked = []

    def mine():
        asked.append(bool(jobs.there) or not asked)
        return asked[-1]

    bringing = brings(run, api, mine)  # ours until all is here, and its Job is gone again
    assert bringing.join(20)
    assert (bringing.events, asked[0], asked[-1]) == (None, True, False)
    assert not run.paths.attempt(1).folder.exists()


def test_what_a_claim_sends_is_not_waited_for_either(run, api, server, jobs, kept):
    jobs.state, sending = "running", threading.Event()

    def for_ever(handler):
        handler.begin()
        sending.set()
        handler.hang()

    server.logs = [for_ever]
    bringing = brings(run, api)
    assert sending.wait(20)
    bringing.close()
    assert bringing.join(20)
    assert not jobs.there


def test_who_ends_the_reading_of_a_pod_ends_what_is_asked_of_the_store_for_it(run, watches, server, jobs):
    jobs.state = "waiting"
    server.logs = [lambda handler: handler.whole(404, status(404, "NotFound", "pods not found"))]
    where: Any = SimpleNamespace(reading=watches)
    reader = Reader(where, run, KEY, PLACED, threading.Event(), lambda: True)
    reader.over()
    eventually(lambda: (reader.told(), jobs.there)[1])
    reader.close()
    eventually(lambda: not jobs.there)


@pytest.mark.parametrize(
    ("seen", "status"),
    [(True, {}), (False, {"conditions": [{"type": "Complete", "status": "True"}]})],
    ids=["a pod that nobody read", "no pod was seen"],
)
def test_nobody_reads_a_store_for_a_run_that_nobody_follows(run, api, jobs, seen, status):
    jobs.state = "waiting"
    if seen:
        Attempts().with_pods([{"metadata": {"name": "jobq-x-0", "uid": POD}}]).save(run.folder / "pods.json")
    job = {"metadata": {"name": "jobq-brave-otter-7", "uid": "j"}, "spec": {}, "status": status}
    watched: Any = SimpleNamespace(
        watches=SimpleNamespace(refused=lambda kind: None, trouble=lambda: None), current=True, waiting=frozenset(),
        waits=lambda workload: False, objects=lambda name: Objects(job), join=lambda name, call: call.set(),
        leave=lambda name: None, reading=SimpleNamespace(api=api),
    )  # fmt: skip
    manager: Any = SimpleNamespace(now=time.time)  # the claim is where the pods were
    following = Following(manager, watched, run, KEY)
    assert following.observe("").phase not in FINAL
    eventually(lambda: jobs.there)
    following.close()
    eventually(lambda: not jobs.there)


@pytest.mark.parametrize("over", [False, True], ids=["it goes on", "it is over"])
@pytest.mark.parametrize("again", [False, True], ids=["who saw it", "who follows it next"])
def test_a_claim_is_not_read_for_a_pod_that_gave_way_before_it_began(run, api, jobs, over, again):
    """Unless its Job is over by then: it may have begun after all, where nobody looked for a while."""
    jobs.state, end = "waiting", {"conditions": [{"type": "Complete", "status": "True"}]}
    pod = {"metadata": {"name": "jobq-x-0", "uid": POD}, "status": {"phase": "Pending"}}
    job = {"metadata": {"name": "jobq-brave-otter-7", "uid": "j"}, "spec": {}}
    watched: Any = SimpleNamespace(
        watches=SimpleNamespace(refused=lambda kind: None, trouble=lambda: None), current=True, waiting=frozenset(),
        waits=lambda workload: False, join=lambda name, call: call.set(), leave=lambda name: None,
        reading=SimpleNamespace(api=api),
    )  # fmt: skip
    found = Objects(job, None, (pod,))
    watched.objects = lambda name: found
    manager: Any = SimpleNamespace(now=time.time)
    following = Following(manager, watched, run, KEY)
    following.observe("")
    found = Objects({**job, "status": end} if over else job)
    following.call.set()
    following.observe("")
    if again:
        following.close()
        following = Following(manager, watched, run, KEY)
        following.observe("")
    assert bool(following._witnesses._stored[POD, 1]._bringing) is over
    assert Attempts.load(run.folder / "pods.json").idle == (() if over else (POD,))
    following.close()


def test_a_store_that_has_nothing_of_a_pod_says_so(run, api, jobs):
    bringing = brings(run, api)
    assert bringing.join(20)
    assert (bringing.events, bringing.note) == (None, "")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            (403, status(403, "Forbidden", 'jobs.batch is forbidden: User "ada" cannot create resource "jobs"')),
            "We may not",
        ),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
    ids=["refused", "no room"],
)
def test_why_a_store_could_not_be_asked_is_told(run, api, server, jobs, monkeypatch, answer, told):
    if isinstance(answer, OSError):

        def full(*asked):
            raise answer

        monkeypatch.setattr("jobq_magic.backends.pods.stored.fetch", full)
    else:
        server.refused["/jobs"] = answer
    bringing = brings(run, api)
    assert bringing.join(20)
    assert bringing.done
    assert told in bringing.note


def test_pods_that_nobody_saw_are_found_in_the_order_in_which_they_ended(run, api, tmp_path):
    (tmp_path / "there").mkdir()
    run.target["site"]["store"] = f"file://{tmp_path}/there"
    for number, pod in enumerate(("z", "a")):
        ended = left(tmp_path / pod, {})
        keeping.put(ended.job, stores.Folder(str(tmp_path / "there")), pod, name=f"jobq-{number}", rank=0)
    finding = Finding(run, KEY, call := threading.Event(), api, lambda: True)
    assert finding.join(20)
    assert call.wait(20)
    assert [(pod.name, pod.attempt) for pod in finding.placed(Attempts()).pods] == [("jobq-0", 1), ("jobq-1", 2)]
