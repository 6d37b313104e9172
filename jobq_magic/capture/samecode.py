"""Is this object what that text makes? Told by comparing code, for definitions whose execution nobody watched."""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from jobq_magic.capture.bytecode import FUTURES
from jobq_magic.capture.inside import attributes_of

__all__ = ["matches", "same_code", "still_makes"]

_INNER = ("__wrapped__", "__func__", "func", "fget", "py_func", "_function")


def matches(text: str, flags: int, name: str, value: object, *, around: bool = False) -> bool:
    """Whether executing `text` would make an object like `value`; `around`: or one that a decorator put around such."""
    module = _code(text, flags)
    if module is None:
        return False
    codes = list(_nested(module))
    if isinstance(value, type):
        body = next((code for code in codes if code.co_name == name and not code.co_flags & inspect.CO_OPTIMIZED), None)
        if body is None:
            return "class " not in text and value.__name__ == name
        inner = [code for code in _nested(body) if code.co_flags & inspect.CO_OPTIMIZED]
        # What the body does not bind was generated, or set later.
        return all(
            any(same_code(function.__code__, code) for function in functions for code in inner)
            for attribute, functions in _methods(value)
            if attribute in body.co_names
        )
    functions = list(_functions(value))
    if around:
        functions += [inner for function in functions[:1] for inner in _enclosed(function)]
    if functions:
        named = [code for code in codes if code.co_name in (name, "<lambda>")]
        if not codes and not isinstance(value, FunctionType):
            return True  # `fast = lru_cache(slow)`: no code of its own; the newest such statement counts
        return any(same_code(function.__code__, code) for function in functions for code in named)
    return type(value).__name__ in ("TypeVar", "ParamSpec", "NewType", "TypeVarTuple", "TypeAliasType")


def still_makes(text: str, module: ModuleType) -> bool:
    """Whether a file's text still has the code of every function and method that a module made from it has."""
    code = _code(text, 0)
    if code is None:
        return False
    codes = list(_nested(code))
    functions = [
        function
        for value in vars(module).values()
        for function in ([one for _, own in _methods(value) for one in own] if isinstance(value, type) else [value])
        if isinstance(function, FunctionType) and function.__module__ == module.__name__
    ]
    return all(
        any(same_code(function.__code__, one) for one in codes)
        for function in functions
        if function.__code__.co_filename == module.__file__
    )


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same; where their lines are does not matter."""
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and one.co_argcount == other.co_argcount
        and one.co_kwonlyargcount == other.co_kwonlyargcount
        and one.co_posonlyargcount == other.co_posonlyargcount
        and one.co_flags | FUTURES == other.co_flags | FUTURES
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_same_constant, one.co_consts, other.co_consts))
    )


def _same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return same_code(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, float | complex):
        return repr(one) == repr(other)
    return bool(one == other)


@lru_cache(maxsize=512)
def _code(text: str, flags: int) -> CodeType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(  # type: ignore[no-any-return]
                text, "<cell>", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
            )
        except (SyntaxError, ValueError):
            return None


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _functions(value: object, depth: int = 4) -> Iterator[FunctionType]:
    """The functions in `value`, outermost first, through what decorators put around them."""
    if isinstance(value, FunctionType):
        yield value
    own = attributes_of(value)
    for key in _INNER if depth else ():
        inner = own.get(key)
        if inner is None and isinstance(value, staticmethod | classmethod | property):
            inner = getattr(value, key, None)
        if inner is not None:
            yield from _functions(inner, depth - 1)


def _enclosed(function: FunctionType, depth: int = 3) -> Iterator[FunctionType]:
    """The functions in the closure of what a decorator made."""
    for cell in function.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # not bound yet
            continue
        if isinstance(held, FunctionType) and depth:
            yield held
            yield from _enclosed(held, depth - 1)


def _methods(kind: type) -> Iterator[tuple[str, list[FunctionType]]]:
    for attribute, value in vars(kind).items():
        own = [function for function in _functions(value) if function.__qualname__.startswith(f"{kind.__qualname__}.")]
        if own and own[0].__module__ == kind.__module__:
            yield attribute, own
