"""Where modules are at home: in the standard library, installed, or on this disk as local code.

Told apart by file, not by name, and without reading what distributions say about themselves.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
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

__all__ = ["edited_since_import", "file_below", "home_of", "local_portions"]

_OWN = "jobq_magic"
_STARTED = time.time()
"""Files that are older were not edited since they were imported, as far as that matters."""


def home_of(name: str) -> tuple[str, Path | None]:
    """Where a module is at home.

    Returns:
        `stdlib`, `installed` or `local`, or `unknown` where there is no such module; and the file of its top-level
        module, or the folder of its package. Of a namespace package, the folder that holds the next part of `name`.
    """
    top, _, rest = name.partition(".")
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top == "__main__":
        return "stdlib", None
    if top == _OWN:
        return "installed", None
    portions = _portions(top)
    if not portions:
        return ("installed" if top in sys.modules else "unknown"), None
    part = rest.partition(".")[0]
    holds = [portion for portion in portions if part and file_below(portion, part) is not None]
    local = [portion for portion in portions if _is_local(portion)]
    file = (holds or local or portions)[0]
    return ("local" if _is_local(file) else "installed"), file


def local_portions(top: str) -> list[Path]:
    """The file of a local module, the folder of a local package, the local ones of a namespace package's folders."""
    return [portion for portion in _portions(top) if _is_local(portion)]


def file_below(folder: Path, dotted: str) -> Path | None:
    """The file of a sub-module below its package's folder; of a sub-package, that of its `__init__`, or its folder."""
    path = folder.joinpath(*dotted.split("."))
    for base in (path / "__init__", path):
        for suffix in importlib.machinery.all_suffixes():
            if suffix != ".pyc" and (file := base.with_name(base.name + suffix)).is_file():
                return file
    return path if path.is_dir() else None


def _is_local(file: Path) -> bool:
    # What lies in an archive has no file of its own.
    return not _is_installed(str(file)) and file.exists()


def _portions(top: str) -> list[Path]:
    module = sys.modules.get(top)
    if isinstance(module, ModuleType):
        if (file := getattr(module, "__file__", None)) is not None:
            return [_package(Path(file))]
        return _folders(getattr(module, "__path__", ()))
    spec = None
    # What an editable installation adds has a finder of its own.
    for find in (importlib.machinery.PathFinder.find_spec, importlib.util.find_spec):
        try:
            spec = spec or find(top)
        except (ImportError, ValueError, OSError, AttributeError):
            continue
    if spec is None:
        return []
    if spec.origin is not None and spec.has_location:
        return [_package(Path(spec.origin))]
    return _folders(spec.submodule_search_locations or ())


def _folders(paths: object) -> list[Path]:
    folders: Iterator[object] = iter(paths) if hasattr(paths, "__iter__") else iter(())
    return [Path(folder).absolute() for folder in dict.fromkeys(folders) if isinstance(folder, str)]


def _package(file: Path) -> Path:
    file = file.absolute()
    return file.parent if file.name.partition(".")[0] == "__init__" else file


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
