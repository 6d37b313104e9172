"""Brings a blob into a registry: mounted where it is there already, in one request where it is small, else in chunks.

After trouble the registry is asked how far it is, and the upload goes on there. Not every registry can: with some, what
was cut within a chunk is lost, and the upload begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from jobq_magic.errors import BackendError
from jobq_magic.images.model import Content
from jobq_magic.images.registry.problems import Answer, Refused, Trouble

if TYPE_CHECKING:
    from jobq_magic.images.registry.client import Registry

__all__ = ["push"]

CHUNK = 64 * 1024 * 1024  # below the 100 MB that proxies before registries often allow
SMALLEST = 4 * 1024 * 1024  # how far chunks shrink when they are said to be too large
ANEW = 3  # times that an upload begins anew because the registry says that it cannot go on


@dataclass(slots=True)
class _Upload:
    """An upload that is under way."""

    where: str
    offset: int = 0
    least: int = 0
    """The smallest chunk that the registry takes."""
    unsure: bool = False
    """There was trouble: how far it is must be asked."""


def push(registry: Registry, digest: str, size: int, content: Content, *, mount: str, at: Callable[[int], None]) -> int:
    """Brings a blob there; returns how many bytes of it had to travel. See `Registry.push_blob`."""
    patience = registry.patience()
    upload: _Upload | None = None
    chunk, anew, furthest, begun = CHUNK, 0, 0, False
    while True:
        try:
            if upload is not None and upload.unsure:
                upload = _asked(registry, upload, size)
            if upload is None:
                # What has been begun may have arrived, although its answer was lost.
                if begun and registry.has_blob(digest):
                    return size
                upload = _begin(registry, digest, "" if begun else mount)
                if upload is None:
                    return 0
                begun = True
            if size - upload.offset <= chunk:
                _finish(registry, upload, digest, size, content, at)
                at(size)
                return size
            _patch(registry, upload, max(chunk, upload.least), size, content, at)
            if upload.offset > furthest:
                furthest = upload.offset
                patience.progress()
        except Trouble as trouble:
            patience.pause(trouble)
            if upload is not None:
                upload.unsure = True
        except Refused as refused:
            answer = refused.answer
            if answer.status == 413 and chunk > SMALLEST:
                chunk = max(SMALLEST, min(chunk, size) // 4)
            elif anew < ANEW and _anew(answer) and upload is not None:
                anew += 1
                if upload.offset == 0 and size > chunk:
                    chunk = size  # some registries take no chunks at all, only the whole
            else:
                raise
            upload = None


def _anew(answer: Answer) -> bool:
    """Whether an answer says that the upload cannot go on, while another one could."""
    unknown = answer.status in {404, 410} and "NAME_UNKNOWN" not in answer.codes
    return unknown or answer.status in {400, 405, 411, 416, 501}


def _begin(registry: Registry, digest: str, mount: str) -> _Upload | None:
    """Opens an upload; None where the blob could be mounted."""
    query = f"?mount={quote(digest)}&from={quote(mount, safe='/')}" if mount else ""
    try:
        answer = registry.attempt("POST", f"blobs/uploads/{query}", good=(201, 202), mount=mount)
    except Refused:
        # Who may not read the other repository, or whose registry knows no mounts, uploads.
        if not mount:
            raise
        return _begin(registry, digest, "")
    if answer.status == 201:
        return None
    least = answer.headers.get("oci-chunk-min-length", "")
    upload = _Upload("", least=int(least) if least.isdigit() else 0)
    return _follow(registry, upload, answer)


def _follow(registry: Registry, upload: _Upload, answer: Answer) -> _Upload:
    where = answer.headers.get("location", "")
    if not where:
        raise registry.no_registry("an upload, and not where")
    upload.where = registry.resolved(answer, where)
    return upload


def _patch(
    registry: Registry, upload: _Upload, chunk: int, size: int, content: Content, at: Callable[[int], None]
) -> None:
    """Sends one chunk."""
    start, end = upload.offset, min(upload.offset + chunk, size)
    answer = registry.attempt(
        "PATCH",
        upload.where,
        body=lambda: _pieces(content, start, end, at),
        size=end - start,
        headers={"Content-Range": f"{start}-{end - 1}"},
        good=(201, 202, 204),
    )
    upload.offset = _reached(answer, end)
    _follow(registry, upload, answer)


def _finish(
    registry: Registry, upload: _Upload, digest: str, size: int, content: Content, at: Callable[[int], None]
) -> None:
    """Sends what is left, and says what it all was."""
    start = upload.offset
    sign = "&" if "?" in upload.where else "?"
    headers = {"Content-Range": f"{start}-{size - 1}"} if 0 < start < size else {}
    registry.attempt(
        "PUT",
        f"{upload.where}{sign}digest={quote(digest)}",
        body=lambda: _pieces(content, start, size, at),
        size=size - start,
        headers=headers,
        good=(201, 202, 204),
    )


def _asked(registry: Registry, upload: _Upload, size: int) -> _Upload | None:
    """The upload as the registry has it after some trouble; None where it has it no more."""
    try:
        answer = registry.attempt("GET", upload.where, good=(200, 202, 204))
    except BackendError:
        return None  # what is still wrong is met by the next upload
    upload.offset, upload.unsure = _reached(answer, -1), False
    if not 0 <= upload.offset <= size:
        return None
    return _follow(registry, upload, answer) if "location" in answer.headers else upload


def _reached(answer: Answer, otherwise: int) -> int:
    """How many bytes a registry says to have: `Range: 0-N`, in which 0-0 is nothing."""
    start, _, last = answer.headers.get("range", "").removeprefix("bytes=").partition("-")
    if start != "0" or not last.isdigit():
        return otherwise
    return int(last) + 1 if int(last) else 0


def _pieces(content: Content, start: int, end: int, at: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of a content from `start` to `end`; exactly as many."""
    done = start
    for read in content.read(start):
        piece = read[: end - done]
        if piece:
            yield piece
            done += len(piece)
            at(done)
        if done == end:
            return
    if done < end:
        raise BackendError(
            "layer-changed",
            f"A layer ends at {done} bytes, and should have {end}: its file on this machine was changed",
            do="Run it again: what is damaged is made anew",
        )
