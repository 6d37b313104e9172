"""From requirements to a lock: the versions that are installed here, and what they need where the job runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jobq_magic.addresses import without_credentials
from jobq_magic.bundle import Requirement
from jobq_magic.capture.requirements.accelerators import cpu_only, for_gpus, needs_more, without_cpu_builds
from jobq_magic.capture.requirements.compiling import Locked, Wanted, compiled
from jobq_magic.capture.requirements.distributions import Distribution, direct, headers, installed, read
from jobq_magic.capture.requirements.stubs import metadata_of
from jobq_magic.errors import CaptureError
from jobq_magic.indexes import sources
from jobq_magic.runtime.wire import canonical, replace_file

__all__ = ["Lock", "lock"]

_VERSION = re.compile(
    r"v?(\d+!)?\d+(\.\d+)*[._-]?((a|b|c|rc|alpha|beta|pre)[._-]?\d*)?([._-]?post\d*)?([._-]?dev\d*)?$"
)
_FORMAT = 1
"""Of what is kept; another one is not read."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Exact versions with hashes, for one Python on one platform."""

    text: str
    """A requirements file; without addresses of indexes, and without what is in `build`."""
    digest: str
    """The sha256 of the text, in hex."""
    build: tuple[Requirement, ...] = ()
    """What is on no index: to be built or copied from where it is. What these need is in the text."""
    cached: bool = False
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Here:
    """What is installed, as the lock sees it."""

    versions: dict[str, str]
    direct: dict[str, Distribution]
    """Those from an address, by name."""
    infos: dict[str, str]
    """Of each, its folder of metadata."""


def lock(
    requirements: Sequence[Requirement],
    *,
    python: str,
    platform: str,
    gpus: bool = False,
    cache: Path,
    no_lock: bool = False,
) -> Lock:
    """Locks requirements to the versions that are installed here, with what they need on the target.

    Args:
        requirements: what is needed, from `roots`.
        python: the target's version of Python: `3.11`.
        platform: the target's platform, in uv's words: `x86_64-manylinux_2_28`.
        gpus: the job uses GPUs: builds for CPUs only are refused.
        cache: a folder where locks are kept by what they are made from.
        no_lock: only names and versions, as they are; nothing is asked of an index.

    Raises:
        CaptureError: `cannot-lock`.
    """
    if no_lock:
        return _unlocked(requirements)
    here, where = _here(), sources()
    wanted, notes = _wanted(requirements, here, python, platform, gpus=gpus)
    key = _key(wanted, where.key, gpus=gpus)
    file = cache / f"lock-{key}.json"
    if (kept := _kept(file)) is not None:
        return kept
    found = compiled(wanted, where) if wanted.roots else []
    if gpus and (more := needs_more(one.name for one in found)):
        versions = {one.name: one.version for one in found}
        extra = [for_gpus(name, versions[name], _extras(here, name)) for name in more]
        wanted = replace(wanted, roots=(*wanted.roots, *(root for root, _ in extra)))
        notes += [note for _, note in extra if note]
        found = compiled(wanted, where)
    made = _made(requirements, found, here, notes, gpus=gpus)
    _keep(file, made)
    return made


def _unlocked(requirements: Iterable[Requirement]) -> Lock:
    lines = [
        one.origin if one.source == "asked" else _pinned(one.name, one.version)
        for one in requirements
        if one.source in ("index", "system", "asked")
    ]
    text = "".join(f"{line}\n" for line in lines)
    build = tuple(one for one in requirements if one.source not in ("index", "system", "asked"))
    note = "nothing is locked: what the packages need is chosen where they are installed"
    return Lock(text, _digest(text), build, notes=(note,))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _here() -> _Here:
    here = _Here({}, {}, {})
    for site, info, name, version in installed():
        here.infos[name] = os.path.join(site.path, info)  # noqa: PTH118 - hundreds of them, each time
        if info in direct(site):
            known = read(site, info)
            here.direct[name] = known
            version = known.version  # noqa: PLW2901 - the metadata knows it better
        here.versions[name] = version
    return here


def _extras(here: _Here, name: str) -> list[str]:
    return headers(here.infos[name]).get("provides-extra", []) if name in here.infos else []


def _public(version: str) -> str:
    """A version without its local part, which is on no index; "" where it is no version at all."""
    public = version.partition("+")[0]
    return public if _VERSION.match(public) else ""


def _pinned(name: str, version: str) -> str:
    return f"{name}=={public}" if (public := _public(version)) else name


