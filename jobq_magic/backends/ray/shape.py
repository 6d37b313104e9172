"""How big an embedded cluster is, and which runs can share one."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jobq_magic import quantities

__all__ = ["Shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """N workers, and what each of them has. Two runs of one shape share a cluster."""

    workers: int
    cpus: int = 1
    """CPUs of each worker, as Ray counts them. A part of a CPU counts as one, so that N workers are N slots."""
    gpus: int = 0
    memory: int | None = None
    """Bytes of each worker, as Ray counts them; None: whatever the machine has."""

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Shape:
        """The shape that a resolved JobSpec asks for; without `workers`, one for each CPU of this machine."""
        workers, cpus, gpus, memory = (spec.get(field) for field in ("workers", "cpus", "gpus", "memory"))
        return cls(
            workers=workers or _cpus_here(),
            cpus=math.ceil(cpus or 1),
            gpus=gpus or 0,
            memory=quantities.amount(memory) if memory else None,
        )

    def key(self, interpreter: str, version: str) -> str:
        """What runs must have in common to share a cluster."""
        text = json.dumps([asdict(self), interpreter, version], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def options(self) -> list[str]:
        """The shape as options of `ray start`."""
        options = [f"--num-cpus={self.workers * self.cpus}", f"--num-gpus={self.workers * self.gpus}"]
        return options if self.memory is None else [*options, f"--memory={self.workers * self.memory}"]

    @property
    def environment(self) -> dict[str, str]:
        """What a job is told of its place."""
        known = {"JOBQ_WORKERS": self.workers, "JOBQ_WORKER_CPUS": self.cpus, "JOBQ_WORKER_GPUS": self.gpus}
        return {name: str(value) for name, value in known.items()}

    def __str__(self) -> str:
        each = [f"{self.cpus} CPU" if self.cpus == 1 else f"{self.cpus} CPUs"]
        each += [f"{self.gpus} GPU" if self.gpus == 1 else f"{self.gpus} GPUs"] if self.gpus else []
        each += [f"{self.memory / 2**30:.3g} GiB"] if self.memory else []
        return f"{self.workers} {'worker' if self.workers == 1 else 'workers'} of {', '.join(each)}"


def _cpus_here() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
