"""Collector: bytes of a pod's log in, files of an attempt out, each byte once, or a proof of what is missing."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import zlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from jobq_magic.cluster.collecting.files import GROWING, STREAMS, Files
from jobq_magic.cluster.collecting.splitting import Splitter
from jobq_magic.cluster.collecting.state import Collected, Gap, State
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import wire
from jobq_magic.runtime.frames import Frame, token, unpacked

__all__ = ["Collector", "collected"]

_SLICE = 1 << 18
"""Bytes that are worked on at once: memory stays flat, whatever is fed."""
_BACK = 2.0
"""Seconds by which the log is read anew: a cluster finds lines by the second in which they were logged."""
_PUT = re.compile(r"(?:progress|usage|ray|raypast)\.json|beyond\.json|result\.json|values/[0-9a-f]{64}")
_GROUP = re.compile(rb'"group":"([0-9a-f]{64})"')


class Collector:
    """Collects one pod. Another one of the same attempt goes on where this one was, also where it was killed.

    Args:
        paths: of the attempt, or of a worker of it.
        key: of the run.
        run: its id.
        attempt: its number; the pod knows none.
        mine: whether it is ours to write still; where it is not, another one does, and nothing is changed any more.
        copy: what is read is a copy of the log, beside other text, made where there is another clock: it is read from
            its beginning, and adds to what came of the log itself, of which nothing more will come.

    Raises:
        OSError: the files cannot be written to.
    """

    def __init__(
        self,
        paths: AttemptPaths,
        key: bytes,
        run: str,
        attempt: int,
        mine: Callable[[], bool] = lambda: True,
        *,
        copy: bool = False,
    ) -> None:
        self._paths = paths
        self._key = key
        self._run = run
        self._attempt = attempt
        self._mine = mine
        self._copy = copy
        self._path = paths.folder / "collected.json"
        self._lock = threading.RLock()
        self._load()

    def _load(self) -> None:
        self._state = State.load(self._path)
        try:
            self._files = Files(self._paths.folder, self._state.sizes)
        except EOFError:  # the machine went down before all was on its disk: the log is read from its beginning
            self._state = State()
            self._files = Files(self._paths.folder, {})
        self._splitter = Splitter(token(self._key))
        self._parts: _Parts | None = None
        self._state.closed = self._state.closed and not self._copy
        self._seq = self._state.seq
        self._met = self._state.time is None and not self._copy
        self._changed = False
        self._events = wire.read_events(self._paths.folder / "record.jsonl")
        self._collected = self._state.collected(self._events)

    @property
    def collected(self) -> Collected:
        """What came so far, as far as it is on disk."""
        return self._collected

    @property
    def grown(self) -> object:
        """How much came of what grows: another answer means that something more was printed or displayed."""
        return self._state.epoch, tuple(self._state.at.values())

    def position(self) -> object:
        """How far the log has been taken: another answer means that something new came."""
        return self._state.seq, self._state.time, len(self._splitter.left())

    def since(self) -> float | None:
        """The time from which the log is to be read; None: from its beginning.

        Whoever asks reads the log from there: what no frame has vouched for yet is forgotten, since it comes again.
        """
        with self._lock:
            self._splitter.forget()
            self._parts = None
            self._seq = self._state.seq
            self._met = self._state.time is None and not self._copy
            return None if self._state.time is None or self._copy else self._state.time - _BACK

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the log.

        Raises:
            OSError: there is no room. Nothing is lost: the log is to be read anew from `since()`.
        """
        with self._lock:
            if self._state.closed:
                return
            try:
                for start in range(0, len(data), _SLICE):
                    if not self._mine():
                        return
                    for text, frame in self._splitter.feed(data[start : start + _SLICE]):
                        self._take(text, frame)
                    self._save()
            except OSError:
                self._load()
                raise

    def close(self, *, final: bool = False) -> None:
        """Ends; what is on disk is enough to go on.

        Args:
            final: nothing comes any more: a text that the pod could not vouch for any more is taken as it is.
        """
        with self._lock:
            if not final or self._state.closed or not self._mine():
                return
            if self._met and not self._state.ended and (text := self._splitter.left()):
                self._state.vouched = self._files.sizes
                self._files.append("stdout", text, self._state.time or 0.0)
            self._miss()
            self._state.closed = self._changed = True
            self._save()

    def _save(self) -> None:
        """Data first, state behind it: what the state does not know is cut back.

        Of a frame in parts the state knows nothing before the last of them: who goes on reads the first one again.
        """
        if self._files.flush() or self._changed:
            self._state.sizes = self._files.sizes
            self._state.save(self._path)
            self._changed = False
            self._collected = self._state.collected(self._events)

    def _cut_back(self) -> None:
        """What was taken as it was comes again, and the pod vouches for it: state first, since files may be longer."""
        self._state.sizes, self._state.vouched = self._state.vouched, {}
        self._state.save(self._path)
        self._files = Files(self._paths.folder, self._state.sizes)

    # One frame.

    def _take(self, text: bytes, frame: Frame) -> None:
        self._met = True
        try:
            if frame.kind == "begin":
                self._begin(frame)
            if frame.seq <= self._seq:
                return
            if self._state.vouched:
                self._cut_back()
            if frame.seq > self._seq + 1:
                self._miss()
            self._seq = frame.seq
            self._meet(text, frame.kind, frame.fields)
        except (AttributeError, KeyError, TypeError, ValueError):  # it has the run's token, but nobody of ours made it
            return
        if self._parts is None:
            self._state.seq = self._seq
            self._state.time = float(frame.fields["t"])
            self._changed = True

    def _begin(self, frame: Frame) -> None:
        pod = frame.fields["pod"]
        epoch = [str(pod["name"]), str(pod["uid"]), int(frame.fields["start"])]
        if epoch == self._state.epoch:
            return
        self._miss()
        self._state.vouched = {}  # what another one said last does not come again
        again = frame.fields["again"] and epoch[:2] == self._state.epoch[:2]
        if not again:  # its files begin anew; what came from the others stays
            self._state.at, self._state.lines = {}, {}
        self._state.epoch = epoch
        self._state.ended = False
        self._seq = 0

    def _meet(self, text: bytes, kind: str, fields: dict[str, Any]) -> None:
        time = float(fields["t"])
        if kind == "text":
            end = len(text) - bool(fields["open"])
            data = text[max(0, end - fields["size"]) : end]
            if len(data) == fields["size"] and zlib.crc32(data) == fields["crc"]:  # else the next one proves a gap
                self._grown(fields["of"], fields, data, time)
        if kind in ("add", "put"):
            self._part(kind, fields, time)
            return
        self._miss()
        if kind == "end":
            self._end(fields, time)

    def _part(self, kind: str, fields: dict[str, Any], time: float) -> None:
        if fields["part"] == 0:
            self._parts = _Parts(str(fields["to"]), int(fields["of"]), kind == "put")
        parts = self._parts
        if parts is None or len(parts.data) != fields["part"]:  # the first ones are lost
            self._miss()
            if kind == "put":
                self._tell_missing(str(fields["to"]))
            return
        parts.data.append(fields["data"])
        if len(parts.data) < parts.count:
            return
        self._parts = None
        data = unpacked("".join(parts.data), fields["z"])
        if kind == "put":
            if data is None or not self._put(parts.to, data):
                self._tell_missing(parts.to)
        elif data is not None:
            self._grown(parts.to, fields, data, time)

    def _miss(self) -> None:
        """What is half there will not become whole."""
        parts, self._parts = self._parts, None
        if parts is not None and parts.put:
            self._tell_missing(parts.to)

    def _tell_missing(self, name: str) -> None:
        if _PUT.fullmatch(name) and name not in self._state.missing:
            self._state.missing.append(name)
            self._changed = True

    # What grows.

    def _grown(self, name: str, fields: dict[str, Any], data: bytes, time: float) -> None:
        if name not in GROWING:
            return
        at, size, lines = fields["at"], fields["size"], fields["lines"]
        self._prove(name, at, lines, time)
        if (over := self._state.at.get(name, 0) - at) >= size > 0:  # it came already
            return
        self._state.at[name], self._state.lines[name] = at + size, lines + data.count(b"\n")
        new = data[over:] if len(data) == size else data
        self._files.append(name, new, time)
        if name == "record.jsonl":
            self._events = [*self._events, *wire.parse_events(new)]

    def _prove(self, name: str, at: int, lines: int, time: float) -> None:
        """Tells of a gap, where a file is seen to go on behind where it was left."""
        known = self._state.at.get(name, 0)
        if at <= known:
            return
        gap = Gap(name, at - known, max(0, lines - self._state.lines.get(name, 0)), known)
        self._state.at[name], self._state.lines[name] = at, lines
        self._state.gaps.append(asdict(gap))
        if name not in STREAMS:
            return
        if self._files.open(name):
            self._files.append(name, b"\n", time)
        if self._files.open("stderr"):
            self._files.append("stderr", b"\n", time)
        self._files.append("stderr", told(gap).encode() + b"\n", time)

    # What is whole.

    def _put(self, name: str, data: bytes) -> bool:
        """Writes a file; False where it is not what it should be."""
        if not _PUT.fullmatch(name):
            return True
        path = self._paths.folder / name
        if name.startswith("values/"):
            if hashlib.sha256(data).hexdigest() != path.name:
                return False
            path.parent.mkdir(exist_ok=True)
        elif name == "result.json":
            try:
                result = wire.unseal(data, self._key, run=self._run, attempt=1)
            except wire.Damaged:
                return False
            data = wire.seal({**result, "attempt": self._attempt}, self._key)
            self._paths.values.mkdir(exist_ok=True)  # of what is not in it is known that it never came
            self._files.flush()  # who sees the result there finds all that was printed before
        elif name == "beyond.json":
            self._beyond(data)
        wire.replace_file(path, data)
        self._state.result = self._state.result or name == "result.json"
        if name in self._state.missing:
            self._state.missing.remove(name)
        return True

    def _beyond(self, data: bytes) -> None:
        known = json.loads(data)
        self._state.beyond = {str(name): int(size) for name, size in known["sizes"].items()}
        self._state.kept = bool(known["kept"])

    def _end(self, fields: dict[str, Any], time: float) -> None:
        for name, size in fields["sizes"].items():
            if name in GROWING:
                self._prove(name, size, fields["lines"][name], time)
        if fields["result"] and not self._state.result:
            self._tell_missing("result.json")
        for name in self._groups() if fields.get("values", True) else ():
            if name not in self._state.beyond and not (self._paths.folder / name).exists():
                self._tell_missing(name)
        self._state.status = int(fields["status"])
        self._state.ended = True

    def _groups(self) -> list[str]:
        """The files that the result names."""
        if not self._state.result:
            return []
        found = dict.fromkeys(_GROUP.findall(self._paths.result.read_bytes()))
        return [f"values/{digest.decode()}" for digest in found]


class _Parts:
    """What comes in several frames."""

    def __init__(self, to: str, count: int, put: bool) -> None:
        self.to = to
        self.count = count
        self.put = put
        self.data: list[str] = []


def told(gap: Gap) -> str:
    """The line that stands in the output in the place of what is missing."""
    count = gap.lines or 1
    what = "display" if gap.stream == "displays.jsonl" else "line"
    return f"[{count} {what}{'' if count == 1 else 's'} lost by the cluster]"


def collected(paths: AttemptPaths) -> Collected:
    """What was collected of an attempt, or of a worker of it, by whoever did; nothing is changed."""
    return State.load(paths.folder / "collected.json").collected(wire.read_events(paths.folder / "record.jsonl"))
