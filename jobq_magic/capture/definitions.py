"""Where is the source of what a name holds? And is it the source of that very object?

The index is told of each executed cell and remembers which object every definition in it bound. Its source for a name
is right if and only if the name still holds that object: decorators, redefinitions, and edits that were not run need
no thought. Only for cells that ran before the index was there, code objects are compared.
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MappingProxyType
from typing import Any

from jobq_magic.capture.bytecode import FUTURES
from jobq_magic.capture.inside import attributes_of
from jobq_magic.capture.written import (
    Definition,
    added_to,
    defined_by,
    definition_of,
    head_of,
    imported_by,
    may_define,
    one_after_the_other,
    reads_itself,
    registered_with,
    statements_of,
    text_of,
    tree_of,
)

__all__ = ["DefinitionIndex", "ImportedName"]

_KEPT = 4
"""How many definitions of one name are remembered: an older one counts where another branch or cell bound the name."""
_SETTERS = {
    "random": re.compile(r"\brandom\.(seed|setstate)\s*\("),
    "numpy": re.compile(r"\b(np|numpy)\.random\.(seed|set_state)\s*\("),
    "seeds": re.compile(r"\b(?!random\.|np\.random\.|numpy\.random\.)(seed_\w+|set_seed|seed_everything)\s*\("),
    "warnings": re.compile(r"\b(filterwarnings|simplefilter|resetwarnings)\s*\("),
    "logging": re.compile(r"\blogging\.(basicConfig|disable)\s*\("),
    "locale": re.compile(r"\blocale\.setlocale\s*\("),
    "decimal": re.compile(r"\b(decimal\.)?getcontext\s*\("),
    "torch": re.compile(r"\btorch\.(manual_seed|set_default_\w+|set_num_threads)\s*\("),
}
_SWEEP = 64
"""After how many cells it is looked for what is gone."""


@dataclass(frozen=True, slots=True)
class ImportedName:
    """What an import statement bound: `module`, or `attribute` of it."""

    module: str
    attribute: str | None


@dataclass(slots=True)
class _Entry:
    definition: Definition
    held: Callable[[], object] | None  # None: bound before the index was there
    sure: bool = True
    strong: bool = False  # its object cannot be held weakly

    def is_of(self, value: object) -> bool:
        if self.held is not None and self.held() is not value:
            return False
        return (self.held is not None and self.sure) or self._matches(value)

    def _matches(self, value: object) -> bool:
        from jobq_magic.capture.samecode import matches

        known = self.definition
        text = f"import {', '.join(known.imports)}\n{known.text}" if known.imports else known.text
        return matches(text, known.flags, known.name, value, around=known.decorated)


class DefinitionIndex:
    """The definitions and imports of one namespace."""

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}
        self._made: dict[str, Definition] = {}
        self._imports: dict[str, list[ImportedName]] = {}
        self._submodules: dict[str, dict[str, None]] = {}
        self._extensions: dict[str, dict[str, Definition]] = {}
        self._strong: set[str] = set()
        self._before: dict[str, dict[str, Callable[[object], bool]]] = {}
        self._cells = 0
        self.setters: set[str] = set()
        """What executed cells set process-wide: `random`, `numpy`, `seeds` (by a helper), `warnings`, other modules."""

    def before(self, source: str, namespace: Mapping[str, Any]) -> None:
        """Notes what the names hold that a cell may define, right before it is executed.

        Optional. With it, a definition that is not executed, as a branch or an exception goes round it, is told from
        one that made what its name holds.
        """
        held: dict[str, Callable[[object], bool]] = {}
        if (tree := tree_of(source)) is not None:
            for statement, _ in statements_of(tree.body):
                name = defined_by(statement)
                if name is not None and name in namespace:
                    held[name] = _same_as(namespace[name])
        if len(self._before) > _KEPT:
            self._before.clear()  # of cells that were never recorded
        self._before[source] = held

    def record(
        self,
        source: str,
        label: str,
        namespace: Mapping[str, Any],
        execution_count: int | None = None,  # noqa: ARG002  # the label says it; kept for who calls by position
        flags: int = 0,
    ) -> None:
        """Remembers what a cell that was just executed, to its end or not, bound.

        Args:
            source: the cell as plain Python.
            label: how the cell is called: `Cell [3]`.
            namespace: the notebook's, as it is now.
            execution_count: of the cell.
            flags: of `compile`, in force for the cell.
        """
        self._forget(namespace)
        self._read(source, label, flags, namespace, self._before.pop(source, {}))

    def bootstrap(self, history: Iterable[tuple[str, str]], flags: int = 0) -> None:
        """Takes in cells that ran before: (label, source) pairs, oldest first. What they bound is told by comparing."""
        for label, source in history:
            self._read(source, label, flags, None)

    def source_of(self, name: str, value: object) -> Definition | None:
        """The definition that made `value` and bound it to `name`."""
        for entry in reversed(self._entries.get(name, ())):
            if entry.is_of(value):
                return entry.definition
        return None

    def made(self, name: str) -> Definition | None:
        """The last statement that assigned to `name` alone."""
        return self._made.get(name)

    def made_names(self) -> Iterator[str]:
        """All names that a statement assigned to alone."""
        return iter(self._made)

    def names(self) -> Iterator[str]:
        """All names that have definitions."""
        return iter(self._entries)

    def imported_as(self, name: str) -> list[ImportedName]:
        """What import statements bound `name` to, newest first."""
        return self._imports.get(name, [])[::-1]

    def submodules_of(self, package: str) -> list[str]:
        """Modules below `package` that were imported by `import package.module`."""
        return list(self._submodules.get(package, ()))

    def extensions_of(self, name: str) -> list[Definition]:
        """Definitions that add themselves to `name` by a decorator of its: `@name.register`."""
        return list(self._extensions.get(name, {}).values())

    def _read(
        self,
        source: str,
        label: str,
        flags: int,
        namespace: Mapping[str, Any] | None,
        before: Mapping[str, Callable[[object], bool]] = MappingProxyType({}),
    ) -> None:
        if (tree := tree_of(source)) is None:
            return
        for what, pattern in _SETTERS.items():
            if pattern.search(source):
                self.setters.add(what)
        flags &= FUTURES
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                flags |= compile(ast.Module([statement], []), label, "exec", dont_inherit=True).co_flags & FUTURES
        lines = source.encode().splitlines(keepends=True)
        seen: dict[str, int] = {}
        imports = imported_by(tree.body)
        for statement, nested in statements_of(tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif (owner := registered_with(statement)) is not None and owner in self._entries:
                part = text_of(statement, nested, lines)
                more = Definition(owner, part[0], label, part[1], flags, "extension", imports=imports)
                self._extensions.setdefault(owner, {})[more.text] = more
            elif (definition := definition_of(statement, nested, lines, label, flags, imports)) is not None:
                name = definition.name
                seen[name] = seen.get(name, 0) + 1
                if namespace is not None and name in before and before[name](namespace.get(name)):
                    continue  # what was there before the cell is there still
                self._define(definition, statement, namespace, again=seen[name] > 1)
        if "get_ipython" in source:
            from jobq_magic.capture.magics import calls

            for magic in calls(tree):
                if magic.body and magic.binds:
                    self._read(magic.body, label, flags, namespace)

    def _define(
        self, definition: Definition, statement: ast.stmt, namespace: Mapping[str, Any] | None, *, again: bool
    ) -> None:
        name = definition.name
        if definition.kind == "assignment":
            self._made[name] = definition
        elif (owner := added_to(statement)) is not None and owner in self._entries:
            self._extensions.setdefault(owner, {})[head_of(definition)] = definition
        if namespace is None:
            if definition.kind != "assignment" or may_define(statement):
                if reads_itself(statement, name):
                    known = self._entries.get(name)
                    if not known or (joined := one_after_the_other(known[-1].definition, definition)) is None:
                        return
                    definition = joined
                self._keep(_Entry(definition, None))
            return
        if name not in namespace:
            return
        value = namespace[name]
        if not _is_made_by(statement, definition, value, namespace):
            return
        entries = self._entries.get(name, [])
        if reads_itself(statement, name):
            # `f = cache(f)` is nothing without the definition of what it was given.
            inner = [*_inside(value)]
            given = next((one for one in reversed(entries) if any(one.is_of(part) for part in inner)), None)
            if given is None or (joined := one_after_the_other(given.definition, definition)) is None:
                return
            definition = joined
        held, strong = _hold(value)
        if strong:
            self._strong.add(name)
        if again:
            # Bound twice by one cell: the last one counts, unless branches chose between them.
            same = [entry for entry in entries if entry.held is not None and entry.held() is value]
            for entry in same:
                entry.sure = False
            self._keep(_Entry(definition, held, sure=not same, strong=strong))
        elif not any(entry.held is not None and entry.held() is value for entry in entries):
            # Where an earlier definition bound this very object, the cell ended before it came to this one.
            self._keep(_Entry(definition, held, strong=strong))

    def _keep(self, entry: _Entry) -> None:
        entries = self._entries.setdefault(entry.definition.name, [])
        entries.append(entry)
        del entries[:-_KEPT]

    def _forget(self, namespace: Mapping[str, Any]) -> None:
        """Lets go of what no name can hold any more."""
        for name in [*self._strong]:
            kept = [
                one
                for one in self._entries.get(name, ())
                if not one.strong or (one.held is not None and namespace.get(name) is one.held())
            ]
            if not any(one.strong for one in kept):
                self._strong.discard(name)
            self._entries[name] = kept
        self._cells += 1
        if self._cells % _SWEEP:
            return
        for name, entries in [*self._entries.items()]:
            if name in namespace:
                entries[:] = [one for one in entries if one.held is None or one.held() is not None]
            if not entries or name not in namespace:
                del self._entries[name]
        for known in (self._made, self._imports, self._extensions):
            for name in [name for name in known if name not in namespace]:
                del known[name]

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                top, _, below = alias.name.partition(".")
                bound = alias.asname or top
                found = ImportedName(alias.name if alias.asname else top, None)
                if below:
                    self._submodules.setdefault(top, {})[alias.name] = None
            elif statement.level or alias.name == "*" or statement.module in (None, "__future__"):
                continue
            else:
                bound, found = alias.asname or alias.name, ImportedName(str(statement.module), alias.name)
            known = self._imports.setdefault(bound, [])
            if found in known:
                known.remove(found)
            known.append(found)


def _is_made_by(statement: ast.stmt, definition: Definition, value: object, namespace: Mapping[str, Any]) -> bool:
    """Whether executing the statement can have made `value`, and travels better than `value` itself."""
    if definition.kind == "assignment":
        return may_define(statement) and _is_definition(value, namespace)
    if definition.decorated:
        return True
    here = getattr(value, "__module__", None) == namespace.get("__name__", "__main__")
    if definition.kind == "function":
        return isinstance(value, FunctionType) and here and value.__code__.co_firstlineno == statement.lineno
    return not isinstance(value, type) or (here and value.__name__ == definition.name)


def _inside(value: object) -> Iterator[object]:
    """What a decorator may have put something around, outermost first."""
    for _ in range(_KEPT):
        own = attributes_of(value)
        inner = next((own[key] for key in ("__wrapped__", "py_func", "_function") if key in own), None)
        if inner is None:
            return
        yield inner
        value = inner


def _is_definition(value: object, namespace: Mapping[str, Any]) -> bool:
    import typing

    kinds = (typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple, typing.NewType)
    try:
        value.__class__  # noqa: B018  # a proxy of nothing yet raises here, and `isinstance` with it
    except Exception:  # noqa: BLE001  # whatever the proxy says
        return False
    if isinstance(value, FunctionType):
        return value.__name__ == "<lambda>" and value.__closure__ is None
    if isinstance(value, type):
        return bool(value.__module__ == namespace.get("__name__", "__main__"))
    if isinstance(value, kinds) or type(value).__name__ == "TypeAliasType":
        return True
    if type(value).__module__ == namespace.get("__name__", "__main__"):
        return False  # it is an instance of a class of the notebook, and travels with what it holds
    # lru_cache(f), ray.remote(f), njit(f): objects around a function, which pickle by a name that is not there.
    return any(isinstance(inner, FunctionType) for inner in _inside(value))


def _hold(value: object) -> tuple[Callable[[], object], bool]:
    """The value, held weakly where that can be, and whether it is not."""
    try:
        return weakref.ref(value), False
    except TypeError:
        return lambda: value, True


def _same_as(value: object) -> Callable[[object], bool]:
    """Tells later whether something is this very value, without keeping it alive."""
    try:
        held = weakref.ref(value)
    except TypeError:
        kind, key = type(value), id(value)
        return lambda other: id(other) == key and type(other) is kind
    return lambda other: held() is other
