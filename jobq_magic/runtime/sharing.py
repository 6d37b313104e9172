"""Which values share objects, so that they must be pickled together to share them where they arrive."""

from __future__ import annotations

import pickle
from types import CodeType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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


def sharable(memo: dict[int, tuple[int, object]]) -> set[int]:
    """Of what a pickler met, what two names can share so that it matters: what can change, or is told by identity."""
    found: set[int] = set()
    kinds: dict[type, bool] = {}
    inner: list[object] = []
    for _, value in memo.values():
        kind = type(value)
        if kind not in kinds:
            kinds[kind] = _matters(kind)
        inner.append(getattr(kind, "_metadata", None))  # which frames of pandas pickle with themselves
        if kinds[kind]:
            found.add(id(value))
        elif _is_index(kind):
            inner.append(getattr(value, "_data", None))
            inner += [getattr(inner[-1], name, None) for name in ("_ndarray", "_pa_array")]
    return found - set(map(id, inner))


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
    return not _is_index(kind) and kind.__hash__ in (None, object.__hash__)
