"""The base `host`: this machine's own Python as one layer, where no registry is at hand, or its very version is wanted.

The interpreter, its standard library with bytecode, the libraries that these load and those that every wheel for Linux
may count on, a shell with its usual company, and the certificates that this machine trusts. Wherever Python is here,
there it lies in /usr/local, so that no path of this machine is in the layer; a system's own one stays in /usr, as its
distribution has made it for that place.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.images import bytecode, libraries, platforms
from jobq_magic.images.hostfiles import certificates, standard_library, system, tools, trees
from jobq_magic.images.model import Base, Entry, Layer, Part
from jobq_magic.runtime.wire import canonical

__all__ = ["host_base", "part", "refuse_other"]

_FORMAT = 1
"""Of what this file makes."""
_LOOKED = 60.0
"""Seconds for which a look at all files of this Python counts: it takes ten times as long as all else."""
_LOOKING = threading.Lock()
"""Held meanwhile: of many runs that are sent at once, one looks."""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
_ASSUMED = (
    # What wheels may take for granted (PEP 600, and its policies up to manylinux_2_28), but for windows on a screen.
    *("libgcc_s.so.1", "libstdc++.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libutil.so.1", "libpthread.so.0"),
    *("libresolv.so.2", "libnsl.so.1", "libz.so.1", "libexpat.so.1", "libatomic.so.1"),
    # What the C library loads by itself when a host name is looked up.
    *("libnss_dns.so.2", "libnss_files.so.2"),
    "libgomp.so.1",  # some wheels count on it that should not: it is a few hundred kilobytes
)


def host_base(layer_of: Callable[[Part], Layer], *, python: str, platform: str, environ: Mapping[str, str]) -> Base:
    """This machine's own Python, to stand on.

    Args:
        layer_of: makes the layer of a part, or finds it.
        python: the minor version that is wanted.
        platform: that is wanted, as OCI says it.
        environ: for LD_LIBRARY_PATH.

    Raises:
        BackendError: it cannot be taken from here; in words.
    """
    refuse_other(platform)
    if python != (minor := f"{sys.version_info.major}.{sys.version_info.minor}"):
        raise BackendError(
            "base-python", f"The base host has Python {minor}, not {python}", do="Choose another base, by --base"
        )
    layer = layer_of(part(environ))
    version = ".".join(map(str, sys.version_info[:3]))
    told = {**_ENVIRONMENT, "PYTHON_VERSION": version}
    config = {
        **platforms.described(platform),
        "config": {"Env": [f"{name}={text}" for name, text in told.items()], "Cmd": ["python3"], "WorkingDir": "/"},
    }
    key = hashlib.sha256(canonical([config, layer.diff_id])).hexdigest()
    return Base("host", key, config, (layer,), python=minor)


def refuse_other(platform: str) -> None:
    """Raises BackendError where this is not the platform of this machine."""
    if platforms.normal(platform) != platforms.here():
        raise BackendError(
            "host-base",
            f"The base host is for {platforms.here()}, not {platform}",
            do="Choose another base or platform",
        )


def part(environ: Mapping[str, str]) -> Part:
    """The layer, by a key that costs a few milliseconds: what tells this interpreter and its libraries from others.

    Raises:
        BackendError: this Python cannot be taken along.
    """
    if sys.platform != "linux":
        raise BackendError(
            "host-base",
            f"The base host is this machine's own Python, and {platform.system()} is no Linux",
            do="Choose another base, by --base python:3.12-slim or the like",
        )
    executable = Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
    loader = _loader(executable)
    with _LOOKING:
        key = _key(executable, int(time.monotonic() / _LOOKED))

    def entries(folder: Path) -> Iterator[Entry]:
        yield from _entries(executable, loader, environ, folder)

    version = ".".join(map(str, sys.version_info[:3]))
    return Part("base", f"Python {version} of this machine", key, entries)


@lru_cache(maxsize=1)
def _key(executable: Path, _: int) -> str:
    # The cache of the loader changes with every library that is installed or renewed.
    others = [executable, Path("/etc/ld.so.cache"), *_prefixed(), *tools().values(), *trees()]
    if (trusted := certificates()) is not None:
        others.append(trusted)
    identity = (_FORMAT, sys.version, bytecode.identity(_minor()))
    told = repr((identity, standard_library(), [(str(path), _stamp(path)) for path in others]))
    return hashlib.sha256(told.encode()).hexdigest()


def _loader(executable: Path) -> Path:
    try:
        loader = libraries.loader_of(executable)
    except OSError as error:
        raise BackendError(
            "host-base", f"{executable} cannot be read: {error.strerror}", do="Choose another base, by --base"
        ) from error
    if loader is None or "musl" in loader.name:
        raise BackendError(
            "host-base",
            f"{executable} is not made for the GNU C library, for which wheels are installed",
            do="Choose another base, by --base",
        )
    return loader


def _entries(executable: Path, loader: Path, environ: Mapping[str, str], folder: Path) -> Iterator[Entry]:
    name, place = f"python{_minor()}", "usr" if sys.base_prefix == "/usr" else "usr/local"
    yield Entry(f"{place}/bin/{name}", data=executable, mode=0o755)
    yield Entry(f"{place}/bin/python3", "link", target=name)
    yield Entry(f"{place}/bin/python", "link", target=name)
    files = standard_library()
    library = f"{place}/{sys.platlibdir}/{Path(os.__file__).parent.name}"
    yield Entry(f"{library}/lib-dynload", "folder", mode=0o755)  # without it Python complains at each start
    yield Entry(f"{library}/site-packages", "folder", mode=0o755)
    sources = [Entry(f"{library}/{file.inside}", data=_neutral(Path(file.path))) for file in files]
    yield from bytecode.with_bytecode(sources, folder, _minor())
    company = tools()
    yield from system(company)
    programs = [executable, *(Path(file.path) for file in files if file.inside.endswith(".so")), *company.values()]
    yield from _libraries(programs, loader, environ)


def _libraries(programs: Sequence[Path], loader: Path, environ: Mapping[str, str]) -> Iterator[Entry]:
    """All of them lie where the C library does: there its loader looks without being told."""
    first = libraries.needed(programs, loader=loader, environ=environ)
    home = first["libc.so.6"].parent
    places = [Path(sys.base_prefix) / "lib", home, Path(f"/usr{home}"), Path("/usr/lib64"), Path("/usr/lib")]
    more = [found for name in _ASSUMED if name not in first and (found := _in(places, name)) is not None]
    known = libraries.needed(more, loader=loader, environ=environ) | {path.name: path for path in more} | first
    for name, path in known.items():
        yield Entry(f"{home}/{name}".strip("/"), data=path, mode=0o755)
    yield Entry(str(loader).strip("/"), data=Path(os.path.realpath(loader)), mode=0o755)


def _in(places: Sequence[Path], name: str) -> Path | None:
    return next((place / name for place in places if (place / name).is_file()), None)


def _prefixed() -> Iterator[Path]:
    """The libraries beside this Python: libpython, and with conda all the others."""
    beside = Path(sys.base_prefix) / "lib"
    if sys.base_prefix not in ("/usr", "/usr/local"):  # there they are the system's, of which the loader's cache tells
        yield from sorted(beside.glob("*.so*"))


def _neutral(path: Path) -> bytes | Path:
    """What the standard library knows of how it was built, with the place where it lies in the image."""
    if not path.name.startswith(("_sysconfigdata", "_sysconfig_vars", "build-details")) or sys.base_prefix == "/usr":
        return path
    return path.read_bytes().replace(os.fsencode(sys.base_prefix), b"/usr/local")


def _minor() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_size, found.st_mtime_ns)
