"""The workers of a run one by one, as data for faces that draw them: where each is, how it goes, what it uses. Pure.

Three have something to say of a worker: its place (`Snapshot.each`), the sampler beside it (`Snapshot.usage`), and Ray
(`Snapshot.ray`). What none of them says is None, and not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

from jobq_magic import queuewords
from jobq_magic.raytold import NodeTold
from jobq_magic.snapshot import Snapshot, Usage, WorkerTold
from jobq_magic.words import reason

__all__ = ["Member", "as_json", "crew"]

_DRIVER = "driver"


@dataclass(frozen=True, slots=True)
class Member:
    """One worker, or the driver of a run that has one."""

    name: str
    """`driver`, or the number that its lines have in the log; "" where a run has one process."""
    rank: int | None = None
    """As its place counts; None where that tells of no workers."""
    phase: str = ""
    """A word of `Phase`; "" where it is not there, or nobody tells."""
    state: str = ""
    """The same in words for people."""
    pod: str = ""
    node: str = ""
    sentence: str = ""
    """What is wrong with it, without a full stop; "" where nothing is."""
    cpu: float | None = None
    """Cores in use."""
    cpus: float | None = None
    """Cores that there are for it, where that is told."""
    memory: int | None = None
    """Bytes in use."""
    memory_most: int | None = None
    """Bytes that there are for it, where that is told."""
    peak: int | None = None
    """The most bytes that it held so far."""
    gpu: float | None = None
    """GPUs in use."""
    gpus: int | None = None
    cpu_history: tuple[float, ...] = ()
    """`cpu` of the last samples, a second each, the newest last."""
    memory_history: tuple[int, ...] = ()
    """`memory` of the same."""
    tasks: int | None = None
    """Tasks of Ray that run on it."""


def crew(snapshot: Snapshot) -> tuple[Member, ...]:
    """All of them: the driver first, then by their numbers."""
    nodes = {node.name: node for node in snapshot.ray.nodes} if snapshot.ray is not None else {}
    left = list(snapshot.usage)
    told = []
    for worker in snapshot.each:
        name = _DRIVER if snapshot.led and not worker.rank else str(worker.rank)
        own = [used for used in left if _of(used, name)]
        left = [used for used in left if used not in own]
        told.append(_with(_placed(worker, name), own, nodes.pop(worker.name, None)))
    told += [_with(Member(used.label), [used], None) for used in left]
    told += [_with(Member(_DRIVER if node.head else "", pod=node.name), [], node) for node in nodes.values()]
    return tuple(told)


def as_json(members: Iterable[Member]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [asdict(one) for one in members]


def _of(used: Usage, name: str) -> bool:
    """Whether a worker is meant: `3`, and where it has several processes itself, `3 driver`."""
    return used.label == name or used.label.startswith(f"{name} ")


def _placed(worker: WorkerTold, name: str) -> Member:
    words = reason(worker.reason, worker.facts) if worker.reason else None
    return Member(
        name,
        worker.rank,
        worker.phase,
        queuewords.standing(worker),
        worker.name,
        worker.node,
        words.sentence if words is not None else "",
    )


def _with(member: Member, used: Sequence[Usage], node: NodeTold | None) -> Member:
    """With what it uses: by the sampler beside it, else as Ray has it."""
    if used:
        member = replace(
            member,
            cpu=round(sum(one.cpu for one in used), 2),
            memory=sum(one.memory for one in used),
            peak=sum(one.peak for one in used),
            cpu_history=_together([one.history for one in used]),
            memory_history=tuple(map(int, _together([one.memories for one in used]))),
        )
    if node is None:
        return member
    return replace(
        member,
        cpu=node.cpu if member.cpu is None else member.cpu,
        cpus=node.cpus,
        memory=node.memory if member.memory is None else member.memory,
        memory_most=node.memory_most or None,
        gpu=node.gpu,
        gpus=node.gpus or None,
        tasks=node.running,
        state=member.state or ("" if node.alive else "gone"),
    )


def _together(histories: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The sum of several, whose newest samples are of the same moment."""
    columns = zip_longest(*(reversed(one) for one in histories), fillvalue=0.0)
    return tuple(round(sum(column), 2) for column in columns)[::-1]
