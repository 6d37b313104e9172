"""Warming: what the first cell that goes to a place would wait for is loaded before, while its author still writes.

Only where the user's own settings name such a place. It begins in a thread, so that `%load_ext` costs nothing.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["begin", "named"]

_NAMES = ("JOBQ_MODE", "JOBQ_FORCE_MODE", "JOBQ_PROFILE", "JOBQ_FORCE_PROFILE")
_MODE = re.compile(rb"""^\s*mode\s*=\s*["'](?!local["'])""", re.MULTILINE)
_LARGEST = 1 << 20


def begin(settings: Mapping[str, Any]) -> threading.Thread:
    """Warms the place that cells go to by themselves, if there is one; returns the thread that does.

    Args:
        settings: what %config says.
    """
    thread = threading.Thread(target=_warm, args=(dict(settings),), name="jobq-warming", daemon=True)
    thread.start()
    return thread


def named(settings: Mapping[str, Any], cwd: Path, environ: Mapping[str, str]) -> bool:
    """Whether any setting seems to name a place. Cheap: only then is it worth while to read them as they are to be."""
    if any(environ.get(name) for name in _NAMES) or settings.get("mode") or settings.get("profile"):
        return True
    return any(_names(path) for path in _files(cwd, environ))


def _files(cwd: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where settings may be; without the library that knows it for certain, which takes its time to load."""
    if told := environ.get("JOBQ_CONFIG"):
        yield Path(told)
    elif home := environ.get("HOME"):
        folders = (environ.get("XDG_CONFIG_HOME") or f"{home}/.config", f"{home}/Library/Application Support")
        yield from (Path(folder, "jobq", "config.toml") for folder in folders)
    yield from (folder / "pyproject.toml" for folder in (cwd, *cwd.parents))


def _names(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MODE.search(file.read(_LARGEST)) is not None
    except OSError:
        return False


def _warm(settings: Mapping[str, Any]) -> None:
    try:
        if not named(settings, Path.cwd(), os.environ):
            return
        from jobq_magic import plugins
        from jobq_magic.config import resolve
        from jobq_magic.protocols import Locates, Warms

        import_module("jobq_magic.notebook.session")
        asked = resolve({}, magics=settings, cwd=Path.cwd(), environ=os.environ, interactive=True, submits=False)
        backend = plugins.backend(asked.target["backend"])
        if isinstance(backend, Warms):
            backend.warm(backend.locate(asked.target) if isinstance(backend, Locates) else asked.target)
    except Exception:  # noqa: BLE001 - the first cell will meet it, and say it to somebody who reads
        return
