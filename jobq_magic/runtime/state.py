"""State that earlier cells set process-wide, set again where the job runs.

A step says `what`, and has its `data` as JSON, or as a value group in `file`. What cannot be set there, because a
package is another version or is missing, is passed over: the cell decides whether that matters.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

from .wire import read_group


def apply(step: dict[str, Any], bundle: str) -> None:
    """Executes one `state` step of the bundle in the folder `bundle`.

    Raises:
        ValueError: of a kind that this version does not know.
    """
    setter = _SETTERS.get(step["what"])
    if setter is None:
        raise ValueError(f"a state of the unknown kind {step['what']!r}")
    data = step["data"] if "data" in step else read_group(os.path.join(bundle, step["file"]))
    setter(data)


def _sys_path(entries: list[str]) -> None:
    """Entries that the notebook has and this process has not, before the installed ones, in their order."""
    here = [entry for entry in entries if entry not in sys.path and (entry == "" or os.path.exists(entry))]
    sys.path[:0] = here


def _cwd(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder)


def _warnings(filters: list[list[Any]]) -> None:
    new = []
    for action, message, category, module, line in filters:
        kind: Any = _found(category)
        if isinstance(kind, type) and issubclass(kind, Warning):
            new.append((action, _pattern(message), kind, _pattern(module), line))
    warnings.filters[:] = new  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _pattern(given: list[Any] | None) -> re.Pattern[str] | None:
    return None if given is None else re.compile(given[0], given[1])


def _found(path: str) -> object:
    module, _, name = path.rpartition(":")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _random(state: list[Any]) -> None:
    import random

    version, internal, gauss = state
    random.setstate((version, tuple(internal), gauss))


def _numpy_random(state: list[Any]) -> None:
    numpy = _imported("numpy")
    if numpy is not None:
        kind, keys, position, has_gauss, gauss = state
        numpy.random.set_state((kind, numpy.array(keys, dtype="uint32"), position, has_gauss, gauss))


def _numpy_print(options: dict[str, Any]) -> None:
    numpy = _imported("numpy")
    if numpy is not None:
        with contextlib.suppress(TypeError, ValueError):
            numpy.set_printoptions(**options)


def _numpy_errors(kinds: dict[str, Any]) -> None:
    numpy = _imported("numpy")
    if numpy is not None:
        with contextlib.suppress(TypeError, ValueError):
            numpy.seterr(**kinds)


def _pandas(options: dict[str, Any]) -> None:
    pandas = _imported("pandas")
    for name, value in options.items() if pandas is not None else ():
        with contextlib.suppress(KeyError, ValueError, AttributeError):  # OptionError is the first and the last
            pandas.set_option(name, value)


def _matplotlib(parameters: dict[str, Any]) -> None:
    matplotlib = _imported("matplotlib")
    for name, value in parameters.items() if matplotlib is not None else ():
        with contextlib.suppress(KeyError, ValueError):
            cycle = name == "axes.prop_cycle"
            matplotlib.rcParams[name] = matplotlib.cycler(**value) if cycle else value


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_SETTERS: dict[str, Callable[[Any], None]] = {
    "sys.path": _sys_path,
    "cwd": _cwd,
    "warnings": _warnings,
    "random": _random,
    "numpy.random": _numpy_random,
    "numpy.printoptions": _numpy_print,
    "numpy.errstate": _numpy_errors,
    "pandas": _pandas,
    "matplotlib": _matplotlib,
}
