"""One run, followed, where what is known of it comes in an order of its own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jobq_magic.backends.kueue.following import Following
from jobq_magic.cluster.status import Objects
from jobq_magic.runs.store import Store

TARGET = {"backend": "kueue", "where": "queue main of team", "site": {"namespace": "team"}}


class Watched:
    """What is known of a run."""

    watches = SimpleNamespace(refused=lambda kind: None, trouble=lambda: None, behind=lambda: 0.0)
    waiting = frozenset()

    def __init__(self, found, current):
        self.found, self.current = found, current

    def objects(self, job):
        return self.found

    def waits(self, workload):
        return False

    def join(self, job, call):
        self.call = call
        call.set()

    def leave(self, job):
        pass


@pytest.fixture
def run():
    return Store().open(spec={"mode": "kueue", "workers": None}, target=TARGET, name="pi")


def test_a_job_that_is_over_is_not_judged_before_its_pods_are_listed(run):
    job = {
        "metadata": {"name": f"jobq-{run.id}", "uid": "j"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    watched = Watched(Objects(job), current=False)
    following = Following(SimpleNamespace(), watched, run, b"k" * 32)
    assert following.observe("").phase is None
    watched.current = True
    watched.call.set()
    seen = following.observe("")
    assert (seen.phase, seen.reason) == ("succeeded", "log-lost")


@pytest.mark.parametrize(
    ("waits", "others", "presses", "seconds"),
    [
        (True, 1, False, 1.0), (True, 200, False, 10.0), (True, 5000, False, 10.0), (False, 200, False, 1.0),
        (True, 200, True, 0.1),
    ],
)  # fmt: skip
def test_where_many_runs_wait_each_of_them_looks_rarely_unless_something_is_wanted_of_it(
    run, waits, others, presses, seconds
):
    watched = Watched(Objects(None), current=True)
    watched.waiting, watched.waits = frozenset(range(others)), lambda workload: waits
    following = Following(SimpleNamespace(), watched, run, b"k" * 32)
    looked = []
    following.call, following.presses = SimpleNamespace(wait=looked.append), presses
    following.wait(0.1)
    assert looked == [seconds]
