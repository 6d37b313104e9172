"""Values of the libraries that notebooks use: they travel, come back, change in place, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.values.ground import Notebook
from tests.values.table import Journey, journey, journey_of_changes, notebook_of
from tests.values.tables import arrays, frames, models, standard

pytestmark = pytest.mark.filterwarnings("ignore")  # what libraries say of small data and of slow ways
TABLES = {"standard": standard.TABLE, "arrays": arrays.TABLE, "frames": frames.TABLE, "models": models.TABLE}


def each(kind: str) -> list[Any]:
    """All entries of a kind, with the name of their table."""
    return [
        pytest.param(name, entry, id=f"{name}: {entry.name}")
        for name, table in TABLES.items()
        for entry in getattr(table, kind)
    ]


@pytest.fixture(scope="module")
def notebooks() -> Iterator[Callable[..., Notebook]]:
    """The notebook of a table, by what it is for: one after the other, as they take the place of `__main__`."""
    with ExitStack() as stack:

        @cache
        def notebook(name: str, purpose: str) -> Notebook:
            stack.close()
            return stack.enter_context(notebook_of(TABLES[name]))

        yield notebook


@pytest.fixture(scope="module")
def travelled(notebooks) -> Callable[[str], Journey]:
    """What became of the cases of a table."""
    return cache(lambda name: journey(notebooks(name, "cases"), TABLES[name].cases))


@pytest.fixture(scope="module")
def changed(notebooks) -> Callable[[str], Journey]:
    """What became of the changes of a table."""
    return cache(lambda name: journey_of_changes(notebooks(name, "changes"), TABLES[name].changes))


@pytest.mark.parametrize(("name", "case"), each("cases"))
def test_a_value_is_itself_there_and_in_what_comes_back_and_reading_it_is_no_change(travelled, name, case):
    found = travelled(name)
    assert found.holds(case, found.here[case.name])
    assert found.said[case.name] is True
    assert case.name not in found.changed
    assert case.name in found.back, found.trip.outcome.skipped
    assert type(found.back[case.name]) is type(found.here[case.name])
    assert found.holds(case, found.back[case.name])


@pytest.mark.parametrize(("name", "change"), each("changes"))
def test_a_change_in_place_comes_back(changed, name, change):
    found = changed(name)
    assert found.said[change.name] is True
    assert change.name in found.changed
    assert found.holds(change, found.changed[change.name])
    assert not _is_true(lambda: found.holds(change, found.here[change.name]))


@pytest.mark.parametrize(("name", "case"), each("refused"))
def test_what_cannot_travel_is_refused_by_name(notebooks, tmp_path: Path, name, case):
    notebook = notebooks(name, "refused")
    notebook.run(case.before)
    notebook.run(f"v = [{case.made}][0]")  # what one call has made could be made anew there
    try:
        refused = notebook.refusal("v", tmp_path / "bundle")
        assert case.words in refused.what
        assert refused.code == "cannot-travel"
        assert "--exclude v" in refused.do
    finally:
        notebook.run(case.after)


def _is_true(question: Callable[[], object]) -> bool:
    try:
        return bool(question())
    except Exception:
        return False
