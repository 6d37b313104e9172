"""Pool: large value groups that several runs share, each once on disk.

    <root>/values/<size in bytes>/<sha256>

A run holds a group by a hard link in its own folder, so the file system itself counts who needs it: what only the pool
holds may go. Where there are no hard links, every run has its own copy, and the pool stays empty.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jobq_magic.runtime.wire import SHARED

__all__ = ["expects", "keep", "sweep", "take"]


def expects(pool: Path, size: int) -> bool:
    """Whether groups of this very size are there: only then it is worth digesting one before it is written."""
    return size >= SHARED and (pool / str(size)).is_dir()


def take(pool: Path, digest: str, size: int, folder: Path) -> bool:
    """Links the group of this digest into `folder`; False where the pool does not hold it."""
    try:
        os.link(pool / str(size) / digest, folder / digest)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def keep(pool: Path, file: Path) -> None:
    """Remembers a group, which lies in a file named by its digest."""
    with contextlib.suppress(OSError):  # another disk, no hard links, no room: it is not shared
        size = file.stat().st_size
        if size >= SHARED:
            shelf = pool / str(size)
            shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
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
