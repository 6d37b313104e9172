"""The job in the head of a Ray cluster: as in any pod, but that what becomes of Ray decides how it ends, too."""

from __future__ import annotations

import json
import os
import sys
import time

from . import contained, ends, pod, rayawaited, raypod, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .main import Job
    from .raystate import Watch

_STARTING = 0.05
_VERDICT = 2.0
"""Seconds for which the end of a job that failed waits for what became of Ray."""


def main(job: Job, *, secret: str, folder: str, environ: Mapping[str, str], kept: float) -> int:
    """Runs the job, in a process of its own; returns its exit status.

    Args:
        job: which.
        secret: where the Secret is mounted.
        folder: where the run's folder is made.
        environ: what the cell has in its environment beside what the pod has.
        kept: seconds of the grace that Ray's own end takes.
    """
    known = {
        **raypod.environment(job, ""),
        raypod.STATE: raypod.state(job.folder),
        "RAY_ADDRESS": f"127.0.0.1:{raypod.ports()[0]}",
        "RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": raypod.HOOK}),
        **raypod.PLAIN,
        # Nor does it say that no node has room, while workers are on their way: that is the cluster's to say.
        "RAY_SCHEDULER_EVENTS": "0",
        **environ,
    }
    watch: Watch | None = None

    def asked(job: Job) -> str:
        nonlocal watch
        if watch is None and raypod.fate(job.folder) == {}:
            from . import raystate  # with what it imports, 20 ms; the cell was forked off long ago, without a thread

            with open(os.path.join(secret, "key"), "rb") as file:
                key = file.read()
            watch = raystate.Watch(job.out, raypod.token(key), note=lambda text: job.note(note=text)).start()
        return _asked(job)

    def judged(event: dict[str, Any]) -> dict[str, Any]:
        if watch is not None:
            watch.close()
        return _judged(job, event)

    status = pod.main(
        job.run,
        secret=secret,
        folder=folder,
        bundle=job.bundle,
        environ=known,
        copy=rayawaited.copy(job.folder) if os.environ.get(rayawaited.PRINTS) else "",
        asked=asked,
        judged=judged,
        kept=kept,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _asked(job: Job) -> str:
    """Why the job is to end. What became of Ray no longer counts once there is a result."""
    if reason := contained.asked(job):
        return reason
    known = raypod.fate(job.folder)
    return str(known["reason"]) if known and not os.path.exists(os.path.join(job.out, "result.json")) else ""


def _judged(job: Job, event: dict[str, Any]) -> dict[str, Any]:
    """How the job ended: where it did so without a result since Ray was gone, that is why."""
    if event.get("result") or contained.called() is not None or ends.asked(job) or event["reason"] == "deadline":
        return event
    if event["reason"] == "no-result" and any(one.get("reason") == "stopped" for one in wire.read_events(job.record)):
        # An earlier container was ended, and its pod stays: nobody but its node does that, by the probe.
        return {"phase": "failed", "reason": "not-answering"}
    deadline = time.monotonic() + _VERDICT
    gone = raypod.fate(job.folder) is not None and not raypod.answers(*raypod.ports()[:2])
    while gone and not raypod.fate(job.folder) and time.monotonic() < deadline:
        time.sleep(_STARTING)
    if not (known := raypod.fate(job.folder)):
        if event["reason"] == "out-of-memory":  # it is the head's, for which there is an option of its own
            return {**event, "facts": {**event["facts"], "part": "head"}}
        return event
    kept = {name: event[name] for name in event if name == "note"}
    return {"phase": "failed", "reason": known["reason"], "facts": {"said": known["error"]}, **kept}
