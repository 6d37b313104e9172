"""Kubernetes' way to write amounts, and how they are added up: counts are cores, bytes, pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from jobq_magic.cluster.meaning.parts import Object, maps, number, section
from jobq_magic.figures import asked

__all__ = ["Amounts", "amount", "amounts", "of_pod", "of_pod_sets", "told", "total"]

Amounts = Mapping[str, float]
"""By the name of the resource: cores, bytes, pieces."""

_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]{1,2})?([numkMGTPE]|[KMGTPE]i)?")


def amount(written: object) -> float | None:
    """The number that a quantity means: `150m`, `64Mi`, `1e3`, 4; None where it is none.

    `quantities` reads what people write, and refuses what they cannot mean; this takes all that an API server sends.
    """
    if isinstance(written, bool):
        return None
    if isinstance(written, int | float):
        return float(written) if math.isfinite(written) else None
    if not isinstance(written, str) or not (found := _QUANTITY.fullmatch(written.strip())):
        return None
    try:
        value = float(found[1] + (found[2] or "")) * _UNITS[found[3] or ""]
    except OverflowError:
        return None
    return round(value, 9) if math.isfinite(value) else None


def amounts(written: Mapping[str, object]) -> dict[str, float]:
    """What a list of resources means; what is no amount is left out."""
    read = {str(name): amount(value) for name, value in written.items()}
    return {name: count for name, count in read.items() if count is not None}


def told(counted: Amounts) -> str:
    """Several in words: `4 cpus, 8Gi of memory and 1 GPU`."""
    words = [asked(name, counted[name]) for name in sorted(counted) if counted[name]]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def total(of: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """All together, by resource."""
    found: dict[str, float] = {}
    for each in of:
        for resource, count in each.items():
            found[resource] = round(found.get(resource, 0) + count, 9)
    return found


def of_pod(spec: Object) -> dict[str, float]:
    """What a pod asks for: its containers together, or its greatest init container, and what its runtime class adds."""
    sidecars = [each for each in maps(spec, "initContainers") if each.get("restartPolicy") == "Always"]
    together = total(_of_container(each) for each in (*maps(spec, "containers"), *sidecars))
    for each in maps(spec, "initContainers"):
        if each not in sidecars:
            for resource, count in _of_container(each).items():
                together[resource] = max(together.get(resource, 0), count)
    return total((together, amounts(section(spec, "overhead"))))


def of_pod_sets(workload: Object) -> dict[str, float]:
    """What a Workload asks for in all: as Kueue counts it where it says so, else per worker times workers."""
    if granted := maps(workload, "status", "admission", "podSetAssignments"):
        return total(amounts(section(each, "resourceUsage")) for each in granted)
    counted = maps(workload, "status", "resourceRequests")
    sets = maps(workload, "spec", "podSets")
    if counted:
        return total(amounts(section(each, "resources")) for each in counted)
    found = []
    for each in sets:
        count = number(each, "count")
        spec = section(each, "template", "spec")
        found.append({name: one * (1 if count is None else count) for name, one in of_pod(spec).items()})
    return total(found)


def _of_container(container: Object) -> dict[str, float]:
    limits, requests = (amounts(section(container, "resources", kind)) for kind in ("limits", "requests"))
    return {**limits, **requests}
