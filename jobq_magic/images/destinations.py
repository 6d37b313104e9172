"""Images in a registry: only what is missing travels, and what is known to be there is not even asked for.

What is known may be out of date: the registry looks at all blobs of a manifest when it takes it, and where it misses
one everything is looked at once more. A changed cell takes four round trips: whether the image is there, the opening of
uploads, the uploads, and the manifest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.contents import BytesContent
from jobq_magic.images.model import Assembled, Base, Content, Layer, Report, Sent
from jobq_magic.images.registry import Blob, Reference, Refused, Registry
from jobq_magic.snapshot import Progress

__all__ = ["RegistryDestination", "forget", "lasting", "tag_of"]

THREADS = 4
LASTING = 4  # destinations that a process keeps open
ASKED_FOR = 1024 * 1024  # from here on it pays to ask whether a blob is there before it is sent
EVERY = 0.1  # seconds between two reports of how far it is
_BLOB_MISSING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


def tag_of(key: str) -> str:
    """The tag under which the image of a key is found again."""
    return f"run-{key[:24]}"


_lasting: dict[tuple[object, ...], RegistryDestination] = {}
_lasting_lock = threading.Lock()


def lasting(push: str, pull: str, environ: Mapping[str, str], cache: Cache) -> RegistryDestination:
    """A destination that this process keeps for the next image: connections stay open, tokens are asked for once.

    Args:
        push: see `RegistryDestination`.
        pull: likewise.
        environ: likewise; another environment may mean other credentials, so that it is another destination.
        cache: likewise; the one that was given first stays.
    """
    key = (push, pull, frozenset(environ.items()))
    with _lasting_lock:
        found = _lasting.pop(key, None) or RegistryDestination(push, pull, environ, cache)
        _lasting[key] = found  # the one that was used last is last
        if len(_lasting) > LASTING:
            # Not closed: another thread may be at it. Its connections end with it.
            del _lasting[next(iter(_lasting))]
    found.registry.begin()
    return found


def forget() -> None:
    """Closes all that this process keeps."""
    with _lasting_lock:
        for destination in _lasting.values():
            destination.close()
        _lasting.clear()


class RegistryDestination:
    """A repository to push to, by which name it may be that nobody pulls.

    Args:
        push: the repository, as this machine reaches it; `http://` in front means plain http.
        pull: the same one, as those reach it who run the image; "" where that is the same.
        environ: by which credentials, proxies and certificates are found.
        cache: what is remembered to be there.
        registry: the client; None for one of its own.

    Raises:
        BackendError: a name is none.
    """

    def __init__(
        self,
        push: str,
        pull: str,
        environ: Mapping[str, str],
        cache: Cache,
        *,
        registry: Registry | None = None,
    ) -> None:
        self._environ = environ
        self._to = Reference.parse(push).bare
        self._pull = Reference.parse(pull).bare if pull else self._to
        # With its scheme where that matters: who finds the name later can reach the place by it.
        self.name = f"{'http://' if self._to.plain else ''}{self._to.name}"
        self._known = cache.known(self.name)
        self.registry = registry if registry is not None else Registry(self._to, environ, push=True)
        self._lock = threading.Lock()
        self._others: dict[str, Registry] = {}

    def close(self) -> None:
        """Ends all connections."""
        for each in (self.registry, *self._others.values()):
            each.close()

    def find(self, key: str, digest: str) -> str | None:
        """The reference of the image of a key, if it is there."""
        found = self.registry.head_manifest(tag_of(key))
        # Another machine may have put the same content there in other bytes; what we put there is as good as that.
        if digest and (found is None or found.digest != digest):
            found = self.registry.head_manifest(digest)
        return self._reference(found.digest) if found is not None else None

    def base(self, reference: str, platform: str) -> Base | None:
        """None: a registry's images have names that everybody knows."""
        _ = reference, platform
        return None

    def put(self, image: Assembled, report: Report) -> Sent:
        """Brings an image there; returns when it can be pulled.

        Raises:
            BackendError: it cannot be brought there.
        """
        config = Layer(
            "config", "configuration", "", image.config_digest, len(image.config), "", BytesContent(image.config)
        )
        blobs = list({layer.digest: layer for layer in (*image.layers, config)}.values())
        sent = self._bring([blob for blob in blobs if not self._known.has(blob.digest)], report, check=False)
        try:
            self._write(image)
        except Refused as refused:
            if not refused.answer.codes & _BLOB_MISSING:
                raise
            self._known.forget()  # some were removed since
            once_more = self._bring(blobs, report, check=True)
            sent = {digest: sent.get(digest, 0) + count for digest, count in once_more.items()}
            self._write(image)
        travelled = {digest: count for digest, count in sent.items() if count}
        pushed = frozenset(layer.digest for layer in image.layers if layer.digest in travelled)
        total = sum(travelled.values()) + len(image.manifest)
        return Sent(self._reference(image.digest), image.digest, pushed, total)

    def _reference(self, digest: str) -> str:
        return str(self._pull.pinned(digest))

    def _write(self, image: Assembled) -> None:
        """Writes the manifest under its tag, and under its digest alone where tags may not be changed."""
        try:
            self.registry.put_manifest(tag_of(image.key), image.manifest, image.media_type)
        except Refused as refused:
            if refused.answer.status not in {400, 403, 405, 409, 412} or refused.answer.codes & _BLOB_MISSING:
                raise
            there = self.registry.head_manifest(tag_of(image.key))
            if there is None:
                raise
            if there.digest != image.digest:
                self.registry.put_manifest(image.digest, image.manifest, image.media_type)

    def _bring(self, blobs: Sequence[Layer], report: Report, *, check: bool) -> dict[str, int]:
        """Brings blobs there, several at once; how many bytes of each had to travel."""
        meter = _Meter(report)
        done: dict[str, int] = {}

        def bring(blob: Layer) -> None:
            with self.registry.traffic.lane(blob.digest):
                done[blob.digest] = self._one(blob, meter, check=check)

        try:
            # Large ones first: the last one to end should not have begun late.
            _all(bring, sorted(blobs, key=lambda blob: -blob.size), meter.abandon)
        finally:
            if done:
                self._known.add(*done)
        meter.tell()
        return done

    def _one(self, blob: Layer, meter: _Meter, *, check: bool) -> int:
        host, _, repository = blob.origin.partition("/")
        mount = repository if host == self._to.host and repository != self._to.repository else ""
        # Whether it can be mounted is told by the request that opens an upload anyway.
        if (check or (blob.size >= ASKED_FOR and not mount)) and self.registry.has_blob(blob.digest):
            return 0
        content = blob.content if blob.content is not None else self._elsewhere(blob)
        return self.registry.push_blob(
            blob.digest, blob.size, content, mount=mount, at=lambda done: meter.at(blob, done)
        )

    def _elsewhere(self, blob: Layer) -> Content:
        """A blob that another repository has: it is streamed from there, and lands on no disk."""
        if not blob.origin:
            raise BackendError(
                "layer-missing",
                f"The layer {blob.name} ({blob.digest[:19]}…) is neither here nor in {self.name}",
                do="Run it again: what is missing is made anew",
            )
        origin = Reference.parse(blob.origin)
        origin = replace(origin, plain=self._to.plain and origin.host == self._to.host)
        with self._lock:
            if blob.origin not in self._others:
                self._others[blob.origin] = Registry(origin, self._environ)
            return Blob(self._others[blob.origin], blob.digest)


