"""Which names does a piece of code read and bind? The compiler decides; this reads its decision off the bytecode."""

from __future__ import annotations
import __future__

import ast
import copy
import dis
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

__all__ = ["FUTURES", "Touched", "compiled", "futures", "global_names", "names_of"]

FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names} - {0, 0x10})
"""The bits of `co_flags` and of `compile`'s flags that future statements set; 0x10 was one, and now means another."""

_READS = frozenset(
    dis.opmap[name] for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME") if name in dis.opmap
)
_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]
_LOAD_CONST = dis.opmap["LOAD_CONST"]
_DELETES = frozenset((dis.opmap["DELETE_NAME"], dis.opmap["DELETE_GLOBAL"]))
_STORES = frozenset((dis.opmap["STORE_NAME"], dis.opmap["STORE_GLOBAL"]))
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]
_DELETE_GLOBAL = dis.opmap["DELETE_GLOBAL"]
_NAMED = _READS | _STORES | {_DELETE_GLOBAL}
_EXTENDED = dis.EXTENDED_ARG
_OPTIMIZED = 0x1
# What the compiler itself reads and writes in a namespace.
_OWN = frozenset(
    [
        "__annotations__",
        "__conditional_annotations__",
        "__annotate__",
        "__annotate_func__",
        "__module__",
        "__qualname__",
        "__name__",
        "__doc__",
        "__build_class__",
        "__classcell__",
        "__classdict__",
        "__classdictcell__",
        "__class__",
        "__firstlineno__",
        "__static_attributes__",
        "__type_params__",
        "__builtins__",
        "__file__",
        "__spec__",
        "__loader__",
        "__package__",
        "__debug__",
        "__path__",
        ".defaults",
        ".type_params",
        ".generic_base",
    ]
)


@dataclass(slots=True)
class Touched:
    """What one statement does with names, in the order of its bytecode.

    `early` are reads that happen when the statement is executed, before it bound the name itself; `outright` are those
    of them that look past a class body, `after` those that follow a binding in the same statement. `late` reads happen
    when something that it defines is called. `outward` are stores of a class body to the module, by `global`.
    """

    early: set[str] = field(default_factory=set)
    outright: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    stores: dict[str, None] = field(default_factory=dict)
    deletes: set[str] = field(default_factory=set)
    late_stores: set[str] = field(default_factory=set)
    outward: set[str] = field(default_factory=set)
    anything: bool = False
    """It may bind names that cannot be told."""

    def copy(self) -> Touched:
        """One that may be changed."""
        return Touched(
            set(self.early),
            set(self.outright),
            set(self.after),
            set(self.late),
            dict(self.stores),
            set(self.deletes),
            set(self.late_stores),
            set(self.outward),
            self.anything,
        )


def compiled(body: Sequence[ast.stmt], flags: int, label: str = "<cell>") -> CodeType:
    """A module of these statements, in which `await` is allowed at top level as in a notebook."""
    return compile(  # type: ignore[no-any-return]
        ast.Module(list(body), []), label, "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )


def futures(tree: ast.Module) -> int:
    """The future statements of a text, as flags of `compile`."""
    named = {
        alias.name
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        for alias in statement.names
    }
    flags = 0
    for name in named & set(__future__.all_feature_names):
        flags |= getattr(__future__, name).compiler_flag
    return flags


def names_of(statement: ast.stmt, flags: int, classes: Sequence[ast.ClassDef] = ()) -> Touched:
    """What `statement` does with names, where it stands in the bodies of `classes`, outermost first."""
    body: list[ast.stmt] = [statement]
    for owner in reversed(classes):
        around = copy.copy(owner)
        around.bases, around.keywords, around.decorator_list = [], [], []
        around.body = [*(one for one in owner.body if isinstance(one, ast.Global)), *body]
        body = [around]
    code = compiled(body, flags)
    for owner in classes:
        code = next(inner for inner in _nested(code) if inner.co_name == owner.name)
    touched = Touched()
    _direct(code, touched)
    return touched


def global_names(code: CodeType) -> set[str]:
    """The names that a function reads from its module, in any of its code."""
    touched = Touched()
    _late(code, touched)
    return touched.late


def _direct(code: CodeType, touched: Touched) -> None:
    waiting = {id(inner): inner for inner in _constants(code)}
    for op, name in _operations(code):
        if not isinstance(name, str):  # code that is executed at once is called right after it is loaded
            if _is_eager(name) and waiting.pop(id(name), None) is not None:
                _inner(name, touched, of_module=code.co_name == "<module>")
            continue
        if name in _OWN:
            continue
        if op in _READS or op in (_LOAD_GLOBAL, _DELETE_GLOBAL):
            if name in touched.stores:
                touched.after.add(name)
            else:
                touched.early.add(name)
                if op == _LOAD_GLOBAL:
                    touched.outright.add(name)
            if op in _DELETES:
                touched.deletes.add(name)
        elif op in _STORES:
            touched.stores[name] = None
            touched.deletes.discard(name)
            if op == _STORE_GLOBAL:
                touched.outward.add(name)
    for inner in waiting.values():
        if _is_eager(inner):
            _inner(inner, touched, of_module=code.co_name == "<module>")
        else:
            _late(inner, touched)


def _inner(code: CodeType, touched: Touched, *, of_module: bool) -> None:
    """Code that is executed where it stands: the body of a class, a comprehension."""
    within, before = Touched(), set(touched.stores)
    _direct(code, within)
    own = set(within.stores) if not code.co_flags & _OPTIMIZED else set()
    touched.early |= within.early - own - before
    touched.outright |= within.outright - (before if of_module else set())
    touched.after |= within.early & before
    touched.late |= within.late
    touched.late_stores |= within.late_stores
    if code.co_flags & _OPTIMIZED:  # a walrus in a comprehension binds outside of it
        touched.stores |= within.stores


def _late(code: CodeType, touched: Touched) -> None:
    own: set[str] = set()
    for op, name in _operations(code):
        if not isinstance(name, str) or name in _OWN:
            continue
        if op in _READS or op in (_LOAD_GLOBAL, _DELETE_GLOBAL):
            if name not in own:
                touched.late.add(name)
        elif op == _STORE_GLOBAL:
            touched.late_stores.add(name)
        elif op in _STORES:
            own.add(name)
        if op == _DELETE_GLOBAL:
            touched.late_stores.add(name)
    for inner in _constants(code):
        _late(inner, touched)


def _is_eager(code: CodeType) -> bool:
    if not code.co_flags & _OPTIMIZED:
        return True  # the body of a class
    return code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>") or code.co_name.startswith("<generic parameters")


def _constants(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def _nested(code: CodeType) -> Iterator[CodeType]:
    for inner in _constants(code):
        yield inner
        yield from _nested(inner)


def _operations(code: CodeType) -> Iterator[tuple[int, str | CodeType]]:
    """Each operation on a name, and each load of code. `dis` would do, at ten times the price."""
    names, constants, extended = code.co_names, code.co_consts, 0
    raw = code.co_code
    for op, low in zip(raw[::2], raw[1::2], strict=True):
        if op == _EXTENDED:
            extended = (extended | low) << 8
            continue
        if op == _LOAD_GLOBAL:
            yield op, names[(extended | low) >> 1]
        elif op in _NAMED:
            yield op, names[extended | low]
        elif op == _LOAD_CONST and isinstance(constant := constants[extended | low], CodeType):
            yield op, constant
        extended = 0
