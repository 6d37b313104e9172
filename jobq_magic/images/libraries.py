"""The shared libraries that programs of this machine need, by the word of its own dynamic loader."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jobq_magic.errors import BackendError

__all__ = ["loader_of", "needed"]

_FOUND = re.compile(r"^\s*(\S+) => (/.*) \(0x[0-9a-f]+\)$", re.MULTILINE)
_INTERPRETER = 3
"""The kind of a program header that names the loader (System V ABI: PT_INTERP)."""
_PATIENCE = 30.0


def loader_of(program: Path) -> Path | None:
    """The dynamic loader that a program asks for; None where it asks for none, or is no program of this kind.

    Raises:
        OSError: the program cannot be read.
    """
    with program.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return None
        order = "<" if head[5] == 1 else ">"
        (start,) = struct.unpack_from(f"{order}Q", head, 0x20)
        size, count = struct.unpack_from(f"{order}HH", head, 0x36)
        file.seek(start)
        table = file.read(size * count)
        for at in range(0, len(table) - size + 1, size):
            (kind,) = struct.unpack_from(f"{order}I", table, at)
            if kind == _INTERPRETER:
                offset, _, _, length = struct.unpack_from(f"{order}QQQQ", table, at + 8)
                file.seek(offset)
                return Path(file.read(length).rstrip(b"\0").decode())
    return None


def needed(programs: Sequence[Path], *, loader: Path, environ: Mapping[str, str]) -> dict[str, Path]:
    """The libraries that these programs, extension modules and libraries load at their start, all the way down.

    Args:
        programs: where two of them find different files for one name, the first counts.
        loader: of this machine's C library.
        environ: for LD_LIBRARY_PATH; nothing else in it counts.

    Returns:
        The file of each, by the name that it is asked for: `libssl.so.3`.

    Raises:
        BackendError: the loader does not answer.
    """
    where = {"LC_ALL": "C", **{name: environ[name] for name in ("LD_LIBRARY_PATH",) if environ.get(name)}}

    def listed(program: Path) -> Iterable[tuple[str, str]]:
        command = [str(loader), "--list", str(program)]
        try:  # of what is linked statically, or no program at all, it says so and fails: there is nothing to list
            told = subprocess.run(
                command, env=where, capture_output=True, text=True, check=False, timeout=_PATIENCE, errors="replace"
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BackendError(
                "host-base",
                f"{loader} does not say which libraries {program} needs",
                why=str(error),
                do="Choose another base",
            ) from error
        return _FOUND.findall(told.stdout)

    found: dict[str, Path] = {}
    with ThreadPoolExecutor(4) as pool:  # each is a process that this one only waits for
        for pairs in pool.map(listed, programs):
            for name, path in pairs:
                found.setdefault(name, Path(path))
    return found
