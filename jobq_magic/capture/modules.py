"""Modules: the standard library's, installed ones, and local code, which is copied into the bundle.

Told apart by file, not by name, and without reading what distributions say about themselves.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from jobq_magic.capture.samecode import still_makes
from jobq_magic.capture.secretscan import secret_in_text
from jobq_magic.errors import CaptureError

__all__ = ["LocalCode", "home_of"]

_LARGEST_FILE = 10 << 20
_MOST_FILES = 5_000
_LARGEST_TREE = 200 << 20
_LARGEST_SCANNED = 1 << 20
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_PRIVATE_NAMES = frozenset({"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "kubeconfig", "credentials.json"})
_PRIVATE_SUFFIXES = (".pem", ".key", ".p12", ".pfx", ".pyc", ".pyo")
_OWN = "jobq_magic"
_STARTED = time.time()
"""Files that are older were not edited since they were imported, as far as that matters."""


def home_of(name: str) -> tuple[str, Path | None]:
    """Where the top-level module of `name` is at home.

    Returns:
        `stdlib`, `installed` or `local`, or `unknown` where there is no such module; and for local code its file, or
        the folder of its package.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top == "__main__":
        return "stdlib", None
    if top == _OWN:
        return "installed", None
    file = _file_of(top)
    if file is None:
        return ("installed" if top in sys.modules else "unknown"), None
    # What lies in an archive has no file of its own.
    return ("installed" if _is_installed(str(file)) or not file.exists() else "local"), file


def _file_of(top: str) -> Path | None:
    module = sys.modules.get(top)
    if isinstance(module, ModuleType):
        if (file := getattr(module, "__file__", None)) is not None:
            return _package(Path(file))
        if folders := list(getattr(module, "__path__", ())):
            return Path(folders[0])
        return None
    try:
        spec = importlib.machinery.PathFinder.find_spec(top)
    except (ImportError, ValueError, OSError):
        return None
    if spec is None:
        return None
    if spec.origin is not None and spec.has_location:
        return _package(Path(spec.origin))
    return Path(next(iter(spec.submodule_search_locations))) if spec.submodule_search_locations else None


def _package(file: Path) -> Path:
    file = file.absolute()
    return file.parent if file.stem == "__init__" else file


@lru_cache(maxsize=4096)
def _is_installed(path: str) -> bool:
    parts = Path(path).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return any(path.startswith(folder + os.sep) for folder in _installed_folders())


@lru_cache(maxsize=1)
def _installed_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {site.getusersitepackages(), *site.getsitepackages()}
    return tuple(sorted(str(Path(folder).absolute()) for folder in folders))


class LocalCode:
    """Copies local modules, and the local modules that they import, into a tree that goes on `sys.path`.

    Args:
        folder: the root of the tree.
        insisted: names whose look of a secret is meant.
        here: the job sees this machine's files, so that what need not be copied can be imported from where it lies.
    """

    def __init__(self, folder: Path, insisted: frozenset[str] = frozenset(), *, here: bool = False) -> None:
        self._folder = folder
        self._insisted = insisted
        self._here = here
        self._known: dict[str, str] = {}
        self._size = 0
        self.files: list[tuple[str, str]] = []
        self.shipped: dict[str, tuple[str, int]] = {}
        """Of each module copied: who needs it, and its size."""
        self.seen: set[str] = set()
        """All top-level modules that were asked for, and that local code imports."""
        self.notes: list[str] = []

    def need(self, name: str, why: str) -> str:
        """Sees to it that a module can be imported where the job runs; where it is at home."""
        top = name.partition(".")[0]
        if (known := self._known.get(top)) is not None:
            return known
        home, path = home_of(top)
        self._known[top] = home
        self.seen.add(top)
        if home == "local" and path is not None and not self._stays(top, path):
            before, imported = self._size, set()
            for file in self._tree(path) if path.is_dir() else [path]:
                imported |= self._copy(file, Path(top) / file.relative_to(path) if path.is_dir() else Path(path.name))
            self.shipped[top] = (why, self._size - before)
            if (edited := edited_since_import(top)) is not None:
                self.notes.append(f"{edited} was edited after it was imported here; the job runs it as it is now")
            for other in sorted(imported):
                self.need(other, f"{why} → {top}")
        return home

    def _stays(self, top: str, path: Path) -> bool:
        """Whether a module is imported from where it lies, because it looks for files there, or is too large."""
        if path.is_dir():
            files = list(self._tree(path))
            large = len(files) > _MOST_FILES or sum(file.stat().st_size for file in files) > _LARGEST_TREE
            if large and not self._here:
                raise CaptureError(
                    "too-large",
                    f"the local code of {top} is too large to travel",
                    why=f"More than {_MOST_FILES} files or 200 MiB lie in its folder",
                    do="Install it as a package, or move its data elsewhere",
                )
            if large:
                self.notes.append(f"{top} is large, and was left where it is: the job sees later changes to it")
            return large
        if path.suffix != ".py" or b"__file__" not in path.read_bytes():
            return False
        if not self._here:
            self.notes.append(f"{top} may look for files beside itself, which do not travel; add them with --files")
        return self._here

    def _tree(self, root: Path) -> Iterator[Path]:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
            for name in sorted(files):
                if name.startswith(".") or name in _PRIVATE_NAMES or name.endswith(_PRIVATE_SUFFIXES):
                    continue
                path = Path(folder, name)
                if path.stat().st_size <= _LARGEST_FILE:
                    yield path
                else:
                    self.notes.append(f"{path.relative_to(root.parent)} did not travel: it is larger than 10 MiB")

    def _copy(self, source: Path, relative: Path) -> set[str]:
        """Copies one file; the top-level modules that it imports."""
        try:
            data = source.read_bytes()
        except OSError as error:
            raise CaptureError("cannot-travel", f"{source} cannot be read: {error.strerror}") from error
        self._size += len(data)
        found = secret_in_text(data.decode("utf-8", "replace")) if len(data) <= _LARGEST_SCANNED else None
        if found is not None and relative.parts[0].removesuffix(".py") not in self._insisted:
            top = relative.parts[0].removesuffix(".py")
            raise CaptureError(
                "secret-in-value",
                f"{source.name}, which travels with {top}, holds {found}",
                do=f"Take it out of the file and pass it with --secret NAME, or insist with --include {top}",
            )
        target = self._folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.files.append((relative.as_posix(), hashlib.sha256(data).hexdigest()))
        return set(_imports(data)) if source.suffix == ".py" else set()


def edited_since_import(top: str) -> str | None:
    """The name of a loaded file of a module whose text makes other functions now than the loaded ones."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) if name == top or name.startswith(f"{top}.") else None
        if file is None or not file.endswith(".py"):
            continue
        try:
            path = Path(file)
            if path.stat().st_mtime > _STARTED and not still_makes(path.read_text(encoding="utf-8"), module):
                return path.name
        except (OSError, ValueError):
            continue
    return None


@lru_cache(maxsize=512)
def _imports(data: bytes) -> frozenset[str]:
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return frozenset(found)
