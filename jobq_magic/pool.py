"""Pool: large value groups that several runs share, each once on disk.

    <root>/values/<size in bytes>/<sha256>

A run holds a group by a hard link in its own folder, so the file system itself counts who needs it: what only the pool
holds may go. Where there are no hard links, every run has its own copy, and the pool stays empty.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from jobq_magic.runtime.wire import SHARED, Pickled, is_written

_COMPARED = 4
"""Groups of one size that are looked at: where there are many, they are states of one thing, and the newest counts."""

__all__ = ["keep", "sweep", "take"]


def take(pool: Path, group: Pickled, folder: Path) -> str | None:
    """Links a group into `folder`; its digest, or None where the pool does not hold it.

    It is compared with the groups of its size, which is cheaper than its digest, and ends at the first difference.
    """
    if group.size < SHARED:
        return None
    with contextlib.suppress(OSError):
        shelf = pool / str(group.size)
        newest = sorted(shelf.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True)[:_COMPARED]
        for file in newest:
            if _is_ours(file) and is_written(file, group):
                with contextlib.suppress(FileExistsError):
                    os.link(file, folder / file.name)
                return file.name
    return None


def _is_ours(file: Path) -> bool:
    """Whether this user wrote a file, and it is no link: what others own, they can change once it was compared."""
    status = file.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()


def keep(pool: Path, file: Path) -> None:
    """Remembers a group, which lies in a file named by its digest."""
    with contextlib.suppress(OSError):  # another disk, no hard links, no room: it is not shared
        size = file.stat().st_size
        if size >= SHARED:
            shelf = pool / str(size)
            pool.mkdir(mode=0o700, parents=True, exist_ok=True)
            shelf.mkdir(mode=0o700, exist_ok=True)
            os.link(file, shelf / file.name)


def sweep(pool: Path) -> int:
    """Removes the groups that no run holds; the bytes freed."""
    freed = 0
    for shelf in pool.iterdir() if pool.is_dir() else ():
        with contextlib.suppress(OSError):
            for file in shelf.iterdir():
                status = file.lstat()
                # A run that takes it in this very moment has its own link, which stays.
                if status.st_nlink == 1:
                    file.unlink(missing_ok=True)
                    freed += status.st_size
            shelf.rmdir()  # where it is empty
    return freed
