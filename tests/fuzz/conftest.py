"""The same ground as that of the cases."""

from __future__ import annotations

import pytest

from tests.cases.conftest import host

__all__ = ["host"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hundreds of notebooks, of which each starts a job, take minutes."""
    for item in items:
        if item.path.parent.name == "fuzz" and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
