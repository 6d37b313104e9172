"""What a job leaves is kept in the store of its site, so that it outlives its pod and its Job.

    <store>/<run>/<pod's uid>/  stdout  stderr  order  displays.jsonl  ...  record.jsonl  values/<sha256>
                                complete.json   last of all, and signed: each file with its size and sha256

All of it goes there always, also what the log has carried: what is there is whole, whatever becomes of the log.

The supervisor calls `keep` when the job has ended. The work is done by a process of its own (`python -P -m
_jobq_runtime.keeping`), since it imports packages of the user, who may have broken ones, and since the job's secrets,
among which the store's credentials may be, are no affair of the first process.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from . import wire
from .main import POD, POD_UID, Job, rank
from .sites import configured
from .stores import Store, StoreFailed, open_store, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Self

COMPLETE = "complete.json"
PATIENCE = 90.0
"""Seconds for which a store that fails is asked again, for each file anew."""
_SLOWEST = 1 << 20
"""Bytes a second, and beside them ten minutes, below which a store holds the job's machine for nothing."""
_LONGEST = 600.0
FILES = (
    *("result.json", "stdout", "stderr", "order", "displays.jsonl", "usage.json", "progress.json"),
    *("ray.json", "raypast.json"),
)
"""Of an attempt, beside its values, and the record."""
_VALUE = re.compile(r"[0-9a-f]{64}")
_TOLD_FROM = 8 << 20
"""Bytes from which it is worth saying how far it is."""
_KIND = "complete"
_CLUSTER = "RAY_CLUSTER_NAME"
"""KubeRay's variable with the Ray cluster that a pod belongs to."""


def keep(
    job: Job,
    *,
    secrets: str = "",
    beat: Callable[[], object] = lambda: None,
    late: Callable[[], bool] = lambda: False,
    worker: bool = False,
) -> bool:
    """Keeps what a job left; where that fails, a note on the record says so, and nothing else changes.

    Args:
        job: which has ended.
        secrets: a file of JSON with variables that only the job has: the store's credentials may be among them.
        beat: called again and again meanwhile.
        late: whether there is no time left, since the pod is to be gone.
        worker: it is one of a Ray cluster, which has no rank but by who sees it.

    Returns:
        Whether it is kept, all of it. False also where there is no store.
    """
    store = configured(job)
    if not store:
        return False
    command = [sys.executable, "-P", "-m", f"{__package__}.keeping", job.run, job.folder, job.attempt, job.given]
    command += ["worker"] if worker else []
    limit = time.monotonic() + _LONGEST + sum(os.path.getsize(path) for _, path in _left(job)) / _SLOWEST
    with tempfile.TemporaryFile() as answer:
        child = subprocess.Popen(
            list(map(str, command)),
            env=_environ(secrets),
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=subprocess.DEVNULL,
        )
        told = ""
        while child.poll() is None:
            if late() or time.monotonic() > limit:
                child.kill()
                child.wait()
                told = "did not take it in the time that there was"
                break
            beat()
            time.sleep(0.05)
        answer.seek(0)
        told = told or _read(answer.read())
    if told:
        job.note(note=f"Result and log could not be kept in {shown(store)}, which {told}")
    return not told


def _read(answer: bytes) -> str:
    """What the process said went wrong; "" where nothing did."""
    try:
        return str(json.loads(answer.splitlines()[-1])["failed"])
    except (ValueError, LookupError, TypeError):
        return "could not be spoken to: the process that was to do it died"


def _environ(secrets: str) -> dict[str, str]:
    try:
        with open(secrets, encoding="utf-8") as file:
            return {**os.environ, **json.load(file)}
    except (OSError, ValueError):
        return dict(os.environ)


def _pod() -> tuple[str, str]:
    """Of the pod that we are in: its uid, or where nobody tells it its name; and its name."""
    name = os.environ.get(POD) or os.environ.get("HOSTNAME") or "pod"
    return os.environ.get(POD_UID) or name, name


def put(
    job: Job,
    store: Store,
    pod: str,
    *,
    name: str = "",
    rank: int | None = 0,
    group: str = "",
    patience: float = PATIENCE,
) -> None:
    """Brings all that a job left into a store, and at last the list of it.

    Args:
        job: which has ended.
        store: where to.
        pod: its uid.
        name: of the pod.
        rank: which worker it was, None for one of a Ray cluster; values come back from the first one only.
        group: that Ray cluster.
        patience: seconds for which a store that fails is asked again.

    Raises:
        StoreFailed: it could not.
    """
    with open(os.path.join(job.folder, "key"), "rb") as file:
        key = file.read()
    left = {place: path for place, path in _left(job) if rank == 0 or not place.startswith("values/")}
    sizes = {place: os.path.getsize(path) for place, path in left.items()}
    done, total = 0, sum(sizes.values())
    files: dict[str, dict[str, Any]] = {}
    with _Progress(os.path.join(job.out, "progress.json"), total) as progress:
        for place, path in left.items():
            files[place] = _put(store, f"{job.run}/{pod}/{place}", path, patience)
            done += sizes[place]
            progress.tell(done)
        # After everything else: who finds it finds all.
        with tempfile.NamedTemporaryFile(prefix="jobq-") as complete:
            complete.write(seal(job.run, pod, files, key, rank=rank, name=name, group=group))
            complete.flush()
            _put(store, f"{job.run}/{pod}/{COMPLETE}", complete.name, patience)
        _patiently(lambda: store.publish(job.run, pod), patience)


