"""What a distribution uses when it is there: pyarrow by pandas, jinja2 by pandas' styles.

Nothing that a cell writes names it, and no dependency requires it. It is told by two facts together: the distribution
declares it as an extra, and a loaded module of the distribution holds it, or something from it, in a global name. So
what the notebook itself imported for other reasons does not come along.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, ModuleType

from jobq_magic.capture.requirements.distributions import Site, read
from jobq_magic.capture.requirements.owners import tops_of

__all__ = ["used_extras"]

_seen = [0]
_modules: dict[str, dict[str, ModuleType]] = {}
_held: dict[str, frozenset[str]] = {}
_looked: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}


def used_extras(site: Site, info: str, tops: Iterable[str], all_sites: Iterable[Site]) -> list[tuple[Site, str, str]]:
    """The optional distributions that a needed one has imported here: (site, folder of metadata, name).

    Args:
        site: where the needed one is.
        info: its folder of metadata.
        tops: the top-level modules by which it is needed.
        all_sites: where to look for the others.
    """
    wanted = [
        (other, found)
        for name in read(site, info).optional
        for other in all_sites
        if (found := other.infos.get(name)) is not None and any(top in sys.modules for top in tops_of(other, found[-1]))
    ]
    if not wanted:
        return []
    held: frozenset[str] = frozenset().union(*(_held_by(top) for top in tops))
    return [
        (other, found[-1], read(other, found[-1]).name) for other, found in wanted if held & tops_of(other, found[-1])
    ]


def _held_by(top: str) -> frozenset[str]:
    """The top-level names of what the loaded modules below `top` hold in global names."""
    if _seen[0] != len(sys.modules):  # an import adds modules: while there are as many, nothing was imported
        _look()
        _seen[0] = len(sys.modules)
    if (known := _held.get(top)) is None:
        modules = _modules.get(top, {})
        known = _held[top] = frozenset().union(*(_homes(name, module) for name, module in modules.items()))
    return known


def _look() -> None:
    _held.clear()
    _modules.clear()
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType):
            _modules.setdefault(name.partition(".")[0], {})[name] = module


def _homes(name: str, module: ModuleType) -> frozenset[str]:
    """The top-level names of what one module holds, looked at again when it holds more.

    Only at what has no say in it: modules, functions and plain classes.
    """
    inside = ModuleType.__getattribute__(module, "__dict__")
    mark = (id(inside), len(inside))
    known = _looked.get(name)
    if known is None or known[0] != mark:
        homes: set[object] = set()
        for value in list(inside.values()):
            kind = type(value)
            if kind is FunctionType or kind is BuiltinFunctionType:
                homes.add(value.__module__)
            elif kind is ModuleType:
                homes.add(value.__dict__.get("__name__"))
            elif kind is type:
                homes.add(value.__dict__.get("__module__"))
        tops = frozenset(home.partition(".")[0] for home in homes if isinstance(home, str))
        known = _looked[name] = (mark, tops)
    return known[1]