class _Abandoned(Exception):
    """Another upload has failed: this one needs not go on."""


class _Meter:
    """Tells, now and then, how far the uploads are."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._rows: dict[str, Progress] = {}
        self._told = 0.0
        self._abandoned = False

    def abandon(self) -> None:
        """All uploads end at their next piece."""
        self._abandoned = True

    def at(self, blob: Layer, done: int) -> None:
        """An upload is somewhere."""
        if self._abandoned:
            raise _Abandoned
        if blob.kind == "config":
            return
        with self._lock:
            self._rows[blob.digest] = Progress(blob.name, float(done), float(blob.size), "bytes")
            if time.monotonic() - self._told < EVERY:
                return
            self._told = time.monotonic()
            self._report(tuple(self._rows.values()))

    def tell(self) -> None:
        """Tells how far they are now."""
        with self._lock:
            if self._rows:
                self._report(tuple(self._rows.values()))


def _all(do: Callable[[Layer], None], blobs: Iterable[Layer], abandon: Callable[[], None]) -> None:
    """Does something with each, a few at a time; the first error ends the others, and is raised then."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="jobq-push") as pool:
        doing = [pool.submit(do, blob) for blob in blobs]
        try:
            wait(doing, return_when=FIRST_EXCEPTION)
        finally:
            if any(one.done() and one.exception() for one in doing) or not all(one.done() for one in doing):
                abandon()
                for one in doing:
                    one.cancel()
    errors = [error for one in doing if not one.cancelled() and (error := one.exception()) is not None]
    for error in errors:
        if not isinstance(error, _Abandoned):
            raise error
