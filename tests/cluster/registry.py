"""The cluster's registry: Debian's `docker-registry`, at the address of the first node."""

from __future__ import annotations

import json

import httpx

from tests.cluster.layout import REGISTRY_PUSH, STATE
from tests.cluster.processes import Daemon


def daemon() -> Daemon:
    """The registry."""
    folder = STATE / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "store")}, "delete": {"enabled": True}},
        # A secret of its own would be another one after a restart, and end all uploads that are under way.
        "http": {"addr": REGISTRY_PUSH, "secret": "of the tests"},
    }
    path = folder / "config.yml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return Daemon("registry", ("docker-registry", "serve", path))


def answers() -> bool:
    """Whether it answers."""
    with httpx.Client(trust_env=False, timeout=2) as client:
        return client.get(f"http://{REGISTRY_PUSH}/v2/").status_code == 200
