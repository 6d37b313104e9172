"""The places of all profiles, and what their queues have."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobq_magic import plugins, queues
from jobq_magic.cli.main import main
from jobq_magic.errors import BackendError
from jobq_magic.nearby import Allotment, Share
from jobq_magic.queues import Place
from jobq_magic.render import allotments
from tests.unit.asking.conftest import Plain

PROFILES = """
[profiles.team]
mode = "kueue"
queue = "main"
namespace = "blue"
push = "registry.example.org/team/jobq"
gpu_types = { a100 = { queue = "gpus" }, h100 = { queue = "gpus" } }

[profiles.again]
mode = "rayjob"
queue = "main"
namespace = "blue"

[profiles.here]
mode = "docker"

[profiles.typo]
mode = "kueue"
cpus = "many"
"""


class Cluster(Plain):
    def __init__(self):
        self.asked = []
        self.lost = None

    def locate(self, target):
        if self.lost:
            raise self.lost
        return {**target, "where": f"queue {target['queue']} of blue"}

    def allotted(self, target, names, runs):
        self.asked.append((target, tuple(names), set(runs)))
        return tuple(Allotment(name, "blue", (Share("cpu", "default", 1.0, 0.5, 2.0),)) for name in names)


@pytest.fixture
def cluster(monkeypatch, hostile_environment):
    (hostile_environment / "config" / "jobq").mkdir()
    (hostile_environment / "config" / "jobq" / "config.toml").write_text(PROFILES)
    found = Cluster()
    modes = {"kueue": found, "rayjob": found}
    monkeypatch.setattr(plugins, "backend", lambda mode: modes[mode])  # no other needs to be loaded
    return found


def places():
    return {one.profile: one for one in queues.places(Path.cwd(), os.environ)}


def test_each_profile_that_goes_to_queues_has_its_own_and_those_of_its_gpus(cluster):
    found = places()
    assert found.keys() == {"team", "again", "typo"}
    assert (found["team"].queues, found["team"].where) == (("main", "gpus"), "queue main of blue")
    assert found["again"].queues == ("main",)


def test_a_profile_that_cannot_be_is_told_of_with_the_reason(cluster):
    assert "cpus = many in profile typo" in places()["typo"].unknown
    assert queues.ask(places()["typo"], ()) == ()


def test_a_place_that_cannot_be_found_is_told_of_with_the_reason(cluster):
    cluster.lost = BackendError("cluster-no-kubeconfig", "There is no kubeconfig")
    assert places()["team"].unknown == "There is no kubeconfig"


def test_what_holds_without_a_profile_is_a_place_too(cluster, monkeypatch):
    Path("pyproject.toml").write_text('[tool.jobq]\nmode = "kueue"\n')
    assert places()[""].queues == ("default",)
    monkeypatch.setenv("JOBQ_PROFILE", "team")
    assert "" not in places()


def test_two_profiles_of_one_place_are_one_question_only_where_they_ask_the_same(cluster, monkeypatch):
    found = places()
    assert found["team"].site == found["again"].site
    assert found["team"].key != found["again"].key


def test_a_place_is_asked_for_ones_own_runs(cluster):
    team = places()["team"]
    found = queues.ask(team, {"pi-1"})
    assert cluster.asked[0][1:] == (("main", "gpus"), {"pi-1"})
    assert queues.as_json(team, found)[1] == {
        "profile": "team",
        "where": "queue main of blue",
        "queue": "gpus",
        "cluster_queue": "blue",
        "resources": [
            {"resource": "cpu", "flavor": "default", "used": 1.0, "mine": 0.5, "total": 2.0, "most": None, "free": None}
        ],
        "waiting": None,
        "open": True,
        "unknown": "",
    }


def test_ones_own_runs_are_those_that_may_hold_something(store, run):
    assert queues.own_runs(store) == {run.id}
    store.append(run, phase="succeeded")
    assert queues.own_runs(store) == frozenset()


def test_where_cells_go_to_no_cluster_there_are_no_places(hostile_environment):
    assert queues.places(Path.cwd(), os.environ) == []


def test_broken_settings_are_no_reason_to_fail(hostile_environment):
    (hostile_environment / "config" / "jobq").mkdir()
    (hostile_environment / "config" / "jobq" / "config.toml").write_text("[[[")
    assert queues.places(Path.cwd(), os.environ) == []


def test_a_place_says_by_what_it_is_told_apart():
    first = Place("a", "w", {"backend": "kueue", "site": {"context": "x"}}, ("main",))
    assert first.key == Place("b", "v", {"backend": "kueue", "site": {"context": "x"}}, ("main",)).key


HELD = Allotment(
    "main",
    "blue",
    (Share("cpu", "default", 77.0, 12.5, 200.0, 240.0, 123.0), Share("memory", "default", 2**34, None, 2**40)),
    3,
)


@pytest.fixture
def told(cluster, monkeypatch):
    found = [HELD, Allotment("<b>\x1b[31m", "green", open=False, unknown="We may not \x1b[31mread it")]
    monkeypatch.setattr(cluster, "allotted", lambda target, names, runs: tuple(found))
    return found


def test_the_command_line_shows_what_the_queues_have(told, capsys):
    assert main(["queues", "--profile", "team"]) == 0
    out, err = capsys.readouterr()
    head, cpu, memory = out.splitlines()
    assert head.split() == ["queue", "resource", "flavor", "used", "mine", "quota", "free", "waiting"]
    assert cpu.split() == ["main", "cpu", "default", "77", "12.5", "200", "123", "3"]
    assert memory.split() == ["memory", "default", "16Gi", "1Ti"]
    assert err.splitlines()[-1].endswith("takes no work now")
    assert "\x1b" not in out + err


def test_it_is_json_too(told, capsys):
    assert main(["queues", "--profile", "team", "--json"]) == 0
    main_, other = json.loads(capsys.readouterr().out)
    assert (main_["resources"][0]["mine"], main_["waiting"]) == (12.5, 3)
    assert other["open"] is False


def test_a_place_without_queues_is_refused_in_a_sentence(cluster, capsys):
    assert main(["queues"]) == 2
    assert "Mode local has no queues" in capsys.readouterr().err


def test_a_queue_is_drawn_as_html_that_never_acts(told):
    drawn = allotments.drawn_html(told)
    assert "<td>77</td>" in drawn.replace(' class="jq-n"', "")
    assert "<b>\x1b" not in drawn
    assert "takes no work now" in drawn
    assert "Nothing is known" in allotments.drawn([])
