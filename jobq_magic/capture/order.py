"""The steps in the making, and the order in which each finds what it needs.

Edges are *hard* where the other must be there before a step is executed, *soft* where it is only called later. The
order keeps all hard ones, and soft ones where it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobq_magic.capture.definitions import Definition
from jobq_magic.capture.values import Group

__all__ = ["Node", "in_order"]


@dataclass(slots=True)
class Node:
    """One step in the making."""

    kind: str
    """`import`, `source`, `value`, `attributes`, or `none` for what the job has anyhow."""
    names: tuple[str, ...]
    why: str
    hard: set[str] = field(default_factory=set)
    soft: set[str] = field(default_factory=set)
    after: list[Node] = field(default_factory=list)
    """Nodes that must come first, and have no name."""
    imported: tuple[str, str | None] | None = None
    definition: Definition | None = None
    group: Group | None = None
    of: str = ""

    @property
    def key(self) -> tuple[int, str, str]:
        """Where it stands among those that could come next; independent of when cells were executed."""
        rank = {"import": 0, "value": 2}.get(self.kind, 1)
        return rank, self.names[0] if self.names else self.of, self.definition.text if self.definition else ""


def in_order(named: Mapping[str, Node], loose: Iterable[Node]) -> list[Node]:
    """All nodes, those with names and those without, in an order in which each finds what it needs."""
    nodes = {id(node): node for node in [*named.values(), *loose] if node.kind != "none"}
    waiting = sorted(nodes.values(), key=lambda node: node.key)
    done: set[int] = set()
    order: list[Node] = []

    def open_needs(node: Node, names: set[str]) -> int:
        needed = {id(named[name]) for name in names if name in named} & nodes.keys()
        return len(needed - done - {id(node)})

    while waiting:
        ready = [
            node
            for node in waiting
            if not open_needs(node, node.hard) and all(id(other) in done for other in node.after)
        ] or waiting[:1]  # a cycle, made after the definitions; nothing can be right for all
        chosen = min(ready, key=lambda node: (open_needs(node, node.soft) > 0, node.kind == "value", *node.key))
        waiting.remove(chosen)
        done.add(id(chosen))
        order.append(chosen)
    return order
