"""The requirements layer: what a lock names, installed by uv into a folder of the image."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobq_magic import uvtool
from jobq_magic.bundle import Requirement
from jobq_magic.errors import BackendError
from jobq_magic.image import Packages
from jobq_magic.images import installed, platforms, wheels
from jobq_magic.images.bytecode import identity, with_bytecode
from jobq_magic.images.layout import SITE, inside
from jobq_magic.images.model import Entry, Part
from jobq_magic.images.parts import key_of, named
from jobq_magic.indexes import Sources, sources

__all__ = ["BuildPlace", "part"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNWANTED = frozenset(
    {
        *("UV_BREAK_SYSTEM_PACKAGES", "UV_BUILD_CONSTRAINT", "UV_COMPILE_BYTECODE", "UV_CONSTRAINT", "UV_FIND_LINKS"),
        *("UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_OVERRIDE", "UV_PREFIX", "UV_PYTHON", "UV_REQUIRE_HASHES"),
        *("UV_SYSTEM_PYTHON", "UV_TARGET", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "VIRTUAL_ENV"),
    }
)
"""Settings for the user's own environments, which would change what is in the layer."""


class BuildPlace(Protocol):
    """Where packages are built of which there are no wheels: in a container of the base, for example."""

    apart: str
    """What such a layer is told apart by, beside the lock; "" where nothing of the lock has to be built."""

    def install(self, lines: str, options: Sequence[str], target: Path, refusal: BackendError) -> None:
        """Installs into a folder.

        Args:
            lines: a file of requirements.
            options: of uv.
            target: the folder.
            refusal: why that cannot be done without.

        Raises:
            BackendError: the refusal, where nothing can build; or what went wrong.
        """


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be installed, and for what."""

    blocks: tuple[str, ...]
    """Of the lock: the lines of one distribution each."""
    build: tuple[Requirement, ...]
    python: str
    platform: str
    without: frozenset[str]
    environ: Mapping[str, str]
    elsewhere: BuildPlace | None = None

    @property
    def hashed(self) -> bool:
        """Whether the lock is one, and not a list of names."""
        return any("--hash=" in block for block in self.blocks)

    @property
    def interpreter(self) -> str:
        return sys.executable if identity(self.python) else self.python


def part(
    packages: Packages,
    *,
    python: str,
    platform: str,
    without: frozenset[str] = frozenset(),
    environ: Mapping[str, str],
    elsewhere: BuildPlace | None = None,
) -> Part | None:
    """The layer with these packages; None where there are none.

    Args:
        packages: what is locked.
        python: the image's minor version.
        platform: of the image, in OCI's words.
        without: names that the base provides, and that must not be there twice.
        environ: where packages come from; settings of pip and of uv count.
        elsewhere: where packages are built of which there are no wheels.

    Raises:
        BackendError: what is to be built is no longer there. Making it raises `needs-build` where something has to be
            built that only a builder can, `cannot-build` and `cannot-install`.
    """
    provided = frozenset(map(_normal, without))
    blocks = tuple(block for block in _blocks(packages.text) if _called(block) not in provided)
    build = tuple(one for one in packages.build if _normal(one.name) not in provided)
    if not blocks and not build:
        return None
    wanted = _Wanted(blocks, build, python, platforms.normal(platform), provided, environ, elsewhere)
    text = hashlib.sha256("".join(blocks).encode()).hexdigest()
    contents = [[one.name, one.version, wheels.content(one)] for one in build]
    key = key_of(
        "requirements",
        text,
        contents,
        python,
        identity(python),
        wanted.platform,
        [] if wanted.hashed else sorted(provided),
        *([elsewhere.apart] if elsewhere is not None and elsewhere.apart else []),
    )
    names = sorted({*map(_called, blocks), *(one.name for one in build)})
    return Part("requirements", named(names), key, lambda folder: _entries(wanted, folder))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _blocks(text: str) -> Iterator[str]:
    """The lines of each distribution of a requirements file; no options."""
    block: list[str] = []
    for line in text.splitlines():
        if line[:1].isspace():
            block.append(line)
            continue
        if block:
            yield "\n".join(block) + "\n"
        block = [line] if _NAME.match(line) else []
    if block:
        yield "\n".join(block) + "\n"


def _called(block: str) -> str:
    found = _NAME.match(block)
    assert found is not None
    return _normal(found[0])


def _entries(wanted: _Wanted, folder: Path) -> Iterable[Entry]:
    try:
        target = _installed(wanted, folder)
        return with_bytecode(installed.entries(target), folder / "bytecode", wanted.python, equals=_here())
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or 'uv'})"
        raise BackendError("cannot-install", f"the packages cannot be installed: {reason}") from error


def _installed(wanted: _Wanted, folder: Path) -> Path:
    """Installs what is wanted, and returns where."""
    where = sources(wanted.environ)
    environ = {name: text for name, text in wanted.environ.items() if name not in _UNWANTED} | dict(where.variables)
    if where.find_links:
        environ["UV_FIND_LINKS"] = ",".join(where.find_links)
    target = folder / "target"
    target.mkdir()
    made = [
        wheels.built(one, folder / f"build-{number}", python=wanted.interpreter, environ=environ, secrets=where.secrets)
        for number, one in enumerate(wanted.build)
        if not wheels.fetched(one)
    ]
    own = [_line(path, hashed=wanted.hashed) for path in made]
    if wanted.blocks or own:
        alone = ["--require-hashes", "--no-deps"] if wanted.hashed else [] if wanted.blocks else ["--no-deps"]
        _install([*wanted.blocks, *own], ["--only-binary", ":all:", *alone], target, wanted, environ, where)
    elsewhere = [f"{one.name} @ {one.origin}\n" for one in wanted.build if wheels.fetched(one)]
    if elsewhere:
        _install(elsewhere, ["--no-deps"], target, wanted, environ, where)
    if not wanted.hashed:
        installed.excluded(target, wanted.without)
    return target


def _here() -> Callable[[str], list[str]]:
    """Where the same file may be installed on this machine: most of what a cell needs is."""
    roots = [entry for entry in dict.fromkeys(sys.path) if entry.endswith("-packages") and Path(entry).is_dir()]
    site = inside(SITE) + "/"

    def equals(path: str) -> list[str]:
        return [f"{root}/{path.removeprefix(site)}" for root in roots]

    return equals


def _line(wheel: Path, *, hashed: bool) -> str:
    name = _normal(wheel.name.partition("-")[0])
    digest = f" --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" if hashed else ""
    return f"{name} @ {wheel.as_uri()}{digest}\n"


def _install(
    lines: Sequence[str],
    options: Sequence[str],
    target: Path,
    wanted: _Wanted,
    environ: Mapping[str, str],
    where: Sources,
) -> None:
    listed = target.with_suffix(".txt")
    listed.write_text("".join(lines), encoding="utf-8")
    command = [
        *(uvtool.program(), "pip", "install", "--target", str(target), "-r", str(listed), *options),
        *("--python", sys.executable, "--python-version", wanted.python),
        *("--python-platform", platforms.for_uv(wanted.platform), "--color", "never", "--no-progress"),
        *where.options,
    ]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        refusal = _refusal(done.stderr, wanted, where)
        if refusal.code != "needs-build" or wanted.elsewhere is None:
            raise refusal
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        allowed = [option for option in options if option not in {"--only-binary", ":all:"}]
        wanted.elsewhere.install("".join(lines), allowed, target, refusal)


def _refusal(told: str, wanted: _Wanted, where: Sources) -> BackendError:
    flat = re.sub(r"\s+", " ", told)
    missing = re.findall(r"([A-Za-z0-9][\w.-]*?)(?:[=<>!~]=?=?[^\s]+)? has no (?:usable )?wheels", flat)
    missing += re.findall(r"Wheels are required for `([^`]+)`", flat)
    if missing:
        names = named(sorted(set(missing)))
        return BackendError(
            "needs-build",
            f"there is no wheel of {names} for Python {wanted.python} on {wanted.platform}: it has to be built",
            do="Name a version that has one with --requirement, or have the image built by an engine",
        )
    return BackendError(
        "cannot-install", f"the packages cannot be installed: {uvtool.reason(told, where.secrets)}", do=_way(flat)
    )


def _way(told: str) -> str:
    if re.search(r"hash mismatch", told, re.IGNORECASE):
        return "The index has other files than when the packages were locked: run the cell again"
    if re.search(r"fetch|connect|dns|certificate|timed? ?out|401|403", told, re.IGNORECASE):
        return "See to the network and the index"
    if " was not found in the " in told:
        return "Check how its name is written, or name the index that has it, by UV_INDEX"
    return "Name other versions with --requirement"
