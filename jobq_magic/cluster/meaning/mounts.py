"""What a container needs and does not get: secrets, config maps, volumes, its program."""

from __future__ import annotations

import re

from jobq_magic.cluster.meaning.finding import Reason
from jobq_magic.cluster.meaning.parts import said

__all__ = ["unmade", "unmounted"]

_ABSENT = re.compile(r'(secret|configmap|persistentvolumeclaim) "([^"]+)" not found')
_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) \S*?([^/\s]+)$")
_KEYS = re.compile(r"references non-existent (secret|config) key: (\S+)")
_VOLUME = re.compile(r'for volume "([^"]+)"')
_PROGRAM = re.compile(
    r'exec: \\?"([^"\\]+)\\?": (executable file not found|no such file or directory|permission denied)'
)
_MISSING_FILE = re.compile(r"exec (\S+): no such file or directory")
_KINDS = {
    "secret": "secret",
    "configmap": "config map",
    "config": "config map",
    "persistentvolumeclaim": "volume claim",
}


def unmade(message: str, reason: str = "") -> Reason:
    """Why a container could not be made or started."""
    facts = {"said": said(message)}
    if found := _ABSENT.search(message):
        return Reason("secret-missing", {"kind": _KINDS[found[1]], "object": found[2], **facts})
    if found := _KEY.search(message.strip()):
        return Reason("key-missing", {"kind": _KINDS[found[2].lower()], "object": found[3], "key": found[1], **facts})
    if found := _PROGRAM.search(message) or _MISSING_FILE.search(message):
        return Reason("command-missing", {"command": found[1], **facts})
    if "runAsNonRoot" in message or "will run as root" in message:
        return Reason("image-root", facts)
    if reason == "RunContainerError" and "memory" in message and "too low" in message:
        return Reason("memory-too-low", facts)
    return Reason("container-unmade", facts).but(why=said(message) or reason)


def unmounted(message: str) -> Reason:
    """Why a volume is not there."""
    volume = found[1] if (found := _VOLUME.search(message)) else ""
    facts = {"volume": volume, "said": said(message)}
    if found := _ABSENT.search(message):
        return Reason("volume-missing", {"kind": _KINDS[found[1]], "object": found[2], **facts})
    if found := _KEYS.search(message):
        return Reason("key-missing", {"kind": _KINDS[found[1]], "object": volume, "key": found[2], **facts})
    if "Multi-Attach" in message:
        return Reason("volume-busy", facts)
    return Reason("volume-unmounted", facts)
