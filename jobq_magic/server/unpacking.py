"""A bundle that was sent, laid out in a folder after every part of it was looked at. Nothing in it is unpickled.

What is in the archive is what the manifest names, with the digests that it names, and nothing else: so what runs is
what was sent, and no name in it leads anywhere but below the folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from jobq_magic.bundle import Account, Bundle, Requirement, Traveller
from jobq_magic.errors import CaptureError
from jobq_magic.runtime.wire import PROTOCOL, canonical, replace_file

__all__ = ["MOST_FILES", "unpacked"]

MOST_FILES = 10_000
_LONGEST_MANIFEST = 8 << 20
_LONGEST_PATH, _LONGEST_PART = 1000, 255
_FORMS = (r"manifest\.json", r"code/[A-Za-z0-9_.-]+\.py", r"values/[0-9a-f]{64}", r"(?:modules|files)/.+")
_PLACE = re.compile("|".join(f"(?:{form})" for form in _FORMS), re.DOTALL)
_EXECUTABLE = 0o100

_Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Code: TypeAlias = Annotated[str, Field(pattern=r"^code/[A-Za-z0-9_.-]+\.py$")]
_Value: TypeAlias = Annotated[str, Field(pattern=r"^values/[0-9a-f]{64}$")]
_Name: TypeAlias = Annotated[str, Field(pattern=r"^[^\W\d]\w*$", max_length=200)]
_Dotted: TypeAlias = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=400)]
_Label: TypeAlias = Annotated[str, Field(max_length=300)]
_Number: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 40)]
_Turn: TypeAlias = Literal["early", "again", "anew", "fill"]
_STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(_STRICT)
class _State(TypedDict):
    kind: Literal["state"]
    what: Annotated[str, Field(max_length=100)]
    data: NotRequired[Any]
    file: NotRequired[_Value]


@with_config(_STRICT)
class _Import(TypedDict):
    kind: Literal["import"]
    module: _Dotted
    attribute: _Dotted | None
    name: _Name | None


@with_config(_STRICT)
class _Source(TypedDict):
    kind: Literal["source"]
    names: list[_Name]
    file: _Code
    sha256: _Digest
    label: _Label
    line: _Number
    flags: _Number


@with_config(_STRICT)
class _Values(TypedDict):
    kind: Literal["value"]
    names: list[_Name]
    file: _Value
    size: _Number
    turn: NotRequired[_Turn]


@with_config(_STRICT)
class _Attributes(TypedDict):
    kind: Literal["attributes"]
    of: _Dotted
    file: _Value
    turn: NotRequired[_Turn]


@with_config(_STRICT)
class _Cell(TypedDict):
    file: _Code
    sha256: _Digest
    label: _Label
    line: _Number
    flags: _Number
    outs: list[_Name]
    only: bool


@with_config(_STRICT)
class _Needed(TypedDict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9.!+_-]*$", max_length=100)]
    source: Literal["index", "system", "asked", "editable", "directory", "vcs", "archive"]
    origin: NotRequired[Annotated[str, Field(max_length=500)]]


@with_config(_STRICT)
class _Manifest(TypedDict):
    protocol: int
    python: Annotated[str, Field(pattern=r"^3(\.[0-9]{1,2})?$")]
    steps: list[Annotated[_State | _Import | _Source | _Values | _Attributes, Field(discriminator="kind")]]
    cell: _Cell
    modules: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    files: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    requirements: list[_Needed]


def unpacked(data: bytes, folder: Path, *, digest: str = "") -> Bundle:
    """The bundle in an archive.

    Args:
        data: a tar that is not compressed.
        folder: an empty one.
        digest: the content digest that the bundle is said to have; "" where none was said.

    Raises:
        CaptureError: what is wrong with it, in one sentence.
    """
    found = _members(data)
    known = _manifest(found)
    _compare(found, known)
    for path, (content, executable) in found.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o700 if executable else 0o600)
    (folder / "code").mkdir(exist_ok=True)
    replace_file(folder / "manifest.json", canonical(known))
    bundle = Bundle.load(folder)
    if digest and digest != bundle.digest:
        what = f"The bundle's content has the digest {bundle.digest}, and {digest[:64]} was told"
        raise CaptureError("bundle-digest", what, do="Send it again")
    return Bundle(folder, bundle.digest, bundle.steps, bundle.cell, _account(known, found, bundle.digest))


def _members(data: bytes) -> dict[str, tuple[bytes, bool]]:
    """The files of an archive by their paths, and whether each may be executed."""
    found: dict[str, tuple[bytes, bool]] = {}
    folders: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="strict") as archive:
            for count, member in enumerate(archive):
                if count >= 2 * MOST_FILES or len(found) >= MOST_FILES:
                    _refuse("bundle-large", f"The bundle has more than {MOST_FILES} files")
                path = _path(member.name)
                if member.isdir():
                    folders.add(path)
                    continue
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    _refuse("bundle-member", f"{_shown(path)} in the bundle is no plain file")
                if not _PLACE.fullmatch(path):
                    do = "It holds manifest.json, code/, values/, modules/ and files/"
                    _refuse("bundle-member", f"{_shown(path)} has no place in a bundle", do)
                if path in found:
                    _refuse("bundle-member", f"{_shown(path)} is in the bundle twice")
                content = archive.extractfile(member)
                assert content is not None
                found[path] = content.read(), bool(member.mode & _EXECUTABLE)
                if len(found[path][0]) != member.size:
                    _refuse("bundle-member", f"{_shown(path)} in the bundle is cut short")
    except (tarfile.TarError, UnicodeError, ValueError, OverflowError, RecursionError) as error:
        what = "What was sent as the bundle is no tar, or a damaged one"
        raise CaptureError("bundle-tar", what, why=str(error)[:200], do="Send a tar that is not compressed") from error
    above = {path[:at] for path in found for at, letter in enumerate(path) if letter == "/"}
    if both := sorted((above | folders) & found.keys()):
        _refuse("bundle-member", f"{_shown(both[0])} in the bundle is a file and a folder")
    return found


def _path(name: str) -> str:
    """The path of a member below the folder of the bundle.

    Raises:
        CaptureError: it leads elsewhere.
    """
    path = name.removeprefix("./").rstrip("/") if name not in (".", "./") else ""
    parts = path.split("/")
    strange = any(ord(letter) < 32 or letter in "\\\x7f" or 0xD800 <= ord(letter) < 0xE000 for letter in path)
    if path and (
        strange
        or any(part in ("", ".", "..") or len(part.encode(errors="replace")) > _LONGEST_PART for part in parts)
        or len(path) > _LONGEST_PATH
    ):
        _refuse("bundle-path", f"{_shown(name)} is no path that a bundle may have")
    return path


def _manifest(found: Mapping[str, tuple[bytes, bool]]) -> dict[str, Any]:
    if "manifest.json" not in found:
        _refuse("bundle-manifest", "The bundle has no manifest.json")
    content, _ = found["manifest.json"]
    if len(content) > _LONGEST_MANIFEST:
        _refuse("bundle-manifest", "The manifest of the bundle is too long")
    try:
        raw = json.loads(content, parse_constant=_no_number)
        known: dict[str, Any] = {**TypeAdapter(_Manifest).validate_python(raw)}
        canonical(known).decode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"The manifest of the bundle is of another form: {where[:200]}: {first['msg'][:200]}"
        raise CaptureError("bundle-manifest", what) from error
    except (ValueError, RecursionError) as error:
        raise CaptureError("bundle-manifest", "The manifest of the bundle is no JSON") from error
    if known["protocol"] != PROTOCOL:
        what = f"The bundle speaks protocol {known['protocol']}, and this server {PROTOCOL}"
        _refuse("bundle-protocol", what, "Make it with the same version of jobq-magic")
    for one in known["requirements"]:
        if one["source"] not in ("index", "system", "asked") or re.search(r"@|://", one.get("origin", "")):
            what = f"{one['name']} comes from no index, and this server does not fetch it from elsewhere"
            _refuse("bundle-requirement", what, "Put it on an index, or its code into modules/")
    return known


def _compare(found: Mapping[str, tuple[bytes, bool]], known: Mapping[str, Any]) -> None:
    """Refuses where the files are not those that the manifest names."""
    named = dict(_named(known))
    for path, digest in named.items():
        if path not in found or _path(path) != path:
            _refuse("bundle-file", f"{_shown(path)} is in the manifest of the bundle, and not in the bundle")
        if hashlib.sha256(found[path][0]).hexdigest() != digest:
            _refuse("bundle-digest", f"{_shown(path)} has another content than the manifest of the bundle says")
    if more := sorted(found.keys() - named.keys() - {"manifest.json"}):
        _refuse("bundle-file", f"{_shown(more[0])} is in the bundle, and not in its manifest")


def _named(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for step in (*known["steps"], known["cell"]):
        if "sha256" in step:
            yield step["file"], step["sha256"]
        elif "file" in step:
            yield step["file"], step["file"].removeprefix("values/")
    for part in ("modules", "files"):
        for path, digest in known[part]:
            yield f"{part}/{path}", digest


def _account(known: Mapping[str, Any], found: Mapping[str, tuple[bytes, bool]], digest: str) -> Account:
    """What travels, for people; why it does, only its sender knows."""
    travellers = []
    for step in known["steps"]:
        size = len(found[step["file"]][0]) if "file" in step else None
        called = ", ".join(step.get("names", ())) or step.get("of") or step.get("what") or step.get("name") or ""
        origin, told = step.get("label") or step.get("module", ""), step.get("sha256", "")
        if called:
            travellers.append(Traveller(called, step["kind"], "in the bundle", size, origin, told))
    for part, kind in (("modules", "module"), ("files", "file")):
        for path, told in known[part]:
            size = len(found[f"{part}/{path}"][0])
            travellers.append(Traveller(path, kind, "in the bundle", size, "the bundle", told))
    needed = tuple(Requirement(**one, why="in the bundle") for one in known["requirements"])
    return Account(tuple(travellers), needed, digest=digest)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _shown(path: str) -> str:
    return repr(path if len(path) <= 80 else f"{path[:79]}…")


def _refuse(code: str, what: str, do: str = "") -> NoReturn:
    raise CaptureError(code, what, do=do)
