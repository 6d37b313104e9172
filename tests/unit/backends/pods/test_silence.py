"""What is told while a cluster says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from jobq_magic.backends.pods.silence import Silence
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Observation


@dataclass
class Watching:
    """Watches that have heard nothing for so long."""

    seconds: float = 0.0

    def behind(self) -> float:
        return self.seconds

    def trouble(self) -> BackendError | None:
        return BackendError("cluster-unreachable", "The cluster cannot be reached") if self.seconds else None


RUNNING = Observation("running", at=5.0, attempt=1)
NOTHING = Observation(attempt=1)


def test_a_silence_is_told_when_it_is_long_and_says_no_other_phase():
    silence, watches = Silence(), Watching()
    assert silence.told(RUNNING, watches) == RUNNING
    watches.seconds = 5.0
    assert silence.told(NOTHING, watches) == NOTHING
    watches.seconds = 30.0
    told = silence.told(NOTHING, watches)
    assert (told.phase, told.reason, told.facts) == (
        "running", "cluster-silent", {"error": "The cluster cannot be reached"}
    )  # fmt: skip


def test_when_the_cluster_speaks_again_what_was_told_before_is():
    silence, watches = Silence(), Watching()
    silence.told(RUNNING, watches)
    watches.seconds = 30.0
    silence.told(NOTHING, watches)
    watches.seconds = 0.0
    told = silence.told(NOTHING, watches)
    assert (told.phase, told.reason) == ("running", "")
    assert silence.told(NOTHING, watches) == NOTHING


def test_who_is_asked_to_end_meanwhile_is_told_that_this_waits_for_the_cluster():
    silence, watches = Silence(), Watching()
    silence.told(RUNNING, watches)
    watches.seconds = 30.0
    for _ in range(2):
        told = silence.told(NOTHING, watches, "stopped")
        assert (told.phase, told.reason) == ("stopping", "stop-silent")
        assert told.facts == {"error": "The cluster cannot be reached"}
    watches.seconds = 0.0
    told = silence.told(RUNNING, watches, "stopped")
    assert (told.phase, told.reason, told.facts) == ("stopping", "stopped", {})
    assert silence.told(NOTHING, watches, "stopped") == NOTHING
    end = Observation("cancelled", "stopped", attempt=1)
    assert silence.told(end, watches, "stopped") == end


def test_an_end_is_told_whoever_is_silent():
    silence, watches = Silence(), Watching(60.0)
    end = Observation("succeeded", attempt=1)
    assert silence.told(end, watches) == end


def test_of_a_run_of_which_nothing_is_known_nothing_is_said():
    assert Silence().told(NOTHING, Watching(60.0)) == NOTHING
