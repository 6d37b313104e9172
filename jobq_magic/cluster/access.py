"""Access: who we are to a cluster, and how that stays true while tokens expire."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jobq_magic.addresses import redacted
from jobq_magic.cluster import kubeconfig
from jobq_magic.cluster.kubeconfig import Context
from jobq_magic.errors import BackendError
from jobq_magic.secretforms import is_secret_name, only_words

__all__ = ["Access", "Credentials", "of_context", "of_pod"]

READ_AGAIN = 60.0
"""Seconds after which a token's file is read again: kubelets renew them long before they expire."""
EARLY = 60.0
"""Seconds before its end at which a plugin is asked for another token: it is to be good on its way, too."""
SPARE = 30.0
"""Seconds between two questions to a plugin in vain: some of them open a window of the browser."""
PATIENCE = 60.0
"""Seconds that a plugin has to answer; one that asks a person cannot do so here."""
_LEAST = 6
"""Letters of a variable's value from which on it is looked for in what a plugin says."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is sent with."""

    authorization: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    """In PEM, with its key in `key`; nothing where we have none."""
    key: bytes = field(default=b"", repr=False)
    until: float | None = None
    """When they are to be asked for anew (time.time)."""


class Access:
    """Credentials that are asked for when they are needed, again when they are out of date, and when they were refused.

    Args:
        ask: makes them: reads a file, asks a plugin.
        spare: seconds for which what was asked for and refused is not asked for again, and a failure is told again.
    """

    def __init__(self, ask: Callable[[], Credentials], spare: float = 0.0) -> None:
        self._ask = ask
        self._spare = spare
        self._asked = 0.0
        self._count = 0
        self._failed: BackendError | None = None
        self._lock = threading.Lock()
        self._now: Credentials | None = None

    def credentials(self) -> Credentials:
        """Those to send now.

        Raises:
            BackendError: there are none to be had.
        """
        with self._lock:
            if self._now is None or (self._now.until is not None and time.time() >= self._now.until):
                return self._anew()
            return self._now

    def renew(self, refused: Credentials) -> Credentials:
        """Others than those that were refused, where there are any; however many threads ask, they are made once.

        Raises:
            BackendError: there are none to be had.
        """
        with self._lock:
            fresh = self._count > 1 and time.monotonic() - self._asked < self._spare
            if self._now is None or (self._now == refused and not fresh):
                return self._anew()
            return self._now

    def _anew(self) -> Credentials:
        if self._failed is not None and time.monotonic() - self._asked < self._spare:
            raise self._failed
        self._failed = None
        self._count += 1
        try:
            self._now = self._ask()
        except BackendError as error:
            self._failed = error
            raise
        finally:
            self._asked = time.monotonic()
        return self._now


def of_pod(token: Path) -> Access:
    """Of the service account of the pod that we run in."""
    return Access(lambda: _bearer(kubeconfig.read(token, "the service account's token"), time.time() + READ_AGAIN))


def of_context(context: Context, environ: Mapping[str, str]) -> Access:
    """Of the user of a context. When they are refused the kubeconfig is read again: somebody may have logged in."""
    first = [context]

    def ask() -> Credentials:
        now = first.pop() if first else kubeconfig.context_of(context.files, context.name)
        return _asked(now, environ)

    return Access(ask, SPARE if "exec" in context.user else 0.0)


def _asked(context: Context, environ: Mapping[str, str]) -> Credentials:
    """In the order in which kubectl looks."""
    user = context.user
    certificate, key = context.content("user", "client-certificate"), context.content("user", "client-key")
    # What is written beside a file's name is older than the file.
    if named := user.get("tokenFile"):
        token = kubeconfig.read(context.user_folder / str(named), f"tokenFile of the context {context.name}")
        found = _bearer(token, time.time() + READ_AGAIN)
    elif user.get("token"):
        found = _bearer(str(user["token"]).encode())
    elif "username" in user and "password" in user:
        both = base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        found = Credentials(f"Basic {both}")
    elif isinstance(user.get("exec"), dict):
        return _plugin(context, user["exec"], environ)
    elif "auth-provider" in user:
        found = _library(context)
    else:
        found = Credentials()
    return Credentials(found.authorization, certificate, key, found.until)


def _bearer(token: bytes, until: float | None = None) -> Credentials:
    return Credentials(f"Bearer {token.decode('latin-1').strip()}", until=until)


