"""Speaks to one registry, by the OCI distribution specification.

Every request goes through `Registry.attempt`: it answers challenges, counts, and tells what failed in our words.
`Registry.call` makes further attempts of what can simply be made again; uploads and downloads go on where they were cut
(`upload`, `blob`).
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx

from jobq_magic.errors import BackendError
from jobq_magic.images.model import Content
from jobq_magic.images.registry import upload
from jobq_magic.images.registry.auth import Authorizer, Refusal
from jobq_magic.images.registry.credentials import credentials
from jobq_magic.images.registry.problems import Answer, Trouble, answered, failed, refused
from jobq_magic.images.registry.reference import Reference
from jobq_magic.images.registry.traffic import Exchange, Traffic
from jobq_magic.images.registry.transport import Routes

__all__ = ["MANIFESTS", "Blob", "Manifest", "Patience", "Registry"]

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
PATIENCE = 120.0
FIRST = 10.0  # seconds until the very first answer: a name that is wrong should not take two minutes to be told
LONGEST = 10.0  # between two attempts, where the registry does not say
TIMEOUT = httpx.Timeout(60, connect=10, read=120)  # to write down a large blob takes a registry its time
LARGEST_MANIFEST = 4 * 1024 * 1024  # the specification's own limit
LARGEST_ANSWER = 64 * 1024

Body = bytes | Callable[[], Iterator[bytes]] | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, or an index of them, as the registry has it."""

    digest: str
    media_type: str
    data: bytes = b""
    """Empty where only its head was asked for."""

    def json(self) -> Mapping[str, Any]:
        """What it holds."""
        known = json.loads(self.data)
        return known if isinstance(known, dict) else {}


