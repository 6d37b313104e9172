"""Files that a cell seems to read, and that do not travel: pointed out, as the job would miss them."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath

from jobq_magic.capture.secretscan import is_credential_file, parsed
from jobq_magic.capture.tree import lies_in, shown

__all__ = ["unshipped"]

_READERS = ("read", "load", "open", "scan", "imread", "genfromtxt", "fromfile", "memmap", "Path", "PurePath", "parse")
"""How functions begin whose argument is a file even where it has no dot and no slash."""
_WRITERS = ("to_", "save", "write", "dump", "export", "mkdir", "touch", "unlink", "remove", "rmtree", "sink_", "imsave")
_MOST = 20
"""More notes than that nobody reads."""
_LONGEST = 255


def unshipped(
    texts: Iterable[tuple[str, str]],
    root: Path,
    shipped: Collection[str] = (),
    values: Iterable[tuple[str, object]] = (),
) -> list[str]:
    """A note for each file below `root` that a text names and that does not travel.

    Args:
        texts: whose they are (`cell`, or a name), and their source.
        root: the notebook's folder, which is the working folder.
        shipped: what travels: paths from `root`, with slashes.
        values: names and values that travel; texts and paths among them may name files too.
    """
    root = root.absolute()
    found: dict[str, tuple[str, str]] = {}
    for whose, text in texts:
        for constant in _constants(text):
            if (named := _there(constant, root)) is not None:
                found.setdefault(named, (whose, constant))
    for name, value in values:
        if isinstance(value, str | PurePath) and (named := _there(str(value), root, plain=False)) is not None:
            found.setdefault(named, (name, str(value)))
    notes = [
        _note(named, whose, constant)
        for named, (whose, constant) in sorted(found.items())
        if named not in shipped and not any(name.startswith(f"{named}/") for name in shipped)
    ]
    more = len(notes) - _MOST
    return notes if more <= 0 else [*notes[:_MOST], f"{more} more files are named in the cell and do not travel"]


def _note(named: str, whose: str, constant: str) -> str:
    who = "the cell" if whose == "cell" else whose
    if is_credential_file(PurePosixPath(named)):
        return f"{shown(named)} is named in {who} and does not travel; pass what it holds with --secret NAME"
    told = f"{shown(named)} is named in {who} and does not travel; add --files {_quoted(named)}"
    return f"{told}, and name it as {shown(named)}" if constant.startswith("/") else told


def _quoted(path: str) -> str:
    text = shown(path)
    return f'"{text}"' if " " in text and '"' not in text else text


def _there(text: str, root: Path, *, plain: bool = True) -> str | None:
    """The path from `root` of a file that exists there, or of a folder whose name says that it is one."""
    if not text or len(text) > _LONGEST or not text.isprintable() or text.isspace():
        return None
    if not plain and "." not in text and "/" not in text:
        return None
    path = os.path.normpath(os.path.join(root, text))  # noqa: PTH118  # pathlib keeps the dots
    try:
        relative = Path(path).relative_to(root).as_posix()
        status = os.stat(path)  # noqa: PTH116  # as above
    except (OSError, ValueError):
        return None
    is_file = stat.S_ISREG(status.st_mode)
    is_folder = stat.S_ISDIR(status.st_mode) and "/" in text and relative != "."
    return relative if (is_file or is_folder) and lies_in(Path(path), root) else None


def _constants(text: str) -> Iterator[str]:
    """Texts that may name a file to read, with those that are put together from constants."""
    tree = parsed(text.encode("utf-8", "replace"))
    passed: set[int] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _writes(node):
            inner = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
            passed |= {id(part) for one in inner for part in ast.walk(one) if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))  # a docstring
    bare: set[int] = set()
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Call(args=[ast.Constant() as first, *_]) if _name(node).startswith(_READERS):
                bare.add(id(first))
        match node:
            case ast.BinOp(op=ast.Div()) | ast.Call(args=[_, _, *_]) | ast.Call(func=ast.Attribute(attr="joinpath")):
                parts = _joined(node)
                if parts is not None and not passed & {id(part) for part in parts}:
                    yield "/".join(part.value for part in parts if isinstance(part.value, str))
                    passed |= {id(part) for part in parts}
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Constant(value=str(named)) if id(node) not in passed:
                if id(node) in bare or "." in named or "/" in named:
                    yield named


def _writes(node: ast.Call) -> bool:
    name = _name(node)
    if name == "open":
        modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
            modes += node.args[:1]  # Path("x").open("w")
        return any(isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wx") for mode in modes)
    return name.startswith(_WRITERS)


def _name(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _joined(node: ast.expr) -> list[ast.Constant] | None:
    """The constants of `Path("a") / "b"` and `os.path.join("a", "b")`, where it has nothing else."""
    match node:
        case ast.Constant(value=str()):
            return [node]
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            parts = [_joined(left), _joined(right)]
        case ast.Call(func=ast.Name(id="Path" | "PurePath") | ast.Attribute(attr="Path" | "join"), args=args) if args:
            parts = [_joined(arg) for arg in args]
        case ast.Call(func=ast.Attribute(attr="joinpath", value=start), args=args):
            parts = [_joined(start), *(_joined(arg) for arg in args)]
        case ast.Call(func=ast.Attribute(attr="cwd", value=ast.Name(id="Path")), args=[]):
            return []
        case _:
            return None
    return None if None in parts else [one for part in parts if part is not None for one in part]
