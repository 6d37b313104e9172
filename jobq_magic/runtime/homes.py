"""Modules that classes and functions say they are of."""

from __future__ import annotations

import importlib
import sys

__all__ = ["import_home"]


def import_home(value: object) -> None:
    """Imports the module that `value` says it is of, when it is not loaded, and its package is.

    Plain pickle does so too. Cloudpickle does not: it would take a class of a module that is loaded lazily
    (`numpy.rec.recarray`) for one that has none, and pickle a copy of it.
    """
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module in sys.modules or module.partition(".")[0] not in sys.modules:
        return
    try:
        importlib.import_module(module)
    except ImportError:
        return
