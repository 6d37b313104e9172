"""Wheels without files, for what is installed here and on no index.

Something that is installed from a folder or a repository takes part in the resolution by its metadata, which is
here: the version it has and what it requires. So what it needs is locked with the rest, and nothing is built for that.
"""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from jobq_magic.capture.requirements.distributions import headers

__all__ = ["metadata_of", "write_stub"]

_KEPT = ("requires-dist", "provides-extra")
_WHEEL = "Wheel-Version: 1.0\nGenerator: jobq\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata_of(name: str, version: str, info: str) -> str:
    """The metadata of a stub: what it requires, as it is installed.

    A required address becomes a name: what is installed from it here has a stub of its own.
    """
    told = headers(info)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    for key in _KEPT:
        for value in told.get(key, []):
            plain = re.sub(r"\s*@\s*[^;]+?(?=\s+;|$)", "", value) if " @ " in value or "@" in value else value
            lines.append(f"{key.title()}: {plain}")
    return "\n".join(lines) + "\n"


def write_stub(folder: Path, name: str, version: str, metadata: str) -> None:
    """Writes a wheel that uv takes for this version."""
    stem = f"{name.replace('-', '_')}-{version.replace('-', '_')}"
    info = f"{stem}.dist-info"
    files = {f"{info}/METADATA": metadata, f"{info}/WHEEL": _WHEEL}
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with ZipFile(folder / f"{stem}-py3-none-any.whl", "w", ZIP_STORED) as wheel:
        for file, text in files.items():
            wheel.writestr(ZipInfo(file), text)
