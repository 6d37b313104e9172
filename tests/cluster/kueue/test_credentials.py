"""Credentials that end while a run is on its way: a plugin is asked for others, and nothing is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from kubernetes import client
from kubernetes.client import ApiClient, ApiException

from jobq_magic import plugins
from tests.support import eventually

LINES = 400

_PLUGIN = """#!{python}
import json, os, pathlib
here = pathlib.Path({folder!r})
asked = here / 'asked'
asked.write_text((asked.read_text() if asked.exists() else '') + 'x')
found = sorted(here.glob('token-*'))
token = found[-1].read_text() if len(asked.read_text()) > 1 else 'of yesterday'
print(json.dumps({{'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',
                  'status': {{'token': token, 'expirationTimestamp': '2100-01-01T00:00:00Z'}}}}))
"""
"""Its first token is refused, as one that a machine has kept while it slept; then it gives the newest."""


@pytest.fixture
def asked(kubeconfig: Path, tmp_path: Path) -> Callable[[], int]:
    """How often the plugin was asked that the user's kubeconfig names from now on."""
    program = tmp_path / "plugin"
    program.write_text(_PLUGIN.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o700)
    told = yaml.safe_load(kubeconfig.read_text())
    told["users"][0]["user"] = {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never",
    }}  # fmt: skip
    kubeconfig.write_text(yaml.safe_dump(told))
    path = tmp_path / "asked"
    return lambda: len(path.read_text()) if path.exists() else 0


@pytest.fixture
def revocable(admin: ApiClient, namespace: str, tmp_path: Path) -> Callable[[int], Callable[[], None]]:
    """Lays down the token with a number for the plugin; what it returns revokes it, and waits until it is refused."""
    core = client.CoreV1Api(admin)

    def make(number: int) -> Callable[[], None]:
        secret = core.create_namespaced_secret(namespace, {"metadata": {"name": f"login-{number}"}})
        of = {"kind": "Secret", "apiVersion": "v1", "name": secret.metadata.name, "uid": secret.metadata.uid}
        body = {"spec": {"expirationSeconds": 600, "boundObjectRef": of}}
        token = core.create_namespaced_service_account_token("user", namespace, body).status.token
        (tmp_path / f"token-{number}").write_text(token)

        def refused() -> bool:
            mine = client.Configuration()
            mine.host, mine.ssl_ca_cert = admin.configuration.host, admin.configuration.ssl_ca_cert
            mine.api_key = {"authorization": f"Bearer {token}"}
            try:
                with ApiClient(mine) as api:
                    client.CoreV1Api(api).list_namespaced_pod(namespace)
            except ApiException as error:
                return error.status == 401
            return False

        def revoke() -> None:
            core.delete_namespaced_secret(secret.metadata.name, namespace)
            eventually(refused, 60, every=0.5)

        return revoke

    return make


def test_a_token_that_is_refused_is_asked_for_again_and_nothing_is_lost(place, asked, revocable):
    revoke = revocable(1)
    cell = place.start(
        f"import time\nfor n in range({LINES}): print('line', n, flush=True); time.sleep(0.1)\nback = 7\nn",
        outs=("back",),
    )
    cell.until("line 0")
    assert asked() == 2  # the token of yesterday, and that of today
    revocable(2)
    revoke()
    for watched in plugins.backend("kueue")._watched.values():
        watched.watches.renew()  # as after a sleep: what is open stays so, whatever becomes of its token
    cell.until(f"line {LINES - 50}")
    cell.end()
    assert cell.stdout == "".join(f"line {n}\n" for n in range(LINES))
    assert (cell.outcome.value, cell.outcome.names) == (LINES - 1, {"back": 7})
    assert asked() == 3
