"""From modules to the distributions that have them, by file and not by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from jobq_magic.bundle import Requirement
from jobq_magic.capture.modules import home_of
from jobq_magic.capture.requirements.aliases import guesses, suggestion, twins
from jobq_magic.capture.requirements.asked import read_asked, with_extras
from jobq_magic.capture.requirements.distributions import (
    Distribution,
    Site,
    canonical_name,
    installed,
    read,
    search_path,
    sites,
)
from jobq_magic.capture.requirements.files import Found, find, look_anew
from jobq_magic.capture.requirements.optional import used_extras
from jobq_magic.capture.requirements.owners import editable_owner, owners, sharers

__all__ = ["Resolved", "roots"]

_OWN = frozenset({"jobq_magic", "_jobq_runtime"})
_OWN_NAME = "jobq-magic"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is needed, and what to say about it."""

    requirements: tuple[Requirement, ...]
    """Sorted by name."""
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Needs:
    """The distributions that were found so far."""

    found: dict[str, tuple[Site, str, str]] = field(default_factory=dict)
    """By name: where each is, its folder of metadata, and why it is needed."""
    tops: dict[str, set[str]] = field(default_factory=dict)
    """By name: the top-level modules by which it is needed."""
    notes: list[str] = field(default_factory=list)

    def add(self, site: Site, info: str, why: str, top: str = "") -> Distribution:
        known = read(site, info)
        before = self.found.get(known.name)
        if before is None or (len(why), why) < (len(before[2]), before[2]):
            self.found[known.name] = (site, info, why)
        if top:
            self.tops.setdefault(known.name, set()).add(top)
        return known


def roots(modules: Mapping[str, str], asked: Sequence[str] = (), needed: Mapping[str, str] | None = None) -> Resolved:
    """The distributions that have these modules, as they are installed here; modules are found, and never imported.

    Args:
        modules: dotted names of modules, and what needs each: `cell → train`. What is the standard library's, the
            user's own code or this package needs no distribution.
        asked: requirements that the user wrote; each wins over what is installed.
        needed: what the place itself needs, with its extras, and why; what is not installed here is left out.

    Raises:
        OptionError: `bad-requirement`.
    """
    look_anew(search_path())
    needs, here = _Needs(), sites()
    wanted: dict[str, Requirement] = {}
    versions = {name: version for _, _, name, version in installed()} if asked or needed else {}
    if asked:
        wanted, needs.notes = read_asked(asked, versions)
    for name in sorted(modules):
        _resolve(name, modules, here, needs, wanted.keys())
    for name, tops in sorted(needs.tops.items()):
        site, info, why = needs.found[name]
        for other, extra, extra_name in used_extras(site, info, sorted(tops), here):
            if extra_name not in needs.found:
                needs.add(other, extra, f"{why} → {extra_name}")
    found = {}
    for name, (site, info, why) in needs.found.items():
        known = read(site, info)
        if name in wanted or name == _OWN_NAME:
            continue
        found[name] = Requirement(name, known.version, known.source, known.origin, why)
        if known.stripped:
            needs.notes.append(
                f"credentials were taken out of the address of {name}; where it is installed, they must be at hand "
                "otherwise (netrc, or a helper of git)"
            )
    for name, requirement in wanted.items():
        # As installed: the metadata's own spelling, where the folder's name could differ.
        place = needs.found.get(name)
        found[name] = replace(requirement, version=read(*place[:2]).version) if place else requirement
    for line, why in (needed or {}).items():
        name = canonical_name(line.partition("[")[0])
        if one := with_extras(found.get(name), line, versions.get(name, ""), why):
            found[name] = one
    return Resolved(tuple(found[name] for name in sorted(found)), tuple(dict.fromkeys(needs.notes)))


