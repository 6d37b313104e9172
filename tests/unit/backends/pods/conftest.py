"""The API server by hand of the tests of `cluster`."""

from __future__ import annotations

from tests.unit.cluster.conftest import api, environ, server, watches

__all__ = ["api", "environ", "server", "watches"]
