"""How a registry is reached: proxies as the environment names them, and whose certificates count."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx

from jobq_magic.addresses import is_spared
from jobq_magic.errors import BackendError
from jobq_magic.images.registry.credentials import docker_folder, home
from jobq_magic.images.registry.reference import Reference

__all__ = ["Routes", "proxy_for", "tls"]

CONNECTIONS = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)


class Routes(httpx.BaseTransport):
    """Sends each request on the way that the environment says: directly, or by a proxy.

    httpx would read the environment of this process; which one counts is an argument here. As with Docker, this
    machine itself is never spoken to by a proxy.
    """

    def __init__(self, reference: Reference, environ: Mapping[str, str]) -> None:
        self._reference = reference
        self._environ = environ
        self._lock = threading.Lock()
        self._ways: dict[tuple[bool, str], httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it."""
        secure = request.url.scheme == "https"
        proxy = proxy_for(request.url.scheme, request.url.host, self._environ)
        with self._lock:
            way = self._ways.get((secure, proxy))
            if way is None:
                # Where nothing is encrypted nothing is verified, and loading certificates takes 20 ms.
                verify: ssl.SSLContext | bool = tls(self._reference, self._environ) if secure else False
                way = httpx.HTTPTransport(verify=verify, proxy=proxy or None, limits=CONNECTIONS)
                self._ways[secure, proxy] = way
        return way.handle_request(request)

    def close(self) -> None:
        """Ends all connections."""
        for way in self._ways.values():
            way.close()


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> str:
    """The address of the proxy for a host; "" where it is spoken to directly."""

    def named(variable: str) -> str:
        return environ.get(variable.lower(), "") or environ.get(variable, "")

    proxy = named(f"{scheme.upper()}_PROXY") or named("ALL_PROXY")
    if not proxy or _is_here(host) or is_spared(host, named("NO_PROXY")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls(reference: Reference, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Whose certificates count for a registry, and who we are to it.

    The system's authorities or those of $SSL_CERT_FILE ($REQUESTS_CA_BUNDLE, $SSL_CERT_DIR), and those that Docker's or
    Podman's `certs.d` has for this registry.

    Raises:
        BackendError: a file of certificates cannot be read.
    """
    bundle = environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    file: Path | None = Path(bundle) if bundle else None
    try:
        if file is not None:
            context = ssl.create_default_context(cafile=str(file))
        else:
            context = ssl.create_default_context(capath=environ.get("SSL_CERT_DIR") or None)
            if not context.get_ca_certs() and not ssl.get_default_verify_paths().capath:
                import certifi  # a Python that was built elsewhere does not find this system's authorities

                context.load_verify_locations(certifi.where())
        for folder in _folders(reference, environ):
            for file in sorted(folder.glob("*.crt")):
                context.load_verify_locations(cafile=str(file))
            for file in sorted(folder.glob("*.cert")):
                context.load_cert_chain(str(file), str(file.with_suffix(".key")))
    except (OSError, ssl.SSLError) as error:
        why = f"{type(error).__name__}: {error.strerror or error}"
        raise BackendError(
            "registry-certificate",
            f"The certificates in {file} cannot be used",
            why=why,
            do="Repair the file, or remove it",
        ) from error
    return context


def _folders(reference: Reference, environ: Mapping[str, str]) -> list[Path]:
    roots = [Path("/etc/docker"), Path("/etc/containers"), docker_folder(environ), home(environ) / ".config/containers"]
    return [folder for root in roots if (folder := root / "certs.d" / reference.host).is_dir()]
