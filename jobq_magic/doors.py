"""The door to a run's dashboard, for whoever shows it: whether it is there, awaited, gone, or not to be opened here.

Where a dashboard is comes from the record of a run and from what its place says, and never from who asks. Both are
files and objects that others may have changed, so an address is looked at once more before anybody goes there.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jobq_magic import plugins
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Shows
from jobq_magic.snapshot import Snapshot

if TYPE_CHECKING:
    from jobq_magic.cluster.forwarding import Dashboard
    from jobq_magic.run import Run
    from jobq_magic.runs.store import Store

__all__ = ["Door", "State", "door"]

_HERE = "127.0.0.1"
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\.[a-z0-9]([a-z0-9-]*[a-z0-9])?\.svc")
_PROXIED = re.compile(r"/api/v1/namespaces/[a-z0-9-]+/services/[a-z0-9-]+:dashboard/proxy")
_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/[A-Za-z0-9_/#-]*")


class State(StrEnum):
    """How a dashboard stands."""

    OPEN = "open"
    AWAITED = "awaited"
    OVER = "over"
    ELSEWHERE = "elsewhere"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Door:
    """A run's dashboard at one moment."""

    state: State
    snapshot: Snapshot
    way: Dashboard | None = None
    """How it is asked, while it is open."""
    page: str = ""
    """Where in it the run's job is, behind `#/`; "": it is asked for that itself."""
    why: str = ""
    """Why there is none to be opened here, or none yet, in one sentence; "": the run's own sentence says it."""
    since: float = 0.0
    """When it ended, where that is known."""
    link: str = ""
    """Where this machine opens it by a port of its own; "" where it does not."""


def door(store: Store, run: Run) -> Door:
    """How the dashboard of a run stands now. May ask a cluster, so it can take seconds.

    Raises:
        StoreError: the run was pruned.
        BackendError: its place is not installed here.
    """
    snapshot = store.snapshot(run)
    place: Any = plugins.backend(run.target["backend"])
    if not isinstance(place, Shows):
        return Door(State.NONE, snapshot, why=f"A run with --mode {snapshot.mode} has no dashboard: those on Ray have")
    try:
        shown = place.dashboard(run, store.handle(run) or {}, snapshot.ended)
    except BackendError as error:
        return Door(State.AWAITED, snapshot, why=str(error))
    if shown.why:
        return Door(State.ELSEWHERE, snapshot, why=shown.why, link=_link(snapshot))
    if shown.way is not None:
        if not _is_own(shown.way):
            return Door(State.ELSEWHERE, snapshot, why="What is on record of this run's dashboard is no address of one")
        return Door(State.OPEN, snapshot, shown.way, shown.page)
    if shown.until is not None or snapshot.final:
        return Door(State.OVER, snapshot, since=shown.until or snapshot.ended or time.time())
    return Door(State.AWAITED, snapshot)


def _is_own(way: Dashboard) -> bool:
    """Whether a dashboard is where those of runs are: on this machine, or a head's Service in the run's cluster."""
    try:
        url = urlsplit(way.direct)
        port = url.port
    except ValueError:
        return False
    if way.api is not None and not _PROXIED.fullmatch(way.at):
        return False
    if not way.direct:
        return way.api is not None
    named = url.hostname == _HERE if way.api is None else bool(_SERVICE.fullmatch(url.hostname or ""))
    plain = not (url.username or url.password or url.query or url.fragment) and url.path in ("", "/")
    return url.scheme == "http" and named and bool(port) and plain


def _link(snapshot: Snapshot) -> str:
    """The link on record, where it leads to a port of this machine."""
    links = [link.href for link in snapshot.links if link.rel == "ray-dashboard"]
    return links[-1] if not snapshot.final and links and _LINK.fullmatch(links[-1]) else ""
