"""Notebooks for one test, and for the cases of a table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.values.ground import Notebook, opened


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """An empty notebook."""
    with (
        tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime,
        opened(tmp_path, Path(runtime)) as made,
    ):
        yield made
