"""The API server by hand of the tests of `cluster`."""

from __future__ import annotations

from tests.unit.cluster.conftest import environ, server

__all__ = ["environ", "server"]
