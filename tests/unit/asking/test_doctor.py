from __future__ import annotations

import json

import pytest

from jobq_magic import doctor, plugins
from jobq_magic.cli.main import main
from jobq_magic.errors import BackendError, OptionError
from jobq_magic.findings import Finding

MIXED = (
    Finding("cluster", "ok", "Kubernetes 1.33 answers"),
    Finding("queue", "problem", "There is no queue main", "Use one of: gpu, cpu"),
    Finding("rbac/list-events", "warning", "You may not list events", "Ask for the role jobq-user"),
    Finding("quota", "unknown", "The quota may not be read"),
)


def said(words, capsys):
    capsys.readouterr()
    status = main(["doctor", *words])
    return status, capsys.readouterr().out


def test_a_place_is_examined_with_its_own_target(place):
    found = list(doctor.doctor([], interactive=False))
    assert [one.code for one in found] == ["settings", "cluster"]
    assert found[0].what == "Cells go to this machine (--mode local, by default)"
    assert place.asked[0]["located"]


def test_a_place_without_findings_says_that_it_needs_nothing(plain):
    assert [(one.code, one.level) for one in doctor.doctor([], interactive=False)] == [
        ("settings", "ok"),
        ("place", "ok"),
    ]
    plain.notes = ("Something to know",)
    assert [one.level for one in doctor.doctor([], interactive=False)] == ["ok", "warning", "ok"]


def test_what_such_a_place_refuses_is_a_problem(plain):
    plain.refusal = BackendError("no-engine", "No engine answers", why="it is off", do="Start it")
    *_, last = doctor.doctor([], interactive=False)
    assert last == Finding("place", "problem", "No engine answers: it is off", "Start it")


def test_a_place_that_is_not_installed_is_a_problem(monkeypatch):
    def missing(mode):
        raise BackendError("backend-missing", "Mode local cannot be used", do="Install it")

    monkeypatch.setattr(plugins, "backend", missing)
    *_, last = doctor.doctor([], interactive=False)
    assert (last.code, last.level, last.advice) == ("mode", "problem", "Install it")


def test_a_place_that_cannot_be_located_is_a_problem(place, monkeypatch):
    def lost(target):
        raise BackendError("no-context", "There is no context blue")

    monkeypatch.setattr(place, "locate", lost)
    *_, last = doctor.doctor([], interactive=False)
    assert (last.level, last.what) == ("problem", "There is no context blue")


def test_a_registry_that_no_setting_names_is_a_problem_among_the_others(place, monkeypatch):
    monkeypatch.setenv("JOBQ_MODE", "kueue")
    found = list(doctor.doctor([], interactive=False))
    assert [one.code for one in found] == ["settings", "cluster", "registry"]
    assert (found[-1].level, found[-1].advice.partition(" registry")[0]) == ("problem", "Give --push")
    assert found[-1].what == "--mode kueue needs a registry for its image, and no setting names one"


def test_a_registry_that_is_named_is_tried(place, monkeypatch):
    monkeypatch.setenv("JOBQ_MODE", "kueue")
    monkeypatch.setenv("JOBQ_PUSH", "http://127.0.0.1:1/team")
    *_, last = doctor.doctor([], interactive=False)
    assert (last.code, last.level) == ("registry", "problem")
    assert "127.0.0.1:1" in last.what


def test_what_a_place_needs_in_the_image_and_nobody_has_is_a_problem_of_the_base(place, monkeypatch):
    monkeypatch.setattr(place, "needs_image", True)
    monkeypatch.setattr(place, "needs", {"absent[default]": "--mode rayjob"}, raising=False)
    found = {one.code: one for one in doctor.doctor([], interactive=False)}
    assert (found["base"].level, found["base"].what) == (
        "problem",
        "Absent is not installed here, and --mode local needs it in the image",
    )
    assert "builder" not in found, "of an image that cannot be"


def test_settings_that_cannot_be_are_refused(place):
    with pytest.raises(OptionError, match="--colour"):
        list(doctor.doctor(["--colour", "red"], interactive=False))


def test_findings_come_in_the_order_of_looking_with_a_summary_at_the_end(place, capsys):
    place.findings = MIXED
    status, out = said([], capsys)
    assert status == 1
    assert out.splitlines()[1:] == [
        "✓ cluster                Kubernetes 1.33 answers",
        "✗ queue                  There is no queue main",
        "                         Use one of: gpu, cpu",
        "! rbac/list-events       You may not list events",
        "                         Ask for the role jobq-user",
        "? quota                  The quota may not be read",
        "",
        "1 problem, 1 warning and 1 not known among 5 findings: no cell will run there as it is",
    ]


def test_without_a_problem_the_exit_status_is_good(place, capsys):
    place.findings = MIXED[2:]
    status, out = said([], capsys)
    assert status == 0
    assert out.endswith("1 warning and 1 not known among 3 findings: cells will run, as far as can be seen (quota)\n")
    place.findings = MIXED[2:3]
    assert said([], capsys)[1].endswith("1 warning among 2 findings: cells will run\n")
    place.findings = MIXED[:1]
    assert said([], capsys)[1].endswith("All is well: 2 findings\n")


def test_what_cells_need_and_nobody_can_say_has_a_status_of_its_own(place, capsys):
    unheard = Finding("queue", "unknown", "Nobody answered", needed=True)
    place.findings = (*MIXED[2:], unheard)
    status, out = said([], capsys)
    assert status == 3
    assert out.endswith("2 not known among 4 findings: whether cells will run is not known without queue\n")
    status, out = said(["--json"], capsys)
    assert (status, json.loads(out)["ok"], json.loads(out)["unanswered"]) == (3, False, ["queue"])
    place.findings = (*MIXED, unheard)
    assert said([], capsys)[0] == 1


def test_findings_are_json_too(place, capsys):
    place.findings = MIXED
    status, out = said(["--json"], capsys)
    told = json.loads(out)
    assert (status, told["ok"]) == (1, False)
    assert told["findings"][2] == {
        "code": "queue",
        "level": "problem",
        "what": "There is no queue main",
        "advice": "Use one of: gpu, cpu",
    }
