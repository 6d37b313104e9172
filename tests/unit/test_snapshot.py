import itertools
import json

import pytest

from jobq_magic.snapshot import FINAL, TRANSITIONS, ImageTold, LayerTold, Link, Phase, PhaseTime, Snapshot, fold

WHO = {"run": "pi-1a2b3c4d", "name": "pi", "mode": "local", "where": "this machine", "created": 1.0, "workers": None}


def phases(*names, **last):
    events = [{"phase": str(name), "at": float(at)} for at, name in enumerate(names, 1)]
    events[-1].update(last)
    return events


def folded(*events):
    return fold(WHO, events)


USUAL = ("capturing", "building", "submitting", "queued", "starting", "running", "collecting", "succeeded")


def test_a_run_of_which_nothing_is_recorded_is_capturing():
    snapshot = folded()
    assert (snapshot.phase, snapshot.times, snapshot.attempt, snapshot.final) == (Phase.CAPTURING, (), 1, False)


def test_the_usual_way_leads_through_every_phase_with_its_time():
    snapshot = folded(*phases(*USUAL))
    assert [(str(time.phase), time.at) for time in snapshot.times] == list(zip(USUAL, range(1, 9), strict=True))
    assert (snapshot.final, snapshot.ended, snapshot.seconds) == (True, 8.0, 1.0)


def test_a_record_may_skip_what_was_not_observed():
    assert folded(*phases("capturing", "submitting", "succeeded")).phase is Phase.SUCCEEDED


def test_a_run_of_which_only_the_image_was_asked_for_ends_well_when_that_is_there():
    snapshot = folded(*phases("capturing", "building", "succeeded", reason="built"))
    assert (snapshot.phase, snapshot.reason, snapshot.final) == (Phase.SUCCEEDED, "built", True)


def test_the_image_of_a_run_is_the_one_that_was_told_last():
    layer = {"kind": "code", "name": "the cell", "size": 812, "state": "pushed", "digest": "of no matter"}
    first = {"image": {"reference": "jobq@sha256:1"}}
    second = {"image": {"reference": "jobq@sha256:2", "layers": [layer], "sent": 900, "seconds": 0.1, "more": []}}
    assert folded(first).image == ImageTold("jobq@sha256:1")
    told = (LayerTold("code", "the cell", 812, "pushed"),)
    assert folded(first, second).image == ImageTold("jobq@sha256:2", told, 900, 0.1)


@pytest.mark.parametrize("end", sorted(FINAL))
@pytest.mark.parametrize("late", sorted(Phase))
def test_the_first_end_stands_whatever_is_said_later(end, late):
    before = phases("capturing", "submitting", "running", end, reason="exit", facts={"exit_code": 3})
    if end is Phase.SUCCEEDED:
        before[-1].pop("reason")
    snapshot = folded(*before, {"phase": str(late), "at": 9.0, "reason": "late", "attempt": 2})
    assert snapshot == folded(*before)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Phase, Phase)))
def test_a_phase_follows_another_only_where_the_table_says_so(before, after):
    way = ways()[before]
    snapshot = folded(*phases(*way), {"phase": str(after), "at": 99.0})
    expected = after if after in TRANSITIONS[before] else before
    assert snapshot.phase is expected
    assert (snapshot.times[-1].at == 99.0) == (after in TRANSITIONS[before])


def ways():
    """The shortest way to each phase."""
    found = {Phase.CAPTURING: ["capturing"]}
    while len(found) < len(Phase):
        for phase, way in list(found.items()):
            for after in sorted(TRANSITIONS[phase]):
                found.setdefault(after, [*way, str(after)])
    return found


def test_every_phase_can_be_reached_and_every_phase_that_is_no_end_can_end():
    assert set(ways()) == set(Phase)
    for phase in set(Phase) - FINAL:
        assert Phase.FAILED in TRANSITIONS[phase]
        assert Phase.LOST in TRANSITIONS[phase]
    assert not any(TRANSITIONS[end] for end in FINAL)


