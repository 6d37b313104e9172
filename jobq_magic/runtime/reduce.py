"""How values are pickled, on both sides, that by themselves pickle badly, or into other bytes each time.

What libraries these are of is not imported: a value of theirs can only be met where they are loaded.
"""

from __future__ import annotations

import copyreg
import io
import operator
import pickle
import sys
from types import FunctionType, MemberDescriptorType
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Unfit", "reduced"]

_OF_A_RUN = ("_render_traceback_", "__jobq_run__")
"""What an exception that came back from a run is given for the notebook."""


class Unfit(pickle.PicklingError):
    """Something that would pickle, and be wrong where it arrives."""


def reduced(value: object) -> Any:
    """How to pickle a value, as `__reduce_ex__` says it; None where Python's own way is right.

    Raises:
        Unfit: it must not be pickled.
    """
    if value is sys.stdout or value is sys.stderr:  # a process has its own, of whatever class
        return getattr, (sys, "stdout" if value is sys.stdout else "stderr")
    kind = type(value)
    try:
        how = _KNOWN[kind]
    except KeyError:
        how = _KNOWN[kind] = _found(kind)
    return None if how is None else how(value)


def _found(kind: type) -> Callable[[Any], Any] | None:
    if issubclass(kind, io.IOBase) and not issubclass(kind, io.BytesIO | io.StringIO):
        return _file
    if issubclass(kind, BaseException) and kind.__setstate__ is BaseException.__setstate__:
        return _exception
    for parent in kind.__mro__:
        name = f"{parent.__module__}.{parent.__qualname__}"
        if name in _BY_NAME and (parent is kind or name in _WITH_SUBCLASSES):
            return _BY_NAME[name]
    return None


def _array(value: Any) -> Any:
    """An array that is not contiguous: as it is without its gaps, so that its data needs no second copy in the pickle.

    What repeats the same memory (`broadcast_to`, `sliding_window_view`) travels as that memory.
    """
    flags, item = value.flags, value.itemsize
    if flags.c_contiguous or flags.f_contiguous or value.dtype.hasobject:
        return None
    numpy = sys.modules["numpy"]
    if not flags.writeable and min(value.strides) >= 0 and not any(step % item for step in value.strides):
        length = 1 + sum((n - 1) * step for n, step in zip(value.shape, value.strides, strict=True)) // item
        if value.size > 2 * length:
            strided = numpy.lib.stride_tricks.as_strided
            return strided, (strided(value, (length,), (item,)), value.shape, value.strides, False, False)
    whole = numpy.array(value, order="C")
    whole.flags.writeable = flags.writeable
    return whole.__reduce_ex__(5)


def _dtype(value: Any) -> Any:
    """A type of numpy of which there is one: unpickled by numpy's own way it would be another one, and equal."""
    if value.isbuiltin != 1 or value.metadata is not None:
        return None
    dtype = sys.modules["numpy"].dtype
    same = dtype(value.str)
    return (dtype, (value.str,)) if same.char == value.char and same is dtype(value.str) else None


def _view_of_memory(value: memoryview) -> Any:
    """A view of all of an object stays a view of it; cloudpickle would make `bytes` of any."""
    try:
        whole = memoryview(value.obj)
    except TypeError:
        whole = None
    if whole is not None and (whole.format, whole.shape, whole.strides) == (value.format, value.shape, value.strides):
        if whole.readonly == value.readonly:
            return memoryview, (value.obj,)
        if value.readonly:
            return memoryview.toreadonly, (whole,)
    raise Unfit("cannot pickle a 'memoryview' of a part")


def _array_of_c(value: Any) -> Any:
    """`c_int * 3` is made by multiplication here, and so there."""
    return (
        (operator.mul, (value._type_, value._length_)) if value.__name__.endswith(f"_Array_{value._length_}") else None
    )


def _file(value: io.IOBase) -> Any:
    """Cloudpickle would read it to its end."""
    return _refused(value)


def _exception(value: Any) -> Any:
    """An exception with its kin (`__cause__`, `__context__`), and without a call of its `__init__`.

    Python's own way calls it with `args`, which is wrong for each that wants other arguments.
    """
    kind = type(value)
    own = any(getattr(kind, name) is not getattr(BaseException, name) for name in ("__reduce__", "__reduce_ex__"))
    make: Any
    if own or isinstance(kind.__new__, FunctionType) or not isinstance(kind.__init__, FunctionType):
        make = value.__reduce_ex__(5)
    else:
        fields = {name: held for name in _fields(kind) if (held := getattr(value, name, None)) is not None}
        make = (copyreg.__newobj__, (kind, *value.args), {**value.__dict__, **fields})  # type: ignore[attr-defined]
    call, arguments, state, *rest = (*make, None) if isinstance(make, tuple) and len(make) == 2 else make
    if rest or not (state is None or isinstance(state, dict)):
        return make
    state = {name: held for name, held in (state or {}).items() if name not in _OF_A_RUN}
    kin = {"__cause__": value.__cause__, "__context__": value.__context__}
    state |= {name: held for name, held in kin.items() if held is not None}
    if value.__suppress_context__:
        state["__suppress_context__"] = True
    return call, arguments, state or None


def _fields(kind: type) -> list[str]:
    """What the `__init__` of Python's own exceptions sets: `value` of StopIteration, `start` of UnicodeError."""
    return [
        name
        for parent in kind.__mro__
        if parent.__module__ == "builtins" and parent not in (BaseException, BaseExceptionGroup, Exception, object)
        for name, held in vars(parent).items()
        if isinstance(held, MemberDescriptorType) and not name.startswith("_")
    ]


def _struct(value: Any) -> Any:
    return type(value), (value.format,)


def _system_random(value: Any) -> Any:
    return type(value), ()


def _refused(value: object) -> Any:
    raise Unfit(f"cannot pickle {type(value).__name__!r} object")


_BY_NAME: dict[str, Callable[[Any], Any]] = {
    "numpy.ndarray": _array,
    "numpy.dtype": _dtype,
    "builtins.memoryview": _view_of_memory,
    "_ctypes.PyCArrayType": _array_of_c,
    "_struct.Struct": _struct,
    "random.SystemRandom": _system_random,
    "ctypes.CDLL": _refused,
    "xgboost.core.DMatrix": _refused,
}
_WITH_SUBCLASSES = frozenset({"numpy.dtype", "ctypes.CDLL", "xgboost.core.DMatrix"})
_KNOWN: WeakKeyDictionary[type, Callable[[Any], Any] | None] = WeakKeyDictionary()