def _resolve(name: str, modules: Mapping[str, str], here: Sequence[Site], needs: _Needs, wanted: Iterable[str]) -> None:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in _OWN or top in ("__main__", "__mp_main__"):
        return
    why = _chain(modules[name], name)
    found = find(name)
    if found is None:
        _absent(name, why, needs, wanted)
        return
    if found.is_namespace:
        _namespace(name, found, modules, here, needs, why)
        return
    if found.file is None or (whose := _whose(found, here)) is None:
        if found.file is not None and home_of(name)[0] != "local":
            _unowned(name, why, needs, wanted)
        return
    site, infos = whose
    if set(wanted) & {*twins(name), *(read(site, info).name for info in infos)} - {read(site, infos[0]).name}:
        return  # another one that has the module was asked for
    known = needs.add(site, infos[0], why, top)
    if found.name.startswith(f"{top}."):
        # A part that bears the name of an extra is of no use without it: ray.data, dask.array.
        for other in sorted(known.extras.get(canonical_name(found.name.split(".")[1]), ())):
            if place := next(((site, there[-1]) for site in here if (there := site.infos.get(other))), None):
                needs.add(*place, f"{why} → {other}")
    if len(infos) > 1:
        all_names = " and ".join(sorted(read(site, info).name for info in infos))
        needs.notes.append(
            f"{name} belongs to {all_names}; the job gets {known.name}, which was installed last: "
            "--requirement names another"
        )


def _chain(why: str, name: str) -> str:
    if not why:
        return name
    return why if why.endswith(name) else f"{why} → {name}"


def _whose(found: Found, here: Sequence[Site]) -> tuple[Site, tuple[str, ...]] | None:
    """Where the module's file lies, and whose it is, best first."""
    file = found.file
    assert file is not None
    for real in (False, True):
        for site, relative in _inside(os.path.realpath(file) if real else file, here):
            if infos := owners(site, relative):
                return site, infos
    for site in here:
        if (info := editable_owner(site, found.name, file)) is not None:
            return site, (info,)
    return None


def _inside(path: str, here: Sequence[Site]) -> Iterator[tuple[Site, str]]:
    """The sites in which a path is, and where there."""
    for site in here:
        root = next((root for root in site.roots if path.startswith(root)), None)
        if root is not None:
            yield site, path[len(root) :]


def _namespace(
    name: str, found: Found, modules: Mapping[str, str], here: Sequence[Site], needs: _Needs, why: str
) -> None:
    """A namespace is nobody's: needed are those whose modules in it are; where none is named, the loaded ones."""
    if any(other.startswith(f"{name}.") for other in modules):
        return
    owned = False
    for inner in _loaded_below(found.name):
        if inner.file is not None and (whose := _whose(inner, here)) is not None:
            needs.add(whose[0], whose[1][0], why, name.partition(".")[0])
            owned = True
    if owned or found.name != name:
        return
    sharing = [
        (site, info)
        for folder in found.folders
        for site, relative in _inside(folder, here)
        for info in sharers(site, relative)
    ]
    if len(sharing) == 1:
        needs.add(*sharing[0], why, name.partition(".")[0])
    elif home_of(name)[0] != "local":
        needs.notes.append(
            f"{why}: {name} is a namespace that several distributions may share; import the module that the cell "
            "uses, or name its distribution with --requirement"
        )


def _loaded_below(name: str) -> Iterator[Found]:
    for module in sorted(sys.modules):
        if module.startswith(f"{name}.") and (found := find(module)) is not None:
            yield found


def _absent(name: str, why: str, needs: _Needs, wanted: Iterable[str]) -> None:
    top = name.partition(".")[0]
    if set(guesses(top)) & set(wanted):
        return
    needs.notes.append(f"{why}: {top} is not installed here; if the job needs it, add --requirement {suggestion(name)}")


def _unowned(name: str, why: str, needs: _Needs, wanted: Iterable[str]) -> None:
    top = name.partition(".")[0]
    if set(guesses(top)) & set(wanted) or canonical_name(top) in wanted:
        return
    needs.notes.append(
        f"{why}: {name} belongs to no distribution that is installed here; name the one that has it with --requirement"
    )
