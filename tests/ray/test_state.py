"""What Ray says of a cluster stays when the cluster is gone, and its dashboard opens through an API server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobq_magic.backends.ray.launch import environment
from jobq_magic.cluster import connection
from jobq_magic.cluster.dashboard import Dashboards
from jobq_magic.raytold import RayTold
from jobq_magic.runtime import process, raynews, raystate, raywaits
from jobq_magic.site import Site
from tests.rayed import free_ports
from tests.support import eventually
from tests.unit.cluster.apiserver import ApiServer, config

DRIVER = """
import sys, time, ray
ray.init(address={address!r}, log_to_driver=False)

@ray.remote
def weigh(n):
    return n

@ray.remote(max_retries=0)
def fail():
    raise ValueError

@ray.remote
class Counter:
    def add(self):
        return 1

@ray.remote
def hold():
    time.sleep(600)

counter = Counter.options(num_cpus=0).remote()
ray.get([counter.add.remote() for _ in range(3)])
ray.get([weigh.remote(n) for n in range(40)])
try:
    ray.get(fail.remote())
except ValueError:
    pass
held = [hold.remote() for _ in range(3)]
print("holds", flush=True)
sys.stdin.read()
"""


TROUBLE = """
import os, sys, time, numpy, ray
ray.init(address={address!r}, log_to_driver=False)

@ray.remote(max_retries=0)
def work():
    time.sleep(600)

@ray.remote(num_cpus=0, resources={{"node:__internal_head__": 0.01}})
class Model:
    def ready(self):
        return True
    def crash(self):
        os._exit(3)

wished = Model.remote()
ray.get(wished.ready.remote())
ray.kill(wished)
for call in (Model.remote().crash, work):
    try:
        ray.get(call.remote())
    except ray.exceptions.RayError as error:
        print(type(error).__name__, flush=True)
