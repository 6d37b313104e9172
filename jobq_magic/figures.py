"""How people write amounts (bytes, memory, what a job asks of a cluster), and digests."""

from __future__ import annotations

import math
import re

__all__ = ["asked", "binary", "brief", "number", "size"]

_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{1,52}…?")
_BINARY = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_NAMES = {"cpu": ("cpu", "cpus"), "pods": ("pod", "pods")}


def size(count: float) -> str:
    """How people write a number of bytes: `28 B`, `2.1 kB`, `400 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: float, digits: int = 4) -> str:
    """How people write a number, to so many digits where it has a fraction: `6,412`, `0.25`; never `1.2e+04`."""
    before = math.floor(math.log10(abs(value))) + 1 if value else 1
    written = f"{value:,.{max(0, digits - before)}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def binary(count: int) -> str:
    """An amount of memory as it was written: `512Mi`, `1.5Gi`, `10.0 GB`; what is left of several, about: `11.9Gi`."""
    fitting = [(unit, count / length) for unit, length in _BINARY if count >= length]
    for unit, value in fitting:
        if value < 10_000 and float(written := f"{value:.4g}") == value:
            return f"{written}{unit}"
    if not fitting or count % 1_000_000 == 0:
        return size(count)
    unit, value = fitting[0]
    return f"{value:.1f}{unit}"


def asked(resource: str, count: float | None = None) -> str:
    """So much of a resource: `8 cpus`, `0.15 cpus`, `64Gi of memory`, `1 GPU`; without a count its name: `cpus`."""
    if resource == "memory":
        return "memory" if count is None else f"{binary(round(count))} of memory"
    if resource == "ephemeral-storage":
        return "disk" if count is None else f"{binary(round(count))} of disk"
    if resource.startswith("hugepages-"):
        return resource if count is None else f"{binary(round(count))} of {resource}"
    if resource.endswith("/gpu"):
        one, many = "GPU", "GPUs"
    else:
        one, many = _NAMES.get(resource, (resource, resource))
    return many if count is None else f"{number(count, 6)} {one if count == 1 else many}"


def brief(text: str) -> str:
    """A text whose digests are as long as a person compares them: `team/jobq@sha256:647e83378008…`."""
    return _DIGEST.sub(r"\1…", text)
