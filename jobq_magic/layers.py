"""The places where settings are written, one layer each, and how they are laid over each other.

What a layer holds is named by the field of a JobSpec, and is as it was written: a string, a list, a number.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from jobq_magic.errors import OptionError, closest
from jobq_magic.options import flag_of
from jobq_magic.spec import MADE, declared, read, shown

__all__ = ["Kind", "Layer", "Origin", "addressed", "decided", "merge", "options", "settings", "variables"]

Kind: TypeAlias = Literal[
    "forced", "option", "environment", "profile", "magics", "project", "default profile", "default"
]

_MERGED = ("env", "secret", "label")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    kind: Kind
    text: str
    """In words: `--mode`, `JOBQ_MODE`, `profile gpu in ~/project/pyproject.toml`."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What is written in one place."""

    kind: Kind
    values: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""
    """A profile, or a file, in words."""
    site: Mapping[str, Any] = field(default_factory=dict)
    """What it says of a cluster, by the field of a Site."""
    meant: Mapping[str, str] = field(default_factory=dict)
    """Fields whose values nobody wrote there, and the field that means them."""

    def origin(self, name: str) -> Origin:
        """Where a value that it holds was written."""
        name = self.meant.get(name, name)
        texts = {
            "forced": f"JOBQ_FORCE_{name.upper()}",
            "option": flag_of(name),
            "environment": f"JOBQ_{name.upper()}",
            "magics": f"%config JobqMagics.{name}",
        }
        return Origin(self.kind, texts.get(self.kind, self.place))

    def subject(self, name: str) -> str:
        """The value as it was written, to begin a sentence with."""
        name = self.meant.get(name, name)
        value = self.values[name]
        if self.kind == "option":
            if value is False:
                return declared()[name].opposite or flag_of(name)
            return flag_of(name) + ("" if value is True else shown(name, value, " "))
        if self.kind in {"forced", "environment"}:
            return self.origin(name).text + shown(name, value, "=")
        if self.kind == "magics":
            return f"JobqMagics.{name}{shown(name, value, ' = ')}"
        return f"{name}{shown(name, value, ' = ')} in {self.place}"


def options(given: Mapping[str, Any], mistakes: list[OptionError]) -> dict[str, Any]:
    """What options say; those that there are not are added to `mistakes`."""
    mistakes += [
        OptionError("unknown-option", f"There is no option {name}", do=closest(name, declared()))
        for name in given
        if name not in declared()
    ]
    return {name: value for name, value in given.items() if name in declared() and value is not None}


def settings(given: Mapping[str, Any], place: str, mistakes: list[OptionError]) -> dict[str, Any]:
    """What settings in some place say; those that there are not are added to `mistakes`."""
    known = [name for name, option in declared().items() if option.setting]
    mistakes += [
        OptionError("unknown-setting", f"There is no setting {name} in {place}", do=closest(name, known))
        for name in given
        if name not in known
    ]
    return {name: value for name, value in given.items() if name in known and value is not None}


def variables(environ: Mapping[str, str], prefix: str, mistakes: list[OptionError]) -> dict[str, Any]:
    """What the variables that begin with `prefix` say; a forced one that there is not is added to `mistakes`."""
    known = {f"{prefix}{name.upper()}": name for name, option in declared().items() if option.setting}
    found = {}
    for variable, text in environ.items():
        if variable in known and text:
            name = known[variable]
            try:
                found[name] = shlex.split(text) if declared()[name].many else text
            except ValueError:
                mistakes.append(OptionError("unclosed-quote", f"A quote is not closed in {variable}", do="Close it"))
        elif prefix == "JOBQ_FORCE_" and variable.startswith(prefix) and variable not in known:
            mistakes.append(
                OptionError("unknown-setting", f"{variable} forces no known setting", do=closest(variable, known))
            )
    return found


def addressed(layer: Layer) -> Layer:
    """The layer, with the mode that its `address` means where it names none: an address is that of a Ray."""
    if not layer.values.get("address") or "mode" in layer.values:
        return layer
    return replace(layer, values={**layer.values, "mode": "ray"}, meant={"mode": "address"})


def decided(layers: Sequence[Layer]) -> list[Layer]:
    """Without what would say otherwise than a stronger layer: an image as it is, or what one is made from.

    What is only added to an image takes none away that was named elsewhere: that, as both in one layer, is refused.
    """
    done, weaker = [], frozenset[str]()
    for layer in layers:
        kept = {name: value for name, value in layer.values.items() if name not in weaker}
        done.append(replace(layer, values=kept))
        if kept.get("image"):
            weaker |= {*MADE}
        if kept.get("base") or kept.get("image_file"):
            weaker |= {"image"}
    return done


def merge(
    layers: Sequence[Layer], environ: Mapping[str, str], mistakes: list[OptionError]
) -> tuple[dict[str, Any], dict[str, Origin], dict[str, str]]:
    """Lays layers over each other, the first one on top.

    Returns:
        The values by field, where each came from, and how each begins a sentence.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    subjects: dict[str, str] = {}
    for name in declared():
        holding = [layer for layer in layers if name in layer.values]
        if not holding:
            continue
        origins[name], subjects[name] = holding[0].origin(name), holding[0].subject(name)
        if name not in _MERGED:
            values[name] = holding[0].values[name]
            continue
        merged: dict[str, str | None] = {}
        for layer in reversed(holding):
            try:
                pairs = read(name, layer.values[name], layer.subject(name))
                merged |= _taken(pairs, environ, layer.subject(name)) if name == "env" else pairs
            except OptionError as mistake:
                mistakes.append(mistake)
        values[name] = merged
        origins[name] = Origin(holding[0].kind, ", ".join(layer.origin(name).text for layer in holding))
    return values, origins, subjects


def _taken(pairs: Mapping[str, str | None], environ: Mapping[str, str], subject: str) -> dict[str, str]:
    """The variables with the values that they have here, where none is given."""
    if missing := [name for name, text in pairs.items() if text is None and name not in environ]:
        what = f"{subject}: there is no variable {missing[0]} here"
        raise OptionError("missing-variable", what, do=f"Write {missing[0]}=VALUE, or set it before")
    return {name: environ[name] if text is None else text for name, text in pairs.items()}
