"""The steps in the making, and the order in which each finds what it needs.

Edges are *hard* where the other must be there before a step is executed, *soft* where it is only called later. The
order keeps all hard ones, and soft ones where it can.

A definition whose execution calls code of the notebook (decorators, base classes, registrations) needs the values that
this code reads, and may change them: a registry that a decorator fills holds the very functions that are defined by
its help. Such a value is loaded twice: *early*, without those functions, for the definitions to be executed; and
*again* after them, as it is in the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jobq_magic.capture.names import analyse
from jobq_magic.capture.values import Group
from jobq_magic.capture.written import Definition

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
    turn: str = ""
    """Of a value that is loaded twice: `early`, then `again`, or `anew` where it was not whole the first time.
    Of attributes: `fill` where what is there gets the content."""

    @property
    def key(self) -> tuple[int, str, str]:
        """Where it stands among those that could come next; independent of when cells were executed."""
        rank = {"import": 0, "value": 2}.get(self.kind, 1)
        return rank, self.names[0] if self.names else self.of, self.definition.text if self.definition else ""

    @property
    def acts(self) -> bool:
        """Whether executing its definition may call code of the notebook."""
        if self.definition is None:
            return False
        return self.definition.decorated or self.definition.kind == "class" or not self.names


def in_order(
    named: Mapping[str, Node], loose: Iterable[Node], early: Callable[[Node, frozenset[str]], Node]
) -> list[Node]:
    """All nodes, those with names and those without, in an order in which each finds what it needs.

    Args:
        named: nodes by the names that they make.
        loose: those without a name.
        early: makes the early turn of a value, without the definitions of these names.
    """
    nodes = {id(node): node for node in [*named.values(), *loose] if node.kind != "none"}
    users = _users(named, list(nodes.values()))
    first: dict[int, Node] = {}
    for key, acting in users.items():
        node = nodes[key]
        targets = set(map(id, acting))
        missing = {name for name in node.hard if _leads_to(named, name, targets)}
        first[key] = early(node, frozenset(missing))
        node.turn = "anew" if missing else "again"
    waiting = sorted([*nodes.values(), *first.values()], key=lambda node: node.key)
    order: list[Node] = []

    def needs(node: Node, names: set[str], *, lenient: bool) -> set[int]:
        needed = {id(named[name]) for name in names if name in named} & nodes.keys() - {id(node)}
        return {id(first[key]) if key in first else key for key in needed} if lenient or node.acts else needed

    # What each still waits for, strictly and leniently; and what is better there when it comes.
    hard = [{id(node): needs(node, node.hard, lenient=lenient) for node in waiting} for lenient in (False, True)]
    soft = {id(node): needs(node, node.soft, lenient=node.kind == "source") for node in waiting}
    for open_needs in hard:
        for node in nodes.values():
            open_needs[id(node)].update(map(id, node.after))
        for key, acting in users.items():
            open_needs[key].update([id(first[key]), *map(id, acting)])
            for node in acting:
                open_needs[id(node)].add(id(first[key]))
    waiters: dict[int, list[set[int]]] = {}
    for open_needs in (*hard, soft):
        for still in open_needs.values():
            for other in still:
                waiters.setdefault(other, []).append(still)
    rank = {id(node): (node.kind == "value", place) for place, node in enumerate(waiting)}
    while waiting:
        able = (
            [node for node in waiting if not hard[False][id(node)]]
            or [node for node in waiting if not hard[True][id(node)]]
            or waiting[:1]  # a cycle, made after the definitions; nothing can be right for all
        )
        chosen = min(able, key=lambda node: (bool(soft[id(node)]), rank[id(node)]))
        waiting = [node for node in waiting if node is not chosen]
        for still in waiters.get(id(chosen), ()):
            still.discard(id(chosen))
        order.append(chosen)
    return order


def _users(named: Mapping[str, Node], nodes: list[Node]) -> dict[int, list[Node]]:
    """For each value that can change, by id: the definitions whose execution may read or change it."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        if not node.acts:
            continue
        reached: dict[int, Node] = {}
        todo = [named[name] for name in node.hard if name in named]
        while todo:
            other = todo.pop()
            if id(other) in reached or other is node:
                continue
            reached[id(other)] = other
            todo += [named[name] for name in other.hard | other.soft if name in named]
        rebound: set[str] = set()
        for other in reached.values():
            if other.definition is not None:
                rebound |= analyse(other.definition.text, other.definition.flags).late_stores
        for key, other in reached.items():
            if other.kind != "value" or other.group is None:
                continue
            if other.group.pickler is not None or not rebound.isdisjoint(other.names):
                found.setdefault(key, []).append(node)
    return found


def _leads_to(named: Mapping[str, Node], name: str, targets: set[int]) -> bool:
    """Whether making `name` takes the execution of one of these nodes."""
    seen: set[int] = set()
    todo = [named[name]] if name in named else []
    while todo:
        node = todo.pop()
        if id(node) in targets:
            return True
        if id(node) not in seen:
            seen.add(id(node))
            todo += [named[other] for other in node.hard if other in named]
    return False
