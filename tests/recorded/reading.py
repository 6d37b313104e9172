"""What was recorded on a real cluster, read again: the objects of a run after each change, as a user saw them.

A file has the first version of each object whole, and then only what changed, as a JSON merge patch (RFC 7386). It has
no address, no uid, no name of the machine that it was recorded on, and all times count from one instant.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BEGINS = "2026-01-01T00:00:00Z"
"""When every run was made, give or take a second."""
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What a user can see of a run at a moment."""

    at: float
    """Seconds since BEGINS."""
    objects: Mapping[tuple[str, str], Object]
    """By kind and name."""
    run_key: tuple[str, str]

    @property
    def run(self) -> Object | None:
        """The Job or RayJob; None once it is deleted."""
        return self.objects.get(self.run_key)

    @property
    def workload(self) -> Object | None:
        """Kueue's object for it; None where there is none."""
        kind, name = self.run_key
        for found in self.all("Workload"):
            owners = found["metadata"].get("ownerReferences", ())
            if any((owner["kind"], owner["name"]) == (kind, name) for owner in owners):
                return found
        return None

    @property
    def others(self) -> list[Object]:
        """The namespace's other Workloads."""
        ours = self.workload
        return [found for found in self.all("Workload") if found is not ours]

    @property
    def pods(self) -> list[Object]:
        """Its pods."""
        return self.all("Pod")

    @property
    def events(self) -> list[Object]:
        """What was told of any of these."""
        return self.all("Event")

    def all(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [found for (of, _), found in self.objects.items() if of == kind]


@dataclass(frozen=True)
class Recording:
    """A run of a scenario."""

    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        """The file."""
        found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    @property
    def kind(self) -> str:
        """Job or RayJob."""
        return str(self.content["run"]["kind"])

    @property
    def scenario(self) -> str:
        """The name in the table of scenarios."""
        return str(self.content["scenario"])

    @property
    def gates(self) -> str:
        """Kueue's feature gates, as far as they are not the defaults."""
        return str(self.content["gates"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The changes."""
        found: list[dict[str, Any]] = self.content["steps"]
        return found

    def states(self) -> Iterator[State]:
        """What there was after each change. Objects are shared between states: they are to be read only."""
        run = self.content["run"]["kind"], self.content["run"]["name"]
        objects: dict[tuple[str, str], Object] = {}
        for step in self.steps:
            key = step["kind"], step["name"]
            if step["type"] == "DELETED":
                objects = {other: found for other, found in objects.items() if other != key}
            else:
                objects = {**objects, key: merged(objects.get(key, {}), step["object"])}
            yield State(step["at"], objects, run)

    @property
    def last(self) -> State:
        """What there was in the end."""
        return list(self.states())[-1]


def recordings() -> list[Recording]:
    """All that there are."""
    return [Recording(path) for path in sorted(HERE.glob("*/*.json"))]


def path(kind: str, scenario: str, gates: str = "") -> Path:
    """Where a run of a scenario is kept: with Kueue's newer words beside its older ones."""
    return HERE / kind.lower() / f"{scenario}{'.granular' if gates else ''}.json"


def merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """A JSON merge patch, applied."""
    found = dict(target)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, Mapping):
            below = found.get(name)
            found[name] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            found[name] = copy.deepcopy(value)
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Object:
    """The JSON merge patch from one object to another."""
    patch: Object = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            if below := difference(old, value):
                patch[name] = below
        elif name not in before or old != value:
            patch[name] = copy.deepcopy(value)
    return patch
