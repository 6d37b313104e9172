"""Where a live definition differs from what executing its source now would make: defaults, and attributes set later."""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from jobq_magic.capture.written import Definition

__all__ = ["drifted", "other_bases"]

_SIMPLE = (
    dict,
    list,
    set,
    tuple,
    frozenset,
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    collections.Counter,
    collections.OrderedDict,
    collections.defaultdict,
    collections.deque,
)
_DATA = {
    "array": ("array",),
    "builtins": ("bytearray",),
    "datetime": ("date", "datetime", "time", "timedelta"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "numpy": ("ndarray", "Generator", "RandomState"),
    "pandas": ("DataFrame", "Series"),
    "random": ("Random",),
    "types": ("SimpleNamespace",),
    "uuid": ("UUID",),
}
"""Classes of data by library and name: what is not there is not imported for this."""
_BUILTIN = {"property": "fget", "staticmethod": "__func__", "classmethod": "__func__"}
_PYTHONS = frozenset({"builtins", "typing", "abc"})
_GIVEN = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "__qualname__",
        "__annotations__",
        "__annotate_func__",
        "__annotations_cache__",
        "__static_attributes__",
        "__firstlineno__",
        "__abstractmethods__",
        "_abc_impl",
        "__parameters__",
        "__orig_bases__",
        "__match_args__",
        "__hash__",
        "__slots__",
        "__type_params__",
    ]
)


