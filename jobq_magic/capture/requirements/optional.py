"""What a distribution uses when it is there: pyarrow by pandas, jinja2 by pandas' styles.

Nothing that a cell writes names it, and no dependency requires it. It is told by two facts together: the distribution
declares it as an extra, and a loaded module of the distribution holds it, or something from it, in a global name. So
what the notebook itself imported for other reasons does not come along.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, ModuleType

from jobq_magic.capture.requirements.distributions import Site, canonical_name, headers, read
from jobq_magic.capture.requirements.owners import tops_of

__all__ = ["used_extras"]

_EXTRA = re.compile(r"\bextra\s*==")
_seen = [0]
_modules: dict[str, dict[str, ModuleType]] = {}
_held: dict[str, frozenset[str]] = {}
_top_names: dict[tuple[str, int, str], frozenset[str]] = {}
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
        for name in _extras(site, info)
        for other in all_sites
        if (found := other.infos.get(name)) is not None and any(top in sys.modules for top in _tops(other, found[-1]))
    ]
    if not wanted:
        return []
    held: frozenset[str] = frozenset().union(*(_held_by(top) for top in tops))
    return [
        (other, found[-1], read(other, found[-1]).name) for other, found in wanted if held & _tops(other, found[-1])
    ]


def _extras(site: Site, info: str) -> tuple[str, ...]:
    """Normalised names of what a distribution requires for an extra only."""
    key = f"extras of {info}"
    if (known := site.found.get(key)) is None:
        lines = headers(read(site, info).info).get("requires-dist", [])
        names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if _EXTRA.search(line))
        plain = {canonical_name(found[0]) for found in names if found}
        known = site.found[key] = tuple(sorted(plain - {read(site, info).name}))
    return known


def _tops(site: Site, info: str) -> frozenset[str]:
    key = (site.path, site.stamp, info)
    if (known := _top_names.get(key)) is None:
        known = _top_names[key] = frozenset(tops_of(site, info))
    return known


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
    """The top-level names of what one module holds, looked at again when it holds more."""
    inside = ModuleType.__getattribute__(module, "__dict__")
    mark = (id(inside), len(inside))
    known = _looked.get(name)
    if known is None or known[0] != mark:
        homes = {home.partition(".")[0] for value in list(inside.values()) if (home := _home(value)) is not None}
        known = _looked[name] = (mark, frozenset(homes))
    return known[1]


def _home(value: object) -> str | None:
    """The module that an object is, or is from; without executing any code of its own."""
    kind = type(value)
    home: object = None
    if kind is ModuleType:
        home = ModuleType.__getattribute__(value, "__dict__").get("__name__")
    elif kind is FunctionType or kind is BuiltinFunctionType:
        home = getattr(value, "__module__", None)
    elif kind is type:
        home = type.__getattribute__(value, "__dict__").get("__module__")
    return home if isinstance(home, str) else None
