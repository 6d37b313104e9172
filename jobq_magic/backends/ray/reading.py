"""What a job on a Ray that does not see our files leaves there, on its way into the folder of its attempt.

The driver's log has frames (`cluster.collecting`), and comes as one stream that is read anew from its beginning where
it broke. What workers print lies in files, one folder a node, byte for byte: what is here already is passed over.
That a stream ended says nothing: Ray's state of the job does, and then everything is read once more to its end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobq_magic.backends.ray.client import Api, ApiError, Node
from jobq_magic.backends.ray.roads import Answer, Lost
from jobq_magic.cluster.collecting import Collector
from jobq_magic.cluster.collecting.files import Files
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime.wire import replace_file

__all__ = ["DriverLog", "WorkerLogs"]

_FOLLOW = 0.1
"""Seconds between two looks that a node has for more."""
_SILENCE = 30.0
"""Seconds without a byte, after which a stream is asked for anew: the driver says something every ten."""
_PAUSE = 0.5
_PATIENCE = 20.0
"""Seconds for which what is left of a job that has ended is asked for in vain."""
_LOOK = 1.0
"""Seconds between two looks for nodes that work for the run."""
_LIVE = 16
"""Nodes whose workers are followed live; a dashboard has 100 requests at a time for all its users. Of the others the
output comes at the end."""
_LIVE_NAMES = ("stdout", "stderr")
_NAMES = (*_LIVE_NAMES, "displays.jsonl")


class _Thread:
    """Reads in a thread, until all is read or nobody wants it any more."""

    def __init__(self, name: str) -> None:
        self._answer: Answer | None = None
        self._closed = False
        self._over = threading.Event()
        self._turn = threading.Event()
        self.done = threading.Event()
        self.failed = False
        """Whether it gave up before all was read."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins, once."""
        if self._thread.ident is None:
            self._thread.start()

    def finish(self) -> None:
        """The job is over: what is there now is all."""
        if not self._over.is_set():
            self._over.set()
            self._wake()

    def close(self) -> None:
        """Ends; another process may go on."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._turn.set()
        if (answer := self._answer) is not None:
            answer.close()

    def _wait(self, seconds: float) -> None:
        self._turn.wait(seconds)
        self._turn.clear()

    def _run(self) -> None:
        try:
            self._read()
        finally:
            self.done.set()

    def _read(self) -> None:
        """Reads to the end: twice where the job ended meanwhile."""
        failing: float | None = None
        while not self._closed:
            last = self._over.is_set()
            try:
                if self._once(last):
                    return
                failing = None
            except (ApiError, Lost, OSError):  # not there yet, away for a moment, or no room here
                now = time.monotonic()
                failing = failing if last and failing is not None else now
                if last and now - failing > _PATIENCE:
                    self.failed = True
                    return
            self._wait(_PAUSE)

    def _once(self, last: bool) -> bool:
        """Reads what there is; whether nothing more will come."""
        raise NotImplementedError

    @contextmanager
    def _opened(self, api: Api, node: str, file: str, *, last: bool) -> Iterator[Answer]:
        with api.read(node, file, follow=None if last else _FOLLOW, silence=_SILENCE) as answer:
            self._answer = answer
            try:
                if not self._closed and (last or not self._over.is_set()):
                    yield answer
                else:
                    yield Answer(answer.status, lambda: b"", answer.close)
            finally:
                self._answer = None


class DriverLog(_Thread):
    """The log of a job.

    Args:
        api: the Ray.
        node: where its driver is.
        submission: its id.
        collector: takes it.
        call: is set when more came.
    """

    def __init__(self, api: Api, node: str, submission: str, collector: Collector, call: threading.Event) -> None:
        super().__init__(f"jobq-log-{submission}")
        self._api, self._node, self._file = api, node, f"job-driver-{submission}.log"
        self._collector, self._call = collector, call

    def _once(self, last: bool) -> bool:
        self._collector.since()  # it comes from its beginning
        with self._opened(self._api, self._node, self._file, last=last) as answer:
            for data in answer:
                self._collector.feed(data)
                self._call.set()
                if self._collector.collected.ended:
                    return True
        return last


class WorkerLogs(_Thread):
    """What the workers of a run print, by their nodes.

    Args:
        api: the Ray.
        submission: of the job.
        paths: of its attempt.
        mine: whether it is ours to write still.
        call: is set when more came.
    """

    def __init__(
        self, api: Api, submission: str, paths: AttemptPaths, mine: Callable[[], bool], call: threading.Event
    ) -> None:
        super().__init__(f"jobq-workers-{submission}")
        self._api, self._submission, self._paths, self._mine, self._call = api, submission, paths, mine, call
        self._file = paths.folder / "nodes.json"
        self._nodes = _load(self._file)
        self._tails: dict[tuple[int, str], _Tail] = {}
        self._sinks: dict[int, _Sink] = {}
        self._unread: set[str] = set()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those that have worked for the run, in the order of their ranks, from 1 on."""
        return tuple(self._nodes)

    @property
    def unread(self) -> tuple[str, ...]:
        """Addresses of nodes that were gone before all that was printed there was read."""
        return tuple(sorted({node.ip for node in self._nodes} if self.failed else self._unread))

    def close(self) -> None:
        """See `_Thread`."""
        super().close()
        for tail in list(self._tails.values()):
            tail.close()

    def _once(self, last: bool) -> bool:
        if last:
            for tail in self._tails.values():
                tail.close()
        there = {node.id: node for node in self._api.nodes()}
        for node in there.values():
            found = self._api.files(node.id, f"{self._submission}/{node.id}/*")
            if found:
                self._found(node, {Path(file).name: file for file in found}, last)
        if last:
            gone = {node.ip for node in self._nodes if node.id not in there}
            self._unread |= gone
        else:
            self._wait(_LOOK)
        return last

    def _found(self, node: Node, files: dict[str, str], last: bool) -> None:
        if node not in self._nodes:
            self._nodes.append(node)
            replace_file(self._file, json.dumps([[one.id, one.ip] for one in self._nodes]).encode())
            self._call.set()
        rank = self._nodes.index(node) + 1
        if (sink := self._sinks.get(rank)) is None:
            sink = self._sinks[rank] = _Sink(self._paths.worker(rank).folder, self._mine, self._call)
        for name in _NAMES if last else _LIVE_NAMES:
            if name not in files or (rank > _LIVE and not last):
                continue
            if last:
                at = 0
                with self._opened(self._api, node.id, files[name], last=True) as answer:
                    for data in answer:
                        sink.add(name, at, data)
                        at += len(data)
            elif (rank, name) not in self._tails:
                tail = self._tails[rank, name] = _Tail(self._api, node.id, files[name], sink, name)
                tail.start()


