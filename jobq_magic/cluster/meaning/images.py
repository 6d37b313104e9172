"""Why a node does not get an image, out of what its container runtime says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import Object, said, text

__all__ = ["pull"]

_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
)
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(?:: )?(?:ErrImagePull: )?')
_TLS = ("x509", "certificate signed by unknown", "tls: ")
_UNREACHABLE = (
    *("no such host", "connection refused", "i/o timeout", "no route to host", "network is unreachable"),
    *("connection reset", "context deadline exceeded", "TLS handshake timeout", "server misbehaving", "dial tcp"),
)
_DENIED = (
    "401",
    "403",
    "unauthorized",
    "Unauthorized",
    "authorization failed",
    "denied",
    "insufficient_scope",
    "no basic auth",
)
_MISSING = ("code = NotFound", "manifest unknown", "not found", "name unknown")


def pull(reason: str, message: str, image: str, told: Sequence[Object] = ()) -> Reason:
    """Why the image is not there; nothing where the container waits for something else.

    Args:
        reason: of the container's waiting.
        message: beside it; older kubelets say there only that they wait before they try again.
        image: that it is to run.
        told: events of the pod, the newest last.
    """
    if reason not in _REASONS:
        return NOTHING
    if not (cause := _BACK_OFF.sub("", message)):
        failures = [text(each, "message") for each in told if text(each, "reason") == "Failed"]
        cause = next((each for each in reversed(failures) if each.startswith("Failed to pull image")), message)
    return Reason(_code(reason, cause)).but(image=image, registry=_registry(image), said=said(cause))


def _code(reason: str, cause: str) -> str:
    if reason == "InvalidImageName":
        return "image-name"
    if reason == "ErrImageNeverPull":
        return "image-never-pulled"
    if "server gave HTTP response to HTTPS client" in cause:
        return "registry-plain"
    if any(sign in cause for sign in _TLS) and "handshake timeout" not in cause:
        return "registry-untrusted"
    if any(sign in cause for sign in _UNREACHABLE):
        return "registry-unreachable"
    if "toomanyrequests" in cause or "429" in cause:
        return "registry-limit"
    if any(sign in cause for sign in _DENIED):
        return "image-denied"
    if "no match for platform" in cause or "no matching manifest" in cause:
        return "image-platform"
    if any(sign in cause for sign in _MISSING):
        return "image-missing"
    if "no space left" in cause:
        return "node-disk-full"
    return "image-failed"


def _registry(image: str) -> str:
    """The host that an image's name leads to; Docker's own where it names none."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