class Patience:
    """How long to go on trying: seconds without any progress, in pauses that grow and that chance spreads."""

    def __init__(self, seconds: Callable[[], float], wait: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._wait = wait
        self._since = 0.0
        self._count = 0

    def progress(self) -> None:
        """Something went well: what goes wrong now is another trouble."""
        self._count = 0

    def pause(self, trouble: Trouble) -> None:
        """Waits before the next attempt.

        Raises:
            BackendError: it has taken too long, or the registry asks to wait for longer than that.
        """
        now = time.monotonic()
        if self._count == 0:
            self._since = now
        # The first attempt is made at once: a connection that was kept open is often found to be closed.
        pause = 0.0 if self._count == 0 else min(0.1 * 2**self._count, LONGEST) * random.uniform(0.5, 1)
        pause = pause if trouble.wait is None else trouble.wait + random.uniform(0, 0.1)
        self._count += 1
        if now + pause - self._since > self._seconds():
            raise trouble.error from trouble.__cause__
        self._wait(pause)


class Registry:
    """A repository of a registry; threads may share it.

    Args:
        reference: the repository; its tag and digest do not matter.
        environ: by which credentials, proxies and certificates are found.
        push: whether it is going to be written to; the token for that is then asked for at once.
        patience: seconds that a trouble may last.
        wait: how a pause is made.
    """

    def __init__(
        self,
        reference: Reference,
        environ: Mapping[str, str],
        *,
        push: bool = False,
        patience: float = PATIENCE,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.reference = reference.bare
        self.traffic = Traffic()
        self._environ = environ
        self._push = push
        self._patience = patience
        self._wait = wait
        self._met = False
        # The environment counts by argument only: see transport.
        self._client = httpx.Client(
            transport=Routes(reference, environ),
            timeout=TIMEOUT,
            trust_env=False,
            headers={"User-Agent": "jobq-magic", "Accept-Encoding": "identity", "Accept": "*/*"},
        )
        # Tokens are given by another server, which is reached in the same way and asked for nothing itself.
        self._auth = Authorizer(lambda: credentials(reference, environ), self._token_server, plain=reference.plain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Registry({str(self.reference)!r})"

    def close(self) -> None:
        """Ends all connections."""
        self._client.close()

    # Manifests

    def head_manifest(self, which: str) -> Manifest | None:
        """What a tag or a digest stands for; None where there is no such thing."""
        answer = self.call("HEAD", f"manifests/{which}", accept=MANIFESTS, good=(200, 404))
        if answer.status == 404:
            return None
        digest = answer.headers.get("docker-content-digest", "")
        if not digest:  # some registries leave it out
            return replace(self.manifest(which), data=b"")
        return Manifest(digest, answer.headers.get("content-type", "").partition(";")[0])

    def manifest(self, which: str) -> Manifest:
        """A manifest, or an index of them.

        Raises:
            BackendError: there is none, or it is not what its digest says.
        """
        answer = self.call("GET", f"manifests/{which}", accept=MANIFESTS, good=(200,), limit=LARGEST_MANIFEST)
        made = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if which.startswith("sha256:") and which != made:
            raise self._corrupt(which)
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        return Manifest(made, media_type, answer.body)

    def put_manifest(self, which: str, data: bytes, media_type: str) -> str:
        """Writes a manifest under a tag, or under its digest; returns its digest.

        Raises:
            BackendError: it is refused; `error.answer` says how.
        """
        answer = self.call("PUT", f"manifests/{which}", body=data, kind=media_type, good=(200, 201, 202))
        made = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if answer.headers.get("docker-content-digest", made) != made:
            raise self._corrupt(made)
        return made

    def delete_manifest(self, digest: str) -> bool:
        """Removes an image, with all its tags; whether it was there."""
        return self.call("DELETE", f"manifests/{digest}", good=(200, 202, 404)).status != 404

    def tags(self) -> list[str]:
        """All tags."""
        found: list[str] = []
        where = "tags/list?n=1000"
        while where:
            answer = self.call("GET", where, good=(200, 404), limit=LARGEST_MANIFEST)
            if answer.status == 404:
                break
            found += json.loads(answer.body).get("tags") or []
            following = httpx.Response(200, headers=answer.headers).links.get("next", {}).get("url", "")
            where = str(answer.url.join(following)) if following else ""
        return sorted(set(found))

    # Blobs

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        return self.call("HEAD", f"blobs/{digest}", good=(200, 404)).status == 200

    def blob(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a blob from `offset` on; it goes on where a connection was cut.

        Raises:
            BackendError: it is not there, or what came is not what the digest says.
        """
        hashed = hashlib.sha256() if offset == 0 and digest.startswith("sha256:") else None
        patience = self.patience()
        at, total = offset, -1
        while True:
            try:
                with self._opened(digest, at) as response:
                    skip = at if response.status_code == 200 else 0  # it does not know of ranges
                    if total < 0 and "content-length" in response.headers:
                        total = int(response.headers["content-length"]) + at - skip
                    for piece in response.iter_raw():
                        self.traffic.got(len(piece))
                        fresh, skip = piece[skip:], max(0, skip - len(piece))
                        if fresh:
                            at += len(fresh)
                            patience.progress()
                            if hashed is not None:
                                hashed.update(fresh)
                            yield fresh
                if at < total:
                    raise httpx.ReadError("it ended early")
                break
            except httpx.TransportError as error:
                patience.pause(self._trouble(error))
            except Trouble as trouble:
                patience.pause(trouble)
        if hashed is not None and f"sha256:{hashed.hexdigest()}" != digest:
            raise self._corrupt(digest)

    def read_blob(self, digest: str, limit: int = LARGEST_MANIFEST) -> bytes:
        """A small blob, in one piece: the configuration of an image, for example."""
        found = bytearray()
        for piece in self.blob(digest):
            found += piece
            if len(found) > limit:
                what = f"The blob {digest[:19]} of {self.reference} is larger than what it should hold"
                raise BackendError("registry-digest", what, do="Name another image")
        return bytes(found)

    def push_blob(
        self,
        digest: str,
        size: int,
        content: Content,
        *,
        mount: str = "",
        at: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Brings a blob there; returns how many bytes of it had to travel.

        Args:
            digest: of the blob.
            size: of the blob.
            content: its bytes.
            mount: a repository of the same registry that has it already.
            at: told how far it is, in bytes; it may fall back. What it raises ends the upload.
        """
        return upload.push(self, digest, size, content, mount=mount, at=at)

    # How a request is made

    def patience(self) -> Patience:
        """The patience for one thing that is to be done."""
        return Patience(lambda: self._patience if self._met else min(FIRST, self._patience), self._wait)

    def call(
        self,
        method: str,
        where: str,
        *,
        good: Collection[int],
        body: Body = None,
        kind: str = "",
        accept: tuple[str, ...] = (),
        limit: int = LARGEST_ANSWER,
    ) -> Answer:
        """A request that can be made again and again, until it is answered.

        Raises:
            BackendError: no answer came, or one that is not `good`.
        """
        patience = self.patience()
        while True:
            try:
                return self.attempt(method, where, good=good, body=body, kind=kind, accept=accept, limit=limit)
            except Trouble as trouble:
                patience.pause(trouble)

    def attempt(
        self,
        method: str,
        where: str,
        *,
        good: Collection[int],
        body: Body = None,
        size: int = 0,
        kind: str = "",
        accept: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        mount: str = "",
        limit: int = LARGEST_ANSWER,
    ) -> Answer:
        """One attempt.

        Args:
            method: of the request.
            where: below the repository, or an address that the registry gave.
            good: which statuses are answers.
            body: what to send: bytes, or what makes the pieces of `size` bytes.
            size: of the body, where it is made.
            kind: the media type of the body.
            accept: the media types that are understood.
            headers: to be sent, too.
            mount: another repository that is to be read.
            limit: how many bytes of an answer are read.

        Raises:
            Trouble: it failed, and may go well when it is made again.
            BackendError: it is refused; the answer is its attribute `answer`.
        """
        sending = {**(headers or {})}
        if accept:
            sending["Accept"] = ", ".join(accept)
        if body is not None or method in {"PUT", "POST", "PATCH"}:
            sending["Content-Type"] = kind or "application/octet-stream"
            sending["Content-Length"] = str(len(body) if isinstance(body, bytes) else size)
        with self._exchange(method, where, body, sending, mount) as response:
            answer = Answer(response.status_code, response.headers, response.url, self._read(response, limit))
        if answer.status in good:
            return answer
        raise self._problem(answer, which=where, push=method not in {"GET", "HEAD"})

    def resolved(self, answer: Answer, where: str) -> str:
        """An address that a registry gave, as one that can be asked.

        A registry behind a proxy that speaks https for it may give addresses in plain http: these are not meant.
        """
        found = answer.url.join(where)
        own = httpx.URL(self.reference.address)
        if own.scheme == "https" and found.scheme == "http" and found.host == own.host:
            found = found.copy_with(scheme="https", port=own.port)
        return str(found)

    def _url(self, where: str) -> httpx.URL:
        if "://" in where:
            return httpx.URL(where)
        return httpx.URL(f"{self.reference.address}/v2/{self.reference.repository}/{where}")

    def _scopes(self, mount: str) -> tuple[str, ...]:
        own = f"repository:{self.reference.repository}:{'pull,push' if self._push else 'pull'}"
        return (own, f"repository:{mount}:pull") if mount else (own,)

    def _opened(self, digest: str, at: int) -> _Exchange:
        """The answer to a request for a blob, of which the body is still to come."""
        headers = {"Range": f"bytes={at}-"} if at else {}
        opened = self._exchange("GET", f"blobs/{digest}", None, headers, "")
        if opened.response.status_code in {200, 206}:
            return opened
        with opened as response:
            answer = Answer(response.status_code, response.headers, response.url, self._read(response, LARGEST_ANSWER))
        raise self._problem(answer, which=f"blobs/{digest}", push=False)

    def _exchange(self, method: str, where: str, body: Body, headers: dict[str, str], mount: str) -> _Exchange:
        """Sends a request, once more where the registry first asks who we are."""
        url, scopes = self._url(where), self._scopes(mount)
        own = httpx.URL(self.reference.address)
        ours = url.host == own.host and url.scheme in {own.scheme, "https"}  # nobody else gets what opens it
        for last in (False, False, True):
            authorization = self._header(scopes) if ours else ""
            sending = {**headers, **({"Authorization": authorization} if authorization else {})}
            response = self._sent(method, url, body, sending)
            if response.status_code != 401 or last or not ours:
                break
            if not self._auth.met(response.headers.get("www-authenticate", ""), authorization, scopes):
                break
            with _Exchange(response):
                self._read(response, LARGEST_ANSWER)
        return _Exchange(response)

    def _sent(self, method: str, url: httpx.URL, body: Body, headers: Mapping[str, str]) -> httpx.Response:
        """Sends one request, and counts it."""
        count = 0

        def counted(pieces: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal count
            for piece in pieces:
                yield piece
                count += len(piece)

        content = counted(iter([body]) if isinstance(body, bytes) else body()) if body is not None else None
        request = self._client.build_request(method, url, content=content, headers=headers)
        began, status = time.monotonic(), 0
        try:
            # Reading follows to where the bytes are; httpx tells that server nothing of who we are.
            response = self._client.send(request, stream=True, follow_redirects=method in {"GET", "HEAD"})
            status = response.status_code
        except httpx.TransportError as error:
            raise self._trouble(error) from error
        except httpx.HTTPError as error:
            what = f"The registry {self.reference.host} answers in a way that is no registry's: {type(error).__name__}"
            raise BackendError("registry-refused", what, do="Check its address") from None
        finally:
            self.traffic.add(Exchange(method, url.path, status, began, time.monotonic(), count, self.traffic.here))
        self._met = True
        return response

    def _read(self, response: httpx.Response, limit: int) -> bytes:
        found = bytearray()
        try:
            for piece in response.iter_raw():
                self.traffic.got(len(piece))
                found += piece[: limit + 1 - len(found)]
                if len(found) > limit:
                    if response.status_code < 400:
                        what = f"What the registry {self.reference.host} answers is too long"
                        raise BackendError("registry-refused", what, do="Check that it is a registry")
                    break
        except httpx.TransportError as error:
            raise self._trouble(error) from error
        return bytes(found)

    def _token_server(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        response = self._sent(request.method, request.url, body or None, request.headers)
        with _Exchange(response):
            response = httpx.Response(response.status_code, headers={}, content=self._read(response, LARGEST_MANIFEST))
        answer = Answer(response.status_code, response.headers, request.url, response.content)
        if trouble := answered(self.reference, answer, self._auth.credentials, self._auth.secrets):
            raise trouble
        return response

    def _header(self, scopes: tuple[str, ...]) -> str:
        try:
            return self._auth.header(scopes)
        except Refusal as error:
            known = self._auth.credentials
            if error.status in {400, 401, 403, 404}:
                # Identity tokens that have ended are told by 400, and by 404 by those who know of none.
                answer = Answer(403 if error.status == 403 else 401, httpx.Headers(), httpx.URL())
                raise refused(self.reference, answer, known, self._auth.secrets, push=self._push) from None
            what = f"The server that gives tokens for {self.reference.host} gives none: {error.host or 'it'}"
            why = error.why or f"It answers {error.status}"
            raise BackendError("registry-token", what, why=why, do="Check the registry's settings") from None

    def _trouble(self, error: httpx.TransportError) -> Trouble:
        found = failed(self.reference, error)
        if isinstance(found, Trouble):
            found.__cause__ = error
            return found
        raise found from error

    def _problem(self, answer: Answer, which: str, *, push: bool) -> Exception:
        known, secrets = self._auth.credentials, self._auth.secrets
        if trouble := answered(self.reference, answer, known, secrets):
            return trouble
        named = self.reference
        kind, _, name = which.partition("/")
        if kind == "manifests":
            named = replace(named, digest=name) if ":" in name else replace(named, tag=name)
        error = refused(named, answer, known, secrets, push=push)
        error.answer = answer  # type: ignore[attr-defined]
        return error

    def _corrupt(self, digest: str) -> BackendError:
        what = f"What {self.reference} has as {digest[:19]}… is something else"
        return BackendError("registry-digest", what, do="Tell who runs the registry: its store is damaged")


class _Exchange:
    """An answer whose body is to be read: closed at the end."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    def __enter__(self) -> httpx.Response:
        return self.response

    def __exit__(self, *_: object) -> None:
        self.response.close()


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of a registry, as the content of a layer: streamed from there, each time that it is read."""

    registry: Registry
    digest: str

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on."""
        return self.registry.blob(self.digest, offset)
