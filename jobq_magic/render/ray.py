"""A run's own Ray cluster in words: its tasks, and its workers one by one. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from jobq_magic import queuewords
from jobq_magic.figures import number
from jobq_magic.raytold import NodeTold, RayTold, TasksTold
from jobq_magic.render.safe import one_line
from jobq_magic.snapshot import Snapshot, WorkerTold
from jobq_magic.words import about, size, some

__all__ = ["NODES", "TASKS", "Worker", "actors", "counts", "lines", "lived", "rows", "shares", "tasks", "workers"]

NODES = ("worker", "where", "running", "finished", "failed", "cpu", "memory", "gpu", "objects")
"""Heads of the table of workers; see `rows`. Where it is, is also why it is not."""
TASKS = ("tasks", "running", "waiting", "finished", "failed")
"""Heads of the table of tasks; see `tasks`."""
DRIVER = "driver"
_LATE = 2.0
"""Seconds before the end of a run, from which on it is worth saying."""
_ACTORS = {"dependencies_unready": "waiting", "pending_creation": "starting"}
_STATES = (("running", "running"), ("pending", "waiting"), ("finished", "finished"), ("failed", "failed"))


class Worker(NamedTuple):
    """A worker as the cluster tells of it, and as Ray does; either may be missing."""

    rank: int | None
    told: WorkerTold | None
    node: NodeTold | None


def workers(snapshot: Snapshot) -> list[Worker]:
    """The driver and all workers, by their ranks; those that only Ray knows behind them."""
    nodes = {} if snapshot.ray is None else {node.name: node for node in snapshot.ray.nodes}
    known = [Worker(one.rank, one, nodes.pop(one.name, None)) for one in snapshot.each]
    rest = [Worker(0 if node.head else None, None, node) for node in nodes.values()]
    return sorted((*known, *rest), key=lambda one: (one.rank is None, one.rank or 0))


def counts(snapshot: Snapshot) -> str:
    """How the tasks go: `12 tasks running, 188 waiting, 203 finished, 3 failed`; "" where there are none.

    After the end: how they went, as far as Ray knew when it was last asked.
    """
    ray = snapshot.ray
    told = [] if ray is None else [(number(many), word) for state, word in _STATES if (many := ray.count(state))]
    if ray is None or not told:
        return ""
    (figure, word), *rest = told
    first = f"{'at least ' * (not ray.whole)}{figure} task{'s' * (figure != '1')} {word}"
    said = ", ".join([first, *(f"{figure} {word}" for figure, word in rest)])
    if snapshot.final and (ray.count("running") or ray.count("pending")):
        said += " when Ray was last asked"
        if snapshot.ended and ray.counted and (before := snapshot.ended - ray.counted) >= _LATE:
            said += f", {about(before)} before the end"
    return said


def actors(ray: RayTold) -> str:
    """How many there are, by their states."""
    return ", ".join(f"{number(many)} {_ACTORS.get(state, state)}" for state, many in ray.actors.items())


def lived(snapshot: Snapshot) -> str:
    """Until when there was a dashboard, by the clock of who looks; "" while there is one, or there never was."""
    if not snapshot.final or snapshot.ray is None:
        return ""
    return f"The Ray dashboard lived until {time.strftime('%H:%M', time.localtime(snapshot.ray.at))}"


def tasks(ray: RayTold) -> list[tuple[str, ...]]:
    """The tasks by their names, under `TASKS`."""
    return [(_name(one), *(number(getattr(one, state)) for state, _ in _STATES)) for one in ray.tasks]


def rows(found: Sequence[Worker], *, final: bool = False) -> list[tuple[str, ...]]:
    """Workers under `NODES`."""
    return [_row(one, final=final) for one in found]


def shares(one: Worker) -> dict[str, float]:
    """Which part of what it has a worker uses, under their heads in `NODES`."""
    if (node := one.node) is None:
        return {}
    used = {"cpu": (node.cpu, node.cpus), "memory": (node.memory, node.memory_most), "gpu": (node.gpu or 0, node.gpus)}
    return {name: min(1.0, many / most) for name, (many, most) in used.items() if most}


def lines(snapshot: Snapshot) -> list[str]:
    """All of it as text, a few lines."""
    if snapshot.ray is None:
        return []
    told = [counts(snapshot)]
    if len(snapshot.ray.tasks) > 1:
        names = [f"{_name(one)} {_figures(one)}" for one in snapshot.ray.tasks]
        told.append(f"tasks: {'; '.join(map(one_line, some(names, 6)))}")
    every = [_line(one, final=snapshot.final) for one in workers(snapshot)]
    told += some(every)
    told.append(lived(snapshot))
    return [one for one in told if one]


def _line(one: Worker, *, final: bool) -> str:
    row = _row(one, final=final)
    tasks = [f"{row[at]} {NODES[at]}" for at in (2, 3, 4) if row[at] not in ("", "0")]
    uses = [f"{NODES[at]} {row[at]}" for at in (5, 6, 7) if row[at]]
    who = row[0] if row[0] == DRIVER else f"worker {row[0]}"
    return one_line(": ".join(filter(None, (who, ", ".join(filter(None, (row[1], *tasks, *uses)))))))


def _row(one: Worker, *, final: bool) -> tuple[str, ...]:
    node, who = one.node, one.rank
    name = DRIVER if node is not None and node.head else str(who) if who is not None else node.name if node else ""
    state = "" if one.told is None else queuewords.standing(one.told)
    if node is not None and not node.alive and not final:
        state = "gone"
    place = one.told.node if one.told else ""
    well = state in ("running", "succeeded") and (place or node is not None)
    where = " · ".join(filter(None, (place, "" if well else state)))
    if node is None:
        return (name, where, *[""] * (len(NODES) - 2))
    each = (node.running, node.finished, node.failed)
    none = node.head and not any(each)  # it is not there for tasks
    running, finished, failed = ("" if none or many is None else number(many) for many in each)
    gpu = "" if node.gpu is None else f"{node.gpu:.1f} of {node.gpus}"
    memory = f"{size(node.memory)} of {size(node.memory_most)}"
    cpu = f"{node.cpu:.1f} of {number(node.cpus)}"
    return name, where, running, finished, failed, cpu, memory, gpu, size(node.store) if node.store else ""


def _name(one: TasksTold) -> str:
    return one.name or f"{one.names} other names"


def _figures(one: TasksTold) -> str:
    return ", ".join(f"{number(many)} {word}" for state, word in _STATES if (many := getattr(one, state)))
