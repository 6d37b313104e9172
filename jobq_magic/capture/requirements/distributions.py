"""What is installed here: folders on `sys.path` with the distributions in them, as their own metadata tells."""

# os.path is quicker than pathlib, and all this is asked at each submit.
# ruff: noqa: PTH109, PTH110, PTH116, PTH118, PTH119, PTH123, PTH208

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from jobq_magic.addresses import without_credentials

__all__ = ["Distribution", "Site", "canonical_name", "direct", "headers", "installed", "read", "search_path", "sites"]

_SYSTEM_INSTALLERS = frozenset({"apk", "apt", "brew", "conda", "debian", "dnf", "dpkg", "nix", "pacman", "rpm"})
_FOR_EXTRA = re.compile(r"\bextra\s*==\s*[\"']([A-Za-z0-9._-]+)")
_REQUIRED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py\d[\d.]*)?\.(?:dist-info|egg-info)$")


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution, as its metadata tells."""

    info: str
    """Its folder of metadata (rarely, one file)."""
    name: str
    """Normalised (PEP 503)."""
    version: str
    source: str
    """As in `bundle.Requirement`."""
    origin: str
    stripped: bool = False
    """The origin had credentials, which were taken out."""
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Normalised names of what it requires for each extra only."""

    @property
    def optional(self) -> tuple[str, ...]:
        """All of those."""
        return tuple(sorted(frozenset().union(*self.extras.values())))


@dataclass(frozen=True, slots=True)
class Site:
    """A folder on `sys.path` with distributions in it."""

    path: str
    stamp: int
    """The folder's time of change: whatever is installed or removed changes it."""
    infos: Mapping[str, tuple[str, ...]]
    """Normalised names, and the folders of metadata that have them."""
    roots: tuple[str, ...]
    """The folder, and where it lies really; both with a separator at the end."""
    known: dict[str, Distribution] = field(default_factory=dict, compare=False)
    """What was read of them."""
    found: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Whose files were found to be."""


_sites: dict[str, Site] = {}


def canonical_name(name: str) -> str:
    """A distribution's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sites() -> tuple[Site, ...]:
    """The folders with distributions, in the order in which imports look at them.

    The working folder is none: what lies beside a notebook is not installed.
    """
    here = _working_folder()
    found: dict[str, Site] = {}
    for entry, stamp in search_path():
        if entry in found or entry == here:
            continue
        site = _sites.get(entry)
        if site is None or site.stamp != stamp:
            ends = (os.path.join(entry, ""), os.path.join(os.path.realpath(entry), ""))
            site = _sites[entry] = Site(entry, stamp, _infos(entry), tuple(dict.fromkeys(ends)))
        if site.infos:
            found[entry] = site
    return tuple(found.values())


def search_path() -> list[tuple[str, int]]:
    """The entries of `sys.path` that are there, and when each was changed."""
    found = []
    for entry in sys.path:
        try:
            found.append((os.fspath(entry) or _working_folder(), os.stat(entry or os.curdir).st_mtime_ns))
        except (OSError, TypeError):
            continue
    return found


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _infos(folder: str) -> dict[str, tuple[str, ...]]:
    try:
        names = os.listdir(folder)
    except OSError:  # a file: modules in an archive
        return {}
    infos: dict[str, tuple[str, ...]] = {}
    for info in sorted(names):
        if info.endswith((".dist-info", ".egg-info")) and not info.startswith("~"):  # "~": pip's half-removed ones
            name = canonical_name(_split(info)[0])
            infos[name] = (*infos.get(name, ()), info)
    return infos


def _split(info: str) -> tuple[str, str]:
    """Name and version, as the name of a folder of metadata says them."""
    found = _INFO.match(info)
    return (found["name"], found["version"]) if found else (info.rpartition(".")[0], "")


def read(site: Site, info: str) -> Distribution:
    """One distribution of a site."""
    if (known := site.known.get(info)) is None:
        known = site.known[info] = _read(site, info)
    return known


