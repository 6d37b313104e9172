"""Where a module's file is, without importing anything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["Found", "find", "look_anew"]


@dataclass(frozen=True, slots=True)
class Found:
    """A module, as far as it can be told from outside."""

    name: str
    """Its dotted name: a shorter one where the rest of what was asked for is no module."""
    file: str | None
    """None for what is built in, and for namespace packages."""
    folders: tuple[str, ...]
    """Where its submodules lie; of a namespace package, its portions."""

    @property
    def is_namespace(self) -> bool:
        """Whether it is nothing but folders."""
        return self.file is None and bool(self.folders)


_before: dict[str, Found | None] = {}
_stamps: list[tuple[str, int]] = []


def look_anew(stamps: Sequence[tuple[str, int]]) -> None:
    """Forgets where modules that are not loaded were found, if one of these folders has changed."""
    if _stamps != list(stamps):
        _stamps[:] = stamps
        _before.clear()


def find(name: str) -> Found | None:
    """The module of this name, or the one that would have to hold it; None where its top-level one is nowhere."""
    found: Found | None = None
    path: Sequence[str] | None = None
    parts = name.split(".")
    if (loaded := _loaded(name)) is not None:
        # What a module makes up while it runs (six.moves) has no file: it is its maker's.
        made_up = loaded.file is None and not loaded.folders and len(parts) > 1
        return find(".".join(parts[:-1])) if made_up else loaded
    for depth in range(1, len(parts) + 1):
        part = ".".join(parts[:depth])
        here = _loaded(part) or _searched(part, path)
        if here is None:
            break
        found, path = here, here.folders
        if not path:
            break
    return found


def _loaded(name: str) -> Found | None:
    module = sys.modules.get(name)
    if not isinstance(module, ModuleType):
        return None
    # Asked past the module's own hooks: a lazy module would be imported by a look at it.
    inside = ModuleType.__getattribute__(module, "__dict__")
    spec, file = inside.get("__spec__"), inside.get("__file__")
    if not isinstance(file, str) and isinstance(spec, ModuleSpec):
        file = spec.origin if spec.has_location else None
    try:
        folders = tuple(str(folder) for folder in inside.get("__path__") or ())
    except Exception:  # noqa: BLE001 - a path of the module's own making
        folders = ()
    return Found(name, file if isinstance(file, str) else None, folders)


def _searched(name: str, path: Sequence[str] | None) -> Found | None:
    if name not in _before:
        _before[name] = _search(name, path)
    return _before[name]


def _search(name: str, path: Sequence[str] | None) -> Found | None:
    # Other finders may do anything; those of setuptools' editable installs only look into a table.
    finders: list[Any] = [PathFinder, *(finder for finder in sys.meta_path if _is_a_table(finder))]
    for finder in finders:
        try:
            spec = finder.find_spec(name, path)
        except Exception:  # noqa: BLE001, S112 - what cannot be searched has nothing to find
            continue
        if spec is not None:
            folders = tuple(spec.submodule_search_locations or ())
            return Found(name, spec.origin if spec.has_location else None, folders)
    return None


def _is_a_table(finder: object) -> bool:
    kind = finder if isinstance(finder, type) else type(finder)
    return kind.__module__.startswith("__editable__")
