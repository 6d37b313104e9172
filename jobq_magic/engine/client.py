"""Engine: a Docker Engine that answers, and can be used; whatever it refuses is told in one sentence."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from jobq_magic.engine.address import Address, address_in, unusable
from jobq_magic.errors import BackendError

__all__ = ["OLDEST", "Engine", "Refused", "Silent", "forget", "kept", "telling"]

OLDEST = (1, 41)
"""Of the API: Engine 20.10."""
_DETAIL = 300


class Silent(BackendError):
    """The engine does not answer now; it may later."""


class Refused(BackendError):
    """The engine answered no. `status` is that of HTTP, `said` is what it said."""

    status: int = 0
    said: str = ""


class Engine:
    """An engine, through docker-py. Connections are kept; each thread may use it.

    Args:
        address: where it is.
        api: docker-py's client of it.
        version: what it says of itself.
    """

    def __init__(self, address: Address, api: Any, version: Mapping[str, Any]) -> None:
        self.address = address
        self.api = api
        self.version = version

    @classmethod
    def connect(cls, environ: Mapping[str, str]) -> Engine:
        """The engine that an environment means.

        Raises:
            BackendError: there is none, it is silent, it may not be used, or it is of a kind that cannot be.
        """
        address = address_in(environ)
        first = _client(address, OLDEST)
        try:
            with telling(address, "answer"):
                _knock(address)
                version = first.version(api_version=False)
        finally:
            first.close()
        return cls(address, _client(address, _spoken(address, version)), version)

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What it says of its machine; asked once."""
        with self.telling("tell of itself"):
            known: Mapping[str, Any] = self.api.info()
        return known

    @property
    def id(self) -> str:
        """What tells it apart from others."""
        return str(self.info.get("ID") or self.address.host)

    @property
    def platform(self) -> str:
        """As OCI says it: `linux/amd64`."""
        return f"{self.version.get('Os', 'linux')}/{self.version.get('Arch', '')}"

    @property
    def containerd(self) -> bool:
        """Whether its images lie in containerd's store, which takes none whose layers are not all in the archive."""
        status = self.info.get("DriverStatus") or []
        return any("io.containerd.snapshotter" in str(value) for pair in status for value in pair)

    @property
    def rootless(self) -> bool:
        """Whether root in its containers is the user who runs it."""
        return any("name=rootless" in option for option in self.info.get("SecurityOptions") or ())

    @property
    def remaps(self) -> bool:
        """Whether users of its containers are other users outside, who may not write where we may."""
        return any("name=userns" in option for option in self.info.get("SecurityOptions") or ())

    @property
    def labels(self) -> bool:
        """Whether SELinux keeps its containers away from files that are not labelled as theirs."""
        return any("name=selinux" in option for option in self.info.get("SecurityOptions") or ())

    @property
    def gpus(self) -> bool:
        """Whether it can give GPUs to containers."""
        return "nvidia" in (self.info.get("Runtimes") or {}) or bool(self.info.get("DiscoveredDevices"))

    def another(self) -> Any:
        """A client of docker-py beside `api`, to be set up otherwise and closed by who asks for it."""
        return _client(self.address, _spoken(self.address, self.version))

    @contextlib.contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """See the function of that name."""
        with telling(self.address, what):
            _knock(self.address)
            yield


_kept: dict[Address, Engine] = {}


def kept(environ: Mapping[str, str]) -> Engine:
    """The engine that an environment means, connected to once a process: what it is need not be asked each time.

    Raises:
        BackendError: see `Engine.connect`.
    """
    address = address_in(environ)
    if address not in _kept:
        _kept[address] = Engine.connect(environ)
    return _kept[address]


def forget() -> None:
    """Closes the connections that are kept; they are made again when needed."""
    while _kept:
        _kept.popitem()[1].api.close()


