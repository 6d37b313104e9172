"""Whose file it is: guessed by name and proved by the distribution's own list of files, else looked up in an index.

The index tells which distributions put something under each top-level name. It is made from all lists of files, which
takes long, and kept on this host's disk until something is installed or removed.
"""

# os.path is quicker than pathlib, and all this is asked at each submit.
# ruff: noqa: PTH116, PTH118, PTH120, PTH123, PTH202, PTH206

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence

from jobq_magic.capture.requirements.aliases import guesses
from jobq_magic.capture.requirements.distributions import Site, direct, read
from jobq_magic.errors import StoreError
from jobq_magic.places import runtime_dir
from jobq_magic.runtime.wire import canonical, replace_file

__all__ = ["editable_owner", "owners", "record", "sharers", "tops_of"]

_LARGEST_PROVED = 1 << 20
_indexes: dict[str, tuple[int, dict[str, list[str]]]] = {}
_tops: dict[str, tuple[int, dict[str, frozenset[str]]]] = {}


def owners(site: Site, relative: str) -> tuple[str, ...]:
    """The folders of metadata of those distributions whose file this is, best first; more than one where they share it.

    Args:
        site: where the file lies.
        relative: its path there.
    """
    if (known := site.found.get(relative)) is None:
        known = site.found[relative] = _owners(site, relative)
    return known


def _owners(site: Site, relative: str) -> tuple[str, ...]:
    top = relative.partition("/")[0].partition(".")[0]
    likely = [info for name in guesses(top, relative) for info in site.infos.get(name, ())]
    if proved := [info for info in likely if _is_as_listed(site, info, relative)]:
        return _last_first(site, proved)
    candidates = _index(site).get(top, [])
    listed = [info for info in candidates if _lists(site, info, relative)]
    if not listed:
        listed = _nearest(site, candidates, relative)
    same = [info for info in listed if _is_as_listed(site, info, relative)] if len(listed) > 1 else []
    return _last_first(site, same or listed)


def _last_first(site: Site, infos: Sequence[str]) -> tuple[str, ...]:
    """In the order in which they were installed, the last first: it has overwritten the files of the others."""
    return tuple(sorted(infos, key=lambda info: (-_installed_at(site, info), info))) if len(infos) > 1 else tuple(infos)


def _nearest(site: Site, candidates: Sequence[str], relative: str) -> list[str]:
    """Who has files beside a file that is in no list; else those without a list."""
    folder = os.path.dirname(relative)
    while folder:
        if near := [info for info in candidates if f"\n{folder}/".encode() in record(site, info)]:
            return near
        folder = os.path.dirname(folder)
    unlisted = [info for info in candidates if not record(site, info).strip()]
    return unlisted or (list(candidates) if len(candidates) == 1 else [])


def sharers(site: Site, folder: str) -> list[str]:
    """The folders of metadata of all distributions that have files below a folder of the site."""
    candidates = _index(site).get(folder.partition("/")[0], [])
    return [info for info in candidates if f"\n{folder}/".encode() in record(site, info)]


def record(site: Site, info: str) -> bytes:
    """A distribution's list of files, a line each, each after a line's end; empty where it has none."""
    try:
        with open(os.path.join(site.path, info, "RECORD"), "rb") as file:
            return b"\n" + file.read().replace(b"\r\n", b"\n")
    except OSError:
        return b""


def _lists(site: Site, info: str, relative: str) -> bool:
    return _line(site, info, relative) is not None


def _line(site: Site, info: str, relative: str) -> bytes | None:
    lines = record(site, info)
    for start in (f"\n{relative},", f'\n"{relative}",'):
        at = lines.find(start.encode())
        if at >= 0:
            end = lines.find(b"\n", at + 1)
            return lines[at + len(start.encode()) : end if end >= 0 else None]
    return None


def _is_as_listed(site: Site, info: str, relative: str) -> bool:
    """Whether the file is the one that this distribution brought, as far as its list says."""
    line = _line(site, info, relative)
    kind, _, rest = (line or b"").partition(b"=")
    path = os.path.join(site.path, relative)
    try:
        if kind != b"sha256" or os.path.getsize(path) > _LARGEST_PROVED:
            return line is not None
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=") == rest.partition(b",")[0].rstrip(b"=")


def _installed_at(site: Site, info: str) -> int:
    try:
        return os.stat(os.path.join(site.path, info)).st_mtime_ns
    except OSError:
        return 0


def tops_of(site: Site, info: str) -> frozenset[str]:
    """The top-level names under which a distribution has files; its own name where it does not tell."""
    known = _tops.get(site.path)
    if known is None or known[0] != site.stamp:
        found: dict[str, set[str]] = {}
        for top, infos in _index(site).items():
            for one in infos:
                found.setdefault(one, set()).add(top)
        known = _tops[site.path] = (site.stamp, {one: frozenset(tops) for one, tops in found.items()})
    return known[1].get(info, frozenset())


