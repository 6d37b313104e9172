"""Pending names: which run will bind a name, what the name held before, and who has it in the end.

Every name that a run is to bind is claimed by it and leaves the namespace, so that nobody can read an old value. The
claims on one name are a chain in the order of submission, upon the value that was set aside:

    aside ← run 1 ← run 2 ← run 3

The last claim has the name. A run that ends puts its value beneath the claims after its own, whose runs were submitted
later; one that binds nothing leaves the chain. When no claim is left, the value beneath goes back into the namespace.
A name that is in the namespace although it is claimed was bound by the user, and is the user's: its chain is dropped.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Pending"]

_NOTHING: Any = object()


@dataclass(slots=True)
class _Chain:
    aside: Any
    claims: list[str] = field(default_factory=list)


class Pending:
    """The claims on the names of one namespace. Knows runs by their ids alone.

    Args:
        namespace: the user's. Claimed names leave it, and come back.
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self._namespace = namespace
        self._chains: dict[str, _Chain] = {}

    def __bool__(self) -> bool:
        return bool(self._chains)

    def claim(self, run: str, names: Iterable[str]) -> None:
        """Takes names out of the namespace until `run` binds them."""
        self.settle()
        for name in names:
            if name not in self._chains:
                self._chains[name] = _Chain(self._namespace.pop(name, _NOTHING))
            if run not in self._chains[name].claims:
                self._chains[name].claims.append(run)

    def pass_on(self, before: str, after: str) -> frozenset[str]:
        """Gives all claims of one run to another, which does the same once more; the names."""
        names = self.of(before)
        for name in names:
            claims = self._chains[name].claims
            claims[claims.index(before)] = after
        return names

    def settle(self) -> None:
        """Leaves the user what the user has bound meanwhile."""
        self._chains = {name: chain for name, chain in self._chains.items() if name not in self._namespace}

    def owner(self, name: str) -> str | None:
        """The run that a reader of the name has to wait for."""
        chain = self._chains.get(name)
        return chain.claims[-1] if chain is not None and name not in self._namespace else None

    def of(self, run: str) -> frozenset[str]:
        """The names on which the run has a claim."""
        return frozenset(name for name, chain in self._chains.items() if run in chain.claims)

    def replaces(self, name: str) -> bool:
        """Whether something lies beneath the claims on the name."""
        return name in self._chains and self._chains[name].aside is not _NOTHING

    def held_aside(self, value: object) -> frozenset[str]:
        """The names that held this very object when they were claimed."""
        return frozenset(name for name, chain in self._chains.items() if chain.aside is value)

    def bind(self, run: str, values: Mapping[str, Any], *, keep: Container[str] = ()) -> tuple[str, ...]:
        """Binds what a run brought under its claims, and gives up the claims that it brought nothing for.

        Args:
            run: which.
            values: what it brought.
            keep: names whose claims stay although it brought nothing for them.

        Returns:
            The names that hold a value of the run now: not those that the user or a later run has.
        """
        self.settle()
        bound = []
        for name in sorted(self.of(run)):
            chain = self._chains[name]
            if name in keep and name not in values:
                continue
            if name in values:
                del chain.claims[: chain.claims.index(run)]  # what earlier runs bring is older than this
                chain.aside = values[name]
                if len(chain.claims) == 1:
                    bound.append(name)
            self._give_up(run, name)
        return tuple(bound)

    def bind_some(self, run: str, values: Mapping[str, Any]) -> None:
        """The same for a part of what a run brings; its other claims stay."""
        for name in self.of(run) & values.keys():
            if self._chains[name].claims[-1] == run:
                del self._chains[name]
                self._namespace[name] = values[name]

    def release(self, run: str, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """Gives up the claims of a run; the names that are back in the namespace with what they held."""
        self.settle()
        chosen = self.of(run) if names is None else self.of(run) & frozenset(names)
        return tuple(name for name in sorted(chosen) if self._give_up(run, name))

    def release_all(self) -> None:
        """Gives up all claims."""
        for name in list(self._chains):
            for run in list(self._chains[name].claims):
                self._give_up(run, name)

    def forget(self) -> None:
        """Drops all claims, and what was set aside."""
        self._chains.clear()

    def _give_up(self, run: str, name: str) -> bool:
        """Whether the name is bound again."""
        chain = self._chains[name]
        chain.claims.remove(run)
        if chain.claims:
            return False
        del self._chains[name]
        if chain.aside is _NOTHING or name in self._namespace:
            return False
        self._namespace[name] = chain.aside
        return True
