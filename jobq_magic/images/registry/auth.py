"""Answers to what a registry asks before it serves: a password, or a token that another server gives for it.

A challenge is met once and remembered, so that what follows takes no round trip of its own; tokens are kept for as long
as they are good. (Docker Registry v2 authentication; RFC 6750, RFC 7617.)
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from jobq_magic.images.registry.credentials import Credentials

__all__ = ["Authorizer", "Refusal", "challenge", "seconds_to_wait"]

_PART = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
LIFE = 60.0  # of a token that does not tell: the specification's own word
MARGIN = 10.0  # tokens are renewed this long before they end, or a tenth of their life


class Refusal(Exception):
    """The server that gives tokens does not give one; `status` is what it answered, and 0 for what we refuse."""

    def __init__(self, status: int, host: str, why: str) -> None:
        super().__init__(f"{host}: {status} {why}")
        self.status = status
        self.host = host
        self.why = why


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until: float

    def __repr__(self) -> str:
        return f"<token until {self.until}>"


class Authorizer:
    """The headers that open a registry.

    Args:
        found: looks up the credentials, the first time that they are asked for.
        send: how the server that gives tokens is reached.
        plain: the registry itself is spoken to in plain http.
    """

    def __init__(
        self, found: Callable[[], Credentials], send: Callable[[httpx.Request], httpx.Response], *, plain: bool
    ) -> None:
        self._found = found
        self._send = send
        self._plain = plain
        self._lock = threading.RLock()
        self._credentials: Credentials | None = None
        self._scheme = ""
        self._parts: Mapping[str, str] = {}
        self._tokens: dict[tuple[str, ...], _Token] = {}

    @property
    def credentials(self) -> Credentials:
        """Who we are."""
        with self._lock:
            if self._credentials is None:
                self._credentials = self._found()
            return self._credentials

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold; nothing is looked up for it."""
        with self._lock:
            known = self._credentials.secrets if self._credentials is not None else ()
            return (*known, *(token.text for token in self._tokens.values()))

    def header(self, scopes: tuple[str, ...]) -> str:
        """What to send with a request; "" before the registry has asked for anything.

        Raises:
            Refusal: a token is needed, and there is none to be had.
        """
        with self._lock:
            if self._scheme == "basic":
                return self._basic()
            return f"Bearer {self._token(scopes)}" if self._scheme == "bearer" else ""

    def met(self, asked: str, sent: str, scopes: tuple[str, ...]) -> bool:
        """Takes note of a challenge; whether a request is worth sending again.

        Args:
            asked: the header of the answer, WWW-Authenticate.
            sent: the header that the refused request had.
            scopes: what the request wanted to do.
        """
        with self._lock:
            scheme, parts = challenge(asked)
            self._scheme, self._parts = scheme, parts
            if scheme == "basic":
                return bool(self._basic()) and (not sent or self._found_anew())
            if scheme != "bearer":
                return False
            kept = self._tokens.get(scopes)
            if kept is not None and sent == f"Bearer {kept.text}":  # else another thread has renewed it
                del self._tokens[scopes]
            return True

    def _basic(self) -> str:
        known = self.credentials
        if not known.password:
            return ""
        return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()

    def _token(self, scopes: tuple[str, ...]) -> str:
        known = self.credentials
        if known.registry_token:
            return known.registry_token
        kept = self._tokens.get(scopes)
        if kept is None or kept.until <= time.monotonic():
            try:
                kept = self._new_token(known, scopes)
            except Refusal as error:
                if error.status not in {400, 401} or not self._found_anew():
                    raise
                kept = self._new_token(self.credentials, scopes)
            self._tokens[scopes] = kept
        return kept.text

    def _found_anew(self) -> bool:
        """Looks the credentials up once more: they may have been renewed while this process held the old ones."""
        before, self._credentials = self._credentials, self._found()
        return self._credentials != before

    def _new_token(self, known: Credentials, scopes: tuple[str, ...]) -> _Token:
        realm, service = self._parts.get("realm", ""), self._parts.get("service", "")
        server = urlsplit(realm)
        if server.scheme not in {"http", "https"} or not server.hostname:
            raise Refusal(0, realm.partition("?")[0], "that is no address")
        if known and server.scheme == "http" and not self._plain:
            raise Refusal(0, server.hostname, "it would take the password in plain http")
        asked = [("service", service)] if service else []
        headers = {"Accept": "application/json"}
        if known.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "jobq", "refresh_token": known.identity_token}
            form |= {**dict(asked), "scope": " ".join(scopes)}
            request = httpx.Request("POST", realm, data=form, headers=headers)
        else:
            if basic := self._basic():
                headers["Authorization"] = basic
                asked.append(("account", known.username))
            url = httpx.URL(realm).copy_merge_params(httpx.QueryParams([*asked, *(("scope", one) for one in scopes)]))
            request = httpx.Request("GET", url, headers=headers)
        began = time.monotonic()
        response = self._send(request)
        if response.status_code != 200:
            raise Refusal(response.status_code, server.netloc.rpartition("@")[2], "")
        try:
            told = response.json()
            text = str(told.get("token") or told.get("access_token") or "")
            life = float(told.get("expires_in") or LIFE)
        except (ValueError, TypeError, AttributeError):
            text, life = "", 0.0
        if not text:
            raise Refusal(200, server.netloc.rpartition("@")[2], "its answer holds no token")
        return _Token(text, began + life - min(MARGIN, life / 10))


def challenge(asked: str) -> tuple[str, dict[str, str]]:
    """The scheme of a WWW-Authenticate header, in lower case, and its parts; Bearer before Basic."""
    found: dict[str, dict[str, str]] = {}
    starts = [(one.start(), one[1]) for one in re.finditer(r"(?:^|,\s*)(Bearer|Basic)(?=\s|$|,)", asked, re.IGNORECASE)]
    for number, (start, scheme) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(asked)
        parts = {one[1].lower(): one[2] or one[3] or "" for one in _PART.finditer(asked[start:end])}
        found.setdefault(scheme.lower(), parts)
    for wanted in ("bearer", "basic"):
        if wanted in found:
            return wanted, found[wanted]
    return "", {}


def seconds_to_wait(header: str) -> float | None:
    """What Retry-After says: seconds, or a date; None where it says nothing."""
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
