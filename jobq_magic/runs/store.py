"""Store: the folder of all runs, and what may be asked of it and written into it.

    <root>/runs/<id>/...        one folder a run; its files are named by `run.RunPaths`
    <root>/runs/.<id>.<what>    a folder that is being opened (`new`) or removed (`gone`); no reader looks at it
    <root>/values/...           large values that several runs hold; see `pool`

The folders are the truth. What makes listing fast (`runs.index`) lies on local disk and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import sys
import threading
import time
import unicodedata
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from jobq_magic.bundle import Account
from jobq_magic.errors import StoreError
from jobq_magic.places import runtime_dir, store_root
from jobq_magic.raytold import RayTold
from jobq_magic.run import AttemptPaths, Run, RunPaths
from jobq_magic.runs import log, readings
from jobq_magic.runtime.process import this_host
from jobq_magic.runtime.wire import append_event, replace_file
from jobq_magic.snapshot import Phase, Snapshot, Usage

if TYPE_CHECKING:
    from jobq_magic.runs.index import Index

__all__ = ["Store", "runtime_dir"]

_Runs: TypeAlias = list[Run]  # inside Store, `list` is its method

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
DAY = 86_400.0
"""Seconds between two prunes that nobody asked for."""
_REMEMBERED = 1024
"""Snapshots kept by a Store, so that a face that asks four times a second reads only what is new."""


_BEFORE = frozenset({Phase.CAPTURING, Phase.SUBMITTING, Phase.QUEUED})
"""Phases in which there is neither progress nor usage: many runs wait, and each is looked at again and again."""
_MANY, _FRESH = 8, 0.5
"""What more workers than this use is read anew only after so many seconds: each has a file of its own."""


class _Picture(NamedTuple):
    """What was read of a run: its record, and what was said last of its phase, each with the signature of its file."""

    record: object
    told: Snapshot
    standing: object
    now: Snapshot


class Store:
    """The runs in one folder.

    Args:
        root: the folder; by default JOBQ_HOME, or else the user's folder for state. It is made when a run is opened.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root.absolute() if root is not None else store_root()
        self.runs = self.root / "runs"
        self.values = self.root / "values"
        """The pool of value groups that runs share."""
        self._remembering = threading.Lock()
        self._pictures: dict[str, _Picture] = {}
        self._usages: dict[AttemptPaths, tuple[float, tuple[Usage, ...]]] = {}
        self._rays: dict[AttemptPaths, tuple[object, RayTold | None]] = {}

    def open(
        self,
        *,
        spec: Mapping[str, Any],
        target: Mapping[str, Any],
        name: str,
        headless: bool = False,
        cell: Mapping[str, Any] | None = None,
    ) -> Run:
        """A new run, on disk as a whole: folder, key, identity, and the first line of its record.

        Raises:
            StoreError: the store is read-only, full, or no folder.
        """
        with self.writing():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.runs.mkdir(mode=0o700, exist_ok=True)
            while True:
                identity = f"{_slug(name)}-{secrets.token_hex(4)}"
                run = Run(
                    id=identity,
                    name=name,
                    created=time.time(),
                    spec=dict(spec),
                    target=dict(target),
                    host=dict(this_host()),
                    interpreter=sys.executable,
                    headless=headless,
                    cell=dict(cell or {}),
                    folder=self.runs / identity,
                )
                try:
                    self._make(run)
                except FileExistsError:
                    continue
                break
            self._prune_daily()
        return run

    def _make(self, run: Run) -> None:
        """Makes the folder beside, then renames it: a reader sees a whole run or none."""
        beside = RunPaths(self.runs / f".{run.id}.new")
        beside.folder.mkdir(mode=0o700)
        try:
            descriptor = os.open(beside.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
            beside.identity.write_text(run.to_json(), encoding="utf-8")
            append_event(beside.record, {"phase": Phase.CAPTURING, "at": run.created})
            try:
                beside.folder.rename(run.folder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise FileExistsError(errno.EEXIST, run.id) from error
                raise
        except BaseException:
            import shutil

            shutil.rmtree(beside.folder, ignore_errors=True)
            raise

    def _prune_daily(self) -> None:
        """Once a day, lets retention do its work aside; opening a run is when the disk grows."""
        mark = self.root / "pruned"
        try:
            if time.time() - mark.stat().st_mtime < DAY:
                return
        except FileNotFoundError:  # a new store: the first time is tomorrow
            mark.touch()
            return
        from jobq_magic.runs.retention import daily

        def work() -> None:
            with contextlib.suppress(StoreError):  # whoever next needs the store is told
                daily(self)

        threading.Thread(target=work, name="jobq-prune", daemon=True).start()

    # Asking

    def get(self, identity: str) -> Run:
        """The run with exactly this id.

        Raises:
            StoreError: `unknown-run`.
        """
        if run := self._load(identity):
            return run
        raise self._unknown(identity)

    def holds(self, identity: str) -> bool:
        """Whether there is a run with exactly this id."""
        return self._load(identity) is not None

    def find(self, ref: str) -> Run:
        """The run that `ref` means: an id, a name (its newest run), a unique beginning of an id, or `-1` for the last.

        Raises:
            StoreError: `unknown-run`, `ambiguous-run`.
        """
        ref = ref.strip().encode(errors="replace").decode()  # a terminal can pass bytes that are no text
        if run := self._load(ref):
            return run
        with self.reading():
            index = self._index()
            if re.fullmatch(r"-[1-9][0-9]{0,8}", ref):
                found = index.newest(limit=1, skip=int(ref[1:]) - 1)
            else:
                found = index.named(ref) or index.starting(ref, limit=4)
        if not found:
            raise self._unknown(ref)
        if len(found) > 1:
            raise StoreError(
                "ambiguous-run",
                f"{ref} is the beginning of more than one run: "
                + ", ".join(run.id for run in found[:3])
                + (", ..." if len(found) > 3 else ""),
                do="Give more of the id",
            )
        return found[0]

    def list(self, *, live: bool = False, limit: int | None = None) -> _Runs:
        """The runs, newest first.

        Args:
            live: only those that have not ended.
            limit: at most so many.
        """
        if live:
            return [run for run in self.due() if not self.snapshot(run).final][:limit]
        with self.reading():
            return self._index().newest(limit=limit)

    def due(self, beside: Container[str] = ()) -> _Runs:
        """The runs that want somebody to look after them, newest first.

        Those are live, or have ended and their place has not let go of them yet; some may have been let go of by now.

        Args:
            beside: ids of runs that the caller has already; they are left out, and their records are not read.
        """
        with self.reading():
            return self._index().due(beside)

    def snapshot(self, run: Run) -> Snapshot:
        """What the record of a run amounts to now, with its newest progress and usage.

        Raises:
            StoreError: the run is gone (`unknown-run`), or cannot be read.
        """
        with self.reading():
            record = _signature(run.paths.record)
            if record is None and not run.folder.exists():
                raise self._pruned(run)
            picture = self._picture(run, record)
            if picture.phase in _BEFORE:
                return picture
            paths = run.paths.attempt(picture.attempt)
            building = picture.phase is Phase.BUILDING
            progress = readings.progress(run.paths.building if building else paths.progress)
            usage, ray = self._usage(paths, led=picture.led), self._ray(paths)
        return replace(picture, progress=progress, usage=usage, ray=ray) if progress or usage or ray else picture

    def _picture(self, run: Run, record: object) -> Snapshot:
        """What the record amounts to, with what was said last of its phase; only what is new is read."""
        kept = self._pictures.get(run.id)
        told = kept.told if kept is not None and kept.record == record else log.picture(run)
        path = run.paths.attempt(told.attempt).standing
        standing = None if told.final else _signature(path)
        if kept is not None and kept.told is told and kept.standing == standing:
            return kept.now
        now = told if standing is None else readings.standing(told, path)
        with self._remembering:  # the follower's threads share a store
            while len(self._pictures) >= _REMEMBERED:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[run.id] = _Picture(record, told, standing, now)
        return now

    def _usage(self, paths: AttemptPaths, *, led: bool) -> tuple[Usage, ...]:
        kept = self._usages.get(paths)
        if kept is not None and time.monotonic() - kept[0] < _FRESH:
            return kept[1]
        told = readings.usages(paths, led=led)
        if len(told) > _MANY:
            with self._remembering:
                while len(self._usages) >= _REMEMBERED:
                    self._usages.pop(next(iter(self._usages)))
                self._usages[paths] = time.monotonic(), told
        return told

    def _ray(self, paths: AttemptPaths) -> RayTold | None:
        """What Ray said; read anew only where it has said something else."""
        now = _signature(paths.ray)
        if now is None:
            return None
        signature = now, _signature(paths.ray_past)
        kept = self._rays.get(paths)
        if kept is not None and kept[0] == signature:
            return kept[1]
        told = readings.ray(paths)
        with self._remembering:
            while len(self._rays) >= _REMEMBERED:
                self._rays.pop(next(iter(self._rays)))
            self._rays[paths] = signature, told
        return told

    def key(self, run: Run) -> bytes:
        """The run's own key, which signs its results."""
        with self.reading():
            return run.paths.key.read_bytes()

    def handle(self, run: Run) -> dict[str, Any] | None:
        """What the backend left to find the job again; None before it was submitted."""
        with self.reading():
            try:
                known: dict[str, Any] = json.loads(run.paths.handle.read_bytes())
            except FileNotFoundError:
                return None
            return known

    def account(self, run: Run) -> Account | None:
        """What travelled with a run and what did not; None where that is not known."""
        with self.reading():
            try:
                return Account.from_json(json.loads(run.paths.account.read_bytes()))
            except (FileNotFoundError, ValueError, TypeError, KeyError):
                return None

    # Writing

    def append(self, run: Run, **event: Any) -> None:
        """Adds one line to the record of a run; a phase gets its time.

        Raises:
            StoreError: the store is read-only or full, or the run is gone.
        """
        with self.writing():
            try:
                append_event(run.paths.record, event)
            except FileNotFoundError as error:
                raise self._pruned(run) from error

    def restate(self, run: Run, attempt: int, word: Mapping[str, Any]) -> None:
        """Says anew how a run stands in the phase that it is in; see `snapshot.restated`. Its record does not grow.

        Raises:
            StoreError: the store is read-only or full, or the run is gone.
        """
        paths = run.paths.attempt(attempt)
        with self.writing():
            try:
                for folder in paths.folder.parent, paths.folder:  # not that of the run, which may be gone
                    folder.mkdir(mode=0o700, exist_ok=True)
                replace_file(paths.standing, json.dumps(dict(word)).encode())
            except FileNotFoundError as error:
                raise self._pruned(run) from error

    def set_handle(self, run: Run, handle: Mapping[str, Any]) -> None:
        """Keeps what the backend needs to find the job again."""
        with self.writing():
            replace_file(run.paths.handle, json.dumps(dict(handle)).encode())

    def set_account(self, run: Run, account: Account) -> None:
        """Keeps what travelled and what did not, for whoever asks later."""
        with self.writing():
            replace_file(run.paths.account, json.dumps(account.to_json()).encode())

    def request_stop(self, run: Run, reason: str = "stopped") -> None:
        """Leaves the request to stop where the one who looks after the run sees it; the first reason stands."""
        with self.writing():
            if not run.paths.stop.exists():
                replace_file(run.paths.stop, reason.encode())

    def owe(self, run: Run) -> None:
        """Writes down that its place has something to let go of, before its end is: whoever comes next sees to it."""
        with self.writing():
            run.paths.unsettled.touch(mode=0o600)

    def settled(self, run: Run) -> None:
        """Writes down that its place has let go of it, or that nobody asks it to any more."""
        with self.writing():
            run.paths.unsettled.unlink(missing_ok=True)

    def request_pause(self, run: Run, *, wanted: bool = True) -> None:
        """Leaves the wish to pause a run, or to let it go on, where the one who looks after the run sees it."""
        with self.writing():
            replace_file(run.paths.pause, b"pause" if wanted else b"resume")

    def follow_pause(self, run: Run, wish: str) -> None:
        """Writes down which wish its place has followed: whoever follows the run next does not say it again."""
        with self.writing():
            replace_file(run.paths.pause_followed, wish.encode())

    def discard(self, run: Run) -> None:
        """Removes a run; the caller has made sure that it has ended."""
        import shutil

        with self.writing():
            gone = self.runs / f".{run.id}.gone"
            with contextlib.suppress(FileNotFoundError):
                run.folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        with self._remembering:
            self._pictures.pop(run.id, None)

    # Words

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Tells an OSError as a StoreError that names the store and the way out."""
        try:
            yield
        except OSError as error:
            raise _refusal(error, self.root) from error

    reading = writing

    def _load(self, identity: str) -> Run | None:
        if not _ID.fullmatch(identity):
            return None
        with self.reading(), contextlib.suppress(FileNotFoundError, ValueError):
            return Run.load(self.runs / identity)
        return None

    def _index(self) -> Index:
        from jobq_magic.runs.index import Index

        return Index(self.runs)

    def _pruned(self, run: Run) -> StoreError:
        return StoreError("unknown-run", f"Run {run.id} is no longer in {self.root}", why="It was pruned")

    def _unknown(self, ref: str) -> StoreError:
        from difflib import get_close_matches

        with self.reading():
            recent = self._index().newest(limit=200)
        near = get_close_matches(ref, [run.id for run in recent] + [run.name for run in recent], n=1, cutoff=0.6)
        return StoreError(
            "unknown-run",
            f"No run {ref or '(no name given)'} in {self.root}",
            why="" if recent else "It holds no runs; JOBQ_HOME names another store",
            do=f"Did you mean {near[0]}?" if near else "jobq list shows the runs" if recent else "",
        )


def _refusal(error: OSError, root: Path) -> StoreError:
    elsewhere = "set JOBQ_HOME to another folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("store-full", f"The store {root} is full", do=f"Make room with jobq prune, or {elsewhere}")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError(
            "store-not-allowed",
            f"The store {root} may not be used",
            why=f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror),
            do=f"Get the right to it, or {elsewhere}",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return StoreError(
            "store-not-a-folder", f"The store {root} is not a folder", do=elsewhere[0].upper() + elsewhere[1:]
        )
    return StoreError(
        "store-unusable", f"The store {root} cannot be used", why=str(error), do=elsewhere[0].upper() + elsewhere[1:]
    )


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:20].strip("-") or "run"


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
