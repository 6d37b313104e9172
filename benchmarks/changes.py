"""From a change in the cluster to what a person sees of it in the panel."""

from __future__ import annotations

import json
import queue
import random
import statistics
import time
from typing import Any

from benchmarks.ground import Ground, ground
from benchmarks.kernels import Kernel, kernel
from benchmarks.table import Row
from tests.cluster.api import Api
from tests.cluster.kubectl import get
from tests.cluster.layout import ADMIN

__all__ = ["shown"]

CHANGES = 40
_PATIENCE = 120.0


def shown() -> list[Row]:
    """A node's refusal of a pod is worded anew again and again; each time until the panel has the new words."""
    with ground() as here, kernel(here.env, stdin=True) as one:
        one.run("%load_ext jobq_magic")
        one.do("%%jobq --profile nowhere --name waits\n1")
        admin = Api(ADMIN)
        try:
            pod = _pod(here)
            delays = [_once(one, admin, f"{pod}/status", number) for number in range(CHANGES + 1)][1:]
        finally:
            admin.close()
        one.run("%jobq stop waits")
    p95 = statistics.quantiles(delays, n=20)[-1] * 1000
    note = f"p50 {statistics.median(delays) * 1000:.0f} ms; from before the API server is told"
    return [Row("change in the API to panel, p95", p95, 0.0, 0.0, "<= 300 ms", p95 <= 300, "ms", note)]


def _once(one: Kernel, admin: Api, path: str, number: int) -> float:
    words = f"0/{9000 + number} nodes are available"
    told: dict[str, Any] = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    told["message"] = f"{words}: 1 Insufficient cpu."
    time.sleep(random.uniform(0.5, 1.5))  # not in step with the panel's own clock, as changes are not
    _drop(one)
    began = time.time()
    admin.ask("PATCH", path, {"status": {"conditions": [told]}})
    while time.time() - began < _PATIENCE:
        message = one.client.get_iopub_msg(timeout=_PATIENCE)
        if words in json.dumps(message["content"]):
            return time.time() - began
    raise SystemExit(f"The panel does not say {words!r} within {_PATIENCE:.0f} s")


def _drop(one: Kernel) -> None:
    while True:
        try:
            one.client.get_iopub_msg(timeout=0)
        except queue.Empty:
            return


def _pod(here: Ground) -> str:
    """The path of the one pod, once the scheduler has refused it."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for pod in get("pods", "-n", here.namespace)["items"]:
            if pod["status"].get("conditions"):
                return f"/api/v1/namespaces/{here.namespace}/pods/{pod['metadata']['name']}"
        time.sleep(0.2)
    raise SystemExit("The pod that no node takes is not there")
