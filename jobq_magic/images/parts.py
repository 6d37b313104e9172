"""A bundle as layers, from what changes least to what changes most; none of them is made here.

The runtime of jobs, local code, big values, data, and at last the cell with all that is small. A part is told apart by
digests that the manifest has already: nothing is read for its key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jobq_magic.bundle import neutral
from jobq_magic.images.bytecode import identity, with_bytecode
from jobq_magic.images.layer import compresses
from jobq_magic.images.layout import BIN, BUNDLE, HOME, LAST, LAYOUT, PATH, SITE, inside
from jobq_magic.images.model import Entry, Part
from jobq_magic.runtime.launch import NAME
from jobq_magic.runtime.wire import canonical

__all__ = ["code", "key_of", "local", "named", "runtime", "values"]

BIG = 1 << 20
"""From here on a value has a layer of its own: less would cost more round trips than it saves bytes."""
MOST = 16
"""Layers of values; engines take 127 in all."""
_SAMPLE = 256 << 10
_PACKAGE = f"{LAST}/jobq_magic"


def key_of(kind: str, *content: Any) -> str:
    """The key of a part that depends on this, which is JSON."""
    return hashlib.sha256(canonical([LAYOUT, kind, *content])).hexdigest()


def named(names: Sequence[str], most: int = 2) -> str:
    """Names in words: `numpy, pandas and 4 more`."""
    if len(names) <= most + 1:
        return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def runtime(python: str) -> Part:
    """What every job needs: the package that runs it, the way to what is installed, and the folders.

    Args:
        python: the image's minor version.
    """
    sources = _sources()
    digests = [[path, hashlib.sha256(text).hexdigest()] for path, text in sorted(sources.items())]

    def entries(folder: Path) -> Iterable[Entry]:
        texts = [Entry(inside(path), data=text) for path, text in sources.items()]
        return with_bytecode([*texts, *_folders()], folder, python)

    return Part("runtime", "jobq", key_of("runtime", digests, identity(python)), entries)


def _folders() -> Iterator[Entry]:
    for path in (SITE, BIN, BUNDLE, *(f"{BUNDLE}/{name}" for name in ("code", "values", "modules", "files"))):
        yield Entry(inside(path), "folder", mode=0o755)
    yield Entry(inside(HOME), "folder", mode=0o1777)
    yield Entry(inside(f"{_PACKAGE}/runtime"), "link", target=f"{PATH}/{NAME}")


@cache
def _sources() -> dict[str, bytes]:
    """What is imported in every image.

    On PYTHONPATH the runtime. Behind all else, where the image has none of its own: cloudpickle, by which comes back
    what only the cell defines, and as much of `jobq_magic` as a job can use.
    """
    import cloudpickle

    import jobq_magic.runtime

    here = Path(__file__).parent
    files = {f"{PATH}/sitecustomize.py": here / "inside/sitecustomize.py"}
    for name in ("__init__.py", "_version.py", "errors.py"):
        files[f"{_PACKAGE}/{name}"] = here.parent / name
    for place, module in ((f"{PATH}/{NAME}", jobq_magic.runtime), (f"{LAST}/cloudpickle", cloudpickle)):
        files |= {f"{place}/{path.name}": path for path in Path(str(module.__file__)).parent.glob("*.py")}
    return {path: file.read_bytes() for path, file in sorted(files.items())}


def local(bundle: Path) -> Part | None:
    """Local code that the cell imports; None where there is none."""
    manifest = _manifest(bundle)
    modules: list[list[str]] = manifest["modules"]
    if not modules:
        return None
    python: str = manifest["python"]

    def entries(folder: Path) -> Iterable[Entry]:
        files = [Entry(inside(f"{BUNDLE}/modules/{path}"), data=bundle / "modules" / path) for path, _ in modules]
        return with_bytecode(files, folder, python)

    tops = sorted({path.partition("/")[0].removesuffix(".py") for path, _ in modules})
    return Part("local", named(tops), key_of("local", sorted(modules), identity(python)), entries)


def values(bundle: Path) -> list[Part]:
    """The layers of what is big: values, at most 16 layers of them, and files that the user named."""
    manifest = _manifest(bundle)
    names, sizes = _values(bundle, manifest)
    big = sorted((digest for digest in names if sizes[digest] >= BIG), key=lambda digest: (-sizes[digest], digest))
    groups = [[digest] for digest in big]
    if len(groups) > MOST:
        groups[MOST - 1 :] = [[digest for group in groups[MOST - 1 :] for digest in group]]
    parts = [
        _copies(
            "value",
            [name for digest in group for name in names[digest]],
            {f"{BUNDLE}/values/{digest}": bundle / "values" / digest for digest in group},
            key_of("value", sorted(group)),
        )
        for group in groups
    ]
    if _files_apart(bundle, manifest):
        paths = [path for path, _ in manifest["files"]]
        files = {f"{BUNDLE}/files/{path}": bundle / "files" / path for path in paths}
        modes = [[path, digest, _mode(bundle / "files" / path)] for path, digest in manifest["files"]]
        parts.append(_copies("files", paths, files, key_of("files", modes)))
    return parts


def code(bundle: Path) -> Part:
    """The cell, and all that is small: a new one for each change of the cell."""
    manifest = _manifest(bundle)
    plain, _ = neutral(manifest)
    data = canonical(plain)
    names, sizes = _values(bundle, manifest)
    small = [f"values/{digest}" for digest in sorted(names) if sizes[digest] < BIG]
    texts = sorted(step["file"] for step in (*manifest["steps"], manifest["cell"]) if "sha256" in step)
    apart = _files_apart(bundle, manifest)
    files = [] if apart else [f"files/{path}" for path, _ in manifest["files"]]
    modes = {path: _mode(bundle / path) for path in files}

    def entries(_: Path) -> Iterable[Entry]:
        yield Entry(inside(f"{BUNDLE}/manifest.json"), data=data)
        for path in (*texts, *small, *files):
            yield Entry(inside(f"{BUNDLE}/{path}"), data=bundle / path, mode=modes.get(path, 0o644))

    key = key_of("code", hashlib.sha256(data).hexdigest(), small, sorted(modes.items()))
    return Part("code", "the cell", key, entries)


def _manifest(bundle: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
    return known


def _values(bundle: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Of each value group, by the digest that its file is named by: what it is called, and how big it is."""
    names: dict[str, list[str]] = {}
    for step in manifest["steps"]:
        path = step.get("file", "")
        if path.startswith("values/"):
            called = step.get("names") or [step.get("of") or step.get("what", "")]
            names.setdefault(path.removeprefix("values/"), []).extend(called)
    return names, {digest: (bundle / "values" / digest).stat().st_size for digest in names}


def _files_apart(bundle: Path, manifest: Mapping[str, Any]) -> bool:
    sizes: list[int] = [(bundle / "files" / path).stat().st_size for path, _ in manifest["files"]]
    return sum(sizes) >= BIG


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _copies(kind: str, names: Sequence[str], files: Mapping[str, Path], key: str) -> Part:
    """A layer of files as they are; compressed where that pays."""

    def entries(_: Path) -> Iterable[Entry]:
        for path, source in files.items():
            yield Entry(inside(path), data=source, mode=_mode(source) if kind == "files" else 0o644)

    compression: Literal["gzip", "stored"] = "gzip" if compresses(_samples(files.values())) else "stored"
    return Part(kind, named(list(dict.fromkeys(names))), key, entries, compression)


def _samples(paths: Iterable[Path]) -> Iterator[bytes]:
    """Pieces of files: from the start, from the middle and from the end."""
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            for at in sorted({0, max(0, size // 2), max(0, size - _SAMPLE)}):
                file.seek(at)
                yield file.read(_SAMPLE)
