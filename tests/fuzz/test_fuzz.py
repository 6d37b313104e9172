"""Random notebooks mean the same with a cell that travels, or are refused for what was planted in them."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings

from tests.cases.judge import differences
from tests.cases.table import Case, Cell
from tests.fuzz.grammar import Notebook, notebooks

FEW = settings(max_examples=75, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=2_500, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def compare(host, notebook: Notebook) -> None:
    """Executes it plain and with `%%jobq`."""
    found = host.execute(notebook.cells, ("plain", "jobq"))
    plain, away = found["plain"], found["jobq"]
    assert not any(said["error"] for said in plain["said"]), plain["said"]
    travelling = next(at for at, cell in enumerate(notebook.cells) if cell["jobq"] is not None)
    said = away["said"][travelling]
    if said["error"] is not None and "code" in said:
        text = said["error"][1]
        named = [root for root in notebook.planted if re.search(rf"\b{root}\b", text) and root in notebook.reached]
        assert said["code"] == "cannot-travel", text
        assert named, f"refused for what was not planted: {text}"
        return
    cells = [Cell(cell["code"], cell["jobq"], cell["only"]) for cell in notebook.cells]
    told = differences(Case("random", "notebook", cells), plain, away)
    assert not told, "\n".join(told)


@given(notebooks())
@FEW
def test_a_random_notebook_means_the_same(host, notebook):
    compare(host, notebook)


@given(notebooks(culprits=True))
@FEW
def test_what_cannot_travel_is_refused_by_name_and_nothing_else_is(host, notebook):
    compare(host, notebook)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(notebooks())
@MANY
def test_thousands_of_random_notebooks_mean_the_same(host, notebook):
    compare(host, notebook)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(notebooks(culprits=True))
@MANY
def test_in_thousands_only_what_cannot_travel_is_refused(host, notebook):
    compare(host, notebook)
