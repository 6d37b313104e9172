"""What a cell gives back that lives on Ray: its objects are got, as `ray.get` does; of the rest it is told why not.

Only where the cell has imported Ray is there anything to do, so nothing of Ray is imported here.
"""

from __future__ import annotations

import sys
from weakref import WeakKeyDictionary

from .reduce import Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["Elsewhere", "Gathered", "gather", "refuse"]

PATIENCE = 10.0
"""Seconds after which it is told what is waited for."""
_DEPTH = 4
"""How deep in lists, tuples and dicts objects are looked for, and how often one may be the object of another."""
_AWAY = "lives on the Ray of the run, out of the notebook's reach"
_DATA = f"a Dataset {_AWAY}: return its .to_pandas(), or write it to the store with .write_parquet"
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
_known: WeakKeyDictionary[type, str | None] = WeakKeyDictionary()
_failed: dict[Any, Exception] = {}


class Elsewhere(Unfit):
    """Something that lives on Ray: its message is the reason, and names the way."""


def refuse(value: object) -> None:
    """Lets nothing pickle that would be an empty name of something in the notebook.

    Raises:
        Elsewhere: it would.
    """
    kind = type(value)
    try:
        why = _known[kind]
    except KeyError:
        names = (f"{parent.__module__}.{parent.__qualname__}" for parent in kind.__mro__)
        why = _known[kind] = next((_STAY[name] for name in names if name in _STAY), None)
    if why is None:
        return
    if not why and value in _failed:
        why = f"its task raised {_told(_failed[value])}"
    raise Elsewhere(why or (_DEEP if sys.modules["ray"].is_initialized() else _ENDED))


def gather(namespace: dict[str, Any], names: Iterable[str], others: Iterable[Any], last: Any, note: Any) -> Any:
    """Gets the objects of Ray that are to come back, also in lists, tuples and dicts; waits for them.

    What failed stays as it is, and `refuse` says why.

    Args:
        namespace: of the cell, in which names are bound to what was got.
        names: those that come back.
        others: values that come back where they were changed; objects in their lists and dicts are got in place.
        last: the last value.
        note: says what is waited for, where that takes long.

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
    gathered.get([*own.values(), *others, last])
    for name, value in own.items():
        if (found := gathered.filled(value)) is not value:
            namespace[name] = found
    for value in others:
        gathered.filled(value)
    if (error := gathered.failure(last)) is not None:
        raise error
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

    def get(self, values: list[Any]) -> None:
        """Gets what these refer to, and what that refers to."""
        for _ in range(_DEPTH):
            wanted = [each for each in self._found(values) if each not in self._got and each not in _failed]
            if not wanted:
                return
            self._wait(wanted)
            try:
                self._got |= dict(zip(wanted, self._ray.get(wanted), strict=True))
            except Exception:  # of one of them: the others are there all the same
                for each in wanted:
                    try:
                        self._got[each] = self._ray.get(each)
                    except Exception as error:
                        _failed[each] = error
            values = [self._got[each] for each in wanted if each in self._got]

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
        seen: set[Any] = set()
        todo = [value]
        while todo:
            found = [each for each in self._found(todo) if each not in seen]
            seen.update(found)
            for each in found:
                if each in _failed:
                    return _failed[each]
            todo = [self._got[each] for each in found if each in self._got]
        return None

    def _wait(self, wanted: list[Any]) -> None:
        missing = self._ray.wait(wanted, num_returns=len(wanted), timeout=PATIENCE, fetch_local=False)[1]
        if missing:
            many = f"{len(missing):,} objects" if len(missing) > 1 else "an object"
            self._note(
                f"The cell is done, and waits for {many} of Ray that come{'s' * (len(missing) == 1)} back: "
                "%jobq stop ends it, and -o says which names are to come back"
            )

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
