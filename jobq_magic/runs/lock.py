"""Lock: who may advance a run; at most one holder, and a generation that tells an overtaken one from its successor.

    lock/<generation>    JSON: who holds it (`runtime.process.identify`); released, where its time is the epoch

The highest generation is the valid one. Taking the lock means to create the next number, which the file system grants
to one process only (a hard link, which is exclusive on NFS too). Nobody ever writes into a file of another, so there is
nothing to race for. A holder that slept through its own loss keeps a number that is no longer the highest: it writes
that number into its events, and `snapshot.fold` passes them over.

On the same host the holder's process is asked. On another the lease decides: the age of the holder's last heartbeat by
the clock of the file system, since two hosts' own clocks need not agree.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.run import newest
from jobq_magic.runtime.process import alive, identify

__all__ = ["LEASE", "Holder", "Lock", "holder"]

LEASE = 60.0
"""Seconds without a heartbeat after which a holder on another host has lost the lock. NFS clients may keep a file's
times for 60 s, but not across an `open`, which is how they are read here."""

_BEAT = LEASE / 6


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or held, a lock."""

    generation: int
    identity: Mapping[str, Any]
    """As `runtime.process.identify`."""
    beat: float
    """When it last gave a sign of life, by the clock of the file system."""

    def holds(self, now: float, lease: float) -> bool:
        """Whether it still holds: its process where that can be asked, else its lease."""
        if not self.beat:  # released
            return False
        lives = alive(dict(self.identity))
        return now - self.beat < lease if lives is None else lives


def holder(path: Path) -> Holder | None:
    """The newest holder of the lock at `path`; None where there never was one."""
    while (generation := newest(path)) is not None:
        try:
            with (path / str(generation)).open("rb") as file:
                text, beat = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:  # overtaken and swept between the two looks
            continue
        # Empty: being claimed where there are no hard links; nobody can be asked, so its age decides.
        identity = json.loads(text) if text else {"host": None}
        return Holder(generation, identity, beat)
    return None


class Lock:
    """A claim on the lock at `path`, for this process.

    Args:
        path: a folder, made when needed; `RunPaths.lock`.
        lease: seconds that a holder on another host may be silent.
        identity: who claims; by default this process.
    """

    def __init__(self, path: Path, *, lease: float = LEASE, identity: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.lease = lease
        self._identity = dict(identity) if identity is not None else identify(os.getpid())
        self._generation = 0
        self._held = False
        self._last_beat = 0.0

    @property
    def generation(self) -> int:
        """The number of this claim; goes into every event of its holder as `gen`."""
        return self._generation

    @property
    def held(self) -> bool:
        """Whether this claim holds, as far as the last look told."""
        return self._held

    def acquire(self) -> bool:
        """Takes the lock if nobody holds it, or if its holder is gone; True if it is ours now.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._held and self.beat():
            return True
        self.path.mkdir(mode=0o700, exist_ok=True)
        claim = self.path / f".claim-{os.getpid()}-{id(self)}-{time.monotonic_ns()}"
        claim.write_text(json.dumps(self._identity), encoding="utf-8")
        try:
            now = claim.stat().st_mtime
            before = holder(self.path)
            if before is not None and before.holds(now, self.lease):
                return False
            generation = before.generation + 1 if before else 1
            if not _create(self.path / str(generation), claim):
                return False
        finally:
            claim.unlink(missing_ok=True)
        mine = False
        try:
            mine = newest(self.path) == generation
        finally:
            if not mine:  # it was taken over, and its number swept, before we came to link it; or that cannot be read
                (self.path / str(generation)).unlink(missing_ok=True)
        if not mine:
            return False
        self._generation, self._held, self._last_beat = generation, True, time.monotonic()
        self._sweep()
        return True

    def beat(self) -> bool:
        """Gives a sign of life (at most every few seconds, so call it often); False when the lock was lost."""
        if not self._held:
            return False
        if time.monotonic() - self._last_beat < min(_BEAT, self.lease / 6):
            return True
        try:
            os.utime(self.path / str(self._generation))
        except FileNotFoundError:
            self._held = False
            return False
        self._last_beat = time.monotonic()
        self._held = newest(self.path) == self._generation
        return self._held

    def release(self) -> None:
        """Lets go, so that the next claim need not wait for the lease; the generation stays known."""
        if self._held:
            self._held = False
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path / str(self._generation), (0, 0))  # needs no room on a full disk

    def _sweep(self) -> None:
        for entry in self.path.iterdir():
            if entry.name.isdigit() and int(entry.name) < self._generation:
                entry.unlink(missing_ok=True)


def _create(path: Path, claim: Path) -> bool:
    """Makes `path` with the text of `claim`, unless it exists: False."""
    try:
        os.link(claim, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        try:  # a file system without hard links
            with path.open("xb") as file:
                file.write(claim.read_bytes())
        except FileExistsError:
            return False
    return True