def direct(site: Site) -> tuple[str, ...]:
    """The metadata's folders of what was installed from an address: a folder, a repository, a file (PEP 610)."""
    if (known := site.found.get(":direct")) is None:
        all_infos = (info for infos in site.infos.values() for info in infos)
        found = (info for info in all_infos if os.path.exists(os.path.join(site.path, info, "direct_url.json")))
        known = site.found[":direct"] = tuple(sorted(found))
    return known


def installed() -> Iterator[tuple[Site, str, str, str]]:
    """Every distribution that imports would find: (site, its metadata's folder, normalised name, version).

    The version is as the folder's name says it, so that nothing need be opened.
    """
    seen: set[str] = set()
    for site in sites():
        for name, infos in site.infos.items():
            if name not in seen:
                seen.add(name)
                yield site, infos[-1], name, _split(infos[-1])[1]


def headers(folder: str) -> dict[str, list[str]]:
    """The headers of a distribution's metadata, by their names in small letters."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in _text(folder, "METADATA", "PKG-INFO", "").partition("\n\n")[0].splitlines():
        if line[:1].isspace():
            if last:
                last[-1] += f" {line.strip()}"
            continue
        key, colon, value = line.partition(":")
        if colon:
            last = found.setdefault(key.strip().lower(), [])
            last.append(value.strip())
    return found


def _text(folder: str, *names: str) -> str:
    """The first of some files that can be read; "" stands for the folder itself, which once was a file."""
    for name in names:
        try:
            with open(os.path.join(folder, name) if name else folder, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            continue
    return ""


def _read(site: Site, info: str) -> Distribution:
    folder = os.path.join(site.path, info)
    told = headers(folder)
    said_name, said_version = _split(info)
    name = canonical_name(told.get("name", [said_name])[0])
    version = told.get("version", [said_version])[0]
    extras = _extras(name, told.get("requires-dist", []))
    direct = _text(folder, "direct_url.json")
    try:
        known = json.loads(direct) if direct else None
    except ValueError:
        known = None
    if isinstance(known, dict) and isinstance(known.get("url"), str):
        source, origin = _direct(known)
        bare = without_credentials(origin)
        return Distribution(folder, name, version, source, bare, bare != origin, extras)
    installer = _text(folder, "INSTALLER").strip().lower()
    words = installer.split()
    system = words[0] in _SYSTEM_INSTALLERS if words else os.path.basename(site.path) == "dist-packages"
    source, origin = ("system", words[0] if words else "") if system else ("index", "")
    return Distribution(folder, name, version, source, origin, extras=extras)


def _extras(name: str, requires: list[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in requires:
        if required := _REQUIRED.match(line):
            for extra in _FOR_EXTRA.findall(line):
                found.setdefault(canonical_name(extra), set()).add(canonical_name(required[0]))
    return {extra: frozenset(others - {name}) for extra, others in found.items()}


def _direct(known: dict[str, object]) -> tuple[str, str]:
    """Source and origin of what was installed from an address (PEP 610)."""
    url = str(known["url"])
    inner = f"subdirectory={known['subdirectory']}" if known.get("subdirectory") else ""
    match known:
        case {"vcs_info": dict(info)}:
            at = f"@{info['commit_id']}" if info.get("commit_id") else ""
            return "vcs", f"{info.get('vcs', 'git')}+{url}{at}" + (f"#{inner}" if inner else "")
        case {"archive_info": dict(info)}:
            hashes = info.get("hashes")
            sha = hashes.get("sha256") if isinstance(hashes, dict) else None
            parts = [part for part in (f"sha256={sha}" if sha else "", inner) if part]
            return "archive", url + (f"#{'&'.join(parts)}" if parts else "")
    folder = unquote(re.sub(r"^file:(//[^/]*)?", "", url)) if url.startswith("file:") else url
    folder = os.path.join(folder, str(known["subdirectory"])) if inner else folder
    match known:
        case {"dir_info": {"editable": True}}:
            return "editable", folder
    return "directory", folder
