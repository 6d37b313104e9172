"""What a value of the job refers to in this package goes back as what takes its place in the notebook."""

from __future__ import annotations

import pickle
from importlib import import_module
from operator import attrgetter
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HERE = __name__.rpartition(".")[0]
_THERE = {
    "display": "IPython.display",
    "parallel": "jobq_magic.runtime.parallel",
    "progress": "jobq_magic.runtime.progress",
}


class Named:
    """Unpickled, it is the module of this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self._name,)


def stand_in(value: type | FunctionType) -> tuple[Any, ...] | None:
    """How a definition of this package is pickled for the notebook, where the package of the job is not known.

    Raises:
        pickle.PicklingError: it makes sense in the job only.
    """
    module = str(value.__module__)
    if not module.startswith(_HERE + "."):
        return None
    there = _THERE.get(module.rpartition(".")[2])
    if there is None or not isinstance(value, FunctionType) or "<" in value.__qualname__:
        raise pickle.PicklingError(f"{value.__name__} works in a job only")
    return attrgetter(value.__qualname__), (Named(there),)
