"""Debian systems in folders, for Pythons that this machine does not have.

Made once by `debootstrap`, kept under the user's caches, outside of the checkout. Packages are put beside a root's
Python by this machine's uv, so that a root needs no network. A command there has mounts of its own, which end with it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jobq-magic-tests" / "pythons"
"""As the user has it: tests have a home of their own."""
WORK = "work"
# What tests ask of the environment there.
THERE = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": f"/{WORK}",
}
# A mount namespace of its own: what is mounted in it is gone with its last process, however that ends.
ENTER = """
mount --make-rprivate /
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/dev/shm"
exec chroot "$0" /usr/bin/env -i "$@"
"""


@dataclass
class Root:
    """One system, and what it took to make it."""

    suite: str
    took: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return CACHE / self.suite

    def make(self) -> None:
        """Makes what is missing, and puts in the project as it is now."""
        if not (self.folder / "etc/jobq-made").exists():
            began = time.monotonic()
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True)
            _run(
                "debootstrap",
                "--variant=minbase",
                "--include=python3,ca-certificates",
                self.suite,
                str(self.folder),
                mirror(),
            )
            (self.folder / "etc/jobq-made").touch()
            self.took["system"] = round(time.monotonic() - began, 1)
        self._packages()
        self._project()

    def python(self) -> tuple[int, int]:
        """The version of its Python."""
        said = self.run("python3", "-c", "import sys; print(*sys.version_info[:2])").stdout
        major, minor = map(int, said.split())
        return major, minor

    def run(self, *command: str, within: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, without what it leaves behind: processes of its own end with it."""
        given = [f"{name}={value}" for name, value in THERE.items()]
        process = subprocess.Popen(
            # --kill-child: whoever ends the command ends all that it started.
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-ec",
                ENTER,
                str(self.folder),
                *given,
                *command,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said, _ = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            said, _ = process.communicate()
            said += f"\nnot done within {within:.0f} s"
        return subprocess.CompletedProcess(command, process.returncode, said)

    def _packages(self) -> None:
        version = ".".join(map(str, self.python()))
        # Where this Python looks for what is installed: elsewhere it would be the user's own code.
        site, wanted = self.folder / f"usr/local/lib/python{version}/dist-packages", PROJECT / "pyproject.toml"
        made = site / ".made"
        if made.exists() and made.read_text() == wanted.read_text():
            return
        began = time.monotonic()
        shutil.rmtree(site, ignore_errors=True)
        _run(
            _uv(),
            *("pip", "install", "--quiet", "--target", str(site), "-r", str(wanted), "--group", f"{wanted}:test"),
            *("--python-version", version),
            *("--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"),
        )
        made.write_text(wanted.read_text())
        self.took["packages"] = round(time.monotonic() - began, 1)

    def _project(self) -> None:
        work = self.folder / WORK
        shutil.rmtree(work, ignore_errors=True)
        for part in ("jobq_magic", "tests"):
            shutil.copytree(PROJECT / part, work / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "pyproject.toml", work)


def mirror() -> str:
    """Where apt on this machine takes Debian from."""
    said = _run("apt-cache", "policy")
    for address, archive in re.findall(r"^ *\d+ (\S+) (\S+)/main \S+ Packages$", said, re.MULTILINE):
        if "security" not in archive and "origin=Debian" not in address and _is_debian(said, address):
            return str(address)
    raise LookupError("apt on this machine has no mirror of Debian")


def missing() -> str:
    """What this machine lacks for roots; empty where it lacks nothing."""
    lacks = [] if os.geteuid() == 0 else ["root's rights"]
    lacks += [name for name in ("debootstrap", "unshare", "chroot", "apt-cache") if shutil.which(name) is None]
    return ", ".join(lacks)


def _is_debian(said: str, address: str) -> bool:
    entry = said.split(address, 1)[1].split("\n", 2)
    return "o=Debian" in entry[1]


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
