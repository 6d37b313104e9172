"""Builds the sidebar into `jobq_magic/labextension`: `make labextension`. The same sources give the same bytes.

What is built is committed, so that nobody needs Node to install it. `sources.sha256` says what it was built from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "jobq_magic/labextension"
_SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "schema", "src", "style")


def sources() -> Iterator[Path]:
    """Every file that the bundle is made from."""
    for name in _SOURCES:
        path = HERE / name
        yield from sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def digest() -> str:
    """What the sources amount to."""
    total = hashlib.sha256()
    for path in sources():
        total.update(f"{path.relative_to(HERE).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def modules() -> None:
    """Fetches what the build needs, exactly as the lock file says, unless it is there."""
    lock, there = HERE / "package-lock.json", HERE / "node_modules/.jobq-lock"
    if not there.exists() or there.read_text() != lock.read_text():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=HERE, check=True, stdout=sys.stderr)
        there.write_text(lock.read_text())


def compiled() -> None:
    """TypeScript to JavaScript, below `lib`."""
    modules()
    subprocess.run([HERE / "node_modules/.bin/tsc"], cwd=HERE, check=True, stdout=sys.stderr)


def build() -> None:
    """The bundle, and what it was made from.

    Raises:
        subprocess.CalledProcessError: the sources are wrong; what was told is on stderr.
    """
    subprocess.run([sys.executable, HERE / "typed.py"], check=True)
    asked = digest()
    shutil.rmtree(HERE / "lib", ignore_errors=True)
    (HERE / "tsconfig.tsbuildinfo").unlink(missing_ok=True)
    compiled()
    builder = Path(sys.executable).with_name("jupyter-builder")
    subprocess.run([builder, "build", "."], cwd=HERE, check=True, stdout=sys.stderr)
    for path in BUILT.rglob("*.orig"):  # the builder's own, of our package.json
        path.unlink()
    (BUILT / "sources.sha256").write_text(f"{asked}\n")


def size() -> int:
    """Bytes of the bundle's programs and styles, each gzipped as a server sends it."""
    import gzip

    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in (BUILT / "static").glob("*.js"))


if __name__ == "__main__":
    build()
    print(json.dumps({"sources": digest()[:12], "gzipped": size()}))
