"""Which names of the notebook does a cell read, through the notebook's own functions and objects too?

Two walks: over the cell, statement by statement, with what is bound by then (`flow`); and behind each name that is used
on the way, over the live objects, by their bytecode. Functions that the cell only defines read nothing yet. No code of
the notebook is executed: what objects hold is taken by the descriptors of Python's own types, never by `getattr`.
"""

from __future__ import annotations

import ast
import functools
import re
import types
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from jobq_magic.capture.bound import NOTHING, Bound
from jobq_magic.capture.bytecode import FUTURES, Touched, futures, global_names
from jobq_magic.capture.flow import Flow
from jobq_magic.capture.magics import calls
from jobq_magic.capture.statements import Text, check

__all__ = ["reads"]

_MOST = 100
"""Parts of one container or instance that are looked at."""
_DEEP = 3
"""How deep: a list of functions, the steps of a pipeline."""
_BUDGET = 1000
"""Objects that are looked at behind one name: what a big value costs at most."""
_AT_NAME = re.compile(r"@([A-Za-z_]\w*)")
# Decorators that keep the function for later. Any other may call it at once, as `interact` does.
_KEEPERS = frozenset(
    [
        *("abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager"),
        *("dataclass", "delayed", "final", "getter", "guvectorize", "inference_mode", "jit", "lru_cache", "njit"),
        *("no_grad", "overload", "override", "property", "remote", "retry", "setter", "singledispatch"),
        *("singledispatchmethod", "staticmethod", "total_ordering", "validator", "vectorize", "wraps"),
    ]
)


def reads(
    text: str,
    namespace: Mapping[str, Any],
    *,
    flags: int = 0,
    transform: Callable[[str], str] | None = None,
) -> frozenset[str]:
    """The notebook names that running `text` may read, also names that are missing in `namespace`.

    Names of builtins are among them. Cells and lines of `jobq` count for nothing. What only the execution could tell
    (`exec` of a text made on the way, `globals()`) is not seen. Never fails: a text that does not compile reads
    nothing.

    Args:
        text: plain Python, as IPython's transformation leaves it.
        namespace: the notebook's.
        flags: of `compile`: future statements in force.
        transform: IPython's transformation, for the bodies of magics, which arrive raw.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _reads(text, namespace, flags & FUTURES, transform)
    except Exception:  # noqa: BLE001  # to know less is better than to stop a cell
        return frozenset()


def _reads(
    text: str, namespace: Mapping[str, Any], flags: int, transform: Callable[[str], str] | None
) -> frozenset[str]:
    tree = ast.parse(text)
    flags |= futures(tree)
    flow = _Use(flags, text)
    check(tree, text, flow.text, flags)
    if flow.magic and _prepare(tree, transform):
        flow.text = Text("")  # it is not what is followed any more
    flow.live = _Live(namespace)
    flow.block(tree.body, NOTHING)
    return frozenset(flow.found.hard | flow.found.soft)


class _Use(Flow):
    """A flow that counts what functions read where they are used, not where they are defined."""

    live: _Live

    def __init__(self, *given: Any, around: _Use | None = None, **options: Any) -> None:
        super().__init__(*given, around=around, **options)
        self.own: dict[str, set[str]] = {}
        """What functions and classes of the cell read when they are called."""
        self.eager: set[str] = set()
        """Classes of the cell whose code runs when they are derived from."""
        if around is not None:
            self.live, self.own, self.eager = around.live, around.own, around.eager

    def touched(self, node: ast.stmt, bound: Bound) -> Touched:
        """What such a statement does with names, and what the functions that it uses read."""
        touched = super().touched(node, bound).copy()
        used = touched.early | touched.after
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                used &= _named(node.decorator_list, node.args.defaults, filter(None, node.args.kw_defaults))
                used -= {owner for decorator in node.decorator_list if (owner := _registry(decorator)) is not None}
                if self._keep(node, touched.late):
                    touched.late = set()
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments)):
                used &= _named(arguments.defaults, filter(None, arguments.kw_defaults))
                self._define(self.classes[0].name if self.classes else name, touched.late)
                touched.late = set()
            case ast.ClassDef():
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)} & self.own.keys() - self.eager
                used -= bases
                self._define(node.name, bases)
            case ast.AnnAssign(value=value):
                used &= _named([node.target], [value] if value is not None else [])
        touched.late |= self.behind(used | touched.late, bound.sure | self.outer.sure)
        return touched

    def _keep(self, node: ast.FunctionDef | ast.AsyncFunctionDef, late: set[str]) -> bool:
        """Notes what a function reads when it is called; whether that is not at once."""
        owners = [node.name]
        if self.classes:
            owners = [self.classes[0].name]
            if node.name == "__init_subclass__":
                self.eager.add(owners[0])
        kept = True
        for decorator in node.decorator_list:
            if (owner := _registry(decorator)) is not None:
                owners.append(owner)
                continue
            match decorator.func if isinstance(decorator, ast.Call) else decorator:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    kept = kept and name in _KEEPERS
                case _:
                    kept = False
        for owner in owners:
            self._define(owner, late)
        return kept or bool(self.classes)

    def _define(self, name: str, needs: Iterable[str]) -> None:
        self.own.setdefault(name, set()).update(needs)

    def behind(self, names: Iterable[str], bound: frozenset[str]) -> set[str]:
        """What the functions and objects that the names hold read, when `bound` are the cell's own."""
        found: set[str] = set()
        ahead = list(names)
        seen = set(ahead)
        while ahead:
            name = ahead.pop()
            needs: Iterable[str] = self.own.get(name, ())
            if name not in bound and (more := self.live.needs(name)):
                needs = more.union(needs)
            for need in needs:
                found.add(need)
                if need not in seen:
                    seen.add(need)
                    ahead.append(need)
        return found


