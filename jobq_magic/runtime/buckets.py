"""A bucket as a store, by fsspec: whatever protocol it has a package for.

fsspec and that package are the user's, or were added to the image; they are imported here and nowhere else.
"""

from __future__ import annotations

import os
import re

from .stores import Store, StoreFailed, checked, needs, protocol_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        "key": ("AWS_ACCESS_KEY_ID",),
        "secret": ("AWS_SECRET_ACCESS_KEY",),
        "token": ("AWS_SESSION_TOKEN",),
        "profile": ("AWS_PROFILE",),
        "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    },
    "gs": {"token": ("GOOGLE_APPLICATION_CREDENTIALS",), "project": ("GOOGLE_CLOUD_PROJECT",)},
    "az": {
        "connection_string": ("AZURE_STORAGE_CONNECTION_STRING",),
        "account_name": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"),
        "account_key": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"),
        "sas_token": ("AZURE_STORAGE_SAS_TOKEN",),
    },
}
"""What the packages are told of the environment. Which one counts is an argument: they would read this process's."""
_FAMILY = {"abfs": "az"}
_PART = 8 << 20
"""Bytes of one part of an upload: a few of them are in memory at a time, and it is the job's."""
_PARTS = 9000
"""S3 takes 10,000."""
_AT_ONCE = 3
_CONNECT, _READ = 10, 60
"""Seconds."""
_SECRET = re.compile(r"(?i)key|secret|token|password|sas|connection_string|credential")
_LEAST = 6
"""Letters of a value below which it is no secret, and would be found in any sentence."""
# By the codes of S3 and those who speak it, by the names of classes of botocore, aiohttp, google-auth and Azure.
_CREDENTIALS = (
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "AuthenticationFailed", "InvalidAuthenticationInfo", "NoCredentials", "PartialCredentials", "CredentialRetrieval",
    "DefaultCredentialsError", "RefreshError", "ClientAuthenticationError", "ProfileNotFound", "TokenRetrieval",
    "UserNotFound",
)  # fmt: skip
_DENIED = ("AccessDenied", "AllAccessDisabled", "AuthorizationFailure", "AuthorizationPermissionMismatch", "Forbidden")
_MISSING = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "The specified bucket does not exist")
_UNREACHABLE = (
    "EndpointConnection", "ConnectTimeout", "ReadTimeout", "ConnectionClosed", "ConnectionError", "ClientConnector",
    "ServerDisconnected", "ServerTimeout", "ClientOSError", "ClientPayloadError", "HTTPClientError", "TransportError",
    "ServiceRequestError", "ServiceResponseError", "TimeoutError", "gaierror", "ResponseParserError",
)  # fmt: skip
_PASSING = (
    "SlowDown", "InternalError", "ServiceUnavailable", "ServerBusy", "RequestTimeout", "OperationTimedOut",
    "Throttl", "TooManyRequests", "RequestLimitExceeded", "BadGateway", "GatewayTimeout",
)  # fmt: skip
_FULL = ("QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "StorageFull", "No space left")


class Bucket(Store):
    """A bucket, or a folder in one.

    Args:
        store: its address.
        environ: where credentials are found.

    Raises:
        StoreFailed: a package is missing.
    """

    def __init__(self, store: str, environ: Mapping[str, str]) -> None:
        self._protocol = protocol_of(store)
        self._environ = environ
        given = options(self._protocol, environ)
        self._secrets = _secrets(given, environ)
        with _Told(self._secrets):
            try:
                import fsspec

                kind = fsspec.get_filesystem_class(self._protocol)
            except ImportError as error:
                raise StoreFailed("packages", f"needs {needs(store)}, which are not all installed") from error
            except ValueError as error:
                raise StoreFailed("name", f"begins with {self._protocol}://, which fsspec does not know") from error
            told = kind._get_kwargs_from_urls(store)
            self._base = str(kind._strip_protocol(store)).rstrip("/")
            self._files: Any = kind(**{**told, **given}, skip_instance_cache=True, use_listings_cache=False)

    def put(self, at: str, path: str) -> None:  # noqa: D102  the contract is Store's
        more: dict[str, Any] = {}
        if _FAMILY.get(self._protocol, self._protocol) == "s3":
            more = {"chunksize": max(_PART, os.path.getsize(path) // _PARTS + 1), "max_concurrency": _AT_ONCE}
        with _Told(self._secrets):
            self._files.put_file(path, self._path(at), **more)

    def get(self, at: str, path: str) -> None:  # noqa: D102
        with _Told(self._secrets, at):
            self._files.get_file(self._path(at), path)

    def remove(self, run: str) -> None:  # noqa: D102
        try:
            with _Told(self._secrets, run):
                self._files.rm(self._path(run), recursive=True)
        except StoreFailed as failed:
            if failed.kind != "absent":
                raise

    def pods(self, run: str) -> list[str]:  # noqa: D102
        try:
            with _Told(self._secrets, run):
                found = self._files.ls(self._path(run), detail=False)
        except StoreFailed as failed:
            if failed.kind != "absent":
                raise
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in found})

    def _path(self, at: str) -> str:
        return f"{self._base}/{checked(at)}"


def options(protocol: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What fsspec's package of a protocol is told."""
    family = _FAMILY.get(protocol, protocol)
    names = _OPTIONS.get(family, {})
    found = {
        option: next((environ[name] for name in known if environ.get(name)), "") for option, known in names.items()
    }
    told: dict[str, Any] = {option: text for option, text in found.items() if text}
    # FSSPEC_S3_ENDPOINT_URL and the like: fsspec's own word, by the protocol as it is written.
    prefix = f"FSSPEC_{protocol.upper()}_"
    told |= {name[len(prefix) :].lower(): text for name, text in environ.items() if name.startswith(prefix)}
    if family == "s3":
        if "key" in told:  # a profile beside would win in botocore
            told.pop("profile", None)
        if region := environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"):
            told["client_kwargs"] = {"region_name": region}
        # One try: who calls has the patience. A checksum is asked of those only who know it: ours is our own.
        checks = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        told["config_kwargs"] = {
            "connect_timeout": _CONNECT,
            "read_timeout": _READ,
            "retries": {"max_attempts": 1},
            **{name: word for name, word in checks.items() if not environ.get(f"AWS_{name.upper()}")},
        }
    return told


def _secrets(given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, ...]:
    """What no sentence may hold, the longest first."""
    texts = {
        text for name, text in (*given.items(), *environ.items()) if isinstance(text, str) and _SECRET.search(name)
    }
    return tuple(sorted((text for text in texts if len(text) >= _LEAST), key=len, reverse=True))


class _Told:
    """Says what went wrong in our words; `of` is what was looked for."""

    def __init__(self, secrets: tuple[str, ...], of: str = "") -> None:
        self._secrets = secrets
        self._of = of

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, StoreFailed):
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> StoreFailed:
        chain = list(_chain(error))
        words = " ".join(f"{' '.join(kind.__name__ for kind in type(one).__mro__)} {_code(one)}" for one in chain)
        said = f"{words} {' '.join(str(one) for one in chain)}"

        def any_of(names: tuple[str, ...], text: str = words) -> bool:
            return any(name in text for name in names)

        why = self._shown(error)
        status = max((_status(one) for one in chain), default=0)
        if any_of(_MISSING, said):
            return StoreFailed("missing", "is not there: no bucket of that name")
        if any_of(_CREDENTIALS, said):
            return StoreFailed("credentials", f"does not know the credentials: {why}")
        if any_of(_FULL, said):
            return StoreFailed("full", f"has no room: {why}")
        if any_of(_PASSING, said) or status in {408, 425, 429} or status >= 500:
            return StoreFailed("unreachable", f"is not able to answer: {why}", again=True)
        if any_of(_DENIED, said) or isinstance(error, PermissionError) or status in {401, 403}:
            return StoreFailed("denied", f"does not let us: {why}")
        if any_of(_UNREACHABLE) or isinstance(error, ConnectionError | TimeoutError):
            return StoreFailed("unreachable", f"is not to be reached: {why}", again=True)
        if isinstance(error, FileNotFoundError) or status == 404:
            return (
                StoreFailed("absent", f"has no {self._of}") if self._of else StoreFailed("missing", f"is gone: {why}")
            )
        if isinstance(error, ImportError):
            return StoreFailed("packages", f"needs a package that is not installed: {why}")
        return StoreFailed("other", f"failed: {why}")

    def _shown(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        for secret in self._secrets:
            text = text.replace(secret, "…")
        text = re.sub(r"(?i)((?:signature|credential|sig|token)=)[^&\s\"']+", r"\1…", text)
        name = type(error).__name__
        return f"{name}: {text[:300]}" if text else name


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(8):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _answer(error: BaseException) -> Mapping[str, Any]:
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else {}


def _code(error: BaseException) -> str:
    found: Callable[..., Any] = _answer(error).get("Error", {}).get
    return str(found("Code", "") or getattr(error, "error_code", "") or "")


def _status(error: BaseException) -> int:
    told = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    for status in (told, getattr(error, "status", None), getattr(error, "status_code", None)):
        if isinstance(status, int):
            return status
    return 0
