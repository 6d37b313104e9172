"""How a job on Ray came to its end: as its driver says itself, else as Ray saw its process end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobq_magic.backends.ray.reasons import reason_in
from jobq_magic.protocols import Observation
from jobq_magic.runtime import ends

__all__ = ["said", "seen", "why"]


def said(event: Mapping[str, Any], asked: str) -> Observation:
    """The end that the driver said.

    Args:
        event: its last one.
        asked: why it was to end; "" where nobody asked for that.
    """
    if asked and event["phase"] != "succeeded":  # the exception is SIGTERM's
        return Observation("cancelled", asked, at=event.get("at"))
    return Observation(event["phase"], event.get("reason", ""), event.get("facts", {}), at=event.get("at"))


def seen(status: Mapping[str, Any], *, begun: bool) -> Observation:
    """The end of a driver that said none.

    Args:
        status: what Ray says of the job.
        begun: whether anything came of the driver: else it is Ray that failed.
    """
    code = status.get("driver_exit_code")
    if code is None or not begun:
        return Observation("failed", "ray-failed", {"error": why(status)})
    event = ends.exited(code)
    return Observation(event["phase"], event["reason"], event["facts"])


def why(status: Mapping[str, Any]) -> str:
    """What Ray says of a job that failed, in one line."""
    return reason_in(status.get("message") or "") or status.get("error_type") or "it does not say why"
