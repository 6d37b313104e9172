"""A worker of a run's own Ray cluster: Ray, and what its tasks print and display, carried through the pod's log.

All worker processes of the pod write to one folder (`rayworker`). When the head says that the job has ended, its worker
processes end; what they left is carried, the end is said, and all of it goes into the store, where there is one, so
that who follows the run waits for no store. Ray lives on until the container is ended from outside,
and then for as long as the job in the head says its last words, where that is ended, too.
"""

from __future__ import annotations

import contextlib
import os
import select
import time

from . import contained, marks, outputs, pod, process, rayline, raypod, sampler
from .carrier import STREAMS, Carrier
from .main import Job

_HOST = "FQ_RAY_IP"
"""KubeRay's variable with the name of the head's service."""
_HOOKED = b"__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR=" + raypod.HOOK["worker_process_setup_hook"].encode()
"""What Ray puts into the environment of the job's worker processes, and of no other."""
_HURRY, _LEFT = 3.0, 3.0
"""Seconds after SIGTERM for which the store may take once the job has ended, since who ends it then has read all, most
likely, and wants its CPUs; and seconds of the grace that are left for Ray where it is ended before."""
_QUIET = 0.2
"""Seconds without a byte after which nothing more comes of processes that are gone."""
_PATIENCE = 1.5
"""Seconds for which they may take to be gone; then they are ended, as Ray does not end all: a detached actor, or those
of a head that is dead."""


def main(run: str, *, secret: str = pod.SECRET, folder: str = pod.FOLDER, bundle: str = pod.BUNDLE) -> int:
    """Runs a worker of a run's cluster until the container is ended; returns its exit status.

    Args:
        run: its id.
        secret: where the Secret is mounted.
        folder: where the run's folder is made.
        bundle: what the definitions need.
    """
    contained.listen()
    ready = raypod.awake()
    job = Job(run, os.path.join(folder, run), 1, bundle)
    try:
        key, begun = pod.lay_out(job, secret)
        order = outputs.Order(job.out)
    except OSError as error:
        return pod.cannot_begin(job, error)
    log, loud = pod.streams(job)
    carrier = Carrier(job, key, log, worker=True, **begun)
    _, node, line = raypod.ports()
    try:
        ray = raypod.Ray(job.folder, raypod.environment(job, os.path.join(secret, "secrets")), node)
        head = rayline.Hearing(os.environ.get(_HOST, "127.0.0.1"), line, key)
        usage = sampler.of_job(job.out, ray.pid, adopted=False)
        ending: float | None = None
        leaves = said = False
        while not ray.ended:
            if contained.called() is not None:
                if not leaves:
                    head.leave()
                leaves = True
                if said or head.free.is_set() or pod.late(pod.grace() / 3):  # which what it has to say may take
                    break
            ray.look(raypod.reaped())
            order.sample()
            usage.sample()
            more = False if said else carrier.beat()
            if ending is None and head.ended.is_set():
                ending = time.monotonic()
            if ending is not None and not said and _settled(job, ending):
                order.sample()
                said = carrier.finish(0, pod.late)
                _keep(job, secret, spare=pod.grace() - _HURRY)
            select.select([ready], [], [], 0 if more else outputs.SAMPLE_PERIOD)
            with contextlib.suppress(BlockingIOError):
                os.read(ready, 512)
        lost = contained.called() is None
        ray.end(1.0)  # what its worker processes still say is carried
        if not said:
            order.sample()
            said = carrier.finish(pod.LOST if lost else pod.CALLED, pod.late)
            if not lost:  # else the next container has it all
                _keep(job, secret, spare=_LEFT)
    except Exception:
        return pod.crashed(loud)
    if lost:
        return pod.LOST
    return 0 if said else pod.UNCARRIED


def _keep(job: Job, secret: str, *, spare: float) -> None:
    """Brings what it has into the store; nobody hears where that fails: the end was said."""
    with contextlib.suppress(OSError):
        pod.keeper(secret, worker=True, spare=spare)(job, lambda: None)


def _settled(job: Job, since: float) -> bool:
    """Whether nothing more comes of the job's worker processes, which were told to end at that time."""
    waited = time.monotonic() - since
    left = [pid for pid in process.descendants(os.getpid()) if _HOOKED in marks.environment_of(pid)]
    if waited > _PATIENCE:
        for pid in left:
            process.end_tree(pid, 0.0)
    grown = max(os.stat(os.path.join(job.out, name)).st_mtime for name in STREAMS)
    quiet = not left and waited > _QUIET and time.time() - grown > _QUIET
    return quiet or waited > 2 * _PATIENCE
