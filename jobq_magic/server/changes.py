"""Changes: one look at the store for everybody who wants to hear of changes, and what each is told of it.

However many listen, the store is looked at once, and what is said is written down once. While nobody listens, or all
who do are hidden, it is not looked at at all. Who is slow to listen is told less often, and then of all that has
changed since.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from jobq_magic.errors import JobqError
from jobq_magic.server.asking import Answer, Asked
from jobq_magic.server.view import View

if TYPE_CHECKING:
    from jobq_magic.server.watched import Pictures

__all__ = ["Changes", "Listener", "poll"]

PERIOD = 0.05
"""Seconds between two looks: what is left of 300 ms after a look, a proxy and a browser have had theirs."""
_SHARE, _RAREST = 0.05, 0.5
"""The part of one core that looks may take: with very many live runs, they come less often, but not less than that."""
_TROUBLED = 1.0
"""Seconds between two looks at a store that cannot be looked at."""

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told of changes. Its attributes say what it was told last, and are kept by `Changes`."""

    version: str | None
    """Of the rows; None: it was told of none yet."""
    watched: Mapping[str, int]
    """The ids of the runs that it wants to hear all of, with the number of the last picture that it has; 0 for none."""
    hidden: bool
    """Whether nobody would see what it is told."""

    @property
    def free(self) -> bool:
        """Whether what it was told before has left."""
        ...

    def tell(self, text: str) -> None:
        """Tells it something; never waits."""
        ...

    def end(self) -> None:
        """Tells it that nothing follows."""
        ...


@dataclass(slots=True)
class _Found:
    """What one look has found: by the version that it was compared with, the version now and what is to be said."""

    told: dict[str | None, tuple[str, str]] = field(default_factory=dict)
    took: float = 0.0


class Changes:
    """Looks at a store for as long as somebody listens; all its methods are for the thread of the event loop.

    Args:
        view: of which store.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._eyes = ThreadPoolExecutor(1, thread_name_prefix="jobq-changes")
        self._listeners: set[Listener] = set()
        # Runs that are watched are drawn in another thread: that may take its time, and rows must not wait for it.
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="jobq-watched")
        self._pictures: Pictures | None = None
        self._looks: Future[_Found] | None = None
        self._draws: Future[dict[str, tuple[int, str]]] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._trouble = self._undrawn = ""
        self.looked = 0
        """How often it has looked."""

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Tells somebody of changes from now on, and which version there is."""
        self._listeners.add(listener)
        self.stir()

    def leave(self, listener: Listener) -> None:
        """Tells somebody nothing more."""
        self._listeners.discard(listener)

    def stir(self) -> None:
        """Looks now, where a look is not under way: somebody came, can be seen, wants something else, or is free."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._looks is None:
            self._look()

    def close(self) -> None:
        """Looks no more, and tells so."""
        while self._listeners:
            self._listeners.pop().end()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for pool in self._eyes, self._hand:
            pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        self._next = None
        seeing = [one for one in self._listeners if not one.hidden]
        if not seeing:
            return
        since = {one.version for one in seeing if one.free}
        loop = asyncio.get_running_loop()
        self.looked += 1
        self._looks = self._eyes.submit(self._find, since)
        self._looks.add_done_callback(lambda _: _soon(loop, self._tell))
        watched = {identity for one in seeing for identity in one.watched}
        if watched and self._draws is None:
            self._draws = self._hand.submit(self._draw, watched)
            self._draws.add_done_callback(lambda _: _soon(loop, self._show))

    def _tell(self) -> None:
        """Says what the look has found to all who can hear it, and sees to the next look."""
        looks, self._looks = self._looks, None
        if looks is None or looks.cancelled():
            return
        after = PERIOD
        try:
            found = looks.result()
        except Exception as error:  # noqa: BLE001 - one look that goes wrong must not be the last
            after = _TROUBLED
            self._say_trouble(error)
        else:
            self._trouble = ""
            after = min(_RAREST, max(PERIOD, found.took / _SHARE))
            if self._told(found):
                after = 0.0
        self._next = asyncio.get_running_loop().call_later(after, self._look)

    def _told(self, found: _Found) -> bool:
        """Whether somebody came while the look was under way, and waits to be told."""
        late = False
        for one in tuple(self._listeners):
            if one.hidden or not one.free:
                continue
            if one.version in found.told:
                one.version, text = found.told[one.version]
                if text:
                    self._say(one, text)
            else:
                late = late or one.version is None
        return late

    def _show(self) -> None:
        """Sends what was drawn to all who watch it, and have another picture."""
        draws, self._draws = self._draws, None
        if draws is None or draws.cancelled():
            return
        try:
            drawn = draws.result()
        except Exception as error:  # noqa: BLE001 - likewise; whoever asks for the run is told
            if str(error) != self._undrawn:
                _log.error("Drawing a run that is watched went wrong", exc_info=error)
            self._undrawn = str(error)
            return
        self._undrawn = ""
        for one in tuple(self._listeners):
            if one.hidden or not one.free:
                continue
            for identity, known in one.watched.items():
                number, text = drawn.get(identity, (known, ""))
                if number != known:
                    one.watched = {**one.watched, identity: number}
                    self._say(one, text)

    def _say_trouble(self, error: Exception) -> None:
        if str(error) == self._trouble:
            return
        self._trouble = str(error)
        if not isinstance(error, JobqError):
            _log.error("Looking for changes went wrong", exc_info=error)
            error = JobqError("changes-unknown", "What changes cannot be told", why=f"{type(error).__name__}: {error}")
        told = {"code": error.code, "what": error.what, "why": error.why, "do": error.do}
        for one in tuple(self._listeners):
            if not one.hidden and one.free:
                self._say(one, _written({"kind": "trouble", "error": told}))

    def _say(self, one: Listener, text: str) -> None:
        """Tells one listener something; one who cannot be told hears no more, and the others do."""
        try:
            one.tell(text)
        except Exception:  # noqa: BLE001 - likewise
            _log.exception("A page cannot be told of changes")
            self._listeners.discard(one)
            one.end()

    # In threads of their own

    def _find(self, since: Collection[str | None]) -> _Found:
        began, found = time.thread_time(), _Found()
        for version in since or (None,):  # all who see are slow: still, runs are to be looked after
            body = changed(self._view, version)
            text = "" if body is None else _written(body)
            found.told[version] = (body["version"] if body is not None else version or "", text)
        found.took = time.thread_time() - began
        return found

    def _draw(self, watched: Collection[str]) -> dict[str, tuple[int, str]]:
        from jobq_magic.server.watched import Pictures

        self._pictures = self._pictures or Pictures(self._view)
        return self._pictures.draw(watched)


def changed(view: View, since: str | None) -> dict[str, Any] | None:
    """What has changed since a version; None: nothing. Who has none is greeted."""
    look = view.look(since)
    if since is not None and look.known and look.version == since:
        return None
    return {
        "kind": "hello" if since is None else "changed" if look.known else "relist",
        "version": look.version,
        "rows": list(look.rows),
        "gone": list(look.gone),
        "counts": dict(look.counts),
    }


def poll(asked: Asked) -> Mapping[str, Any] | Answer:
    """The same for who cannot be told."""
    since: str | None = asked.query["version"]
    body = changed(asked.view, since)
    return body if body is not None else Answer.same(f'"{since}"')


def _written(body: Mapping[str, Any]) -> str:
    return json.dumps(body, allow_nan=False, separators=(",", ":"))


def _soon(loop: asyncio.AbstractEventLoop, call: Any) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:  # the server has ended meanwhile
        return
