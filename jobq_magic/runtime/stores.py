"""Places where what a run leaves is kept when its pod is gone. Both sides use them: the pod puts, the user's side gets.

    s3://BUCKET/FOLDER, gs://, az://, ...   a bucket, by fsspec (`buckets`)
    pvc://CLAIM/FOLDER                      a folder of a claim, mounted into the pod
    oci://HOST/REPOSITORY                   a repository of a registry, which takes artifacts (`artifacts`)
    file:///FOLDER                          a folder of this machine

Whatever is kept has a place of its own in it, `<run>/<pod's uid>/<name>`; see `keeping`. What a cell writes itself is
below `data/<run>`, and is nobody's but the user's.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shutil
import time
from urllib.parse import unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOUNTED = "/run/jobq-store"
"""Where a claim is mounted in a pod."""
_VOLUME = "jobq-store"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "s3": ("s3fs>=2024.6",),
    "gs": ("gcsfs>=2024.6",),
    "az": ("adlfs>=2024.7",),
    "abfs": ("adlfs>=2024.7",),
    "memory": (),
}
"""What fsspec needs for a protocol beside itself. Without a least version a resolver that meets a conflict goes back
through all that there ever were, and builds the old ones to ask what they need."""
SCHEMES = (*_PACKAGES, "pvc")
"""What the address of a site's store may begin with."""
_OF_FOLDERS = frozenset({"pvc", "file"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EAGAIN})


class StoreFailed(Exception):
    """A store does not do what it was asked for.

    Args:
        kind: `absent` (there is no such thing), `missing` (there is no such bucket, claim or repository),
            `credentials`, `denied`, `unreachable`, `full`, `packages`, `name` or `other`.
        what: the end of a sentence that began with the store: "takes nothing from us". Holds no secret.
        again: it may go well a little later.
    """

    def __init__(self, kind: str, what: str, *, again: bool = False) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.again = again


class Store:
    """One place. What is kept has a path in it: `<run>/<pod's uid>/<name>`."""

    def put(self, at: str, path: str) -> None:
        """Keeps the file at `path`; what was there before is replaced.

        Raises:
            StoreFailed: it could not.
        """
        raise NotImplementedError

    def publish(self, run: str, pod: str) -> None:
        """Called after all that a pod leaves was put: from now on it can be found."""

    def get(self, at: str, path: str) -> None:
        """Writes what is kept into the file at `path`.

        Raises:
            StoreFailed: there is no such thing (`absent`), or it could not.
        """
        raise NotImplementedError

    def pods(self, run: str) -> list[str]:
        """Of which pods of a run something is kept.

        Raises:
            StoreFailed: it could not be asked.
        """
        raise NotImplementedError

    def remove(self, run: str) -> None:
        """Removes all that is kept of a run; nothing is fine, too.

        Raises:
            StoreFailed: it could not.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends what connections there are."""


