"""What jobs have kept in the store of their site (`runtime.keeping`), read back on the user's side.

Nothing is used before it was checked: the list of a pod carries the run's signature, and each file has the size and the
sha256 that the list names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import ResultError
from jobq_magic.findings import Finding
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import keeping, stores, wire
from jobq_magic.runtime.stores import StoreFailed

__all__ = ["File", "Kept", "ResultStore", "check_store", "open_store"]

_ADVICE = {
    "credentials": "Set its credentials here, and give them to jobs by --secret or a service account",
    "denied": "Ask who owns it for the right to read, write and delete there",
    "missing": "Make it, or name another one as the store of the profile",
    "packages": "Install them where the notebook runs: pip install {packages}. Images of jobs get them by themselves",
    "name": "Write an fsspec URL such as s3://BUCKET/FOLDER, or pvc://CLAIM/FOLDER",
    "unreachable": "Try again, or look whether this machine may reach it (HTTPS_PROXY, AWS_ENDPOINT_URL)",
    "full": "Make room there, or name another one as the store of the profile",
}
_OFTEN = 0.2
_TRIES = 20.0
"""Seconds for which a store that fails in passing is asked again."""


@dataclass(frozen=True, slots=True)
class File:
    """One file that is kept."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of one pod."""

    pod: str
    """Its uid."""
    name: str
    rank: int | None
    """None: a worker of a Ray cluster, which has none but by who sees it."""
    at: float
    """When it was kept, as seconds since the epoch."""
    files: Mapping[str, File]
    group: str = ""
    """Its Ray cluster, where it has one."""


