"""What clusters refuse, and how they cannot be reached: one sentence each, with the way out.

BackendError
├── Missing        there is no such object, or no such kind
├── Exists         an object of that name is there already
├── Forbidden      we may not do that
├── Refused        everything else that the API server answers with an error
└── Unreachable    no answer came
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from jobq_magic.errors import BackendError

__all__ = ["Answered", "Exists", "Forbidden", "Missing", "Refused", "Unreachable", "refused", "unreachable"]

_LONGEST = 400
_CUT = frozenset({"IncompleteRead", "InvalidChunkLength", "RemoteDisconnected"})
"""Errors of urllib3 and http.client whose own words are of chunks and lengths."""
_CANNOT = re.compile(r"cannot (?P<verb>[a-z*]+) (resource|path) \"(?P<resource>[^\"]+)\"")
_GROUP = re.compile(r"in API group \"(?P<group>[^\"]*)\"")
_SECRET = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+|://[^/\s@]+@|eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*")
_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}
_LOG_IN = "Log in to the cluster anew, or check the context of the profile"


class Answered(BackendError):
    """What the API server answered. `status` is that of HTTP; `reason` and `message` are its own words."""

    status: int = 0
    reason: str = ""
    message: str = ""
    wait: float | None = None
    """Seconds that it asks to wait before it is asked again."""


class Missing(Answered):
    """There is no such object; or none of that kind, where the cluster does not serve it."""


class Exists(Answered):
    """An object of that name is there already."""


class Forbidden(Answered):
    """We lack a right: `verb` on `resource` in `namespace` ("": in all of the cluster)."""

    verb: str = ""
    resource: str = ""
    namespace: str = ""


class Refused(Answered):
    """Everything else that the API server answers with an error."""


class Unreachable(BackendError):
    """No answer came: no connection, no trust, or no word in time."""

    passing: bool = True
    """Whether it may well go well in a moment."""


def refused(where: str, method: str, path: str, status: int, body: bytes, wait: float | None = None) -> Answered:
    """What an answer means that is an error.

    Args:
        where: the cluster, in words.
        method: of the request.
        path: of the request, with its query.
        status: of the answer.
        body: of the answer: a `Status`, or whatever stands before the API server says.
        wait: seconds that it asks to wait.
    """
    told = _status(body)
    reason = str(told.get("reason") or "")
    message = _short(str(told.get("message") or "") or _plain(body))
    error = _sentence(where, method, path.partition("?")[0], status, reason, message)
    if isinstance(error, Forbidden) and "watch=true" in path:
        error.verb = "watch"
    error.status, error.reason, error.message, error.wait = status, reason, message, wait
    # The server, or a webhook that it asks, has a bad moment.
    error.passing = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return error


def _sentence(where: str, method: str, path: str, status: int, reason: str, message: str) -> Answered:
    namespace, resource, name = _named(path)
    thing = f"{resource} {name}".strip() or path
    place = f" in the namespace {namespace}" if namespace else ""
    if status == HTTPStatus.NOT_FOUND:
        do = "" if name else "Check that it is installed there, and the context"
        return Missing("cluster-missing", f"There is no {thing}{place} in {where}", why=message, do=do)
    if status == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return Exists("cluster-exists", f"{message or f'{thing} is there already'}{place}")
    if status == HTTPStatus.FORBIDDEN and (right := _CANNOT.search(message)):
        return _forbidden(right, message, namespace)
    if status == HTTPStatus.UNAUTHORIZED:
        what = f"{where[0].upper()}{where[1:]} does not accept our credentials"
        return Refused("cluster-credentials", what, why=message if message != "Unauthorized" else "", do=_LOG_IN)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused("cluster-busy", f"{where[0].upper()}{where[1:]} takes no more requests for now", why=message)
    doing = f"{'get' if method == 'GET' else _VERBS.get(method, method)} {thing}{place}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        what = f"{where[0].upper()}{where[1:]} fails, and answers {status} to: {doing}"
        return Refused("cluster-failing", what, why=message, do="Try again later, or tell who runs it")
    what = f"{where[0].upper()}{where[1:]} refuses to {doing}"
    return Refused("cluster-refused", what, why=message or f"It answers {status}")


def _forbidden(right: re.Match[str], message: str, namespace: str) -> Forbidden:
    group = _GROUP.search(message)
    resource = right["resource"] + (f".{group['group']}" if group and group["group"] else "")
    place = f" in the namespace {namespace}" if namespace else " in all of the cluster"
    error = Forbidden(
        "cluster-forbidden",
        f"We may not {right['verb']} {resource}{place}",
        why=message,
        do="Ask who runs the cluster for the roles of deploy/rbac",
    )
    error.verb, error.resource, error.namespace = right["verb"], resource, namespace
    return error


def _named(path: str) -> tuple[str, str, str]:
    """Namespace, resource with its group, and name, of a path."""
    parts = path.strip("/").split("/")
    group = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource, name = [*rest, "", ""][:2]
    if resource and group:
        resource = f"{resource}.{group}"
    return namespace, resource or group, name


def _status(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _plain(body: bytes) -> str:
    """The words of an answer that is no Status: of a proxy, or of a kubelet."""
    text = body[:4096].decode("utf-8", "replace")
    return "" if "<" in text else text


def _short(text: str) -> str:
    text = _SECRET.sub("…", re.sub(r"\s+", " ", text)).strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def unreachable(where: str, error: BaseException, proxy: str = "") -> Unreachable:
    """What it means that no answer came.

    Args:
        where: the cluster, in words.
        error: what was raised.
        proxy: by which it was spoken to, without its password.
    """
    text = _short(_root(error))
    what = f"{where[0].upper()}{where[1:]} cannot be reached"
    if (found := _of(error, ssl.SSLCertVerificationError)) is not None:
        why = str(getattr(found, "verify_message", "")) or text
        told = Unreachable(
            "cluster-certificate",
            f"The certificate of {where} is not trusted",
            why=why[:1].upper() + why[1:],
            do="Check certificate-authority in the kubeconfig",
        )
        told.passing = False
        return told
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text:
        told = Unreachable("cluster-plain", f"{what} by https: it speaks something else", do="Check its address")
        told.passing = False
        return told
    if any("ProxyError" in type(each).__name__ for each in _chain(error)) or (proxy and "Tunnel" in text):
        do = "Name its host in NO_PROXY, or ask for access"
        return Unreachable("cluster-unreachable", f"{what} through the proxy {proxy}", why=text, do=do)
    if _of(error, socket.gaierror) is not None or any(
        "NameResolution" in type(each).__name__ for each in _chain(error)
    ):
        do = "Check the network, the VPN, and the address in the kubeconfig"
        return Unreachable("cluster-unreachable", what, why="Its name is not known here", do=do)
    if _of(error, TimeoutError) is not None or "Timeout" in type(error).__name__ or "timed out" in text:
        return Unreachable("cluster-silent", what, why="It does not answer in time", do="Check the network, the VPN")
    if any(type(each).__name__ in _CUT for each in _chain(error)):
        text = "The connection was cut"
    return Unreachable("cluster-unreachable", what, why=text or type(error).__name__, do="Check the network, the VPN")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, in the ways in which urllib3 tells of that."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        reason = getattr(found, "reason", None)
        inside = next((each for each in found.args if isinstance(each, BaseException)), None)
        found = reason if isinstance(reason, BaseException) else inside or found.__cause__ or found.__context__


def _of(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((each for each in _chain(error) if isinstance(each, kind)), None)


def _root(error: BaseException) -> str:
    last = list(_chain(error))[-1]
    return str(last.strerror or last) if isinstance(last, OSError) else str(last)
