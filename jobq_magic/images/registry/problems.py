"""What a registry refuses, or fails at, in one sentence with the way out; and what is worth another attempt."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import httpx

from jobq_magic import addresses
from jobq_magic.errors import BackendError
from jobq_magic.images.registry.auth import seconds_to_wait
from jobq_magic.images.registry.credentials import Credentials
from jobq_magic.images.registry.reference import HUB, Reference

__all__ = ["Answer", "Refused", "Trouble", "answered", "failed", "redacted", "refused"]

AGAIN = frozenset({408, 425, 429, 499, 500, 502, 503, 504})  # what may well go well in a moment
_FULL = re.compile(r"no space left|quota|storage limit|insufficient storage|disk full|upper limit", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


class Trouble(Exception):
    """One attempt that failed, and that may go well when it is made again.

    Args:
        error: what to tell when it is not made again.
        wait: how many seconds the registry asks to wait; None where it does not say.
    """

    def __init__(self, error: BackendError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read, with what registries say in errors."""

    status: int
    headers: httpx.Headers
    url: httpx.URL
    body: bytes = b""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of its errors: `BLOB_UNKNOWN`."""
        return frozenset(str(one.get("code", "")).upper() for one in self._errors())

    @property
    def said(self) -> str:
        """The words of its errors."""
        words = [f"{one.get('message') or one.get('code') or ''} {_text(one.get('detail'))}" for one in self._errors()]
        return re.sub(r"\s+", " ", "; ".join(word.strip() for word in words))[:300].strip()

    def _errors(self) -> list[dict[str, object]]:
        try:
            errors = json.loads(self.body)["errors"]
        except (ValueError, KeyError, TypeError):
            return []
        return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []


class Refused(BackendError):
    """A registry answered no, for good."""

    answer: Answer

    @classmethod
    def by(cls, answer: Answer, told: BackendError) -> Self:
        """The error with these words, and the answer behind them."""
        error = cls(told.code, told.what, why=told.why, do=told.do)
        error.answer = answer
        return error


def _text(detail: object) -> str:
    if isinstance(detail, dict):
        return " ".join(_text(each) for each in detail.values())
    return detail if isinstance(detail, str) else ""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets, and without addresses: those that registries hand out open something."""
    return addresses.redacted(_ADDRESS.sub("…", text), frozenset(secrets))


