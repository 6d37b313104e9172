"""Local code: copied into the bundle, with the local code that it imports, so that later edits do not matter.

A module goes as its file, a package as a whole: it may import at run time, and read data that lies beside its code.
What git ignores stays, but for modules that are seen to be imported: generated code is often ignored. What
`.jobqignore` names stays in any case. Where the job sees this machine's files, all that stays is linked into the copy.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from jobq_magic.bundle import Stayed
from jobq_magic.capture.homes import edited_since_import, file_below, home_of, local_portions
from jobq_magic.capture.ignored import Ignored
from jobq_magic.capture.imports import imports_of
from jobq_magic.capture.secretscan import secret_in_file, secret_in_text
from jobq_magic.capture.tree import Entry, TooMany, in_words, is_credentials, lies_in, read_file, shown, walk
from jobq_magic.errors import CaptureError

__all__ = ["LocalCode", "home_of"]

_LARGEST_FILE = 10 << 20
_MOST_FILES = 5_000
_MOST_LOOKED_AT = 50_000
_LARGEST_TREE = 200 << 20
_LARGEST_SCANNED = 1 << 20
_CODE = tuple(suffix for suffix in importlib.machinery.all_suffixes() if suffix != ".pyc")
_QUIET = ("its name begins with a dot", "it holds installed packages")
"""Why things stay of which nobody expects that they travel."""


@dataclass(slots=True)
class _Package:
    """A local module or package that was copied."""

    top: str
    why: str
    portions: list[Path]
    rules: list[Ignored]
    copied: set[str] = field(default_factory=set)
    looked_for: set[str] = field(default_factory=set)
    """Names below it that were seen to be imported."""
    left: dict[str, list[str]] = field(default_factory=dict)
    """By the reason, paths of what stayed."""


class LocalCode:
    """Copies local modules, and the local modules that they import, into a tree that goes on `sys.path`.

    Args:
        folder: the root of the tree.
        insisted: names whose look of a secret is meant.
        here: the job sees this machine's files, so that what need not be copied can be imported from where it lies.
    """

    def __init__(self, folder: Path, insisted: frozenset[str] = frozenset(), *, here: bool = False) -> None:
        self._folder = folder
        self._insisted = insisted
        self._here = here
        self._homes: dict[str, str] = {}
        self._tops: dict[str, str] = {}
        self._packages: dict[str, _Package | None] = {}
        self._size = 0
        self._notes: list[str] = []
        self.files: list[tuple[str, str]] = []
        self.shipped: dict[str, tuple[str, int]] = {}
        """Of each module copied: who needs it, and its size."""
        self.seen: set[str] = set()
        """All top-level modules that were asked for, and that local code imports."""
        self.modules: dict[str, str] = {}
        """All modules that were asked for, and that local code imports, by their full names, and who needs them; a
        name that is imported from a module stands here like a sub-module."""

    def need(self, name: str, why: str) -> str:
        """Sees to it that a module can be imported where the job runs; where it is at home.

        Raises:
            CaptureError: it cannot travel.
        """
        if name in self._homes:
            return self._homes[name]
        top = name.partition(".")[0]
        home = self._homes[name] = self._tops.get(top) or self._find(name)
        self.seen.add(top)
        self.modules[name] = why
        if home == "local":
            if top not in self._packages:
                self._packages[top] = None
                self._ship(top, why)
            if (package := self._packages[top]) is not None:
                self._follow(package, [name])
        return home

    def _find(self, name: str) -> str:
        home, file = home_of(name)
        if file is None or not file.is_dir() or file_below(file, "__init__") is not None:
            self._tops[name.partition(".")[0]] = (
                home  # and not a namespace package, whose parts have homes of their own
            )
        return home

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        told = [
            f"{in_words(paths)} did not travel: {reason}"
            for package in self._packages.values()
            if package is not None and not self._here
            for reason, paths in sorted(package.left.items())
            if not reason.endswith("leaves it out") and reason not in _QUIET
        ]
        return [*self._notes, *told]

    @property
    def stayed(self) -> list[Stayed]:
        """All that stays of packages that travel."""
        return [
            Stayed(shown(path), reason)
            for package in self._packages.values()
            if package is not None and not self._here
            for reason, paths in sorted(package.left.items())
            for path in sorted(paths)
        ]

    def _ship(self, top: str, why: str) -> None:
        portions = local_portions(top)
        package = _Package(top, why, portions, [Ignored(portion) for portion in portions])
        if any(rules.root_by == ".jobqignore" for rules in package.rules):
            if not self._here:
                self._notes.append(f"{top} stays, as .jobqignore says: the job must have it")
            return
        before, imported = self._size, set()
        if portions[0].is_dir():
            if (entries := self._entries(package)) is None:
                return
            self._packages[top] = package
            for entry in entries:
                if not entry.left:
                    imported |= self._copy(package, entry.path, entry.relative)
                elif not self._here:
                    package.left.setdefault(entry.left, []).append(f"{top}/{entry.relative}")
            if self._here:
                _link(self._folder / top, [entry for entry in entries if entry.left])
        elif not self._looks_beside(top, portions[0]):
            self._packages[top] = package
            imported = self._copy(package, portions[0], "")
        else:
            return
        self.shipped[top] = (why, self._size - before)
        if (edited := edited_since_import(top)) is not None:
            self._notes.append(f"{edited} was edited after it was imported here; the job runs it as it is now")
        self._follow(package, imported)

    def _looks_beside(self, top: str, path: Path) -> bool:
        """Whether a module is imported from where it lies, because it looks for files there."""
        if path.suffix != ".py" or b"__file__" not in _read(path):
            return False
        if not self._here:
            self._notes.append(
                f"{top} may look for files beside itself, which do not travel; a package takes along what it holds"
            )
        return self._here

    def _entries(self, package: _Package) -> list[Entry] | None:
        """What lies in a package; None where it is imported from where it lies, as it is too large."""
        entries: dict[str, Entry] = {}
        try:
            for portion, rules in zip(package.portions, package.rules, strict=True):
                if _is_everything(portion):
                    raise TooMany
                ignored = _but_code(rules) if self._here else rules
                found = walk(portion, ignored, within=rules.base, most=_MOST_LOOKED_AT, largest=_LARGEST_FILE)
                for entry in found:
                    entries.setdefault(entry.relative, entry)
            going = [entry for entry in entries.values() if not entry.left]
            if len(going) > _MOST_FILES or sum(entry.size for entry in going) > _LARGEST_TREE:
                raise TooMany
        except TooMany:
            if not self._here:
                raise CaptureError(
                    "too-large",
                    f"the local code of {package.top} is too large to travel",
                    why=f"More than {_MOST_FILES} files or 200 MiB lie in {shown(package.portions[0])}",
                    do="Name what need not travel in .jobqignore, install it as a package, or move its data elsewhere",
                ) from None
            self._notes.append(f"{package.top} is large, and was left where it is: the job sees later changes to it")
            return None
        return list(entries.values())

    def _follow(self, package: _Package, names: Iterable[str]) -> None:
        """Takes what is imported: files of the package that had stayed, and other modules."""
        names = sorted(names)
        while names:
            further: set[str] = set()
            for name in names:
                top, _, below = name.partition(".")
                if top == package.top:
                    self.modules.setdefault(name, package.why)
                    self._homes.setdefault(name, "local")
                    further |= self._insist(package, below)
                else:
                    self.need(name, f"{package.why} → {package.top}")
            names = sorted(further)

    def _insist(self, package: _Package, below: str) -> set[str]:
        """Copies a sub-module, and the packages above it, where only a rule of git's kept them; what they import."""
        if self._here or not below or below in package.looked_for or not package.portions[0].is_dir():
            return set()
        package.looked_for.add(below)
        imported: set[str] = set()
        parts = below.split(".")
        for depth in range(1, len(parts) + 1):
            for portion, rules in zip(package.portions, package.rules, strict=True):
                file = file_below(portion, ".".join(parts[:depth]))
                if file is None or file.is_dir():
                    continue
                relative = file.relative_to(portion).as_posix()
                if f"{package.top}/{relative}" not in package.copied and _may_go(file, portion, rules):
                    imported |= self._copy(package, file, relative)
                    for paths in package.left.values():
                        if f"{package.top}/{relative}" in paths:
                            paths.remove(f"{package.top}/{relative}")
                    package.left = {reason: paths for reason, paths in package.left.items() if paths}
                break
        return imported

    def _copy(self, package: _Package, source: Path, relative: str) -> set[str]:
        """Copies one file; the modules that it imports."""
        target = f"{package.top}/{relative}" if relative else f"{package.top}{_suffix(source)}"
        if (data := _read(source) if source.name.endswith(_CODE) else _read_if_allowed(source)) is None:
            package.left.setdefault("it cannot be read", []).append(target)
            return set()
        if package.top not in self._insisted:
            self._refuse_secrets(package, source, data)
        self._size += len(data)
        path = self._folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        package.copied.add(target)
        self.files.append((target, hashlib.sha256(data).hexdigest()))
        if source.suffix != ".py":
            return set()
        return set(imports_of(data, ".".join(PurePosixPath(target).parent.parts)))

    def _refuse_secrets(self, package: _Package, source: Path, data: bytes) -> None:
        scanned = data[:_LARGEST_SCANNED]
        if self._here:
            line, found = 0, secret_in_text(scanned.decode("utf-8", "replace"))
        else:
            line, found = secret_in_file(source.name, scanned, self._insisted) or (0, None)
        if found is not None:
            where = f"line {line} of {shown(source.name)}" if line else shown(source.name)
            raise CaptureError(
                "secret-in-value",
                f"{where}, which travels with {package.top}, holds {found}",
                do=(
                    "Take it out of the file and pass it with --secret NAME, name the file in .jobqignore, or insist "
                    f"with --include {package.top}"
                ),
            )


