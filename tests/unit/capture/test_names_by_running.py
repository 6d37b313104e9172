"""Random programs, executed: what is not among the names that they are said to read makes no difference to them."""

from __future__ import annotations

import builtins
import os
import random
import re
import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobq_magic.capture import free

NAMES = "abcdexyz"


class Missing(Exception):
    """What functions of the programs raise."""


def shown(*values: object) -> str:
    return re.sub(r" at 0x\w+", "", ", ".join(map(repr, values)))


class Anything:
    """Can be called, looped over, entered, compared; is true every other time. Tells what happened to it."""

    def __init__(self, tag: str, trace: list[str]) -> None:
        self.tag, self.trace, self.asked = tag, trace, 0

    def __repr__(self) -> str:
        return self.tag

    def _same(self, *_, **__):
        self.trace.append(self.tag)
        return self

    __call__ = __add__ = __radd__ = __iadd__ = __getitem__ = __enter__ = __mul__ = __rmul__ = _same

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name, value):
        if name in ("tag", "trace", "asked"):
            object.__setattr__(self, name, value)

    def __setitem__(self, key, value):
        self.trace.append(f"{self.tag}[{shown(key)}] = {shown(value)}")

    def __delitem__(self, key):
        self.trace.append(f"del {self.tag}[{shown(key)}]")

    def __exit__(self, *_):
        return False

    def __iter__(self):
        return iter([self, self])

    def __lt__(self, other):
        return bool(self)

    def __bool__(self):
        self.asked += 1
        return self.asked % 2 == 1

    def __mro_entries__(self, bases):
        return (object,)

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return hash(self.tag)


class Program:
    """A random text. Without `turns`, each statement of it is executed, once."""

    def __init__(self, seed: int, *, turns: bool) -> None:
        self.random = random.Random(seed)
        self.turns, self.depth = turns, 0
        self.text = "\n".join(self.block(2 + self.random.randrange(6)))

    def name(self) -> str:
        return self.random.choice(NAMES)

    def block(self, count: int = 0, *, loop: bool = False, function: bool = False) -> list[str]:
        lines: list[str] = []
        for _ in range(count or 1 + self.random.randrange(3)):
            lines += self.statement(loop=loop, function=function)
        return lines

    def inside(self, **given) -> list[str]:
        self.depth += 1
        lines = self.block(**given) if self.depth < 4 else ["pass"]
        self.depth -= 1
        return ["    " + line for line in lines]

    def statement(self, *, loop: bool, function: bool) -> list[str]:
        pick, n, e = self.random.random, self.name, self.expression
        simple = [
            lambda: [f"{n()} = {e()}"],
            lambda: [f"{n()} = {n()} = {e()}"],
            lambda: [f"note({e()})"],
            lambda: [f"note({e()}, {e()})"],
            lambda: [f"{n()} += {e()}"],
            lambda: [f"{n()}, *{n()} = [{e()}, {e()}]"],
            lambda: [f"{n()}[{e()}] = {e()}"],
            lambda: [f"{n()}.attr = {e()}"],
            lambda: [f"del {n()}"],
            lambda: [f"{n()}: 'a' = {e()}"],
            lambda: [f"import {self.random.choice(['os', 'os.path', 'sys'])} as {n()}"],
            lambda: [f"from os import path as {n()}, sep as {n()}"],
            self.function,
            self.klass,
            lambda: [f"note(eval('{n()} + {n()}'))"],
            lambda: [f"exec('{n()} = {n()}')"],
            lambda: [f"note((lambda {n()}={n()}: ({n()}, {n()}))())"],
        ]
        if not self.turns or self.depth >= 3 or pick() < 0.55:
            return self.random.choice(simple)()
        if loop and pick() < 0.25:
            return [self.random.choice(["break", "continue"])]
        if function and pick() < 0.15:
            return [f"return {e()}"]
        if pick() < 0.08:
            return ["raise Missing"]
        return self.compound(loop=loop, function=function)

    def compound(self, *, loop: bool, function: bool) -> list[str]:
        n, e, pick = self.name, self.expression, self.random.random
        within = {"loop": loop, "function": function}

        def inside(**more):
            return self.inside(**(within | more))

        kind = self.random.randrange(7)
        if kind == 0:
            lines = [f"if {e()}:", *inside()]
            if pick() < 0.5:
                lines += [f"elif {e()}:", *inside()]
            return lines + (["else:", *inside()] if pick() < 0.5 else [])
        if kind == 1:
            over = self.random.choice([e(), "()", f"({n()},)"])
            return [f"for {n()} in {over}:", *inside(loop=True), *(["else:", *inside()] if pick() < 0.3 else [])]
        if kind == 2:
            return [
                f"while {self.random.choice([f'turn() and {e()}', 'turn()', 'True'])}:",
                "    stop()",
                *inside(loop=True),
                *(["else:", *inside()] if pick() < 0.3 else []),
            ]
        if kind == 3:
            kinds = self.random.choice(["Missing", "NameError", "(Missing, NameError)", "Exception"])
            lines = ["try:", *inside()]
            if pick() < 0.8:
                lines += [f"except {kinds}{self.random.choice(['', f' as {n()}'])}:", *inside()]
                lines += ["else:", *inside()] if pick() < 0.3 else []
                lines += ["finally:", *inside(loop=False, function=False)] if pick() < 0.3 else []
            else:
                lines += ["finally:", *inside(loop=False, function=False)]
            return lines
        if kind == 4:
            return [f"with {e()}{self.random.choice(['', f' as {n()}'])}, {n()}:", *inside()]
        if kind == 5:
            return ["with suppress(Missing, NameError):", *inside()]
        patterns = [f"[{n()}, 1]", f"({n()}, *_)", "1 | 2", f"str() as {n()}", f"{{'k': {self.random.choice('pq')}}}"]
        cases = [f"    case {self.random.choice(patterns)} if {e()}:", *("    " + line for line in inside())]
        if pick() < 0.5:
            cases += [f"    case {self.random.choice(['_', n()])}:", *("    " + line for line in inside())]
        return [f"match {self.random.choice([e(), '(1, 2)', '[3, 1]'])}:", *cases]

    def function(self) -> list[str]:
        name, given = self.name(), f"{self.name()}={self.expression()}"
        head = [f"    global {self.random.choice(NAMES)}"] if self.random.random() < 0.3 else []
        if head and head[0][-1] in given.partition("=")[0]:
            head = []
        decorator = ["@same"] if self.random.random() < 0.2 else []
        lines = [
            *decorator,
            f"def {name}({given}):",
            *head,
            *self.inside(loop=False, function=True),
        ]
        return lines + ([f"note({name}())"] if self.random.random() < 0.7 else [])

    def klass(self) -> list[str]:
        name = self.name()
        head = [f"    global {self.name()}"] if self.random.random() < 0.15 else []
        body = self.inside(loop=False, function=False)
        lines = [f"class {name}({self.random.choice(['', self.name()])}):", *head, *body]
        return [*lines, f"note({name}.__name__)"]

    def expression(self) -> str:
        n, pick = self.name, self.random.random
        if pick() < 0.5:
            return self.random.choice([n(), n(), "1", "'t'"])
        a, b = n(), n()
        sure = [f"{a} + {b}", f"{a}({b})", f"{a}.attr", f"{a}[{b}]", f"f'{{{a}}} {{{b}!r}}'", f"[{a}, *{b}]"]
        sure += [f"[{a} for {b} in {n()}]", f"{{{a}: {b} for {a} in {n()}}}", f"({n()} := {a})", f"[({a} := {b}), {a}]"]
        turns = [f"({a} and {b})", f"({a} if {b} else {n()})", f"({a} or ({n()} := {b}))", f"({a} < {b} < {n()})"]
        turns += [f"[{n()} for {a} in {b} if ({n()} := {a})]", f"any({a} for {b} in {n()})"]
        turns += [f"list(({a} := {b}) for _ in {n()})", f"(lambda: {a})", f"(lambda {b}: {b})"]
        return self.random.choice(sure + turns if self.turns else sure)


