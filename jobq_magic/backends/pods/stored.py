"""What the pods of a run have kept in the store of their site: what a log could not carry, or has lost.

A store is asked in a thread of its own: values may be large, and others are followed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobq_magic import handover
from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.claimed import fetch
from jobq_magic.cluster.client import Api
from jobq_magic.cluster.collecting import Collected
from jobq_magic.errors import JobqError
from jobq_magic.figures import size
from jobq_magic.phrases import note
from jobq_magic.run import Run
from jobq_magic.runtime.carrier import LIMIT
from jobq_magic.runtime.sites import store_of
from jobq_magic.runtime.stores import MOUNTED, protocol_of, shown
from jobq_magic.stores import Kept, ResultStore, open_store

__all__ = ["Bringing", "Finding", "cut", "lacks", "unread", "without"]

_PATIENCE = 60.0
"""Seconds for which a store that does not answer is asked again which pods there were: nothing else knows them."""
_PAUSE = 5.0
"""Seconds between two such questions."""


def lacks(known: Collected, *, claim: bool) -> bool:
    """Whether a store may have more than came through the log.

    Args:
        known: what came.
        claim: the store is read by a pod of its own, which is not started for the last words of one that was killed.
    """
    return bool(known.kept or known.gaps or known.missing or not (known.ended or (claim and known.begun)))


def without(known: Collected, store: str) -> str:
    """What is to be said where values were too large for the log, and are nowhere else; "" where it is not so."""
    values = [length for name, length in known.beyond.items() if name.startswith("values/")]
    if not known.beyond or known.kept:
        return ""
    lost = size(sum(values) or sum(known.beyond.values()))
    return note("values-unkept" if store else "values-lost", size=lost, most=size(LIMIT), store=shown(store))


def cut(known: Collected, store: str) -> str:
    """What is to be said where values, or the result itself, went with a part of the log; "" where none did.

    Of a pod that could not say that it ended, `unread` tells.
    """
    if not known.ended or not any(name == "result.json" or name.startswith("values/") for name in known.missing):
        return ""
    return note("values-nowhere" if store else "values-cut", store=shown(store))


def unread(known: Collected, pod: str, *, begun: bool = True) -> str:
    """What is to be said where a pod is gone, and said no last word that was read; "" where nothing is missing.

    Args:
        known: what came.
        pod: its name.
        begun: it may have been at work.
    """
    if known.ended or not (known.begun or begun):
        return ""
    if known.begun:
        return note("last-unread", pod=pod)
    return note("unread", pod=pod)


class _Asking:
    """Asks the store of a run, in a thread.

    Args:
        run: the run.
        key: of the run.
        call: is set when there is an answer.
        api: the cluster, as the run's user.
        mine: whether the run is ours to follow still.
    """

    def __init__(self, run: Run, key: bytes, call: threading.Event, api: Api, mine: Callable[[], bool]) -> None:
        self.note = ""
        """Why there is no answer."""
        self._run, self._key, self._call, self._api, self._mine = run, key, call, api, mine
        self._closed = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, name=f"jobq-store-{run.id}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self._done.is_set()

    def join(self, seconds: float | None = None) -> bool:
        """Waits until it has ended; whether it has."""
        return self._done.wait(seconds)

    def close(self) -> None:
        """Nobody waits for it any more: it begins nothing, and leaves nothing behind. Does not wait for that."""
        self._closed.set()

    def _wanted(self) -> bool:
        return not self._closed.is_set() and self._mine()

    def _ask(self) -> None:
        try:
            self._answer()
        except JobqError as error:
            self.note = ". ".join(error.lines())
        except OSError as error:
            self.note = note("store-unwritten", error=error.strerror or error)
        finally:
            self._done.set()
            self._call.set()

    def _answer(self) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def _opened(self, pods: tuple[str, ...] = ()) -> Iterator[ResultStore]:
        url, run = store_of(self._run.target), self._run
        if protocol_of(url) == "pvc" and not Path(MOUNTED).is_dir():
            with tempfile.TemporaryDirectory(prefix=".store-", dir=run.folder) as folder:
                fetch(self._api, run, pods, Path(folder), self._wanted)
                store = open_store(f"file://{quote(folder)}", {})
                store.shown = shown(url)
                yield store
            return
        left = handover.take(run.id)
        environ = {**handover.environment(run.id, os.environ), **(left.secrets if left is not None else {})}
        with contextlib.closing(open_store(url, environ)) as store:
            yield store


class Bringing(_Asking):
    """Brings what a pod has kept into the folder of its attempt.

    Args:
        run: the run.
        key: of the run.
        placed: the pod.
        call: is set when all is there.
        api: the cluster, as the run's user.
        mine: whether it is ours to write still.
    """

    def __init__(
        self, run: Run, key: bytes, placed: Placed, call: threading.Event, api: Api, mine: Callable[[], bool]
    ) -> None:
        self.events: tuple[Mapping[str, Any], ...] | None = None
        """Of the pod's record; None where it has kept nothing."""
        self._placed = placed
        super().__init__(run, key, call, api, mine)

    def _answer(self) -> None:
        placed, run = self._placed, self._run
        with self._opened((placed.uid,)) as store:
            kept = store.complete(run.id, placed.uid, self._key)
            if kept is None or not self._wanted():
                return
            paths = run.paths.attempt(placed.attempt).worker(placed.rank)
            paths.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            store.restore(run.id, kept, self._key, paths, attempt=placed.attempt)
            self.events = tuple(store.record(run.id, kept))


