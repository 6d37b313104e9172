"""The flow between statements: which names are bound for certain when a statement is reached.

Scoping inside of a statement is the compiler's (`bytecode`).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobq_magic.capture.bytecode import Touched, names_of
from jobq_magic.capture.magics import calls, shell_names

__all__ = ["NOTHING", "Flow", "Found"]

Bound = frozenset[str]
NOTHING: Bound = frozenset()


@dataclass(slots=True)
class Found:
    """What was found on the way; see `names.Analysis`. `values` are names bound by neither import nor definition."""

    hard: set[str] = field(default_factory=set)
    soft: set[str] = field(default_factory=set)
    values: dict[str, None] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    definitions: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    late_stores: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Loop:
    stores: Bound
    depth: int
    breaks: list[Bound] = field(default_factory=list)
    continues: list[Bound] = field(default_factory=list)


class Flow:
    """Follows statements with the set of names that are bound for certain; None stands for "is never reached".

    Args:
        flags: of `compile`.
        magic: there may be magics, which are followed into their bodies.
        walrus: there may be a `:=`.
        classes: the class bodies around, outermost first; their names are a namespace of their own.
        outer: what is bound outside of them.
        around: the flow outside of them.
    """

    def __init__(
        self,
        flags: int,
        *,
        magic: bool = False,
        walrus: bool = True,
        classes: tuple[ast.ClassDef, ...] = (),
        outer: Bound = NOTHING,
        around: Flow | None = None,
    ) -> None:
        self.flags = flags
        self.magic = magic
        self.walrus = walrus
        self.classes = classes
        self.outer = outer
        self.around = around
        self.found = Found()
        self.loops: list[_Loop] = []
        self.depth = 0  # how many branches are around
        self.forgiving = 0  # how many `try` around would catch a NameError
        self.muted = 0

    def block(self, body: Sequence[ast.stmt], bound: Bound) -> Bound | None:
        """What is bound after `body`."""
        now: Bound | None = bound
        for statement in body:
            if now is None:
                break
            now = self.statement(statement, now)
        return now

    def statement(self, node: ast.stmt, bound: Bound) -> Bound | None:
        """What is bound after one statement."""
        match node:
            case ast.Break() | ast.Continue():
                if self.loops:
                    (self.loops[-1].breaks if isinstance(node, ast.Break) else self.loops[-1].continues).append(bound)
                return None
            case ast.Raise() | ast.Return():
                self._scan(node, bound)
                return None
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                self.found.stars.append(node.module or "")
                return bound
            case ast.Import() | ast.ImportFrom():
                return bound | self._scan(node, bound, kind="import")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return bound | self._scan(node, bound, kind="definition")
            case ast.Delete():
                self._scan(node, bound)
                return bound - {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.Pass() | ast.Global() | ast.Nonlocal():
                return bound
            case _:
                return self._compound(node, bound)

    def _compound(self, node: ast.stmt, bound: Bound) -> Bound | None:
        match node:
            case ast.If():
                return self._if(node, bound)
            case ast.For() | ast.AsyncFor():
                return self._for(node, bound)
            case ast.While():
                return self._while(node, bound)
            case ast.Try() | ast.TryStar():
                return self._try(node, bound)
            case ast.With() | ast.AsyncWith():
                return self._with(node, bound)
            case ast.Match():
                return self._match(node, bound)
            case ast.ClassDef():
                return self._class(node, bound)
            case _:
                return self._simple(node, bound)

    def _simple(self, node: ast.stmt, bound: Bound) -> Bound:
        before, bound = bound, bound | (self._scan(node, bound) - self._unsure(node))
        if self.magic:
            for call in calls(node):
                self.found.soft.update(self._expressions(shell_names(call.line if call.body is None else ""), before))
                within = bound
                for text in (call.setup, call.body):
                    if text and (body := _parsed(text)) is not None:
                        with self._mute(not call.binds):
                            within = self.block(body, within) or within
                bound = within if call.binds else bound
                for name in call.captured:
                    self._bind(name, "value")
                    bound |= {name}
        return bound

    def _if(self, node: ast.If, bound: Bound) -> Bound | None:
        bound = self._expression(node.test, bound)
        never, always = _never(node.test), isinstance(node.test, ast.Constant) and bool(node.test.value)
        with self._branch():
            return _join(
                None if never else self.block(node.body, bound), None if always else self.block(node.orelse, bound)
            )

    def _for(self, node: ast.For | ast.AsyncFor, bound: Bound) -> Bound | None:
        bound = self._expression(node.iter, bound)
        targets = self._target(node.target, bound)
        return self._loop(node, bound, bound | targets)

    def _while(self, node: ast.While, bound: Bound) -> Bound | None:
        bound = self._expression(node.test, bound)
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return self._loop(node, None if forever else bound, bound)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, without: Bound | None, within: Bound) -> Bound | None:
        self.loops.append(_Loop(_stored(node.body), self.depth))
        end = self.block(node.body, within)
        loop = self.loops.pop()
        # What a round unbinds is not certain after the loop.
        rounds = _join(end, *loop.continues)
        normal = without if without is None or rounds is None else without & rounds
        if normal is not None:
            normal = self.block(node.orelse, normal)
        return _join(normal, *loop.breaks)

    def _with(self, node: ast.With | ast.AsyncWith, bound: Bound) -> Bound | None:
        for item in node.items:
            bound = self._expression(item.context_expr, bound)
            if item.optional_vars is not None:
                bound |= self._target(item.optional_vars, bound)
        return self.block(node.body, bound)

    def _try(self, node: ast.Try | ast.TryStar, bound: Bound) -> Bound | None:
        with self._branch(forgiving=any(_catches_missing(handler.type) for handler in node.handlers)):
            body = self.block(node.body, bound)
        ends = [self.block(node.orelse, body) if body is not None else None]
        start = bound - _deleted(node.body)
        for handler in node.handlers:
            now = self._expression(handler.type, start) if handler.type is not None else start
            if handler.name is not None:
                self._bind(handler.name, "value")
                now |= {handler.name}
            with self._branch():
                end = self.block(handler.body, now)
            if handler.name is not None:
                self.found.values.pop(handler.name, None)
                end = end - {handler.name} if end is not None else None
            ends.append(end)
        result = _join(*ends)
        if not node.finalbody:
            return result
        final = self.block(node.finalbody, start if result is None else start & result)
        if final is None or result is None:
            return None
        return (result | final) - _deleted(node.finalbody)

    def _match(self, node: ast.Match, bound: Bound) -> Bound | None:
        bound = self._expression(node.subject, bound)
        ends: list[Bound | None] = []
        open_end = True
        for case in node.cases:
            bare = ast.match_case(case.pattern, None, [ast.Pass(lineno=1, col_offset=0)])
            subject = ast.copy_location(ast.Constant(None), node)
            pattern = ast.copy_location(ast.Match(subject, [bare]), node)
            now = bound | self._scan(ast.fix_missing_locations(pattern), bound)
            if case.guard is not None:
                now = self._expression(case.guard, now)
            with self._branch():
                ends.append(self.block(case.body, now))
            if case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None:
                open_end = False
        return _join(*ends, *([bound] if open_end else []))

    def _class(self, node: ast.ClassDef, bound: Bound) -> Bound:
        head = copy.copy(node)
        head.body = [ast.copy_location(ast.Pass(), node)]
        names = self._scan(head, bound, kind="definition")
        inner = type(self)(
            self.flags,
            magic=self.magic,
            walrus=self.walrus,
            classes=(*self.classes, node),
            outer=self.outer if self.classes else bound,
            around=self.around if self.classes else self,
        )
        inner.block(node.body, NOTHING)
        if not self.classes or not self.muted:
            self.found.hard |= inner.found.hard
            self.found.soft |= inner.found.soft
            self.found.late_stores |= inner.found.late_stores
        return bound | names

    def _expression(self, node: ast.expr, bound: Bound) -> Bound:
        return self._simple(ast.copy_location(ast.Expr(node), node), bound)

    def _target(self, node: ast.expr, bound: Bound) -> Bound:
        nothing = ast.copy_location(ast.Constant(None), node)
        return self._scan(ast.copy_location(ast.Assign([node], nothing), node), bound)

    def _scan(self, node: ast.stmt, bound: Bound, *, kind: str = "value") -> Bound:
        """Notes what a statement without statements of its own reads; the names that it binds."""
        touched = self.touched(node, bound)
        found = self.found
        visible = bound | self.outer
        missing = {name for name in touched.early if name not in visible}
        missing |= {name for name in touched.outright if name not in (self.outer if self.classes else bound)}
        certain = frozenset(touched.stores) - self._unsure(node)
        unsure = (touched.after - certain - visible) | (touched.late - (self.outer if self.classes else bound))
        for name in missing:
            flow = self.around if name in touched.outright and self.around is not None else self
            (found.soft if flow.perhaps(name) else found.hard).add(name)
        found.soft.update(unsure)
        found.late_stores |= touched.late_stores
        for name in touched.deletes:
            found.deleted.add(name)
            found.values.pop(name, None)
        for name in touched.stores:
            self._bind(name, kind)
        return frozenset(touched.stores)

    def touched(self, node: ast.stmt, bound: Bound) -> Touched:  # noqa: ARG002  # for who looks further
        """What such a statement does with names."""
        return names_of(node, self.flags, self.classes)

    def _unsure(self, node: ast.stmt) -> Bound:
        return _conditional(node) if self.walrus else NOTHING

    def perhaps(self, name: str) -> bool:
        """Whether a name that is not bound for certain may be bound, or be missing without harm."""
        found = self.found
        if found.stars or self.forgiving or name in found.values or name in found.imports | found.definitions:
            return True
        if self.around is not None and self.around.perhaps(name):
            return True
        # `if i: use(last)` and then `last = x`: bound by an earlier round.
        return any(name in loop.stores and self.depth > loop.depth for loop in self.loops)

    @contextmanager
    def _branch(self, *, forgiving: bool = False) -> Iterator[None]:
        self.depth += 1
        self.forgiving += forgiving
        yield
        self.depth -= 1
        self.forgiving -= forgiving

    def _bind(self, name: str, kind: str) -> None:
        if self.muted:
            return
        self.found.deleted.discard(name)
        if kind == "import":
            self.found.imports.add(name)
            self.found.values.pop(name, None)
        elif kind == "definition":
            self.found.definitions.add(name)
            self.found.values.pop(name, None)
        else:
            self.found.values[name] = None

    @contextmanager
    def _mute(self, muted: bool) -> Iterator[None]:
        self.muted += muted
        yield
        self.muted -= muted

    def _expressions(self, texts: Iterable[str], bound: Bound) -> set[str]:
        names: set[str] = set()
        for text in texts:
            for statement in _parsed(text.strip()) or ():
                touched = self.touched(statement, bound)
                names |= touched.early | touched.late
        return names - bound


def _parsed(text: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except SyntaxError:
        return None


def _join(*ends: Bound | None) -> Bound | None:
    reached = [end for end in ends if end is not None]
    return frozenset.intersection(*reached) if reached else None


def _never(test: ast.expr) -> bool:
    match test:
        case ast.Constant(value=value):
            return not value
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def _catches_missing(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_catches_missing(one) for one in kind.elts)
    return kind is None or (isinstance(kind, ast.Name) and kind.id in ("NameError", "Exception", "BaseException"))


def _stored(body: Iterable[ast.stmt]) -> Bound:
    nodes = (node for statement in body for node in ast.walk(statement))
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _deleted(body: Iterable[ast.stmt]) -> Bound:
    return frozenset(
        target.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _conditional(node: ast.AST) -> Bound:
    """Names that `:=` binds only on some paths through an expression."""
    if not any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node)):
        return NOTHING
    sure: set[str] = set()
    unsure: set[str] = set()

    def visit(node: ast.AST, certain: bool) -> None:
        if isinstance(node, ast.NamedExpr):
            (sure if certain else unsure).add(node.target.id)
        first: list[ast.AST] = []
        match node:
            case ast.BoolOp(values=[head, *_]):
                first = [head]
            case ast.IfExp(test=head):
                first = [head]
            case ast.Compare(left=left, comparators=[right, *_]):
                first = [left, right]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                first = [node.generators[0].iter]
            case ast.Lambda() | ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                first = list(ast.iter_child_nodes(node))
        for child in ast.iter_child_nodes(node):
            visit(child, certain and child in first)

    visit(node, True)
    return frozenset(unsure - sure)