class ResultStore:
    """A store, as the user's side sees it. Threads may share it.

    Args:
        url: its address.
        environ: where credentials are found.

    Raises:
        ResultError: it cannot be used from here.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.shown = stores.shown(url)
        if stores.protocol_of(url) == "pvc" and not Path(stores.MOUNTED).is_dir():
            raise ResultError(
                "store-claim",
                f"{self.shown} can be read only where that claim is mounted",
                why="A claim of Kubernetes is seen by pods, not by this machine",
                do="Read it in a cell on that cluster: it is mounted there at " + stores.MOUNTED,
            )
        with self._told():
            self._store = stores.open_store(url, environ)

    def pods(self, run: str) -> list[str]:
        """The uids of the pods of a run of which something is kept, in no order.

        Raises:
            ResultError: it cannot be asked.
        """
        with self._told():
            return self._store.pods(run)

    def complete(self, run: str, pod: str, key: bytes) -> Kept | None:
        """What is kept of a pod; None where nothing is, or not all of it.

        Args:
            run: the run's id.
            pod: the uid of its pod.
            key: of the run.

        Raises:
            ResultError: the store cannot be asked, or the list does not carry the run's signature.
        """
        with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
            path = Path(folder, keeping.COMPLETE)
            try:
                self._get(f"{run}/{pod}/{keeping.COMPLETE}", path)
            except StoreFailed as failed:
                if failed.kind == "absent":
                    return None
                raise self._refused(failed) from failed
            try:
                told = keeping.unseal(path.read_bytes(), run, pod, key)
                files = {name: File(int(one["size"]), str(one["sha256"])) for name, one in told["files"].items()}
                for name in files:
                    stores.checked(name)
                rank = None if told["rank"] is None else int(told["rank"])
                return Kept(pod, str(told["name"]), rank, float(told["at"]), files, str(told.get("group", "")))
            except (wire.Damaged, StoreFailed, ValueError, LookupError, TypeError, AttributeError) as error:
                raise self._damaged(run, str(error)) from error

    def fetch(self, run: str, kept: Kept, name: str, to: Path) -> None:
        """Brings one file here; it takes its place only when it is what was kept.

        Args:
            run: the run's id.
            kept: what is kept of its pod.
            name: of the file: `stdout`, `values/<sha256>`, ...
            to: the path that it gets; its folder is made where missing.

        Raises:
            ResultError: it could not be had, or is not what was kept.
        """
        wanted = kept.files[name]
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.parent / f".{os.getpid()}.{time.monotonic_ns()}"
        try:
            try:
                self._get(f"{run}/{kept.pod}/{name}", partial)
            except StoreFailed as failed:
                raise self._refused(failed) from failed
            if _facts(partial) != wanted:
                raise self._damaged(run, f"{name} is not what was kept")
            partial.replace(to)
        finally:
            partial.unlink(missing_ok=True)

    def restore(self, run: str, kept: Kept, key: bytes, paths: AttemptPaths, *, attempt: int) -> int:
        """Brings all files of a pod into an attempt's folder, where they are not there as they should be.

        A pod does not know its attempt: its result is signed for the first one, and is signed anew for that which it
        was. The record is not brought: what of it goes on the run's record is not ours to say (see `record`).

        Args:
            run: the run's id.
            kept: what is kept of its pod.
            key: of the run.
            paths: of the attempt, or of a worker of it.
            attempt: which one it was.

        Returns:
            How many bytes had to travel.

        Raises:
            ResultError: something could not be had, or is not what was kept.
        """
        travelled = 0
        order = sorted(kept.files, key=lambda name: name == "result.json")  # last: who finds it finds the values
        for name in order:
            values = name.startswith("values/")
            if name not in keeping.FILES and not values:
                continue
            to = paths.folder / name
            wanted = kept.files[name]
            if name == "result.json":
                travelled += self._restore_result(run, kept, key, to, attempt)
            elif not to.is_file() or to.stat().st_size != wanted.size or _facts(to) != wanted:
                self.fetch(run, kept, name, to)
                travelled += wanted.size
        return travelled

    def record(self, run: str, kept: Kept) -> list[dict[str, object]]:
        """What the pod's own record says, event by event; nothing where it had none.

        Raises:
            ResultError: it could not be had, or is not what was kept.
        """
        if "record.jsonl" not in kept.files:
            return []
        with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
            path = Path(folder, "record.jsonl")
            self.fetch(run, kept, "record.jsonl", path)
            return wire.read_events(path)

    def delete(self, run: str) -> None:
        """Removes all that is kept of a run; nothing is fine, too.

        Raises:
            ResultError: it could not.
        """
        with self._told():
            self._store.remove(run)

    def close(self) -> None:
        """Ends what connections there are."""
        self._store.close()

    def _restore_result(self, run: str, kept: Kept, key: bytes, to: Path, attempt: int) -> int:
        with contextlib.suppress(OSError, wire.Damaged, ValueError):
            wire.unseal(to.read_bytes(), key, run=run, attempt=attempt)
            return 0
        with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
            path = Path(folder, "result.json")
            self.fetch(run, kept, "result.json", path)
            try:
                result = wire.unseal(path.read_bytes(), key, run=run, attempt=1)
            except (wire.Damaged, ValueError) as error:
                raise self._damaged(run, str(error)) from error
        to.parent.mkdir(parents=True, exist_ok=True)
        wire.replace_file(to, wire.seal({**result, "attempt": attempt}, key))
        return kept.files["result.json"].size

    def _get(self, at: str, to: Path) -> None:
        """Gets a file, also from a store that fails in passing."""
        until, pause = time.monotonic() + _TRIES, _OFTEN
        while True:
            try:
                return self._store.get(at, str(to))
            except StoreFailed as failed:
                if not failed.again or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause *= 2

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except StoreFailed as failed:
            raise self._refused(failed) from failed

    def _refused(self, failed: StoreFailed) -> ResultError:
        what, _, why = failed.what.partition(": ")
        do = _advice(failed, self.shown)
        return ResultError(f"store-{failed.kind}", f"The store {self.shown} {what}", why=why, do=do)

    def _damaged(self, run: str, why: str) -> ResultError:
        return ResultError(
            "result-damaged", f"What {self.shown} keeps of {run} was changed since, and is not used", why=why
        )


def _facts(path: Path) -> File:
    with path.open("rb") as file:
        return File(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=file.tell())


def _advice(failed: StoreFailed, url: str) -> str:
    return _ADVICE.get(failed.kind, "").format(packages=stores.needs(url).replace(" and ", " "))


def open_store(url: str, environ: Mapping[str, str]) -> ResultStore:
    """The store of a site; see `ResultStore`. Nothing is asked of it yet."""
    return ResultStore(url, environ)


def check_store(url: str, environ: Mapping[str, str]) -> Finding:
    """Whether a store can be written, read and deleted from here, by a small object; never raises."""
    shown = stores.shown(url)
    if stores.protocol_of(url) == "pvc" and not Path(stores.MOUNTED).is_dir():
        return Finding("store", "unknown", f"{shown} is seen by pods only, so it was not tried from here")
    run, pod = f"jobq-check-{uuid.uuid4().hex[:12]}", "pod"
    try:
        store = stores.open_store(url, environ)
        try:
            with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
                sent, back = Path(folder, "sent"), Path(folder, "back")
                sent.write_bytes(uuid.uuid4().bytes)
                store.put(f"{run}/{pod}/sent", str(sent))
                store.publish(run, pod)
                store.get(f"{run}/{pod}/sent", str(back))
                if back.read_bytes() != sent.read_bytes():
                    return Finding("store", "problem", f"The store {shown} gives back something else than it was given")
            try:
                store.remove(run)
            except StoreFailed as failed:
                what = f"The store {shown} is written and read, but nothing can be deleted there: it {failed.what}"
                return Finding("store", "warning", what, f"Delete {run} there, and what else is left, by other means")
        finally:
            store.close()
    except StoreFailed as failed:
        # Jobs may have what this machine lacks: their service account, the network of their cluster.
        ours = failed.kind in {"credentials", "unreachable", "packages"}
        what, advice = f"The store {shown} {failed.what}", _advice(failed, shown)
        return Finding("store", "warning" if ours else "problem", what, advice)
    return Finding("store", "ok", f"The store {shown} is written, read and deleted from here")
