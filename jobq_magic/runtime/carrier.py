"""Carries the files of an attempt to the container's standard output, while the job writes them; see `frames`.

The supervisor gives it a moment every 50 ms (`beat`). It takes what grew, in the order that `order` says, and writes
it in one go. The job never waits for it: where nobody reads the log, what the job printed waits in its files.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from binascii import crc32
from collections import deque

from .frames import PIECE, Writer
from .growing import Growing, Replaced
from .wire import PROTOCOL, seal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .main import Job

    Keep = Callable[[Job, Callable[[], object]], bool]

LIMIT = 256 << 10
"""Bytes of values up to which they go through the log: it is kept by the machine of the pod, and read by the control
plane of the cluster."""
DISPLAY = 4 << 20
"""Bytes of one display beyond which it is only told of."""
STREAMS = ("stdout", "stderr", "displays.jsonl")
PUTS = ("progress.json", "usage.json", "ray.json", "raypast.json")
"""Files that are replaced as a whole while the job runs."""

_PER_BEAT = 1 << 20
_HELD = 0.1
"""Seconds for which the beginning of a line waits for its end; then it goes as it is."""
_PATIENCE = 1.0
"""Seconds for which growth waits for a sample of its order: a full disk takes none."""
_WAIT = 0.05
_SILENCE = 10.0
_OFTEN = 1.0
_MOST = 4 << 20
_LONG = 1 << 16
"""Characters of a text within a result that is too large for a log: what is longer is cut."""


def nowhere(_: Job, __: Callable[[], object]) -> bool:
    """Keeps nothing; see `keeping` for who does."""
    return False


class Carrier:
    """Carries one attempt, from the first byte of its files to the last.

    Args:
        job: whose.
        key: of the run.
        file: the container's standard output; it is made not to block.
        began: what `begin` says beside the protocol and the attempt: rank (or worker), pod, start, again.
        copy: a file that gets all of it, too; "" where none does.
        keep: called once at the end, with the job and with what is to be called meanwhile; says whether all that the
            job left is kept elsewhere now.
    """

    def __init__(
        self, job: Job, key: bytes, file: int, *, copy: str = "", keep: Keep = nowhere, **began: object
    ) -> None:
        os.set_blocking(file, False)
        self._job = job
        self._key = key
        self._keep = keep
        self._is_kept: bool | None = None
        self._writer = Writer(key)
        self._log = _Log(file, copy)
        self._streams = [Growing(os.path.join(job.out, name)) for name in STREAMS]
        self._order = _Runs(Growing(os.path.join(job.out, "order")), self._streams)
        self._record = Growing(job.record)
        self._puts = {name: Replaced(os.path.join(job.out, name), _MOST) for name in PUTS}
        self._put_due = 0.0
        self._held: tuple[int, int, float] | None = None
        self._spoke = time.monotonic()
        self._values = not (began.get("rank") or began.get("worker"))
        self._say("begin", {"protocol": PROTOCOL, "attempt": job.attempt, **began})

    def beat(self) -> bool:
        """Carries what is new, for a short while at most.

        Returns:
            Whether there is more to carry at once.
        """
        if not self._log.send(_WAIT):
            return True
        more = self._streams_grown(final=False)
        self._files_changed(time.monotonic() >= self._put_due)
        if time.monotonic() - self._spoke > _SILENCE:
            self._say("beat", {})
        return not self._log.send(_WAIT) or more

    def finish(self, status: int, late: Callable[[], bool] = lambda: False) -> bool:
        """Carries all that is left of a job that has ended, and the end.

        Args:
            status: of the container.
            late: whether there is no time left.

        Returns:
            Whether all was carried.
        """
        while self._streams_grown(final=True):
            if not self._drained(late):
                return False
        self._files_changed(True)
        result = self._results()
        self._kept()
        self._files_changed(True)  # with what there was to say about it
        sizes = {name: stream.at for name, stream in zip(STREAMS, self._streams, strict=True)}
        lines = {name: stream.lines for name, stream in zip(STREAMS, self._streams, strict=True)}
        sizes["record.jsonl"], lines["record.jsonl"] = self._record.at, self._record.lines
        carried = {"result": result, "values": self._values}
        self._say("end", {"sizes": sizes, "lines": lines, "status": status, **carried})
        self.close()
        return self._drained(late)

    def close(self) -> None:
        """Closes the files of the attempt."""
        for file in (*self._streams, self._record, self._order.order):
            file.close()

    def _drained(self, late: Callable[[], bool]) -> bool:
        while not self._log.send(_WAIT):
            if late():
                return False
        return True

    # What grows.

    def _streams_grown(self, *, final: bool) -> bool:
        """Takes what grew; returns whether there is more."""
        runs = self._order.look(final)
        self._log.room = _PER_BEAT
        while runs and self._log.room > 0:
            number, upto = runs[0]
            hold = len(runs) == 1 and not final
            if not (self._displays(upto) if number == 2 else self._text(number, upto, hold=hold)):
                break
            runs.popleft()
        return self._order.behind or bool(runs and self._log.room <= 0)

    def _text(self, number: int, upto: int, *, hold: bool) -> bool:
        """Takes a stream up to an offset; False where some of it was left for later."""
        stream = self._streams[number]
        while stream.at < upto and self._log.room > 0:
            data = stream.read(min(PIECE, upto - stream.at))
            if not data:  # the cell cut its own output
                return True
            if stream.at + len(data) < upto:
                data = data[: data.rfind(b"\n") + 1 or _characters(data)]
            elif hold and not data.endswith(b"\n"):
                whole = data.rfind(b"\n") + 1
                if whole:
                    self._piece(number, data[:whole])
                if self._waits(number, stream.at):
                    return False
                data = data[whole:][: _characters(data[whole:])]
                self._piece(number, data)
                return stream.at >= upto
            self._piece(number, data)
        return stream.at >= upto

    def _waits(self, number: int, at: int) -> bool:
        """Whether the beginning of a line is to wait for its end."""
        now = time.monotonic()
        if self._held is None or self._held[:2] != (number, at):
            self._held = number, at, now
        return now - self._held[2] < _HELD

    def _piece(self, number: int, data: bytes) -> None:
        stream = self._streams[number]
        if self._writer.mark in data or not _is_text(data):
            self._add(STREAMS[number], stream, data)
            return
        cut = not data.endswith(b"\n")
        self._log.add(data + b"\n" if cut else data)
        where = {"at": stream.at, "size": len(data), "lines": stream.lines}
        self._say("text", {"of": STREAMS[number], **where, "crc": crc32(data), "open": cut})
        stream.take(data)

    def _displays(self, upto: int) -> bool:
        stream = self._streams[2]
        while stream.at < upto and self._log.room > 0:
            data = stream.read(min(PIECE, upto - stream.at))
            size = data.rfind(b"\n") + 1 or stream.line_end(len(data), upto)
            if not size:  # it is being written
                return True
            if size > DISPLAY:
                self._add(STREAMS[2], stream, _too_large(size), size)
            else:
                self._add(STREAMS[2], stream, data[:size] if size <= len(data) else stream.read(size))
        return stream.at >= upto

    def _add(self, to: str, file: Growing, data: bytes, size: int | None = None) -> None:
        fields = {"to": to, "at": file.at, "size": len(data) if size is None else size, "lines": file.lines}
        self._parted("add", fields, data)
        if size is None:
            file.take(data)
        else:
            file.skip(size, 1)

    # What is replaced, and what comes at the end.

    def _files_changed(self, due: bool) -> None:
        while data := self._record.next_lines(PIECE):
            self._add("record.jsonl", self._record, data)
        if due:
            self._put_due = time.monotonic() + _OFTEN
            for name, file in self._puts.items():
                if (content := file.new()) is not None:
                    self._parted("put", {"to": name}, content)

    def _results(self) -> bool:
        """The result behind its values: whoever sees it there has all of it. False where there is none to carry."""
        result = _content(os.path.join(self._job.out, "result.json"))
        if result is None:
            return False
        folder = os.path.join(self._job.out, "values")
        names = sorted(filter(_is_digest, os.listdir(folder))) if self._values and os.path.isdir(folder) else []
        sizes = {f"values/{name}": os.stat(os.path.join(folder, name)).st_size for name in names}
        room = LIMIT
        for name in sorted(sizes, key=_place(result)):  # as many as there is room for come back, whatever does not
            if sizes[name] <= room:
                room -= sizes.pop(name)
                self._parted("put", {"to": name}, _content(os.path.join(self._job.out, name)) or b"")
        if len(result) > _MOST:
            sizes["result.json"] = len(result)
        if sizes:
            told = {"sizes": sizes, "kept": self._kept()}
            self._parted("put", {"to": "beyond.json"}, json.dumps(told).encode())
        if len(result) > _MOST:
            result = b"" if self._kept() else seal(_cut(json.loads(result.partition(b"\n")[0])), self._key)
        if not 0 < len(result) <= _MOST:
            return False
        self._parted("put", {"to": "result.json"}, result)
        return True

    def _kept(self) -> bool:
        """Has it kept, once."""
        if self._is_kept is None:
            try:
                self._is_kept = self._keep(self._job, self.beat)
            except OSError as error:  # no room, no process: the end is told all the same
                self._job.note(note=f"What came of it could not be kept: {error}")
                self._is_kept = False
        return self._is_kept

    # How it is said.

    def _say(self, kind: str, fields: dict[str, Any]) -> None:
        self._spoke = time.monotonic()
        self._log.add(self._writer.frame(kind, {**fields, "t": round(time.time(), 3)}))

    def _parted(self, kind: str, fields: dict[str, Any], data: bytes) -> None:
        self._spoke = time.monotonic()
        for line in self._writer.parted(kind, {**fields, "t": round(time.time(), 3)}, data):
            self._log.add(line)


class _Runs:
    """Which file grew up to where, in order."""

    def __init__(self, order: Growing, streams: list[Growing]) -> None:
        self.order = order
        self._streams = streams
        self._runs: deque[tuple[int, int]] = deque()
        self._reached = [0, 0, 0]
        self._quiet = time.monotonic()
        self.behind = False
        """Whether there are samples that were not looked at."""

    def look(self, final: bool) -> deque[tuple[int, int]]:
        """What is to be carried now; whoever has carried the first one takes it away."""
        lines = self.order.next_lines(PIECE)
        self.order.take(lines)
        self.behind = len(lines) > PIECE // 2 or (final and bool(lines))
        for line in lines.splitlines():
            try:
                _, stdout, stderr, displays = line.split()
                self._grown((int(stdout), int(stderr), int(displays)))
            except ValueError:  # cut short by a full disk; the next sample says the same and more
                continue
        now = time.monotonic()
        if lines:
            self._quiet = now
        elif final or now - self._quiet > _PATIENCE:
            self._quiet = now
            self._grown(tuple(stream.size() for stream in self._streams))
        return self._runs

    def _grown(self, sizes: tuple[int, ...]) -> None:
        for number, size in enumerate(sizes):
            if size > self._reached[number]:
                self._reached[number] = size
                if self._runs and self._runs[-1][0] == number:
                    self._runs[-1] = number, size
                else:
                    self._runs.append((number, size))


class _Log:
    """The container's standard output: a pipe that may be full for any time."""

    def __init__(self, file: int, copy: str) -> None:
        self._file = file
        self._copy: int | None = None
        if copy:
            with contextlib.suppress(OSError):
                self._copy = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._parts: list[bytes] = []
        self._left = memoryview(b"")
        self.room = 0
        """Bytes that may be added for now."""

    def add(self, data: bytes) -> None:
        """Has it written with the next `send`."""
        self._parts.append(data)
        self.room -= len(data)

    def send(self, seconds: float) -> bool:
        """Writes what was added; False where the pipe did not take all of it in that time."""
        deadline = time.monotonic() + seconds
        while self._left or self._parts:
            if not self._left:
                data = b"".join(self._parts)
                self._parts.clear()
                self._left = memoryview(data)
                self._copied(data)
            try:
                self._left = self._left[os.write(self._file, self._left) :]
            except BlockingIOError:
                if (wait := deadline - time.monotonic()) <= 0:
                    return False
                select.select([], [self._file], [], wait)
            except OSError:  # nobody will ever read it; the job ends as it would
                self._left = memoryview(b"")
        return True

    def _copied(self, data: bytes) -> None:
        """Adds to the copy, as long as there is room: behind a gap nothing more is worth anything."""
        try:
            while data and self._copy is not None:
                data = data[os.write(self._copy, data) :]
        except OSError:
            assert self._copy is not None
            os.close(self._copy)
            self._copy = None


