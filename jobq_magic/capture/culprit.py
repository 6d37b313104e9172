"""Which part of a value cannot be pickled: the path to it, and what it is, in words."""

from __future__ import annotations

import contextlib
import io
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

from jobq_magic.capture.inside import attributes_of, items_of

__all__ = ["find_culprit"]

_DEEPEST = 12
_MOST_TRIED = 5_000
_WORDS: tuple[tuple[str, str], ...] = (
    ("_thread.lock", "a lock"),
    ("_thread.RLock", "a lock"),
    ("_thread._local", "data of one thread"),
    ("threading.Thread", "a thread"),
    ("threading._", "a part of a thread"),
    ("threading.Event", "an event, which holds a lock"),
    ("threading.Condition", "a condition, which holds a lock"),
    ("threading.", "an object of threads, which holds a lock"),
    ("queue.", "a queue of threads, which holds a lock"),
    ("_queue.", "a queue of threads"),
    ("multiprocessing.", "an object of processes"),
    ("concurrent.futures._base.Future", "a future, which holds a lock"),
    ("concurrent.futures", "an executor"),
    ("generator", "a generator"),
    ("coroutine", "a coroutine"),
    ("async_generator", "a generator"),
    ("frame", "a frame of running code"),
    ("traceback", "a traceback"),
    ("memoryview", "a view of memory that is a part of something"),
    ("mmap.mmap", "mapped memory"),
    ("socket.socket", "a socket"),
    ("sqlite3.Connection", "a connection to a database"),
    ("sqlite3.Cursor", "a cursor of a database"),
    ("subprocess.Popen", "a running process"),
    ("ctypes.CDLL", "a library of C"),
    ("contextvars.ContextVar", "a context variable"),
    ("_contextvars.ContextVar", "a context variable"),
    ("_contextvars.Context", "a context"),
    ("weakref", "a weak reference"),
    ("ipywidgets", "a widget of this notebook"),
    ("asyncio", "a part of a running event loop"),
    ("xgboost.core.", "a matrix of XGBoost, memory of its own: keep its data, and make it in the cell"),
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
        if _in_words(value):
            break
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
    if isinstance(value, io.IOBase):
        return f"an open file ({type(value).__name__})"
    kind = _kind(value)
    if words := _in_words(value):
        return f"{words} ({kind})"
    reason = str(error).partition("\n")[0] if error is not None else ""
    return f"a {kind}, which cannot be pickled" + (f" ({reason})" if reason and kind not in reason else "")


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _in_words(value: object) -> str:
    kind = _kind(value)
    return next((words for start, words in _WORDS if kind.startswith(start)), "")


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
        return
    if isinstance(value, type | io.IOBase):
        return
    named = False
    for step, part in _named_parts(value):
        named = True
        yield step, part
    if not named:
        yield from _parts_of_pickle(value)


def _named_parts(value: object) -> Iterator[tuple[str, object]]:
    if (items := items_of(value, _MOST_TRIED)) is not None:
        for step, _, part in items:
            yield step, part
    if isinstance(value, dict):
        yield from ((".<key>", key) for key in islice(value, _MOST_TRIED) if type(key) is not str)
    elif isinstance(value, deque):
        yield from ((f"[{at}]", part) for at, part in enumerate(islice(value, _MOST_TRIED)))
    elif isinstance(value, MappingProxyType):
        yield from ((f"[{key!r}]", value[key]) for key in islice(value, _MOST_TRIED))
    elif isinstance(value, partial):
        yield from ((".func", value.func), (".args", value.args), (".keywords", value.keywords))
    elif isinstance(value, MethodType):
        yield ".__self__", value.__self__
    elif _kind(value) == "numpy.ndarray" and getattr(value, "dtype", "") == "O":
        yield from ((f".flat[{at}]", part) for at, part in enumerate(islice(getattr(value, "flat", ()), _MOST_TRIED)))
    elif _kind(value) in ("pandas.DataFrame", "pandas.core.frame.DataFrame"):
        columns: Any = value
        yield from ((f"[{name!r}]", column) for name, column in columns.items())
    elif _kind(value) in ("pandas.Series", "pandas.core.series.Series"):
        yield ".array", getattr(value, "array", None)
    for key, part in list(attributes_of(value).items()):
        yield f".{key}", part
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                yield f".{slot}", getattr(value, slot)


def _parts_of_pickle(value: object) -> Iterator[tuple[str, object]]:
    """What pickle would take it apart into; these parts have no names."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001  # it is the culprit itself
        return
    if isinstance(reduced, tuple):
        for part in reduced[1:]:
            if isinstance(part, tuple | list | dict):
                inner = part.values() if isinstance(part, dict) else part
                yield from ((".<part>", each) for each in inner)
            elif isinstance(part, Iterator):
                yield from ((".<part>", each) for each in islice(part, _MOST_TRIED))


def _parts_of_function(value: FunctionType) -> Iterator[tuple[str, object]]:
    for free, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # the cell is empty
            yield f".<{free}>", cell.cell_contents
    for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
        yield ".<default>", default
