"""One build on a Docker Engine: a Dockerfile and files in, an image out, and a sentence where it fails."""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jobq_magic.addresses import redacted
from jobq_magic.errors import BackendError
from jobq_magic.images.builders import buildkit
from jobq_magic.images.builders.surroundings import Surroundings
from jobq_magic.images.model import Report
from jobq_magic.snapshot import Progress

if TYPE_CHECKING:
    from jobq_magic.engine.client import Engine

__all__ = ["Build", "run"]

_DOCKERFILE = ".jobq.Dockerfile"
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_OWN = ("---> ", "Removing intermediate container")
"""What the engine says of itself."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TOLD = 6
"""Last lines of a command that failed."""
_NEWER = re.compile(
    r"(?im)^#\s*syntax\s*=|^\s*RUN\s+--(?:mount|network|security)|^\s*(?:RUN|COPY|ADD)\b[^\n]*<<-?[\"']?[A-Za-z_]|"
    r"^\s*(?:COPY|ADD)\b[^\n]*--(?:link|chmod|checksum|parents|exclude|keep-git-dir)"
)
"""What only BuildKit understands."""


@dataclass(frozen=True)
class Build:
    """What is to be built."""

    dockerfile: str
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, Path] = field(default_factory=dict)
    """Of the context, by their paths there."""


def run(engine: Engine, build: Build, around: Surroundings, report: Report = lambda _: None) -> str:
    """Builds.

    Returns:
        The id of the image.

    Raises:
        BackendError: the engine does not answer, or the build fails.
    """
    secrets = frozenset({*around.secrets, *(text for text in build.args.values() if len(text) > 5)})
    told = _Told(report, secrets)
    with tempfile.TemporaryFile(prefix="jobq-context-") as file:
        _pack(build, file)
        with engine.telling("build the image"):
            if _NEWER.search(build.dockerfile):
                lines = buildkit.build(engine, build.args, _DOCKERFILE, file)
            else:
                lines = _classic(engine, build, file)
            for line in lines:
                told.take(line)
    if not told.image:
        raise BackendError("build-failed", "Docker ended the build, and says of no image", do="Run the cell again")
    return told.image


class _Told:
    """What an engine tells while it builds."""

    def __init__(self, report: Report, secrets: frozenset[str]) -> None:
        self.image = ""
        self._report = report
        self._secrets = secrets
        self._step = ""
        self._lines: deque[str] = deque(maxlen=_TOLD)

    def take(self, told: Mapping[str, Any]) -> None:
        if "error" in told:
            raise self._failed(told)
        if isinstance(aux := told.get("aux"), Mapping) and aux.get("ID"):
            self.image = str(aux["ID"])
        text = str(told.get("stream", ""))
        if found := _STEP.match(text):
            self._step = " ".join(found[3].split())
            self._lines.clear()
            label = redacted(self._step, self._secrets)[:60]
            self._report([Progress(label, int(found[1]) - 1, int(found[2]), "steps")])
        else:
            clean = (_COLOURS.sub("", line).rpartition("\r")[2].strip() for line in text.splitlines())
            self._lines += [line for line in clean if line and not line.startswith(_OWN)]

    def _failed(self, told: Mapping[str, Any]) -> BackendError:
        detail = told.get("errorDetail") or {}
        message = redacted(" ".join(str(told["error"]).split()), self._secrets)
        code = detail.get("code") or next(iter(re.findall(r"(?:exit code: |non-zero code: )(\d+)", message)), "")
        last = redacted(" | ".join(self._lines), self._secrets)[-400:]
        if code:
            command = re.search(r'process "(.*)" did not', message)
            step = redacted(
                command[1] if command else re.sub(r"^(?:\[.*?\] )?(?:RUN )?", "", self._step), self._secrets
            )
            what = f"A command of the image ended with status {code}: {step[:160]}"
            return BackendError("build-failed", what, why=last, do="Correct it where the image is described")
        if "COPY failed" not in message and re.search(
            r"pull access denied|manifest (?:for|unknown)|not found|no such host", message
        ):
            return BackendError(
                "build-failed", f"Docker could not build the image: {message[:300]}",
                do="See that the engine can pull what the Dockerfile begins with",
            )  # fmt: skip
        return BackendError(
            "build-failed", f"Docker could not build the image: {message[:300]}",
            do="Correct it where the image is described",
        )  # fmt: skip


def _pack(build: Build, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, path in build.files.items():
            if path.is_dir():
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            with path.open("rb") as data:
                entry = tarfile.TarInfo(name)
                entry.size = path.stat().st_size
                entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                archive.addfile(entry, data)
        text = build.dockerfile.encode()
        entry = tarfile.TarInfo(_DOCKERFILE)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    file.seek(0)


def _classic(engine: Engine, build: Build, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    yield from engine.api.build(
        fileobj=file, custom_context=True, dockerfile=_DOCKERFILE, buildargs=dict(build.args), decode=True, rm=True,
        forcerm=True, timeout=None,
    )  # fmt: skip