class Folder(Store):
    """A folder that this machine sees.

    Args:
        root: of the store; must be there.
        below: the folder in it, made where missing.
    """

    def __init__(self, root: str, below: str = "") -> None:
        self._root = root
        self._base = os.path.join(root, *(part for part in below.split("/") if part))

    def put(self, at: str, path: str) -> None:  # noqa: D102  the contract is Store's
        target = self._path(at)
        partial = os.path.join(os.path.dirname(target), f".{os.getpid()}.{time.monotonic_ns()}")
        try:
            if not os.path.isdir(self._root):
                raise StoreFailed("missing", f"is not to be seen here: {self._root} is no folder")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                with open(path, "rb") as source, open(partial, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())  # of a server's disk: the pod ends soon, and its node may, too
                os.replace(partial, target)
            except BaseException:
                if os.path.exists(partial):
                    os.unlink(partial)
                raise
        except OSError as error:
            raise _of_a_disk(error) from error

    def get(self, at: str, path: str) -> None:  # noqa: D102
        if not os.path.isdir(self._root):
            raise StoreFailed("missing", f"is not to be seen here: {self._root} is no folder")
        try:
            shutil.copyfile(self._path(at), path)
        except FileNotFoundError as error:
            raise StoreFailed("absent", f"has no {at}") from error
        except OSError as error:
            raise _of_a_disk(error) from error

    def pods(self, run: str) -> list[str]:  # noqa: D102
        try:
            return sorted(os.listdir(self._path(run)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _of_a_disk(error) from error

    def remove(self, run: str) -> None:  # noqa: D102
        try:
            shutil.rmtree(self._path(run))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _of_a_disk(error) from error

    def _path(self, at: str) -> str:
        return os.path.join(self._base, *checked(at).split("/"))


def _of_a_disk(error: OSError) -> StoreFailed:
    why = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return StoreFailed("full", f"has no room: {why}")
    if error.errno in _DENIED:
        return StoreFailed("denied", f"does not let us: {why}")
    return StoreFailed("other", f"did not take part: {why}", again=error.errno in _PASSING)


def checked(at: str) -> str:
    """A path in a store that leads nowhere else.

    Raises:
        StoreFailed: it would.
    """
    if not _NAME.fullmatch(at):
        raise StoreFailed("name", f"has no place for {at!r}")
    return at


def shown(store: str) -> str:
    """A store's address as it may be told: without a user and a password."""
    protocol, slashes, rest = store.partition("://")
    host, slash, path = rest.partition("/")
    return f"{protocol}{slashes}{host.rpartition('@')[2]}{slash}{path}" if slashes else store.rpartition("@")[2]


def protocol_of(store: str) -> str:
    """What a store's address begins with: `s3`, `pvc`, ...; "" where it is none."""
    return store.partition("://")[0].lower() if "://" in store else ""


def packages_for(store: str) -> tuple[str, ...]:
    """The packages that a job's image needs for its store, as requirements."""
    protocol = protocol_of(store)
    if not protocol or protocol in _OF_FOLDERS or protocol == "oci":
        return ()
    return ("fsspec>=2024.6", *_PACKAGES.get(protocol, ()))


def needs(store: str) -> str:
    """The names of these packages, as sentences have them: `fsspec and s3fs`."""
    return " and ".join(line.partition(">=")[0] for line in packages_for(store))


def volume_of(store: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The volume of a pod, and its mount, that a store on a claim needs; None for another store."""
    if protocol_of(store) != "pvc":
        return None
    volume = {"name": _VOLUME, "persistentVolumeClaim": {"claimName": urlsplit(store).netloc}}
    return volume, {"name": _VOLUME, "mountPath": MOUNTED}


def data_of(store: str, run: str) -> str:
    """What the run's own place in a store is called by programs in a pod; "" where there is none, or no such name.

    Args:
        store: its address.
        run: the run's id.
    """
    protocol = protocol_of(store)
    if protocol in ("", "oci"):
        return ""
    base = posixpath.join(MOUNTED, urlsplit(store).path.strip("/")) if protocol == "pvc" else store
    return posixpath.join(base, "data", run)


def open_store(store: str, environ: Mapping[str, str]) -> Store:
    """The place that an address names; nothing is asked of it yet.

    Args:
        store: its address.
        environ: where credentials are found.

    Raises:
        StoreFailed: it is no address, or a package is missing.
    """
    protocol = protocol_of(store)
    if protocol == "pvc":
        return Folder(MOUNTED, urlsplit(store).path)
    if protocol == "file":
        return Folder("/", unquote(urlsplit(store).path))
    if protocol == "oci":
        from .artifacts import Artifacts

        return Artifacts(store.partition("://")[2], environ)
    if not protocol:
        raise StoreFailed("name", "is no address: s3://BUCKET/FOLDER and pvc://CLAIM/FOLDER are")
    from .buckets import Bucket

    return Bucket(store, environ)
