"""The head of a run's own Ray cluster: Ray, and beside it the job, as in any pod.

Two processes: the container's first one has Ray as its child, and the job's supervisor (`pod`), which knows nothing of
Ray but where its fate is written. Both start at once: only what connects to Ray waits for it. When the job has ended,
that is said to the workers (`rayline`) and to KubeRay's job (`awaited`), and Ray lives on until the container is ended
from outside. A container that is started again finds the job that is over: nothing runs twice, and Ray is there again
for KubeRay to hear of the end.
"""

from __future__ import annotations

import contextlib
import os
import signal

from . import contained, ends, pod, rayawaited, raycell, rayline, raypod, supervise
from .main import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOK = 0.2
_STARTING = 0.05
_STARTS = 3
"""How often Ray is started where it does not come up: on a slow machine its parts lose patience with each other."""
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
    try:
        first = pod.started(job) == 0
        begun = supervise.read(job) is not None or ends.recorded(job)
        with open(os.path.join(secret, "key"), "rb") as file:
            line = rayline.Line(raypod.ports()[2], file.read(), ready)
        os.makedirs(job.folder, mode=0o700, exist_ok=True)
    except OSError as error:
        return pod.cannot_begin(job, error)
    supervisor = os.fork()
    if supervisor == 0:
        signal.set_wakeup_fd(-1)
        line.close()
        os._exit(raycell.main(job, secret=secret, folder=folder, environ=environ or {}, kept=_KEPT))
    rayline.make_room()
    head = _Head(job, secret, line, supervisor, first=first, begun=begun)
    while head.goes_on():
        line.wait(head.patience)
        with contextlib.suppress(BlockingIOError):
            os.read(ready, 512)
    line.close()
    return head.end()


class _Head:
    """What the container's first process knows of its two children.

    Args:
        job: whose head this is.
        secret: where the Secret is mounted.
        line: by which its workers hear of the end.
        supervisor: the process that has the job.
        first: whether this is the first container.
        begun: whether an earlier one had begun the job.
    """

    def __init__(self, job: Job, secret: str, line: rayline.Line, supervisor: int, *, first: bool, begun: bool) -> None:
        self._job, self._secret, self._line, self._supervisor = job, secret, line, supervisor
        self._first, self._begun = first, begun
        self._ray: raypod.Ray | None = None
        self._starts = 0
        self._status: int | None = None
        """The exit status of the job."""
        self._asked = self._told = self._written = False

    @property
    def patience(self) -> float:
        """Seconds until the next look, where nothing happens."""
        return _STARTING if self._ray is not None and not self._ray.up else _LOOK

    def goes_on(self) -> bool:
        """Looks at both, and does what is due; whether there is more to come."""
        # Whoever finds a job that is over ends what has its mark, as Ray has.
        if self._ray is None and (self._status is not None or not self._begun):
            self._start()
        buried = raypod.reaped()
        if self._supervisor in buried and not self._has_ended(buried[self._supervisor]):
            return False
        if self._status is not None and not self._written:
            self._written = raypod.noted(rayawaited.ended(self._job.folder), {"status": self._status})
        self._look(buried)
        called = contained.called()
        if self._status is not None and (called is not None or (self._ray is not None and self._ray.ended)):
            return False
        if called is not None and not self._asked:
            self._asked = True
            self._line.hold()
            os.kill(self._supervisor, signal.SIGTERM)
        return True

    def _start(self) -> None:
        known = raypod.environment(self._job, os.path.join(self._secret, "secrets"))
        gcs, node, _ = raypod.ports()
        self._ray = raypod.Ray(self._job.folder, known, gcs, node)
        self._starts += 1

    def _has_ended(self, waited: int) -> bool:
        """The job has; whether it came to an end, and its workers are to hear of it."""
        self._status = _status(waited)
        if os.WIFSIGNALED(waited) or (self._first and self._status == pod.CRASHED):
            return False  # a container that is started again says how the job ended
        if contained.called() is None:  # else another head may take its place, and wants these workers
            self._line.tell()
        return True

    def _look(self, buried: Mapping[int, int]) -> None:
        """Sees what became of Ray, which is started again where it did not come up."""
        if self._ray is None:
            return
        self._ray.look(buried)
        if self._ray.ended and not self._ray.up and self._starts < _STARTS and contained.called() is None:
            self._ray.end(_KEPT, spared=self._supervisor)
            self._start()
        elif self._ray.ended and not self._told:
            self._told = self._ray.tell()

    def end(self) -> int:
        """Ends Ray; the exit status of the container."""
        if self._ray is not None:
            self._ray.end(_KEPT / 2 if self._asked else _KEPT)
        assert self._status is not None
        return self._status


def _status(waited: int) -> int:
    code = os.waitstatus_to_exitcode(waited)
    return 128 - code if code < 0 else code
