"""The notebook's definitions, in a process beside the job's: a worker of Ray, a child of multiprocessing.

Imports and source are executed there; the cell never is, and values only where a definition cannot be made without one.
"""

from __future__ import annotations

import copyreg
import functools
import sys
from types import CodeType, FunctionType

from .afterimport import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from types import ModuleType
    from typing import Any

_DEFINE = ("import", "source", "attributes")
_OPTIMIZED = 1
"""`inspect.CO_OPTIMIZED`: a function, not the body of a class."""
_Cached = functools._lru_cache_wrapper
_BY_NAME = ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


def load(bundle: str, steps: list[dict[str, Any]], main: ModuleType, where: str, state: Collection[str] = ()) -> None:
    """Loads the definitions of a bundle into `main`; what cannot be loaded is told on stderr, and left out.

    Args:
        bundle: the folder of the bundle.
        steps: all of them.
        main: the module to fill.
        where: what this process is, for what is told.
        state: the kinds of state that are set here too.
    """
    values: dict[str, dict[str, Any]] = {}
    for step in steps:  # of a value that is loaded twice, what definitions are executed with
        if step["kind"] == "value":
            values = dict.fromkeys(step["names"], step) | values
    for step in steps:
        if step["kind"] == "attributes" and step["of"].partition(".")[0] not in main.__dict__:  # of a value
            continue
        if step["kind"] in _DEFINE or (step["kind"] == "state" and step["what"] in state):
            _load_step(bundle, step, main, values, where)
    # An object around a function goes by reference and the function in it reads what is here.
    for step in steps:
        for name in step["names"] if step["kind"] == "source" else ():
            inner = getattr(main.__dict__.get(name), "__wrapped__", None)
            if inner is not None and not isinstance(main.__dict__[name], FunctionType | type):
                for read in reads(getattr(inner, "__code__", None)):
                    _load_value(bundle, values, read, main, where)


def _load_step(
    bundle: str, step: dict[str, Any], main: ModuleType, values: dict[str, dict[str, Any]], where: str
) -> None:
    while True:
        try:
            return _execute(bundle, step, main)
        except NameError as error:  # a default, a decorator, a class attribute that reads a value
            if error.name is None or not _load_value(bundle, values, error.name, main, where):
                return complain(f"{_title(step)} could not be loaded in {where}")
        except BaseException:
            return complain(f"{_title(step)} could not be loaded in {where}")


def _load_value(bundle: str, values: dict[str, dict[str, Any]], name: str, main: ModuleType, where: str) -> bool:
    step = values.get(name)
    if step is None or name in main.__dict__:
        return False
    try:
        _execute(bundle, step, main)
    except Exception:
        complain(f"{name} could not be loaded in {where}")
    return name in main.__dict__


def _execute(bundle: str, step: dict[str, Any], main: ModuleType) -> None:
    from .main import load_steps  # it imports what uses this module

    load_steps(bundle, [step], main)


def reads(code: CodeType | None) -> Iterator[str]:
    """All names that a piece of code reads, attributes among them."""
    if code is not None:
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from reads(constant)


def _title(step: dict[str, Any]) -> str:
    return ", ".join(step.get("names") or [step.get("module") or step.get("of") or step.get("what") or step["kind"]])


def track(main: ModuleType, digest: str, picklers: Iterable[str]) -> None:
    """Makes each class in `main` the same class wherever this is called with the same digest.

    Args:
        main: with the definitions loaded, and nothing else.
        digest: of the bundle.
        picklers: the modules of cloudpickle, by name, that pass classes by value.
    """
    classes = {f"jobq-{digest}-{name}": found for name, found in _classes(main.__dict__, "")}
    for pickler in picklers:
        after_import(pickler, functools.partial(_track, classes))
        after_import(pickler, _make_once)
        after_import(pickler, _read_class_bodies)
    copyreg.pickle(functools.cached_property, _property)
    copyreg.pickle(_Cached, _cached)


def _classes(namespace: Any, prefix: str) -> Iterator[tuple[str, type]]:
    for name, value in list(namespace.items()):
        if isinstance(value, type) and value.__module__ == "__main__" and value.__qualname__ == prefix + name:
            yield value.__qualname__, value
            yield from _classes(vars(value), f"{value.__qualname__}.")


def _track(classes: dict[str, type], pickler: ModuleType) -> None:
    try:
        with pickler._DYNAMIC_CLASS_TRACKER_LOCK:
            for key, found in classes.items():
                pickler._DYNAMIC_CLASS_TRACKER_BY_CLASS[found] = key
                pickler._DYNAMIC_CLASS_TRACKER_BY_ID[key] = found
    except AttributeError:  # private names, there since 1.2: without them classes merely have no identity
        return


def _make_once(pickler: ModuleType) -> None:
    """Lets a class that is there already not be made first: its metaclass and `__init_subclass__` would act again."""
    plain = getattr(pickler, "_make_skeleton_class", None)
    there = getattr(pickler, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
    if plain is None or there is None:
        return

    @functools.wraps(plain)  # it is pickled by its name
    def make(kind: Any, name: Any, bases: Any, named: Any, key: Any, extra: Any) -> Any:
        found = there.get(key) if key is not None else None
        return plain(kind, name, bases, named, key, extra) if found is None else found

    pickler._make_skeleton_class = make  # type: ignore[attr-defined]


def _read_class_bodies(pickler: ModuleType) -> None:
    """Lets a function take along what bodies of its classes read: by an instruction that cloudpickle passes over."""
    plain = getattr(pickler, "_extract_code_globals", None)
    if plain is None:
        return

    def extract(code: CodeType) -> dict[str, None]:
        names: dict[str, None] = plain(code)
        if code.co_flags & _OPTIMIZED:
            return names
        import dis  # cloudpickle has it loaded

        read = (step.argval for step in dis.get_instructions(code) if step.opname in _BY_NAME)
        return names | dict.fromkeys(name for name in read if not name.startswith("__"))

    pickler._extract_code_globals = extract  # type: ignore[attr-defined]


def _cached(value: Any) -> Any:
    """A cached function under its name; one that has another name than what it caches, as a new one around that."""
    found = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is value:
        return value.__reduce__()
    parameters = value.cache_parameters()
    info = getattr(functools, "_CacheInfo")  # noqa: B009  what functools itself calls it with
    return _Cached, (value.__wrapped__, parameters["maxsize"], parameters["typed"], info), dict(vars(value))


def _property(value: functools.cached_property[Any]) -> Any:
    """In a class that goes by value; before Python 3.12 it holds a lock."""
    return functools.cached_property, (value.func,), {"attrname": value.attrname}


def complain(what: str) -> None:
    """Says on stderr what went wrong, with the exception that is being handled."""
    import traceback

    print(f"jobq: {what}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
