"""What earlier cells set process-wide, as steps that `runtime.state` applies. The environment is never among it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["collect", "left_behind"]

_NUMPY_PRINTS = {
    "edgeitems": 3,
    "threshold": 1000,
    "precision": 8,
    "linewidth": 75,
    "suppress": False,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "floatmode": "maxprec",
}
_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
# The kernel's own choices of where figures go.
_BACKEND = frozenset({"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "webagg.address"})
_UNTRAVELLED = frozenset({"decimal", "locale", "logging", "torch"})
_JSON = (str, int, float, bool, type(None))


def collect(used: frozenset[str], setters: frozenset[str], *, here: bool) -> Iterator[tuple[str, Any]]:
    """What to set, and to what, as (what, JSON).

    Args:
        used: top-level packages that the cell is seen to use; options of others are not worth their import.
        setters: what executed cells are seen to set; see `DefinitionIndex.setters`.
        here: the job sees this machine's files.
    """
    if here:
        yield "cwd", str(Path.cwd())
        if extra := _extra_paths():
            yield "sys.path", extra
    if "warnings" in setters:
        yield "warnings", [_filter(entry) for entry in warnings.filters]
    if "random" in sys.modules and setters & {"random", "seeds"}:
        version, internal, gauss = sys.modules["random"].getstate()
        yield "random", [version, list(internal), gauss]
    if "numpy" in sys.modules and setters & {"numpy", "seeds"}:
        kind, keys, position, has_gauss, gauss = sys.modules["numpy"].random.get_state()
        yield "numpy.random", [kind, keys.tolist(), position, has_gauss, gauss]
    for package, what, options in (
        ("numpy", "numpy.printoptions", _numpy_print),
        ("numpy", "numpy.errstate", _numpy_errors),
        ("pandas", "pandas", _pandas),
        ("matplotlib", "matplotlib", _matplotlib),
    ):
        if package in used and package in sys.modules and (changed := options(sys.modules[package])):
            yield what, changed


def left_behind(used: frozenset[str], setters: frozenset[str]) -> Iterator[str]:
    """Modules that the cell uses, whose settings earlier cells changed, and which do not travel."""
    yield from sorted(setters & used & _UNTRAVELLED)


def _extra_paths() -> list[str]:
    """Entries of `sys.path` that a fresh interpreter does not make by itself."""
    installed = (sys.prefix + os.sep, sys.base_prefix + os.sep, sys.exec_prefix + os.sep)
    here = str(Path.cwd())
    found: dict[str, None] = {}
    for entry in sys.path:
        if entry.startswith(installed) or entry.endswith(".zip"):
            continue
        if Path(entry).name in ("site-packages", "dist-packages"):
            continue
        found["" if entry == here else entry] = None
    return list(found)


def _filter(entry: Any) -> list[Any]:
    action, message, category, module, line = entry
    return [action, _pattern(message), f"{category.__module__}:{category.__qualname__}", _pattern(module), line]


def _pattern(given: Any) -> list[Any] | None:
    if given is None:
        return None
    if isinstance(given, str):  # Python's own first filters hold the module as a plain text
        return [f"{given}$", 0]
    return [given.pattern, int(given.flags) & ~32]  # re.UNICODE is implied


def _numpy_print(numpy: Any) -> dict[str, Any]:
    now = numpy.get_printoptions()
    return {name: now[name] for name, default in _NUMPY_PRINTS.items() if name in now and now[name] != default}


def _numpy_errors(numpy: Any) -> dict[str, Any]:
    now = numpy.geterr()
    # What is done about an error by a function of the notebook's (`call`, `log`) needs that function.
    return {name: how for name, how in now.items() if how != _NUMPY_ERRORS.get(name) and how not in ("call", "log")}


def _pandas(pandas: Any) -> dict[str, Any]:
    registered = getattr(getattr(getattr(pandas, "_config", None), "config", None), "_registered_options", {})
    changed: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some options are deprecated, and say so when they are read
        for name, option in registered.items():
            now = pandas.get_option(name)
            if isinstance(now, _JSON) and isinstance(option.defval, _JSON) and now != option.defval:
                changed[name] = now
    return changed


def _matplotlib(matplotlib: Any) -> dict[str, Any]:
    now: dict[str, Any] = dict.copy(matplotlib.rcParams)  # reading by key would choose a backend
    changed: dict[str, Any] = {}
    for name, default in matplotlib.rcParamsDefault.items():
        value = dict.get(now, name)
        if name in _BACKEND or value == default:
            continue
        if name == "axes.prop_cycle":
            colours: Any = value
            changed[name] = {key: values for key, values in colours.by_key().items() if _is_json(values)}
        elif _is_json(value):
            changed[name] = value
    return changed


def _is_json(value: Any) -> bool:
    return isinstance(value, _JSON) or (isinstance(value, list | tuple) and all(map(_is_json, value)))
