"""Calls back once a module is imported, without importing it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def after_import(name: str, action: Callable[[ModuleType], Any]) -> None:
    """Calls `action` with the module `name`: now if it is imported, else as soon as it is."""
    if (module := sys.modules.get(name)) is not None:
        action(module)
    else:
        _watch.actions.setdefault(name, []).append(action)
        if _watch not in sys.meta_path:
            sys.meta_path.insert(0, _watch)


class _Watch:
    """Finds nothing itself: has the others find, and adds to what they do."""

    def __init__(self) -> None:
        self.actions: dict[str, list[Callable[[ModuleType], Any]]] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.actions:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None and spec.loader is not None:
                self._act_after(spec.loader, name)
                return spec
        return None

    def _act_after(self, loader: Any, name: str) -> None:
        plain = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            plain(module)
            for action in self.actions.pop(name, []):
                action(module)

        loader.exec_module = exec_module


_watch = _Watch()