def drifted(
    definition: Definition, value: object, namespace: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Attributes to set on a definition after its source was executed, as (path, attributes).

    Only where it is certain what the source alone makes: metaclasses do as they like. What decorators made is set by
    the attributes that hold plain data.
    """
    statement = _statement(definition)
    if definition.decorated:
        attributes = _state(value, statement, namespace)
        if isinstance(statement, ast.ClassDef) and dataclasses.is_dataclass(value) and isinstance(value, type):
            attributes |= _replaced(statement, value, definition.name)
        if attributes:
            yield definition.name, attributes
        return
    if isinstance(value, FunctionType) and isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        if attributes := {
            **_told(statement, value),
            **_defaults(statement.args, value, namespace),
            **value.__dict__,
        }:
            yield definition.name, attributes
    elif isinstance(value, FunctionType) and isinstance(statement, ast.Assign | ast.AnnAssign):
        if isinstance(statement.value, ast.Lambda) and (
            attributes := {**_defaults(statement.value.args, value, namespace), **value.__dict__}
        ):
            yield definition.name, attributes
    elif type(value) is type and isinstance(statement, ast.ClassDef):
        yield from _class(statement, value, definition.name, namespace)


def other_bases(definition: Definition, value: object, namespace: Mapping[str, Any]) -> bool:
    """Whether the class would get other bases now: one of their names holds another class since."""
    if not isinstance(value, type) or definition.kind != "class":
        return False
    statement = _statement(definition)
    bases = statement.bases if isinstance(statement, ast.ClassDef) else []
    held = [namespace.get(base.id) for base in bases if isinstance(base, ast.Name)]
    return any(isinstance(base, type) and base not in value.__mro__ for base in held)


def _state(value: object, statement: ast.stmt, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data in the attributes of what a decorator returned: counters, caches, settings."""
    if not (isinstance(value, FunctionType) or type(value) is type or type(value).__module__ == "__main__"):
        return {}
    written = _assigned(statement) if isinstance(statement, ast.ClassDef) else {}
    return {
        name: held
        for name, held in getattr(value, "__dict__", {}).items()
        if type(held) in _SIMPLE
        and not (name.startswith("__") and name.endswith("__"))
        and not (name in written and _makes(written[name], held, namespace))
    }


def _assigned(statement: ast.ClassDef) -> dict[str, ast.expr]:
    return {
        target.id: inner.value
        for inner in statement.body
        if isinstance(inner, ast.Assign | ast.AnnAssign) and inner.value is not None
        for target in (inner.targets if isinstance(inner, ast.Assign) else [inner.target])
        if isinstance(target, ast.Name)
    }


def _told(statement: ast.FunctionDef | ast.AsyncFunctionDef, function: FunctionType) -> dict[str, Any]:
    """What a function says of itself, where that was set after its definition."""
    arguments = statement.args
    everyone = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    annotated = {one.arg for one in everyone if one is not None and one.annotation is not None}
    annotated |= {"return"} if statement.returns is not None else set()
    set_later: dict[str, Any] = {}
    if function.__name__ != statement.name:
        set_later["__name__"] = function.__name__
    if function.__doc__ != ast.get_docstring(statement, clean=False) and not _cleaned(function, statement):
        set_later["__doc__"] = function.__doc__
    if function.__annotations__.keys() != annotated:
        set_later["__annotations__"] = function.__annotations__
    return set_later


def _cleaned(function: FunctionType, statement: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the text is the written one without its indent, as newer Pythons keep it."""
    return inspect.cleandoc(function.__doc__ or "") == ast.get_docstring(statement)


def _class(
    statement: ast.ClassDef, kind: type, path: str, namespace: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    methods = {
        inner.name: inner for inner in statement.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    classes = {inner.name: inner for inner in statement.body if isinstance(inner, ast.ClassDef)}
    written = {
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assigned = _assigned(statement)
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Import | ast.ImportFrom)
        for alias in inner.names
    }
    # Bases may write into the classes below them.
    plain = not any("__init_subclass__" in vars(base) for base in kind.__mro__[1:] if base.__module__ not in _PYTHONS)
    plain = plain and not hasattr(kind, "_fields")
    replaced = _replaced(statement, kind, path)
    if not plain:  # what bases wrap they wrap again: only what is called otherwise was put there by hand
        replaced = {name: value for name, value in replaced.items() if not _is_called(value, f"{path}.{name}")}
    attributes = {**replaced}
    for name, value in vars(kind).items():
        if name in _GIVEN or name in imported:
            continue
        if name in methods:
            if name in replaced or not isinstance(value, FunctionType) or methods[name].decorator_list:
                continue
            elif changed := _defaults(methods[name].args, value, namespace):
                yield f"{path}.{name}", changed
        elif name in classes:
            if type(value) is type and not classes[name].decorator_list:
                yield from _class(classes[name], value, f"{path}.{name}", namespace)
        elif name in assigned:
            if (type(value) in _SIMPLE or _is_state(value) or _is_data(value)) and not _makes(
                assigned[name], value, namespace
            ):
                attributes[name] = value
        elif name not in written and plain and not name.startswith("__"):
            attributes[name] = value
    if attributes:
        yield path, attributes


def _replaced(statement: ast.ClassDef, kind: type, path: str) -> dict[str, Any]:
    """The methods that another function was put in place of, be it one that wraps them."""
    found: dict[str, Any] = {}
    for method in statement.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name in vars(kind):
            value = vars(kind)[method.name]
            inside = getattr(value, _BUILTIN.get(type(value).__name__, ""), value)
            # What other decorators put around a method has a name of theirs.
            plain = all(isinstance(each, ast.Name) and each.id in _BUILTIN for each in method.decorator_list)
            if plain and isinstance(inside, FunctionType) and inside.__code__.co_qualname != f"{path}.{method.name}":
                found[method.name] = value
    return found


def _is_called(value: object, qualified: str) -> bool:
    inside = getattr(value, _BUILTIN.get(type(value).__name__, ""), value)
    return getattr(inside, "__qualname__", "") == qualified


def _is_data(value: object) -> bool:
    return type(value).__name__ in _DATA.get(type(value).__module__.partition(".")[0], ())


def _is_state(value: object) -> bool:
    """Whether it is an instance of a class of the notebook that cells may have changed, and no part of the class."""
    kind = type(value)
    return (
        kind.__module__ == "__main__"
        and not isinstance(value, type)
        and not any(hasattr(kind, name) for name in ("__get__", "__set__", "__set_name__"))
    )


def _defaults(arguments: ast.arguments, function: FunctionType, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The function's own defaults, where evaluating them again might give others."""
    changed: dict[str, Any] = {}
    held = function.__defaults__ or ()
    if len(held) != len(arguments.defaults) or not all(
        _makes(node, value, namespace) for node, value in zip(arguments.defaults, held, strict=True)
    ):
        changed["__defaults__"] = function.__defaults__
    given = {
        argument.arg: default
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    by_name = function.__kwdefaults__ or {}
    if given.keys() != by_name.keys() or not all(_makes(given[name], by_name[name], namespace) for name in given):
        changed["__kwdefaults__"] = function.__kwdefaults__
    return changed


def _makes(node: ast.expr, value: object, namespace: Mapping[str, Any]) -> bool:
    """Whether evaluating `node` again would give what is held now, as far as can be told without doing so."""
    if isinstance(node, ast.Name | ast.Attribute):
        return _looked_up(node, namespace) is value
    if type(value) not in _SIMPLE:
        # What a call made is made by it once more, unless it is data: that may have changed, or come out otherwise.
        return not (_is_state(value) or _is_data(value))
    try:
        written = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    if type(written) is not type(value):
        return False
    # The order of a set is no matter of its content; of anything else, what is shown tells 1 from True and from 1.0.
    return written == value if isinstance(value, set | frozenset) else repr(written) == repr(value)


def _looked_up(node: ast.expr, namespace: Mapping[str, Any]) -> object:
    if isinstance(node, ast.Name):
        return namespace.get(node.id, getattr(builtins, node.id, namespace))
    if isinstance(node, ast.Attribute):
        owner = _looked_up(node.value, namespace)
        if isinstance(owner, ModuleType | type):
            return getattr(owner, node.attr, namespace)
    return namespace  # nothing is this


@lru_cache(maxsize=1024)
def _statement(definition: Definition) -> ast.stmt:
    statement = ast.parse(definition.text).body[0]
    return statement.body[0] if isinstance(statement, ast.If) else statement
