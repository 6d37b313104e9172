"""A real JupyterHub behind a real configurable-http-proxy, below a prefix, and people with browsers in front of it.

with hub(folder, "ada", "bob") as one:
    ada = one.person("ada")
    ada.ask("runs")
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websocket

from tests.rayed import free_ports
from tests.support import eventually

__all__ = ["Hub", "Person", "Socket", "hub"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PREFIX = "/hub-prefix/"
_STARTS = 90
"""Seconds that a server may take to be there on a busy machine."""
# What a browser says of who asks: a page that is opened, and what a page fetches.
_OPENS = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}
_FETCHES = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
_SETTINGS = {
    "ServerApp": {
        "jpserver_extensions": {"jobq_magic": True, "jupyter_lsp": False, "jupyter_server_terminals": False},
        "log_level": "INFO",
    },
    "LabApp": {"expose_app_in_browser": True, "news_url": None},
}


@dataclass
class Hub:
    """Where it is, and what a test may ask of its insides."""

    folder: Path
    told: Mapping[str, Any]
    """What its configuration is made of: addresses, ports, secrets."""
    browsers: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the proxy, with the prefix."""
        return str(self.told["url"])

    def person(self, name: str) -> Person:
        """Somebody who logs in with a browser, and opens the own server."""
        one = self.stranger(name)
        one.log_in()
        one.open(name, "lab").raise_for_status()
        return one

    def stranger(self, name: str) -> Person:
        """The same, who is not logged in yet."""
        self.browsers.append(httpx.Client(follow_redirects=True, timeout=_STARTS))
        return Person(self, name, self.browsers[-1])

    def token(self, name: str) -> str:
        """A token of somebody, for programs."""
        return str(self.api("POST", f"users/{name}/tokens", json={}).json()["token"])

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What the Hub itself answers a service."""
        headers = {"Authorization": f"token {self.told['token']}"}
        return httpx.request(
            method, f"{self.url}hub/api/{path}", headers=headers, timeout=30, **more
        ).raise_for_status()

    def routes(self) -> dict[str, dict[str, Any]]:
        """What the proxy knows: by path, where it leads and when a person was there last."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.told['proxy_port']}/api/routes",
            headers={"Authorization": f"token {self.told['proxy_token']}"},
        ).raise_for_status()
        return dict(answer.json())

    def direct(self, name: str, path: str) -> Any:
        """What a user's server answers on its own port, so that the proxy knows nothing of it."""
        route = f"{PREFIX}user/{name}/"
        target = next(told["target"] for path, told in self.routes().items() if f"{path.rstrip('/')}/" == route)
        headers = {"Authorization": f"token {self.token(name)}"}
        return httpx.get(f"{target}{route}{path}", headers=headers, timeout=30).raise_for_status().json()

    def end_proxy(self) -> None:
        """Kills the proxy, with all connections through it; the Hub notices, and starts another one."""
        file = self.folder / "proxy.pid"
        old = int(file.read_text().split()[0])
        os.kill(old, signal.SIGKILL)
        eventually(lambda: file.exists() and file.read_text().split()[0] != str(old), timeout=_STARTS)
        eventually(self.answers, timeout=_STARTS)

    def answers(self) -> bool:
        """Whether there is somebody at its address."""
        try:
            return httpx.get(f"{self.url}hub/health", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def begins(self) -> None:
        """Starts the servers of all users, at once, and waits for them."""
        for name in self.told["users"]:
            self.api("POST", f"users/{name}/server")
        eventually(lambda: all(map(self.has_begun, self.told["users"])), timeout=_STARTS, every=0.25)

    def has_begun(self, name: str) -> bool:
        """Whether somebody's server is there."""
        servers = self.api("GET", f"users/{name}").json()["servers"]
        return bool(servers and servers[""]["ready"])


@dataclass
class Person:
    """Somebody with a browser, who is logged in."""

    hub: Hub
    name: str
    client: httpx.Client

    def log_in(self) -> None:
        """Types name and password."""
        page = self.client.get(f"{self.hub.url}hub/login", headers=_OPENS)
        found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert found, page.text
        data = {"username": self.name, "password": self.hub.told["password"], "_xsrf": found[1]}
        self.client.post(f"{self.hub.url}hub/login?next={PREFIX}hub/home", data=data, headers=_OPENS).raise_for_status()

    def open(self, whose: str, path: str, **more: Any) -> httpx.Response:
        """Types an address of somebody's server into the browser."""
        return self.client.get(f"{self.hub.url}user/{whose}/{path}", headers=_OPENS, **more)

    def ask(
        self, path: str, method: str = "GET", *, whose: str = "", xsrf: bool = True, **headers: str
    ) -> httpx.Response:
        """Fetches what is below `jobq-magic/`, as a page of the server does.

        Args:
            path: of a route.
            method: of HTTP.
            whose: the user of the server; else the own one.
            xsrf: whether the page has read the cookie that only pages of the server can read.
            headers: more of them.
        """
        sent = _FETCHES | ({"X-XSRFToken": self.xsrf} if xsrf else {}) | headers
        url = f"{self.hub.url}user/{whose or self.name}/jobq-magic/{path}"
        return self.client.request(method, url, headers=sent, follow_redirects=False)

    @property
    def xsrf(self) -> str:
        """What a page of the own server reads of its cookies."""
        path = f"{PREFIX}user/{self.name}/"
        return next(one.value or "" for one in self.client.cookies.jar if (one.name, one.path) == ("_xsrf", path))

    def socket(self, path: str = "changes", *, whose: str = "") -> Socket:
        """A WebSocket of a page of the server.

        Raises:
            websocket.WebSocketBadStatusException: it is refused.
        """
        url = f"{self.hub.url}user/{whose or self.name}/jobq-magic/{path}"
        cookies = self.client.build_request("GET", url).headers.get("Cookie", "")
        origin = "/".join(url.split("/")[:3])
        connection = websocket.create_connection(
            url.replace("http", "ws", 1),
            cookie=cookies,
            origin=origin,
            timeout=20,
            header=["Sec-Fetch-Mode: websocket"],
        )
        return Socket(connection)


@dataclass
class Socket:
    """What a page hears."""

    connection: websocket.WebSocket

    def heard(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        while True:
            said: dict[str, Any] = json.loads(self.connection.recv())
            if said["kind"] == kind:
                return said

    def row(self, run: str, phase: str) -> dict[str, Any]:
        """A run, once it is told to be in this phase."""
        while True:
            for row in self.heard("changed")["rows"]:
                if (row["id"], row["phase"]) == (run, phase):
                    return dict(row)

    def rest(self) -> str:
        """All that has come since, as text."""
        self.connection.settimeout(0.2)
        found = ""
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            while True:
                found += self.connection.recv()
        return found

    def says(self, **told: Any) -> None:
        """Tells the server something."""
        self.connection.send(json.dumps(told))

    def close(self) -> None:
        """Goes away."""
        self.connection.close()


@contextmanager
def hub(folder: Path, *users: str, guest: str = "", config: str = "") -> Iterator[Hub]:
    """A JupyterHub whose users have their servers started already; all of it ends with the block.

    Args:
        folder: in which all of it is.
        users: who has a server.
        guest: somebody who has none, and may go to all of theirs.
        config: their `jupyter_server_config.py`.
    """
    made = subprocess.run(["sh", HERE / "install.sh"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    # Sockets live here: their paths must stay short.
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime:
        yield from _running(folder, users, runtime, guest, config)


def _running(folder: Path, users: tuple[str, ...], runtime: str, guest: str, config: str) -> Iterator[Hub]:
    front, own, proxy = free_ports(3)
    told = {
        "url": f"http://127.0.0.1:{front}{PREFIX}",
        "hub_port": own,
        "proxy_port": proxy,
        "proxy_token": secrets.token_hex(16),
        "token": secrets.token_hex(16),
        "password": secrets.token_hex(8),
        "users": list(users),
        "guest": guest,
        "runtime": runtime,
        "patience": _STARTS,
    }
    for name in users:
        _furnish(folder / "homes" / name, config)
    (folder / "hub.json").write_text(json.dumps(told))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBQ_", "JUPYTER", "RAY_"))}
    env = kept | {"HUB_FOLDER": str(folder), "CONFIGPROXY_AUTH_TOKEN": told["proxy_token"]}
    command = [sys.executable, "-m", "jupyterhub", "-f", HERE / "jupyterhub_config.py"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    one = Hub(folder, told)
    try:
        eventually(lambda: process.poll() is not None or one.answers(), timeout=_STARTS, every=0.25)
        assert process.poll() is None, (folder / "log").read_text()
        one.begins()
        yield one
    finally:
        for browser in one.browsers:
            browser.close()
        process.terminate()  # it ends the servers
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STARTS)
        process.kill()
        process.wait()
        # It has ended its proxy, too, and may have started another one as that was gone.
        with contextlib.suppress(OSError, IndexError):
            os.kill(int((folder / "proxy.pid").read_text().split()[0]), signal.SIGKILL)


def _furnish(home: Path, config: str) -> None:
    """A home in which Jupyter finds what `pip install` of the package would have laid out for all."""
    (home / ".jupyter").mkdir(parents=True)
    (home / ".jupyter/jupyter_server_config.json").write_text(json.dumps(_SETTINGS))
    (home / ".jupyter/jupyter_server_config.py").write_text(f"c = get_config()\n{config}")
    beside = home / ".local/share/jupyter/labextensions"
    beside.mkdir(parents=True)
    (beside / "jobq-magic").symlink_to(ROOT / "jobq_magic/labextension")
