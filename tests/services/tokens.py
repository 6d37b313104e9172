"""A server that gives tokens for a registry, as docker-registry's `auth: token` believes them."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.services.registry import authority, program, signed

SERVICE, ISSUER = "registry of the tests", "tests"


@dataclass
class Tokens:
    """What it knows, and what it was asked."""

    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    """Identity tokens, and whose they are."""
    read_only: set[str] = field(default_factory=set)
    """Who may not push."""
    life: int = 300
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    """Of each token that was given: to whom, and what for."""
    answers: list[int] = field(default_factory=list)
    """Statuses to answer with before it works."""
    port: int = 0
    certificate: tuple[Path, Path] = (Path(), Path())

    @property
    def settings(self) -> dict[str, str]:
        """What docker-registry's configuration says of it."""
        realm = f"http://127.0.0.1:{self.port}/token?tenant=1"
        bundle = str(self.folder / "ca.crt")
        return {"realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}

    def who(self, authorization: str, form: dict[str, list[str]]) -> str | None:
        """Who asks; "" is nobody in particular, and None somebody with a wrong password."""
        if form.get("grant_type") == ["refresh_token"]:
            return self.identities.get(form.get("refresh_token", [""])[0])
        if not authorization:
            return ""
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return user if self.users.get(user) == password else None

    def token(self, user: str, scopes: list[str]) -> str:
        """A token that lets a user do what the user may."""
        access = []
        for scope in scopes:
            kind, name, actions = scope.rsplit(":", 2)[0].split(":")[0], scope.split(":")[1], scope.rsplit(":", 1)[1]
            may = [one for one in actions.split(",") if user and (one == "pull" or user not in self.read_only)]
            access.append({"type": kind, "name": name, "actions": may})
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + self.life, "nbf": now - 5, "iat": now,
                  "jti": f"{now}-{len(self.asked)}", "access": access}  # fmt: skip
        lines = self.certificate[0].read_text().splitlines()
        chain = ["".join(line for line in lines if "-----" not in line)]
        signing = ".".join(
            _coded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "RS256", "x5c": chain}, claims)
        )
        command = [program("openssl", "openssl"), "dgst", "-sha256", "-sign", str(self.certificate[1])]
        signature = subprocess.run(command, input=signing.encode(), capture_output=True, check=True).stdout
        return f"{signing}.{_coded(signature)}"


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextlib.contextmanager
def tokens(folder: Path, **known) -> Iterator[Tokens]:
    """Such a server, while the block lasts."""
    made = Tokens(folder, **known)
    made.certificate = signed(folder, authority(folder), "tokens")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._give(parse_qs(urlsplit(self.path).query))

        def do_POST(self):
            self._give(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _give(self, form):
            if made.answers:
                self._answer(made.answers.pop(0), {})
                return
            user = made.who(self.headers.get("Authorization", ""), form)
            if user is None or form.get("service") != [SERVICE] or "tenant=1" not in self.path:
                self._answer(401, {"details": "incorrect username or password"})
                return
            scopes = " ".join(form.get("scope", [])).split()
            made.asked.append((user, scopes))
            name = "access_token" if self.command == "POST" else "token"
            self._answer(200, {name: made.token(user, scopes), "expires_in": made.life})

        def _answer(self, status, told):
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