def _registry(decorator: ast.expr) -> str | None:
    """The function that `@area.register` adds to: what it adds is used when that is."""
    match decorator.func if isinstance(decorator, ast.Call) else decorator:
        case ast.Attribute(value=ast.Name(id=owner), attr="register"):
            return owner
    return None


def _named(*expressions: Iterable[ast.expr]) -> set[str]:
    return {node.id for some in expressions for one in some for node in ast.walk(one) if isinstance(node, ast.Name)}


# Magics


def _prepare(tree: ast.Module, transform: Callable[[str], str] | None) -> bool:
    """Puts plain Python into the bodies of magics, and takes out what is `jobq`'s; whether anything changed."""
    changed = False
    for call in list(calls(tree)):
        if call.name == "jobq":
            call.node.args = [ast.Constant("jobq")]
            changed = True
        elif (body := call.body) is not None and (plain := _plain(body, transform)) != body.strip():
            head = call.line if call.cell is not None else call.line[: len(call.line) - len(body)] + plain
            words = [call.name, head] if call.cell is None else [call.name, head, plain]
            call.node.args = [ast.Constant(word) for word in words]
            changed = True
    return changed and bool(ast.fix_missing_locations(tree))


def _plain(body: str, transform: Callable[[str], str] | None) -> str:
    text = transform(body) if transform is not None else body
    if "get_ipython" in text:
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return text.strip()
        if _prepare(tree, transform):
            text = ast.unparse(tree)
    return text.strip()


# Live objects

