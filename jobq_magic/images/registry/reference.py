"""How images are named: Docker's rules, in which `python:3.11-slim` is docker.io/library/python."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from jobq_magic.errors import BackendError

__all__ = ["HUB", "Reference"]

HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123
_HOST = re.compile(rf"(?:\[[0-9A-Fa-f:]+\]|{_LABEL}(?:\.{_LABEL})*)(?::[0-9]{{1,5}})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository of a registry, or one image in it."""

    host: str
    """As it is written: `docker.io`, `registry.example.org:5000`."""
    repository: str
    tag: str = ""
    digest: str = ""
    plain: bool = False
    """Plain http: only where the text says so."""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference that a text is.

        Only a text that begins with `http://` is spoken to in plain http.

        Raises:
            BackendError: it is none; one sentence.
        """
        scheme, slashes, rest = text.strip().partition("://")
        if not slashes:
            scheme, rest = "", text.strip()
        plain = scheme.lower() == "http"
        # What is before an @ that stands in the host is a password, and must not be told.
        if "@" in rest.partition("/")[0] and "/" in rest and not _DIGEST.fullmatch(rest.partition("@")[2]):
            raise _refused(
                "an image's name that holds a user or a password", "Log in to the registry instead: docker login HOST"
            )
        shown = f"{text.strip()!r}"
        if scheme.lower() not in {"", "http", "https"}:
            raise _refused(shown, "An address of a registry begins with https:// or http://, or with its name")
        rest, _, digest = (rest.rstrip("/") if scheme else rest).partition("@")
        if digest and not _DIGEST.fullmatch(digest):
            raise _refused(shown, f"{digest!r} is no digest: sha256: and 64 digits of 0-9a-f")
        host, repository = _split(rest)
        if scheme and host == HUB and rest.partition("/")[0].lower() not in _HUB_NAMES:
            first = rest.partition("/")[0]
            if "/" not in rest:
                raise _refused(shown, f"It names a registry and no repository: {rest}/NAME")
            port = 80 if plain else 443
            raise _refused(shown, f"Without a port {first!r} would be a name on docker.io: write {first}:{port}/...")
        repository, tag = _tagged(repository)
        if not _HOST.fullmatch(host):
            raise _refused(shown, f"{host!r} is no name of a registry")
        if not repository:
            raise _refused(shown, f"It names a registry and no repository: {host}/NAME")
        if tag is not None and not _TAG.fullmatch(tag):
            raise _refused(shown, f"{tag!r} is no tag: letters, digits, '_', '.' and '-', at most 128")
        _check(shown, repository)
        if host.lower() in _HUB_NAMES:
            host = HUB
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(host, repository, tag or "", digest, plain)

    def __str__(self) -> str:
        """As Docker writes it, in full."""
        tag = f":{self.tag}" if self.tag else ""
        return self.name + tag + (f"@{self.digest}" if self.digest else "")

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def which(self) -> str:
        """What a registry is asked for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    @property
    def address(self) -> str:
        """Where the registry answers: its scheme, host and port."""
        host = "registry-1.docker.io" if self.host == HUB else self.host
        return f"{'http' if self.plain else 'https'}://{host}"

    @property
    def bare(self) -> Reference:
        """The repository alone."""
        return replace(self, tag="", digest="")

    def pinned(self, digest: str) -> Reference:
        """The image of a digest in the same repository."""
        return replace(self, tag="", digest=digest)


def _split(rest: str) -> tuple[str, str]:
    """Registry and the rest: the first part is a registry's where it could not be a repository's."""
    first, slash, others = rest.partition("/")
    if slash and (any(sign in first for sign in ".:[") or first == "localhost" or first != first.lower()):
        return first, others
    return HUB, rest


def _tagged(repository: str) -> tuple[str, str | None]:
    name, colon, tag = repository.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (repository, None)


def _check(shown: str, repository: str) -> None:
    wrong = next((part for part in repository.split("/") if not _COMPONENT.fullmatch(part)), None)
    if wrong is not None and wrong != wrong.lower():
        raise _refused(shown, f"Names of repositories are in lower case: {repository.lower()}")
    if wrong is not None:
        raise _refused(shown, f"{wrong!r} is no part of a repository's name: a-z, 0-9, between them '.', '_' or '-'")
    if len(repository) > 255:
        raise _refused(shown, "A repository's name has at most 255 letters")


def _refused(shown: str, do: str) -> BackendError:
    return BackendError("image-name", f"{shown} names no image", do=do)
