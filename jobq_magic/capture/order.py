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
        missing = {name for name in node.hard if any(_leads_to(named, name, other) for other in acting)}
        first[key] = early(node, frozenset(missing))
        node.turn = "anew" if missing else "again"
    waiting = sorted([*nodes.values(), *first.values()], key=lambda node: node.key)
    done: set[int] = set()
    order: list[Node] = []

    def needs(node: Node, names: set[str], *, lenient: bool) -> set[int]:
        needed = {id(named[name]) for name in names if name in named} & nodes.keys() - {id(node)}
        return {id(first[key]) if key in first else key for key in needed} if lenient or node.acts else needed

    hard = [{id(node): needs(node, node.hard, lenient=lenient) for node in waiting} for lenient in (False, True)]
    soft = {id(node): needs(node, node.soft, lenient=node.kind == "source") for node in waiting}

    def ready(node: Node, *, lenient: bool = False) -> bool:
        if not (hard[lenient][id(node)] <= done and all(id(other) in done for other in node.after)):
            return False
        if id(node) in first:
            return id(first[id(node)]) in done and all(id(other) in done for other in users[id(node)])
        return not (node.acts and any(id(one) not in done for key, one in first.items() if _has(users[key], node)))

    while waiting:
        able = (
            [node for node in waiting if ready(node)]
            or [node for node in waiting if ready(node, lenient=True)]
            or waiting[:1]  # a cycle, made after the definitions; nothing can be right for all
        )
        chosen = min(
            able,
            key=lambda node: (not soft[id(node)] <= done, node.kind == "value", *node.key),
        )
        waiting = [node for node in waiting if node is not chosen]
        done.add(id(chosen))
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
        for key, other in reached.items():
            if other.kind == "value" and other.group is not None and other.group.pickler is not None:
                found.setdefault(key, []).append(node)
    return found


def _leads_to(named: Mapping[str, Node], name: str, target: Node) -> bool:
    """Whether making `name` takes the execution of `target`."""
    seen: set[int] = set()
    todo = [named[name]] if name in named else []
    while todo:
        node = todo.pop()
        if node is target:
            return True
        if id(node) not in seen:
            seen.add(id(node))
            todo += [named[other] for other in node.hard if other in named]
    return False


def _has(nodes: list[Node], node: Node) -> bool:
    return any(each is node for each in nodes)
