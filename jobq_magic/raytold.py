"""What Ray said of a run's own cluster, as `runtime.raystate` has written it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NodeTold", "RayTold", "Span", "TasksTold", "Timeline"]

_NODES, _NAMES, _SPANS, _POINTS, _LONGEST = 4096, 64, 2000, 240, 200
"""What is read of each at most; the rest is as good as not there."""


@dataclass(frozen=True, slots=True)
class NodeTold:
    """One machine of the cluster, which is a pod."""

    name: str
    """Of the pod."""
    head: bool
    alive: bool
    cpu: float
    """Cores in use."""
    cpus: float
    memory: int
    """Bytes in use."""
    memory_most: int
    store: int
    """Bytes of objects that it holds."""
    gpu: float | None
    """GPUs in use; None where it has none."""
    gpus: int
    running: int
    """Tasks."""
    finished: int | None
    """Tasks; None where there are too many to know."""
    failed: int | None


@dataclass(frozen=True, slots=True)
class TasksTold:
    """The tasks of one name."""

    name: str
    """"": several names."""
    running: int
    pending: int
    finished: int
    failed: int
    names: int = 1


@dataclass(frozen=True, slots=True)
class Span:
    """One task on the line of time."""

    name: int
    node: int
    begin: float
    """Seconds since the line begins."""
    end: float | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which task ran when, and where."""

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    """Pods."""
    spans: tuple[Span, ...]
    total: int
    """How many tasks there were, of which `spans` are some."""
    since: float = 0.0
    """When it begins, as seconds since the epoch."""
    until: float | None = None
    """When Ray was asked for it, as `since`; None where that is not told."""


@dataclass(frozen=True, slots=True)
class RayTold:
    """How a run's own Ray cluster stood, the last time that it was asked."""

    at: float
    """When that was, as seconds since the epoch."""
    nodes: tuple[NodeTold, ...] = ()
    tasks: tuple[TasksTold, ...] = ()
    actors: Mapping[str, int] = field(default_factory=dict)
    """How many by their states: `alive`, `dead`, ..."""
    whole: bool = True
    """Whether all tasks were counted; else there are more than Ray lists, and the driver's own were counted."""
    line: Timeline | None = None
    history: tuple[tuple[float, float, int, int], ...] = ()
    """When, cores in use, bytes in use, tasks that ran."""
    counted: float | None = None
    """When tasks were counted, as `at`; None where that is not told."""

    @property
    def workers(self) -> tuple[NodeTold, ...]:
        """The nodes that tasks run on."""
        return tuple(node for node in self.nodes if not node.head)

    def count(self, state: str) -> int:
        """Tasks of all names that are `running`, `pending`, `finished` or `failed`."""
        return sum(getattr(one, state) for one in self.tasks)

    @classmethod
    def read(cls, now: Mapping[str, Any], past: Mapping[str, Any] | None) -> RayTold:
        """What two files say.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: they say something else.
        """
        past = past or {}
        return cls(
            _number(now["at"]),
            tuple(_node(one) for one in now["nodes"][:_NODES]),
            tuple(_tasks(one) for one in now["tasks"][:_NAMES]),
            {str(state)[:_LONGEST]: _count(many) for state, many in list(now["actors"].items())[:_NAMES]},
            bool(now.get("whole", True)),
            _line(past["line"]) if past.get("line") else None,
            tuple((_number(at), _number(cpu), _count(held), _count(ran)) for at, cpu, held, ran in _points(past)),
            None if now.get("counted") is None else _number(now["counted"]),
        )


def _points(past: Mapping[str, Any]) -> list[Any]:
    return list(past.get("history", ()))[-_POINTS:]


def _node(one: Mapping[str, Any]) -> NodeTold:
    return NodeTold(
        str(one["name"])[:_LONGEST],
        bool(one["head"]),
        bool(one["alive"]),
        _number(one["cpu"]),
        _number(one["cpus"]),
        _count(one["memory"]),
        _count(one["memory_most"]),
        _count(one.get("store", 0)),
        _number(one["gpu"]) if "gpus" in one else None,
        _count(one.get("gpus", 0)),
        _count(one.get("running", 0)),
        _count(one["finished"]) if "finished" in one else None,
        _count(one["failed"]) if "failed" in one else None,
    )


def _tasks(one: Mapping[str, Any]) -> TasksTold:
    running, pending, finished, failed = (
        _count(one.get(state, 0)) for state in ("running", "pending", "finished", "failed")
    )
    return TasksTold(str(one["name"])[:_LONGEST], running, pending, finished, failed, _count(one.get("names", 1)))


def _line(told: Mapping[str, Any]) -> Timeline:
    names = tuple(str(name)[:_LONGEST] for name in told["names"][:_SPANS])
    nodes = tuple(str(name)[:_LONGEST] for name in told["nodes"][:_NODES])
    spans = tuple(
        Span(name, node, _number(begin), None if end is None else _number(end), bool(failed))
        for name, node, begin, end, failed in told["tasks"][:_SPANS]
        if 0 <= name < len(names) and 0 <= node < len(nodes)
    )
    until = None if told.get("until") is None else _number(told["until"])
    return Timeline(names, nodes, spans, max(_count(told["of"]), len(spans)), _number(told.get("since", 0)), until)


def _number(value: Any) -> float:
    if isinstance(value, int | float) and 0 <= value < float("inf"):
        return float(value)
    raise ValueError(value)


def _count(value: Any) -> int:
    return int(_number(value))
