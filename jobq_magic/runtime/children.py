"""multiprocessing in a cell: a child that does not come from a fork finds what the notebook defines, and the cell.

Such a child (spawn, forkserver, loky) gets what it works on by reference: `__main__.work`. In a kernel there is no such
name in it. Here its `__main__` loads itself when it is first asked for a name:

- the notebook's definitions, from the bundle, as on a worker of Ray;
- what the cell has defined by the time that the child is started, by value, with what it reads;
- the values that the notebook's definitions read, as they are then.

The cell is never executed in a child, and a child that asks for nothing pays nothing.
"""

from __future__ import annotations

import builtins
import os
import sys
import threading
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType

from . import beside
from .afterimport import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LIMIT = 64 << 20
"""Bytes of values that each child is given: what is larger is better passed to it, or mapped by it."""
PATIENCE = 2.0
"""Seconds that a job waits for processes of its cell without saying so."""
_SPAWNS = ("multiprocessing.spawn", "loky.backend.spawn", "joblib.externals.loky.backend.spawn")
_PICKLERS = ("joblib.externals.cloudpickle.cloudpickle", "cloudpickle.cloudpickle")
# Executed by the child before it knows where this package is.
_FIRST = "import sys; sys.path.append(folder); from _jobq_runtime import children; children.become(bundle, out, given)"
_FOLDER = os.path.dirname(os.path.dirname(__file__))
_made: dict[str, Any] = {}
"""What the steps made in this process: a name that holds another object by now was bound by the cell."""
_REMEMBERED = type(lru_cache(len))
_told: set[str] = set()
_former: list[ModuleType] = []


def prepare(main: ModuleType, bundle: str, out: str, steps: list[dict[str, Any]]) -> None:
    """From now on, children of this process that do not come from a fork find in `__main__` what they need.

    Args:
        main: with the steps loaded.
        bundle: the folder of the bundle.
        out: the folder of the attempt.
        steps: those of the bundle.
    """
    names = [name for step in steps if step["kind"] in ("source", "import") for name in _names(step)]
    _made.clear()
    _made.update((name, main.__dict__[name]) for name in names if name in main.__dict__)
    # loky takes classes along by value, also where the child has them.
    beside.track(main, bundle, _PICKLERS)
    _tell_children(_First(bundle, out, lambda: given(main, bundle, steps)))


def _tell_children(first: _First) -> None:
    for name in _SPAWNS:
        after_import(name, lambda spawn: _add(spawn, first))


def _names(step: dict[str, Any]) -> list[str]:
    return step["names"] if "names" in step else [step["name"]]


class _First:
    """Among the first things that a child unpickles, and makes it load `become`."""

    def __init__(self, bundle: str, out: str, given: Callable[[], bytes]) -> None:
        self._known, self._given = {"folder": _FOLDER, "bundle": bundle, "out": out}, given

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (_FIRST, {**self._known, "given": self._given()})


def _add(spawn: ModuleType, first: _First) -> None:
    plain = getattr(spawn.get_preparation_data, "__wrapped__", spawn.get_preparation_data)

    def get_preparation_data(*args: Any, **named: Any) -> dict[str, Any]:
        data: dict[str, Any] = plain(*args, **named)
        return data | {"jobq": first}

    get_preparation_data.__wrapped__ = plain  # type: ignore[attr-defined]
    spawn.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]


def become(bundle: str, out: str, given: bytes) -> None:
    """Gives this child a `__main__` that loads itself when it is asked for a name."""
    from . import display

    display.install(lambda message: _order(out).display(message))
    builtins.display = display.display  # type: ignore[attr-defined]
    main = ModuleType("__main__")
    lock = threading.RLock()

    def load(name: str) -> Any:
        with lock:
            if name.startswith("__") or main.__dict__.get("__getattr__") is not load:
                return _there(main, name)
            del main.__dict__["__getattr__"]
            _load(main, bundle, out, given)
            return _there(main, name)

    main.__dict__["__getattr__"] = load
    _former.append(sys.modules["__main__"])  # it is being executed
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    _tell_children(_First(bundle, out, lambda: given))


def tell_of_those_left() -> None:
    """Says, should it take a while, which processes of multiprocessing the end of this one waits for."""
    if "multiprocessing" in sys.modules:
        threading.Thread(target=_tell_of_those_left, name="jobq-left", daemon=True).start()


def _tell_of_those_left() -> None:
    import time

    time.sleep(PATIENCE)
    known = getattr(sys.modules["multiprocessing"].process, "_children", ())
    if left := waited_for(list(known)):
        count = "a process" if len(left) == 1 else f"{len(left)} processes"
        print(
            f"jobq: the cell has ended, and the job waits for {count} that it started ({'; '.join(left)}); "
            "with daemon=True they end with the cell",
            file=sys.stderr,
        )