_namespace_of = type.__dict__["__dict__"].__get__
_order_of = type.__dict__["__mro__"].__get__
_PARTS: dict[type, tuple[str, ...]] = {
    FunctionType: ("__closure__", "__defaults__", "__kwdefaults__", "__dict__"),
    types.MethodType: ("__func__", "__self__"),
    functools.partial: ("func", "args", "keywords", "__dict__"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    types.CellType: ("cell_contents",),
}
"""Where things of Python's own types hold what they call."""
_RUNNING = {
    types.GeneratorType: ("gi_code", "gi_frame"),
    types.CoroutineType: ("cr_code", "cr_frame"),
    types.AsyncGeneratorType: ("ag_code", "ag_frame"),
}
_FREE = frozenset({types.FunctionType, types.MethodType, types.CellType, staticmethod, classmethod, property})
"""Steps that are no way into a value, and count for no depth."""
_NOTHING_INSIDE = frozenset(
    {types.ModuleType, str, bytes, bytearray, int, float, complex, bool, type(None), types.BuiltinFunctionType}
)


class _Live:
    """What the objects of a namespace read when they are used, one name at a time."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        name = namespace.get("__name__")
        self._modules = ("__main__", name if type(name) is str else "__main__")
        self._known: dict[str, frozenset[str]] = {}

    def needs(self, name: str) -> frozenset[str]:
        """The global names that the code of what a name holds may read."""
        if (known := self._known.get(name)) is None:
            found: set[str] = set()
            try:
                if name in self.namespace and name != "get_ipython":
                    self._look(self.namespace[name], found)
            except Exception:  # noqa: BLE001, S110  # what was seen so far
                pass
            known = self._known[name] = frozenset(found)
        return known

    def _look(self, value: Any, found: set[str]) -> None:
        seen = {id(self.namespace)}  # the shell holds it
        ahead, left = deque([(value, 0)]), _BUDGET
        while ahead:
            one, depth = ahead.popleft()
            kind = type(one)
            if kind in _NOTHING_INSIDE or id(one) in seen:
                continue
            seen.add(id(one))
            if kind is FunctionType and self._is_ours(one):
                found |= _globals_of(one.__code__)
            elif kind in _RUNNING:
                code, frame = (_slot(kind, one, part) for part in _RUNNING[kind])
                if frame is not None and frame.f_globals is self.namespace:
                    found |= _globals_of(code)
            further = depth + (kind not in _FREE)
            try:
                for part in islice(self._parts(one, kind, deep=further <= _DEEP), left):
                    if type(part) not in _NOTHING_INSIDE:
                        ahead.append((part, further))
                    left -= 1
            except Exception:  # noqa: BLE001, S112  # it changed meanwhile, or is odd
                continue

    def _is_ours(self, function: Any) -> bool:
        own = function.__globals__  # not `__module__`: `functools.wraps` gives that away
        module = own.get("__name__")
        return own is self.namespace or (type(module) is str and module == "__main__")

    def _is_our_class(self, owner: type) -> bool:
        module = _namespace_of(owner).get("__module__")
        return type(module) is str and module in self._modules

    def _parts(self, value: object, kind: type, *, deep: bool) -> Iterator[object]:
        if (names := _PARTS.get(kind)) is not None:
            for name in names:
                part = _slot(kind, value, name)
                if type(part) in (tuple, dict):
                    yield from _items(part)
                elif part is not None:
                    yield part
            return
        if issubclass(kind, type):
            for owner in _order_of(value):
                if self._is_our_class(owner):
                    yield from _namespace_of(owner).values()
        for owner in _order_of(kind):
            if self._is_our_class(owner):
                for held in _namespace_of(owner).values():
                    yield _slot_of(held, value) if type(held) is types.MemberDescriptorType else held
        if not deep:
            return
        yield from _items(value)
        if not issubclass(kind, type):
            yield from _items(_attributes(value, kind))


def _slot(kind: type, value: object, name: str) -> Any:
    try:
        return _namespace_of(kind)[name].__get__(value)
    except (KeyError, ValueError, AttributeError):  # an empty cell
        return None


def _slot_of(slot: types.MemberDescriptorType, value: object) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:  # not set
        return None


def _items(value: object) -> Iterator[object]:
    kind = type(value)
    if issubclass(kind, dict):
        yield from islice(dict.values(value), _MOST)  # type: ignore[arg-type]
    for plain in (list, tuple, set, frozenset):
        if issubclass(kind, plain):
            yield from islice(plain.__iter__(value), _MOST)  # type: ignore[arg-type]


def _attributes(value: object, kind: type) -> dict[str, Any] | None:
    """The instance's own attributes, unless its class says in code of its own what they are."""
    for owner in _order_of(kind):
        if (found := _namespace_of(owner).get("__dict__")) is not None:
            return found.__get__(value) if type(found) is types.GetSetDescriptorType else None
    return None


_names: dict[int, tuple[weakref.ref[CodeType], frozenset[str]]] = {}
"""By identity: to compare code is to compare its constants."""


def _globals_of(code: CodeType) -> frozenset[str]:
    key = id(code)
    known = _names.get(key)
    if known is not None and known[0]() is code:
        return known[1]
    names = frozenset(global_names(code) | _queried(code))
    _names[key] = weakref.ref(code, lambda _: _names.pop(key, None)), names
    return names


def _queried(code: CodeType) -> set[str]:
    """Names in the texts of a function that asks data frames: `df.query("price < @limit")`."""
    if "query" not in code.co_names and "eval" not in code.co_names:
        return set()
    return {name for text in code.co_consts if type(text) is str for name in _AT_NAME.findall(text)}
