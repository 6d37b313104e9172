from __future__ import annotations

import json

import pytest

from jobq_magic import neighbours
from jobq_magic.cli.main import main
from jobq_magic.errors import BackendError
from jobq_magic.nearby import Neighbours
from tests.unit.asking.conftest import NEIGHBOURS


def test_everybody_in_the_queues_is_listed(place, capsys):
    place.found = NEIGHBOURS
    assert main(["list", "--namespace"]) == 0
    told = capsys.readouterr()
    head, *rows = told.out.splitlines()
    assert head.split() == ["name", "owner", "kind", "queue", "state", "position", "asks", "for", "created"]
    assert rows[0].split("  ")[0] == "train-1a2b3c4d"
    assert "ada" in rows[0]
    assert "● running" in rows[0]
    assert "4 workers: 4 cpu, 8Gi memory" in rows[0]
    assert "◌ queued" in rows[1]
    assert "3rd of 12" in rows[1]
    assert "\x1b" not in told.out
    assert told.err == "Pods of others may not be read: ask for the right to list pods\n"
    assert place.asked[0]["located"]


def test_the_list_is_json_too(place, capsys):
    place.found = NEIGHBOURS
    assert main(["list", "--namespace", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["where"] == "namespace team-blue"
    assert told["rows"][1]["position"] == 3
    assert told["rows"][1]["sentence"] == "Waiting for quota: x"
    assert [one["final"] for one in told["rows"]] == [False] * 3
    assert len(told["unknown"]) == 1


def test_a_place_that_is_empty_says_so(place, capsys):
    place.found = Neighbours("namespace team-blue")
    assert main(["list", "--namespace"]) == 0
    assert capsys.readouterr().out == "Nothing runs or waits in namespace team-blue\n"


def test_a_place_that_nobody_shares_is_refused_in_a_sentence(plain, capsys):
    assert main(["list", "--namespace"]) == 2
    assert "Mode local has no namespace that others share" in capsys.readouterr().err


def test_words_that_no_list_knows_are_refused(place, capsys):
    assert main(["list", "--colour"]) == 2
    assert "--colour" in capsys.readouterr().err
    assert main(["list", "--namespace", "--colour", "red"]) == 2


def test_the_target_is_that_of_the_settings(place, monkeypatch):
    monkeypatch.setenv("JOBQ_MODE", "docker")
    neighbours.survey(neighbours.here(interactive=False))
    assert place.asked[0]["backend"] == "docker"


def test_what_the_place_refuses_reaches_the_user(place, monkeypatch):
    def silent(target):
        raise BackendError("cluster-silent", "The cluster does not answer")

    monkeypatch.setattr(place, "neighbours", silent)
    with pytest.raises(BackendError, match="does not answer"):
        neighbours.survey(neighbours.here(interactive=False))
