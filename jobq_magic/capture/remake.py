"""Objects that hold nothing worth carrying, and cannot be pickled: the job makes them anew, as the notebook did.

A lock, an event, a context variable, an executor: what counts is that all who name it mean the same one. Each is made
again by the statement that made it here, where that calls the constructor and does nothing else.
"""

from __future__ import annotations

import ast
import contextvars
import sys
import threading
from collections.abc import Mapping
from typing import Any

from jobq_magic.capture.written import Definition

__all__ = ["HARMLESS", "made_alike", "may_be_remade"]

HARMLESS: Mapping[str, tuple[str, ...]] = {
    "threading": ("Lock", "RLock", "Event", "Condition", "Semaphore", "BoundedSemaphore", "Barrier", "local"),
    "contextvars": ("ContextVar",),
    "concurrent.futures": ("ThreadPoolExecutor", "ProcessPoolExecutor"),
    "queue": ("Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"),
    "multiprocessing": ("Lock", "RLock", "Event", "Condition", "Semaphore", "BoundedSemaphore", "Queue", "SimpleQueue"),
    "asyncio": ("Lock", "Event", "Condition", "Semaphore", "BoundedSemaphore", "Queue"),
    "weakref": ("WeakValueDictionary", "WeakKeyDictionary", "WeakSet"),
}
"""Constructors, by module, whose objects are made anew without being asked for; loggers travel by their name."""
_KINDS = frozenset({name for names in HARMLESS.values() for name in names} | {"lock", "_local", "SemLock"})
_BEHIND = frozenset({"_thread", "_contextvars", "_queue", "_weakrefset"})
_ROOMS = _BEHIND | {module.partition(".")[0] for module in HARMLESS}


def made_alike(value: object, made: Definition | None, namespace: Mapping[str, Any]) -> bool:
    """Whether `made`, the statement that last bound the name of `value`, is a call of a harmless constructor.

    A queue or a weak container with something in it, or an event that is set, is not harmless: that would be lost.
    """
    if made is None or not may_be_remade(value) or not _is_empty(value):
        return False
    match ast.parse(made.text).body:
        case [ast.Assign(value=ast.Call(func=called)) | ast.AnnAssign(value=ast.Call(func=called))]:
            return _looked_up(called, namespace) in _constructors()
    return False


def may_be_remade(value: object) -> bool:
    """A quick look: whether the type of `value` is Python's own, and called like one that may be made anew."""
    kind = type(value)
    return kind.__name__ in _KINDS and kind.__module__.partition(".")[0] in _ROOMS


def _constructors() -> list[object]:
    return [
        getattr(sys.modules[module], name)
        for module, names in HARMLESS.items()
        if module in sys.modules
        for name in names
        if hasattr(sys.modules[module], name)
    ]


def _is_empty(value: Any) -> bool:
    if isinstance(value, contextvars.ContextVar):
        return value not in contextvars.copy_context()
    if isinstance(value, threading.local):
        return not vars(value)
    try:
        if hasattr(value, "is_set"):
            return not value.is_set()
        return len(value) == 0 if hasattr(type(value), "__len__") else value.empty()
    except AttributeError:  # no container
        return True
    except (OSError, ValueError):  # a queue between processes that is closed
        return False


def _looked_up(node: ast.expr, namespace: Mapping[str, Any]) -> object:
    if isinstance(node, ast.Name):
        return namespace.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_looked_up(node.value, namespace), node.attr, None)
    return None
