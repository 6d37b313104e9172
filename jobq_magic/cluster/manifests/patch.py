"""A strategic merge patch, as `kubectl patch` applies it to the template of pods.

Tables are merged; lists of what has a name are merged by that name, others are taken as they are. `"$patch" = "delete"`
takes away the table or the entry in which it stands, `"$patch" = "replace"` puts it in place of what was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["patched"]

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
"""By what entries of a list are the same one (`patchMergeKey` in Kubernetes' types)."""
_DIRECTIVE = "$patch"


def patched(made: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """What was made, changed by a patch; neither of the two is changed."""
    if patch.get(_DIRECTIVE) == "replace":
        return _without_directive(patch)
    done = dict(made)
    for name, value in patch.items():
        if name == _DIRECTIVE:
            continue
        if isinstance(value, Mapping):
            if value.get(_DIRECTIVE) == "delete":
                done.pop(name, None)
                continue
            before = done.get(name)
            done[name] = patched(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, list | tuple) and (key := _KEYS.get(name)):
            done[name] = _entries(done.get(name) or [], value, key)
        else:
            done[name] = list(value) if isinstance(value, tuple) else value
    return done


def _entries(made: list[Any], patch: list[Any] | tuple[Any, ...], key: str) -> list[Any]:
    """Entries that are there are changed where they stand; new ones come behind."""
    done = list(made)
    for entry in patch:
        at = next((at for at, one in enumerate(done) if one.get(key) == entry.get(key)), None)
        if entry.get(_DIRECTIVE) == "delete":
            if at is not None:
                del done[at]
        elif at is None:
            done.append(patched({}, entry))
        else:
            done[at] = patched(done[at], entry)
    return done


def _without_directive(patch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in patch.items() if name != _DIRECTIVE}
