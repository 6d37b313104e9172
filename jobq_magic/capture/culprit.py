"""Which part of a value cannot be pickled: the path to it, and what it is, in words."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType

from jobq_magic.capture.inside import attributes_of, items_of

__all__ = ["find_culprit"]

_DEEPEST = 12
_MOST_TRIED = 5_000
_WORDS: tuple[tuple[str, str], ...] = (
    ("_thread.lock", "a lock"),
    ("_thread.RLock", "a lock"),
    ("threading.Thread", "a thread"),
    ("threading._", "a part of a thread"),
    ("threading.Event", "an event, which holds a lock"),
    ("threading.Condition", "a condition, which holds a lock"),
    ("concurrent.futures", "an executor"),
    ("generator", "a generator"),
    ("coroutine", "a coroutine"),
    ("async_generator", "a generator"),
    ("socket.socket", "a socket"),
    ("sqlite3.Connection", "a connection to a database"),
    ("sqlite3.Cursor", "a cursor of a database"),
    ("subprocess.Popen", "a running process"),
    ("contextvars.ContextVar", "a context variable"),
    ("weakref", "a weak reference"),
    ("ipywidgets", "a widget of this notebook"),
    ("asyncio", "a part of a running event loop"),
)


def find_culprit(name: str, value: object, tried: Callable[[object], Exception | None]) -> tuple[str, str]:
    """Descends into what cannot be pickled for as long as a part of it cannot be pickled either.

    Args:
        name: of the value.
        value: it cannot be pickled.
        tried: the exception of pickling an object, or None.

    Returns:
        The path to the culprit, and what it is.
    """
    path, budget = name, _MOST_TRIED
    passed = {id(value)}
    for _ in range(_DEEPEST):
        for step, part in _parts(value):
            budget -= 1
            if budget < 0:
                return path, describe(value, tried(value))
            if id(part) not in passed and tried(part) is not None:
                path, value = path + step, part
                passed.add(id(part))
                break
        else:
            break
    return path, describe(value, tried(value))


def describe(value: object, error: Exception | None) -> str:
    """What a value is, for somebody who wonders why it cannot travel."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if isinstance(value, io.IOBase):
        return f"an open file ({type(value).__name__})"
    for start, words in _WORDS:
        if kind.startswith(start):
            return f"{words} ({kind})"
    reason = str(error).partition("\n")[0] if error is not None else ""
    return f"a {kind}, which cannot be pickled" + (f" ({reason})" if reason and kind not in reason else "")


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if (items := items_of(value, _MOST_TRIED)) is not None:
        for step, _, part in items:
            yield step, part
    elif isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif not isinstance(value, io.IOBase):
        if isinstance(value, MethodType):
            yield ".__self__", value.__self__
        for key, part in list(attributes_of(value).items()):
            yield f".{key}", part
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                    yield f".{slot}", getattr(value, slot)


def _parts_of_function(value: FunctionType) -> Iterator[tuple[str, object]]:
    for free, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # the cell is empty
            yield f".<{free}>", cell.cell_contents
    for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
        yield ".<default>", default