def _left(job: Job) -> Iterator[tuple[str, str]]:
    """Names and paths of what there is to keep; what shows it is changed while it is kept, so it goes first."""
    paths = {name: os.path.join(job.out, name) for name in reversed(FILES)}
    paths["record.jsonl"] = job.record
    for name, path in paths.items():
        if os.path.exists(path):
            yield name, path
    values = os.path.join(job.out, "values")
    for name in sorted(os.listdir(values)) if os.path.isdir(values) else ():
        if _VALUE.fullmatch(name):
            yield f"values/{name}", os.path.join(values, name)


def _put(store: Store, at: str, path: str, patience: float) -> dict[str, Any]:
    while True:
        before = _facts(path)
        _patiently(lambda: store.put(at, path), patience)
        if os.path.getsize(path) == before["size"]:  # else somebody has added to it meanwhile
            return before


def _facts(path: str) -> dict[str, Any]:
    name = os.path.basename(path)
    if os.path.basename(os.path.dirname(path)) == "values" and _VALUE.fullmatch(name):  # it is named by its digest
        return {"size": os.path.getsize(path), "sha256": name}
    with open(path, "rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": file.tell()}


def _patiently(do: Callable[[], None], patience: float) -> None:
    """Does it, again and again where that may help."""
    until, pause = time.monotonic() + patience, 0.25
    while True:
        try:
            return do()
        except StoreFailed as failed:
            if not failed.again or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 8.0)


class _Progress:
    """One more line of the job's progress, for as long as it is of interest."""

    def __init__(self, path: str, total: int) -> None:
        self._path = path
        self._total = total if total >= _TOLD_FROM else 0
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        try:
            with open(self._path, encoding="utf-8") as file:
                self._before = json.load(file)
        except (OSError, ValueError):
            self._before = []
        return self

    def tell(self, done: int) -> None:
        if self._total:
            self._write([{"label": "keeping", "done": done, "total": self._total, "unit": "bytes"}])

    def __exit__(self, *_: object) -> None:
        if self._total:
            self._write([])

    def _write(self, more: list[Any]) -> None:
        try:
            wire.replace_file(self._path, json.dumps([*self._before, *more]).encode())
        except OSError:  # the disk is full: nobody is told how far it is
            return


def seal(
    run: str,
    pod: str,
    files: Mapping[str, Mapping[str, Any]],
    key: bytes,
    *,
    rank: int | None = 0,
    name: str = "",
    group: str = "",
) -> bytes:
    """`complete.json`: what is kept of a pod, signed as results are.

    Args:
        run: the run.
        pod: the uid of its pod.
        files: of each name `size` and `sha256`.
        key: of the run.
        rank: which worker it was; see `put`.
        name: of the pod.
        group: its Ray cluster.
    """
    told = {"run": run, "attempt": 1, "kind": _KIND, "pod": pod, "rank": rank, "name": name, "group": group}
    return wire.seal({**told, "at": time.time(), "files": {name: dict(facts) for name, facts in files.items()}}, key)


def unseal(data: bytes, run: str, pod: str, key: bytes) -> dict[str, Any]:
    """What `complete.json` says: `pod`, `rank`, `name`, `group`, `at`, `files`.

    Raises:
        wire.Damaged: it is not signed by this run, or is of another pod.
    """
    try:
        told = wire.unseal(data, key, run=run, attempt=1)
    except wire.Damaged as error:
        raise wire.Damaged(str(error).replace("result.json", COMPLETE)) from error
    if (told.get("kind"), told.get("pod")) != (_KIND, pod):
        raise wire.Damaged(f"{COMPLETE} is of another pod")
    return told


def _main(run: str, folder: str, attempt: str, given: str = "", part: str = "") -> None:
    """What the process does: it says on one line what went wrong, "" where nothing did."""
    job = Job(run, folder, int(attempt), given)
    failed = ""
    try:
        store = open_store(configured(job), os.environ)
        pod, name = _pod()
        put(job, store, pod, name=name, rank=None if part == "worker" else rank(), group=os.environ.get(_CLUSTER, ""))
        store.close()
    except StoreFailed as error:
        failed = error.what
    except Exception as error:  # of a package of the user's, or a disk that is full
        failed = f"failed: {type(error).__name__}"
    sys.stdout.write(json.dumps({"failed": failed}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads of fsspec are no reason to stay


if __name__ == "__main__":
    _main(*sys.argv[1:])
