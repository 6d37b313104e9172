"""Runs for other programs: a spec, and a cell as text or a bundle that was made elsewhere.

It goes the way of every cell: JobSpec, then `pipeline.submit`. A text is captured from its source alone, since there is
no notebook around it; a bundle is looked at, part by part, and travels as it is. Nothing is unpickled here: what is in
it, its job unpickles, as its user.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import BackendError, CaptureError, JobqError, OptionError, OptionErrors
from jobq_magic.server.asking import Answer, Refused, read
from jobq_magic.server.bodies import checked
from jobq_magic.server.handlers import Endpoint
from jobq_magic.server.plain import plain

if TYPE_CHECKING:
    from jobq_magic.bundle import Bundle
    from jobq_magic.capture import Source
    from jobq_magic.run import Run
    from jobq_magic.runs.store import Store

__all__ = ["MOST", "Sent", "Submission", "submit"]

MOST = 64 << 20
"""Bytes of one request: what is larger belongs into a store that the job reads."""
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_LABEL = "cell"
"""What tracebacks call a text."""


@dataclass(frozen=True)
class Sent:
    """What was sent."""

    spec: Mapping[str, Any]
    code: str | None = None
    bundle: bytes | None = None
    """A tar."""
    digest: str = ""
    """The content digest that the bundle is said to have."""

    @property
    def content(self) -> str:
        """A digest of all of it."""
        told = json.dumps([self.spec, self.code, self.digest], sort_keys=True).encode()
        return hashlib.sha256(told + b"\0" + (self.bundle or b"")).hexdigest()


class Submission(Endpoint):
    """`POST runs`; the list of runs lies at the same address."""

    async def post(self, *_path: str) -> None:
        """Submits, and says where the run is."""
        assert self.route is not None
        read(self.route.query, self.request.query_arguments)
        key = self.request.headers.get("Idempotency-Key", "")
        if "Idempotency-Key" in self.request.headers and not _KEY.fullmatch(key):
            raise Refused(400, "bad-key", "Idempotency-Key must be 1 to 200 letters without spaces")
        sent = self._sent(self.route.body)
        run, notes, again = await self.view.slow(submit, self.view.store, sent, key)
        body = {
            "run": run.id,
            "name": run.name,
            "where": str(run.target["where"]),
            "notes": list(notes),
            "again": again,
        }
        headers = {"Location": f"{self.base}runs/{run.id}"}
        self.tell(Answer(plain(body), status=200 if again else 201, headers=headers))

    def _sent(self, shape: str) -> Sent:
        """What the body says.

        Raises:
            Refused: it cannot be.
        """
        if len(self.request.body) > MOST:
            do = "Put large values into a store that the job reads"
            raise Refused(413, "too-large", f"A submission has at most {MOST >> 20} MiB", do=do)
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            told = checked(shape, self.request.body)
            return Sent(told["spec"], code=told["code"])
        if kind != "multipart/form-data":
            do = "Send application/json with spec and code, or multipart/form-data with spec and bundle"
            raise Refused(415, "bad-body", "What is sent here must be JSON, or parts of a form", do=do)
        parts = {**self.request.body_arguments, **{k: [one.body for one in v] for k, v in self.request.files.items()}}
        if strange := sorted(parts.keys() - {"spec", "bundle", "digest"}):
            raise Refused(400, "bad-body", f"{strange[0][:60]!r} is no part of a submission: it has spec and bundle")
        if any(len(part) != 1 for part in parts.values()) or not {"spec", "bundle"} <= parts.keys():
            raise Refused(400, "bad-body", "A submission has the parts spec and bundle, each once")
        digest = parts.get("digest", [b""])[0].decode("ascii", "replace").strip()
        return Sent(_object(parts["spec"][0]), bundle=parts["bundle"][0], digest=digest)


def submit(store: Store, sent: Sent, key: str = "") -> tuple[Run, tuple[str, ...], bool]:
    """Has a run on its way: the run, what its user should know, and whether its key had made it before.

    Args:
        store: where it is to be.
        sent: what was sent.
        key: the same one means the same submission; "": each is another.

    Raises:
        Refused: what cannot be, one sentence for each mistake.
    """
    from jobq_magic import follower
    from jobq_magic.server.once import KEY, once

    notes: list[str] = []

    def make(name: str) -> Run:
        from jobq_magic import pipeline
        from jobq_magic.config import resolve
        from jobq_magic.places import runtime_dir
        from jobq_magic.server.specs import options_of

        asked = options_of(sent.spec, bundled=sent.bundle is not None)
        resolved = resolve(asked, cwd=Path.cwd(), environ=os.environ, interactive=True)
        with tempfile.TemporaryDirectory(prefix="bundle-", dir=runtime_dir()) as folder:
            source = _source(sent, Path(folder))
            submitted = pipeline.submit(resolved, source, store, cell={KEY: name} if name else {})
        notes.extend(dict.fromkeys((*resolved.notes, *submitted.notes, *submitted.bundle.notes)))
        follower.tend(store, submitted.run)
        return submitted.run

    try:
        run, again = once(store, key, sent.content, make) if key else (make(""), False)
    except JobqError as error:
        raise _refused(error) from error
    return run, tuple(notes), again


def _source(sent: Sent, folder: Path) -> Source | Bundle:
    """What is to travel; a bundle lies in the folder afterwards."""
    if sent.bundle is not None:
        from jobq_magic.server.unpacking import unpacked

        return unpacked(sent.bundle, folder, digest=sent.digest)
    from jobq_magic.capture import Source

    code = sent.code or ""
    if not code.strip():
        raise CaptureError("empty-cell", "There is no code to run")
    return Source(code, _LABEL, {})


def _refused(error: JobqError) -> Refused:
    """The same with its status; of several mistakes each has its line."""
    if isinstance(error, Refused):
        return error
    why = "\n".join(error.lines()[1:]) if isinstance(error, OptionErrors) else error.why
    status = 422
    if isinstance(error, OptionError):
        status = 400
    elif isinstance(error, BackendError) and error.passing:
        status = 503
    elif error.code.startswith("store-") and not isinstance(error, CaptureError):
        status = {"store-full": 507, "store-not-allowed": 403}.get(error.code, 500)
    what, do = error.what, error.do
    if error.code == "missing-name":  # said of notebooks
        what, do = what.replace("in this notebook", "in what was sent"), "Define it in the code that is sent"
    return Refused(status, error.code, plain(what), why=plain(why), do=plain(do))


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        known = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad-body", "The part spec is no JSON") from error
    if not isinstance(known, dict):
        raise Refused(400, "bad-body", "The part spec is no object")
    return known
