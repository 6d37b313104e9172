"""Which values share objects, so that they must be pickled together to share them where they arrive."""

from __future__ import annotations

import pickle
import sys
from itertools import combinations
from types import CodeType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_UNCHANGING = sys.stdlib_module_names | {"numpy", "pandas", "polars", "pyarrow"}
"""Whose classes, where they can be hashed, are values: numbers, texts, dates, types of columns."""


def families(shared: Mapping[str, Iterable[int]]) -> list[list[str]]:
    """The names in groups, so that no two groups have an id in common.

    Args:
        shared: for each name, the ids of the objects in its value whose identity matters; see `sharable`.
    """
    owner: dict[int, str] = {}
    parent = {name: name for name in shared}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for name, ids in shared.items():
        for each in ids:
            parent[root(name)] = root(owner.setdefault(each, name))
    found: dict[str, list[str]] = {}
    for name in shared:
        found.setdefault(root(name), []).append(name)
    return [sorted(names) for names in found.values()]


def views(values: Mapping[str, object]) -> list[list[str]]:
    """The names, in groups, of numpy arrays that show the same memory and are several: each travels as its own."""
    numpy: Any = sys.modules.get("numpy")
    owned: dict[int, dict[str, Any]] = {}
    for name, value in values.items() if numpy is not None else ():
        if isinstance(value, numpy.ndarray):
            owner = value
            while isinstance(owner.base, numpy.ndarray):
                owner = owner.base
            there = owned.setdefault(id(owner), {})
            if all(value is not other for other in there.values()):
                there[name] = value
    found = []
    for there in owned.values():
        pairs = combinations(there, 2)
        names = {name for pair in pairs if numpy.may_share_memory(*map(there.get, pair)) for name in pair}
        if any(there[name].flags.writeable for name in names):
            found.append([name for name in there if name in names])
    return found


class Met:
    """Of what a pickler met, what two names can share so that it matters: what can change, or is told by identity.

    Whoever asks keeps the pickler, whose memo holds what was made on the way: no id is used again.
    """

    def __init__(self) -> None:
        self._found: set[int] = set()
        self._inner: dict[int, object] = {}
        self._kinds: dict[type, bool | None] = {}

    @property
    def ids(self) -> set[int]:
        """Of those objects."""
        return self._found - self._inner.keys()

    def meet(self, value: object) -> None:
        """Takes one; a pickler can call it as its `persistent_id`."""
        kind = type(value)
        try:
            matters = self._kinds[kind]
        except KeyError:
            matters = self._kinds[kind] = None if _is_index(kind) else _matters(kind)
            self._pass_over(getattr(kind, "_metadata", None))  # which frames of pandas pickle with themselves
        if matters:
            self._found.add(id(value))
        elif matters is None:
            data = getattr(value, "_data", None)
            for inner in (data, *(getattr(data, name, None) for name in ("_ndarray", "_pa_array"))):
                self._pass_over(inner)

    def _pass_over(self, inner: object) -> None:
        self._inner[id(inner)] = inner


def sharable(memo: Mapping[int, tuple[int, object]]) -> set[int]:
    """Ids of what matters in the memo of a pickler."""
    met = Met()
    for _, value in memo.values():
        met.meet(value)
    return met.ids


def _is_index(kind: type) -> bool:
    """Whether it is an index of pandas, which cannot change, and is passed on from frame to frame."""
    return any(
        parent.__name__ == "Index" and parent.__module__.partition(".")[0] == "pandas" for parent in kind.__mro__
    )


def _matters(kind: type) -> bool:
    if issubclass(kind, type | FunctionType | CodeType | tuple | pickle.PickleBuffer) or kind.__name__ in (
        "builtin_function_or_method",
        "cython_function_or_method",
        "slice",
        "ufunc",
        "Logger",
        "RootLogger",
        "module",
        "cell",
        "_Main",
        "_MainGlobals",
    ):
        return False
    if kind.__hash__ in (None, object.__hash__):
        return True
    # What has a hash of its own may change all the same, or be told by identity as a tensor is: where it is from tells.
    home = str(kind.__module__).partition(".")[0]
    return not (home in _UNCHANGING or any(parent.__module__ == "enum" for parent in kind.__mro__))