class _Tail(_Thread):
    """Follows one file."""

    def __init__(self, api: Api, node: str, file: str, sink: _Sink, name: str) -> None:
        super().__init__(f"jobq-tail-{node[:8]}-{name}")
        self._api, self._node, self._file, self._sink, self._name = api, node, file, sink, name

    def _once(self, last: bool) -> bool:
        at = 0
        with self._opened(self._api, self._node, self._file, last=last) as answer:
            for data in answer:
                self._sink.add(self._name, at, data)
                at += len(data)
        return last


class _Sink:
    """The files of one worker here: what is there, nobody adds again."""

    def __init__(self, folder: Path, mine: Callable[[], bool], call: threading.Event) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._files = Files(folder, {path.name: path.stat().st_size for path in folder.iterdir()})
        self._mine, self._call = mine, call

    def add(self, name: str, at: int, data: bytes) -> None:
        """Takes what stands in the file of that name at that place."""
        with self._lock:
            new = data[max(0, self._files.sizes[name] - at) :]
            if new and self._mine():
                self._files.append(name, new, time.time())
                self._files.flush()
                self._call.set()


def _load(path: Path) -> list[Node]:
    try:
        return [Node(*one) for one in json.loads(path.read_bytes())]
    except (FileNotFoundError, ValueError, TypeError):
        return []
