"""What is inside an object, looked at without executing any code of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getattr_static
from itertools import islice
from types import ModuleType
from typing import Any

__all__ = ["attributes_of", "found_at", "items_of"]


def attributes_of(value: object) -> dict[str, Any]:
    """The instance's own attributes; empty where it has none, and for classes and modules, which travel by name."""
    if issubclass(type(value), type | ModuleType):  # `isinstance` asks the object itself
        return {}
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if isinstance(own, dict) else {}


def items_of(value: Any, most: int) -> Iterator[tuple[str, str | None, object]] | None:
    """Parts of a plain container, as (subscript, key where it is a text, part); None for anything else."""
    kind = type(value)
    if issubclass(kind, dict):
        pairs: Iterator[tuple[Any, Any]] = islice(dict.items(value), most)
        return ((f"[{key!r}]", key if isinstance(key, str) else None, part) for key, part in pairs)
    plains: tuple[Any, ...] = (list, tuple, set, frozenset)
    for plain in plains:
        if issubclass(kind, plain):
            parts: Iterator[Any] = plain.__iter__(value)
            return ((f"[{at}]", None, part) for at, part in enumerate(islice(parts, most)))
    return None


def found_at(path: str, namespace: Mapping[str, Any]) -> object:
    """What lies at a path like `Model.fit`; None where nothing does."""
    name, *rest = path.split(".")
    found = namespace.get(name)
    for attribute in rest:
        found = getattr_static(found, attribute, None)
    return found
