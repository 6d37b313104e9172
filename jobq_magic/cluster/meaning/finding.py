"""What is found in an object: why it is as it is, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NOTHING", "End", "Reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is. The facts are JSON; `said` among them is what the cluster itself wrote.

    `cause` among them is what lies behind it: the code of another reason, and behind a space that of what lies behind
    that one. The facts are those of all of them.
    """

    code: str = ""
    """"": nothing that would need words."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.code)

    @property
    def chain(self) -> str:
        """The `cause` of what this is behind."""
        return " ".join(filter(None, (self.code, str(self.facts.get("cause", "")))))

    def but(self, **facts: Any) -> Reason:
        """The same with more facts; those that say nothing are left out."""
        return Reason(
            self.code, {**self.facts, **{name: fact for name, fact in facts.items() if fact not in ("", None)}}
        )


NOTHING = Reason()


@dataclass(frozen=True, slots=True)
class End:
    """How a Job or a RayJob ended."""

    good: bool
    reason: Reason = NOTHING
    """What it knows of that itself; its pods know more, but for the reasons that are its own."""
    own: bool = False
    """It ended by itself, and not since a pod did."""