def waited_for(children: Iterable[Any]) -> list[str]:
    """Of the processes that a job started, those that it waits for; loky's end by themselves once nobody needs them."""
    return [
        f"{child.name}, pid {child.pid}"
        for child in children
        if not child.daemon and child.exitcode is None and ".loky." not in f".{type(child).__module__}."
    ]


def _there(main: ModuleType, name: str) -> Any:
    try:
        return main.__dict__[name]
    except KeyError:
        raise AttributeError(f"module '__main__' has no attribute {name!r}", name=name, obj=main) from None


def _order(out: str) -> Any:
    from .outputs import Order

    found = _orders.get(out)
    if found is None:
        found = _orders[out] = Order(out)
    return found


_orders: dict[str, Any] = {}


def _load(main: ModuleType, bundle: str, out: str, given: bytes) -> None:
    import pickle

    from . import manifest
    from .main import furnish

    steps = manifest.read(bundle)["steps"]
    furnish(main)
    beside.load(bundle, steps, main, "a child process")
    prepare(main, bundle, out, steps)
    for part in pickle.loads(given) if given else []:
        try:
            main.__dict__.update(pickle.loads(part))
        except Exception:
            beside.complain("what the cell defines could not be loaded in a child process")


def given(main: ModuleType, bundle: str, steps: list[dict[str, Any]]) -> bytes:
    """What a child that is started now finds beside the definitions of the bundle, as pickles of dicts in one pickle.

    Together, so that what is shared stays shared; where that cannot be, one by one, without what cannot go.
    """
    import pickle

    from .wire import TooLarge

    pickler = _pickler(main)
    wanted = _wanted(main, bundle, steps)
    try:
        return pickle.dumps([_pickled(pickler, wanted, LIMIT)]) if wanted else b""
    except Exception:
        parts, left = [], LIMIT
        for name, value in wanted.items():
            try:
                parts.append(_pickled(pickler, {name: value}, left))
                left -= len(parts[-1])
            except TooLarge:
                _tell(name)
            except Exception:  # noqa: S112 - it is not there, then: as in a kernel
                continue
        return pickle.dumps(parts)


def _pickled(pickler: Callable[..., Any], value: dict[str, Any], limit: int) -> bytes:
    from .wire import _Bounded

    head = _Bounded(limit)
    pickler(head, protocol=5).dump(value)
    return b"".join(head.parts)


def _tell(name: str) -> None:
    if name not in _told:
        _told.add(name)
        print(
            f"jobq: {name} is too large to be given to each process that is spawned; pass it on, or use fork",
            file=sys.stderr,
        )


def _wanted(main: ModuleType, bundle: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Of what `main` holds: definitions of the cell, and the values that definitions of the notebook read."""
    read = _reads(bundle, steps)
    found = {}
    for name, value in list(main.__dict__.items()):
        if name.startswith("__") or _made.get(name, _made) is value or isinstance(value, ModuleType):
            continue
        if name in read or _is_definition(value):
            found[name] = value
    return found


def _is_definition(value: Any) -> bool:
    """Whether it is what pickles refer to by its name in `__main__`."""
    if isinstance(value, FunctionType | type) or "__wrapped__" in getattr(value, "__dict__", ()):
        return bool(value.__module__ == "__main__")
    return False


_read_by: dict[str, frozenset[str]] = {}


def _reads(bundle: str, steps: list[dict[str, Any]]) -> frozenset[str]:
    """The names that definitions of the notebook read."""
    if bundle not in _read_by:
        found: set[str] = set()
        for step in steps:
            if step["kind"] == "source":
                with open(os.path.join(bundle, step["file"]), encoding="utf-8") as file:
                    _collect(compile(file.read(), step["label"], "exec", step["flags"], dont_inherit=True), found)
        _read_by[bundle] = frozenset(found)
    return _read_by[bundle]


def _collect(code: CodeType, found: set[str]) -> None:
    import dis

    found |= {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _collect(constant, found)


def _pickler(main: ModuleType) -> Callable[..., Any]:
    """Pickles what the steps made by name, all else of `main` by value, with `main` as its globals there too."""
    from .returns import pickler_for

    base: Any = pickler_for(main, [name for name, value in _made.items() if main.__dict__.get(name) is value])

    class ForChild(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            if hasattr(self, "globals_ref"):  # a private name of cloudpickle
                self.globals_ref[id(main.__dict__)] = _Globals()

        def reducer_override(self, value: Any) -> Any:
            if type(value) is _REMEMBERED and _made.get(value.__name__) is not value and _is_definition(value):
                return _remembered, (value.__wrapped__, value.cache_parameters())
            if str(getattr(value, "__module__", "")).startswith(f"{__package__}."):
                return NotImplemented
            return super().reducer_override(value)

    return ForChild


def _remembered(function: Any, how: dict[str, Any]) -> Any:
    return lru_cache(**how)(function)


class _Globals:
    """Unpickled, it is the namespace of `__main__`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _namespace, ()


def _namespace() -> dict[str, Any]:
    return sys.modules["__main__"].__dict__
