"""What a syntax tree tells about the ways through it: what is never reached, or bound on some ways only."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from jobq_magic.capture.statements import walk

__all__ = [
    "always",
    "calls_nothing",
    "catches_missing",
    "conditional",
    "deleted",
    "irrefutable",
    "may_call",
    "never",
    "stored",
]

_NONE: frozenset[str] = frozenset()


def may_call(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether what is around a function may call it, or one like it, before it is bound."""
    given = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    return bool(node.decorator_list) or not all(isinstance(one, ast.Constant | ast.Name) for one in given)


def calls_nothing(owner: ast.ClassDef) -> bool:
    """Whether a class, until it is bound, cannot call a function of its own."""
    if owner.decorator_list or owner.keywords:
        return False
    own: set[str] = set()
    for statement in owner.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                own.add(statement.name)
                used = {one.id for one in statement.decorator_list if isinstance(one, ast.Name)}
                told: list[ast.AST] = [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]
                told += [one for one in statement.decorator_list if isinstance(one, ast.Call)]
            case ast.Assign() | ast.AnnAssign() | ast.Expr() | ast.Pass():
                used, told = set(), [statement]
            case _:
                return False
        used |= {node.id for one in told for node in walk(one) if isinstance(node, ast.Name)}
        if used & (own | {"eval", "exec"}) or any(isinstance(node, ast.Lambda) for one in told for node in walk(one)):
            return False
    return True


def never(test: ast.expr) -> bool:
    """Whether a test is false, whatever happens; what is for type checkers is."""
    match test:
        case ast.Constant(value=value):
            return not value
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return always(inner)
    return False


def always(test: ast.expr) -> bool:
    """Whether a test is true, whatever happens."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return never(inner)
    return False


def irrefutable(pattern: ast.pattern) -> bool:
    """Whether a pattern matches anything."""
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchAs(pattern=inner) if inner is not None:
            return irrefutable(inner)
        case ast.MatchOr(patterns=patterns):
            return irrefutable(patterns[-1])
    return False


def catches_missing(kind: ast.expr | None) -> bool:
    """Whether a handler catches a NameError."""
    if isinstance(kind, ast.Tuple):
        return any(catches_missing(one) for one in kind.elts)
    return kind is None or (isinstance(kind, ast.Name) and kind.id in ("NameError", "Exception", "BaseException"))


def stored(body: Iterable[ast.stmt]) -> frozenset[str]:
    """All names that may be bound somewhere in `body`."""
    names: set[str | None] = set()
    for statement in body:
        for node in walk(statement):
            match node:
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.MatchAs(name=found) | ast.MatchStar(name=found) | ast.MatchMapping(rest=found):
                    names.add(found)
                case ast.alias():
                    names.add(node.asname or node.name.partition(".")[0])
                case ast.ExceptHandler(name=found):
                    names.add(found)
    return frozenset(name for name in names if name is not None)


def deleted(body: Iterable[ast.stmt]) -> frozenset[str]:
    """All names that may be unbound somewhere in `body`."""
    names: set[str] = set()
    for statement in body:
        for node in walk(statement):
            if isinstance(node, ast.Delete):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.ExceptHandler) and node.name is not None:
                names.add(node.name)
    return frozenset(names)


def conditional(node: ast.AST) -> frozenset[str]:
    """Names that `:=` binds only on some paths through an expression."""
    if not any(isinstance(inner, ast.NamedExpr) for inner in walk(node)):
        return _NONE
    sure: set[str] = set()
    unsure: set[str] = set()

    def visit(node: ast.AST, certain: bool) -> None:
        if isinstance(node, ast.NamedExpr):
            (sure if certain else unsure).add(node.target.id)
        first: list[ast.AST] = []
        match node:
            case ast.BoolOp(values=[head, *_]):
                first = [head]
            case ast.IfExp(test=head) | ast.Assert(test=head):
                first = [head]
            case ast.Compare(left=left, comparators=[right, *_]):
                first = [left, right]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                first = [node.generators[0]]
            case ast.comprehension(iter=head):
                first = [head]
            case ast.Lambda() | ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                first = list(ast.iter_child_nodes(node))
        for child in ast.iter_child_nodes(node):
            visit(child, certain and child in first)

    visit(node, True)
    return frozenset(unsure - sure)
