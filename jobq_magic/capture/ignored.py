"""What `.gitignore` and `.jobqignore` leave out of what lies below a folder.

Both have git's syntax, and count from where they lie downwards; the deeper one wins, and `.jobqignore` over any
`.gitignore`. What was asked for by its own name is not left out because a rule names it, or a folder above it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobq_magic.capture.tree import read_file
from jobq_magic.errors import JobqError

__all__ = ["Ignored"]

_FILES = (".jobqignore", ".gitignore")
_LONGEST = 1 << 20
_MARKS = (".git", "pyproject.toml")
"""What lies in the outermost folder of a project, the surest first."""


class Ignored:
    """Tells whose rules leave out an entry below `root`; folders first, as nothing in a left folder is asked for.

    Args:
        root: what was asked for: a folder, or a file.
    """

    def __init__(self, root: Path) -> None:
        self.base = _base(root)
        """The outermost folder whose rules count, that of the repository."""
        self._rules: dict[tuple[Path, str], Any] = {}
        self._by_folder: dict[Path, list[tuple[Path, str, Any]]] = {}
        self._meant: set[tuple[Path, str, int]] = set()
        """Rules that leave out the root itself: it was asked for all the same."""
        self.root_by = ""
        """Whose rules leave out the root itself, or a folder above it; "" for nobody's."""
        for path in (root, *root.parents):
            if path == self.base or not path.is_relative_to(self.base):
                break
            for found in self._all(path, path.is_dir()):
                if found[1] == ".jobqignore" or not self.root_by:
                    self.root_by = found[1]
                self._meant.add(found)

    def __call__(self, path: Path, folder: bool) -> str:
        """The name of the file whose rules leave out an entry, or ""."""
        return next((name for _, name, _ in self._all(path, folder)), "")

    def _all(self, path: Path, folder: bool) -> list[tuple[Path, str, int]]:
        """The deciding rule, where it leaves the entry out."""
        for above, name, rules in self._active(path.parent):
            result = rules.check_file(path.relative_to(above).as_posix() + "/" * folder)
            if result.include is not None and (above, name, result.index) not in self._meant:
                return [(above, name, result.index)] if result.include else []
        return []

    def _active(self, folder: Path) -> list[tuple[Path, str, Any]]:
        """The rules that count in a folder, the strongest first."""
        if folder not in self._by_folder:
            found = []
            for name in _FILES:
                for above in (folder, *folder.parents):
                    if (rules := self._of(above, name)) is not None:
                        found.append((above, name, rules))
                    if above == self.base:
                        break
            self._by_folder[folder] = found
        return self._by_folder[folder]

    def _of(self, folder: Path, name: str) -> Any:
        key = (folder, name)
        if key not in self._rules:
            self._rules[key] = _read(folder / name)
        return self._rules[key]


def _base(root: Path) -> Path:
    if (root / _MARKS[0]).exists():
        return root
    for mark in _MARKS:
        for above in root.parents:
            if (above / mark).exists():
                return above
    here = Path.cwd()
    return here if root.is_relative_to(here) and root != here else root.parent


def _read(path: Path) -> Any:
    try:
        lines = read_file(path)[:_LONGEST].decode("utf-8", "surrogateescape").splitlines()
    except (OSError, JobqError):
        return None
    from pathspec import GitIgnoreSpec  # 30 ms that only such a file should cost

    rules: list[Any] = []
    for line in lines:
        try:
            rules += GitIgnoreSpec.from_lines([line]).patterns
        except ValueError:  # git, too, passes over what is no pattern
            continue
    return GitIgnoreSpec(rules)
