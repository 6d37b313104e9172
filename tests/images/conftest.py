"""What is between the tests of images: nothing that a process keeps for its next image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobq_magic.images import destinations


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Connections to a registry of one test end with it."""
    yield
    destinations.forget()
