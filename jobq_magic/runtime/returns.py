"""What goes back: the names that the cell bound, what it changed in place, its last value, or its exception."""

from __future__ import annotations

import os
import pickle
from types import FunctionType, ModuleType

from .changes import Watched, changed
from .homes import import_home
from .ours import stand_in
from .rayvalues import LivesOnRay, refuse
from .reduce import reduced
from .sharing import Met, families, sharable, views
from .spill import give_room
from .wire import PROTOCOL, SHARED, TooLarge, head_size, pickle_group, read_group, write_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    import traceback
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any

_PROVED = 64 << 20
"""Bytes in band up to which a group is read once in the job: more could take the memory that the cell left free."""
_COPIED = 1 << 20
"""Bytes in band up to which the memo of a pickler is copied: its copy may take twenty times as many."""
_PLAIN = (int, float, complex, bool, str, bytes, type(None))
_SMALL = 1 << 17
"""Bytes of values that there is room for on a full disk, beside what was printed and the result."""
_TOGETHER = 1 << 14
"""Bytes of values that share nothing up to which they have a file together: it comes back whole or not at all, and the
way back may be narrow (`carrier.LIMIT`)."""
_NARROW = 1 << 16
"""Bytes of all values up to which such a way takes them in one file."""


def pickler_for(main: ModuleType, shipped: Iterable[str]) -> Callable[..., Any]:
    """A pickler class under which definitions that travelled here go back by name, and what the cell defined by value.

    So `type(x) is A` holds in the notebook for an `A` of the notebook, and an instance of a class that only the cell
    knows can come back all the same. By value needs cloudpickle; without it such values are refused.
    """
    names = frozenset(shipped)

    def by_name(value: object) -> Any:
        if (known := reduced(value)) is not None:
            return known
        if not isinstance(value, type | FunctionType):
            refuse(value)
            return None
        if value.__module__ != "__main__":
            import_home(value)
            return stand_in(value)
        found: Any = main
        for part in value.__qualname__.split("."):
            found = getattr(found, part, None)
        return value.__qualname__ if found is value and value.__qualname__.split(".")[0] in names else None

    try:
        from cloudpickle import Pickler as Base
    except ImportError:

        class Plain(pickle.Pickler):
            def reducer_override(self, value: Any) -> Any:
                if (name := by_name(value)) is not None:
                    return name
                if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
                    raise pickle.PicklingError(f"{value.__qualname__} is defined by the cell only")
                return NotImplemented

        return Plain

    class ByValue(Base):  # type: ignore[misc]  # cloudpickle has no types
        def reducer_override(self, value: Any) -> Any:
            return by_name(value) or super().reducer_override(value)

    return ByValue


