"""Dashboards that a test can have misbehave: runs whose Ray is what the test says it is."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from tests.server.served import Served

TOKEN = "the-token-of-ray"


def embedded(store: Store, folder: Path, address: str, **told: Any) -> tuple[Run, Cluster]:
    """A run on a Ray of this machine, as its folder tells: up, and looked after by this process."""
    folder = folder / secrets.token_hex(3)
    folder.mkdir()
    cluster = Cluster(folder, "key", Shape(2), "python", "2.60", str(folder / "tmp"), 600, 30, 0)
    cluster.save()
    (folder / "token").write_text(TOKEN)
    cluster.write("keeper.json", process.identify(os.getpid()))
    if address:
        cluster.write("ready.json", {"dashboard": address, "processes": [], "at": 1.0})
    target = {"backend": "ray", "where": "Ray on this machine"}
    run = store.open(spec={"mode": "ray", "workers": 2}, target=target | told, name="pi")
    store.set_handle(run, {"submission": f"jobq-{run.id}-1", "cluster": str(folder)})
    for phase in ("submitting", "queued", "starting", "running"):
        store.append(run, phase=phase)
    return run, cluster


@dataclass
class Browser:
    """Asks a server as a browser does, byte by byte where that matters."""

    jupyter: Served
    run: str

    @property
    def root(self) -> str:
        """The path of the dashboard."""
        return f"{self.jupyter.url.partition('127.0.0.1:')[2].partition('/')[1]}{self._path}"

    @property
    def _path(self) -> str:
        return f"{self.jupyter.url.split('/', 3)[3]}/runs/{self.run}/dashboard/"

    @property
    def netloc(self) -> str:
        """Of the server."""
        return self.jupyter.url.split("/")[2]

    @property
    def cookie(self) -> str:
        """By which somebody is logged in."""
        given = self.ask(f"/user/ada/login?token={self.jupyter.token}", login=False).headers.get_all("Set-Cookie", [])
        return "; ".join(one.partition(";")[0] for one in given)

    def ask(self, page: str = "", *, method: str = "GET", login: bool = True, body: bytes = b"", **headers: str):
        """An answer, with all of its body: `.status`, `.headers`, `.body`."""
        connection = http.client.HTTPConnection(self.netloc, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent.setdefault("Authorization", f"token {self.jupyter.token}")
        try:
            connection.request(method, page if page.startswith("/") else self.root + page, body or None, sent)
            answer = connection.getresponse()
            answer.body = answer.read()
        finally:
            connection.close()
        return answer

    def told(self, page: str = "", **how: Any) -> tuple[int, dict[str, str]]:
        """The status, and the JSON of a refusal."""
        answer = self.ask(page, **how)
        return answer.status, json.loads(answer.body)

    def enter(self) -> str:
        """The path behind the key that a page is led to."""
        answer = self.ask(Accept="text/html")
        assert answer.status == 303, answer.body
        location = answer.headers["Location"]
        return self.root + location.removeprefix("./").removesuffix("job")

    def upgrade(self, page: str, **headers: str) -> tuple[socket.socket, bytes]:
        """A connection on which a handshake was sent, and the head of the answer to it."""
        host, port = self.netloc.split(":")
        sock = socket.create_connection((host, int(port)), timeout=30)
        path = page if page.startswith("/") else self.root + page
        lines = {
            "Host": self.netloc,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sock.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        told = b""
        while b"\r\n\r\n" not in told and (data := sock.recv(1)):
            told += data
        return sock, told
