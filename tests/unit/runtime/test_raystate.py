"""What Ray is asked while a run's cluster lives: of many tasks and nodes too, and never so that it disturbs the run."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from jobq_magic.raytold import RayTold
from jobq_magic.runtime import raynews, raystate, raywaits
from tests.support import eventually

TOKEN = "the-token"


def task(number: int, state: str, name: str = "hits", **more):
    usual = {"name": name, "func_or_class_name": name, "state": state, "node_id": f"n{1 + number % 2}"}
    usual["type"] = "NORMAL_TASK"
    times = {"start_time_ms": 1_800_000_000_000 + number * 100, "end_time_ms": 1_800_000_000_050 + number * 100}
    return usual | (times if state != "PENDING_NODE_ASSIGNMENT" else dict.fromkeys(times)) | more


class Ray:
    """A dashboard by hand, and the metrics of its head."""

    def __init__(self) -> None:
        self.tasks = []
        self.total = None
        self.nodes = 3
        self.metrics = ""
        self.slow = 0.0
        self.asked = []
        self.actors = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                outer.asked.append((time.monotonic(), parts.path, dict(parse_qs(parts.query))))
                if parts.path != "/metrics" and self.headers["X-Ray-Authorization"] != f"Bearer {TOKEN}":
                    self.send_error(401)
                    return
                body = outer.answer(parts.path, parse_qs(parts.query)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, path, query) -> str:
        if path == "/metrics":
            return self.metrics
        if path == "/api/jobs/":
            return "[]"
        if path == "/nodes":
            return json.dumps({"data": {"summary": [self.node(number) for number in range(self.nodes)]}})
        known = self.actors if path == "/api/v0/actors" else []
        if path == "/api/v0/tasks":
            time.sleep(self.slow)
            state = query.get("filter_values", [None])[0]
            known = [one for one in self.tasks if state in (None, one["state"])][: int(query["limit"][0])]
        total = len(known) if path != "/api/v0/tasks" or self.total is None else self.total
        return json.dumps({"data": {"result": {"result": known, "total": total}}})

    def node(self, number):
        raylet = {"nodeId": f"n{number}", "isHeadNode": number == 0, "state": "ALIVE", "metricsExportPort": self.port}
        held = {"cgroupMem": [2_000_000_000, 8_000_000_000], "mem": [0, 0, 0, 0]}
        gpus = [{"utilizationGpu": 50, "memoryUsed": 1024, "memoryTotal": 4096}] if number else []
        who = {"hostname": f"pi-{number}", "ip": "127.0.0.1"}
        return {**who, "cpu": 75.0, "cpus": [2, 2], "gpus": gpus, "raylet": raylet, **held}


@pytest.fixture
def ray():
    found = Ray()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def watched(ray, tmp_path, monkeypatch):
    """What a watch has written, at its end and meanwhile."""
    monkeypatch.setattr(raystate, "PERIOD", 0.05)
    watch = raystate.Watch(str(tmp_path), TOKEN, ray.port)

    def now(good=lambda _: True):
        watch.start()

        def told():
            past = tmp_path / "raypast.json"
            if not (tmp_path / "ray.json").exists():
                return None
            kept = json.loads(past.read_bytes()) if past.exists() else None
            seen = RayTold.read(json.loads((tmp_path / "ray.json").read_bytes()), kept)
            return seen if good(seen) else None

        return eventually(told, 20)

    now.watch = watch
    yield now
    watch.close(10)


def test_tasks_are_counted_by_their_names_and_by_their_nodes(ray, watched):
    ray.tasks = [task(n, "FINISHED") for n in range(10)] + [task(1, "FAILED"), task(2, "RUNNING", "fit")]
    ray.tasks += [task(3, "PENDING_NODE_ASSIGNMENT", node_id=None)]
    told = watched(lambda seen: seen.tasks and seen.nodes[1].finished)
    hits, fit = told.tasks
    assert (hits.name, hits.finished, hits.failed, hits.pending, hits.running) == ("hits", 10, 1, 1, 0)
    assert (fit.name, fit.running) == ("fit", 1)
    assert [(node.name, node.head, node.finished, node.failed, node.running) for node in told.nodes] == [
        ("pi-0", True, 0, 0, 0),
        ("pi-1", False, 5, 0, 1),
        ("pi-2", False, 5, 1, 0),
    ]
    assert (told.nodes[1].cpu, told.nodes[1].cpus) == (1.5, 2)
    assert (told.nodes[1].gpu, told.nodes[1].gpus, told.nodes[0].gpu) == (0.5, 1, None)


def test_of_more_tasks_than_are_listed_the_ends_are_those_that_the_driver_counted(ray, watched):
    ray.tasks = [task(n, "FINISHED") for n in range(20)] + [task(2, "RUNNING")]
    ray.total = 20_013
    counted = 'ray_tasks{{Name="hits",Source="{}",State="{}",JobId=""}} {}\n'
    ray.metrics = "# HELP\n" + counted.format("owner", "FINISHED", "1.9e+04") + counted.format("owner", "FAILED", "7.0")
    ray.metrics += counted.format("executor", "FINISHED", "99999.0") + counted.format("owner", "NIL", "5.0")
    told = watched(lambda seen: not seen.whole and seen.count("finished") > 20)
    assert (told.count("finished"), told.count("failed"), told.count("running")) == (19_000, 7, 1)
    assert [(node.finished, node.running) for node in told.nodes[1:]] == [(None, 1), (None, 0)]


def test_many_names_are_told_together(ray, watched):
    ray.tasks = [task(n, "FINISHED", f"f{n % 50:02}") for n in range(100)]
    told = watched(lambda seen: seen.count("finished") == 100)
    assert len(told.tasks) == 33
    assert (told.tasks[-1].name, told.tasks[-1].names, told.tasks[-1].finished) == ("", 18, 36)


def test_at_its_end_it_looks_a_last_time_and_says_what_ran_when(ray, watched):
    ray.tasks = [task(n, "FINISHED") for n in range(4)]
    watched()
    ray.tasks += [task(4, "FAILED", "fit")]
    watched.watch.close(10)
    told = watched(lambda seen: seen.line is not None)
    assert told.count("failed") == 1
    assert [(span.begin, span.end, span.failed) for span in told.line.spans][-1] == (0.4, 0.45, True)
    assert (told.line.names, told.line.nodes) == (("hits", "fit"), ("pi-0", "pi-1", "pi-2"))


def test_what_takes_ray_long_is_asked_seldom_and_not_at_the_end(ray, watched):
    ray.slow = 0.4
    ray.tasks = [task(1, "FINISHED")]
    watched(lambda seen: seen.count("finished") == 1)
    looks = len(ray.asked)
    eventually(lambda: len(ray.asked) > looks + 12, 20)
    ray.slow = 5.0
    began = time.monotonic()
    watched.watch.close(0.3)
    assert time.monotonic() - began < 1.0
    assert sum(path == "/api/v0/tasks" for _, path, _ in ray.asked) == 2  # neither the list nor the line at the end


def test_a_dashboard_that_is_slow_only_while_it_starts_is_asked_as_often_as_others(ray, watched):
    ray.slow = 0.5
    ray.tasks = [task(1, "RUNNING")]
    watched(lambda seen: seen.count("running") == 1)
    ray.slow = 0.0
    began = time.monotonic()
    ray.tasks = [task(1, "FINISHED")]
    watched(lambda seen: seen.count("finished") == 1)
    assert time.monotonic() - began < 5  # by the first answer it would be ten seconds


def test_what_ran_when_is_told_early_and_then_more_and_more_seldom(ray, watched):
    ray.tasks = [task(1, "FINISHED")]
    watched.watch._past_due = 0.0
    watched(lambda seen: seen.line is not None)
    details = lambda: [at for at, path, asked in ray.asked if path == "/api/v0/tasks" and "detail" in asked]  # noqa: E731
    first, second, third = eventually(lambda: details()[2:5] if len(details()) > 4 else None, 20)
    assert third - second > second - first


def test_it_says_when_tasks_were_counted_whatever_was_asked_since(ray, watched):
    ray.tasks = [task(1, "RUNNING")]
    first = watched(lambda seen: seen.count("running") == 1).counted
    assert abs(time.time() - first) < 20
    later = watched(lambda seen: seen.counted > first)
    watched.watch.close(10)
    kept = watched(lambda seen: seen.line is not None)
    assert kept.line.until >= later.counted - 20
    assert kept.line.since == pytest.approx(1_800_000_000.1)


def test_the_actor_in_which_kuberay_waits_is_none_of_the_cells(ray, watched):
    ray.actors = [{"state": "ALIVE", "class_name": "JobSupervisor"}, {"state": "ALIVE", "class_name": "Mine"}]
    assert watched(lambda seen: seen.actors).actors == {"alive": 1}


def test_what_a_thousand_nodes_say_is_said_seldom(ray, watched):
    ray.nodes = 1000
    told = watched(lambda seen: len(seen.nodes) == 1000)
    assert told.nodes[0].head
    assert watched.watch._pause > 60


OUT_OF_MEMORY = {"error_type": "OUT_OF_MEMORY", "task_id": "t1"}


def test_a_note_that_cannot_be_made_is_made_with_the_next_look(ray, tmp_path, monkeypatch):
    monkeypatch.setattr(raystate, "PERIOD", 0.05)
    monkeypatch.setattr(raynews, "QUIET", 0.0)
    told = []

    def note(text):
        told.append(text)
        if len(told) == 1:
            raise OSError(28, "No space left on device")

    ray.tasks = [task(1, "FAILED", **OUT_OF_MEMORY)]
    watch = raystate.Watch(str(tmp_path), TOKEN, ray.port, note=note).start()
    eventually(lambda: len(told) == 2, 20)
    watch.close(10)
    assert told[0] == told[1]


def test_a_task_that_no_worker_can_hold_is_noted(ray, tmp_path, monkeypatch):
    monkeypatch.setattr(raystate, "PERIOD", 0.05)
    monkeypatch.setattr(raywaits, "PATIENCE", 0.2)
    monkeypatch.setenv(raystate.ROOM, '[{"CPU":2,"GPU":0}]')
    waits = {"required_resources": {"CPU": 2.0, "GPU": 1.0}, "node_id": None}
    ray.tasks = [task(0, "RUNNING"), task(1, raywaits.PENDING, "fit", **waits)]
    told: list[str] = []
    watch = raystate.Watch(str(tmp_path), TOKEN, ray.port, note=told.append).start()
    (sentence,) = eventually(lambda: told, 20)
    assert sentence.startswith("`fit` cannot begin: it asks for 1 GPU")
    watch.close()


def test_nothing_is_noted_once_the_watch_is_closed(ray, tmp_path, monkeypatch):
    monkeypatch.setattr(raystate, "PERIOD", 0.05)
    told = []
    ray.tasks = [task(1, "FAILED", **OUT_OF_MEMORY)]
    ray.slow = 1.0
    watch = raystate.Watch(str(tmp_path), TOKEN, ray.port, note=told.append).start()
    eventually(lambda: any(path == "/api/v0/tasks" for _, path, _ in ray.asked), 20)
    watch.close(patience=0.1)
    watch._thread.join(20)
    assert told == []
