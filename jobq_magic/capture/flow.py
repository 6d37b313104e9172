"""The flow between statements: which names are bound for certain when a statement is reached.

Scoping inside of a statement is the compiler's (`bytecode`).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from jobq_magic.capture.bound import NOTHING, Bound, join
from jobq_magic.capture.bytecode import Touched, names_of
from jobq_magic.capture.magics import MagicCall, calls, shell_names
from jobq_magic.capture.statements import Text, remembered
from jobq_magic.capture.textual import TEXTUAL, constant_exec, hides_names, textual_names, textual_stores
from jobq_magic.capture.ways import (
    always,
    calls_nothing,
    catches_missing,
    conditional,
    deleted,
    irrefutable,
    may_call,
    never,
    stored,
)

__all__ = ["Flow", "Found"]

_SWALLOWERS = frozenset({"suppress", "raises", "ignored"})
"""Managers that go on after an exception: what their body was to bind is bound perhaps."""


_NONE: frozenset[str] = frozenset()


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
    anything: bool = False
    """It may have bound names that cannot be told."""


@dataclass(slots=True)
class _Loop:
    stores: frozenset[str]
    depth: int
    breaks: list[Bound] = field(default_factory=list)
    continues: list[Bound] = field(default_factory=list)


class Flow:
    """Follows statements with the names that are bound; None stands for "is never reached".

    Args:
        flags: of `compile`.
        text: what the statements were parsed from; without it, each is compiled anew.
        classes: the class bodies around, outermost first; their names are a namespace of their own.
        outer: what is bound outside of them.
        around: the flow outside of them.
    """

    def __init__(
        self,
        flags: int,
        text: str | Text = "",
        *,
        classes: tuple[ast.ClassDef, ...] = (),
        outer: Bound = NOTHING,
        around: Flow | None = None,
    ) -> None:
        self.flags = flags
        self.text = Text(text) if isinstance(text, str) else text
        if isinstance(text, str):
            self.magic, self.walrus = "get_ipython" in text, ":=" in text
            self.textual = TEXTUAL.search(text) is not None
        self.classes = classes
        self.outer = outer
        self.around = around
        self.found = Found()
        self.loops: list[_Loop] = []
        self.depth = 0  # how many branches are around
        self.forgiving = 0  # how many `try` around would catch a NameError
        self.muted = 0
        self._context = _context(classes)
        # Whoever calls its methods finds a class bound, unless its own body does.
        quiet = (
            bool(classes) and not classes[0].decorator_list and not classes[0].keywords and calls_nothing(classes[0])
        )
        self._itself = frozenset((classes[0].name,)) if quiet else _NONE
        if around is not None:
            self.magic, self.walrus, self.textual = around.magic, around.walrus, around.textual

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
                # Whoever calls it finds it bound, unless a decorator or a default does.
                itself = _NONE if may_call(node) else frozenset((node.name,))
                return bound | self._scan(node, bound, kind="definition", itself=itself)
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
                bound = self._expression(node.iter, bound)
                return self._loop(node, bound, bound | self._target(node.target, bound))
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
        # `type X = ...` is a definition, as a class is.
        names = self._scan(node, bound, kind="definition" if type(node).__name__ == "TypeAlias" else "value")
        unsure = self._unsure(node)
        bound = (bound | (names - unsure)).shaken(names & unsure)
        if self.magic:
            for call in self._calls(node):
                bound = self._magic(call, bound)
        if self.textual and (text := constant_exec(node)) is not None and (body := _parsed(text)) is not None:
            with self._branch(forgiving=True), self._reading(text):
                end = self.block(body, bound)
            bound = bound.shaken(end.maybe if end is not None else (), deleted(body))
        return bound

    def _magic(self, call: MagicCall, bound: Bound) -> Bound:
        within = bound
        for text in (call.setup, call.body):
            if text and (body := _parsed(text)) is not None:
                with self._mute(not call.binds), self._reading(text):
                    within = self.block(body, within) or within
        bound = within if call.binds else bound
        for name in call.captured:
            self._bind(name, "value")
        return bound | call.captured

    def _if(self, node: ast.If, bound: Bound) -> Bound | None:
        ends: list[Bound | None] = []
        depth, now = self.depth, bound
        while True:  # a chain of `elif` is no deeper than one `if`
            now = self._expression(node.test, now)
            with self._branch():
                ends.append(None if never(node.test) else self.block(node.body, now))
            if always(node.test):
                break
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node = node.orelse[0]
                self.depth = depth + 1
                continue
            with self._branch():
                ends.append(self.block(node.orelse, now))
            break
        self.depth = depth
        return join(*ends)

    def _while(self, node: ast.While, bound: Bound) -> Bound | None:
        bound = self._expression(node.test, bound)
        if never(node.test):
            return self.block(node.orelse, bound)
        return self._loop(node, None if always(node.test) else bound, bound)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, without: Bound | None, within: Bound) -> Bound | None:
        self.loops.append(_Loop(stored(node.body), self.depth))
        end = self.block(node.body, within)
        loop = self.loops.pop()
        # What a round unbinds is not certain after the loop.
        normal = join(without, end, *loop.continues) if without is not None else None
        if normal is not None:
            normal = self.block(node.orelse, normal)
        return join(normal, *loop.breaks)

    def _with(self, node: ast.With | ast.AsyncWith, bound: Bound) -> Bound | None:
        caught: list[ast.expr] = []
        for item in node.items:
            bound = self._expression(item.context_expr, bound)
            if item.optional_vars is not None:
                bound |= self._target(item.optional_vars, bound)
            match item.context_expr:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _SWALLOWERS:
                    caught += item.context_expr.args or [item.context_expr]
        if not caught:
            return self.block(node.body, bound)
        with self._branch(forgiving=any(map(catches_missing, caught))):
            end = self.block(node.body, bound)
        return join(end, bound.shaken(stored(node.body), deleted(node.body)))

    def _try(self, node: ast.Try | ast.TryStar, bound: Bound) -> Bound | None:
        leaving = [*self.loops[-1].breaks, *self.loops[-1].continues] if self.loops else []
        with self._branch(forgiving=any(catches_missing(handler.type) for handler in node.handlers)):
            body = self.block(node.body, bound)
        ends = [self.block(node.orelse, body) if body is not None else None]
        start = bound.shaken(stored(node.body), deleted(node.body))
        for handler in node.handlers:
            now = self._expression(handler.type, start) if handler.type is not None else start
            own = () if handler.name is None else (handler.name,)
            for name in own:
                self._bind(name, "value")
            with self._branch():
                end = self.block(handler.body, now | own)
            ends.append(end - own if end is not None else None)
            if self.loops:  # by `break`, the name of the exception is unbound too
                self._leave(leaving, own, ())
        result = join(*ends)
        if not node.finalbody:
            return result
        away = deleted(node.finalbody)
        if self.loops:
            self._leave(leaving, away, stored(node.finalbody))
        final = self.block(node.finalbody, start if result is None else join(start, result) or start)
        if final is None or result is None:
            return None
        return Bound((result.sure | final.sure) - away, final.maybe)

    def _leave(self, known: list[Bound], unbound: Iterable[str], bound: Iterable[str]) -> None:
        """On the way out of a `try`, what left by `break` or `continue` meets its end."""
        for ends in (self.loops[-1].breaks, self.loops[-1].continues):
            ends[:] = [
                end if any(end is one for one in known) else end.shaken(bound).shaken(unbound=unbound) for end in ends
            ]

    def _match(self, node: ast.Match, bound: Bound) -> Bound | None:
        bound = self._expression(node.subject, bound)
        ends: list[Bound | None] = []
        for case in node.cases:
            bare = ast.match_case(case.pattern, None, [ast.copy_location(ast.Pass(), case.pattern)])
            subject = ast.copy_location(ast.Constant(None), case.pattern)
            captured = self._scan(ast.copy_location(ast.Match(subject, [bare]), case.pattern), bound)
            now = bound | captured
            if case.guard is not None:
                now = self._expression(case.guard, now)
            with self._branch():
                ends.append(self.block(case.body, now))
            if case.guard is None and irrefutable(case.pattern):
                return join(*ends)
            bound = bound.shaken(captured)  # a pattern that fails may have bound some
        return join(*ends, bound)

    def _class(self, node: ast.ClassDef, bound: Bound) -> Bound:
        head = copy.copy(node)
        head.body = [ast.copy_location(ast.Pass(), node)]
        names = self._scan(head, bound, kind="definition")
        inner = type(self)(
            self.flags,
            self.text,
            classes=(*self.classes, node),
            outer=self.outer if self.classes else bound,
            around=self.around if self.classes else self,
        )
        outside = inner.outer
        inner.block(node.body, NOTHING)
        if not self.classes or not self.muted:
            self.found.hard |= inner.found.hard
            self.found.soft |= inner.found.soft
            self.found.late_stores |= inner.found.late_stores
        if inner.outer is not outside:  # by `global` in the body
            if self.classes:
                self.outer = inner.outer
            else:
                for name in inner.outer.maybe - outside.maybe:
                    self._bind(name, "value")
                bound = inner.outer
        return bound | names

    def _expression(self, node: ast.expr, bound: Bound) -> Bound:
        return self._simple(ast.copy_location(ast.Expr(node), node), bound)

    def _target(self, node: ast.expr, bound: Bound) -> frozenset[str]:
        nothing = ast.copy_location(ast.Constant(None), node)
        return self._scan(ast.copy_location(ast.Assign([node], nothing), node), bound)

    def _scan(
        self, node: ast.stmt, bound: Bound, *, kind: str = "value", itself: frozenset[str] = _NONE
    ) -> frozenset[str]:
        """Notes what a statement without statements of its own reads; the names that it binds."""
        touched = self.touched(node, bound)
        found = self.found
        visible = bound.sure | self.outer.sure if self.classes else bound.sure
        beyond = self.outer.sure if self.classes else bound.sure
        for name in (touched.early - visible) | (touched.outright - beyond):
            if name in touched.outright and self.around is not None:
                soft = self.around.perhaps(name, self.outer)
            else:
                soft = self.perhaps(name, bound)
            (found.soft if soft else found.hard).add(name)
        if touched.after:
            certain = touched.stores.keys() - self._unsure(node)
            found.soft.update(touched.after - certain - visible)
        found.soft.update(touched.late - beyond - (self._itself if self.classes else itself))
        found.late_stores |= touched.late_stores
        found.anything = found.anything or touched.anything
        found.deleted |= touched.deletes
        for name in touched.stores:
            self._bind(name, kind)
        if touched.outward and self.classes:
            self.outer = self.outer.shaken(touched.outward) if self.depth else self.outer | touched.outward
        return frozenset(touched.stores)

    def touched(self, node: ast.stmt, bound: Bound) -> Touched:  # noqa: ARG002  # for who looks further
        """What such a statement does with names; not to be changed."""
        key = self.text.of(node)
        return remembered(
            None if key is None else ("names", type(node), key, self.flags, self._context), partial(self._look, node)
        )

    def _look(self, node: ast.stmt) -> Touched:
        touched = names_of(node, self.flags, self.classes)
        if self.textual:
            touched.late |= textual_names(node)
            touched.late_stores |= set(textual_stores(node))
            touched.anything = hides_names(node)
        if self.magic:
            touched.late |= self._said(node)
        return touched

    def _calls(self, node: ast.stmt) -> list[MagicCall]:
        key = self.text.of(node)
        return remembered(None if key is None else ("magics", key), partial(calls, node))

    def _said(self, node: ast.stmt) -> set[str]:
        """The names in what magics are told; in functions, those in what they execute too."""
        names: set[str] = set()
        for call in calls(node):
            texts = shell_names(call.line) if call.body is None else []
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and call.body is not None:
                texts = [call.setup, call.body]
            for text in texts:
                for statement in _parsed(text.strip()) or ():
                    touched = names_of(statement, self.flags)
                    names |= touched.early | touched.late
        return names

    def _unsure(self, node: ast.stmt) -> frozenset[str]:
        return conditional(node) if self.walrus else _NONE

    def perhaps(self, name: str, bound: Bound) -> bool:
        """Whether a name that is not bound for certain may be bound, or be missing without harm."""
        found = self.found
        if found.stars or found.anything or self.forgiving or name in bound.maybe or name in found.late_stores:
            return True
        if self.around is not None and self.around.perhaps(name, self.outer):
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
        if kind == "value":
            self.found.values[name] = None
            return
        (self.found.imports if kind == "import" else self.found.definitions).add(name)
        if not self.depth:
            self.found.values.pop(name, None)

    @contextmanager
    def _mute(self, muted: bool) -> Iterator[None]:
        self.muted += muted
        yield
        self.muted -= muted

    @contextmanager
    def _reading(self, text: str) -> Iterator[None]:
        """While statements of another text are followed."""
        kept, self.text = self.text, Text(text)
        yield
        self.text = kept


def _parsed(text: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError):
        return None


def _context(classes: Sequence[ast.ClassDef]) -> tuple[object, ...]:
    """What of the classes around a statement has a say in what its names mean."""
    return tuple(
        (
            owner.name,
            *(name for one in owner.body if isinstance(one, ast.Global) for name in one.names),
            *(ast.dump(one) for one in getattr(owner, "type_params", ())),
        )
        for owner in classes
    )
