"""What was recorded is what happens on the cluster now."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.cluster import recorder
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.steps import Failed
from tests.recorded import reading

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def told(content):
    """What became of each object, in order, without times; and which events there were."""
    objects, events = defaultdict(list), set()
    for step in content["steps"]:
        changed = timeless(step.get("object", {}))
        if step["kind"] != "Event":
            objects[step["kind"], step["name"]].append((step["type"], changed))
        elif step["type"] == "ADDED":
            events.add((step["name"], changed["type"], changed["message"]))
    return dict(objects), events


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items()}
    if isinstance(value, list):
        found = [timeless(each) for each in value]
        # Which condition is written first is chance.
        return (
            sorted(found, key=str)
            if found and all("type" in each for each in found if isinstance(each, dict))
            else found
        )
    return TIME.sub("then", value) if isinstance(value, str) else value


def test_a_scenario_played_again_is_what_was_recorded(cluster):
    again = recorder.played(SCENARIOS["missing-queue"], "Job")
    before = reading.Recording(reading.path("Job", "missing-queue")).content
    assert told(again) == told(before)
    assert {name: again[name] for name in again if name != "steps"} == {
        name: before[name] for name in before if name != "steps"
    }


def test_what_there_is_no_scenario_of_is_refused():
    with pytest.raises(Failed, match="There is no scenario job/nonesuch; there are admitted, "):
        recorder.wanted(["paused", "job/nonesuch"])


def test_a_name_means_both_kinds_or_the_one_that_it_names():
    assert [kind for _, kind in recorder.wanted(["paused"])] == ["Job", "RayJob"]
    assert [kind for _, kind in recorder.wanted(["rayjob/paused"])] == ["RayJob"]
