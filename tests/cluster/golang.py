"""The Go tool: builds a program of pinned modules, tells how far it is, and says in one sentence why it failed.

Modules and compiled packages are kept where the user's own Go keeps them.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tests.cluster.steps import Failed

FOLDERS = Path(__file__).parent / "go"
"""Of each go.mod and go.sum."""
# Nothing may change go.mod and go.sum: what they do not name is not built.
FLAGS = ("-mod=readonly", "-buildvcs=false")
# A third less to compile: nobody debugs these programs, and what Go's own packages do often is still inlined.
COMPILING = ("-gcflags=all=-dwarf=false -l", "-gcflags=std=-dwarf=false")
OFTEN = 30.0
"""In seconds: how often a build says that it goes on."""
# As they were when this was loaded: a test has a home of its own, in which Go would begin with nothing.
_HOMES = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME") if name in os.environ}
WITHOUT = "or name a folder that has the programs (JOBQ_CLUSTER_BINARIES), or another cluster (JOBQ_TEST_KUBECONFIG)"


def version() -> str:
    """Of the Go that builds here: `go1.26.8`.

    Raises:
        Failed: there is none, or it is older than go.mod asks for.
    """
    return _settings()["GOVERSION"]


def caches() -> tuple[Path, Path]:
    """Where Go keeps modules, and what it compiled."""
    return Path(_settings()["GOMODCACHE"]), Path(_settings()["GOCACHE"])


@functools.cache
def _settings() -> dict[str, str]:
    # In this folder a Go that may fetch the newer one that go.mod asks for does so, and is that from then on.
    folder = FOLDERS / "kubernetes"
    wanted = next(line.split()[1] for line in (folder / "go.mod").read_text().splitlines() if line.startswith("go "))
    try:
        asked = ["go", "env", "-json", "GOVERSION", "GOMODCACHE", "GOCACHE"]
        done = subprocess.run(asked, cwd=folder, env=_environ(), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failed(
            f"The cluster is built with Go, which is not on PATH: install Go {wanted} or newer, {WITHOUT}."
        ) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise Failed(
            f"The cluster is built with Go {wanted} or newer, and this one says: {said}. Install it, {WITHOUT}."
        )
    settings: dict[str, str] = json.loads(done.stdout)
    if (found := _numbers(settings["GOVERSION"])) and found < _numbers(wanted):
        raise Failed(
            f"The cluster is built with Go {wanted} or newer, not {settings['GOVERSION']}: install it, {WITHOUT}."
        )
    return settings


def _numbers(version: str) -> list[int]:
    found = re.search(r"\d+(\.\d+)+", version)
    return [int(number) for number in found[0].split(".")] if found else []


def build(folder: Path, package: str, linking: str, into: Path, say: Callable[[str], None]) -> None:
    """Builds one program.

    Args:
        folder: of its go.mod.
        package: as Go names it.
        linking: flags for the linker.
        into: the file that it becomes.
        say: is told every half minute that it goes on.

    Raises:
        Failed: with the end of what Go said.
    """
    version()
    command = ["go", "build", "-v", *FLAGS, *COMPILING, f"-ldflags={linking}", "-o", str(into), package]
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stderr is not None
    told = _Told(process.stderr)
    try:
        while True:
            try:
                status = process.wait(OFTEN)
                break
            except subprocess.TimeoutExpired:
                say(f"{into.name}: {time.monotonic() - began:.0f} s so far, {told}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        told.join()
        told.lines.close()
    if status:
        raise Failed(f"{into.name} could not be built: `go build {package}` in {folder} said: {told.last_words()}")


def fetch(folder: Path, package: str) -> None:
    """Downloads the modules that a package is built from; what fails, its build will tell."""
    asked = ["go", "list", *FLAGS, "-deps", package]
    subprocess.run(asked, cwd=folder, env=_environ(), stdin=subprocess.DEVNULL, capture_output=True, check=False)


class _Told(threading.Thread):
    """Reads what a build tells: a package a line as it is compiled, modules as they are downloaded, and errors."""

    def __init__(self, lines: IO[str]) -> None:
        super().__init__(daemon=True)
        self.lines = lines
        self._compiled, self._downloaded, self._latest = 0, 0, ""
        self._errors: deque[str] = deque(maxlen=8)
        self.start()

    def run(self) -> None:
        for line in self.lines:
            words = line.split()
            if len(words) == 1:  # the name of a package, alone
                self._compiled += 1
                self._latest = words[0]
            elif words[:2] == ["go:", "downloading"]:
                self._downloaded += 1
            elif words:
                self._errors.append(line.strip())

    def __str__(self) -> str:
        if not self._compiled:
            return f"modules downloaded: {self._downloaded}"
        return f"packages compiled: {self._compiled}, the latest {self._latest}"

    def last_words(self) -> str:
        return " / ".join(self._errors) or "nothing (was it killed?)"


def modules(folder: Path) -> dict[str, bool]:
    """Each module that a go.sum names, with its version, and whether it is on this machine."""
    kept, _ = caches()
    named = [line.split()[:2] for line in (folder / "go.sum").read_text().splitlines()]
    # Of others only the go.mod is read.
    places = [f"{escaped(name)}@{escaped(at)}" for name, at in named if not at.endswith("/go.mod")]
    return {place: (kept / place).is_dir() for place in places}


def escaped(name: str) -> str:
    """A name as Go spells it on a disk, where capital letters may be no others."""
    return "".join(f"!{letter.lower()}" if letter.isupper() else letter for letter in name)


def module(folder: Path, package: str) -> Path:
    """The folder of the module that has a package; downloaded where it is missing.

    Raises:
        Failed: with what Go said.
    """
    version()
    asked = ["go", "list", *FLAGS, "-find", "-f", "{{.Module.Dir}}", package]
    done = subprocess.run(asked, cwd=folder, env=_environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"The module of {package} is not to be had: {' / '.join(done.stderr.strip().splitlines()[-4:])}")
    return Path(done.stdout.strip())


def _environ() -> dict[str, str]:
    # A setting of its own also stands above what the user has written by `go env -w`. A workspace would bring its own
    # versions, and C its own compiler; proxies, caches and the like are the user's.
    ours = {"GOFLAGS": " ".join(FLAGS), "GOWORK": "off", "CGO_ENABLED": "0", "GOOS": "linux"}
    theirs = {name: value for name, value in os.environ.items() if name != "GOARCH" and not name.startswith("XDG_")}
    return {**theirs, **_HOMES, **ours}
