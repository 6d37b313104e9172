"""Watch: the objects of one kind in one namespace, followed by one thread through all that ends a watch.

It lists, and watches from there. A watch that ends goes on from the version that was seen last; one that is too far
behind for that (410) lists again. A connection that is cut says nothing: a watch that is silent for longer than the
server's bookmarks ever are is opened anew.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Api, Forbidden, Missing, Refused, Stream
from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.known import Known
from jobq_magic.cluster.pace import Again, Pace
from jobq_magic.errors import BackendError

__all__ = ["Watch"]

Object = dict[str, Any]
PAGE = 500
SILENCE = 75.0
"""Seconds without a byte after which a watch is opened anew: a bookmark comes each minute."""
LASTS = (240, 360)
"""Seconds after which the server ends a watch, between these, so that not all of them end together."""
REFUSED = 60.0
"""Seconds at most between attempts at what is refused: a right may be granted."""
_PASSING = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""What is answered by a server that is about to be there, and says nothing of the version."""
SHORT = 1.0
"""Seconds; a watch that ends sooner is not opened at once."""
GRACE = 10.0
"""Seconds for which a right that we had is not said to be gone: an API server that starts knows no roles at first."""


class Watch:
    """Follows one kind, from `start` to `close`.

    Args:
        api: the cluster.
        kind: what.
        namespace: where.
        selector: of labels; "" for all.
        known: what it writes to.
        changed: called when something is news: an object, or how the watch is.
        again: where it waits while the server is away.
    """

    def __init__(
        self,
        api: Api,
        kind: Kind,
        namespace: str,
        selector: str,
        known: Known,
        changed: Callable[[], None],
        again: Again,
    ) -> None:
        self.kind = kind
        self.known = known
        self.refused: Forbidden | Missing | None = None
        self.trouble: BackendError | None = None
        """Why nothing is heard now."""
        self.listed = False
        self._api = api
        self._namespace = namespace
        self._selector = selector
        self._changed = changed
        self._again = again
        self._pace = Pace()
        self._slow = Pace(REFUSED)
        self._version = ""
        self._since: float | None = None  # nothing is heard (time.monotonic)
        self._word = time.monotonic()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._renewals = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"jobq-watch-{kind.plural}", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def current(self) -> bool:
        """Whether what is known is what there is, as far as can be known."""
        return self.listed and self._since is None and self.refused is None

    def behind(self) -> float:
        """For how many seconds nothing was heard; 0 while it is watched, and where it may not be."""
        since = self._since
        return 0.0 if since is None or self.refused is not None else max(0.0, time.monotonic() - since)

    def renew(self) -> None:
        """Lets go of a connection that may be dead, and opens another."""
        with self._lock:
            self._renewals += 1
            if self._stream is not None:
                self._stream.close()

    def close(self) -> None:
        """Ends it; whoever closes several joins them afterwards."""
        self._closed = True
        self._again.wake()
        self.renew()

    def join(self, seconds: float) -> None:
        """Waits for its thread."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._over():
            try:
                self._follow()
            except (Forbidden, Missing) as error:
                self._not_allowed(error)
            except BackendError as error:
                if isinstance(error, Refused) and error.status not in _PASSING:
                    self._version = ""
                self._broken(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, a watch that is dead would be taken for quiet
                self._version = ""
                self._broken(_garbage(self._api, self.kind, error))

    def _over(self) -> bool:
        return self._closed or self._again.closed

    def _follow(self) -> None:
        """Lists where that is needed, and watches until the watch ends well.

        Raises:
            BackendError: it ends badly.
        """
        kind = self.kind if self.kind.version else self.kind.at(kinds.kueue_version(self._api))
        path = kinds.path(kind, self._namespace)
        if not self._version:
            self._version = self._list(path)
        renewals = self._renewals
        stream = self._api.stream(
            path,
            silence=SILENCE,
            watch=True,
            allowWatchBookmarks=True,
            resourceVersion=self._version,
            timeoutSeconds=random.randint(*LASTS),
            labelSelector=self._selector or None,
        )
        with self._lock:
            self._stream = stream
            if self._renewals != renewals:
                stream.close()  # it was opened on the other side of a sleep
        begun = time.monotonic()
        try:
            with stream:
                self._well()
                for line in () if self._over() else stream.lines():
                    self._word = time.monotonic()
                    self._heard(line)
        finally:
            with self._lock:
                self._stream = None
            lasted = time.monotonic() - begun
            if lasted >= SHORT:
                self._pace.well()
        if lasted < SHORT:
            self._again.pause(self._pace.next(), self._over)

    def _list(self, path: str) -> str:
        """Reads all that there is; the version from which on it is watched."""
        found: list[Object] = []
        more: str | None = None
        while True:
            told = self._api.ask(
                "GET", path, query={"limit": PAGE, "continue": more, "labelSelector": self._selector or None}, tries=1
            )
            found += told["items"] or ()
            more = told["metadata"].get("continue") or None
            if more is None or self._over():
                break
        version = str(told["metadata"]["resourceVersion"])
        news = self.known.replace(found)
        if news or not self.listed:
            self.listed = True
            self._changed()
        return version

    def _heard(self, line: bytes) -> None:
        told = json.loads(line)
        item = told["object"]
        how = told["type"]
        if how == "ERROR":
            raise _told(self._api, self.kind, item)
        if how != "BOOKMARK" and self.known.apply(how, item):
            self._changed()
        if self._version:
            self._version = str(item["metadata"]["resourceVersion"])

    def _well(self) -> None:
        was = self._since is not None or self.refused is not None
        self._word = time.monotonic()
        self._since = None
        self.refused = None
        self.trouble = None
        self._slow.well()
        if was:
            self._again.told()
            self._changed()

    def _broken(self, error: BackendError) -> None:
        if self._over():
            return
        self.trouble = error
        silent = error.code == "cluster-silent"
        if self._since is None:
            self._since = self._word if silent else time.monotonic()
            if silent:
                return  # most likely the connection only; the next attempt shows it
            self._changed()
        self._again.pause(max(self._pace.next(), getattr(error, "wait", None) or 0.0), self._over)

    def _not_allowed(self, error: Forbidden | Missing) -> None:
        self.trouble = error
        now = time.monotonic()
        if self.listed and self._since is None:
            self._since = now
        if self.listed and self._since is not None and now - self._since < GRACE:
            self._again.pause(self._pace.next(), self._over)
            return
        if self.refused is None:
            self.refused = error
            self._changed()
        self._again.pause(self._slow.next(), self._over)


def _garbage(api: Api, kind: Kind, error: Exception) -> Refused:
    return Refused(
        "cluster-garbage",
        f"What {api.place.words} tells of {kind.plural} cannot be understood",
        why=f"{type(error).__name__}: {error}"[:200],
        do="Check the proxy between here and there",
    )


def _told(api: Api, kind: Kind, status: Object) -> Refused:
    error = Refused(
        "cluster-failing",
        f"{api.place.words[0].upper()}{api.place.words[1:]} ends the watch of {kind.plural}",
        why=str(status.get("message") or "")[:200],
    )
    error.status, error.reason = int(status.get("code") or 0), str(status.get("reason") or "")
    return error