def _wanted(
    requirements: Iterable[Requirement], here: _Here, python: str, platform: str, *, gpus: bool
) -> tuple[Wanted, list[str]]:
    """What is asked of uv, and what to say about it."""
    roots, notes = [], []
    pins = {name: _public(version) for name, version in here.versions.items() if name not in here.direct}
    stubs = dict(here.direct)
    for one in requirements:
        if one.source == "asked":
            roots.append(one.origin)
            stubs.pop(one.name, None)
            if not _allows(one.origin, pins.get(one.name, "")):
                pins.pop(one.name, None)
        elif one.source in ("index", "system"):
            public = _public(one.version)
            # What was captured counts, whatever was installed since.
            pins.pop(one.name, None)
            stubs.pop(one.name, None)
            root, note = for_gpus(one.name, public, _extras(here, one.name)) if gpus and public else ("", "")
            roots.append(root if note else _pinned(one.name, one.version))
            notes += [note] if note else []
        elif one.name in stubs:
            roots.append(f"{one.name}=={stubs[one.name].version}")
        else:
            notes.append(f"{one.name} is no longer installed here: what it needs is not in the lock")
    constraints = [f"{name}=={version}" for name, version in sorted(pins.items()) if version]
    if gpus:
        constraints += without_cpu_builds(here.versions)
    metadata = {
        name: (known.version, metadata_of(name, known.version, known.info)) for name, known in sorted(stubs.items())
    }
    constraints += [f"{name}=={version}" for name, (version, _) in metadata.items()]
    return Wanted(tuple(sorted(roots)), tuple(constraints), metadata, python, platform), notes


def _allows(line: str, version: str) -> bool:
    """Whether what was asked for can be what is installed here."""
    from packaging.requirements import Requirement as Parsed

    parsed = Parsed(line)
    return bool(version) and parsed.url is None and parsed.specifier.contains(version, prereleases=True)


def _key(wanted: Wanted, settings: Sequence[str], *, gpus: bool) -> str:
    target = [wanted.python, wanted.platform, gpus]
    asked = [wanted.roots, wanted.constraints, wanted.stubs, target]
    known = {"asked": asked, "settings": settings, "project": _project(), "format": _FORMAT}
    return hashlib.sha256(canonical(known)).hexdigest()[:32]


def _project() -> list[str]:
    """What uv reads in files of its own, by content: the user's and the project's settings."""
    try:
        here = Path.cwd()
    except OSError:
        return []
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME") or Path.home()) / ".config")
    files = [Path("/etc/uv/uv.toml"), config / "uv/uv.toml"]
    for folder in (here, *here.parents):
        near = [folder / "uv.toml", folder / "pyproject.toml"]
        if found := [path for path in near if path.is_file()]:
            files += found
            break
    texts = []
    for path in files:
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if path.name == "uv.toml" or b"[tool.uv" in data:
            texts.append(hashlib.sha256(data).hexdigest())
    return texts


def _keep(file: Path, made: Lock) -> None:
    form = {"text": made.text, "build": [asdict(one) for one in made.build], "notes": made.notes, "format": _FORMAT}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, canonical(form))
    except OSError:
        pass  # it is made again next time


def _kept(file: Path) -> Lock | None:
    try:
        known = json.loads(file.read_bytes())
        if known["format"] != _FORMAT:
            return None
        build = tuple(Requirement(**one) for one in known["build"])
        return Lock(known["text"], _digest(known["text"]), build, cached=True, notes=tuple(known["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is made again


def _made(
    requirements: Sequence[Requirement], found: Sequence[Locked], here: _Here, notes: list[str], *, gpus: bool
) -> Lock:
    """The lock, with what is on no index apart."""
    if gpus and (wrong := cpu_only({one.name: one.version for one in found})):
        raise CaptureError(
            "cannot-lock",
            f"the job asks for GPUs, and the lock would hold {' and '.join(wrong)}, built for CPUs only",
            do="Name the index that has the build for GPUs (UV_INDEX, or PIP_EXTRA_INDEX_URL), or ask for a version "
            "of it with --requirement",
        )
    build = {one.name: one for one in requirements if one.source not in ("index", "system", "asked")}
    asked = {one.name: one for one in requirements if one.source == "asked"}
    versions = here.versions | {one.name: one.version for one in requirements if one.version}
    text = ""
    for one in found:
        if one.url:
            base = asked.get(one.name, Requirement(one.name, ""))
            build[one.name] = replace(base, source=_kind(one.url), origin=without_credentials(one.url))
        elif one.name in here.direct and one.version == here.direct[one.name].version and one.name not in asked:
            known = here.direct[one.name]
            why = f"needed by {', '.join(one.by)}" if one.by else ""
            build.setdefault(one.name, Requirement(one.name, known.version, known.source, known.origin, why))
        else:
            text += one.text
            notes += _difference(one, versions.get(one.name, ""))
    return Lock(text, _digest(text), tuple(build[name] for name in sorted(build)), notes=tuple(dict.fromkeys(notes)))


def _kind(url: str) -> str:
    if re.match(r"(git|hg|svn|bzr)\+", url):
        return "vcs"
    return "archive" if re.search(r"\.(whl|zip|tar\.\w+|tgz)(#|$)", url) else "directory"


def _difference(one: Locked, version: str) -> list[str]:
    """What to say where the build that is installed here is not the one of the lock."""
    if "+" in version and version != one.version and _public(version) == _public(one.version):
        return [f"{one.name} is {version} here, and {one.version} in the lock: that build is on no index that is known"]
    return []
