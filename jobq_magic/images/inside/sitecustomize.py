"""Puts what the requirements layer installed on sys.path, as if it were installed in the base.

Python imports this at its start, from the folder on PYTHONPATH that it lies in. PYTHONPATH itself would not do: it
comes before the standard library, and `.pth` files in it are not read. Whatever Python the base has must take it, and
every process pays for it: nothing is imported that is not there already.
"""
# ruff: noqa: PTH100, PTH118, PTH120

import os
import site
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _join() -> None:
    before = set(sys.path)
    root = os.path.dirname(_HERE)
    # Programs that the cell starts find local code too, which is in no notebook's folder there.
    sys.path.append(os.path.join(root, "bundle", "modules"))
    site.addsitedir(os.path.join(root, "site-packages"))
    ours = [entry for entry in sys.path if entry not in before]
    rest = [entry for entry in sys.path if entry in before]
    library = os.path.dirname(os.__file__)
    at = 0
    # Behind the last entry of the standard library, which is in front of all that the base has installed.
    for index, entry in enumerate(rest, 1):
        if (entry + os.sep).startswith(library + os.sep) and "-packages" not in entry:
            at = index
    # At the very end: what is installed counts before it.
    sys.path[:] = [*rest[:at], *ours, *rest[at:], os.path.join(os.path.dirname(_HERE), "last")]


def _next() -> None:
    """Runs the module that this one hides: that of the base. What it raises, Python tells as without us."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    others = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


try:
    _join()
finally:
    _next()
