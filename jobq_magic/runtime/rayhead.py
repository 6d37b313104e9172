"""The head of a run's own Ray cluster: Ray, and beside it the job, as in any pod.

Two processes: the container's first one has Ray as its child, and the job's supervisor (`pod`), which knows nothing of
Ray but where its fate is written. Both start at once: only what connects to Ray waits for it. When the job has ended,
that is said to the workers (`rayline`) and to KubeRay's job (`awaited`), and Ray lives on until the container is ended
from outside. A container that is started again finds the job that is over: nothing runs twice, and Ray is there again
for KubeRay to hear of the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

from . import contained, ends, pod, rayline, raypod, supervise, wire
from .main import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .raystate import Watch

PRINTS = "JOBQ_PRINTS"
"""The variable by which `awaited` prints the pod's log, so that it is the log of KubeRay's job, too."""
_LOOK = 0.2
_STARTING = 0.05
_STARTS = 3
"""How often Ray is started where it does not come up: on a slow machine its parts lose patience with each other."""
_VERDICT = 2.0
"""Seconds for which the end of a job that failed waits for what became of Ray."""
_KEPT = 1.0
"""Seconds of the grace that are kept for Ray's own end."""


def main(
    run: str,
    *,
    secret: str = pod.SECRET,
    folder: str = pod.FOLDER,
    bundle: str = pod.BUNDLE,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Runs the head of a run's cluster until the container is ended; returns its exit status.

    Args:
        run: its id.
        secret: where the Secret is mounted.
        folder: where the run's folder is made.
        bundle: what the cell needs.
        environ: what the cell has in its environment beside what the pod has.
    """
    contained.listen()
    ready = raypod.awake()
    job = Job(run, os.path.join(folder, run), 1, bundle)
    gcs, node, port = raypod.ports()
    try:
        first = pod.started(job) == 0
        begun = supervise.read(job) is not None or ends.recorded(job)
        with open(os.path.join(secret, "key"), "rb") as file:
            line = rayline.Line(port, file.read(), ready)
        os.makedirs(job.folder, mode=0o700, exist_ok=True)
    except OSError as error:
        return pod.cannot_begin(job, error)
    supervisor = os.fork()
    if supervisor == 0:
        signal.set_wakeup_fd(-1)
        line.close()
        os._exit(_supervised(job, secret, folder, environ or {}))
    rayline.make_room()
    ray: raypod.Ray | None = None
    status: int | None = None
    asked = told = written = False
    starts = 0
    while True:
        # Whoever finds a job that is over ends what has its mark, as Ray has.
        if ray is None and (status is not None or not begun):
            known = raypod.environment(job, os.path.join(secret, "secrets"))
            ray = raypod.Ray(job.folder, known, gcs, node)
            starts += 1
        buried = raypod.reaped()
        if supervisor in buried:
            status = _status(buried[supervisor])
            if os.WIFSIGNALED(buried[supervisor]) or (first and status == pod.CRASHED):
                break  # a container that is started again says how the job ended
            if contained.called() is None:  # else another head may take its place, and wants these workers
                line.tell()
        if status is not None and not written:
            written = raypod.noted(_ended(job.folder), {"status": status})
        if ray is not None:
            ray.look(buried)
            if ray.ended and not ray.up and starts < _STARTS and contained.called() is None:
                ray.end(_KEPT, spared=supervisor)
                ray = None
                continue
            if ray.ended and not told:
                told = ray.tell()
        called = contained.called()
        if status is not None and (called is not None or (ray is not None and ray.ended)):
            break
        if called is not None and not asked:
            asked = True
            line.hold()
            os.kill(supervisor, signal.SIGTERM)
        line.wait(_STARTING if ray is not None and not ray.up else _LOOK)
        with contextlib.suppress(BlockingIOError):
            os.read(ready, 512)
    line.close()
    if ray is not None:
        ray.end(_KEPT / 2 if asked else _KEPT)
    return status


def _supervised(job: Job, secret: str, folder: str, environ: Mapping[str, str]) -> int:
    """In a process of its own: the job, as in any pod."""
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
        copy=_copy(job.folder) if os.environ.get(PRINTS) else "",
        asked=asked,
        judged=judged,
        kept=_KEPT,
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


def awaited(folder: str = pod.FOLDER) -> int:
    """KubeRay's job in the head: waits until the job beside it has ended, and ends as it did.

    Args:
        folder: where the run's folder is.
    """
    place = os.path.join(folder, os.environ["JOBQ_RUN"])
    at = 0
    while True:
        try:
            with open(_ended(place), encoding="utf-8") as file:
                status: int | None = json.load(file)["status"]
        except FileNotFoundError:
            status = None
        if os.environ.get(PRINTS):
            at = _printed(_copy(place), at)
        if status is not None:
            return status
        time.sleep(0.1)


def _printed(path: str, at: int) -> int:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(at)
        while data := file.read(1 << 16):
            at += len(data)
            while data:
                data = data[os.write(1, data) :]
    return at


def _status(waited: int) -> int:
    code = os.waitstatus_to_exitcode(waited)
    return 128 - code if code < 0 else code


def _ended(folder: str) -> str:
    return os.path.join(folder, "ended.json")


def _copy(folder: str) -> str:
    return os.path.join(folder, "log")
