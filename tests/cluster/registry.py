"""The cluster's registry: Debian's `docker-registry`, at the address of the first node."""

from __future__ import annotations

import json

import httpx

from tests.cluster.layout import REGISTRY_PUSH, STATE
from tests.cluster.processes import Daemon
from tests.services.registry import PROGRAM, configuration


def daemon() -> Daemon:
    """The registry."""
    folder = STATE / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yml"
    path.write_text(json.dumps(configuration(REGISTRY_PUSH, folder / "store")))  # JSON is YAML
    return Daemon("registry", (PROGRAM, "serve", path))


def answers() -> bool:
    """Whether it answers."""
    with httpx.Client(trust_env=False, timeout=2) as client:
        return client.get(f"http://{REGISTRY_PUSH}/v2/").status_code == 200
