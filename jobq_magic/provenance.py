"""Where an image comes from, as its annotations: commit, changes, notebook, cell, user. For people, and told by git.

Nothing here is needed, so nothing here fails: what git does not say in time is left out. No name of a host, no whole
path and no credential is among it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["provenance"]

_LIMIT = 1.0
"""Seconds for all that git is asked."""
_LARGEST = 64 << 20
"""Bytes of changes that are looked at."""
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
_QUIETLY = ("-c", "core.fsmonitor=false", "-c", "core.quotepath=false", "-c", "diff.external=")
_REVISION = "org.opencontainers.image.revision"
_SOURCE = "org.opencontainers.image.source"


def provenance(cwd: Path, notebook: str = "", cell: str = "") -> Mapping[str, str]:
    """What is known of where the image of a cell comes from.

    Args:
        cwd: the folder that the cell runs in.
        notebook: the notebook's path, from `cwd` or whole; "" where it is not known.
        cell: the cell's id, which stays the same however often it is executed.
    """
    try:
        return {name: text for name, text in _told(cwd, notebook, cell).items() if text}
    except Exception:  # noqa: BLE001 - a word about an image is worth no failure
        return {}


def _told(cwd: Path, notebook: str, cell: str) -> dict[str, str]:
    until = time.monotonic() + _LIMIT
    path = Path(os.path.normpath(cwd / notebook)) if notebook else None
    told = {"jobq.notebook": path.name if path else "", "jobq.cell": cell, "jobq.user": _login()}
    # All at once: each of them takes longer to start than to answer.
    asked = {
        "top": _ask(cwd, "rev-parse", "--show-toplevel", "HEAD"),
        "status": _ask(cwd, "status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=dirty"),
        "diff": _ask(cwd, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--binary"),
        "config": _ask(cwd, "config", "--get-regexp", r"^(remote\.origin\.url|user\.name)$"),
    }
    answers = {name: _answer(process, until) for name, process in asked.items()}
    lines = (answers["top"] or b"").decode("utf-8", "surrogateescape").splitlines()
    if not lines or not Path(lines[0]).is_absolute():
        return told
    known = (answers["config"] or b"").decode("utf-8", "replace").splitlines()
    settings = {name: text for name, _, text in (line.partition(" ") for line in known)}
    told["jobq.user"] = settings.get("user.name", "").strip() or told["jobq.user"]
    told[_SOURCE] = _public(settings.get("remote.origin.url", ""))
    if path is not None:
        with contextlib.suppress(ValueError):
            told["jobq.notebook"] = Path(os.path.realpath(path)).relative_to(os.path.realpath(lines[0])).as_posix()
    if len(lines) > 1 and re.fullmatch(r"[0-9a-f]{40,64}", lines[1]):
        told[_REVISION] = lines[1]
    if answers["status"] is not None:
        told["jobq.dirty"] = "true" if answers["status"] else "false"
        if answers["status"] and answers["diff"] is not None:
            fresh = sorted(line for line in answers["status"].split(b"\0") if line.startswith(b"?? "))
            told["jobq.diff"] = "sha256:" + hashlib.sha256(answers["diff"] + b"\0".join(fresh)).hexdigest()
    return {name: text.encode("utf-8", "replace").decode() for name, text in told.items()}


def _ask(cwd: Path, *command: str) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(
            ["git", *_QUIETLY, *command],
            cwd=cwd,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:  # there is no git, or no such folder
        return None


def _answer(process: subprocess.Popen[bytes] | None, until: float) -> bytes | None:
    """What git said; None where it said nothing that counts."""
    if process is None:
        return None
    try:
        said, _ = process.communicate(timeout=max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return said if process.returncode == 0 and len(said) <= _LARGEST else None


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a number without a name, as in many containers
        return ""


def _public(address: str) -> str:
    """The address of a repository as anybody may read it; "" for a folder of this machine."""
    if found := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):(?!//)/?(\S+)", address):
        return f"ssh://{found[1]}/{found[2]}"
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https", "ssh", "git"} or not parts.hostname:
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
