"""Amounts of CPU, memory and devices, by resource and in words."""

from __future__ import annotations

from collections.abc import Mapping

from jobq_magic.cluster.amounts import amount, total

__all__ = ["Amounts", "amounts", "shown", "told", "total"]

Amounts = Mapping[str, float]
"""By the name of the resource: cores, bytes, pieces."""


def amounts(written: Mapping[str, object]) -> dict[str, float]:
    """What a list of resources means; what is no amount is left out."""
    read = {name: amount(value) for name, value in written.items()}
    return {name: value for name, value in read.items() if value is not None}


def shown(resource: str, value: float) -> str:
    """An amount in words: `4 CPUs`, `8 GiB of memory`, `2 nvidia.com/gpu`."""
    if resource.endswith("cpu"):
        return f"{_number(value)} CPU{'' if value == 1 else 's'}"
    if resource.endswith("memory"):
        return f"{_size(value)} of memory"
    if resource.endswith("storage"):
        return f"{_size(value)} of {resource.removeprefix('requests.').removeprefix('limits.')}"
    return f"{_number(value)} {resource.removeprefix('requests.')}"


def told(asked: Amounts) -> str:
    """Several: `4 CPUs, 8 GiB of memory and 1 nvidia.com/gpu`."""
    words = [shown(name, value) for name, value in sorted(asked.items()) if value]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _size(value: float) -> str:
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20)):
        if value >= 2**power:
            return f"{_number(round(value / 2**power, 2))} {unit}"
    return f"{_number(value)} bytes"