def failed(reference: Reference, error: Exception) -> Trouble | BackendError:
    """What it means that no answer came: trouble, or something that no further attempt changes."""
    host = reference.host
    text = _root(error)
    if "certificate" in text.lower() and "verify" in text.lower():
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        do = f"Put the certificate of its authority at ~/.docker/certs.d/{host}/ca.crt, or name it in SSL_CERT_FILE"
        return BackendError(
            "registry-certificate",
            f"The certificate of the registry {host} is not trusted",
            why=why.capitalize(),
            do=do,
        )
    if any(sign in text for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")):
        return BackendError(
            "registry-plain",
            f"The registry {host} does not speak https",
            do=f"If that is meant to be so, write http://{host}/...",
        )
    if isinstance(error, httpx.ProxyError):
        return Trouble(
            BackendError(
                "registry-unreachable",
                f"The proxy to the registry {host} does not let it be reached: {text}",
                do="Name its host in NO_PROXY, or ask for access",
            )
        )
    why = text[:1].upper() + text[1:] or type(error).__name__
    sends = f" sends us to {other}, which" if (other := _other(reference, error)) else ""
    return Trouble(
        BackendError(
            "registry-unreachable",
            f"The registry {host}{sends} cannot be reached",
            why=why,
            do="Check its name, and the network",
        )
    )


def _other(reference: Reference, error: Exception) -> str:
    """The server that did not answer, where that is another one than the registry: of tokens, or of what is stored."""
    try:
        asked = error.request.url.host if isinstance(error, httpx.RequestError) else ""
    except RuntimeError:  # it does not know its request
        return ""
    return "" if asked == httpx.URL(reference.address).host else asked


def _root(error: BaseException) -> str:
    """The first cause, without addresses."""
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(error, ssl.SSLError):
            break
        error = cause
    text = str(error.strerror or error) if isinstance(error, OSError) else str(error)
    return redacted(text, ())


def answered(reference: Reference, answer: Answer, known: Credentials, secrets: Iterable[str]) -> Trouble | None:
    """The trouble that an answer tells of; None where there is none."""
    if answer.status not in AGAIN or (answer.status == 500 and _FULL.search(answer.said)):
        return None
    if answer.status == 429 and "rate limit" in answer.said.lower():
        return None  # it counts by hours
    wait = seconds_to_wait(answer.headers.get("retry-after", ""))
    said = redacted(answer.said, secrets)
    if answer.status == 429:
        return Trouble(_busy(reference, said, known), wait)
    return Trouble(
        BackendError(
            "registry-failing",
            f"The registry {reference.host} fails, and answers {answer.status}",
            why=said,
            do="Try again later, or tell who runs it",
        ),
        wait,
    )


def refused(
    reference: Reference, answer: Answer, known: Credentials, secrets: Iterable[str], *, push: bool
) -> BackendError:
    """The sentence for what a registry refuses for good."""
    host, name, status = reference.host, reference.name, answer.status
    said = redacted(answer.said, secrets)
    who = f" {known.username}" if known.username and known.username != "<token>" else ""
    if status == 507 or _FULL.search(answer.said):
        do = "Remove images from it (jobq image prune), or ask for more room"
        return BackendError("registry-full", f"The registry {host} has no room left for {name}", why=said, do=do)
    if status == 429:
        return _busy(reference, said, known)
    short = "insufficient_scope" in answer.headers.get("www-authenticate", "")
    if status == 403 or (status == 401 and known and (short or "DENIED" in answer.codes)):
        verb = "push to" if push else "pull from"
        do = "Ask for the right to, name another repository, or log in as somebody else"
        return BackendError("registry-refused", f"{host} does not let{who or ' us'} {verb} {name}", why=said, do=do)
    if status == 401 and known:
        return BackendError(
            "registry-password",
            f"The registry {host} does not accept the password{f' of{who}' if who else ''} that is in {known.source}",
            do=f"Log in anew: {_login(reference)}",
        )
    if status == 401:
        why = f"There are no credentials for it: {known.trouble}" if known.trouble else ""
        return BackendError(
            "registry-password",
            f"The registry {host} wants to know who we are",
            why=why,
            do=f"Log in: {_login(reference)}",
        )
    if status == 413:
        do = "Raise the limit of the registry, or of the proxy before it, for the size of a request"
        return BackendError("registry-too-large", f"The registry {host} does not take a request of this size", do=do)
    if status == 405 and "UNSUPPORTED" in answer.codes:
        do = "Whoever runs it can allow that; docker-registry by storage.delete.enabled"
        return BackendError("registry-refused", f"The registry {host} does not let images be removed", do=do)
    if status == 404 and push:
        return BackendError(
            "registry-no-repository",
            f"The registry {host} has no repository {reference.repository}, and makes none",
            why=said,
            do="Create it there, or name another one",
        )
    if status == 404:
        do = "Check its name and its tag" if known else "Check its name and its tag; it may also want a login"
        return BackendError("registry-no-image", f"The registry has no image {reference}", why=said, do=do)
    return BackendError(
        "registry-refused",
        f"The registry {host} refuses what was asked of {reference.repository}, and answers {status}",
        why=said,
        do="Check that it is a registry, and which one is meant",
    )


def _busy(reference: Reference, said: str, known: Credentials) -> BackendError:
    do = f"Try again later{'' if known else f'; who logs in may ask more often: {_login(reference)}'}"
    return BackendError(
        "registry-busy", f"The registry {reference.host} takes no more requests from here for now", why=said, do=do
    )


def _login(reference: Reference) -> str:
    return "docker login" if reference.host == HUB else f"docker login {reference.host}"
