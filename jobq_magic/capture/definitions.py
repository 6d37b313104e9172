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
from types import FunctionType
from typing import Any

from jobq_magic.capture.bytecode import FUTURES
from jobq_magic.capture.inside import attributes_of

__all__ = ["Definition", "DefinitionIndex", "ImportedName"]

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
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Definition:
    """The source of one name: a statement that can be executed by itself."""

    name: str
    text: str
    label: str
    line: int
    flags: int
    kind: str
    """`function`, `class` or `assignment`."""
    decorated: bool = False


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

    def is_of(self, value: object) -> bool:
        if self.held is not None and self.held() is not value:
            return False
        return (self.held is not None and self.sure) or self._matches(value)

    def _matches(self, value: object) -> bool:
        from jobq_magic.capture.samecode import matches

        return matches(self.definition.text, self.definition.flags, self.definition.name, value)


class DefinitionIndex:
    """The definitions and imports of one namespace."""

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}
        self._made: dict[str, Definition] = {}
        self._imports: dict[str, list[ImportedName]] = {}
        self._submodules: dict[str, dict[str, None]] = {}
        self._extensions: dict[str, dict[str, Definition]] = {}
        self.setters: set[str] = set()
        """What executed cells set process-wide: `random`, `numpy`, `seeds` (by a helper), `warnings`, other modules."""

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
        self._read(source, label, flags, namespace)

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

    def _read(self, source: str, label: str, flags: int, namespace: Mapping[str, Any] | None) -> None:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
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
        for statement, nested in _statements(tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif (definition := _definition(statement, nested, lines, label, flags)) is not None:
                seen[definition.name] = seen.get(definition.name, 0) + 1
                self._define(definition, statement, namespace, again=seen[definition.name] > 1)
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
        elif (owner := _extended(statement)) is not None and owner in self._entries:
            self._extensions.setdefault(owner, {})[_key(definition)] = definition
        if namespace is None:
            if definition.kind != "assignment" or _may_define(statement):
                self._keep(_Entry(definition, None))
            return
        if name not in namespace:
            return
        value = namespace[name]
        if not _is_made_by(statement, definition, value, namespace):
            return
        entries = self._entries.get(name, [])
        if again:
            # Bound twice by one cell: the last one counts, unless branches chose between them.
            same = [entry for entry in entries if entry.held is not None and entry.held() is value]
            for entry in same:
                entry.sure = False
            self._keep(_Entry(definition, _hold(value), sure=not same))
        elif not any(entry.held is not None and entry.held() is value for entry in entries):
            # Where an earlier definition bound this very object, the cell ended before it came to this one.
            self._keep(_Entry(definition, _hold(value)))

    def _keep(self, entry: _Entry) -> None:
        entries = self._entries.setdefault(entry.definition.name, [])
        entries.append(entry)
        del entries[:-_KEPT]

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


def _statements(body: Iterable[ast.stmt], nested: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Statements of the top level, those in branches included: what they bind, they bind for the notebook."""
    for statement in body:
        match statement:
            case ast.If():
                yield from _statements([*statement.body, *statement.orelse], True)
            case ast.With():
                yield from _statements(statement.body, True)
            case ast.Try():
                handlers = [one for handler in statement.handlers for one in handler.body]
                yield from _statements([*statement.body, *handlers, *statement.orelse, *statement.finalbody], True)
            case _:
                yield statement, nested


def _definition(statement: ast.stmt, nested: bool, lines: list[bytes], label: str, flags: int) -> Definition | None:
    decorated = False
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            kind, decorated = "function", bool(statement.decorator_list)
        case ast.ClassDef(name=name):
            kind, decorated = "class", bool(statement.decorator_list)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            kind = "assignment"
        case _:
            return None
    first, column = statement.lineno, statement.col_offset
    if decorated and isinstance(statement, _DEFINITIONS):
        first = min(decorator.lineno for decorator in statement.decorator_list)
    last, end = statement.end_lineno or first, statement.end_col_offset
    part = [*lines[first - 1 : last]]
    part[-1] = part[-1][:end]
    if nested and column and not part[0][:column].strip():
        # The indented lines as they are, below a line that is always true: a dedent would change texts in them.
        text, first = "if 1:\n" + b"".join(part).decode(), first - 1
    else:
        part[0] = part[0][column:]
        text = b"".join(part).decode()
    return Definition(name, text + "\n", label, first, flags, kind, decorated)


def _is_made_by(statement: ast.stmt, definition: Definition, value: object, namespace: Mapping[str, Any]) -> bool:
    """Whether executing the statement can have made `value`, and travels better than `value` itself."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return _may_define(statement) and _is_definition(value, namespace)
    if definition.decorated:
        return True
    here = getattr(value, "__module__", None) == namespace.get("__name__", "__main__")
    if definition.kind == "function":
        return isinstance(value, FunctionType) and here and value.__code__.co_firstlineno == statement.lineno
    return not isinstance(value, type) or (here and value.__name__ == definition.name)


def _may_define(statement: ast.stmt) -> bool:
    """`f = g` makes nothing: it is another name for what `g` holds."""
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Lambda | ast.Call | ast.Subscript | ast.BinOp)


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
    # lru_cache(f), ray.remote(f), njit(f): objects around a function, which pickle by a name that is not there.
    own = attributes_of(value)
    return any(isinstance(own.get(key), FunctionType) for key in ("__wrapped__", "py_func", "_function"))


def _extended(statement: ast.stmt) -> str | None:
    """`name` of `@name.register` and `@name.register(...)`."""
    if isinstance(statement, _DEFINITIONS):
        for decorator in statement.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                return called.value.id
    return None


def _key(definition: Definition) -> str:
    """What a later definition of the same extension has in common with it: its head."""
    return definition.text.partition(":\n")[0]


def _hold(value: object) -> Callable[[], object]:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value
