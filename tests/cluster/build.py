"""The programs of the cluster, built from pinned modules and kept by the content that they were built from.

What is kept outlives clusters and checkouts, and is all that a cluster needs: where it is there, Go is not asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import golang, layout
from tests.cluster.steps import Failed
from tests.cluster.versions import version


@dataclass(frozen=True, slots=True)
class Program:
    """One program, and how it is built."""

    name: str
    folder: str
    """Of its go.mod, below `go`."""
    package: str
    module: str = ""
    """Whose version is told when it is built."""
    stamps: tuple[str, ...] = ()
    """Variables that the linker sets: NAME=VALUE."""
    manifests: str = ""
    """A folder of its module that is kept beside it."""


def _of_kueue() -> tuple[str, ...]:
    return (f"{_KUEUE}/pkg/version.GitVersion={version(_KUEUE)}",)


def _of_kubernetes() -> tuple[str, ...]:
    """What Kubernetes' own build says it is; without, clients are told v0.0.0 and refuse to compare."""
    major, minor, _ = version(_KUBERNETES).removeprefix("v").split(".")
    values = {"gitVersion": version(_KUBERNETES), "gitMajor": major, "gitMinor": minor, "gitCommit": "module"}
    libraries = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"{library}.{name}={value}" for library in libraries for name, value in values.items())


_KUBERNETES = "k8s.io/kubernetes"
_KUEUE = "sigs.k8s.io/kueue"
_KUBERAY = "github.com/ray-project/kuberay/ray-operator"
_KWOK = "sigs.k8s.io/kwok"
_VERSITYGW = "github.com/versity/versitygw"
PROGRAMS = (
    Program("pause", "kubernetes", "./pause"),
    Program("etcd", "kubernetes", "./etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube", "kubernetes", "./kube", _KUBERNETES, _of_kubernetes()),
    Program("coredns", "coredns", ".", "github.com/coredns/coredns"),
    Program("kueue", "kubernetes", f"{_KUEUE}/cmd/kueue", _KUEUE, _of_kueue(), "config"),
    Program("kuberay", "kuberay", _KUBERAY, _KUBERAY, manifests="config"),
    Program("kwok", "kwok", f"{_KWOK}/cmd/kwok", _KWOK, manifests="kustomize"),
    Program("versitygw", "versitygw", f"{_VERSITYGW}/cmd/versitygw", _VERSITYGW),
)
"""In the order in which they are built: what others wait for comes first."""
NEEDED = tuple(program.name for program in PROGRAMS if program.name not in {"kwok", "versitygw"})
KEPT = 2
"""Builds of one program that are kept: this checkout's and another one's."""
MEGABYTE = 1_000_000


def binary(name: str) -> Path:
    """Where a program is that was built.

    Raises:
        Failed: it is not built.
    """
    if folder := os.environ.get("JOBQ_CLUSTER_BINARIES"):
        if not (path := Path(folder, name)).is_file():
            raise Failed(f"JOBQ_CLUSTER_BINARIES names {folder}, and there is no `{name}` in it.")
        return path
    if (found := _found(_program(name))) is None:
        raise Failed(f"`{name}` is not built for what this checkout asks for: `make cluster-build` builds it.")
    return found / name


def missing(names: Iterable[str]) -> list[str]:
    """Which of these programs would have to be built first."""
    if os.environ.get("JOBQ_CLUSTER_BINARIES"):
        return []
    return [name for name in names if _found(_program(name)) is None]


def module(name: str) -> Path:
    """The sources of the module of a program or, where it was built here, what of them describes its deployment.

    Args:
        name: of the program, or of the module.

    Raises:
        Failed: it is not there, and cannot be downloaded.
    """
    program = next((each for each in PROGRAMS if name in {each.name, each.module}), None)
    if program is None or not program.manifests:
        known = ", ".join(each.name for each in PROGRAMS if each.manifests)
        raise Failed(f"`{name}` has no manifests of its own; those have: {known}.")
    if not os.environ.get("JOBQ_CLUSTER_BINARIES") and (found := _found(program)):
        return found / "module"
    return _sources(program.name)


@functools.cache
def _sources(name: str) -> Path:
    program = _program(name)
    return golang.module(golang.FOLDERS / program.folder, program.package)


