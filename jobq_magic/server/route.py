"""Route: one method of one address, and all that is said of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias

from jobq_magic.server.asking import Param

__all__ = ["PREFIX", "Action", "Route", "named"]

PREFIX = "jobq-magic"
"""Below the server's base URL; also the resource that Jupyter's authorizer is asked for."""

Action: TypeAlias = Literal["read", "write", "execute"]
"""What Jupyter's authorizer is asked: to look, to change what is kept, or to have something run or end."""
Kind: TypeAlias = Literal["data", "own", "socket"]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address."""

    method: str
    """`GET`, `POST`, `DELETE`; `ANY` for what is passed on."""
    path: str
    """Below the prefix; `{id}` is a run, `{path}` the rest."""
    action: Action
    told: str
    """What it does, in one sentence; below a blank line more."""
    handler: str
    """`module:name` below this package: a function of `Asked`, or a class where `kind` says so."""
    query: tuple[Param, ...] = ()
    body: str = ""
    """`module:name` of the shape of what is sent; "" where nothing is."""
    parts: str = ""
    """The same where it may come as the parts of a form, too."""
    headers: tuple[Param, ...] = ()
    """Headers that mean something here."""
    answer: str = ""
    """The same of what comes back; "" where that is no JSON."""
    status: int = 200
    goods: tuple[int, ...] = ()
    """Further statuses with which the same comes back."""
    also: tuple[int, ...] = ()
    """Further statuses of refusals, beside those that every route has."""
    etag: bool = False
    """Whether it answers 304 to who has the same version."""
    media: str = "application/json"
    kind: Kind = "data"
    slow: bool = False
    """Whether it may take seconds: it waits for a place, and must not hold up what is quick."""

    @property
    def operation(self) -> str:
        """Its name in the document: `get_runs_id_log`."""
        words = re.findall(r"[a-z]+", self.path)
        return "_".join([self.method.lower(), *words])


def named(reference: str) -> Any:
    """What a reference in the table means, imported now."""
    module, _, name = reference.partition(":")
    return getattr(import_module(f"jobq_magic.server.{module}"), name)
