"""What was recorded is what happens on the cluster now."""

from __future__ import annotations

import copy
import re
from collections import defaultdict

import pytest

from tests.cluster import recorder, scrub
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.steps import Failed
from tests.recorded import reading

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def told(recording):
    """What each value of each object was, one after the other, without times; and which events there were.

    Several write at the same time: who does so first is chance, and what a value becomes is not. Conditions are told
    apart by their types, since which is written first is chance, too.
    """
    values, events = defaultdict(list), set()
    for step, state in zip(recording.steps, recording.states(), strict=True):
        about = step["kind"], step["name"]
        if step["kind"] == "Event":
            found = step.get("object", {})
            if step["type"] == "ADDED":
                events.add((step["name"], found["type"], timeless(found["message"])))
            continue
        now = dict(leaves(state.objects.get(about, {}), about))
        for place in now.keys() | {place for place in values if place[:2] == about}:
            if values[place][-1:] != [value := now.get(place)]:
                values[place].append(value)
    return dict(values), events


def leaves(value, place):
    """The values in an object, each with its place."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and "type" in each for each in value):
        value = {each["type"]: each for each in value}
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from leaves(each, (*place, name))
    else:
        yield place, timeless(value)


def timeless(value):
    return TIME.sub("then", value) if isinstance(value, str) else value


@pytest.mark.own_cluster
def test_a_scenario_played_again_is_what_was_recorded(cluster, tmp_path):
    again = reading.Recording(tmp_path / "again.json")
    again.path.write_text(scrub.written(recorder.played(SCENARIOS["missing-queue"], "Job")))
    before = reading.Recording(reading.path("Job", "missing-queue"))
    assert told(again) == told(before)
    assert {name: again.content[name] for name in again.content if name != "steps"} == {
        name: before.content[name] for name in before.content if name != "steps"
    }


def test_who_wrote_first_is_no_difference_and_what_was_written_is():
    before = reading.Recording(reading.path("Job", "missing-queue"))
    found = copy.deepcopy(before.content)
    *_, quota, _, ready = found["steps"]
    assert quota["object"]["status"]["conditions"][0]["type"] == "QuotaReserved"
    quota["object"]["status"]["conditions"] = ready["object"]["status"]["conditions"][1:]
    assert told(_Played(found)) == told(before)
    ready["object"]["status"]["conditions"][0]["reason"] = "Pending"
    assert told(_Played(found)) != told(before)


class _Played(reading.Recording):
    """What is on no disk."""

    def __init__(self, content):
        super().__init__(reading.HERE)
        self.__dict__["content"] = content


def test_what_there_is_no_scenario_of_is_refused():
    with pytest.raises(Failed, match="There is no scenario job/nonesuch; there are admitted, "):
        recorder.wanted(["paused", "job/nonesuch"])


def test_a_name_means_both_kinds_or_the_one_that_it_names():
    assert [kind for _, kind in recorder.wanted(["paused"])] == ["Job", "RayJob"]
    assert [kind for _, kind in recorder.wanted(["rayjob/paused"])] == ["RayJob"]
