"""What a follower has in hand of a run: where it is recorded, its place, and the right to write of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobq_magic.protocols import Backend
from jobq_magic.run import Run
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Snapshot

__all__ = ["Followed"]


@dataclass(frozen=True, slots=True)
class Followed:
    """A run that is followed."""

    store: Store
    """Where it is recorded."""
    run: Run
    lock: Lock
    """Held by who follows it."""
    backend: Backend
    """Its place."""
    handle: Mapping[str, Any] = field(default_factory=dict)
    """What finds its job there; empty while it is not known that there is one."""

    @property
    def snapshot(self) -> Snapshot:
        """How it stands, by its record."""
        return self.store.snapshot(self.run)

    @property
    def mark(self) -> Mapping[str, Any]:
        """Of who writes: what an overtaken holder of the lock writes is passed over."""
        return {"gen": self.lock.generation}

    def append(self, **event: Any) -> None:
        """Writes down what is new."""
        self.store.append(self.run, **event, **self.mark)

    def beats(self) -> bool:
        """Whether the lock is held still, of which a sign is given."""
        with self.store.writing():
            return self.lock.beat()
