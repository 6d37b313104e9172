"""What a build needs of this machine: where packages come from, proxies, and whom it trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from jobq_magic.indexes import sources

__all__ = ["Surroundings", "surroundings"]

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
"""Where this machine may say whom it trusts."""
_TRUSTING = (*_TRUST, "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""In a container these are the container."""


@dataclass(frozen=True)
class Surroundings:
    """What the commands of a build find in their environment. Not shown: addresses may hold passwords."""

    FILE: ClassVar[str] = "/run-jobq-build/certificates.crt"
    """Where the certificates lie during a build, and only then."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: Path | None = None
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    """What must not be repeated."""


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What of an environment means the same in a build: no folders of this machine, no services of it."""
    where = sources(environ)
    effective = {**{name: text for name, text in environ.items() if name.startswith("UV_")}, **where.variables}
    index = effective.get("UV_DEFAULT_INDEX") or effective.get("UV_INDEX_URL", "")
    more = effective.get("UV_INDEX") or effective.get("UV_EXTRA_INDEX_URL", "")
    hosts = effective.get("UV_INSECURE_HOST", "")
    found: dict[str, str] = {}
    if _elsewhere(index):
        found |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    if reachable := " ".join(one for one in more.split() if _elsewhere(one.rpartition("=")[2] if "=h" in one else one)):
        found |= {"PIP_EXTRA_INDEX_URL": reachable, "UV_INDEX": reachable}
    if hosts:
        found |= {"PIP_TRUSTED_HOST": hosts, "UV_INSECURE_HOST": hosts}
    for name in _PROXIES:
        text = environ.get(name) or environ.get(name.lower()) or where.variables.get(name, "")
        if text and (name == "NO_PROXY" or _elsewhere(text)):
            found |= {name: text, name.lower(): text}
    named = (effective.get("SSL_CERT_FILE"), *(environ.get(name) for name in _TRUST))
    certificates = next((Path(text) for text in named if text and Path(text).is_file()), None)
    if certificates is not None:
        found |= dict.fromkeys(_TRUSTING, Surroundings.FILE)
    return Surroundings(dict(sorted(found.items())), certificates, where.secrets)


def _elsewhere(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.hostname not in _HERE
