"""What Ray knows of a run's own cluster, asked of its dashboard now and then: it stays when the cluster is gone.

`ray.json` of the attempt says how it stands: the nodes with what they use and do, the tasks by their names, the actors.
`raypast.json` says how it went: a line of time of at most 2,000 tasks, and what was used when. Both are replaced as a
whole. To list tasks is dear for Ray where there are many, so each question is asked again only after many times as
long as its answer took. Nothing here is worth an error: of a dashboard that does not answer nothing new is told.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import threading
import time
from collections import Counter

from .raynews import News
from .raypod import DASHBOARD
from .raywaits import PENDING, Waits
from .wire import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PERIOD = 2.0
"""Seconds between two looks, at least."""
TASKS = 2000
"""Tasks on the line of time."""
_PAST, _SOON = 60.0, 8.0
"""Seconds between two words about the past, once it is that long, and until the first."""
_SHARE, _NODES_SHARE = 1 / 20, 1 / 4
"""The part of its time that the dashboard may take to list tasks, and to say how nodes are: that it knows already."""
_PACE, _PAST_PACE = 2048, 512
"""Bytes a second that either file may take of the container's log."""
_LISTED = 10_000
"""What the dashboard lists at most."""
_DEAD = 1000
"""Actors that died, and tasks that failed where not all are listed, of which it is asked why."""
_WITH_STATE = "&filter_keys=state&filter_predicates=%3D&filter_values="
_NAMES, _LONG = 32, 80
_POINTS = 120
_RUNNING = ("RUNNING", "RUNNING_IN_RAY_GET", "RUNNING_IN_RAY_WAIT", "GETTING_AND_PINNING_ARGS")
_ENDS = {"FINISHED": "finished", "FAILED": "failed"}
_KUBERAYS = "JobSupervisor"
"""The actor in which KubeRay's job waits for the end of ours."""
ROOM = "JOBQ_ROOM"
"""The variable with what each worker has that was asked for, one of each kind, as a list of JSON."""
_METRIC = re.compile(r"^ray_tasks\{(?P<labels>.*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Watch:
    """Looks from a thread until it is closed.

    Args:
        out: folder of the attempt.
        token: of the run's Ray; see `raypod.token`.
        port: of the dashboard, on this machine.
        note: takes what Ray did to the run's work, a sentence each.
    """

    def __init__(
        self, out: str, token: str, port: int = DASHBOARD, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._out = out
        self._news = News(note)
        self._waits = Waits(note, json.loads(os.environ.get(ROOM) or "[]"))
        self._room: list[dict[str, float]] = []
        self._dead = self._failed = 0
        self._dashboard = _Dashboard(port, token)
        self._closed = threading.Event()
        self._telling = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="jobq-ray", daemon=True)
        self._patience = _NEVER
        self._now: dict[str, Any] = {"since": round(time.time(), 1), "nodes": [], "tasks": [], "actors": {}}
        self._listed: list[dict[str, Any]] = []
        self._whole = True
        self._counted: dict[str, Counter[str]] = {}
        self._history: list[tuple[float, float, int, int]] = []
        self._line: dict[str, Any] = {"since": 0.0, "names": [], "nodes": [], "tasks": [], "of": 0}
        self._questions = {
            "nodes": _Question(self._ask_nodes, PERIOD, _NODES_SHARE),
            "tasks": _Question(self._ask_tasks, PERIOD),
            "running": _Question(self._ask_running, PERIOD),
            "line": _Question(self._ask_line, PERIOD),
        }
        self._pause = PERIOD
        self._began = time.monotonic()
        self._past_due = self._began + _SOON
        self._ids: dict[str, int] = {}

    def start(self) -> Watch:
        """Begins, if it has not."""
        if self._thread.ident is None:
            self._thread.start()
        return self

    def close(self, patience: float = 0.5) -> None:
        """Looks a last time, as far as that takes no longer than `patience`, and ends."""
        if self._thread.ident is not None:
            self._patience = time.monotonic() + patience
            self._closed.set()
            self._thread.join(patience)
            with self._telling:  # from here on the record is another's
                self._over = True

    def _watch(self) -> None:
        while not self._closed.wait(self._pause):
            self._look(last=False)
        self._look(last=True)

    def _look(self, *, last: bool) -> None:
        now = time.monotonic()
        asked = False
        for name, question in self._questions.items():
            if name == "running" and self._whole:  # a list of all says it
                continue
            if name == "line" and not last and now < self._past_due:  # nobody would hear of it
                continue
            cost = question.cost or self._questions["tasks"].cost
            if cost < self._patience - time.monotonic() if last else now >= question.due:
                with contextlib.suppress(Exception):
                    question.ask()
                    asked = True
        with self._telling, contextlib.suppress(Exception):
            if not self._over:
                self._news.tell(time.monotonic(), last=last)
                self._waits.tell(time.monotonic())
        if not asked:
            return
        with contextlib.suppress(Exception):
            self._now["at"] = round(time.time(), 1)
            self._summed()
            size = _write(os.path.join(self._out, "ray.json"), self._now)
            self._pause = max(PERIOD, size / _PACE)
            if last or now >= self._past_due:
                past = {"at": self._now["at"], "line": self._line, "history": self._history}
                size = _write(os.path.join(self._out, "raypast.json"), past)
                self._past_due = now + max(min(_PAST, now - self._began), size / _PAST_PACE)

    def _ask_nodes(self) -> None:
        known = self._dashboard.ask("/nodes?view=summary")["data"]["summary"]
        nodes = [_node(one) for one in known]
        nodes.sort(key=lambda node: (not node["head"], node["name"]))
        spilled = {str(one["raylet"]["nodeId"]): _spilled(one) for one in known}
        self._room = [one["raylet"].get("resourcesTotal") or {} for one in known if _alive(one)]
        self._news.nodes({node["id"]: dict(node) for node in nodes}, spilled, time.monotonic())
        self._ids = {node.pop("id"): at for at, node in enumerate(nodes)}
        self._now["nodes"] = nodes
        alive = [node for node in nodes if node["alive"]]
        used = round(sum(node["cpu"] for node in alive), 2), sum(node["memory"] for node in alive)
        self._history.append((round(time.time(), 1), *used, sum(one.get("running", 0) for one in self._now["tasks"])))
        if len(self._history) > _POINTS:  # of two each, the one with more to do
            pairs = zip(self._history[::2], self._history[1::2], strict=False)
            self._history = [max(pair, key=lambda point: point[1]) for pair in pairs]
        head = next((one for one in known if one["raylet"].get("isHeadNode")), None)
        if head is not None and not self._whole:
            self._count(self._dashboard.read(head["ip"], int(head["raylet"]["metricsExportPort"]), "/metrics"))
        if not self._now.get("job"):
            jobs = self._dashboard.ask("/api/jobs/")
            drivers = [job for job in jobs if job["type"] == "DRIVER" and not job.get("submission_id")]
            if drivers:
                self._now["job"] = str(max(drivers, key=lambda job: job["start_time"] or 0)["job_id"])
        actors = self._dashboard.listed("actors", "")[0]
        own = [one for one in actors if one.get("class_name") != _KUBERAYS]
        self._now["actors"] = dict(Counter(str(one["state"]).lower() for one in own))
        dead = self._now["actors"].get("dead", 0)
        if dead > self._dead:
            rows, _ = self._dashboard.listed("actors", f"&detail=1{_WITH_STATE}DEAD", _DEAD)
            self._news.actors(rows, time.monotonic())
            self._dead = dead

    def _ask_tasks(self) -> None:
        asked = round(time.time(), 1)
        self._listed, total = self._dashboard.listed("tasks", "")
        self._now["counted"] = asked
        self._whole = total <= len(self._listed)
        self._line["of"] = total
        if self._news.tasks(self._listed, time.monotonic()):
            self._ask_failed()
        now = time.monotonic()
        if self._waits.unclear(self._listed, now):
            self._waits.learn(self._dashboard.listed("tasks", f"&detail=1{_WITH_STATE}{PENDING}", _DEAD)[0], now)
        self._waits.look(self._listed, self._room, now)

    def _ask_running(self) -> None:
        asked = round(time.time(), 1)
        running, _ = self._dashboard.listed("tasks", f"{_WITH_STATE}RUNNING")
        self._now["counted"] = asked
        failed = sum(ends["failed"] for ends in self._counted.values())
        if failed > self._failed:
            self._ask_failed()
            self._failed = failed
        self._listed = [one for one in self._listed if one["state"] not in _RUNNING] + running

    def _ask_failed(self) -> None:
        rows, _ = self._dashboard.listed("tasks", f"&detail=1{_WITH_STATE}FAILED", _DEAD)
        self._news.tasks(rows, time.monotonic())

    def _ask_line(self) -> None:
        asked = round(time.time(), 1)
        rows, total = self._dashboard.listed("tasks", "&detail=1", TASKS)
        line = _line(rows, [node["name"] for node in self._now["nodes"]], self._ids)
        self._line = line | {"of": total, "until": asked}

    def _count(self, metrics: str) -> None:
        """The ends that the driver has counted: it knows of all, also of those that Ray has forgotten."""
        counted: dict[str, Counter[str]] = {}
        for found in _METRIC.finditer(metrics):
            labels = dict(_LABEL.findall(found["labels"]))
            if labels.get("Source") == "owner" and (end := _ENDS.get(labels.get("State", ""))):
                counted.setdefault(_short(labels.get("Name", "")), Counter())[end] += int(float(found["count"]))
        for name, ends in counted.items():
            self._counted.setdefault(name, Counter())
            self._counted[name] |= ends

    def _summed(self) -> None:
        """Counts by name and by node, of what is listed."""
        names: dict[str, Counter[str]] = {}
        nodes = [Counter[str]() for _ in self._now["nodes"]]
        for one in self._listed:
            state = _ENDS.get(one["state"]) or ("running" if one["state"] in _RUNNING else "pending")
            names.setdefault(_short(one["func_or_class_name"] or one["name"]), Counter())[state] += 1
            if (at := self._ids.get(one["node_id"] or "")) is not None:
                nodes[at][state] += 1
        if not self._whole:
            for name, ends in self._counted.items():
                names.setdefault(name, Counter())
                names[name] |= ends
        for node, counts in zip(self._now["nodes"], nodes, strict=True):
            node["running"] = counts["running"]
            if self._whole:
                node |= {"finished": counts["finished"], "failed": counts["failed"]}
            else:
                node.pop("finished", None)
                node.pop("failed", None)
        order = sorted(names, key=lambda name: (-names[name].total(), name))
        self._now["tasks"] = [{"name": name, **names[name]} for name in order[:_NAMES]]
        if rest := order[_NAMES:]:
            others = sum((names[name] for name in rest), Counter[str]())
            self._now["tasks"].append({"name": "", "names": len(rest), **others})
        self._now["whole"] = self._whole


class _Question:
    """What is asked again, after as long as its answer is worth.

    Of its last two answers the quicker one counts: a dashboard that is just starting takes long for anything.
    """

    def __init__(self, ask: Any, period: float, share: float = _SHARE) -> None:
        self._ask = ask
        self._period = period
        self._share = share
        self._took: float | None = None
        self.cost = 0.0
        self.due = 0.0

    def ask(self) -> None:
        began = time.monotonic()
        try:
            self._ask()
        finally:
            took = time.monotonic() - began
            self.cost = took if self._took is None else min(took, self._took)
            self.due = began + (self._period if self._took is None else max(self._period, self.cost / self._share))
            self._took = took


class _Dashboard:
    """Ray's own, on this machine."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"X-Ray-Authorization": f"Bearer {token}"}

    def ask(self, path: str) -> Any:
        """What it says, where it is well.

        Raises:
            OSError, ValueError, http.client.HTTPException: it is not.
        """
        return json.loads(self.read("127.0.0.1", self._port, path))

    def listed(self, what: str, wanted: str, most: int = _LISTED) -> tuple[list[dict[str, Any]], int]:
        """Some of what there is, and how much that is in all."""
        told = self.ask(f"/api/v0/{what}?limit={most}{wanted}")["data"]["result"]
        return told["result"], told["total"]

    def read(self, host: str, port: int, path: str) -> str:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ValueError(answer.status)
        return body.decode()


def _node(one: dict[str, Any]) -> dict[str, Any]:
    raylet = one["raylet"]
    cores = (one.get("cpus") or [0])[0] or 0
    used, most = one.get("cgroupMem") or (one["mem"][3], one["mem"][0])
    told = {
        "id": raylet["nodeId"],
        "name": str(one["hostname"]),
        "ip": str(one["ip"]),
        "head": bool(raylet.get("isHeadNode")),
        "alive": _alive(one),
        "cpu": round((one.get("cpu") or 0) / 100 * cores, 2),
        "cpus": cores,
        "memory": int(used),
        "memory_most": int(most),
        "store": int(raylet.get("objectStoreUsedMemory") or 0),
    }
    if gpus := one.get("gpus"):
        told["gpu"] = round(sum(gpu.get("utilizationGpu") or 0 for gpu in gpus) / 100, 2)
        told["gpus"] = len(gpus)
        told["gpu_memory"] = sum(gpu.get("memoryUsed") or 0 for gpu in gpus) << 20
        told["gpu_memory_most"] = sum(gpu.get("memoryTotal") or 0 for gpu in gpus) << 20
    return told


def _alive(one: dict[str, Any]) -> bool:
    return bool(one["raylet"].get("state") == "ALIVE")


def _spilled(one: dict[str, Any]) -> int:
    """The bytes of objects that a node has moved to disk."""
    return int((one["raylet"].get("storeStats") or {}).get("spilledBytesTotal") or 0)


def _line(rows: list[dict[str, Any]], nodes: list[str], ids: dict[str, int]) -> dict[str, Any]:
    """The tasks that have begun: name and node by number, seconds until begin and end (or None), 1 where it failed."""
    names: dict[str, int] = {}
    tasks: list[list[Any]] = []
    since = min((row["start_time_ms"] for row in rows if row.get("start_time_ms")), default=0)
    for row in rows:
        if not row.get("start_time_ms") or (node := ids.get(row["node_id"] or "")) is None:
            continue
        number = names.setdefault(_short(row["func_or_class_name"] or row["name"]), len(names))
        begin, end = (
            round((ms - since) / 1000, 2) if ms else None for ms in (row["start_time_ms"], row["end_time_ms"])
        )
        tasks.append([number, node, begin, end, int(row["state"] == "FAILED")])
    tasks.sort(key=lambda task: task[2])
    return {"since": since / 1000, "names": list(names), "nodes": nodes, "tasks": tasks}


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[: _LONG - 1]}…"


def _write(path: str, told: Any) -> int:
    data = json.dumps(told, separators=(",", ":")).encode()
    replace_file(path, data)
    return len(data)


_NEVER = float("inf")
