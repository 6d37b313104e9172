"""One build on a Docker Engine: a Dockerfile and files in, an image out, and a sentence where it fails."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jobq_magic.addresses import redacted
from jobq_magic.engine import buildkit
from jobq_magic.engine.client import Engine, Refused
from jobq_magic.errors import BackendError
from jobq_magic.images.builders.surroundings import Surroundings
from jobq_magic.images.model import Report
from jobq_magic.snapshot import Progress

__all__ = ["Build", "run"]

_DOCKERFILE = ".jobq.Dockerfile"
_IGNORING = ".dockerignore"
_OURS = f"{_DOCKERFILE}\n{_IGNORING}\n"
"""What is left out was left out on this side; by this the engine keeps out of the image what is only for itself."""
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_OWN = ("---> ", "Removing intermediate container")
"""What the engine says of itself."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COMMAND = re.compile(r'process "(.*)" did not|executor failed running \[(.*)\]: ')
"""How BuildKit names the command that failed, since 23 and before."""
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
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More files of it."""


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
        newer = _NEWER.search(build.dockerfile) is not None
        # BuildKit copies all of an archive that it is given: there our Dockerfile has the place of the user's.
        name = "Dockerfile" if newer else _DOCKERFILE
        ours = {} if newer else {_IGNORING: _OURS}
        _pack(build, file, {**build.texts, **ours, name: build.dockerfile})
        with _correctable(), engine.telling("build the image"):
            lines = (buildkit.build if newer else _classic)(engine, build.args, name, file)
            for line in lines:  # to their end, also after an error: then the connection is free
                told.take(line)
    if told.failure is not None:
        raise told.failure
    if not told.image:
        raise BackendError("build-failed", "Docker ended the build, and says of no image", do="Run the cell again")
    return told.image


@contextlib.contextmanager
def _correctable() -> Iterator[None]:
    """What the engine refuses to begin with is a mistake in what it was given."""
    try:
        yield
    except Refused as refused:
        do = "Correct it where the image is described"
        raise BackendError("build-failed", refused.what, why=refused.why, do=refused.do or do) from refused


class _Told:
    """What an engine tells while it builds."""

    def __init__(self, report: Report, secrets: frozenset[str]) -> None:
        self.image = ""
        self.failure: BackendError | None = None
        self._report = report
        self._secrets = secrets
        self._step = ""
        self._lines: deque[str] = deque(maxlen=_TOLD)

    def take(self, told: Mapping[str, Any]) -> None:
        if "error" in told:
            self.failure = self.failure or self._failed(told)
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
            command = _COMMAND.search(message)
            step = (command[1] or command[2]) if command else re.sub(r"^(?:\[.*?\] )?(?:RUN )?", "", self._step)
            step = redacted(step.removeprefix("/bin/sh -c "), self._secrets)
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


def _pack(build: Build, file: IO[bytes], more: Mapping[str, str]) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, path in build.files.items():
            entry = tarfile.TarInfo(name)
            if name in more:
                continue
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            with path.open("rb") as content:
                entry.size = path.stat().st_size
                entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                archive.addfile(entry, content)
        for name, text in more.items():
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    file.seek(0)


def _classic(engine: Engine, args: Mapping[str, str], dockerfile: str, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    yield from engine.api.build(
        fileobj=file, custom_context=True, dockerfile=dockerfile, buildargs=dict(args), decode=True, rm=True,
        forcerm=True, timeout=None,
    )  # fmt: skip
