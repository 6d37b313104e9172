"""Every state of every recording has its sentence, and each row of the recorder's table one of its own."""

from __future__ import annotations

import re

import pytest

from jobq_magic import words
from jobq_magic.snapshot import Phase
from tests.recorded import reading
from tests.support import golden
from tests.unit.cluster.standings import course, stand, told

ALL = reading.recordings()
EVERY = pytest.mark.parametrize("recording", ALL, ids=[f"{each.path.parent.name}/{each.path.stem}" for each in ALL])
ALIKE = (
    {"admitted", "admitted-later", "resumed", "node-drained", "node-lost"},  # in the end they run
    {"failed", "back-off", "ray-retried"},  # they raise, and are over
    {"admitted", "admitted-later", "resumed", "node-lost", "worker-killed", "driver-ends-early"},
    {"succeeded", "succeeded-http", "succeeded-k8s-job", "ray-succeeded"},
    {"deadline", "deadline-before-begin", "maximum-time"},
    {"evicted", "head-killed"},
    {"ray-worker-waits", "ray-driver-ends-early"},  # that the driver has ended is told by the driver
    {"queue-drained", "ray-preempted"},
)
"""Rows that end in the same state of the cluster, so that their last sentence is the same."""
SILENT = "no-such-resource.granular"


@EVERY
def test_what_a_person_reads(recording):
    where = "status" if recording.kind == "Job" else "raystatus"
    golden(f"{where}/{recording.path.stem}.txt", "\n".join(course(recording)) + "\n")


@EVERY
def test_every_reason_has_its_sentence_and_every_fact_of_it_is_known(recording):
    for state in recording.states():
        for later in (0, 3600):
            standing = stand(state, later=later)
            Phase(standing.phase)
            text = told(standing)
            assert "known)" not in text, text
            assert not standing.reason or standing.reason in words.REASONS
            for worker in standing.each:
                assert not worker.reason or words.reason(worker.reason, worker.facts) is not None


@pytest.mark.parametrize("kind", ["Job", "RayJob"])
def test_each_row_has_its_own_sentence(kind):
    last = {}
    for recording in (each for each in ALL if each.kind == kind and not each.gates):
        text = told(stand(recording.last, later=60))
        last.setdefault(text, set()).add(recording.scenario)
    assert [names for names in last.values() if len(names) > 1 and not any(names <= one for one in ALIKE)] == []


@pytest.mark.parametrize(
    "recording", [each for each in ALL if each.gates], ids=lambda each: f"{each.path.parent.name}/{each.path.stem}"
)
def test_both_vocabularies_of_kueue_say_the_same(recording):
    if recording.path.stem == SILENT and recording.kind == "RayJob":
        pytest.skip("Kueue said nothing at all, as it does with these words half of the time")
    plain = reading.Recording(reading.path(recording.kind, recording.scenario))
    assert told(stand(recording.last, later=60)) == told(stand(plain.last, later=60))


def test_a_worker_that_was_started_again_is_told_so():
    worker = stand(reading.Recording(reading.path("RayJob", "ray-worker-started-again")).last).each[1]
    assert (worker.rank, worker.reason) == (1, "started-again")
    assert words.reason(worker.reason, worker.facts).sentence == "Its container was started again: exit status 1"


def test_nobody_is_told_of_uids_or_paths_of_kueue():
    for recording in ALL:
        text = "\n".join(course(recording))
        assert not re.search(r"UID|0000-0000|preemptor|podset", text), recording.path.stem
