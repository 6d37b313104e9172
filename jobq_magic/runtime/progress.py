"""`progress`: how far the job is, for whoever watches it."""

from __future__ import annotations

import json
import os
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar, overload

    T = TypeVar("T")

_PERIOD = 0.1
"""Seconds between two writes: faces draw four times a second."""

_lock = threading.Lock()
_state: dict[str, list[Any]] = {}
_written = 0.0
sink: Callable[[list[dict[str, Any]]], None] | None = None
"""Where progress goes; set by the runner. Without it, progress is a no-op."""


def to_file(path: str | os.PathLike[str]) -> Callable[[list[dict[str, Any]]], None]:
    """A sink that replaces a file as a whole."""

    def write(state: list[dict[str, Any]]) -> None:
        partial = f"{os.fspath(path)}.part"
        with open(partial, "w") as file:
            json.dump(state, file)
        os.replace(partial, path)

    return write


if TYPE_CHECKING:  # `typing` takes 2 ms to import

    @overload
    def progress(done: float, total: float | None = None, label: str = "") -> None: ...
    @overload
    def progress(done: Iterable[T], total: float | None = None, label: str = "") -> Iterator[T]: ...


def progress(done: Any, total: float | None = None, label: str = "") -> Any:
    """Says how far the job is, or walks through an iterable and says so by itself.

    Cheap enough for an inner loop: it is written at most ten times a second. Outside a job it does nothing.

    Args:
        done: how much is done, or what to walk through.
        total: how much there is; None where it is not known.
        label: tells several bars apart.

    Returns:
        None, or an iterator over the items.
    """
    if not hasattr(done, "__iter__"):
        return _note(done, total, label)
    if total is None:
        try:
            total = len(done)
        except TypeError:
            total = None
    return _walk(done, total, label)


def _walk(items: Iterable[T], total: float | None, label: str) -> Iterator[T]:
    count = 0
    _note(0, total, label)
    try:
        for count, item in enumerate(items):
            yield item
            _note(count + 1, total, label)
    finally:
        flush()


def _note(done: float, total: float | None, label: str) -> None:
    global _written
    done, total = _number(done), None if total is None else _number(total)
    if sink is None:
        return
    with _lock:
        _state[label] = [done, total]
        now = time.monotonic()
        if now - _written < _PERIOD and done != total:
            return
        _written = now
        _write()


def _number(value: Any) -> float:
    """A number that JSON knows, of any kind of number."""
    return value if type(value) in (int, float) else float(value)


def flush() -> None:
    """Writes what the period held back."""
    with _lock:
        if sink is not None and _state:
            _write()


def _write() -> None:
    assert sink is not None
    try:
        sink([{"label": label, "done": done, "total": total} for label, (done, total) in _state.items()])
    except OSError as error:  # a full disk must not end the job
        from .outputs import complain

        complain(f"progress could not be written: {error}")