@contextlib.contextmanager
def telling(address: Address, what: str) -> Iterator[None]:
    """Within it, what docker-py raises becomes one sentence.

    Args:
        address: of the engine.
        what: what it is asked to do: `start the container`.

    Raises:
        Silent, Refused: instead.
    """
    import urllib3  # before its parts, and as a whole: threads would lock each other out
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        refused = Refused("engine-refused", f"Docker could not {what}: {said[:_DETAIL]}")
        refused.status, refused.said = error.status_code or 0, said
        raise refused from error
    except (DockerException, RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _silent(address, error) from error


def _client(address: Address, version: tuple[int, ...]) -> Any:
    try:
        from docker.api.client import APIClient
        from docker.errors import DockerException
        from docker.tls import TLSConfig
    except ImportError as error:
        raise BackendError(
            "docker-missing", f"Docker cannot be spoken to: {error}", do="Run pip install 'jobq-magic[docker]'"
        ) from error
    tls: Any = False
    try:
        if (folder := address.tls) is not None:
            pair = (folder / "cert.pem", folder / "key.pem")
            ca = folder / "ca.pem"
            tls = TLSConfig(
                client_cert=(str(pair[0]), str(pair[1])) if all(path.exists() for path in pair) else None,
                ca_cert=str(ca) if ca.exists() else None,
                verify=address.verify,
            )
        # Without a version docker-py would ask for it here, and say less of what goes wrong.
        return APIClient(address.host, version=".".join(map(str, version)), tls=tls, timeout=60)
    except DockerException as error:
        raise _silent(address, error) from error
    except ValueError as error:  # of the port
        raise unusable(address.host) from error


def _knock(address: Address) -> None:
    """Raises what is wrong with a socket of this machine; docker-py would leave one open that cannot be connected."""
    if address.host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(5)
            knocking.connect("/" + address.host.removeprefix("unix://").lstrip("/"))


def _spoken(address: Address, version: Mapping[str, Any]) -> tuple[int, ...]:
    """The version of the API to be spoken: new engines no longer speak that of old ones."""
    if version.get("Os") == "windows":
        raise BackendError(
            "engine-windows",
            f"The Docker Engine at {address.host} runs Windows containers",
            do="Switch it to Linux containers",
        )
    newest = tuple(int(part) for part in str(version.get("ApiVersion", "0.0")).split(".")[:2])
    if newest < OLDEST:
        raise BackendError(
            "engine-too-old",
            f"The Docker Engine at {address.host} is too old: {version.get('Version', 'its version is unknown')}",
            do="Install Docker Engine 20.10 or newer",
        )
    return newest


def _silent(address: Address, error: BaseException) -> Silent:
    """What it means that an engine did not answer, and what to do about it."""
    cause = _innermost(error)
    if cause.errno in (errno.EACCES, errno.EPERM):
        return Silent(
            "engine-forbidden",
            f"You may not use the Docker Engine at {address.host}",
            why="Its socket is for root and a group",
            do="Have yourself added to that group, as a rule with sudo usermod -aG docker $USER, and log in anew",
        )
    if cause.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return Silent(
            "engine-down",
            f"No Docker Engine answers at {address.host}",
            do="Start it, as a rule with sudo systemctl start docker, or name another one in DOCKER_HOST",
        )
    text = " ".join(str(cause).split())[:_DETAIL]
    if "SSL" in text or "certificate" in text.lower():
        return Silent(
            "engine-tls",
            f"The Docker Engine at {address.host} and this machine do not trust each other: {text}",
            do="See DOCKER_CERT_PATH and DOCKER_TLS_VERIFY",
        )
    return Silent(
        "engine-silent",
        f"The Docker Engine at {address.host} does not answer: {text}",
        do="Name an engine that does in DOCKER_HOST",
    )


def _innermost(error: BaseException) -> OSError:
    """The error of the system below those of three libraries."""
    found: BaseException | None = error
    seen: list[OSError] = []
    for _ in range(16):
        if found is None:
            break
        if isinstance(found, OSError) and (found.errno is not None or not seen):
            seen.append(found)
        inner = [one for one in found.args if isinstance(one, BaseException)]
        inner += [one for one in (getattr(found, "reason", None),) if isinstance(one, BaseException)]
        found = inner[0] if inner else found.__cause__ or found.__context__
    return seen[-1] if seen else OSError(str(error))
