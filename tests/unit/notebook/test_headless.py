"""What a log is told of a run that is waited for where nobody sits in front."""

from __future__ import annotations

import pytest

from jobq_magic.notebook.headless import Teller
from jobq_magic.snapshot import Phase, Snapshot


def seen(phase: Phase, reason: str = "", **facts: object) -> Snapshot:
    """A run that was opened at 0 and stands somewhere."""
    return Snapshot(
        run="fit-1",
        name="fit",
        mode="kueue",
        where="queue ci",
        phase=phase,
        created=0.0,
        reason=reason,
        facts=facts,
    )


@pytest.fixture
def tell() -> Teller:
    return Teller()


def test_what_waits_says_where_why_and_what_would_help(tell):
    told = tell(seen(Phase.QUEUED, "queue-stopped", queue="ci", cluster_queue="all"), now=3.0)
    first, second = told.split("\n")
    assert first == "◌ queued  fit-1  queue ci  3.0 s"
    assert second.startswith("  The queue ci is stopped")
    assert second.endswith(".")


def test_the_same_is_said_once_a_reason_at_once_and_another_one_of_the_same_phase_a_minute_later(tell):
    assert tell(seen(Phase.STARTING), now=0.0)
    assert not tell(seen(Phase.STARTING), now=600.0)
    assert tell(seen(Phase.STARTING, "pulling"), now=601.0)
    assert not tell(seen(Phase.STARTING, "image-missing"), now=602.0)
    assert tell(seen(Phase.STARTING, "image-missing"), now=661.0)
    assert not tell(seen(Phase.STARTING, "image-missing"), now=900.0)


def test_of_what_has_waited_its_beginning_and_its_end_are_told_in_a_line_each(tell):
    tell(seen(Phase.QUEUED), now=0.0)
    assert tell(seen(Phase.RUNNING), now=60.0) == "● running  fit-1  queue ci  1:00"
    assert not tell(seen(Phase.COLLECTING), now=119.0)
    assert tell(seen(Phase.SUCCEEDED), now=120.0).count("\n") == 0


def test_of_what_never_waited_nothing_is_told(tell):
    assert [tell(seen(phase), now=5.0) for phase in (Phase.RUNNING, Phase.COLLECTING, Phase.SUCCEEDED)] == [""] * 3
