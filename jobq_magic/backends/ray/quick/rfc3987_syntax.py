# ruff: noqa: INP001, PTH100, PTH120  a folder of its own, and os.path is imported already
"""Stands before the distribution of this name in the processes of an embedded cluster, and loads it when it is used.

Where JupyterLab is installed, `import ray` imports jsonschema, and that this distribution, which compiles a grammar for
more than a second as it is imported: a cluster, made of about ten Python processes, starts six times slower. Nothing
that starts with Ray ever asks it anything. Whoever does gets the real one.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

_here = os.path.dirname(os.path.abspath(__file__))
_found = importlib.machinery.PathFinder.find_spec(
    __name__, [entry for entry in sys.path if os.path.abspath(entry) != _here]
)
if _found is None or _found.loader is None:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
__path__ = list(_found.submodule_search_locations or ())


def _real() -> ModuleType:
    assert _found is not None
    assert _found.loader is not None
    module = importlib.util.module_from_spec(_found)
    sys.modules[__name__] = module
    _found.loader.exec_module(module)
    return module


def is_valid_syntax(*arguments: Any, **options: Any) -> Any:
    """As the real one: whether a string is what a rule of RFC 3987 says."""
    return _current().is_valid_syntax(*arguments, **options)


def _current() -> ModuleType:
    known = sys.modules.get(__name__)
    return known if known is not None and known.__dict__ is not globals() else _real()


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    return getattr(_current(), name)
