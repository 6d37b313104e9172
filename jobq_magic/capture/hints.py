"""What only the syntax tree tells: attributes of modules, imports, `eval`, questions to a person, annotations."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from jobq_magic.capture.magics import magic_call
from jobq_magic.capture.statements import Text, children, remembered, walk
from jobq_magic.capture.textual import own_namespace

__all__ = ["Hints", "hints_of"]

_LAZY = __future__.annotations.compiler_flag
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Their values are used, so that they are no statements: `last = rows.pop()`.
_CHANGERS = frozenset(
    ["pop", "popitem", "popleft", "setdefault", "fit", "fit_transform", "fit_predict", "fit_resample", "partial_fit"]
)
_PASS_ON = frozenset({"enumerate", "zip", "reversed", "sorted", "list", "tuple", "iter"})
"""What a loop over it gives are the parts of what is passed to it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Findings that are no matter of scope."""

    flags: int
    chains: frozenset[tuple[str, ...]]
    """Attribute chains that start at a name: `np.linalg.norm` is ("np", "linalg", "norm"), and its beginnings too."""
    modules: frozenset[str]
    """Modules that it imports, anywhere; with `from a import b` both `a` and `a.b`."""
    names: frozenset[str]
    """Names in annotations that are not evaluated where they stand."""
    dynamic: tuple[str, ...]
    """Where it reads names that cannot be seen: `eval() on line 3`."""
    asks: tuple[tuple[int, str, str], ...]
    """Where it asks a person, as it is executed: line, call, and the name that must be the builtin's or module's."""
    changed: frozenset[str]
    """Names whose objects it visibly changes: by storing into them, by `+=`, by a method that is called as a statement
    or known to change its object; by another name for the same object too."""


@dataclass(slots=True)
class _Found:
    line: int = 1
    chains: set[tuple[str, ...]] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    dynamic: list[tuple[int, str]] = field(default_factory=list)
    asks: list[tuple[int, str, str]] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Other names for an object, or for parts of it, and its name."""

    def take(self, other: _Found, lower: int) -> None:
        """Adds the findings of a statement, which is now that many lines lower."""
        self.chains |= other.chains
        self.modules |= other.modules
        self.names |= other.names
        self.changed |= other.changed
        self.others += other.others
        self.dynamic += [(line + lower, what) for line, what in other.dynamic]
        self.asks += [(line + lower, *rest) for line, *rest in other.asks]  # type: ignore[misc]

    def all_changed(self) -> frozenset[str]:
        """With the names that others stand for."""
        found, before = set(self.changed), -1
        while len(found) != before:
            before = len(found)
            found |= {name for other, name in self.others if other in found}
        return frozenset(found)


def hints_of(tree: ast.Module, flags: int, parts: Text | None = None) -> Hints:
    """The hints of a tree.

    Args:
        tree: of a cell.
        flags: of `compile` that it was made under.
        parts: its text; with it, what did not change since another cell is not looked at again.
    """
    found = _Found()
    lazy = bool(flags & _LAZY)
    for statement in tree.body:
        key = parts.of(statement) if parts is not None else None
        one = remembered(None if key is None else ("hints", key, lazy), partial(_hinted, statement, lazy))
        found.take(one, statement.lineno - one.line)
    return Hints(
        flags=flags,
        chains=frozenset(found.chains),
        modules=frozenset(found.modules),
        names=frozenset(found.names),
        dynamic=tuple(f"{what}() on line {line}" for line, what in found.dynamic),
        asks=tuple(found.asks),
        changed=found.all_changed(),
    )


def _hinted(statement: ast.stmt, lazy: bool) -> _Found:
    found = _Found(statement.lineno)
    # No recursion: a sum of a thousand terms is as deep.
    ahead: list[tuple[ast.AST, bool]] = [(statement, False)]
    while ahead:
        node, late = ahead.pop()
        ahead += _visit(node, found, late=late, lazy=lazy)
    found.dynamic.sort()
    found.asks.sort()
    return found