held = [ray.put(numpy.ones(5 << 20)) for _ in range(5)]
waits = work.options(num_gpus=1, name="trained").remote(), Model.options(num_cpus=9, resources={{}}).remote()
print("holds", flush=True)
sys.stdin.read()
"""


class Cluster:
    """A head without room for tasks, and a worker with room for two.

    Args:
        temp: where it writes.
        store: bytes of objects for which the head has memory.
        full: what part of this machine's memory is too much for the worker.
    """

    def __init__(self, temp: Path, store: int = 0, full: str = "") -> None:
        self.token = secrets.token_hex(32)
        gcs, self.port, *others = free_ports(5)
        self.address = f"127.0.0.1:{gcs}"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environ = {**environment(os.environ, self.token), "PATH": path, "HOME": str(temp)}
        usual = ("--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1")
        ports = ("--dashboard-agent-listen-port", "--ray-client-server-port", "--metrics-export-port")
        head = [f"{name}={port}" for name, port in zip(ports, others, strict=True)]
        head += [f"--port={gcs}", f"--dashboard-port={self.port}", "--dashboard-host=127.0.0.1", f"--temp-dir={temp}/r"]
        head += [f"--object-store-memory={store}"] if store else []
        self.started = [self._start("--head", "--num-cpus=0", "--include-dashboard=true", *usual, *head)]
        eventually(self._answers, 60)
        if full:
            self.environ |= {"RAY_memory_usage_threshold": full, "RAY_memory_monitor_refresh_ms": "100"}
        self.started.append(self._start(f"--address={self.address}", "--num-cpus=2", *usual))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-P", "-m", "ray.scripts.scripts", "start", *arguments]
        return subprocess.Popen(argv, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask("/api/version"))
        return False

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            headers=headers or {"X-Ray-Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def end(self) -> None:
        for child in reversed(self.started):
            process.end_tree(child.pid, 5.0)
            child.wait()


@pytest.fixture(scope="module")
def cluster():
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as temp:
        running = Cluster(Path(temp))
        yield running
        running.end()


@pytest.fixture(scope="module")
def driver(cluster):
    """A job whose tasks ran, failed, run and wait."""
    code = DRIVER.format(address=cluster.address)
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code], env=cluster.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout.readline() == b"holds\n"
        yield child
    finally:
        child.communicate(timeout=60)


def read(folder: Path) -> RayTold | None:
    try:
        return RayTold.read(json.loads((folder / "ray.json").read_bytes()), None)
    except FileNotFoundError:
        return None


def test_workers_and_tasks_are_told_of_while_they_run_and_when_they_ran(cluster, driver, tmp_path):
    watch = raystate.Watch(str(tmp_path), cluster.token, cluster.port).start()

    def whole() -> RayTold | None:
        told = read(tmp_path)
        good = told and told.count("running") == 2 and told.count("pending") == 1 and told.count("failed") == 1
        return told if good and len(told.nodes) == 2 else None

    told = eventually(whole, 60)
    watch.close(20)
    counts = {one.name: (one.running, one.pending, one.finished, one.failed) for one in told.tasks}
    assert counts == {
        "weigh": (0, 0, 40, 0),
        "Counter.add": (0, 0, 3, 0),
        "Counter.__init__": (0, 0, 1, 0),
        "fail": (0, 0, 0, 1),
        "hold": (2, 1, 0, 0),
    }
    head, worker = told.nodes
    assert (head.head, head.running, worker.head, worker.running, worker.failed) == (True, 0, False, 2, 1)
    assert worker.finished >= 40  # an actor that asks for nothing may be anywhere
    assert head.finished + worker.finished in (43, 44)  # Ray does not always say where one was made
    assert 0 < worker.memory < worker.memory_most
    assert told.actors == {"alive": 1}
    assert told.whole
    now, past = (json.loads((tmp_path / name).read_bytes()) for name in ("ray.json", "raypast.json"))
    kept = RayTold.read(now, past)
    assert kept.line.total == 48
    began = [span for span in kept.line.spans if kept.line.names[span.name] == "weigh"]
    assert len(began) == 40
    assert all(0 <= span.begin <= span.end for span in began)
    assert [span.end for span in kept.line.spans if kept.line.names[span.name] == "hold"] == [None, None]
    assert [kept.line.names[span.name] for span in kept.line.spans if span.failed] == ["fail"]


def test_who_has_another_token_is_told_nothing_and_disturbs_nobody(cluster, tmp_path):
    watch = raystate.Watch(str(tmp_path), "another", cluster.port).start()
    watch.close(20)
    assert list(tmp_path.iterdir()) == []


def test_the_link_opens_the_page_of_the_job_through_an_api_server(cluster, driver, tmp_path):
    server = ApiServer()
    proxy = "/services/pi-head-svc:dashboard/proxy"

    def hand_on(one):
        known = {name: one.headers[name] for name in ("X-Ray-Authorization", "Accept") if name in one.headers}
        status, headers, body = cluster.ask(one.path.partition(proxy)[2], known or {"Accept": "*/*"})
        one.whole(status, body, Content_Type=headers.get("Content-Type", ""))

    server.always = hand_on
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps(config(server.address, {})))
    api = connection.connect(Site(), {"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    doors = Dashboards({})
    try:
        link = urlsplit(doors.open(api, "run", "pi-head-svc", cluster.token))
        at = link.path.removesuffix("job")
        page = asked(link, link.path).headers["Location"]
        jobs = json.loads(asked(link, f"{at}api/jobs/").body)
        mine = [job["job_id"] for job in jobs if job["status"] == "RUNNING"]
        assert page == f"./#/jobs/{mine[0]}"
        index = asked(link, at)
        assert b"<title>Ray Dashboard</title>" in index.body
        script = index.body.decode().partition('src="./')[2].partition('"')[0]
        assert asked(link, f"{at}{script}").headers["Content-Type"] == "application/javascript"
        doors.open(api, "other", "pi-head-svc", "another token")
        doors.close("run")
        assert asked(link, at).status == 410
    finally:
        doors.end()
        api.close()
        server.close()


def asked(link, path: str):
    connected = http.client.HTTPConnection(link.hostname, link.port, timeout=30)
    connected.request("GET", path)
    answer = connected.getresponse()
    answer.body = answer.read()
    connected.close()
    return answer


def test_a_dashboard_that_died_is_nobodys_trouble(tmp_path):
    watch = raystate.Watch(str(tmp_path), "token", free_ports(1)[0]).start()
    watch.close(5)
    assert list(tmp_path.iterdir()) == []
    assert "jobq-ray" not in [thread.name for thread in threading.enumerate()]


def test_what_ray_did_to_the_work_is_told_in_a_sentence_each(tmp_path, monkeypatch):
    monkeypatch.setattr(raynews, "QUIET", 1.0)
    monkeypatch.setattr(raywaits, "PATIENCE", 3.0)
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as temp:
        cluster = Cluster(Path(temp), store=100 << 20, full="0.01")
        watch = raystate.Watch(str(tmp_path), cluster.token, cluster.port, notes.append).start()
        code = TROUBLE.format(address=cluster.address)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        child = subprocess.Popen([sys.executable, "-P", "-c", code], env=cluster.environ, **pipes)
        try:
            said = [line.strip() for line in iter(child.stdout.readline, "holds\n")]  # Ray has its words among them
            eventually(lambda: len(notes) == 5, 60)
        finally:
            watch.close(20)
            child.communicate(timeout=60)
            cluster.end()
    assert [line for line in said if line.endswith("Error")] == ["ActorDiedError", "OutOfMemoryError"]
    assert sorted(re.split(" on |, and |[0-9]", note)[0] for note in notes) == [
        "An actor of `Model` was lost",
        "Ray killed a task of `work`",
        "Ray moved ",
        "The actor `Model` cannot begin: it asks for ",
        "`work` cannot begin: it asks for ",
    ]