def _listed_tops(site: Site, info: str) -> set[str]:
    if lines := record(site, info):
        names = {found.decode("utf-8", "replace") for found in set(re.findall(rb'\n"?([^/,\n"]+)', lines))}
        names = {name for name in names if name not in ("..", "__pycache__") and not name.endswith(("-info", ".pth"))}
        return {name.partition(".")[0] for name in names}
    try:
        with open(os.path.join(site.path, info, "top_level.txt"), encoding="utf-8") as file:
            if tops := set(file.read().split()):
                return tops
    except (OSError, ValueError):
        pass
    name = read(site, info).name
    return {name, name.replace("-", "_"), name.replace("-", ".").partition(".")[0]}


def _index(site: Site) -> dict[str, list[str]]:
    known = _indexes.get(site.path)
    if known is None or known[0] != site.stamp:
        tops = _kept(site)
        if tops is None:
            tops = {}
            for info in sorted(info for infos in site.infos.values() for info in infos):
                for top in _listed_tops(site, info):
                    tops.setdefault(top, []).append(info)
            _keep(site, tops)
        known = _indexes[site.path] = (site.stamp, tops)
    return known[1]


def _file(site: Site) -> str:
    folder = runtime_dir() / "distributions"
    folder.mkdir(exist_ok=True)
    return str(folder / f"{hashlib.sha256(site.path.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}.json")


def _kept(site: Site) -> dict[str, list[str]] | None:
    try:
        with open(_file(site), "rb") as file:
            kept = json.loads(file.read())
    except (OSError, ValueError, StoreError):
        return None
    if not isinstance(kept, dict) or kept.get("stamp") != site.stamp or kept.get("path") != site.path:
        return None
    tops = kept.get("tops")
    return tops if isinstance(tops, dict) else None


def _keep(site: Site, tops: dict[str, list[str]]) -> None:
    try:
        replace_file(_file(site), canonical({"stamp": site.stamp, "path": site.path, "tops": tops}))
    except (OSError, StoreError):
        pass  # it is made again next time


def editable_owner(site: Site, name: str, file: str) -> str | None:
    """The editable install of a site through which a module is imported from where its source lies.

    Args:
        site: where the install is.
        name: the module's dotted name.
        file: where it lies.
    """
    key = f"{name}\n{file}"
    if (known := site.found.get(key)) is None:
        found = next((info for info, root in _editables(site) if _leads_to(root, name, file)), None)
        known = site.found[key] = (found,) if found is not None else ()
    return known[0] if known else None


def _editables(site: Site) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each editable install with the places that it puts in reach, as (kind, place)."""
    for info in direct(site):
        known = read(site, info)
        if known.source == "editable":
            yield from ((info, place) for place in _places(site, info, known.origin))


def _places(site: Site, info: str, project: str) -> list[tuple[str, str]]:
    """What leads from a site to the source: folders in a `.pth`, packages in setuptools' finder, else the project."""
    found: list[tuple[str, str]] = []
    for name in re.findall(rb'\n"?([^/,\n"]+\.pth|__editable__[^/,\n"]+\.py)', record(site, info)):
        try:
            with open(os.path.join(site.path, os.fsdecode(name)), encoding="utf-8") as file:
                text = file.read()
        except (OSError, ValueError):
            continue
        if name.endswith(b".pth"):
            lines = [line.strip() for line in text.splitlines()]
            folders = [
                os.path.join(site.path, line) for line in lines if line and not line.startswith(("#", "import "))
            ]
            found += [("folder", folder) for folder in folders]
        elif (mapping := re.search(r"^MAPPING\b.*?= *(\{.*\})\s*$", text, re.MULTILINE)) is not None:
            try:
                found += [("package", str(place)) for place in ast.literal_eval(mapping[1]).values()]
            except (ValueError, SyntaxError, AttributeError):
                continue
    return found or [("project", project)]


def _leads_to(place: tuple[str, str], name: str, file: str) -> bool:
    kind, path = place
    path, file = os.path.realpath(path), os.path.realpath(file)
    if kind == "package":
        return file.startswith(path + os.sep) or file in (path, f"{path}.py")
    if kind == "project":
        return file.startswith(path + os.sep)
    # A module beside the project's packages that is imported from a folder of its own is no part of the project.
    parts = name.split(".")
    folder, base = os.path.split(file)
    own = folder if base.startswith("__init__.") else os.path.join(folder, base.partition(".")[0])
    return os.path.relpath(own, path).split(os.sep) == parts
