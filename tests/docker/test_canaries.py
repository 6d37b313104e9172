"""Passwords, told in all the ways that there are: none is in a byte that leaves this machine, or that stays."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobq_magic import config, follower, pipeline
from jobq_magic.capture import Source
from jobq_magic.engine.client import Engine
from jobq_magic.image import Image
from jobq_magic.runs.store import Store
from tests.services.registry import registry
from tests.support import eventually, followers
from tests.wheels import wheel

SLOW = 120.0
CANARIES = {
    "secret": "canary-job-6c1e",
    "given": "canary-env-90ab",
    "registry": "canary-registry-11d0",
    "index": "canary-index-7a3f",
    "proxy": "canary-proxy-52ce",
    "remote": "canary-remote-e831",
}


class Guarded(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        expected = base64.b64encode(f"me:{CANARIES['index']}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """An index that wants a password."""
    wheel(tmp_path / "index/simple/canaryprivate", "canaryprivate")
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Guarded(*given, directory=str(tmp_path / "index")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:{CANARIES['index']}@127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def watched() -> Iterator[dict[str, set[bytes]]]:
    """All command lines of this machine while the block runs, in which there is a canary."""
    found: dict[str, set[bytes]] = {"seen": set(), "told": set()}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    line = path.read_bytes()
                    found["seen"].add(line.partition(b"\0")[0].rpartition(b"/")[2])
                    if any(canary.encode() in line for canary in CANARIES.values()):
                        found["told"].add(line)

    thread = threading.Thread(target=look)
    thread.start()
    yield found
    done.set()
    thread.join()


def spellings(text: str) -> Iterator[bytes]:
    yield text.encode()
    for before in ("", "me:", "AWS:"):
        yield base64.b64encode(f"{before}{text}".encode()).rstrip(b"=")[:-2]


def told(*roots: Path) -> list[str]:
    """The files in which there is a canary, as it is or within what is compressed."""
    found = []
    for path in (path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()):
        data = path.read_bytes()
        whole = data + (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b"")
        found += [f"{name}: {path}" for name, text in CANARIES.items() if any(one in whole for one in spellings(text))]
    return found


def test_no_password_is_in_a_byte_that_leaves_this_machine_or_stays(
    engine: Engine, cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: str
) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    (home / ".docker").mkdir(parents=True)
    remote = f"https://me:{CANARIES['remote']}@git.example.org/team/work.git"
    commit = ["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-q", "--allow-empty", "-m", "."]
    for command in (["init", "-q"], ["remote", "add", "origin", remote], commit):
        subprocess.run(["git", *command], cwd=work, check=True, env={**os.environ, "HOME": str(home)})
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/images").mkdir()
    for name in ("layers", "blobs"):  # the base is there
        (tmp_path / "cache/images" / name).mkdir()
        for path in (cache.root / name).glob("*"):
            os.link(path, tmp_path / "cache/images" / name / path.name)
    monkeypatch.setenv("JOBQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("DOCKER_CONFIG", str(home / ".docker"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{CANARIES['proxy']}@127.0.0.1:9")
    monkeypatch.setenv("JOB_CANARY", CANARIES["secret"])
    monkeypatch.setenv("GIVEN_CANARY", CANARIES["given"])
    monkeypatch.chdir(work)
    store = Store()
    with registry(tmp_path / "registry", users={"me": CANARIES["registry"]}) as service, watched() as lines:
        auth = base64.b64encode(f"me:{CANARIES['registry']}".encode()).decode()
        (home / ".docker/config.json").write_text(json.dumps({"auths": {service.host: {"auth": auth}}}))
        resolved = config.resolve(
            {
                "mode": "docker",
                "base": "host",
                "push": f"{service.address}/team/jobq",
                "requirement": ["canaryprivate"],
                "secret": ["JOB_CANARY"],
                "env": {"GIVEN_CANARY": None},
            },
            cwd=work,
            environ=os.environ,
            interactive=False,
        )
        cell = (
            "import os, time, pathlib, canaryprivate\n"
            "print(len(os.environ['JOB_CANARY']), len(os.environ['GIVEN_CANARY']), canaryprivate.NAME, flush=True)\n"
            "while not pathlib.Path('/tmp/go').exists():\n    time.sleep(0.02)\n"
        )
        run = pipeline.submit(resolved, Source(cell, "Cell [3]", {}), store, headless=True).run
        follower.tend(store, run)
        try:
            eventually(lambda: store.snapshot(run).final or b"canaryprivate" in _read(run), SLOW)
            assert b"canaryprivate" in _read(run), store.snapshot(run)
            found = list(engine.api.containers(filters={"label": f"jobq.run={run.id}"}))
            image = Image.load(run.paths.image)
            shown = json.dumps(
                [
                    engine.api.inspect_container(found[0]["Id"]),
                    engine.api.history(image.reference),
                    engine.api.inspect_image(image.reference),
                ]
            ).encode()
            during = told(run.folder, store.root, tmp_path / "cache")
            done = engine.api.exec_create(found[0]["Id"], ["touch", "/tmp/go"])
            engine.api.exec_start(done["Id"])
            eventually(lambda: store.snapshot(run).final, SLOW)
        finally:
            for pid in followers(store):
                os.kill(pid, signal.SIGTERM)
        assert store.snapshot(run).phase == "succeeded", store.snapshot(run)
        engine.api.remove_image(image.reference, force=True)
    (tmp_path / "registry/htpasswd").unlink()
    # What `--env` passes stands in the run's folder, and in nothing else.
    assert [name for name, text in CANARIES.items() if text.encode() in shown and name != "given"] == []
    assert [one for one in during if not (one.startswith("given: ") and one.endswith("/run.json"))] == []
    assert told(tmp_path / "registry", tmp_path / "cache") == []
    assert b"uv" in lines["seen"]
    assert lines["told"] == set()
    manifests = [data for path in (tmp_path / "registry").rglob("data") if (data := path.read_bytes())[:1] == b"{"]
    names = (socket.gethostname(), str(tmp_path), run.id, str(Path.home()))
    for one in manifests:
        assert [name for name in names if name.encode() in one] == []
    assert any(b"git.example.org/team/work.git" in one for one in manifests)


def _read(run) -> bytes:
    try:
        return run.paths.attempt(1).stdout.read_bytes()
    except OSError:
        return b""
