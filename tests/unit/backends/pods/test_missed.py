"""Attempts that nobody saw: how many there were, and to which the pods belong that are there now."""

from __future__ import annotations

from typing import Any

import pytest

from jobq_magic.backends.pods.attempts import Attempts
from jobq_magic.backends.pods.missed import Missed
from jobq_magic.cluster.status import Objects
from tests.unit.backends.pods.test_attempts import pod

JOB = {"metadata": {"name": "jobq-1", "uid": "j"}}


def workload(preempted: int = 0, *, admitted: bool = True, **others: int) -> dict[str, Any]:
    counts = {"Preempted": preempted, **others}
    stats = {"evictions": [{"reason": reason, "count": count} for reason, count in counts.items() if count]}
    return {
        "metadata": {"name": "w", "uid": "w"},
        "status": {
            "schedulingStats": stats,
            **({"admission": {"clusterQueue": "blue"}} if admitted else {}),
            "conditions": [{"type": "Evicted", "status": "False" if admitted else "True"}],
        },
    }


def seen(workload: dict[str, Any] | None, *pods: dict[str, Any]) -> Objects:
    return Objects(JOB, workload, pods)


def followed(again: bool = True, store: str = "") -> Missed:
    return Missed(again=again, store=store)


FIRST = Attempts().with_pods([pod("a")])
"""What the last follower knew: one pod, and a run that had never given way."""


def test_a_run_that_goes_on_as_it_was_has_missed_nothing():
    missed = followed()
    assert missed.placed(FIRST, seen(workload(), pod("a"))) == FIRST
    assert missed.notes == ()


def test_the_attempt_that_was_known_is_the_first_that_gave_way():
    missed = followed()
    attempts = missed.placed(FIRST, seen(workload(1), pod("b", at=9)))
    assert (attempts.current, [one.uid for one in attempts.of(2)], missed.notes) == (2, ["b"], ())


def test_what_gave_way_beside_it_were_attempts_that_nobody_saw():
    missed = followed()
    attempts = missed.placed(FIRST, seen(workload(1, PodsReadyTimeout=2), pod("d", at=9)))
    assert (attempts.current, [one.uid for one in attempts.of(4)]) == (4, ["d"])
    assert missed.notes == (
        "Attempt 2 began and gave way while nobody followed it: what it printed is lost",
        "Attempt 3 began and gave way while nobody followed it: what it printed is lost",
    )
    assert missed.placed(attempts, seen(workload(1, PodsReadyTimeout=2), pod("d", at=9))) == attempts


def test_where_no_pod_was_ever_seen_the_first_attempt_is_among_them():
    missed = followed()
    attempts = missed.placed(Attempts(), seen(workload(1, admitted=False)))
    assert (attempts.current, attempts.pods) == (2, ())
    assert missed.notes[0].startswith("Attempt 1 began and gave way")


@pytest.mark.parametrize("admitted", [True, False])
@pytest.mark.parametrize("reason", ["Deactivated", "AdmissionCheck", "NewInALaterKueue"])
def test_a_place_that_it_may_never_have_had_is_no_attempt(reason, admitted):
    missed = followed()
    pods = [pod("a")] if admitted else []
    attempts = missed.placed(Attempts(), seen(workload(admitted=admitted, **{reason: 3}), *pods))
    assert (attempts.current, missed.notes) == (1, ())


def test_what_is_preempted_before_its_checks_let_it_begin_is_no_attempt():
    found = workload(2)
    found["status"]["admissionChecks"] = [{"name": "prov", "state": "Ready"}]
    missed = followed()
    assert (missed.placed(Attempts(), seen(found, pod("a"))).current, missed.notes) == (1, ())


def test_while_it_waits_the_attempt_that_was_known_is_told_first():
    missed = followed()
    attempts = missed.placed(FIRST, seen(workload(2, admitted=False)))
    assert (attempts.current, missed.notes) == (1, ())
    attempts = missed.after(attempts.next())
    assert (attempts.current, len(missed.notes)) == (3, 1)


def test_the_pod_of_the_last_of_them_that_is_leaving_is_read_still():
    missed = followed()
    attempts = missed.placed(FIRST, seen(workload(2, admitted=False), pod("b", at=9, leaving=True)))
    assert (attempts.current, [one.uid for one in attempts.of(2)], missed.notes) == (2, ["b"], ())


def test_who_follows_all_the_time_counts_nothing_twice():
    missed = followed(again=False)
    attempts = missed.placed(Attempts(), seen(workload(), pod("a")))
    attempts = missed.placed(attempts, seen(workload(1, admitted=False), pod("a", leaving=True)))
    attempts = missed.after(attempts.next())
    attempts = missed.placed(attempts, seen(workload(1, admitted=False)))
    attempts = missed.placed(attempts, seen(workload(1), pod("b", at=9)))
    assert (attempts.current, attempts.evictions, missed.notes) == (2, 1, ())
    assert followed().placed(attempts, seen(workload(1), pod("b", at=9))) == attempts


def test_what_a_store_has_of_them_is_said():
    missed = followed(store="s3://results/runs")
    missed.placed(Attempts(), seen(workload(1, admitted=False)))
    assert missed.notes[0].endswith("there is what it kept in s3://results/runs")


def test_pods_are_placed_as_soon_as_the_workload_is_known_or_does_not_come():
    now = [0.0]
    missed = Missed(again=True, store="", clock=lambda: now[0])
    assert missed.unclear(seen(workload(1), pod("b")), current=False)
    now[0] = 60.0  # nobody answered
    assert missed.unclear(seen(None, pod("b")), current=True)
    assert not missed.unclear(seen(workload(1), pod("b")), current=True)
    now[0] = 66.0  # it may not be read
    assert not missed.unclear(seen(None, pod("b")), current=True)


@pytest.mark.parametrize("current", [True, False])
def test_who_follows_a_run_first_waits_for_nothing(current):
    assert not followed(again=False).unclear(seen(None), current=current)
