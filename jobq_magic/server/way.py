"""The way of a request to a run's dashboard, as far as it needs no web server: keys, doors, and the page's bounds.

A dashboard is foreign code below the address of the user's own Jupyter. So each of its pages is put into a sandbox by
its headers: for the browser it is of no origin at all, and so has neither the cookies of Jupyter nor a way into its
pages. But a page of no origin is not logged in either. What lets it in is a key in its path, which opens this one
dashboard, for looking, as long as this server lives; who is logged in is led there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from jobq_magic.doors import Door
    from jobq_magic.render.window import Theme
    from jobq_magic.run import Run
    from jobq_magic.runs.store import Store

__all__ = ["JOB", "Doors", "Keys", "Path", "aside", "located", "policy", "read", "theme", "with_shelves"]

_KEY = re.compile(r"~([A-Za-z0-9_-]{43})(?=/)")
_JUPYTERS = ("token", "_xsrf", "no_track_activity")
"""Of a query, what is Jupyter's: its token opens more than a dashboard."""
_FRESH = {"open": 3.0, "awaited": 0.5}
"""Seconds for which is believed what was found: a page comes in thirty pieces. What else was found cost little."""
_KEPT = 256
JOB = "job"
"""The path, beside the dashboard's own, that leads to the page of the run's job."""
_ANCESTORS = re.compile(r"(?:^|;)\s*(frame-ancestors [^;,\r\n]*)")
_HEAD = re.compile(rb"<head(\s[^>]*)?>", re.IGNORECASE)

_SANDBOX = "sandbox allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox"
_WITHIN = "default-src 'self' 'unsafe-inline' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'"
# Without `allow-scripts` no page would be loaded again by itself.
_OURS = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; "
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

# A page of no origin may not even ask for these: Ray's own would stop at its first line. What it keeps in them (a
# theme, a time zone) is kept as long as the page is.
_SHELVES = b"""<script>(() => {
const shelf = () => {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(String(name)) ?? null,
    setItem: (name, value) => void kept.set(String(name), String(value)),
    removeItem: (name) => void kept.delete(String(name)),
    clear: () => kept.clear(),
    key: (at) => [...kept.keys()][at] ?? null,
    get length() { return kept.size; },
  };
};
for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { value: shelf() });
Object.defineProperty(document, "cookie", { get: () => "", set: () => {} });
})();</script>"""


class Path(NamedTuple):
    """What is asked for behind `.../dashboard/`."""

    key: str
    """In front of it; "" where there is none."""
    path: str
    """The dashboard's own, as it was written, without its query."""
    query: str

    @property
    def whole(self) -> str:
        """What the dashboard is asked for."""
        return f"{self.path}?{self.query}" if self.query else self.path


def read(address: str, identity: str) -> Path:
    """What an address asks of a run's dashboard; what of its query is for Jupyter is left out."""
    _, _, rest = address.partition(f"/runs/{identity}/dashboard/")
    raw, _, query = rest.partition("?")
    if any(f"{name}=" in query for name in _JUPYTERS):
        query = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _JUPYTERS])
    found = _KEY.match(raw)
    return Path(found[1], raw[found.end() + 1 :], query) if found else Path("", raw, query)


def aside(address: str) -> str:
    """An address as a log may have it."""
    return re.sub(r"(/dashboard/~)[^/?]+", r"\1…", address)


def located(asked: Path, key: str) -> str:
    """Where who is logged in is led, from where that was asked for: to the same by a key, or else to the run's job.

    Args:
        asked: with a key that does not fit, or none.
        key: that opens it.
    """
    up = "../" * (asked.path.count("/") + bool(asked.key)) or "./"
    return f"{up}~{key}/{asked.path or JOB}" + (f"?{asked.query}" if asked.query else "")


def policy(own: str, *, page: bool = False) -> str:
    """The Content-Security-Policy of what comes from a dashboard, or of a page of ours in its place.

    Args:
        own: of the server itself: who may frame its pages may frame this, and its own pages always. (A JupyterHub lets
            nobody frame them, so that no user's page reaches into another's; this page is of no origin, for looking.)
        page: whether it is ours.
    """
    found = _ANCESTORS.search(own)
    framed = found[1].strip() if found and "'none'" not in found[1] else "frame-ancestors 'self'"
    return f"{_OURS if page else f'{_SANDBOX}; {_WITHIN}'}; {framed}"


def with_shelves(page: bytes) -> bytes:
    """A page with what stands in for the storage that it may not have, before its first script."""
    found = _HEAD.search(page)
    at = found.end() if found else 0
    return page[:at] + _SHELVES + page[at:]


def theme(query: str) -> Theme:
    """The theme that is asked for; "": none."""
    asked = dict(parse_qsl(query)).get("theme", "")
    return "dark" if asked == "dark" else "light" if asked == "light" else ""


class Keys:
    """The keys of this server: one for each run, made of nothing that is kept."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, run: str) -> str:
        """The key of a run's dashboard."""
        made = hmac.digest(self._secret, run.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def fits(self, run: str, key: str) -> bool:
        """Whether this is it."""
        return hmac.compare_digest(self.of(run).encode(), key.encode())


class Doors:
    """The doors that were found, so that a page in thirty pieces asks a cluster once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, tuple[float, Door]] = {}
        self._finding: dict[str, threading.Lock] = {}

    def known(self, run: str) -> Door | None:
        """The door of a run, where it was looked for just now."""
        at, found = self._found.get(run, (0.0, None))
        if found is None or time.monotonic() - at > _FRESH.get(found.state, 0.0):
            return None
        return found

    def find(self, store: Store, run: Run) -> Door:
        """The door of a run; who asks while somebody looks for it waits for what is found.

        Raises:
            JobqError: as `doors.door`.
        """
        from jobq_magic import doors

        with self._lock:
            finding = self._finding.setdefault(run.id, threading.Lock())
        with finding:
            if (found := self.known(run.id)) is None:
                found = doors.door(store, run)
                with self._lock:
                    while len(self._found) >= _KEPT:
                        old = next(iter(self._found))
                        self._found.pop(old)
                        self._finding.pop(old, None)
                    self._found[run.id] = time.monotonic(), found
            return found

    def forget(self, run: str) -> None:
        """What was found led nowhere."""
        with self._lock:
            self._found.pop(run, None)
