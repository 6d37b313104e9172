"""What a file of Python imports, as full names; read, never executed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator

from jobq_magic.capture.secretscan import parsed

__all__ = ["imports_of"]

_MOST = 4_000
_known: dict[bytes, tuple[tuple[int, str, tuple[str, ...]], ...]] = {}
"""By the digest of a text: level, module and names of each import."""


def imports_of(data: bytes, package: str) -> frozenset[str]:
    """The modules that a file imports anywhere in it; a name imported from one may be a sub-module, and is named too.

    Args:
        data: the file.
        package: which package the file is a part of, for relative imports; "" for a top-level module.
    """
    key = hashlib.sha256(data).digest()
    if key not in _known:
        if len(_known) >= _MOST:
            _known.clear()
        tree = parsed(data)
        _known[key] = tuple(_imports(tree)) if tree is not None else ()
    found: set[str] = set()
    for level, module, names in _known[key]:
        above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
        if level and not (above and all(above)):
            continue  # relative to nothing
        base = ".".join([*above, *([module] if module else [])])
        if base:
            found.add(base)
            found.update(f"{base}.{name}" for name in names)
    return frozenset(found)


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield 0, alias.name, ()
            case ast.ImportFrom(module=module, level=level):
                yield level, module or "", tuple(alias.name for alias in node.names if alias.name != "*")
            case ast.Call(
                func=ast.Attribute(attr="import_module", value=ast.Name(id="importlib")) | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ) if module and not module.startswith("."):
                yield 0, module, ()
