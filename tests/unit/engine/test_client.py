"""Which engine is meant, and what is said of one that is not there, too old, or not for us: engines by hand."""

from __future__ import annotations

import hashlib
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from jobq_magic.engine.address import DEFAULT, Address, address_in
from jobq_magic.engine.client import Engine, Refused, Silent
from jobq_magic.errors import BackendError


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A socket behind which something answers as an engine does; `answers` is what."""
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    answers = {"/version": {"ApiVersion": "1.44", "Version": "26.0", "Os": "linux", "Arch": "amd64"}}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path.partition("?")[0]
            path = path[len("/v1.44") :] if path.startswith("/v1.44/") else path
            status = 200 if path in answers else 404
            data = json.dumps(answers.get(path, {"message": "page not found"})).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def address_string(self):
            return ""

        def log_message(self, *_):
            pass

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        block_on_close = False

    with Server("engine.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield answers, {"DOCKER_HOST": f"unix://{tmp_path}/engine.sock"}
        server.shutdown()
        thread.join()


def test_without_any_setting_it_is_the_usual_socket(home):
    assert address_in({"HOME": str(home)}) == Address(DEFAULT)


def test_docker_host_comes_before_contexts(home):
    context(home, "remote", "tcp://elsewhere:2376", current=True)
    environ = {"HOME": str(home), "DOCKER_HOST": "unix:///here.sock", "DOCKER_CONTEXT": "remote"}
    assert address_in(environ).host == "unix:///here.sock"


def test_the_context_that_the_command_would_use_is_used(home):
    context(home, "desktop", "unix:///home/me/.docker/desktop.sock", current=True)
    context(home, "other", "tcp://other:2375")
    assert address_in({"HOME": str(home)}).host == "unix:///home/me/.docker/desktop.sock"
    assert address_in({"HOME": str(home), "DOCKER_CONTEXT": "other"}).host == "tcp://other:2375"
    assert address_in({"HOME": str(home), "DOCKER_CONTEXT": "default"}).host == DEFAULT


def test_certificates_of_a_context_are_found_beside_it(home):
    folder = context(home, "safe", "tcp://safe:2376", certificates=True)
    assert address_in({"HOME": str(home), "DOCKER_CONTEXT": "safe"}) == Address("tcp://safe:2376", folder, True)


def test_certificates_of_the_environment_are_used(home):
    environ = {"HOME": str(home), "DOCKER_HOST": "tcp://safe:2376", "DOCKER_TLS_VERIFY": "1"}
    assert address_in(environ) == Address("tcp://safe:2376", home / ".docker", True)
    assert address_in({**environ, "DOCKER_CERT_PATH": "/pem"}).tls.as_posix() == "/pem"


def test_a_context_that_is_not_there_is_named(home):
    with pytest.raises(BackendError, match="There is no Docker context gone") as refused:
        address_in({"HOME": str(home), "DOCKER_CONTEXT": "gone"})
    assert "docker context ls" in refused.value.do


def test_an_engine_behind_ssh_is_refused_as_it_does_not_see_the_run(home):
    with pytest.raises(BackendError, match="a job writes into a folder of this machine"):
        address_in({"HOME": str(home), "DOCKER_HOST": "ssh://me@elsewhere"})


@pytest.mark.parametrize("host", ["nonsense", "tcp://", "http://127.0.0.1:99999", "tcp://127.0.0.1:port"])
def test_an_address_that_is_none_is_named(home, host):
    with pytest.raises(BackendError) as refused:
        Engine.connect({"HOME": str(home), "DOCKER_HOST": host})
    assert refused.value.what == f"{host} is no address of a Docker Engine"
    assert "DOCKER_HOST" in refused.value.do


def context(home, name, host, *, current=False, certificates=False):
    folder = home / ".docker"
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / identity
    meta.mkdir(parents=True)
    told = {"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(told))
    if current:
        (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    pem = folder / "contexts/tls" / identity / "docker"
    if certificates:
        pem.mkdir(parents=True)
        (pem / "ca.pem").touch()
    return pem


def test_an_engine_that_does_not_run_is_told_with_how_to_start_it(tmp_path):
    with pytest.raises(Silent, match="No Docker Engine answers at unix://") as refused:
        Engine.connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "systemctl start docker" in refused.value.do


def test_a_socket_without_anybody_behind_it_is_told_the_same(engine, tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("dead.sock")
    with pytest.raises(Silent, match="No Docker Engine answers"):
        Engine.connect({"DOCKER_HOST": f"unix://{tmp_path}/dead.sock"})


def test_a_port_where_nothing_listens_is_told_the_same():
    with pytest.raises(Silent, match=r"No Docker Engine answers at tcp://127\.0\.0\.1:1"):
        Engine.connect({"DOCKER_HOST": "tcp://127.0.0.1:1"})


def test_a_socket_that_is_not_for_us_is_told_with_the_way_in(engine, monkeypatch):
    import socket

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbidden)  # tests may run as root, whom no mode keeps out
    with pytest.raises(Silent, match="You may not use the Docker Engine") as refused:
        Engine.connect(engine[1])
    assert "usermod -aG docker" in refused.value.do


def test_an_engine_that_is_too_old_is_refused(engine):
    answers, environ = engine
    answers["/version"] |= {"ApiVersion": "1.40", "Version": "19.03.15"}
    with pytest.raises(BackendError, match=r"is too old: 19\.03\.15"):
        Engine.connect(environ)


def test_an_engine_of_windows_containers_is_refused(engine):
    answers, environ = engine
    answers["/version"]["Os"] = "windows"
    with pytest.raises(BackendError, match="runs Windows containers"):
        Engine.connect(environ)


def test_an_engine_is_spoken_to_in_its_own_version(engine):
    answers, environ = engine
    answers["/info"] = {"ID": "ABC", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    found = Engine.connect(environ)  # this one knows only /v1.44/info
    assert (found.id, found.platform, found.containerd, found.rootless, found.gpus) == (
        "ABC",
        "linux/amd64",
        True,
        False,
        False,
    )
    found.api.close()


def test_an_engine_with_graph_drivers_and_gpus_for_rootless_containers_is_known_as_that(engine):
    answers, environ = engine
    answers["/info"] = {
        "ID": "ABC",
        "DriverStatus": [["Backing Filesystem", "extfs"]],
        "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
        "Runtimes": {"nvidia": {}, "runc": {}},
    }
    found = Engine.connect(environ)
    assert (found.containerd, found.rootless, found.gpus) == (False, True, True)
    found.api.close()


def test_what_an_engine_refuses_is_one_sentence(engine):
    found = Engine.connect(engine[1])
    with pytest.raises(Refused, match="Docker could not tell of itself: page not found") as refused:
        _ = found.info
    assert (refused.value.status, refused.value.said) == (404, "page not found")
    found.api.close()
