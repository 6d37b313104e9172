"""What a cell's own `ray.init` says."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from jobq_magic.runtime.rayinit import join_the_cluster


def test_the_addresses_of_a_cluster_that_is_joined_are_not_printed(caplog, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    log = logging.getLogger("ray._private.worker")

    def init(address, **_):
        log.info("Using address %s set in the environment variable %s", address, "RAY_ADDRESS")
        log.info("Connecting to existing Ray cluster at address: %s...", address)
        log.info("Connected to Ray cluster. View the dashboard at %s", "http://10.0.0.7:8265")
        log.warning("%s is deprecated", "something")
        return "context"

    ray = SimpleNamespace(init=init, cluster_resources=dict)
    join_the_cluster(ray)
    with caplog.at_level(logging.INFO, log.name):
        assert ray.init() == "context"
    assert caplog.messages == ["something is deprecated"]
