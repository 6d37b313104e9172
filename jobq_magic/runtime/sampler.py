"""What a job uses of this machine: cores and memory of its processes, once a second, out of /proc.

Elsewhere than on Linux nothing is told. What is told is in `usage.json` of the attempt, replaced as a whole: one entry
a group of processes, with the cores in use since the last sample, the memory in use, the most that it was, and both of
the last samples. A sample is never worth an error: whatever goes wrong, there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time

from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

PERIOD = 1.0
"""Seconds between two samples, at least."""
_SHARE = 1 / 400
"""The part of one core that sampling may take: where a sample is dear, the next one is later."""
HISTORY = 16
GROUPS = 64
_NEVER = float("inf")
_YOUNG = 5.0
"""Seconds for which a process may still become another one, by `exec` with another environment."""


class Tree:
    """What one process has used: itself and all below it.

    Args:
        label: tells it from the others.
        began: when it began, by the monotonic clock, where it had used nothing then.
    """

    def __init__(self, label: str, began: float | None = None) -> None:
        self.label = label
        self.cpu = 0.0
        self.memory = 0
        self.peak = 0
        self.history: list[float] = []
        self.memories: list[int] = []
        self._spent = None if began is None else 0.0
        self._at = began or 0.0
        self._share, self._share_due = 1.0, 0.0

    def look(self, pids: Iterable[int], now: float, *, reaped: float = 0.0, shared: bool = True) -> None:
        """One sample.

        Args:
            pids: all processes of the tree.
            now: by the monotonic clock.
            reaped: seconds of CPU of processes that this process buried.
            shared: what they share with others counts, once.
        """
        known = [seen for pid in pids if (seen := _look(pid)) is not None]
        spent = reaped + sum(seen[0] for seen in known)
        if self._spent is not None and now > self._at:
            # Less than before: a process went whose time nobody took over.
            self.cpu = round(max(0.0, spent - self._spent) / (now - self._at), 2)
            self.history = [*self.history[1 - HISTORY :], self.cpu]
        elif not known:
            self.cpu = 0.0
        self._spent, self._at = spent, now
        own = sum(seen[1] for seen in known)
        if len(known) > 1:  # forked processes hold pages together, each of which says that it holds them
            own = int(own * self._held([seen[3] for seen in known], own, now))
        self.memory = own + (max((seen[2] for seen in known), default=0) if shared else 0)
        self.peak = max(self.peak, self.memory)
        self.memories = [*self.memories[1 - HISTORY :], self.memory]

    def _held(self, pids: list[int], own: int, now: float) -> float:
        """The part of `own` that is left when each page counts once. The kernel walks all pages for that: seldom."""
        if now >= self._share_due:
            began = time.perf_counter()
            held = sum(_anonymous(pid) for pid in pids)
            self._share = min(1.0, held / own) if held and own else 1.0
            self._share_due = now + max(PERIOD, (time.perf_counter() - began) / _SHARE)
        return self._share

    def told(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "label": self.label,
            "cpu": self.cpu,
            "memory": self.memory,
            "peak": self.peak,
            "history": self.history,
            "memories": self.memories,
        }


class Usage:
    """Takes the samples of an attempt when it is called, and writes what is new.

    Args:
        out: folder of the attempt.
        look: brings trees up to date.
        first: seconds until the first sample.
    """

    def __init__(self, out: str, look: Callable[[float], list[Tree]], first: float = PERIOD) -> None:
        self._path = os.path.join(out, "usage.json")
        self._look = look
        self._trees: list[Tree] = []
        self._due = time.monotonic() + first if _has_proc() else _NEVER
        self._written = b""

    def sample(self) -> None:
        """Takes a sample if it is time for one; never raises."""
        now = time.monotonic()
        if now < self._due:
            return
        began = time.thread_time()
        with contextlib.suppress(Exception):
            self._trees = self._look(now)
            if any(tree.history for tree in self._trees):  # of the first second nothing is known before it is over
                self._write()
        self._due = now + max(PERIOD, (time.thread_time() - began) / _SHARE)

    def close(self, *, peak: int = 0, cpu: float = 0.0, seconds: float = 0.0) -> None:
        """Writes the last word; never raises.

        Args:
            peak: bytes that the first tree held at some time, where the kernel says so.
            cpu: seconds of CPU that it took in all, for a job that was over before the second sample.
            seconds: how long it ran.
        """
        if self._due == _NEVER:
            return
        with contextlib.suppress(Exception):
            first = self._trees[0] if self._trees else Tree("")
            first.peak = max(first.peak, peak)
            if not first.history and seconds > 0:
                first.cpu = round(cpu / seconds, 2)
            first.memory = first.memory or first.peak
            self._trees = self._trees or [first]
            self._write()
        self._due = _NEVER

    def _write(self) -> None:
        data = json.dumps([tree.told() for tree in self._trees[:GROUPS]]).encode()
        if data != self._written:
            partial = f"{self._path}.part"  # one name: who is killed over it leaves one file, not one a kill
            with open(partial, "wb", buffering=0) as file:
                file.write(data)
            os.replace(partial, self._path)
            self._written = data


def of_job(out: str, pid: int, *, adopted: bool) -> Usage:
    """The usage of a local job, as its supervisor sees it.

    Args:
        out: folder of the attempt.
        pid: the job.
        adopted: it is not a child of this process, to which orphans come.
    """
    tree = Tree("", None if adopted else time.monotonic())

    def look(now: float) -> list[Tree]:
        reaped = 0.0 if adopted else sum(os.times()[2:4])
        tree.look([pid, *_below(pid)] if adopted else _below(os.getpid()), now, reaped=reaped)
        return [tree]

    return Usage(out, look, 0.0 if adopted else PERIOD)


@contextlib.contextmanager
def of_workers(out: str, run: str) -> Iterator[None]:
    """Meanwhile samples this process as `driver`, and the other processes of a run on this machine as `1`, `2`, ..."""
    if not _has_proc():
        yield
        return
    usage = Usage(out, _Workers(run).look, 0.0)
    ended = threading.Event()

    def loop() -> None:
        pause = 0.2  # what is known by then is compared with
        while not ended.wait(pause):
            usage.sample()
            pause = PERIOD

    thread = threading.Thread(target=loop, name="jobq-usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(0.05)
        if not thread.is_alive():
            usage.close()


class _Workers:
    """The processes of a run that are not below its driver, each under the lowest number that is free."""

    def __init__(self, run: str) -> None:
        from .marks import mark

        self._mark = mark(run)
        self._driver = Tree("driver")
        self._trees: list[Tree] = []
        self._held: list[int] = []
        self._judged: dict[int, tuple[bool, float]] = {}

    def look(self, now: float) -> list[Tree]:
        """All trees, as they are now."""
        own = os.getpid()
        parents = {pid: _parent(pid) for pid in self._ours(now)}
        above, one = set(), own  # what of Ray starts the driver, and waits beside it, is marked too
        while one in parents:
            above.add(one)
            one = parents.pop(one)
        above.discard(own)
        trees: dict[int, list[int]] = {own: [own]}
        for pid in sorted(parents):
            top = pid
            while (higher := parents.get(top, 0)) in parents or higher == own:
                top = higher
                if top == own:
                    break
            if higher in above:
                continue
            trees.setdefault(top, []).append(pid)
        self._driver.look(trees.pop(own), now, shared=False)
        self._seat(list(trees))
        for tree, pid in zip(self._trees, self._held, strict=True):
            tree.look(trees.get(pid, ()), now, shared=False)
        return [self._driver, *self._trees]

    def _seat(self, pids: list[int]) -> None:
        self._held = [pid if pid in pids else 0 for pid in self._held]
        for pid in pids:
            if pid in self._held:
                continue
            if 0 in self._held:
                self._held[self._held.index(0)] = pid
            elif len(self._held) < GROUPS - 1:
                self._held.append(pid)
                self._trees.append(Tree(str(len(self._held))))

    def _ours(self, now: float) -> list[int]:
        there = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        # Of those that are there from the beginning, few are young.
        new = (False, now if self._judged else now - _YOUNG + PERIOD)
        judged = {}
        for pid in there:
            ours, since = self._judged.get(pid, new)
            if not ours and now - since <= _YOUNG:
                ours = _is_marked(pid, self._mark)
            judged[pid] = (ours, since)
        self._judged = judged
        return [pid for pid, (ours, _) in judged.items() if ours]


def _has_proc() -> bool:
    return os.path.isdir("/proc/self/task")


_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _look(pid: int) -> tuple[float, int, int, int] | None:
    """Of a process: seconds of CPU with those of its buried children, own bytes, shared bytes, pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            resident, shared = map(int, file.read(256).split()[1:3])
    except (OSError, ValueError, IndexError):
        return None
    return sum(map(int, fields[11:15])) * _TICK, (resident - shared) * _PAGE, shared * _PAGE, pid


def _anonymous(pid: int) -> int:
    """Bytes of its own pages, each divided by how many processes hold it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file if line.startswith(b"Pss_Anon:"))
        return int(lines[b"Pss_Anon"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return 0


def _below(pid: int) -> list[int]:
    """All processes below `pid`, as the kernel lists them: its cost is that of the tree, not of the machine."""
    found: list[int] = []
    ahead = [pid]
    while ahead:
        one = ahead.pop()
        try:
            threads = os.listdir(f"/proc/{one}/task")
            for thread in threads:
                with open(f"/proc/{one}/task/{thread}/children", "rb", buffering=0) as file:
                    children = [int(child) for child in file.read(1 << 16).split()]
                found += children
                ahead += children
        except FileNotFoundError:
            if one == pid and not os.path.exists(f"/proc/{one}/task/{one}/children"):
                return process.descendants(pid) if os.path.exists(f"/proc/{one}") else []
        except (OSError, ValueError):
            continue
    return found


def _is_marked(pid: int, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return wanted in file.read().split(b"\0")
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read(4096).rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
