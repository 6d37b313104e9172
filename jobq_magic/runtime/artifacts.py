"""A repository of a registry as a store: what a pod leaves is one artifact, by the OCI distribution specification.

Its tag is `<run>-<pod's uid>`; its layers are the files, each with its name as title. No dependency: a pod has none.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import ssl
from urllib.parse import quote, urlencode, urljoin, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed leaves it out

from .stores import Store, StoreFailed, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Any

DOCKER = "/run/jobq-artifacts"
"""Where a pod has the pull secret by which it pushes: a folder with Docker's `config.json`."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
KIND = "application/vnd.jobq.result.v1"
_EMPTY = b"{}"
_TITLE = "org.opencontainers.image.title"
_SECONDS = 60.0
_PIECE = 1 << 20
_LARGEST = 4 << 20
"""Bytes of a manifest: the specification's own limit."""
_PART = re.compile(r'([A-Za-z_]+)="([^"]*)"')
_HOPS = 5


class Artifacts(Store):
    """A repository.

    Args:
        repository: `HOST/REPOSITORY`; plain http only where it begins with `http://`.
        environ: where Docker's configuration and proxies are found.
    """

    def __init__(self, repository: str, environ: Mapping[str, str]) -> None:
        scheme, slashes, rest = repository.rpartition("://")
        self._host, _, self._name = rest.strip("/").partition("/")
        if not self._host or not self._name:
            raise StoreFailed("name", "is no repository of a registry: HOST/REPOSITORY is")
        self._base = f"{scheme if slashes else 'https'}://{self._host}/v2/{self._name}/"
        self._environ = environ
        self._login = _login(self._host, environ)
        self._authorization = ""
        self._put: dict[str, list[dict[str, Any]]] = {}
        self._kept: dict[str, dict[str, dict[str, Any]]] = {}

    def put(self, at: str, path: str) -> None:  # noqa: D102  the contract is Store's
        run, pod, name = checked(at).split("/", 2)
        with open(path, "rb") as file:
            digest, size = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}", file.tell()
        self._blob(digest, size, path)
        layer = {"mediaType": KIND, "digest": digest, "size": size, "annotations": {_TITLE: name}}
        others = [one for one in self._put.get(_tag(run, pod), []) if one["annotations"][_TITLE] != name]
        self._put[_tag(run, pod)] = [*others, layer]

    def publish(self, run: str, pod: str) -> None:
        """Puts the manifest, which names what was put."""
        digest = f"sha256:{hashlib.sha256(_EMPTY).hexdigest()}"
        self._blob(digest, len(_EMPTY), None)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": KIND,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": len(_EMPTY)},
            "layers": self._put.pop(_tag(run, pod), []),
        }
        body = json.dumps(manifest).encode()
        self._ask("PUT", f"manifests/{_tag(run, pod)}", body=body, kind=MANIFEST, good=(201,))

    def get(self, at: str, path: str) -> None:  # noqa: D102
        run, pod, name = checked(at).split("/", 2)
        tag = _tag(run, pod)
        if name not in self._kept.get(tag, {}):
            status, _, data = self._ask("GET", f"manifests/{tag}", kind=MANIFEST, good=(200, 404))
            layers = json.loads(data).get("layers", []) if status == 200 else []
            self._kept[tag] = {one.get("annotations", {}).get(_TITLE, ""): one for one in layers}
        layer = self._kept[tag].get(name)
        if layer is None:
            raise StoreFailed("absent", f"has no {at}")
        with open(path, "wb") as file:
            self._ask("GET", f"blobs/{layer['digest']}", into=file, good=(200,))

    def pods(self, run: str) -> list[str]:  # noqa: D102
        return [tag[len(run) + 1 :] for tag in self._tags(run)]

    def remove(self, run: str) -> None:
        """Deletes the manifests; their blobs go when the registry collects what nobody names."""
        for tag in self._tags(run):
            status, headers, _ = self._ask("HEAD", f"manifests/{tag}", kind=MANIFEST, good=(200, 404))
            if status == 200:
                self._ask("DELETE", f"manifests/{headers['docker-content-digest']}", good=(200, 202, 404))
            self._kept.pop(tag, None)

    def _tags(self, run: str) -> list[str]:
        found: list[str] = []
        where = "tags/list"
        while where:
            status, headers, data = self._ask("GET", where, good=(200, 404))
            found += (json.loads(data).get("tags") or []) if status == 200 else []
            following = re.search(r'<([^>]+)>;\s*rel="?next', headers.get("link", ""))
            where = following[1] if following else ""
        return sorted(tag for tag in found if tag.startswith(f"{checked(run)}-"))

    def _blob(self, digest: str, size: int, path: str | None) -> None:
        status, _, _ = self._ask("HEAD", f"blobs/{digest}", good=(200, 404))
        if status == 200:
            return
        _, headers, _ = self._ask("POST", "blobs/uploads/", body=b"", good=(202,))
        where = urljoin(self._base, headers["location"])
        where += f"{'&' if '?' in where else '?'}digest={quote(digest)}"
        with open(path, "rb") if path is not None else contextlib.nullcontext() as file:
            self._ask("PUT", where, body=file or _EMPTY, size=size, kind="application/octet-stream", good=(201,))

    # How it is asked.

    def _ask(
        self,
        method: str,
        where: str,
        *,
        good: tuple[int, ...],
        body: bytes | IO[bytes] | None = None,
        size: int | None = None,
        kind: str = "",
        into: IO[bytes] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, and another one where the registry asks who we are first."""
        for _ in range(2):
            headers = {"Authorization": self._authorization} if self._authorization else {}
            headers |= {"Accept" if method in {"GET", "HEAD"} else "Content-Type": kind} if kind else {}
            if size is not None:
                headers["Content-Length"] = str(size)
            if body is not None and not isinstance(body, bytes):
                body.seek(0)
            status, answered, data = self._send(method, urljoin(self._base, where), headers, body, into)
            if status != 401 or not self._allowed(answered.get("www-authenticate", "")):
                break
        if status in good:
            return status, answered, data
        what = f"{method} {urlsplit(where).path.partition('/uploads/')[0]}: {status} {_codes(data)}".strip()
        if status in {401, 403}:
            known = "credentials" if status == 401 else "denied"
            raise StoreFailed(known, f"does not let us: {what}")
        if status == 404:
            raise StoreFailed("missing", f"is not there: {what}")
        if status in {413, 507}:
            raise StoreFailed("full", f"does not take that much: {what}")
        raise StoreFailed("other", f"refuses: {what}", again=status in {408, 429} or status >= 500)

    def _send(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None = None,
        into: IO[bytes] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        own = urlsplit(address).netloc
        for _ in range(_HOPS):
            asked = urlsplit(address)
            # Where a registry sends us for a blob, our password has no business.
            told = {name: text for name, text in headers.items() if asked.netloc == own or name != "Authorization"}
            connection = self._connection(asked.scheme, asked.netloc)
            try:
                connection.request(method, f"{asked.path}?{asked.query}".rstrip("?"), body=body, headers=told)
                answer = connection.getresponse()
                answered = {name.lower(): text for name, text in answer.getheaders()}
                if answer.status in {301, 302, 303, 307, 308} and method in {"GET", "HEAD"}:
                    address = urljoin(address, answered.get("location", ""))
                    continue
                if into is None or answer.status != 200:
                    return answer.status, answered, answer.read(_LARGEST)
                into.seek(0)
                into.truncate()
                while piece := answer.read(_PIECE):
                    into.write(piece)
                return answer.status, answered, b""
            except ssl.SSLError as error:
                raise StoreFailed("other", f"has no certificate that counts here: {error.reason or error}") from error
            except (OSError, http.client.HTTPException) as error:
                why = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
                raise StoreFailed("unreachable", f"is not to be reached: {why}", again=True) from error
            finally:
                connection.close()
        raise StoreFailed("other", "sends us in circles")

    def _connection(self, scheme: str, host: str) -> http.client.HTTPConnection:
        if scheme == "http":  # of a registry that is near: no proxy
            return http.client.HTTPConnection(host, timeout=_SECONDS)
        context = ssl.create_default_context(cafile=self._environ.get("SSL_CERT_FILE") or None)
        known = {name.lower(): text for name, text in self._environ.items()}
        proxy = known.get("https_proxy", "")
        if not proxy or proxy_bypass_environment(host, {"no": known.get("no_proxy", "")}):
            return http.client.HTTPSConnection(host, timeout=_SECONDS, context=context)
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        login = {"Proxy-Authorization": _basic((through.username, through.password or ""))} if through.username else {}
        connection = http.client.HTTPSConnection(
            through.hostname or "", through.port or 80, timeout=_SECONDS, context=context
        )
        connection.set_tunnel(host, headers=login)
        return connection

    def _allowed(self, asked: str) -> bool:
        """Gets what the registry asks for; whether there is something new to say."""
        scheme, _, rest = asked.partition(" ")
        before = self._authorization
        own = {"Authorization": _basic(self._login)} if self._login else {}
        if scheme.lower() == "basic":
            self._authorization = own.get("Authorization", "")
        elif scheme.lower() == "bearer":
            parts = dict(_PART.findall(rest))
            realm = parts.get("realm", "")
            if own and urlsplit(realm).scheme == "http" and not self._base.startswith("http://"):
                raise StoreFailed("other", "asks for our password in plain http")
            query = {"service": parts.get("service", ""), "scope": f"repository:{self._name}:pull,push,delete"}
            status, _, data = self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", own)
            if status != 200:
                raise StoreFailed("credentials", f"gives us no token: {status}", again=status >= 500)
            told = json.loads(data)
            self._authorization = f"Bearer {told.get('token') or told.get('access_token') or ''}"
        return self._authorization not in {"", before}


def _tag(run: str, pod: str) -> str:
    return f"{run}-{pod}"[:128]


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def _codes(data: bytes) -> str:
    """The registry's own words for what is wrong."""
    try:
        return " ".join(str(one.get("code", "")) for one in json.loads(data)["errors"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _login(host: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password, as a pull secret has them; None where it has none."""
    folders = (DOCKER, environ.get("DOCKER_CONFIG", ""), os.path.join(environ.get("HOME", "/"), ".docker"))
    for folder in folders:
        for name in ("config.json", ".dockerconfigjson"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    known = json.load(file).get("auths", {}).get(host) or {}
                if known.get("auth"):
                    user, _, password = base64.b64decode(known["auth"]).decode().partition(":")
                    return user, password
                if known.get("username"):
                    return known["username"], known.get("password", "")
            except (OSError, ValueError, AttributeError):
                continue
    return None
