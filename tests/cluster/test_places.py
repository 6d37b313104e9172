"""What a run is told of its queue is what Kueue does: asked by a user with the rights that we ship."""

from __future__ import annotations

import time

import pytest

from jobq_magic import words
from jobq_magic.cluster import status
from jobq_magic.cluster.capacity import capacity
from jobq_magic.cluster.connection import connect
from jobq_magic.cluster.kinds import EVENTS, JOBS, PODS, WORKLOADS, kueue_version, path
from jobq_magic.cluster.place import Others
from jobq_magic.cluster.queue import Lines
from jobq_magic.site import Site
from jobq_magic.snapshot import Phase, QuotaTold, Snapshot
from tests.cluster.manifests import container, job
from tests.cluster.work import owner, wait


@pytest.fixture
def api(kubeconfig):
    """The cluster, as the user has it."""
    return connect(Site(kubeconfig=str(kubeconfig)), {})


@pytest.fixture
def stands(api, namespace):
    """Where a Job stands, asked of the cluster as a follower does."""

    def look(name, queue="main"):
        def every(kind):
            return api.get(path(kind, namespace))["items"]

        workloads = every(WORKLOADS.at(kueue_version(api)))
        own = next((each for each in workloads if owner(each) == name), None)
        of = next(each for each in every(JOBS) if each["metadata"]["name"] == name)
        pods = tuple(each for each in every(PODS) if each["metadata"]["labels"].get("job-name") == name)
        objects = status.Objects(of, own, pods, tuple(every(EVENTS)), Others(workloads))
        line = Lines(api).line(namespace, queue)
        return status.read(objects, capacity=capacity(api, namespace, queue), line=line, now=time.time())

    return look


@pytest.fixture
def submit(work, image):
    """Makes a Job that asks for so many cpus; nothing of it has to run."""

    def make(name, cpu, queue="main"):
        asked = container(image, "python", "-c", "import time; time.sleep(600)", cpu=cpu)
        work.make({**job(name, asked, queue=queue)})

    return make


def said(standing):
    known = {"run": "ab12", "name": "train", "mode": "kueue", "where": "", "created": 0.0}
    return words.say(Snapshot(**known, phase=Phase(standing.phase), reason=standing.reason, facts=standing.facts))


def reaches(look, reason):
    def there():
        found = look()
        return found if found.reason == reason else None

    return wait(there)


def test_the_place_and_the_quota_are_those_of_kueue(stands, submit, queue):
    submit("first", "900m")
    wait(lambda: stands("first").phase != "queued")
    submit("second", "400m")
    reaches(lambda: stands("second"), "no-quota")
    begun = time.time()
    wait(lambda: time.time() > begun + 1.1)  # Kueue orders by creation, which has no parts of a second
    submit("third", "300m")

    def seen():
        """All is told, though not all at one moment: Kueue writes what is free a little later."""
        place = (found := stands("third")).place
        there = place and (found.reason, place.position, place.quota[0].free) == ("no-quota", 2, 0.1)
        return found if there else None

    third = wait(seen)
    assert third.phase == "queued"
    assert third.place.waiting == 2
    assert third.place.ahead == ("second: 0.4 cpus",)
    assert third.place.quota[0] == QuotaTold("cpu", "default", 0.3, free=0.1, most=1, total=1)
    assert third.facts["resource"] == "cpu"
    assert said(third).advice == "It begins when they are done; 0.1 cpus would fit now"


def test_what_can_never_start_is_told_in_numbers(stands, submit, queue):
    submit("large", "8")
    found = said(reaches(lambda: stands("large"), "too-large"))
    assert found.sentence == "It can never start: it asks for 8 cpus, and its queue gives a run at most 1 cpu"
    assert found.advice == "Ask for at most 1 cpu"


def test_one_that_is_like_another_which_can_never_start_is_told_the_same(stands, submit, queue):
    submit("large", "8")
    reaches(lambda: stands("large"), "too-large")
    submit("another", "8")
    assert said(reaches(lambda: stands("another"), "too-large")).advice == "Ask for at most 1 cpu"


def test_a_queue_that_is_not_there_is_answered_with_the_one_that_is(stands, submit, queue):
    submit("lost", "100m", queue="nonesuch")
    found = reaches(lambda: stands("lost", "nonesuch"), "queue-missing")
    assert said(found).advice == "Use main with --queue, or ask an administrator to make nonesuch"
    assert found.place.unknown == "Its place is not known: Kueue does not tell it here"