def ensure(names: Iterable[str], say: Callable[[str], None]) -> None:
    """Builds what is missing, one after another, since Go uses all cores by itself; downloads are ahead of that.

    Args:
        names: of the programs.
        say: is told each step, and how much it downloads before it does.

    Raises:
        Failed: one cannot be built.
    """
    unknown = set(names := set(names)) - {program.name for program in PROGRAMS}
    if unknown:
        known = ", ".join(program.name for program in PROGRAMS)
        raise Failed(f"Nobody knows how to build {', '.join(sorted(unknown))}; known are {known}.")
    programs = [program for program in PROGRAMS if program.name in names]
    lacking = missing(program.name for program in programs)
    absent = [program for program in programs if program.name in lacking]
    _announce(absent, say)
    ahead = ThreadPoolExecutor(1, thread_name_prefix="modules")
    try:
        for program in absent:
            ahead.submit(golang.fetch, golang.FOLDERS / program.folder, program.package)
        for program in programs:
            if not os.environ.get("JOBQ_CLUSTER_BINARIES"):
                _ensure(program, say)
            binary(program.name)
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)


def _announce(programs: list[Program], say: Callable[[str], None]) -> None:
    """Says what is to come, before it takes its time."""
    if not programs:
        return
    say(f"building {', '.join(program.name for program in programs)} with {golang.version()}")
    known: dict[str, bool] = {}
    size = 0.0
    for folder in sorted({program.folder for program in programs if program.module}):
        modules = golang.modules(golang.FOLDERS / folder)
        absent = [name for name, there in modules.items() if not there and name not in known]
        size += SIZES[folder] * len(absent) / max(len(modules), 1)
        known |= modules
    if absent := [name for name, there in known.items() if not there]:
        say(f"of {len(known)} Go modules {len(absent)} are to be downloaded: about {size:.0f} MB")


SIZES = {"kubernetes": 146, "kuberay": 75, "coredns": 38, "kwok": 50, "versitygw": 114}
"""What all modules of a folder are together as they are downloaded, in MB."""


def _ensure(program: Program, say: Callable[[str], None]) -> None:
    if (found := _found(program)) is not None:
        os.utime(found)  # the least used are pruned
        return
    with _locked(program.name, say):
        if _found(program) is not None:
            return
        began = time.monotonic()
        place = _place(program)
        new = place.parent / f".{os.getpid()}"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            folder = golang.FOLDERS / program.folder
            golang.build(folder, program.package, _linking(program), new / program.name, say)
            if program.manifests:
                _copy(_sources(program.name) / program.manifests, new / "module" / program.manifests)
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        _prune(place.parent)
    size = (place / program.name).stat().st_size / MEGABYTE
    told = f"{program.name} {version(program.module)}" if program.module else program.name
    say(f"{told} built in {time.monotonic() - began:.1f} s, {size:.0f} MB")


def _copy(source: Path, target: Path) -> None:
    # Modules are kept read-only, and what is kept here is pruned one day.
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)


def key(program: Program) -> str:
    """What a program is built from, in one word: another one where anything of that has changed, except Go itself."""
    folder = golang.FOLDERS / program.folder
    sources = [folder / "go.mod", folder / "go.sum"]
    if program.package.startswith("."):
        sources += sorted((folder / program.package).glob("*.go"))
    said = [platform.machine(), program.package, program.manifests, _linking(program), *golang.FLAGS, *golang.COMPILING]
    digest = hashlib.sha256("\n".join(said).encode())
    for source in sources:
        content = source.read_bytes()
        digest.update(f"\n{source.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _linking(program: Program) -> str:
    return " ".join(("-s -w", *(f"-X {stamp}" for stamp in program.stamps)))


def _place(program: Program) -> Path:
    return layout.CACHE / program.name / f"{key(program)}-{golang.version()}"


def _found(program: Program) -> Path | None:
    """The folder of a program that was built: by this machine's Go, or where it has none, by any."""
    built = sorted((layout.CACHE / program.name).glob(f"{key(program)}-*"), key=lambda path: path.stat().st_mtime)
    try:
        return place if (place := _place(program)) in built else None
    except Failed:
        return built[-1] if built else None


def _program(name: str) -> Program:
    return next(program for program in PROGRAMS if program.name == name)


def _prune(folder: Path) -> None:
    """Removes the builds of one program that were not used for longest, and what ended builds have left."""
    left = [path for path in folder.iterdir() if path.name.startswith(".")]
    built = sorted((path for path in folder.iterdir() if path not in left), key=lambda path: path.stat().st_mtime)
    for path in (*left, *built[:-KEPT]):
        shutil.rmtree(path)


@contextlib.contextmanager
def _locked(name: str, say: Callable[[str], None]) -> Iterator[None]:
    """One build at a time on this machine: the second to come finds what the first has made."""
    layout.CACHE.mkdir(parents=True, exist_ok=True)
    with (layout.CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name} waits for another build on this machine")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