def _is_digest(name: str) -> bool:
    return len(name) == 64 and not name.strip("0123456789abcdef")


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _characters(data: bytes) -> int:
    """How many bytes of it are whole characters, where only its end is cut within one."""
    for back in range(1, min(4, len(data)) + 1):
        if (byte := data[-back]) >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if needed > back and len(data) > back else len(data)
        if byte < 0x80:
            break
    return len(data)


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _place(result: bytes) -> Callable[[str], int]:
    """Which of the values comes when, by its name: in the order that the result gives, the smallest first."""
    groups = json.loads(result.partition(b"\n")[0]).get("groups", [])
    order = {f"values/{group}": number for number, group in enumerate(groups)}
    return lambda name: order.get(name, len(order))


def _cut(value: Any) -> Any:
    """The same, without the rest of what is long to look at: the message of an exception."""
    if isinstance(value, dict):
        return {name: _cut(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_cut(held) for held in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_LONG]}\n[{len(value) - _LONG} characters more do not come back from a cluster]"
    return value


def _too_large(size: int) -> bytes:
    text = f"This display has {size / (1 << 20):.1f} MiB; what comes back from a cluster may have {DISPLAY >> 20} MiB"
    told = {"type": "display_data", "data": {"text/plain": text}, "metadata": {}, "transient": {}}
    return json.dumps(told).encode() + b"\n"