def test_a_holder_that_lost_its_lease_is_not_heard():
    events = [
        *phases("capturing", "submitting", "queued"),
        {"phase": "running", "at": 4.0, "gen": 2},
        {"phase": "lost", "at": 5.0, "gen": 1, "reason": "host-silent"},
        {"note": "from the old one", "gen": 1},
        {"phase": "collecting", "at": 6.0},
    ]
    snapshot = folded(*events)
    assert (snapshot.phase, snapshot.generation, snapshot.notes) == (Phase.COLLECTING, 2, ())


def test_a_new_attempt_goes_back_to_the_queue():
    snapshot = folded(*phases("capturing", "submitting", "running"), {"phase": "queued", "at": 9.0, "attempt": 2})
    assert (snapshot.phase, snapshot.attempt) == (Phase.QUEUED, 2)


def test_a_reason_can_change_within_a_phase_without_a_new_time():
    queued = phases("capturing", "submitting", "queued")
    snapshot = folded(*queued, {"phase": "queued", "at": 7.0, "reason": "ray-starting", "facts": {"a": 1}})
    assert (snapshot.reason, snapshot.facts, snapshot.times[-1].at) == ("ray-starting", {"a": 1}, 3.0)
    assert folded(*queued, {"phase": "starting", "at": 8.0}).reason == ""


def test_links_notes_and_results_are_collected_once_each():
    link = {"rel": "ray-dashboard", "title": "Ray dashboard", "href": "http://127.0.0.1:1"}
    snapshot = folded(
        *phases("capturing", "submitting"),
        {"link": link},
        {"link": {**link, "href": "http://127.0.0.1:2"}},
        {"note": "a"},
        {"note": "a"},
        {"note": "b"},
        {"result": "ready"},
    )
    assert snapshot.links == (Link("ray-dashboard", "Ray dashboard", "http://127.0.0.1:2"),)
    assert (snapshot.notes, snapshot.result) == (("a", "b"), "ready")


def test_a_run_that_never_ran_took_no_time():
    snapshot = folded(*phases("capturing", "failed"))
    assert (snapshot.seconds, snapshot.ended) == (None, 2.0)
    assert folded(*phases("capturing", "submitting", "running")).seconds is None


def test_what_ran_is_counted_so_far_and_anew_where_it_began_anew():
    first = ("capturing", "submitting", "queued", "starting", "running")
    assert folded(*phases(*first)).ran(now=65.0) == 60.0
    assert folded(*phases(*first, "queued")).ran(now=65.0) is None
    again = folded(*phases(*first, "queued", "starting", "running", "succeeded"))
    assert (again.ran(now=65.0), again.seconds) == (1.0, 1.0)


def test_a_process_that_was_held_goes_on_and_the_time_that_it_was_held_is_not_counted():
    held = phases("capturing", "submitting", "starting", "running", "paused")
    assert folded(*held).ran(now=65.0) == 1.0
    on = [*held, {"phase": "running", "at": 30.0}]
    assert folded(*on).ran(now=65.0) == 36.0
    ended = folded(*on, {"phase": "collecting", "at": 40.0}, {"phase": "succeeded", "at": 41.0})
    assert (ended.ran(now=65.0), ended.seconds) == (11.0, 11.0)
    assert folded(*held, {"phase": "cancelled", "at": 50.0}).seconds == 1.0


def test_what_was_paused_to_begin_anew_has_not_run_until_it_does():
    away = [*phases("capturing", "submitting", "running"), {"phase": "paused", "at": 9.0, "attempt": 2}]
    assert folded(*away).ran(now=65.0) is None
    assert folded(*away, {"phase": "running", "at": 60.0}).ran(now=65.0) == 5.0


def test_folding_needs_only_what_json_keeps():
    events = json.loads(json.dumps(phases(*USUAL)))
    assert fold(json.loads(json.dumps(WHO)), events) == folded(*phases(*USUAL))


def test_a_snapshot_cannot_be_changed():
    snapshot = Snapshot(**WHO, phase=Phase.RUNNING, times=(PhaseTime(Phase.RUNNING, 1.0),))
    with pytest.raises(AttributeError):
        snapshot.phase = Phase.FAILED
