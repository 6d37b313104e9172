"""The API server by hand of the tests of `cluster`."""

from __future__ import annotations

from tests.unit.cluster.conftest import api, environ, server

__all__ = ["api", "environ", "server"]