def _library(context: Context) -> Credentials:
    """By the `kubernetes` library: it asks an OIDC provider for another token, and writes it into the kubeconfig."""
    try:
        from kubernetes import config
        from kubernetes.client import Configuration

        settings = Configuration()
        load: Any = config.load_kube_config  # without types
        load(os.pathsep.join(map(str, context.files)), context.name, settings)
    except Exception as error:  # noqa: BLE001 - of oauthlib, requests, google-auth and whatever else it asks
        # Not chained, and not quoted: what a provider answers may hold a token.
        why = f"Its auth-provider could not be asked for a token ({type(error).__name__})"
        raise _no_credentials(context, why) from None
    if not (found := settings.api_key.get("BearerToken", "")):
        raise _no_credentials(context, "Its auth-provider gives no token")
    return Credentials(found, until=time.time() + READ_AGAIN)


def _plugin(context: Context, asked: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    """What a program gives that the kubeconfig names (client.authentication.k8s.io)."""
    command = str(asked.get("command") or "")
    # As in kubectl: a path is relative to the kubeconfig, a name is looked up.
    program = str(context.user_folder / command) if os.sep in command else command
    version = str(asked.get("apiVersion") or "client.authentication.k8s.io/v1")
    interactive = asked.get("interactiveMode") != "Never" and bool(sys.stdin) and _terminal()
    spec: dict[str, Any] = {"interactive": interactive}
    if asked.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(context)
    told = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    variables = {**environ, **{str(one["name"]): str(one["value"]) for one in asked.get("env") or ()}}
    try:
        done = subprocess.run(
            [program, *map(str, asked.get("args") or ())],
            env={**variables, "KUBERNETES_EXEC_INFO": json.dumps(told)},
            stdin=None if interactive else subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        hint = str(asked.get("installHint") or "").strip()
        raise _no_credentials(context, f"Its kubeconfig names {command}, which is not installed", do=hint) from error
    except subprocess.TimeoutExpired:
        # Not chained: it quotes the arguments, and what was printed so far.
        raise _no_credentials(context, f"{command} did not answer within {PATIENCE:.0f} s") from None
    except OSError as error:
        raise _no_credentials(context, f"{command} cannot be started: {error.strerror}") from error
    if done.returncode:
        last = f": {said}" if (said := _last_words(done.stderr, variables)) else ""
        raise _no_credentials(context, f"{command} ended with status {done.returncode}{last}")
    return _given(context, command, done.stdout)


def _last_words(printed: bytes, variables: Mapping[str, str]) -> str:
    """Why a plugin ended, without what it knows: it goes into records and notebooks."""
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    known = frozenset(text for name, text in variables.items() if is_secret_name(name) and len(text) >= _LEAST)
    return only_words(redacted(lines[-1].strip(), known))[:300] if lines else ""


def _given(context: Context, command: str, answer: bytes) -> Credentials:
    try:
        status = json.loads(answer)["status"]
        token = str(status.get("token") or "")
        certificate = str(status.get("clientCertificateData") or "").encode()
        key = str(status.get("clientKeyData") or "").encode()
        ends = status.get("expirationTimestamp")
        until = None if not ends else datetime.fromisoformat(str(ends)).timestamp() - EARLY
    except (ValueError, KeyError, TypeError, AttributeError):
        # Not chained: what it printed may hold a token.
        raise _no_credentials(context, f"{command} answers what is no ExecCredential") from None
    if not token and not (certificate and key):
        raise _no_credentials(context, f"{command} gives neither a token nor a certificate with its key")
    return Credentials(f"Bearer {token}" if token else "", certificate, key, until)


def _cluster_info(context: Context) -> dict[str, Any]:
    found = context.cluster
    info: dict[str, Any] = {key: found[key] for key in ("server", "tls-server-name", "proxy-url") if key in found}
    if authority := context.content("cluster", "certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    if found.get("insecure-skip-tls-verify"):
        info["insecure-skip-tls-verify"] = True
    for each in found.get("extensions") or ():
        if each.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = each.get("extension")
    return info


def _terminal() -> bool:
    with contextlib.suppress(AttributeError, ValueError, OSError):  # a kernel's is none; a closed one says so
        return sys.stdin.isatty()
    return False


def _no_credentials(context: Context, why: str, do: str = "") -> BackendError:
    return BackendError(
        "cluster-credentials",
        f"There are no credentials for the context {context.name}",
        why=why,
        do=do or "Log in to the cluster anew",
    )