def _link(folder: Path, entries: Iterable[Entry]) -> None:
    """Lets a copy have what was not copied; after all copying, so that nothing is written through a link."""
    for entry in entries:
        path = folder / entry.relative
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(entry.path)


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise CaptureError(
            "cannot-travel",
            f"{shown(path)} cannot be read: {error.strerror}",
            do="Let it be read, or name it in .jobqignore",
        ) from error


def _read_if_allowed(path: Path) -> bytes | None:
    try:
        return read_file(path)
    except OSError:
        return None


def _suffix(path: Path) -> str:
    return next((suffix for suffix in sorted(_CODE, key=len, reverse=True) if path.name.endswith(suffix)), path.suffix)


def _but_code(rules: Ignored) -> Callable[[Path, bool], str]:
    return lambda path, folder: "" if not folder and path.name.endswith(_CODE) else rules(path, folder)


def _may_go(file: Path, portion: Path, rules: Ignored) -> bool:
    """Whether a file that is imported travels although it was left: not where it was meant to stay."""
    if is_credentials(file) or not lies_in(file, rules.base):
        return False
    steps = [file, *(path for path in file.parents if path != portion and path.is_relative_to(portion))]
    return all(rules(path, path != file) != ".jobqignore" for path in steps)


def _is_everything(folder: Path) -> bool:
    """Whether a folder is somebody's home, or holds it."""
    try:
        return Path.home().is_relative_to(folder)
    except RuntimeError:
        return False
