"""What the panel's buttons do, without a front end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.notebook.panel import Panel
from jobq_magic.render.card import Card
from jobq_magic.runs.logend import LogEnd
from jobq_magic.snapshot import Phase, PlaceTold, QuotaTold, Snapshot

SNAPSHOT = Snapshot("pi-1", "pi", "kueue", "Kueue", Phase.BUILDING, 0.0)


def drawn(*, phase=Phase.BUILDING, **more) -> Card:
    return Card(replace(SNAPSHOT, phase=phase, **more), 1.0)


def panel(pause=None, card=None) -> Panel:
    return Panel(card or drawn(), stop=lambda: None, log=LogEnd, pause=pause)


def buttons(made: Panel) -> dict[str, object]:
    return {each.description: each for each in made._bar.children if hasattr(each, "description") and each.description}


@pytest.fixture
def wishes():
    return []


def test_where_nothing_can_be_paused_there_is_no_button_for_it(capsys):
    assert set(buttons(panel())) == {"Stop", "Full log"}


def test_the_button_works_where_the_run_can_be_paused(wishes, capsys):
    made = panel(wishes.append)
    assert buttons(made)["Pause"].disabled
    for phase in Phase.QUEUED, Phase.STARTING, Phase.RUNNING:
        made.show(drawn(phase=phase))
        assert not buttons(made)["Pause"].disabled
    made.show(drawn(phase=Phase.COLLECTING))
    assert buttons(made)["Pause"].disabled


def test_it_pauses_and_resumes_and_says_so(wishes, capsys):
    made = panel(wishes.append, drawn(phase=Phase.RUNNING))
    buttons(made)["Pause"].click()
    assert wishes == [True]
    assert "Pausing" in buttons(made)
    buttons(made)["Pausing"].click()
    assert wishes == [True, True]
    made.show(drawn(phase=Phase.PAUSED))
    buttons(made)["Resume"].click()
    assert wishes == [True, True, False]
    assert "Resuming" in buttons(made)
    made.show(drawn(phase=Phase.QUEUED))
    assert "Pause" in buttons(made)


def test_a_refusal_is_shown_and_the_button_stays(capsys):
    def refuse(wanted):
        raise BackendError("rbac/pause", "You may not change workloads")

    made = panel(refuse, drawn(phase=Phase.RUNNING))
    buttons(made)["Pause"].click()
    assert "You may not change workloads" in made._whole.value
    assert not buttons(made)["Pause"].disabled


def test_a_refusal_that_comes_later_gives_the_button_back(wishes, capsys):
    made = panel(wishes.append, drawn(phase=Phase.RUNNING))
    buttons(made)["Pause"].click()
    made.show(drawn(phase=Phase.RUNNING, notes=("It could not be paused",)))
    assert "Pause" in buttons(made)


def test_the_chips_of_who_prints_are_not_drawn_anew_when_another_one_begins_to(capsys):
    printed = Card(replace(SNAPSHOT, phase=Phase.RUNNING), 1.0, log="[1] a\n[2] b\n", sources=("1", "2"))
    made = panel(card=printed)
    [chips] = [part for part in made._parts if 'role="radiogroup"' in part.value]
    sheets = [part for part in made._parts if ":checked" in part.value]
    drawn_anew = []
    chips.observe(drawn_anew.append, "value")
    made.show(replace(printed, log="[1] a\n[2] b\n[3] c\n", sources=("1", "2", "3")))
    assert drawn_anew == []
    assert ["jq-b3" in sheet.value for sheet in sheets] == [True]


def test_what_is_unfolded_is_drawn_only_when_it_changes(capsys):
    place = PlaceTold("main", "blue", 3, 12, ("ada/train",), 60, (QuotaTold("cpu", "a", 4, 1),))
    made = panel(card=drawn(phase=Phase.QUEUED, place=place))
    *_, folds, _, _ = made._parts
    assert "What stands ahead: 1" in folds.value
    before = folds.value
    made.show(drawn(phase=Phase.QUEUED, place=replace(place, estimate=50)))
    assert folds.value is before
    made.show(drawn(phase=Phase.QUEUED, place=replace(place, ahead=())))
    assert "What stands ahead" not in folds.value
