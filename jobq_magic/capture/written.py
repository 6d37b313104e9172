"""Definitions as they are written: which statements of a cell define something, and their own text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from jobq_magic.capture.statements import walk

__all__ = [
    "Definition",
    "added_to",
    "defined_by",
    "definition_of",
    "head_of",
    "imported_by",
    "may_define",
    "one_after_the_other",
    "reads_itself",
    "registered_with",
    "statements_of",
    "text_of",
    "tree_of",
]

_COMPOUND = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match),
    *(ast.ExceptHandler, ast.match_case),
)
_MAKERS = (ast.Lambda, ast.Call, ast.Subscript, ast.BinOp, ast.IfExp)
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
    imports: tuple[str, ...] = ()
    """What the cell imported: the compiler makes other code of calls to functions of such modules."""


@lru_cache(maxsize=2)
def tree_of(source: str) -> ast.Module | None:
    """The tree of a cell; None where it is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def statements_of(body: Iterable[ast.stmt], nested: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Statements of the top level, those in branches and loops included: what they bind, they bind for the notebook."""
    for statement in body:
        if isinstance(statement, _COMPOUND):
            for inner in ("body", "handlers", "cases", "orelse", "finalbody"):
                for one in getattr(statement, inner, ()):
                    yield from statements_of([one] if isinstance(one, ast.stmt) else one.body, True)
        else:
            yield statement, nested


def defined_by(statement: ast.stmt) -> str | None:
    """The one name that a statement binds, where it may be a definition."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return name
    return _alias(statement)


def imported_by(body: Iterable[ast.stmt]) -> tuple[str, ...]:
    """The names that import statements of a cell bind."""
    found = {
        alias.asname or alias.name.partition(".")[0]
        for statement, _ in statements_of(body)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    }
    return tuple(sorted(found - {"*"}))


def definition_of(
    statement: ast.stmt, nested: bool, lines: list[bytes], label: str, flags: int, imports: tuple[str, ...] = ()
) -> Definition | None:
    """What a statement defines; None where it defines nothing."""
    if (name := defined_by(statement)) is None:
        return None
    decorated = bool(getattr(statement, "decorator_list", ()))
    kind = "class" if isinstance(statement, ast.ClassDef) else "function"
    if not isinstance(statement, _DEFINITIONS):
        kind = "assignment"
    text, first = text_of(statement, nested, lines)
    return Definition(name, text, label, first, flags, kind, decorated, imports)


def text_of(statement: ast.stmt, nested: bool, lines: list[bytes]) -> tuple[str, int]:
    """The text of a statement, so that it can be executed by itself, and the line where that begins."""
    first, column = statement.lineno, statement.col_offset
    if isinstance(statement, _DEFINITIONS) and statement.decorator_list:
        first = min(decorator.lineno for decorator in statement.decorator_list)
    last, end = statement.end_lineno or first, statement.end_col_offset
    part = [*lines[first - 1 : last]]
    # A comment behind it is part of what `inspect` shows.
    rest = part[-1][end:].strip() if end is not None else b""
    part[-1] = part[-1].rstrip(b"\r\n") if rest.startswith(b"#") else part[-1][:end]
    if nested and column and not part[0][:column].strip():
        # The indented lines as they are, below a line that is always true: a dedent would change texts in them.
        text, first = "if 1:\n" + b"".join(part).decode(), first - 1
    else:
        part[0] = part[0][column:]
        text = b"".join(part).decode()
    return text + "\n", first


def may_define(statement: ast.stmt) -> bool:
    """`f = g` makes nothing: it is another name for what `g` holds."""
    value = getattr(statement, "value", None)
    return (value is not None and isinstance(value, _MAKERS)) or _alias(statement) is not None


def reads_itself(statement: ast.stmt, name: str) -> bool:
    """Whether an assignment needs what its name held before: `f = cache(f)`."""
    value = getattr(statement, "value", None)
    if isinstance(statement, _DEFINITIONS) or not isinstance(value, ast.expr) or isinstance(value, ast.Lambda):
        return False
    return any(isinstance(node, ast.Name) and node.id == name for node in walk(value))


def one_after_the_other(given: Definition, definition: Definition) -> Definition | None:
    """Both, one after the other; None where they cannot be one text."""
    if given.flags != definition.flags:
        return None
    label = given.label if given.label == definition.label else f"{given.label} + {definition.label}"
    imports = tuple(sorted({*given.imports, *definition.imports}))
    text = given.text + definition.text
    return replace(definition, text=text, label=label, line=given.line, decorated=True, imports=imports)


def added_to(statement: ast.stmt) -> str | None:
    """`name` of `@name.register` and `@name.register(...)`."""
    if isinstance(statement, _DEFINITIONS):
        for decorator in statement.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                return called.value.id
    return None


def registered_with(statement: ast.stmt) -> str | None:
    """`name` of a statement `name.register(...)`."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="register"))):
            return owner
    return None


def head_of(definition: Definition) -> str:
    """What a later definition of the same extension has in common with it: its head."""
    return definition.text.partition(":\n")[0]


def _alias(statement: ast.stmt) -> str | None:
    """The name of `type name = ...`, which Pythons before 3.12 do not know: only there the name is a tree."""
    named = getattr(statement, "name", None)
    return named.id if isinstance(named, ast.Name) else None
