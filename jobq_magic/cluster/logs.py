"""Log: the log of a pod's main container, followed by a thread through all that ends a stream of it.

That a stream ends says nothing: API servers and kubelets are started again, connections are cut, files are rotated. So
it is opened again, from where the collector says, until somebody who knows that the container has ended says `finish`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Api, Missing, Refused, Stream
from jobq_magic.cluster.kinds import PODS
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.meaning.parts import Object, text
from jobq_magic.cluster.names import MAIN
from jobq_magic.cluster.pace import Again, Pace
from jobq_magic.cluster.watching import Watches
from jobq_magic.errors import BackendError

__all__ = ["Log", "Sink"]

SILENCE = 30.0
"""Seconds without a byte after which a log is opened anew: its container beats every ten."""
LONGEST = 2.0
"""Seconds at most between two attempts: somebody is watching."""
SHORT = 1.0
"""Seconds; a stream that ends sooner is not opened at once."""
LOOK = 5.0
"""Seconds after which one asks anyway, whatever is known of the pod."""


class Sink(Protocol):
    """Takes the bytes of a log: `collecting.Collector`."""

    def feed(self, data: bytes) -> None:
        """Bytes, as they come."""

    def position(self) -> object:
        """How far it has come: the same as before means that nothing new came."""

    def since(self) -> float | None:
        """From when on the log is to be read, which then begins anew; None: from its beginning."""


class Log:
    """Follows the log of a pod's main container from `start` until `finish` is done, `close`, or the pod is gone.

    Args:
        api: the cluster.
        pod: its name.
        sink: where the bytes go, in the thread of this log.
        watches: of the namespace: a container that has not started is not asked before it has.
    """

    def __init__(
        self,
        api: Api,
        pod: str,
        sink: Sink,
        *,
        watches: Watches | None = None,
    ) -> None:
        self.pod = pod
        self.trouble: BackendError | None = None
        """Why it cannot be read at present, or could not in the end."""
        self.failed: Exception | None = None
        """What the sink raised; the log is then not read on."""
        self._api = api
        self._sink = sink
        self._namespace = api.place.namespace
        self._watches = watches
        self._again = watches.again if watches is not None else Again()
        self._pace = Pace(LONGEST)
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._finish = False
        self._reached: object = None
        self._closed = False
        self._asked = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"jobq-log-{pod}", daemon=True)

    def start(self) -> None:
        """Begins."""
        if self._watches is not None:
            self._watches.also(self)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing is read any more: all was, the pod is gone, or it was closed."""
        return self._done.is_set()

    def finish(self) -> None:
        """The container has ended: what is still missing is read, and that is all. Does not wait for it."""
        with self._lock:
            if self._finish:
                return
            self._finish = self._asked = True
            if self._stream is not None:
                self._stream.close()
        self._again.wake()
        self._tell()

    def renew(self) -> None:
        """Lets go of a connection that may be dead, and opens another."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()
        self._again.wake()

    def close(self) -> None:
        """Ends it, whatever is missing. Does not wait for it."""
        with self._lock:
            self._closed = self._asked = True
            if self._stream is not None:
                self._stream.close()
        self._again.wake()
        self._tell()

    def join(self, seconds: float | None = None) -> bool:
        """Waits until it has ended; whether it has."""
        return self._done.wait(seconds)

    def _run(self) -> None:
        try:
            while not self._over():
                self._turn()
        except Exception as error:  # noqa: BLE001 - a full disk, a mistake of ours: whoever asks is told
            self.failed = error
        finally:
            self._done.set()
            self._tell()

    def _turn(self) -> None:
        """Reads it once, to the end of the stream."""
        with self._lock:
            last, self._asked = self._finish, self._closed
        if not last and not self._started():
            self._await_start()
            return
        since = self._sink.since()
        begun = time.monotonic()
        try:
            self._read(since, follow=not last)
        except Missing as error:
            self._missing(error, begun)
        except Refused as error:
            if error.status != HTTPStatus.BAD_REQUEST or (last and (since is not None or self._ran())):
                self._troubled(error, begun)
            elif last:  # it never started: there is nothing to read
                self.trouble, self._closed = error, True
            else:
                self._await_start()
        except BackendError as error:
            self._troubled(error, begun)
        else:
            self.trouble = None
            if last:
                # Until nothing new comes: what a container printed last gets into its log a moment after its end.
                reached = self._sink.position()
                self._closed = self._closed or reached == self._reached
                self._reached = reached
                return
            self._rest(begun)

    def _read(self, since: float | None, *, follow: bool) -> None:
        path = kinds.path(PODS, self._namespace, self.pod, "log")
        stream = self._api.stream(
            path,
            silence=SILENCE,
            container=MAIN,
            follow=follow or None,
            sinceTime=_time(since),
        )
        with self._lock:
            self._stream = stream
            if self._closed or (follow and self._finish):
                stream.close()
        try:
            with stream:
                for data in stream:
                    self.trouble = None
                    self._sink.feed(data)
        finally:
            with self._lock:
                self._stream = None

    def _missing(self, error: Missing, begun: float) -> None:
        """The pod is gone; or its kubelet has just been started, and says so of each that it has not looked at yet."""
        try:
            self._api.ask("GET", kinds.path(PODS, self._namespace, self.pod), tries=1)
        except Missing as truth:
            self.trouble, self._closed = truth, True
        except BackendError as other:
            self._troubled(other, begun)
        else:
            self._troubled(error, begun)

    def _troubled(self, error: BackendError, begun: float) -> None:
        self.trouble = error
        if time.monotonic() - begun >= SHORT:
            self._pace.well()
        if error.code == "cluster-silent":
            return  # it took its time already
        self._again.pause(max(self._pace.next(), getattr(error, "wait", None) or 0.0), self._wanted)

    def _rest(self, begun: float) -> None:
        """After the end of a stream: until another one can have more to say."""
        if time.monotonic() - begun >= SHORT:
            self._pace.well()
        if self._watches is not None and self._state() == "terminated":
            self._look(LOOK, lambda: self._state() != "terminated")
        else:
            self._again.pause(self._pace.next(), self._wanted)

    def _started(self) -> bool:
        """Whether there may be a log, as far as is known."""
        if self._watches is None or not self._watches.current(PODS):
            return True
        return self._state() in {"running", "terminated"} or self._watches.deleted(PODS, self.pod)

    def _await_start(self) -> None:
        """Waits for the pod to change; where nobody watches it, and where it may be behind, for a moment only."""
        if self._watches is None or self._started():
            self._again.pause(self._pace.next(), self._wanted)
        else:
            self._look(LOOK, self._started)

    def _look(self, seconds: float, enough: Callable[[], bool]) -> None:
        assert self._watches is not None
        deadline = time.monotonic() + seconds
        while True:
            seen = self._watches.changed
            if self._wanted() or self._again.closed or enough() or (left := deadline - time.monotonic()) <= 0:
                return
            self._watches.wait(seen, left)

    def _state(self) -> str:
        """Of the container: `waiting`, `running`, `terminated`; "" where it has none, or is not known."""
        return pods.main_state(self._seen())

    def _ran(self) -> bool:
        """Whether the container is known to have been started."""
        return bool(text(pods.main(self._seen()), "containerID"))

    def _seen(self) -> Object | None:
        """The pod, as it was seen last."""
        return self._watches.last(PODS, self.pod) if self._watches is not None else None

    def _over(self) -> bool:
        return self._closed or self._again.closed

    def _wanted(self) -> bool:
        """Whether a pause is to end at once."""
        return self._asked

    def _tell(self) -> None:
        if self._watches is not None:
            self._watches.wake()


def _time(since: float | None) -> str | None:
    """The second in which that was; the API server knows no fractions."""
    return None if since is None else datetime.fromtimestamp(int(since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
