"""A pod of a Ray cluster that is one run's own: what its parts have agreed on."""

from __future__ import annotations

from .wire import signature

GCS, DASHBOARD, CLIENT, NODE, LINE = 6379, 8265, 10001, 6380, 6390
"""Ports: where the cluster is joined, the dashboard and its jobs, the client, each worker's raylet; and, at the head,
where its workers hear that the job has ended."""


def token(key: bytes) -> str:
    """What Ray asks of whoever talks to it, by the run's key."""
    return signature(b"ray", key).decode()
