"""What a cell gives back that lives on Ray: its objects are got, as `ray.get` does; of the rest it is told why not.

All names that a cell binds come back, also those of tasks that it has left alone and of data that it only passed on.
So nothing is waited for without a word, or got in any amount.

Only where the cell has imported Ray is there anything to do, so nothing of Ray is imported here.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from weakref import WeakKeyDictionary

from . import shortage
from .reduce import Unfit
from .sites import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["Gathered", "LivesOnRay", "gather", "refuse"]

PATIENCE = 10.0
"""Seconds for which names are waited for that nobody asked for, and after which it is told what is waited for."""
PULL = 60.0
"""Seconds more for the objects of such names to come from other nodes: one that goes takes its objects along, and Ray
may then wait for a node that never comes, or do their tasks anew."""
LIMIT = 2 << 30
"""Bytes of objects that are got, all together, as of values that travel; and of the memory that we may use, the
part `_SHARE`, since an object may be there twice."""
_SHARE = 1 / 4
_DEPTH = 4
"""How deep in lists, tuples and dicts objects are looked for, and how often one may be the object of another."""
_AWAY = "lives on the Ray of the run, out of the notebook's reach"
_DATA = f"a Dataset {_AWAY}: return its .to_pandas(), or write it with .write_parquet to {{place}}"
_ACTOR = f"an actor {_AWAY}: return what its methods give, by ray.get"
_STAY = {
    "ray.ObjectRef": "",
    "ray.ObjectRefGenerator": f"what a generator on Ray gives {_AWAY}: return [ray.get(each) for each in it]",
    "ray.actor.ActorHandle": _ACTOR,
    "ray.actor.ActorMethod": _ACTOR,
    "ray.data.dataset.Dataset": _DATA,
    "ray.data.iterator.DataIterator": _DATA,
}
_DEEP = f"it holds an ObjectRef, whose object {_AWAY}: return what ray.get gives for it"
_ENDED = "the cell ended its Ray with its object: return what ray.get gives before ray.shutdown"
_WAY = "ray.get it in the cell, or name it with -o and it is waited for"
_LATE = f"its task had not ended when the cell had: {_WAY}"
_AFAR = f"its object did not come from the node that it was on: {_WAY}"
_LARGE = (
    "it refers to {size} on Ray, more than the {most} that come back without a word: bring back what ray.get gives for "
    "it, or have the tasks write it to {place}"
)
_known: WeakKeyDictionary[type, str | None] = WeakKeyDictionary()
_failed: dict[Any, Exception] = {}
_why: dict[Any, str] = {}
"""Why objects were not got."""


class LivesOnRay(Unfit):
    """Something that lives on Ray: its message is the reason, and names the way."""


def refuse(value: object) -> None:
    """Lets nothing pickle that would be an empty name of something in the notebook.

    Raises:
        LivesOnRay: it would.
    """
    kind = type(value)
    try:
        why = _known[kind]
    except KeyError:
        names = (f"{parent.__module__}.{parent.__qualname__}" for parent in kind.__mro__)
        why = _known[kind] = next((_STAY[name].format(place=_place()) for name in names if name in _STAY), None)
    if why is None:
        return
    if not why and value in _why:
        why = _why[value]
    raise LivesOnRay(why or (_DEEP if sys.modules["ray"].is_initialized() else _ENDED))


def _place() -> str:
    """Where a cell writes what is too large to come back."""
    at = os.environ.get(DATA)
    return f'os.environ["{DATA}"], {at}' if at else "a store that the notebook reads, too"


def gather(
    namespace: dict[str, Any], names: Iterable[str], others: Iterable[Any], last: Any, note: Any, *, patient: bool
) -> Any:
    """Gets the objects of Ray that are to come back, also in lists, tuples and dicts.

    The last value is waited for. What else refers to what is not there soon, is too large or failed stays as it is,
    and `refuse` says why.

    Args:
        namespace: of the cell, in which names are bound to what was got.
        names: those that come back.
        others: values that come back where they were changed; objects in their lists and dicts are got in place.
        last: the last value.
        note: says what is waited for, where that takes long, and why the last value stays as it is.
        patient: the names were asked for, and are waited for, too.

    Returns:
        The last value.

    Raises:
        Exception: what the task of the last value raised.
    """
    ray: Any = sys.modules.get("ray")
    if ray is None or not getattr(ray, "is_initialized", bool)():
        return last
    own = {name: namespace[name] for name in names if name in namespace}
    gathered = Gathered(ray, note)
    gathered.get([last], patient=True)
    if (error := gathered.failure(last)) is not None:
        raise error
    if why := gathered.lacks(last):
        note(f"The last value stays where it is: {why}")
    gathered.get([*own.values(), *others], patient=patient)
    for name, value in own.items():
        if (found := gathered.filled(value)) is not value:
            namespace[name] = found
    for value in others:
        gathered.filled(value)
    return gathered.filled(last)


class Gathered:
    """What the objects of a cell are.

    Args:
        ray: the module.
        note: see `gather`.
    """

    def __init__(self, ray: Any, note: Callable[[str], None]) -> None:
        self._ray, self._note = ray, note
        self._got: dict[Any, Any] = {}
        self._made: dict[int, tuple[Any, Any]] = {}
        self._most = self._room = _bound()

    def get(self, values: list[Any], *, patient: bool) -> None:
        """Gets what these refer to, and what that refers to; of a value all or nothing.

        Args:
            values: those.
            patient: all of it is waited for.
        """
        until = time.monotonic() + PATIENCE
        todo = [[value] for value in values]
        for _ in range(_DEPTH):
            found = [[each for each in self._found(one) if each not in self._got] for one in todo]
            if not any(found):
                return
            wanted = dict.fromkeys(each for one in found if _why.keys().isdisjoint(one) for each in one)
            late = self._missing(list(wanted), None if patient else until)
            _why.update(dict.fromkeys(late, _LATE))
            chosen = self._chosen(found, self._sizes([each for each in wanted if each not in _why]))
            self._take(chosen, None if patient else max(until, time.monotonic()) + PULL)
            todo = [[self._got[each] for each in one if each in self._got] for one in found]

    def _chosen(self, found: list[list[Any]], sizes: Mapping[Any, int]) -> list[Any]:
        """What is to be got, of what values refer to: the smallest first, as much as there is room for."""
        taken: dict[Any, None] = {}
        left = []
        for one in sorted(found, key=lambda one: sum(sizes.get(each, 0) for each in one)):
            size = sum(sizes.get(each, 0) for each in one if each not in taken)
            why = next((_why[each] for each in one if each in _why), "")
            if not why and size > self._room:
                why = _LARGE.format(size=_in_words(size), most=_in_words(self._most), place=_place())
            if why:
                left.append((one, why))
            else:
                self._room -= size
                taken |= dict.fromkeys(one)
        for one, why in left:
            for each in one:
                if each not in taken:
                    _why.setdefault(each, why)
        return list(taken)

    def _take(self, wanted: list[Any], until: float | None) -> None:
        """Gets these. That all were there once does not say that they are there still, so there is an end to it."""
        try:
            self._got |= dict(zip(wanted, self._taken(wanted, until), strict=True))
        except Exception:  # of one of them: the others are there all the same
            for each in wanted:
                try:
                    self._got[each] = self._taken(each, until)
                except Exception as error:
                    exceptions = self._ray.exceptions
                    if isinstance(error, exceptions.GetTimeoutError) and not isinstance(error, exceptions.RayTaskError):
                        _why[each] = _AFAR
                    else:
                        _failed[each] = error
                        _why[each] = f"its task raised {_told(error)}"

    def _taken(self, wanted: Any, until: float | None) -> Any:
        return self._ray.get(wanted, timeout=None if until is None else max(0.0, until - time.monotonic()))

    def _sizes(self, wanted: list[Any]) -> dict[Any, int]:
        """The bytes of objects, of those that Ray tells it of."""
        try:
            experimental = importlib.import_module("ray.experimental")
            told = experimental.get_object_locations(wanted, int(PATIENCE * 1000))
        except Exception:  # a Ray that has it elsewhere, or whose nodes do not answer
            return {}
        return {each: where.get("object_size") or 0 for each, where in told.items()}

    def filled(self, value: Any, depth: int = _DEPTH) -> Any:
        """A value with its objects in the place of what refers to them. Lists and dicts stay the same ones."""
        if isinstance(value, self._ray.ObjectRef):
            return self.filled(self._got[value], depth - 1) if depth and value in self._got else value
        if id(value) in self._made:
            return self._made[id(value)][1]
        if not depth or not (inside := self._inside(value)):
            return value
        self._made[id(value)] = value, value
        new = [self.filled(each, depth - 1) for each in inside]
        if all(one is other for one, other in zip(inside, new, strict=True)):
            return value
        if isinstance(value, list):
            value[:] = new
        elif isinstance(value, dict):
            value.update(zip(value, new, strict=True))
        else:
            self._made[id(value)] = value, (type(value)._make(new) if hasattr(value, "_make") else tuple(new))
        return self._made[id(value)][1]

    def failure(self, value: Any) -> Exception | None:
        """What was raised instead of the first object that a value refers to and that is not there."""
        return next((_failed[each] for each in self._below(value) if each in _failed), None)

    def lacks(self, value: Any) -> str:
        """Why an object that a value refers to was not got; "" where all were."""
        return next((_why[each] for each in self._below(value) if each in _why), "")

    def _below(self, value: Any) -> list[Any]:
        """What a value refers to, at any depth."""
        seen: dict[Any, None] = {}
        todo = [value]
        while todo:
            found = [each for each in self._found(todo) if each not in seen]
            seen |= dict.fromkeys(found)
            todo = [self._got[each] for each in found if each in self._got]
        return list(seen)

    def _missing(self, wanted: list[Any], until: float | None) -> list[Any]:
        """What is not there when it is time; None: when all is there, and it is told what is waited for."""
        patience = PATIENCE if until is None else max(0.0, until - time.monotonic())
        missing: list[Any] = self._waited(wanted, patience)
        if missing and until is None:
            many = f"{len(missing):,} objects" if len(missing) > 1 else "an object"
            self._note(
                f"The cell is done, and waits for {many} of Ray that its last value or -o names: "
                "%jobq stop ends it, and nothing comes back then"
            )
            missing = self._waited(wanted, None)
        return missing

    def _waited(self, wanted: list[Any], seconds: float | None) -> list[Any]:
        if not wanted:
            return []
        left: list[Any] = self._ray.wait(wanted, num_returns=len(wanted), timeout=seconds, fetch_local=False)[1]
        return left

    def _found(self, values: list[Any]) -> list[Any]:
        """What refers to an object in these, each once."""
        found: dict[Any, None] = {}
        seen: set[int] = set()
        for _ in range(_DEPTH + 1):
            deeper = []
            for value in values:
                if isinstance(value, self._ray.ObjectRef):
                    found[value] = None
                elif id(value) not in seen:
                    seen.add(id(value))
                    deeper += self._inside(value)
            values = deeper
        return list(found)

    def _inside(self, value: Any) -> list[Any]:
        """What is in a list, a tuple or a dict, where objects of Ray may be: most hold numbers only, and many."""
        if isinstance(value, dict) and type(value).__module__ in ("builtins", "collections"):
            inside = list(value.values())
        elif type(value) in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_make")):
            inside = list(value)
        else:
            return []
        kinds = set(map(type, inside))
        return inside if any(issubclass(kind, (self._ray.ObjectRef, list, tuple, dict)) for kind in kinds) else []


def _told(error: Exception) -> str:
    error = getattr(error, "cause", None) or error  # as the task raised it
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _bound() -> int:
    """Bytes of objects that are got."""
    limit = shortage.limit()
    return LIMIT if limit is None else min(LIMIT, int(limit * _SHARE))


def _in_words(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB" if size < 1 << 30 else f"{size / (1 << 30):,.1f} GiB"
