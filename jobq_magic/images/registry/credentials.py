"""Who we are to a registry: what Docker's own configuration says, and Podman's where that says nothing.

    $DOCKER_AUTH_CONFIG                              the same as JSON, as CI systems give it
    $DOCKER_CONFIG/config.json, ~/.docker/config.json
    $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json

In each: `credHelpers` (a program for one registry), `credsStore` (a program for all), `auths` (written down).
"""

from __future__ import annotations

import base64
import binascii
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jobq_magic.errors import BackendError
from jobq_magic.images.registry.reference import HUB, Reference

__all__ = ["Credentials", "credentials", "docker_folder", "home"]

HELPER_SECONDS = 15.0  # one that asks a person, or a cloud, who does not answer
_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105  a word of the helpers' protocol: the secret is an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a registry; nothing of it is ever shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Stands for a person at the server that gives tokens."""
    registry_token: str = field(default="", repr=False)
    """Is a token itself."""
    source: str = ""
    """Where they are from, for people."""
    trouble: str = ""
    """Why there are none, where that is not simply so."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be told."""
        pair = f"{self.username}:{self.password}" if self.password else ""
        encoded = base64.b64encode(pair.encode()).decode() if pair else ""
        return tuple(each for each in (self.password, self.identity_token, self.registry_token, encoded) if each)

    def __bool__(self) -> bool:
        return bool(self.secrets)


def credentials(reference: Reference, environ: Mapping[str, str], seconds: float = HELPER_SECONDS) -> Credentials:
    """The credentials for a repository; empty ones where there are none.

    Args:
        reference: of the repository.
        environ: by which files and programs are found.
        seconds: how long a helper may take.

    Raises:
        BackendError: a file of them cannot be read.
    """
    trouble = ""
    for shown, text in _files(environ):
        found = _in_file(reference, _parsed(shown, text), shown, environ, seconds)
        if found:
            return found
        trouble = trouble or found.trouble
    return Credentials(trouble=trouble)


def home(environ: Mapping[str, str]) -> Path:
    """The home that an environment names."""
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def docker_folder(environ: Mapping[str, str]) -> Path:
    """Where Docker's configuration is."""
    return Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home(environ) / ".docker"


def _files(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What each place is called, and what is written there."""
    if environ.get("DOCKER_AUTH_CONFIG"):
        yield "$DOCKER_AUTH_CONFIG", environ["DOCKER_AUTH_CONFIG"]
    paths = [docker_folder(environ) / "config.json"]
    if environ.get("REGISTRY_AUTH_FILE"):
        paths.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("XDG_RUNTIME_DIR"):
        paths.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    paths.append(Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config") / "containers" / "auth.json")
    for path in paths:
        try:
            yield str(path), path.read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(str(path), type(error).__name__) from None


def _parsed(shown: str, text: str) -> Mapping[str, Any]:
    try:
        known = json.loads(text or "{}")
    except ValueError as error:
        # Only where: the words of the error could hold a part of the text.
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _unreadable(shown, f"it is no JSON, {where}".rstrip(", ")) from None
    if not isinstance(known, dict):
        raise _unreadable(shown, "it is no JSON object")
    return known


def _unreadable(shown: str, why: str) -> BackendError:
    return BackendError(
        "registry-credentials",
        f"The credentials for registries in {shown} cannot be read: {why}",
        do="Repair it, or log in anew: docker login",
    )


def _in_file(
    reference: Reference, known: Mapping[str, Any], shown: str, environ: Mapping[str, str], seconds: float
) -> Credentials:
    """What one file has: the helper of the registry, else that of all, else what is written down."""
    names = _names(reference)
    helpers = known.get("credHelpers")
    one = next((helpers[name] for name in names if name in helpers), "") if isinstance(helpers, dict) else ""
    trouble = ""
    for helper in dict.fromkeys((one, known.get("credsStore") or "")):
        if helper and isinstance(helper, str):
            found = _asked(helper, _HUB_KEY if reference.host == HUB else reference.host, environ, seconds)
            if found:
                return found
            trouble = trouble or found.trouble
    return replace(_written(known.get("auths"), names), source=shown, trouble=trouble)


def _names(reference: Reference) -> list[str]:
    """Under which keys a repository's credentials can be: the most exact one first."""
    parts = reference.repository.split("/")
    spaces = [f"{reference.host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    host = [reference.host]
    if reference.host == HUB:
        host += [_HUB_KEY, "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1"]
    return [*spaces, *host]


def _written(auths: Any, names: list[str]) -> Credentials:
    """The entry for a registry: by its key, or by its key without the scheme and path of older versions."""
    if not isinstance(auths, dict):
        return Credentials()
    bare = {key.partition("://")[2].partition("/")[0]: key for key in auths if "://" in key}
    for name in names:
        key = name if name in auths else bare.get(name)
        if key is not None and isinstance(auths[key], dict) and (found := _entry(auths[key])):
            return found
    return Credentials()


def _entry(entry: Mapping[str, Any]) -> Credentials:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Credentials()
        password = password.rstrip("\0")  # Docker's own reader does so, too
    identity = str(entry.get("identitytoken") or "")
    if user == _TOKEN_USER:
        identity, password = identity or password, ""
    return Credentials(user, password, identity, str(entry.get("registrytoken") or ""))


def _asked(helper: str, server: str, environ: Mapping[str, str], seconds: float) -> Credentials:
    """What a credential helper answers. One that fails is no end: the registry may want no credentials at all."""
    program = f"docker-credential-{helper}"
    path = shutil.which(program, path=environ.get("PATH"))
    if path is None:
        return Credentials(trouble=f"{program}, which is to know them, is not on PATH")
    try:
        done = subprocess.run(
            [path, "get"], input=server.encode(), capture_output=True, timeout=seconds, env=dict(environ), check=False
        )
    except subprocess.TimeoutExpired:
        return Credentials(trouble=f"{program} did not answer within {seconds:g} s")
    except OSError as error:
        return Credentials(trouble=f"{program} cannot be started: {error.strerror}")
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
        user, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    except (ValueError, AttributeError):
        return Credentials(trouble=f"{program} answers in a way that is not a helper's")
    if done.returncode and b"credentials not found" not in done.stdout + done.stderr:
        return Credentials(trouble=f"{program} failed with exit status {done.returncode}")
    if user == _TOKEN_USER:
        return Credentials(user, identity_token=secret, source=program)
    return Credentials(user, secret, source=program)
