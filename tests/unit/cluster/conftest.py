"""An API server by hand, and an Api of it."""

from __future__ import annotations

import json

import pytest

from jobq_magic.cluster import connection
from jobq_magic.cluster.watching import Watches
from jobq_magic.site import Site
from tests.unit.cluster.apiserver import ApiServer, config


@pytest.fixture
def server():
    found = ApiServer()
    yield found
    found.close()


@pytest.fixture
def environ(server, tmp_path):
    """An environment with a kubeconfig of that server; `user` renews who we are in it."""
    path = tmp_path / "kube config"

    class Environ(dict):
        def user(self, **user):
            path.write_text(json.dumps(config(server.address, user)))

    found = Environ(KUBECONFIG=str(path), HOME=str(tmp_path), PATH="/usr/bin:/bin")
    found.user()
    return found


@pytest.fixture
def api(environ):
    found = connection.connect(Site(), environ)
    yield found
    found.close()


@pytest.fixture
def watches(api):
    found = Watches(api)
    yield found
    found.close()
