"""Every case means the same where its cell travels: what it writes, its value, its names, its exception."""

from __future__ import annotations

import pytest

from tests.cases.conftest import Host
from tests.cases.judge import differences
from tests.cases.table import Case, cases

ALL = cases()


def test_there_are_two_hundred_cases_with_names_of_their_own():
    names = [case.id for case in ALL]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


def compare(host: Host, case: Case, *ways: str) -> None:
    found = host.execute([cell.told for cell in case.cells], ("plain", *ways))
    for way in ways:
        told = differences(case, found["plain"], found[way])
        assert not told, f"{way}: " + "\n".join(told)


@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_a_cell_that_travels_means_the_same(host, case):
    compare(host, case, "jobq")


@pytest.mark.parametrize("case", ALL[::4], ids=[case.id for case in ALL[::4]])
def test_it_does_where_the_extension_is_loaded_late(host, case):
    compare(host, case, "late")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_do_where_the_extension_is_loaded_late(host):
    for case in ALL:
        compare(host, case, "late")