class Returns:
    """Writes the value groups of an attempt and gathers the result that names them.

    Args:
        folder: of the attempt.
        pickler: gives the class that `pickler_for` makes; asked when there is something that needs it.
        narrow: files come back one by one, as many as there is room for.
    """

    def __init__(self, folder: str, pickler: Callable[[], Callable[..., Any]], *, narrow: bool = False) -> None:
        self._folder = os.path.join(folder, "values")
        self._made = pickler
        self._narrow = narrow
        self._sizes: dict[str, int] = {}
        self.skipped: list[dict[str, str]] = []
        os.makedirs(self._folder, exist_ok=True)

    def _pickler(self, *values: object) -> Callable[..., Any]:
        """What pickles these: numbers and texts need not wait for the import of cloudpickle."""
        return pickle.Pickler if all(type(value) in _PLAIN for value in values) else self._made()

    def group(self, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """All values, in groups; those that cannot go are in `skipped`."""
        gone: dict[str, dict[str, Any]] = {}
        for names in self._families(values):
            gone |= self._group({name: values[name] for name in names})
        return gone

    def _families(self, values: dict[str, Any]) -> list[list[str]]:
        """Names whose values share objects together, what is small together, and the smallest first.

        What is large has a file of its own so that it need not be sent again when a later cell takes it along, and so
        that what is smaller comes back where it does not.
        """
        looks = {name: _Look({name: value}, self._pickler(value)) for name, value in values.items()}
        self._sizes |= {name: look.size for name, look in looks.items()}
        sizes = [look.size for look in looks.values()]
        if len(sizes) < 2 or (sum(sizes) <= _NARROW if self._narrow else max(sizes) < SHARED):
            return [sorted(values)] if values else []
        inner = {name: look for name, look in looks.items() if type(values[name]) not in _PLAIN}
        if len(inner) < 2 or (not self._narrow and sum(look.in_band for look in inner.values()) > _PROVED):
            shared = [sorted(inner)] if inner else []  # all come, and to find out takes memory and time
        else:
            shared = families({name: look.shared() for name, look in inner.items()})
        alone = [[name] for name in looks if name not in inner]  # with a number, nothing is shared
        together = {tuple(names): sum(looks[name].size for name in names) for names in [*shared, *alone]}
        return _packed(together, _TOGETHER if self._narrow else SHARED, limited=self._narrow)

    def _group(self, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        try:
            return self._there_and_back(values)
        except Exception:
            good, before = {}, set(os.listdir(self._folder))
            for name, value in values.items():
                try:
                    self._there_and_back({name: value})
                    good[name] = value
                except Exception as error:
                    self.skipped.append({"name": name, "reason": _reason(value, error)})
            for file in set(os.listdir(self._folder)) - before:
                os.unlink(os.path.join(self._folder, file))
            return self._written(good) if good else {}

    def _there_and_back(self, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Writes a group, and unpickles it once: what cannot be made again must not take the others with it."""
        written = self._written(values)
        path = os.path.join(self._folder, next(iter(written.values()))["group"])
        if head_size(path) <= _PROVED:
            _prove(path)
        return written

    def _written(self, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        try:
            digest, size = write_group(self._folder, values, pickler=self._pickler(*values.values()))
        except OSError as error:  # the disk is full: what is small goes into the room that was kept for the end
            give_room(os.path.dirname(self._folder))
            try:
                pickler = self._pickler(*values.values())
                digest, size = write_group(self._folder, values, pickler=pickler, limit=_SMALL)
            except TooLarge:
                raise error from None
        return {name: {"group": digest, "size": size, "own": self._sizes.get(name, size)} for name in values}

    def success(self, main: ModuleType, outs: list[str], watched: list[Watched], value: Any) -> dict[str, Any]:
        """The result of a cell that ended well."""
        from .display import bundle

        bound = {name: main.__dict__[name] for name in outs if name in main.__dict__}
        modules = [name for name, held in bound.items() if isinstance(held, ModuleType)]
        self.skipped += [{"name": name, "reason": f"{bound.pop(name).__name__} is a module"} for name in modules]
        touched: dict[str, Any] = {}
        rebound: dict[str, str] = {}  # what changed, and lost its name to another value: under which name it goes
        sent: dict[int, str] = {}
        for group in watched:
            if not changed(group, self._made()):
                sent |= {id(held): name for name, held in group.values.items()}
                continue
            for name, held in group.values.items():
                # `rows += [1]` binds the name to what it held: other names hold that too.
                if bound.get(name, held) is held:
                    touched[name] = held
                elif (other := next((each for each in bound if bound[each] is held), None)) is not None:
                    rebound[name] = other
        # What is bound, and was sent and not changed, is there already: `best = model` would be a copy of it.
        same = {name: sent[id(held)] for name, held in bound.items() if id(held) in sent}
        everything = {**bound, **touched, **({"_": value} if value is not None else {})}
        # The last value is often what a name holds, and then needs no place of its own.
        held = next((name for name in everything if name != "_" and everything[name] is value), None)
        if held is not None:
            everything.pop("_", None)
        gone = self.group(everything)
        if held in gone and value is not None:
            gone["_"] = {**gone[held], "name": held}
        self.skipped = [entry for entry in self.skipped if entry["name"] != "_"]
        there = {name: held for group in watched for name, held in group.values.items()} | bound
        last = None
        if value is not None:
            data, metadata = bundle(value)
            last = {**gone.get("_", {"group": None}), "bundle": data, "metadata": metadata}
        return {
            "protocol": PROTOCOL,
            "status": "ok",
            "names": {name: gone[name] for name in bound if name in gone},
            "changed": {
                **{name: gone[name] for name in touched if name in gone},
                **{name: {**gone[other], "name": other} for name, other in rebound.items() if other in gone},
            },
            "same": same,
            "apart": [names for names in views(there) if any(name in gone for name in names)],
            "groups": list(dict.fromkeys(entry["group"] for entry in gone.values())),
            "value": last,
            "skipped": self.skipped,
            "error": None,
        }

    def _exception(self, error: BaseException) -> str:
        """The group of an exception; without its kin, and then without its parts, where these are what cannot go."""
        try:
            return self._proved(error)
        except Exception:
            kin, error.__cause__, error.__context__ = (error.__cause__, error.__context__), None, None
            if not any(kin):
                self._leave_parts(error)
        try:
            return self._proved(error)
        except Exception:
            self._leave_parts(error)
            return self._proved(error)

    def _leave_parts(self, error: BaseException) -> None:
        """Takes from an exception which arguments and attributes cannot go, and says so."""
        for name, held in list(vars(error).items()):
            if (unfit := self._unfit(held)) is not None:
                del vars(error)[name]
                self.skipped.append({"name": f"{type(error).__name__}.{name}", "reason": _reason(held, unfit)})
        error.args = tuple(held if self._unfit(held) is None else repr(held) for held in error.args)

    def _unfit(self, value: object) -> Exception | None:
        try:
            pickle_group(value, pickler=self._pickler(value))
        except Exception as error:
            return error
        return None

    def _proved(self, error: BaseException) -> str:
        written: str = self._written({"exception": error.with_traceback(None)})["exception"]["group"]
        # Exceptions may pickle and not unpickle: their classes make them as they like.
        _prove(os.path.join(self._folder, written))
        return written

    def failure(self, error: BaseException, labels: Iterable[str]) -> dict[str, Any]:
        """The result of a cell that raised. Nothing that it bound goes back."""
        import traceback

        known = frozenset(labels)
        told = without_frames_of_ours(traceback.TracebackException.from_exception(error, capture_locals=False))
        frames = [
            {"label": frame.filename, "line": frame.lineno, "name": frame.name, "own": frame.filename in known}
            for frame in told.stack
        ]
        group = None
        try:
            group = self._exception(error)
        except Exception as unfit:
            self.skipped.append({"name": "exception", "reason": _reason(error, unfit)})
        return {
            "protocol": PROTOCOL,
            "status": "error",
            "names": {},
            "changed": {},
            "value": None,
            "skipped": self.skipped,
            "error": {
                "type": type(error).__name__,
                "message": _message(error),
                "group": group,
                "frames": frames,
                "text": "".join(told.format()),
            },
        }


def without_frames_of_ours(told: traceback.TracebackException) -> traceback.TracebackException:
    """The same, in place, with only the frames of the user's code and of the libraries that it calls."""
    ours = os.path.dirname(__file__) + os.sep
    seen: set[int] = set()
    todo: list[traceback.TracebackException | None] = [told]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack[:] = [frame for frame in each.stack if not frame.filename.startswith(ours)]
        todo += [each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or [])]
    return told


def print_exception(kind: type[BaseException], error: BaseException, _: TracebackType | None = None) -> None:
    """`sys.excepthook` without our frames."""
    import sys
    import traceback

    told = without_frames_of_ours(traceback.TracebackException(kind, error, error.__traceback__))
    print("".join(told.format()), end="", file=sys.stderr)


def _packed(sizes: dict[tuple[str, ...], int], large: int, *, limited: bool) -> list[list[str]]:
    """Families of names in ascending order of their bytes: those that are large alone, and the others together.

    Args:
        sizes: the bytes of each family.
        large: bytes from which one is.
        limited: those that are together are large themselves when they have so much.
    """
    packed: list[list[str]] = []
    filled = 0
    for names, size in sorted(sizes.items(), key=lambda one: one[1]):
        if not packed or size >= large or (limited and filled + size > large):
            packed.append([])
            filled = 0
        packed[-1] += names
        filled += size
    return [sorted(names) for names in packed]


class _Look:
    """How large a value is, and what is in it: it is pickled to nowhere, and its buffers are not read."""

    def __init__(self, value: object, pickler: Callable[..., Any]) -> None:
        self.size = self.in_band = 0
        self._value, self._made = value, pickler
        self._pickler = pickler(self, protocol=5, buffer_callback=self._buffer)
        try:
            self._pickler.dump(value)
        except Exception:  # it will be told why
            self.size = self.in_band = 0

    def write(self, data: Any) -> int:
        """Counts."""
        count = len(data)
        self.size, self.in_band = self.size + count, self.in_band + count
        return count

    def _buffer(self, buffer: pickle.PickleBuffer) -> bool:
        try:
            self.size += buffer.raw().nbytes
        except BufferError:  # not contiguous: in band
            return True
        return False

    def shared(self) -> set[int]:
        """Ids of the objects in it whose identity matters."""
        if not self.size:
            return set()
        if self.in_band <= _COPIED:
            return sharable(self._pickler.memo.copy())
        met = Met()
        self._pickler = None
        self._pickler = _Look(self._value, _meeting(self._made, met))._pickler
        return met.ids


def _meeting(pickler: Callable[..., Any], met: Met) -> Callable[..., Any]:
    """The same pickler class, of which all is told that it comes to."""

    class Meeting(pickler):  # type: ignore[misc, valid-type]  # it is a class
        def persistent_id(self, value: object) -> None:
            met.meet(value)

    return Meeting


class _Unmade(Exception):
    """What was pickled cannot be unpickled."""


def _prove(path: str) -> None:
    """Unpickles a group.

    Raises:
        _Unmade: it cannot be.
    """
    try:
        read_group(path)
    except Exception as error:
        raise _Unmade(f"{type(error).__name__}: {_message(error)}") from error


def _reason(value: object, error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"it could not be written: {error.strerror or error}"
    if isinstance(error, LivesOnRay):
        return str(error)
    how = "is pickled, and cannot be made again" if isinstance(error, _Unmade) else "cannot be pickled"
    return f"{type(value).__name__} {how}: {_message(error)}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"(its message raised an exception: {type(error).__name__})"
