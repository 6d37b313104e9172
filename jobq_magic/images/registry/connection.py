"""How one registry is asked: every request goes through `Connection.attempt`.

It answers challenges, counts, and tells what failed in our words; `Connection.call` makes further attempts of what can
simply be made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Self

import httpx

from jobq_magic.errors import BackendError
from jobq_magic.images.registry.auth import Authorizer, Refusal
from jobq_magic.images.registry.credentials import credentials
from jobq_magic.images.registry.patience import Patience
from jobq_magic.images.registry.problems import Answer, Refused, Trouble, answered, failed, refused
from jobq_magic.images.registry.reference import Reference
from jobq_magic.images.registry.traffic import Exchange, Traffic
from jobq_magic.images.registry.transport import Routes

__all__ = ["Connection"]

PATIENCE = 120.0
FIRST = 10.0  # seconds until the very first answer: a name that is wrong should not take two minutes to be told
TIMEOUT = httpx.Timeout(60, connect=10, read=120)  # to write down a large blob takes a registry its time
LARGEST_TOKEN = 1024 * 1024
LARGEST_ANSWER = 64 * 1024

Body = bytes | Callable[[], Iterator[bytes]] | None


class Connection:
    """A repository of a registry, as something that is asked; threads may share it.

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

    def begin(self) -> None:
        """Something new is begun: a registry that was there an hour ago may not be there now."""
        self._met = False

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
            Refused: it is refused for good.
            BackendError: what answers is no registry, or is not trusted, or gives no token.
        """
        sending = {**(headers or {})}
        if accept:
            sending["Accept"] = ", ".join(accept)
        if body is not None or method in {"PUT", "POST", "PATCH"}:
            sending["Content-Type"] = kind or "application/octet-stream"
            sending["Content-Length"] = str(len(body) if isinstance(body, bytes) else size)
        with closing(self._exchange(method, where, body, sending, mount)) as response:
            answer = Answer(response.status_code, response.headers, response.url, self._read(response, limit))
        if answer.status in good:
            return answer
        raise self._problem(answer, which=where, push=method not in {"GET", "HEAD"})

    def opened(self, digest: str, at: int) -> httpx.Response:
        """The answer to a request for a blob from a byte on, of which the body is still to come: to be closed."""
        where, headers = f"blobs/{digest}", {"Range": f"bytes={at}-"} if at else {}
        response = self._exchange("GET", where, None, headers, "")
        if response.status_code in {200, 206}:
            return response
        with closing(response):
            answer = Answer(response.status_code, response.headers, response.url, self._read(response, LARGEST_ANSWER))
        raise self._problem(answer, which=where, push=False)

    def resolved(self, answer: Answer, where: str) -> str:
        """An address that a registry gave, as one that can be asked.

        A registry behind a proxy that speaks https for it may give addresses in plain http: these are not meant.
        """
        try:
            found = answer.url.join(where)
        except httpx.InvalidURL:
            raise self.no_registry("an address that is none") from None
        own = httpx.URL(self.reference.address)
        if own.scheme == "https" and found.scheme == "http" and found.host == own.host:
            found = found.copy_with(scheme="https", port=own.port)
        return str(found)

    def no_registry(self, told: str) -> BackendError:
        """What answers is something else."""
        return BackendError(
            "no-registry",
            f"{self.reference.host} answers as no registry does: {told}",
            do="Check its name, and whether a login page or a proxy is in between",
        )

    def trouble(self, error: httpx.TransportError) -> Trouble:
        """The trouble that no answer is; raises where no further attempt would change it."""
        found = failed(self.reference, error)
        if isinstance(found, Trouble):
            found.__cause__ = error
            return found
        raise found from error

    def _url(self, where: str) -> httpx.URL:
        if "://" in where:
            return httpx.URL(where)
        return httpx.URL(f"{self.reference.address}/v2/{self.reference.repository}/{where}")

    def _scopes(self, method: str, mount: str) -> tuple[str, ...]:
        actions = "delete,pull,push" if method == "DELETE" else "pull,push" if self._push else "pull"
        own = f"repository:{self.reference.repository}:{actions}"
        return (own, f"repository:{mount}:pull") if mount else (own,)

    def _exchange(self, method: str, where: str, body: Body, headers: dict[str, str], mount: str) -> httpx.Response:
        """Sends a request, once more where the registry first asks who we are."""
        url, scopes = self._url(where), self._scopes(method, mount)
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
            with closing(response):
                self._read(response, LARGEST_ANSWER)
        return response

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
            raise self.trouble(error) from error
        except httpx.HTTPError as error:
            raise self.no_registry(type(error).__name__) from None
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
                        raise self.no_registry("more than a registry would")
                    break
        except httpx.TransportError as error:
            raise self.trouble(error) from error
        return bytes(found)

    def _token_server(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        response = self._sent(request.method, request.url, body or None, request.headers)
        with closing(response):
            response = httpx.Response(response.status_code, headers={}, content=self._read(response, LARGEST_TOKEN))
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
            why = error.why or f"It answers {error.status}"
            raise BackendError(
                "registry-token",
                f"The server that gives tokens for {self.reference.host} gives none: {error.host or 'it'}",
                why=why,
                do="Check the registry's settings",
            ) from None

    def _problem(self, answer: Answer, which: str, *, push: bool) -> Trouble | Refused:
        known, secrets = self._auth.credentials, self._auth.secrets
        if trouble := answered(self.reference, answer, known, secrets):
            return trouble
        named = self.reference
        kind, _, name = which.partition("/")
        if kind == "manifests":
            named = replace(named, digest=name) if ":" in name else replace(named, tag=name)
        return Refused.by(answer, refused(named, answer, known, secrets, push=push))
