"""What is read of append-only files: a record as a whole, and anything longer in bounded pieces."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from jobq_magic.run import Run
from jobq_magic.runtime.wire import read_events
from jobq_magic.snapshot import ImageTold, Phase, PlaceTold, Snapshot, WorkerTold, fold

__all__ = ["opened", "picture", "understood", "whole_lines"]

_PHASES = frozenset(phase.value for phase in Phase)

_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("phase", "reason", "note", "result"), str),
    **dict.fromkeys(("gen", "attempt"), int),
    **dict.fromkeys(("facts", "link", "image"), dict),
    "place": dict | None,
    "each": list,
    "at": int | float,
}
"""What an event may hold under the keys that are read."""
_LINK = {"rel", "title", "href"}
_LATEST = 1e11
"""A time beyond it is none."""

_BLOCK = 1 << 16


def picture(run: Run) -> Snapshot:
    """What the record of a run amounts to. Phases of a newer version, which this one does not know, are passed over."""
    return fold(run.picture(), (event for event in read_events(run.paths.record) if understood(event)))


def understood(event: Mapping[str, Any]) -> bool:
    """Whether an event holds what events hold under the keys that are read."""
    if any(not isinstance(event[key], kind) for key, kind in _KINDS.items() if key in event):
        return False  # a local job may write to any file of its user, this one too
    if "link" in event and not (
        event["link"].keys() == _LINK and all(isinstance(v, str) for v in event["link"].values())
    ):
        return False
    if "image" in event and not _told(event["image"]):
        return False
    if not _placed(event):
        return False
    if any(isinstance(fact, float) and not isfinite(fact) for fact in event.get("facts", {}).values()):
        return False
    return "phase" not in event or (event["phase"] in _PHASES and 0 <= event.get("at", -1) < _LATEST)


def _told(image: Mapping[str, Any]) -> bool:
    try:
        told = ImageTold.read(image)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return min([told.sent, told.seconds, *(layer.size for layer in told.layers)]) >= 0 and isfinite(told.seconds)


def _placed(event: Mapping[str, Any]) -> bool:
    try:
        if event.get("place") is not None and not _sound(PlaceTold.read(event["place"])):
            return False
        for one in event.get("each", ()):
            worker = WorkerTold.read(one)
            words = worker.phase, worker.name, worker.node, worker.reason
            if not (_is(int, worker.rank) and all(_is(str, word) for word in words) and _is(dict, worker.facts)):
                return False
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def _sound(place: PlaceTold) -> bool:
    numbers = [place.estimate, *(n for one in place.quota for n in (one.free, one.most, one.total))]
    return (
        all(_is(str, word) for word in (place.queue, place.cluster_queue, place.unknown, *place.ahead))
        and all(count is None or _is(int, count) for count in (place.position, place.waiting))
        and all(number is None or (_is(int | float, number) and isfinite(number)) for number in numbers)
        and all(_is(str, one.resource) and _is(str, one.flavor) for one in place.quota)
        and all(_is(int | float, one.asked) and isfinite(one.asked) for one in place.quota)
    )


def _is(kind: Any, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def opened(path: Path) -> BinaryIO:
    """A file of a job, to be read.

    Raises:
        FileNotFoundError: it is none: a pipe that a job put in its place would be waited for.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return os.fdopen(number, "rb")
    os.close(number)
    raise FileNotFoundError(path)


def whole_lines(path: Path, start: int, *, block: int = _BLOCK) -> tuple[list[bytes], int]:
    """The next whole lines from `start` on, about `block` bytes of them, and where the line after them begins.

    A last line without its end is not given: it is still being written. A line longer than `block` is read as a whole.
    """
    try:
        with opened(path) as file:
            file.seek(start)
            data = file.read(block)
            end = data.rfind(b"\n")
            if end < 0 and len(data) == block:
                data += file.readline()
                end = data.rfind(b"\n")
    except FileNotFoundError:
        return [], start
    if end < 0:
        return [], start
    return data[:end].split(b"\n"), start + end + 1
