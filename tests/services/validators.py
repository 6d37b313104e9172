"""Programs that are not ours and judge images: crane, skopeo, and containerd, each as its users run it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.services.registry import program
from tests.support import eventually

_HERE = Path(__file__).parent / "crane"


def crane() -> str:
    """The path of crane, built once for its go.sum and kept outside the checkout."""
    wanted = hashlib.sha256((_HERE / "go.sum").read_bytes() + (_HERE / "go.mod").read_bytes()).hexdigest()[:16]
    # The home of tests is another one each time; this is the one of who runs them.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(pwd.getpwuid(os.getuid()).pw_dir, ".cache"))
    built = cache / "jobq-tests" / f"crane-{wanted}" / "crane"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        go = shutil.which("go")
        assert go, "go is not on this machine, and crane is built with it: Go 1.25 or newer, by go.dev or the system"
        with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
            made = Path(scratch) / "crane"
            what = "github.com/google/go-containerregistry/cmd/crane"
            run(go, "build", "-mod=readonly", "-trimpath", "-o", str(made), what, cwd=_HERE, env=_of_go())
            made.rename(built)
    return str(built)


def _of_go() -> dict[str, str]:
    return {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir, "GOTOOLCHAIN": "local", "GOFLAGS": ""}


def run(*command: str, timeout: float = 600, **more) -> str:
    """What a program prints; a failure with all that it says where it does not succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **more)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def containerd() -> Iterator[list[str]]:
    """A containerd of our own while the block runs: the words that a command of `ctr` begins with."""
    folder = Path(tempfile.mkdtemp(prefix="jq-ctr-"))  # the path of a socket must be short
    settings = folder / "config.toml"
    # Only images and plain containers: nothing of Kubernetes, and no file system that this disk may not have.
    settings.write_text(
        'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",'
        ' "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]\n'
        f'[plugins."io.containerd.internal.v1.opt"]\n  path = "{folder}/opt"\n'
    )
    socket = folder / "socket"
    command = [program("containerd", "docker.io"), "--config", str(settings), "--address", str(socket)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--root", str(folder / "root"), "--state", str(folder / "state")], stdout=log, stderr=log
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            asked = subprocess.run([*client, "version"], capture_output=True)
            return asked.returncode == 0

        client = [program("ctr", "docker.io"), "--address", str(socket)]
        eventually(answers, 30, every=0.05)
        yield client
    finally:
        process.terminate()
        process.wait(30)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith(f"{folder}/"):
                subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(folder)
