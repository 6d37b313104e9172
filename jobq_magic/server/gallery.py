"""What runs have displayed, as it is to be seen now, kept up to date for whoever asks for what is new of it.

A front end holds a list of pictures. Each picture has a place in it, and each place the version at which it last
changed: who has a version gets the places that changed since, and how long the list is. So updates and clearings need
no words of their own.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.run import Run
from jobq_magic.runs.canvas import Canvas, Picture
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Tail

__all__ = ["Galleries", "Shown", "told"]

_MOST = 4
"""Runs whose pictures are kept: each may have 20 MB."""
_PATIENT = 0.5
"""Seconds of reading for one answer; who asks is told that there is more, and asks again."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What has changed of the pictures of a run since a version."""

    version: str
    total: int
    """How many there are now: those behind are gone."""
    changed: tuple[tuple[int, Picture], ...]
    """Places, counted from 0, and what is there now."""
    dropped: int
    """Displays that were too many, or too large, to be kept."""
    behind: bool
    """There is more of it on disk than was read in time."""
    complete: bool
    """The run has ended, and this is all."""


class _Gallery:
    """The pictures of one run."""

    def __init__(self, store: Store, run: Run) -> None:
        self.lock = threading.Lock()
        self._store, self._run = store, run
        self._tail = Tail(store, run)
        self._canvas = Canvas()
        self._places: list[tuple[Picture, int]] = []
        self._version = 0
        self._name = secrets.token_hex(4)  # what another gallery counted, of this run too, means nothing here
        self._begun = False

    def look(self, since: str) -> Shown:
        """Reads what is new, and says what has changed."""
        behind, complete = self._read()
        name, _, count = since.partition(".")
        known = int(count) if name == self._name and count.isdecimal() else -1
        changed = tuple((place, each) for place, (each, version) in enumerate(self._places) if version > known)
        version = f"{self._name}.{self._version}"
        return Shown(version, len(self._places), changed, self._canvas.dropped, behind, complete)

    def _read(self) -> tuple[bool, bool]:
        """Reads what is new; whether there is more now, and whether there will be none any more."""
        ended = self._store.snapshot(self._run).final  # looked at before the files
        self._begun = self._begun or _has_displays(self._run)
        if not self._begun:  # most runs display nothing, and what they print can be long
            return False, ended
        deadline = time.monotonic() + _PATIENT
        while not self._tail.done:
            for item in self._tail.poll():
                self._canvas.apply(item)
            if not self._tail.behind or time.monotonic() > deadline:
                break
        self._place()
        return not self._tail.done and self._tail.behind, self._tail.done

    def _place(self) -> None:
        """Brings the places into line with the canvas; one that changed has a new version."""
        pictures, before = self._canvas.pictures, self._places
        version = self._version + 1
        self._places = [
            before[place] if place < len(before) and before[place][0] is picture else (picture, version)
            for place, picture in enumerate(pictures)
        ]
        if len(before) != len(pictures) or any(new is not old for new, old in zip(self._places, before, strict=True)):
            self._version = version


def _has_displays(run: Run) -> bool:
    """Whether any worker in any attempt has displayed something."""
    attempts = run.folder / "attempts"
    forms = ("*/displays.jsonl", "*/workers/*/displays.jsonl")
    with suppress(FileNotFoundError):  # it is being removed
        return any(path.stat().st_size > 0 for form in forms for path in attempts.glob(form))
    return False


class Galleries:
    """The pictures of the runs that were asked for last. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, str], _Gallery] = OrderedDict()

    def look(self, store: Store, run: Run, since: str = "") -> Shown:
        """What has changed of the pictures of a run.

        Args:
            store: where it is.
            run: whose.
            since: the version that who asks has; "": none.

        Raises:
            StoreError: the run is gone, or cannot be read.
        """
        key = store.root, run.id
        with self._lock:
            found = self._kept.pop(key, None) or _Gallery(store, run)
            self._kept[key] = found
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        with found.lock:
            return found.look(since)


def told(place: int, picture: Picture) -> Mapping[str, Any]:
    """One of them as JSON."""
    return {
        "place": place,
        "data": picture.bundle,
        "metadata": picture.metadata,
        "display_id": picture.display_id,
        "source": picture.source,
    }