def outcome(text: str, held: set[str]) -> tuple[object, ...]:
    """What executing a text does, in a namespace that holds these names."""
    trace: list[str] = []
    steps = iter(range(60))

    def stop() -> None:
        if next(steps, None) is None:
            raise Missing("too long")

    turns = iter([True, False] * 40)
    from contextlib import suppress

    namespace: dict[str, object] = {
        "note": lambda *given: trace.append(shown(*given)),
        "stop": stop,
        "turn": lambda: next(turns, False),
        "same": lambda f: f,
        "Missing": Missing,
        "suppress": suppress,
        "__name__": "elsewhere",
    }
    mine = set(namespace)
    namespace |= {name: Anything(name, trace) for name in held}
    before = dict(namespace)
    try:
        exec(compile(text, "<cell>", "exec", dont_inherit=True), namespace)
        ended = "ended"
    except RecursionError:
        ended = "too deep"
    except Exception as error:
        ended = f"{type(error).__name__}: {shown(str(error))}"
    for module in (os, os.path, sys):
        vars(module).pop("attr", None)  # programs set it on whatever a name holds
    for name in [name for name in namespace if name.startswith("__")]:
        del namespace[name]  # Python's own, and different ones in each version
    bound = {name for name, value in namespace.items() if before.get(name, before) is not value} - mine
    return ended, trace, bound, namespace.keys()


def read(text: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<cell>", "exec", dont_inherit=True)
            return free(text)
        except SyntaxError:
            return None


seeds = st.integers(0, 2**32)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=200, deadline=None)
@given(seeds, st.sets(st.sampled_from(NAMES), min_size=4).map(frozenset))
def test_what_is_not_said_to_be_read_makes_no_difference(seed, held):
    text = Program(seed, turns=True).text
    if (found := read(text)) is None:
        return
    known = found.hard | found.soft
    everything, needed = outcome(text, set(held)), outcome(text, set(held) & known)
    assert everything[:2] == needed[:2], f"\n{text}\nhard {sorted(found.hard)}, soft {sorted(found.soft)}"
    # `e` of `except ... as e` is unbound where it was held, and was not there otherwise.
    assert everything[2] == needed[2], text
    assert everything[2] <= found.bound | found.late_stores, text


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=200, deadline=None)
@given(seeds)
def test_on_a_straight_way_nothing_goes_without_what_must_be_there(seed):
    text = Program(seed, turns=False).text
    if (found := read(text)) is None:
        return
    ended, _, bound, there = outcome(text, set(NAMES))
    if ended != "ended":
        return
    for name in found.hard - vars(builtins).keys() - {"note", "same"}:
        without = outcome(text, set(NAMES) - {name})[0]
        assert str(without).startswith("NameError"), f"\n{text}\n{name} is not needed: {without}"
    assert set(found.stores) <= there, text
    assert bound <= found.bound | found.late_stores, text


def test_the_programs_are_worth_it():
    """Most of them run, and those that do not are no syntax errors."""
    texts = [Program(seed, turns=True).text for seed in range(200)]
    ends = [outcome(text, set(NAMES))[0] for text in texts if read(text) is not None]
    assert len(ends) > 150
    assert sum(end == "ended" for end in ends) > 20
