"""Tasks that no worker can hold: Ray lets them wait for one that can, without an end in a cluster of a run's own."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

__all__ = ["PENDING", "Waits"]

PENDING = "PENDING_NODE_ASSIGNMENT"
"""Ray's state of a task for which a node is looked for."""
PATIENCE = 30.0
"""Seconds for which it waits before it is told: some tasks are asked for before they can be, and taken back."""
_MOST = 3
"""Names of tasks of which it is told."""
_ACTOR = "ACTOR_CREATION_TASK"
_OPTIONS = {"CPU": "--cpus", "GPU": "--gpus", "memory": "--memory"}
"""What is looked at: of all else the dashboard spells the names in another way than tasks do."""
_MIB = 1 << 20


class Waits:
    """Follows the tasks that wait.

    Args:
        note: takes a sentence for the record.
        asked: what workers have that were asked for, whether they are up or not, one of each kind: `CPU`, `GPU`,
            `memory` where it is known.
    """

    def __init__(self, note: Callable[[str], None], asked: Sequence[Mapping[str, float]]) -> None:
        self._note = note
        self._asked = asked
        self._needs: dict[str, list[dict[str, float]]] = {}
        self._learned: dict[str, float] = {}
        self._stuck: dict[str, tuple[float, str]] = {}
        self._told: set[str] = set()

    def unclear(self, rows: Iterable[Mapping[str, Any]], now: float) -> bool:
        """Whether tasks wait of which only a list with details says what they ask for: calls of a name may differ.

        Args:
            rows: tasks as they are listed.
            now: seconds, by any clock.
        """
        return any(now - self._learned.get(name, -PATIENCE) >= PATIENCE for name in _waiting(rows))

    def learn(self, rows: Iterable[Mapping[str, Any]], now: float) -> None:
        """What tasks ask for.

        Args:
            rows: tasks that wait, as they are listed with details.
            now: see `unclear`.
        """
        self._needs = {}
        for row in rows:
            asked = row.get("required_resources") or {}
            needs = {kind: float(asked[kind]) for kind in _OPTIONS if kind in asked}
            if needs not in (known := self._needs.setdefault(_name(row), [])):
                known.append(needs)
        self._learned = dict.fromkeys(self._needs, now)

    def look(self, rows: Iterable[Mapping[str, Any]], nodes: Sequence[Mapping[str, float]], now: float) -> None:
        """How tasks stand.

        Args:
            rows: all of them, as they are listed.
            nodes: what each node has.
            now: seconds, by any clock.
        """
        stuck: dict[str, tuple[float, str]] = {}
        for name, actor in _waiting(rows).items():
            self._learned.setdefault(name, now)  # also where it was not among those that were listed with details
            for needs in self._needs.get(name, ()):
                if short := _short(needs, nodes, self._asked):
                    since, _ = self._stuck.get(name, (now, ""))
                    stuck[name] = since, _sentence(name, actor, short)
        self._stuck = stuck

    def tell(self, now: float) -> None:
        """Says of those that have waited for long what they ask for, each once."""
        for name, (since, sentence) in self._stuck.items():
            if name not in self._told and len(self._told) < _MOST and now - since >= PATIENCE:
                self._note(sentence)
                self._told.add(name)


def _short(
    needs: Mapping[str, float], nodes: Sequence[Mapping[str, float]], asked: Sequence[Mapping[str, float]]
) -> Mapping[str, float]:
    """What of it no node has; all of it where none has all at once; nothing where one has."""
    places = [*nodes, *({"memory": math.inf, **one} for one in asked)]
    if any(all(place.get(kind, 0) >= need for kind, need in needs.items()) for place in places):
        return {}
    return {kind: need for kind, need in needs.items() if all(place.get(kind, 0) < need for place in places)} or needs


def _waiting(rows: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """The names of what waits, and whether it is an actor."""
    return {_name(row): row["type"] == _ACTOR for row in rows if row["state"] == PENDING}


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("func_or_class_name") or row["name"])


def _sentence(name: str, actor: bool, short: Mapping[str, float]) -> str:
    what = f"The actor `{name.partition('.')[0]}`" if actor else f"`{name}`"
    amounts = " and ".join(_amount(kind, need) for kind, need in short.items())
    options = " and ".join(_OPTIONS[kind] for kind in short)
    return (
        f"{what} cannot begin: it asks for {amounts}, and no worker has as much; "
        f"ask for more with {options}, or for less in {'it' if actor else 'the task'}"
    )


def _amount(kind: str, need: float) -> str:
    if kind == "memory":
        return f"{need / _MIB:,.0f} MiB of memory"
    return f"{need:g} {kind}{'s' if need != 1 else ''}"
