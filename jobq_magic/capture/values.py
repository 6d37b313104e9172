"""Values: pickled with their buffers out of band, in groups by shared identity; and why one cannot travel."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Protocol

from jobq_magic import pool
from jobq_magic.capture.bytecode import global_names
from jobq_magic.capture.culprit import find_culprit
from jobq_magic.errors import CaptureError
from jobq_magic.runtime.homes import import_home
from jobq_magic.runtime.reduce import reduced
from jobq_magic.runtime.sharing import sharable
from jobq_magic.runtime.wire import Pickled, TooLarge, pickle_group, put_group
from jobq_magic.words import size as size_in_words

__all__ = ["Group", "References", "Vault"]

MAIN = "__main__"
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


class References(Protocol):
    """What the pickler asks about what it meets."""

    def reference(self, value: object) -> str | None:
        """The path in `__main__` under which a definition travels, if it does."""

    def label_of(self, code: CodeType) -> str:
        """The name under which tracebacks show code that travels by value."""


@dataclass(slots=True)
class Group:
    """Names whose values share objects, in one file."""

    names: tuple[str, ...]
    content: Pickled | None = None
    """What the file is to hold; let go once it is written."""
    size: int = 0
    digest: str = ""
    """"" until it is written."""
    refers: set[str] = field(default_factory=set)
    """Paths of definitions that are referred to by name."""
    modules: set[str] = field(default_factory=set)
    """Modules whose functions and classes are referred to by name."""
    reads: set[str] = field(default_factory=set)
    """Global names that functions which travel by value read."""
    by_value: list[str] = field(default_factory=list)
    """Definitions that travel by value."""
    pickler: Any = None
    """What wrote it: its memo holds all that it met, so that no id in it is used again."""

    def shared(self) -> set[int]:
        """Ids of the objects in it whose identity matters."""
        return sharable(self.pickler.memo.copy()) if self.pickler is not None else set()


class Vault:
    """Pickles values in groups, writes them, and knows how to say why a value cannot travel.

    Args:
        folder: where the files go.
        references: what is known of definitions.
        limit: bytes of all groups together.
        pool: where groups lie that other runs hold too.
    """

    def __init__(self, folder: Path, references: References, limit: int, pool: Path | None = None) -> None:
        self._folder = folder
        self._references = references
        self._limit = limit
        self._pool = pool
        self._used = 0
        folder.mkdir(parents=True, exist_ok=True)

    def group(self, values: dict[str, Any], why: Callable[[str], str], *, hint: str = "") -> Group:
        """Pickles values as one group; nothing is written, and of large data nothing is read.

        Args:
            values: by name.
            why: the chain that needs a name.
            hint: another way out, with a comma after it.

        Raises:
            CaptureError: `cannot-travel` or `too-large`.
        """
        group = Group(tuple(sorted(values)))
        ordered = {name: values[name] for name in group.names}
        made: list[Any] = []

        def pickler(*args: Any, **options: Any) -> Any:
            made.append(self._pickler(group)(*args, **options))
            return made[-1]

        try:
            content = pickle_group(ordered, pickler=pickler, limit=self._limit - self._used)
        except TooLarge as error:
            raise self._too_large(group.names, why) from error
        except RecursionError as error:
            raise self._cannot(group.names[0], "it is nested too deeply to be pickled", why, hint) from error
        except Exception as error:
            if isinstance(error.__cause__, RecursionError):  # as cloudpickle translates it
                raise self._cannot(group.names[0], "it is nested too deeply to be pickled", why, hint) from error
            raise self._refusal(ordered, error, why, hint) from error
        if not all(isinstance(value, _PLAIN) for value in values.values()):
            group.pickler = made[-1]
        group.content, group.size = content, content.size
        self._used += group.size
        return group

    def forget(self, group: Group) -> None:
        """Lets go of a group that becomes part of another."""
        self._used -= group.size

    def put(self, group: Group, *, dry: bool = False) -> None:
        """Writes a group, unless the pool holds it already; `dry`: only finds its digest.

        Raises:
            OSError: it cannot be written.
        """
        content, group.content = group.content, None
        if content is None:
            return
        if dry:
            group.digest = content.digest
        elif self._pool is None:
            group.digest = put_group(self._folder, content)
        else:
            digest = pool.take(self._pool, content, self._folder)
            if digest is None:
                digest = put_group(self._folder, content)
                pool.keep(self._pool, self._folder / digest)
            group.digest = digest

    def _pickler(self, group: Group) -> Callable[..., Any]:
        return _pickler_for(self._references, group)

    def _too_large(self, names: tuple[str, ...], why: Callable[[str], str]) -> CaptureError:
        return CaptureError(
            "too-large",
            f"{', '.join(names)} would take what travels beyond {size_in_words(self._limit)}; used by: {why(names[0])}",
            do=f"Load it inside the cell, or leave it out with --exclude {','.join(names)}",
        )

    def _refusal(self, values: dict[str, Any], error: Exception, why: Callable[[str], str], hint: str) -> CaptureError:
        def tried(value: object) -> Exception | None:
            try:
                self._pickler(Group(()))(_Nothing(), protocol=5, buffer_callback=lambda _: False).dump(value)
            except Exception as reason:  # noqa: BLE001  # the exception is what is asked for
                return reason
            return None

        for name, value in values.items():
            if tried(value) is not None:
                path, what = find_culprit(name, value, tried)
                return self._cannot(name, f"{path} is {what}", why, hint)
        if isinstance(error, OSError):  # each can be pickled: what failed is the writing
            raise error
        return self._cannot(next(iter(values)), str(error), why, hint)

    def _cannot(self, name: str, reason: str, why: Callable[[str], str], hint: str) -> CaptureError:
        do = f"Make it inside the cell, {hint}or leave it out with --exclude {name}"
        about = "" if reason.startswith(name) else f"{name} cannot travel: "
        return CaptureError("cannot-travel", f"{about}{reason}; used by: {why(name)}", do=do)


class _Nothing:
    def write(self, data: Any) -> int:
        return len(data)


class _Main:
    """Stands for the module `__main__` of the job."""


class _MainGlobals:
    """Stands for the namespace of the job."""


class _Travelling:
    """Definitions by name; functions without source by value, but in the job's own namespace. A mixin of `Pickler`."""

    references: References
    group: Group
    dispatch_table: Mapping[type, Callable[[Any], Any]]

    def reducer_override(self, value: Any) -> Any:
        """How to pickle what is no plain container; see `pickle.Pickler.reducer_override`."""
        kind = type(value)
        if kind in _STAND_INS:
            return _STAND_INS[kind]
        if (known := reduced(value)) is not None:
            return known
        if isinstance(value, type | FunctionType):
            return self._definition(value)
        if kind is CodeType:
            return self.dispatch_table[CodeType](value.replace(co_filename=self.references.label_of(value)))
        # Objects that pickle by name (an `lru_cache` of a module) need their module too.
        module = getattr(value, "__name__" if kind is ModuleType else "__module__", None)
        if isinstance(module, str):
            self.group.modules.add(module)
        if (path := self.references.reference(value)) is not None:
            return self._by_path(path)
        return self._otherwise(value)

    def _definition(self, value: Any) -> Any:
        path = self.references.reference(value)
        if path is not None:
            if path == value.__qualname__ and value.__module__ == MAIN:
                self.group.refers.add(path)
                return path
            return self._by_path(path)
        module = getattr(value, "__module__", None)
        if module != MAIN:
            import_home(value)
            if isinstance(module, str):
                self.group.modules.add(module)
            return self._otherwise(value)
        self.group.by_value.append(value.__qualname__)
        reduced = self._otherwise(value)
        if isinstance(value, FunctionType) and isinstance(reduced, tuple) and len(reduced) == 6:
            # Of cloudpickle's reduction all is kept but the globals: there the function has the job's, and shares them.
            self.group.reads |= global_names(value.__code__)
            make, (code, _, *rest), (own, slots), *more = reduced
            return (make, (code, _MainGlobals(), *rest), (own, {**slots, "__globals__": {}}), *more)
        return reduced

    def _by_path(self, path: str) -> Any:
        self.group.refers.add(path)
        return operator.attrgetter(path), (_Main(),)

    def _otherwise(self, value: Any) -> Any:
        return super().reducer_override(value)  # type: ignore[misc]  # cloudpickle's


_STAND_INS: dict[type, Any] = {
    _Main: (importlib.import_module, (MAIN,)),
    _MainGlobals: (vars, (_Main(),)),
}


def _pickler_for(references: References, group: Group) -> Callable[..., Any]:
    pickler = _base()

    def make(*args: Any, **options: Any) -> Any:
        made = pickler(*args, **options)
        made.references, made.group = references, group
        return made

    return make


@cache
def _base() -> type[Any]:
    from cloudpickle import Pickler  # 40 ms that only values should cost

    return type("Travelling", (_Travelling, Pickler), {})