def _visit(node: ast.AST, found: _Found, *, late: bool, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Notes what one node tells; the nodes below it, and whether they are executed later."""
    match node:
        case ast.Attribute():
            if (chain := _chain(node)) is not None:
                found.chains.add(chain)
        case ast.Import():
            found.modules.update(alias.name for alias in node.names)
        case ast.ImportFrom(module=str(module), level=0) if module != "__future__":
            found.modules.add(module)
            found.modules.update(f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
        case ast.Call():
            _call(node, found, late=late)
            yield from ((inner, late) for inner in _within(node))
        case ast.Subscript(value=ast.Call(func=ast.Name(id="globals")), slice=ast.Constant(value=str())):
            return
        case ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation):
            _annotation(annotation, found, lazy=lazy)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
        _annotation(node.returns, found, lazy=lazy)
    if not late and isinstance(node, ast.stmt | ast.NamedExpr | ast.Call):
        _changes(node, found)
        _stands_for(node, found)
    function = isinstance(node, _FUNCTIONS)
    for child in children(node):
        within = function and not (isinstance(child, ast.arguments) or _is_decorator(node, child))
        yield child, late or within


def _call(node: ast.Call, found: _Found, *, late: bool) -> None:
    match node:
        case ast.Call(func=ast.Name(id="input")) | ast.Call(func=ast.Name(id="getpass")) if not late:
            found.asks.append((node.lineno, f"{node.func.id}()", node.func.id))  # type: ignore[attr-defined]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="getpass" as module), attr="getpass")) if not late:
            found.asks.append((node.lineno, "getpass.getpass()", module))
        case ast.Call(func=ast.Name(id="breakpoint")) if not late:
            found.asks.append((node.lineno, "breakpoint()", "breakpoint"))
        case ast.Call(func=ast.Name(id="eval" | "exec" as name), args=[first, *_]):
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)) and not own_namespace(node):
                found.dynamic.append((node.lineno, name))
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            found.dynamic.append((node.lineno, "globals"))
        case ast.Call(func=ast.Name(id="locals" | "vars" | "dir" as name), args=[]) if not late:
            found.dynamic.append((node.lineno, name))
        case ast.Call(
            func=ast.Attribute(attr="import_module", value=ast.Name(id="importlib")),
            args=[ast.Constant(value=str(module)), *_],
        ):
            found.modules.add(module)


def _within(node: ast.Call) -> Iterator[ast.stmt]:
    """The statements that a magic executes, at their lines in the cell; none where they are still IPython's syntax."""
    if (magic := magic_call(node)) is None:
        return
    above = node.lineno - (magic.cell is None)
    for text, offset in ((magic.setup, node.lineno - 1), (magic.body, above)):
        try:
            tree = ast.parse(text or "")
        except SyntaxError:
            continue
        yield from ast.increment_lineno(tree, offset).body


def _changes(node: ast.stmt | ast.NamedExpr | ast.Call, found: _Found) -> None:
    targets: list[ast.expr] = []
    match node:
        case ast.Assign() | ast.Delete():
            targets = [*node.targets]
        case ast.AugAssign(target=ast.Name(id=name)):
            found.changed.add(name)
        case ast.AugAssign() | ast.AnnAssign(value=ast.expr()) | ast.For() | ast.AsyncFor():
            targets = [node.target]
        case ast.With() | ast.AsyncWith():
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
        case (
            ast.Expr(value=ast.Call(func=ast.Attribute(value=owner)))
            | ast.Expr(value=ast.Await(value=ast.Call(func=ast.Attribute(value=owner))))
        ):
            if (root := _root(owner)) is not None:
                found.changed.add(root)
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in _CHANGERS:
            if (root := _root(owner)) is not None:
                found.changed.add(root)
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Tuple | ast.List):
            targets = [*targets, *target.elts]
        elif isinstance(target, ast.Starred):
            targets = [*targets, target.value]
        elif isinstance(target, ast.Subscript | ast.Attribute) and (root := _root(target)) is not None:
            found.changed.add(root)


def _stands_for(node: ast.stmt | ast.NamedExpr | ast.Call, found: _Found) -> None:
    match node:
        case ast.Assign(value=ast.Name(id=name)):
            found.others += [(each, name) for target in node.targets for each in _bound(target)]
        case ast.NamedExpr(target=ast.Name(id=other), value=ast.Name(id=name)):
            found.others.append((other, name))
        case ast.For():
            found.others += [(each, name) for name in _looped(node.iter) for each in _bound(node.target)]


def _bound(target: ast.expr) -> list[str]:
    return [node.id for node in walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _looped(node: ast.expr) -> list[str]:
    """The names of what a loop goes through, where it is given the very parts of it."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Call(func=ast.Name(id=function)) if function in _PASS_ON:
            return [name for argument in node.args for name in _looped(argument)]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="values" | "items"), args=[]):
            return [name]
    return []


def _root(node: ast.expr) -> str | None:
    """The name at the beginning of `model.layers[0].fit(X).score`; what a function returns has none."""
    while True:
        match node:
            case ast.Attribute(value=owner) | ast.Subscript(value=owner):
                node = owner
            case ast.Call(func=ast.Attribute(value=owner)):
                node = owner
            case ast.Name(id=name):
                return name
            case _:
                return None


def _chain(node: ast.expr) -> tuple[str, ...] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def _annotation(node: ast.expr, found: _Found, *, lazy: bool) -> None:
    for inner in walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            _parse(inner.value, found)
        elif lazy and isinstance(inner, ast.Name):
            found.names.add(inner.id)


def _parse(text: str, found: _Found) -> None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    found.names.update(node.id for node in walk(tree) if isinstance(node, ast.Name))


def _is_decorator(node: ast.AST, child: ast.AST) -> bool:
    return child in getattr(node, "decorator_list", ())
