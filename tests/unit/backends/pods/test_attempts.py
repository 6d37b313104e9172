"""Which attempt a pod belongs to."""

from __future__ import annotations

import pytest

from jobq_magic.backends.pods.attempts import Attempts


def pod(uid: str, rank: int = 0, *, at: int = 0, phase: str = "Running", leaving: bool = False) -> dict:
    metadata = {
        "uid": uid,
        "name": f"pod-{uid}",
        "creationTimestamp": f"2026-01-01T00:00:{at:02}Z",
        "annotations": {"batch.kubernetes.io/job-completion-index": str(rank)},
        **({"deletionTimestamp": "2026-01-01T00:01:00Z"} if leaving else {}),
    }
    return {"metadata": metadata, "status": {"phase": phase}}


def placed(attempts: Attempts) -> list[tuple[str, int, int]]:
    return [(one.uid, one.rank, one.attempt) for one in attempts.pods]


def test_the_pods_of_a_job_are_its_first_attempt():
    attempts = Attempts().with_pods([pod("b", 1), pod("a", 0)])
    assert placed(attempts) == [("a", 0, 1), ("b", 1, 1)]
    assert attempts.with_pods([pod("b", 1), pod("a", 0)]) == attempts


def test_pods_that_come_when_all_are_gone_are_the_next_attempt():
    attempts = Attempts().with_pods([pod("a", 0), pod("b", 1)])
    attempts = attempts.with_pods([pod("c", 1, at=9)]).with_pods([pod("c", 1, at=9), pod("d", 0, at=10)])
    assert placed(attempts)[2:] == [("c", 1, 2), ("d", 0, 2)]
    assert [one.uid for one in attempts.of(2)] == ["d", "c"]


def test_a_pod_that_takes_the_place_of_one_while_others_work_begins_an_attempt_with_them():
    attempts = Attempts().with_pods([pod("a", 0), pod("b", 1)])
    attempts = attempts.with_pods([pod("a", 0), pod("b", 1, phase="Failed"), pod("c", 1, at=9)])
    assert placed(attempts)[2:] == [("a", 0, 2), ("c", 1, 2)]
    assert [one.uid for one in attempts.of(1)] == ["a", "b"]
    assert attempts.with_pods([pod("a", 0), pod("c", 1, at=9)]) == attempts


def test_pods_that_are_leaving_are_not_at_work():
    attempts = Attempts().with_pods([pod("a")])
    assert placed(attempts.with_pods([pod("a", leaving=True), pod("b", at=5)]))[1:] == [("b", 0, 2)]


def test_where_the_next_attempt_was_told_already_pods_join_it():
    attempts = Attempts().with_pods([pod("a")]).next()
    assert placed(attempts.with_pods([pod("b", at=5)]))[1:] == [("b", 0, 2)]


def test_it_is_the_same_for_who_comes_later(tmp_path):
    attempts = Attempts().with_pods([pod("a"), pod("b", 1)]).next()
    attempts.save(tmp_path / "pods.json")
    assert Attempts.load(tmp_path / "pods.json") == attempts
    assert Attempts.load(tmp_path / "none") == Attempts()
    (tmp_path / "bad").write_text("{}")
    assert Attempts.load(tmp_path / "bad") == Attempts()


def test_a_worker_that_has_done_its_part_belongs_to_the_next_attempt_too():
    attempts = Attempts().with_pods([pod("a", 0), pod("b", 1)])
    attempts = attempts.with_pods([pod("a", 0, phase="Succeeded"), pod("c", 1, at=9)])
    assert [(one.uid, one.rank) for one in attempts.of(2)] == [("a", 0), ("c", 1)]
    again = Attempts().with_pods([pod("a", 0), pod("b", 1)]).next({"a"})
    assert [one.uid for one in again.with_pods([pod("d", 1, at=9)]).of(2)] == ["a", "d"]


def test_an_index_that_is_none_is_the_first_and_does_no_harm():
    odd = pod("a")
    odd["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] = "9" * 5000
    assert placed(Attempts().with_pods([odd])) == [("a", 0, 1)]


def test_what_cannot_be_read_now_is_not_taken_for_nothing(tmp_path):
    with pytest.raises(IsADirectoryError):
        Attempts.load(tmp_path)
    assert Attempts.load(tmp_path / "none") == Attempts()