class Finding(_Asking):
    """Finds the pods of a run whose Job nobody followed, and which is gone.

    Args:
        run: the run.
        key: of the run.
        call: is set when they are found.
        api: the cluster, as the run's user.
        mine: whether the run is ours to follow still.
        led: the end of rank 0 is the run's: a pod that was made anew afterwards, as by a drain, began for nothing.
    """

    def __init__(
        self,
        run: Run,
        key: bytes,
        call: threading.Event,
        api: Api,
        mine: Callable[[], bool],
        *,
        led: bool = False,
    ) -> None:
        self.found: tuple[Kept, ...] = ()
        """What they have kept, in the order in which they ended."""
        self._led = led
        super().__init__(run, key, call, api, mine)

    def placed(self, attempts: Attempts, *, crew: bool = False) -> Attempts:
        """With those that were not seen before, workers of a Ray cluster in the attempt of their head.

        Args:
            attempts: as they were known.
            crew: with such workers alone: of what else there was, all is known.
        """
        seen = {pod.uid for pod in attempts.pods}
        new = [kept for kept in self.found if kept.pod not in seen]
        for kept in () if crew else new:
            if kept.rank is None:
                continue
            if any(pod.rank == kept.rank for pod in attempts.of(attempts.current)):
                attempts = attempts.next()
            pod = Placed(kept.pod, kept.name, kept.rank, attempts.current, kept.group)
            attempts = replace(attempts, pods=(*attempts.pods, pod))
        for kept in new:
            if kept.rank is None:
                attempts = attempts.with_worker(kept.pod, kept.name, kept.group)
        return attempts

    def _answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._find()
            except (JobqError, OSError):
                if time.monotonic() > deadline or self._closed.wait(_PAUSE) or not self._wanted():
                    raise

    def _find(self) -> None:
        with self._opened() as store:
            all_ = (store.complete(self._run.id, pod, self._key) for pod in store.pods(self._run.id))
            found = sorted((kept for kept in all_ if kept is not None), key=lambda kept: kept.at)
            self.found = tuple(self._until_the_end(found, store) if self._led else found)

    def _until_the_end(self, found: Sequence[Kept], store: ResultStore) -> Iterator[Kept]:
        """Those of the run: no driver that began when one had ended for good."""
        left, over = self._run.spec.get("retries") or 0, False
        for kept in found:
            if kept.rank == 0:
                if over:
                    continue
                last = next((one for one in reversed(store.record(self._run.id, kept)) if "phase" in one), {})
                failed = last.get("phase") == "failed"
                over = last.get("phase") == "succeeded" or (failed and (not left or last.get("reason") == "deadline"))
                left -= failed
            yield kept
