"""What looks like a credential must not travel by accident: bundles are kept, and images are read by many."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from types import FunctionType, MemberDescriptorType
from typing import Any

from jobq_magic.capture.inside import attributes_of, items_of
from jobq_magic.errors import CaptureError
from jobq_magic.secretforms import (
    client_with_credentials,
    is_credential_file,
    is_secret_name,
    looks_random,
    secret_in_text,
)

__all__ = [
    "defaults",
    "is_credential_file",
    "parsed",
    "refuse_secrets",
    "secret_in_file",
    "secret_in_source",
    "secret_in_text",
    "secret_in_value",
]

_WORD = re.compile(r"[A-Za-z_]\w*")
_SETTING = re.compile(r"(?:export\s+)?([A-Za-z_][\w.-]*)=[\"']?([^\s\"']+)[\"']?\Z")
_SETTERS = frozenset({"setdefault", "setenv", "putenv", "setitem", "set", "set_option", "add_header", "set_header"})
_SETTINGS = frozenset({".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties"})
_LINE = re.compile(
    r"""(?:^[ \t]*(?:-[ \t]+|export[ \t]+)?|[{,]\s*)["']?([A-Za-z_][\w.-]*)["']?[ \t]*[:=][ \t]*["']?([^\s"',#}]+)""",
    re.MULTILINE,
)
_WRAPPERS = {"SecretStr": "_secret_value", "SecretBytes": "_secret_value", "Secret": "_value"}
"""Classes whose instances hide what they hold, and where they hold it: those of pydantic and starlette."""
_PLAIN = frozenset({dict, list, set, tuple, frozenset})
_SCALARS = frozenset({str, bytes, bytearray, int, float, complex, bool, type(None)})
_MOST = 2_000
_LONGEST = 1 << 20
_DEEPEST = 8
_ENVIRONMENT = "the environment of this process"
_CLIENT = "a client with credentials"


def refuse_secrets(name: str, value: object, why: str) -> None:
    """Refuses a value that holds what looks like a credential.

    Raises:
        CaptureError: `secret-in-value`.
    """
    if (found := secret_in_value(name, value)) is None:
        return
    path, kind = found
    name = name.partition(".")[0]  # what holds it is what can be named
    do = f"Read it from os.environ in the cell and pass it with --secret NAME, or insist with --include {name}"
    if kind == _ENVIRONMENT:
        do = f"Read os.environ in the cell, and pass what it needs with --env NAME or --secret NAME; leave {name} out"
    elif kind.startswith(_CLIENT):
        do = (
            f"Make it inside the cell, or let the job make it anew with --remake {name}, and pass what it needs with "
            f"--secret NAME; or insist with --include {name}"
        )
    raise CaptureError("secret-in-value", f"{path} looks like {kind}; used by: {why}", do=do)


def secret_in_value(name: str, value: object) -> tuple[str, str] | None:
    """Where in `value` a credential is, as a path, and what kind it seems to be."""
    clients: dict[type, str | None] = {}
    for path, last, inner in _walk(name, value):
        kind = type(inner)
        if kind not in clients:
            clients[kind] = client_with_credentials(kind)
        if kind.__name__ in _WRAPPERS and _held(inner, _WRAPPERS[kind.__name__]) not in ("", b""):
            return path, "a secret"
        if (client := clients[kind]) is not None:
            return path, f"{_CLIENT} ({client})"
        if kind is type(os.environ) or (issubclass(kind, dict) and _is_environment(dict(dict.items(inner)))):
            return path, _ENVIRONMENT
        text = _plain_text(inner)
        if text:
            if (form := secret_in_text(text)) is not None:
                return path, form
            if is_secret_name(last) and looks_random(last, text):
                return path, "a secret"
    return None


def secret_in_source(text: str, insisted: frozenset[str] = frozenset()) -> tuple[int, str] | None:
    """The line of a source text on which a credential stands, and its kind; but for lines that name what is meant."""
    if secret_in_text(text) is not None:
        for at, line in enumerate(text.splitlines(), 1):
            if (kind := secret_in_text(line)) is not None and not insisted & set(_WORD.findall(line)):
                return at, kind
    if not is_secret_name(text):
        return None
    for node in ast.walk(ast.parse(text)):
        for name, value in _named_constants(node):
            if name not in insisted and is_secret_name(name) and looks_random(name, value):
                return getattr(node, "lineno", 1), f"a secret ({name})"
    return None


def secret_in_file(name: str, data: bytes, insisted: frozenset[str] = frozenset()) -> tuple[int, str] | None:
    """The line of a file of code or settings on which a credential stands, and its kind."""
    text = data[:_LONGEST].decode("utf-8", "replace")
    if (kind := secret_in_text(text)) is not None:
        return next((at for at, line in enumerate(text.splitlines(), 1) if secret_in_text(line)), 1), kind
    if not is_secret_name(text):
        return None
    suffix = "." + name.rpartition(".")[2].lower()
    found: Iterator[tuple[int, str, str]] = iter(())
    if suffix == ".py":
        tree = parsed(data)
        nodes = ast.walk(tree) if tree is not None else ()
        found = ((getattr(node, "lineno", 1), *pair) for node in nodes for pair in _named_constants(node))
    elif suffix in _SETTINGS:
        found = ((text.count("\n", 0, match.start(1)) + 1, match[1], match[2]) for match in _LINE.finditer(text))
    for at, what, held in found:
        if what not in insisted and is_secret_name(what) and looks_random(what, held, strict=True):
            return at, f"a secret ({what})"
    return None


def parsed(data: bytes) -> ast.Module | None:
    """The tree of a file of Python, without what the compiler has to say about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _named_constants(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Texts in a piece of source, with the names that they are given."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _assigned(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _assigned(target, value)
        case ast.NamedExpr(target=target, value=value):
            yield from _assigned(target, value)
        case ast.keyword(arg=str(name), value=ast.Constant(value=str() | bytes() as held)):
            yield name, _text(held)
        case ast.Dict(keys=keys, values=values):
            for key, inner in zip(keys, values, strict=True):
                match key, inner:
                    case ast.Constant(value=str(name)), ast.Constant(value=str() | bytes() as held):
                        yield name, _text(held)
        case ast.arguments():
            positional = [*node.posonlyargs, *node.args]
            pairs = [*zip(reversed(positional), reversed(node.defaults), strict=False)]
            pairs += [(arg, default) for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True) if default]
            for arg, default in pairs:
                if isinstance(default, ast.Constant) and isinstance(default.value, str | bytes):
                    yield arg.arg, _text(default.value)
        case ast.Call(
            func=ast.Attribute(attr=method), args=[ast.Constant(value=str(name)), ast.Constant(value=str(value)), *_]
        ) if method in _SETTERS:
            yield name, value  # os.environ.setdefault("API_KEY", "..."), monkeypatch.setenv(...)
        case ast.Constant(value=str(value)) if (setting := _SETTING.match(value)) is not None:
            yield setting[1], setting[2]  # %env API_KEY=...


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    match target, value:
        case ast.Tuple(elts=targets) | ast.List(elts=targets), ast.Tuple(elts=values) | ast.List(elts=values):
            for one, held in zip(targets, values, strict=False):
                yield from _assigned(one, held)
        case (
            ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))),
            ast.Constant(value=str() | bytes() as text),
        ):
            yield name, _text(text)


def _text(held: str | bytes) -> str:
    return held.decode("latin-1") if isinstance(held, bytes) else held


def _walk(name: str, value: object) -> Iterator[tuple[str, str, Any]]:
    """Texts in plain containers and in instances' attributes, as (path, last name, value); bounded."""
    queue: list[tuple[str, str, Any, int]] = [(name, name, value, 0)]
    seen: set[int] = set()
    while queue and len(seen) < _MOST:
        path, last, inner, depth = queue.pop()
        yield path, last, inner
        kind = type(inner)
        if kind in _SCALARS or id(inner) in seen or depth > _DEEPEST:
            continue
        seen.add(id(inner))
        pairs: list[tuple[str, str, Any]] = []
        if issubclass(kind, tuple) and isinstance(fields := kind.__dict__.get("_fields"), tuple):
            pairs = [(f"{path}.{key}", str(key), part) for key, part in zip(fields, inner, strict=False)]
        elif last == "auth" and kind is tuple and len(inner) == 2:
            pairs = [(f"{path}[1]", "password", inner[1])]  # as requests has it
        elif kind is tuple and len(inner) == 2 and type(key := inner[0]) is str and is_secret_name(key):
            pairs = [(f"{path}[0]", last, key), (f"{path}[1]", key, inner[1])]  # an item of a dict or of a form
        elif (items := items_of(inner, _MOST)) is not None:
            pairs = [(path + step, key if key is not None else last, part) for step, key, part in items]
        if kind not in _PLAIN:
            own = chain(islice(_own(inner), _MOST), _built_in(inner))
            pairs += [(f"{path}.{key}", str(key), part) for key, part in own]
        queue += [(*pair, depth + 1) for pair in reversed(pairs)]


def _own(value: object) -> Iterator[tuple[str, Any]]:
    """Attributes and slots, without executing code of the object's."""
    yield from attributes_of(value).items()
    if issubclass(type(value), type):
        return
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else tuple(slots):
            member = kind.__dict__.get(slot) if isinstance(slot, str) else None
            if isinstance(member, MemberDescriptorType):
                try:
                    yield slot, member.__get__(value)
                except AttributeError:
                    continue


def _built_in(value: Any) -> Iterator[tuple[str, Any]]:
    """What the interpreter keeps of a function of the notebook, of a partial and of an exception, by its names."""
    kind = type(value)
    if kind is FunctionType and value.__module__ == "__main__":
        yield from defaults(value)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # nothing is bound yet
                continue
    elif issubclass(kind, partial):
        yield from ((name, vars(partial)[name].__get__(value)) for name in ("args", "keywords"))
    elif issubclass(kind, BaseException):
        yield "args", vars(BaseException)["args"].__get__(value)


def defaults(function: object) -> Iterator[tuple[str, Any]]:
    """The defaults of a function, with the names of its parameters; of anything else none."""
    if type(function) is not FunctionType:
        return
    code, held = function.__code__, function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    yield from zip(positional[len(positional) - len(held) :], held, strict=False)
    yield from (function.__kwdefaults__ or {}).items()


def _plain_text(value: Any) -> str | None:
    """A text, or bytes as one; its beginning."""
    kind = type(value)  # `isinstance` would ask the object itself, which may be anything
    if issubclass(kind, str):
        return str.__getitem__(value, slice(_LONGEST))
    if issubclass(kind, bytes):
        return bytes(bytes.__getitem__(value, slice(_LONGEST))).decode("latin-1")
    if kind is bytearray:
        return bytes(value[:_LONGEST]).decode("latin-1")
    return None


def _held(value: object, attribute: str) -> object:
    return dict(_own(value)).get(attribute)


def _is_environment(value: dict[object, object]) -> bool:
    """Whether a dict is a copy of the environment, or nearly so."""
    if len(value) < 5 or "PATH" not in value:
        return False
    same = sum(type(mine := value.get(name)) is str and mine == held for name, held in os.environ.items())
    return same >= 5 and same * 4 >= len(os.environ) * 3
