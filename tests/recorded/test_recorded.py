"""What was recorded is whole, in order, and says nothing of the machine that it was recorded on."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import socket

import pytest

from tests.cluster import layout, recorder, scrub
from tests.cluster.objects import condition
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.seen import Seen
from tests.recorded import reading

ALL = reading.recordings()
EVERY = pytest.mark.parametrize("recording", ALL, ids=[f"{each.path.parent.name}/{each.path.stem}" for each in ALL])
DRAWN = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
NUMBERED = re.compile(r"00000000-0000-0000-0000-\d{12}")
ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
HEX = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{16,}\b")
UNWANTED = ("managedFields", "resourceVersion", "reportingInstance", "record-", "eyJ", "BEGIN ", "kube-api-access")

PLAIN = {"Pending", "Inadmissible"}
"""Kueue's older words for why something waits."""
NEWER = {
    *("Deactivated", "ExceedsMaxQuota", "Misconfigured", "NoMatchingFlavor", "PendingEvaluation", "Suspended"),
    *("TopologyPlacementFailed", "WaitingForPodsReady", "WaitingForPreemptedWorkloads", "WaitingForQuota"),
}
SILENT = ("no-such-resource",)
"""Of what Kueue's newer words sometimes leave out."""


def spoken(recording):
    """Kueue's reasons for why a Workload of the namespace has no quota, and those of its events of that kind."""
    found = [found for state in recording.states() for found in state.all("Workload")]
    waits = {each["reason"] for of in found if (each := condition(of, "QuotaReserved")).get("status") == "False"}
    events = [step["object"] for step in recording.steps if step["kind"] == "Event" and step["type"] == "ADDED"]
    about = {each["reason"] for each in events if each["involvedObject"]["kind"] == "Workload"}
    return waits | (about & (PLAIN | NEWER))


def test_each_scenario_has_its_files_and_there_are_no_others():
    assert {each.path for each in ALL} == recorder.files()


@EVERY
def test_a_file_is_as_the_table_says(recording):
    content, scenario = recording.content, SCENARIOS[recording.scenario]
    assert recording.path == reading.path(recording.kind, recording.scenario, recording.gates)
    assert recording.kind in scenario.kinds
    assert content["shows"] == scenario.shows
    assert content["begins"] == reading.BEGINS
    assert recording.gates in recorder.GATES
    assert content["versions"] == recorder.versions_of(recording.kind)
    assert recording.path.read_text(encoding="utf-8") == scrub.written(content)


@EVERY
def test_steps_are_in_order_and_each_changes_something(recording):
    times = [step["at"] for step in recording.steps]
    assert times == sorted(times)
    assert times[0] >= 0
    there = set()
    for step in recording.steps:
        key = step["kind"], step["name"]
        assert (key in there) == (step["type"] != "ADDED"), step
        assert step.get("object") or step["type"] == "DELETED", step
        there = there - {key} if step["type"] == "DELETED" else there | {key}


@EVERY
def test_the_objects_are_those_of_the_run(recording):
    states = list(recording.states())
    first = states[0]
    assert first.run is not None
    assert first.run["metadata"]["creationTimestamp"] == reading.BEGINS
    known = set()
    for state in states:  # pods may outlive whom they belong to
        known |= {found["metadata"]["uid"] for found in state.objects.values() if "uid" in found["metadata"]}
        assert {owner["uid"] for pod in state.pods for owner in pod["metadata"]["ownerReferences"]} <= known
    began = dt.datetime.fromisoformat(reading.BEGINS)
    for text in TIME.findall(recording.path.read_text(encoding="utf-8")):
        after = (dt.datetime.fromisoformat(f"{text}+00:00") - began).total_seconds()
        assert after <= recording.steps[-1]["at"] + 3600, text


@EVERY
def test_in_the_end_that_has_happened_which_it_shows(recording):
    seen = Seen(recording.kind, recording.content["run"]["name"])
    there = {}
    for step, state in zip(recording.steps, recording.states(), strict=True):
        there |= state.objects  # the watch tells of what is deleted as it was last
        seen.tell(step["type"], {**there[step["kind"], step["name"]], "kind": step["kind"]})
    assert SCENARIOS[recording.scenario].reached(seen)


@EVERY
def test_kueue_speaks_with_the_words_of_its_gates(recording):
    workloads = [found for state in recording.states() for found in state.all("Workload")]
    if recording.gates:
        assert spoken(recording) <= NEWER
        assert {
            each["reason"] for of in workloads for each in of.get("status", {}).get("conditions", ())
        } & PLAIN == set()
        # It also says at once that somebody is not admitted.
        waiting = [found for found in workloads if condition(found, "QuotaReserved").get("status") == "False"]
        assert all(condition(found, "Admitted").get("status") == "False" for found in waiting)
    else:
        assert spoken(recording) <= PLAIN
        never = [found for found in workloads if not condition(found, "Evicted")]
        assert all(condition(found, "Admitted").get("status") != "False" for found in never)


@pytest.mark.parametrize(
    "recording", [each for each in ALL if each.gates], ids=lambda each: f"{each.path.parent.name}/{each.path.stem}"
)
def test_with_other_words_the_same_is_said(recording):
    plain = reading.Recording(reading.path(recording.kind, recording.scenario))
    said, other = (
        {
            DRAWN.sub("", found["message"])
            for state in each.states()
            if (found := condition(state.workload or {}, "QuotaReserved"))
        }
        for each in (plain, recording)
    )
    assert said <= other or recording.scenario in SILENT, (said, other)
    assert bool(spoken(plain)) == bool(spoken(recording)) or recording.scenario in SILENT


@EVERY
def test_nothing_is_said_of_the_machine(recording):
    text = recording.path.read_text(encoding="utf-8")
    for word in (*UNWANTED, layout.REGISTRY_PULL, layout.REGISTRY_PUSH, str(layout.STATE), str(layout.RUN)):
        assert word not in text, word
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert [uid for uid in DRAWN.findall(text) if not NUMBERED.fullmatch(uid)] == []
    assert [found for found in HEX.findall(text) if not found.isdigit()] == []
    known = ("192.0.2.", "127.0.0.1", "0.0.0.0")
    assert [found for found in ADDRESS.findall(text) if not found.startswith(known)] == []
    assert all(found[:4] in {"1970", "2025", "2026"} for found in TIME.findall(text))


def test_all_together_are_small():
    assert sum(each.path.stat().st_size for each in ALL) < 8_000_000


def test_what_differs_is_enough_to_make_the_one_of_the_other():
    before = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": {"f": 1}}
    after = {"a": 1, "b": {"c": [1], "g": {}}, "h": [{"i": 1}]}
    patch = reading.difference(before, after)
    assert patch == {"e": None, "b": {"d": None, "c": [1], "g": {}}, "h": [{"i": 1}]}
    kept = copy.deepcopy(before)
    assert reading.merged(before, patch) == after
    assert before == kept


def test_what_fits_into_a_line_is_on_one():
    value = {"a": 1, "long": ["x" * 100, "y" * 100], "none": {}, "b": {"c": "ü"}}
    text = scrub.written(value)
    assert json.loads(text) == value
    assert ' "b": {"c": "ü"}\n' in text
