"""What who only looks may ask of a dashboard of Ray, and what of its answer a browser gets: pure.

Ray's own page asks for nothing but by GET. Its bundle has one POST, `api/authenticate`, by which a token would become a
cookie; here the token goes along with each question, so it is never sent. Every other method starts, changes or ends
something. Headers are handed on by name, both ways: so no cookie, no `Authorization` and nothing that is meant for one
connection gets through, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

__all__ = ["ASKED", "Refusal", "back", "driver", "led", "of_server", "refusal"]

ASKED = ("Accept", "Accept-Encoding", "If-Modified-Since", "If-None-Match", "Range")
"""Headers of a request that go on to the dashboard."""
_TOLD = (
    *("Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range"),
    *("Content-Type", "ETag", "Last-Modified"),
)
"""Headers of an answer that come back."""
_KILL = ("api", "actors", "kill")
"""By this, older versions of Ray end an actor for who only looks."""
_LONGEST = 8192
"""Bytes of a path with its query: more than the page ever asks for."""


class Refusal(NamedTuple):
    """That something is not handed on, with the status that HTTP has for it."""

    status: int
    words: str


class _Headers(Protocol):
    def get(self, name: str, /) -> str | None: ...


def refusal(method: str, path: str) -> Refusal | None:
    """Why a question is not handed on; None: it is.

    Args:
        method: of HTTP.
        path: of the dashboard's own, with its query, without a slash in front, as it was written.
    """
    if method not in ("GET", "HEAD"):
        words = f"The dashboard is for looking: {method} is not handed on, as it would start, change or end something."
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, words)
    if len(path) > _LONGEST or not path.isascii() or not path.isprintable() or _climbs(path):
        return Refusal(HTTPStatus.BAD_REQUEST, "The dashboard has no such page.")
    if _parts(path) == _KILL:
        return Refusal(HTTPStatus.FORBIDDEN, "The dashboard is for looking: nothing is ended by it.")
    return None


def back(told: _Headers) -> dict[str, str]:
    """The headers of an answer that come back; nothing that the dashboard sets in the browser is among them."""
    return {name: value for name in _TOLD if (value := told.get(name)) is not None}


def led(location: str, asked: str, roots: Mapping[str, str]) -> str | None:
    """Where a redirection leads within the dashboard, as a path of its own; None where it leads elsewhere.

    Args:
        location: as the dashboard said.
        asked: the path that was asked for.
        roots: at which addresses the dashboard is (`https://host:port`), and below which path.
    """
    if not location.isprintable() or "\\" in location:
        return None
    for address, root in roots.items():
        whole = urljoin(f"{address}{root.rstrip('/')}/{asked}", location)
        url, own = urlsplit(whole), urlsplit(address)
        base = f"{root.rstrip('/')}/"
        if (url.scheme, url.netloc) != (own.scheme, own.netloc):
            continue
        # What knows nothing of a path in front of it says its own paths from the root.
        path = url.path.removeprefix(base) if url.path.startswith(base) else url.path.removeprefix("/")
        if not _climbs(path):
            return urlunsplit(("", "", path.lstrip("/"), url.query, url.fragment))
    return None


def driver(jobs: Any) -> str:
    """The id of the job that a run's cell is, of those that its own Ray lists; "" where there is none yet.

    The cell is a driver that nobody submitted. What was submitted is KubeRay's: it waits for the cell's end.
    """
    try:
        drivers = [job for job in jobs if job["type"] == "DRIVER" and not job.get("submission_id") and job["job_id"]]
        newest = max(drivers, key=lambda job: job["start_time"] or 0, default=None)
    except (KeyError, TypeError):
        return ""
    identity = str(newest["job_id"]) if newest is not None else ""
    return identity if identity.isascii() and identity.isalnum() else ""


def of_server(told: Any) -> str | None:
    """What the API server itself said instead of the dashboard; None where it is the dashboard's word."""
    return str(told.get("message", "")) if isinstance(told, dict) and told.get("kind") == "Status" else None


def _climbs(path: str) -> bool:
    """Whether a path leads out of the dashboard, to what else the API server has."""
    return any(part in (".", "..") for part in _parts(path))


def _parts(path: str) -> tuple[str, ...]:
    """What a path is made of, however it is written."""
    bare = unquote(unquote(path.partition("?")[0])).replace("\\", "/")
    return tuple(part for part in bare.split("/") if part)
