"""Transport: connections to one API server, which are kept, watched over, and shared by threads."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jobq_magic.addresses import is_spared
from jobq_magic.cluster.access import Credentials
from jobq_magic.errors import BackendError

__all__ = ["Server", "Transport", "proxy_for"]

CONNECT = 10.0
"""Seconds to connect, TLS and a proxy included."""
READ = 30.0
"""Seconds without a byte of an answer."""
_HERE = "127.0.0.0/8,::1"
"""This machine, which no proxy leads to."""
_KEPT = 64
# A connection whose other end is gone is found dead after 10 + 3 * 5 seconds.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPALIVE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}


@dataclass(frozen=True, slots=True)
class Server:
    """Where an API server is, and whose certificate it has."""

    address: str
    authority: bytes = b""
    """Certificates in PEM; nothing: those that this machine trusts."""
    verify: bool = True
    name: str = ""
    """That its certificate is to bear, where that is another one than the address's."""
    proxy: str = ""


class Transport:
    """Sends requests, without a thought about what they are answered.

    Args:
        server: where to.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._lock = threading.Lock()
        self._certificate: tuple[bytes, bytes] = (b"", b"")
        self._pool: Any = None

    def send(
        self,
        method: str,
        path: str,
        credentials: Credentials,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float = READ,
        connect: float = CONNECT,
    ) -> Any:
        """The answer as urllib3 has it, of which only the head was read.

        Raises:
            urllib3.exceptions.HTTPError, OSError: none came.
            BackendError: our certificate cannot be used.
        """
        import urllib3  # as a whole: threads that each import another part of it lock each other out

        sent = {"Accept": "application/json", "User-Agent": "jobq-magic", **(headers or {})}
        if credentials.authorization:
            sent["Authorization"] = credentials.authorization
        return self._pooled(credentials).request(
            method,
            self.server.address + path,
            body=body,
            headers=sent,
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=connect, read=silence),
        )

    def tls(self, credentials: Credentials) -> ssl.SSLContext | None:
        """Who is believed to be the server, and our certificate for it; None where nothing is encrypted.

        Raises:
            BackendError: our certificate cannot be used.
        """
        if not self.server.address.startswith("https:"):
            return None
        return _tls(self.server, credentials.certificate, credentials.key)

    def close(self) -> None:
        """Ends the connections that nobody uses."""
        with self._lock:
            if self._pool is not None:
                self._pool.clear()

    def _pooled(self, credentials: Credentials) -> Any:
        certificate = (credentials.certificate, credentials.key)
        with self._lock:
            if self._pool is None or certificate != self._certificate:
                self._pool = self._made(certificate)
                self._certificate = certificate
            return self._pool

    def _made(self, certificate: tuple[bytes, bytes]) -> Any:
        import urllib3

        options: dict[str, Any] = {"num_pools": 2, "maxsize": _KEPT, "socket_options": _socket_options()}
        if self.server.address.startswith("https:"):
            options["ssl_context"] = _tls(self.server, *certificate)
            if self.server.name:
                options["server_hostname"] = self.server.name
            if not self.server.verify:
                options["assert_hostname"] = False
                _no_warning(self.server)
        if not self.server.proxy:
            return urllib3.PoolManager(**options)
        parts = urlsplit(self.server.proxy)
        headers = None
        if parts.username is not None:
            headers = urllib3.make_headers(
                proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            )
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return urllib3.ProxyManager(address, proxy_headers=headers, **options)


def proxy_for(address: str, environ: Mapping[str, str]) -> str:
    """The address of the proxy by which an API server is reached; "" where it is spoken to directly."""

    def named(variable: str) -> str:
        return environ.get(variable, "") or environ.get(variable.lower(), "")

    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    proxy = named(f"{parts.scheme.upper()}_PROXY") or named("ALL_PROXY")
    if not proxy or host == "localhost" or is_spared(host, f"{_HERE},{named('NO_PROXY')}"):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _no_warning(server: Server) -> None:
    """The kubeconfig says that nobody is to check; urllib3 would warn at each request."""
    import urllib3

    said = rf".*'{re.escape(urlsplit(server.address).hostname or '')}'"
    warnings.filterwarnings("ignore", said, urllib3.exceptions.InsecureRequestWarning)


def _socket_options() -> list[tuple[int, int, int]]:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # Which of them there are depends on the system.
    known = [(getattr(socket, name, None), value) for name, value in _KEEPALIVE.items()]
    return options + [(socket.IPPROTO_TCP, name, value) for name, value in known if name is not None]


def _tls(server: Server, certificate: bytes, key: bytes) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=server.authority.decode("ascii") if server.authority else None)
    except (ssl.SSLError, ValueError) as error:
        what = f"certificate-authority of {server.address} is no certificate in PEM"
        raise BackendError("cluster-kubeconfig", what, do="Mend the kubeconfig") from error
    # Authorities that clusters make for themselves often lack the key identifiers that Python 3.13 wants; Go does not.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.set_alpn_protocols(["http/1.1"])
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        _load(context, certificate, key)
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes a certificate of ours from a file only, which nobody else can read and which is gone at once."""
    handle, path = tempfile.mkstemp(prefix="jobq-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise BackendError(
            "cluster-credentials",
            "Our certificate for the cluster cannot be used",
            why=str(error.reason),
            do="Log in anew",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            Path(path).unlink()
