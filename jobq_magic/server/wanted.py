"""What was asked for of a run, as the options that would ask for it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jobq_magic.options import flag_of
from jobq_magic.server.shapes_runs import OptionTold
from jobq_magic.spec import JobSpec, declared, shown
from jobq_magic.words import duration

__all__ = ["wanted"]

_TIMES = frozenset({"timeout", "max_wait"})


def wanted(spec: Mapping[str, Any]) -> list[OptionTold]:
    """The options whose values are not the usual ones; what nobody should read is told by its name alone."""
    return [
        OptionTold(name=flag_of(name), value=value)
        for name in declared()
        if name != "mode" and name in spec and spec[name] != _usual()[name]
        for value in _values(name, spec)
    ]


def _values(name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    value = spec[name]
    if isinstance(value, Mapping):
        yield from (key if name == "secret" or each is None else f"{key}={each}" for key, each in value.items())
    elif isinstance(value, bool):
        yield ""
    elif name == "workers" and spec.get("max_workers"):
        yield f"{value}..{spec['max_workers']}"
    elif name == "gpus" and spec.get("gpu_type"):
        yield f"{spec['gpu_type']}:{value}"
    elif name in _TIMES and isinstance(value, int | float):
        yield duration(value)
    elif isinstance(value, list | tuple) and declared()[name].many == "repeat":
        yield from map(str, value)
    else:
        yield shown(name, value, "")


@cache
def _usual() -> Mapping[str, Any]:
    return JobSpec.model_validate({}).model_dump(mode="json")
