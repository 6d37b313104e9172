"""Where a container writes whose image it may not write to: what programs leave beside their work has a place still."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

__all__ = ["writable"]

_TMP = "/tmp"  # noqa: S108 - where everybody writes who is told nothing else


def writable(template: Mapping[str, Any], container: str, home: str) -> dict[str, Any]:
    """The template, with empty folders for TMPDIR and HOME where the root of its container is read-only.

    Args:
        template: of pods, as it would be made.
        container: its name.
        home: where it has its HOME, where nothing else is said.
    """
    spec = template["spec"]
    main: dict[str, Any] = next((one for one in spec["containers"] if one["name"] == container), {})
    if not (main.get("securityContext") or {}).get("readOnlyRootFilesystem"):
        return dict(template)
    told = {one["name"]: one["value"] for one in main.get("env") or () if "value" in one}
    wanted = {"TMPDIR": told.get("TMPDIR", _TMP), "HOME": told.get("HOME", home)}
    mounted = [_plain(mount["mountPath"]) for mount in main.get("volumeMounts") or ()]
    new: dict[str, str] = {}
    for name, said in wanted.items():
        path = _plain(said)
        if name == "HOME" and path == "/":  # the runtime reads it so, too
            path = home
        if _can_be(path) and path not in new.values() and not any(_within(path, mount) for mount in mounted):
            new[name] = path
    env = [{"name": name, "value": path} for name, path in wanted.items() if name not in told]
    volumes = [{"name": f"jobq-{name.lower()}", "emptyDir": {}} for name in new]
    mounts = [{"name": f"jobq-{name.lower()}", "mountPath": path} for name, path in new.items()]
    changed = {
        **main,
        "env": [*(main.get("env") or ()), *env],
        "volumeMounts": [*(main.get("volumeMounts") or ()), *mounts],
    }
    containers = [changed if one is main else one for one in spec["containers"]]
    return {**template, "spec": {**spec, "containers": containers, "volumes": [*(spec.get("volumes") or ()), *volumes]}}


def _plain(path: str) -> str:
    """A path in the one way of writing it; what is no path from the root stays what it is."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def _can_be(path: str) -> bool:
    """Whether something can be mounted there."""
    return path.startswith("/") and path != "/" and ":" not in path


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
