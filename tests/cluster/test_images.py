"""The cluster's images: in a real registry, fetched by another tool, and run as a node runs them."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobq_magic.images.registry import connection
from tests.cluster import build, images, locked
from tests.cluster.layout import CACHE
from tests.cluster.steps import Failed
from tests.services.registry import Service, free_port, program, registry

NAMES = ("pause", "python", "ray")
KEPT = CACHE / "images"


@dataclass
class Published:
    """What became of publishing, and of doing so again."""

    place: Service
    pause: bytes
    """The program, as it was built."""
    references: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Of the second time, as the registry has them."""
    made: set[tuple[str, int]] = field(default_factory=set)
    """Layers of the second time, which the first time had not left."""
    seconds: float = 0.0


@pytest.fixture(scope="module")
def memory(tmp_path_factory) -> Iterator[Path]:
    """A folder that is on no disk: to remove the 20 000 files of an image would take longer than to use them."""
    folder = tmp_path_factory.mktemp("memory")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tests", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def published(memory) -> Iterator[Published]:
    cache = memory / "cache"
    cache.mkdir()
    for name in ("layers", "blobs", "making", "locked"):  # what is made is made once on a machine
        (KEPT / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(KEPT / name)
    build.ensure(["pause"], lambda _: None)
    with registry(memory / "registry", log={"accesslog": {"disabled": False}}) as place:
        known = Published(place, build.binary("pause").read_bytes())

        def publish(said: list[str]) -> dict[str, str]:
            where = {"push": place.host, "pull": "registry.test:5000", "cache": cache}
            return {name: images.publish(name, said.append, **where) for name in NAMES}

        known.references = publish([])
        before, log = _layers(cache), place.folder / "log"
        read = log.stat().st_size
        began = time.monotonic()
        again = publish(known.said)
        known.seconds = time.monotonic() - began
        assert again == known.references
        known.made = _layers(cache) - before
        lines = log.read_bytes()[read:].decode().splitlines()
        known.requests = [line.split('"')[1] for line in lines if '"' in line and "HTTP/1.1" in line]
        yield known


def _layers(cache: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_ino) for name in ("layers", "blobs") for path in (cache / name).iterdir()}


@dataclass(frozen=True)
class Container:
    """An image on disk, and processes of it."""

    folder: Path
    settings: dict

    def run(self, *args: str, user: int = 0) -> str:
        """What a process prints: the root is read-only, /tmp a file system of its own, the network only itself."""
        subprocess.run([program("runc", "runc"), "spec"], cwd=self.folder, check=True)
        config = json.loads((self.folder / "config.json").read_text())
        config["process"] |= {
            "terminal": False,
            "args": list(args),
            "env": self.settings["Env"],
            "cwd": self.settings["WorkingDir"],
            "user": {"uid": user, "gid": user},
        }
        (hosts := self.folder / "hosts").write_text("127.0.0.1 localhost\n")  # as every node and engine gives it
        config["mounts"] += [
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"]},
            {"destination": "/etc/hosts", "type": "bind", "source": str(hosts), "options": ["bind", "ro"]},
        ]
        assert config["root"]["readonly"]
        (self.folder / "config.json").write_text(json.dumps(config))
        name = f"jobq-images-{self.folder.name}"
        runc = [program("runc", "runc"), "--root", str(self.folder / "state")]
        try:
            done = subprocess.run(
                [*runc, "run", name], cwd=self.folder, capture_output=True, text=True, timeout=100, check=False
            )
        finally:
            subprocess.run([*runc, "delete", "--force", name], check=True)  # where time was up, it still runs
            (self.folder / "config.json").unlink()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _skopeo(*words: str) -> str:
    command = [program("skopeo", "skopeo"), "--insecure-policy", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _address(published: Published, name: str) -> str:
    return f"docker://{published.place.host}/{name}"


def _fetched(published: Published, name: str, folder: Path) -> Container:
    folder.mkdir()
    digest = published.references[name].partition("@")[2]
    _skopeo("copy", "--src-tls-verify=false", f"{_address(published, name)}@{digest}", f"dir:{folder / 'image'}")
    manifest = json.loads((folder / "image/manifest.json").read_text())
    config = json.loads(_blob(folder, manifest["config"]["digest"]).read_text())
    (folder / "rootfs").mkdir()
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xpzf", _blob(folder, layer["digest"]), "-C", folder / "rootfs"], check=True)
    shutil.rmtree(folder / "image")
    return Container(folder, config["config"])


def _blob(folder: Path, digest: str) -> Path:
    return folder / "image" / digest.partition(":")[2]


@pytest.fixture(scope="module")
def ray(published, memory) -> Container:
    return _fetched(published, "ray", memory / "ray")


def test_an_image_is_called_by_its_digest_and_found_by_its_tags(published):
    for name in NAMES:
        place, _, digest = published.references[name].partition("@")
        assert place == f"registry.test:5000/{name}"
        for tag in images.tags(name, pull=published.place.host):
            assert json.loads(_skopeo("inspect", "--tls-verify=false", f"docker://{tag}"))["Digest"] == digest
    assert [tag.rpartition(":")[2] for tag in images.tags("pause")] == ["latest", "1"]


def test_what_is_there_is_neither_made_nor_sent_again(published):
    assert published.said == []
    assert published.made == set()
    assert published.requests
    assert {request.split()[0] for request in published.requests} == {"HEAD"}
    assert published.seconds < 3  # the rest is the hurry of other tests on this machine


def test_an_image_of_a_program_has_nothing_but_it_and_runs_it_as_nobody(published, memory):
    found = _fetched(published, "pause", memory / "pause")
    assert sorted(path.name for path in (found.folder / "rootfs").iterdir()) == ["pause", "tmp"]
    assert (found.folder / "rootfs/tmp").stat().st_mode & 0o7777 == 0o1777
    assert (found.folder / "rootfs/pause").read_bytes() == published.pause
    assert found.settings["Entrypoint"] == ["/pause"]
    assert found.settings["User"] == "65532:65532"


def test_python_runs_with_its_extension_modules(published, memory):
    found = _fetched(published, "python", memory / "python")
    told = found.run("python", "-c", "import sys, ssl, sqlite3; print(sys.version)")
    assert told.strip() == sys.version


def test_ray_is_imported_by_any_user_from_bytecode_that_is_not_checked(ray):
    text = "import ray, os; print(ray.__version__, open(ray.__cached__, 'rb').read(8)[4], os.getuid(), *os.environ)"
    version, flags, user, *names = ray.run("python", "-c", text, user=4711).split()
    assert (version, user) == (importlib.metadata.version("ray"), "4711")
    assert flags == "1"  # PEP 552: by hash, and not checked
    assert {"HOME", "RAY_USAGE_STATS_ENABLED", "PYTHON_VERSION"} <= set(names)
    assert ray.settings["Labels"]["io.ray.ray-version"] == version  # by which jobq knows that it must not install it


def test_ray_has_its_program_and_a_home_for_everybody(ray):
    assert ray.run("ray", "--version", user=4711).startswith("ray, version ")
    home = ray.folder / "rootfs" / ray.settings["WorkingDir"].strip("/")
    assert home.stat().st_mode & 0o7777 == 0o1777
    assert ray.settings["User"] == "1000:1000"  # by number: Kubernetes must see that it is not root


PROBED = """
import http.server, subprocess, sys, threading

class Says(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[1].encode())

server = http.server.HTTPServer(("localhost", 52365), Says)
threading.Thread(target=server.serve_forever, daemon=True).start()
probe = "wget -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success"
print(subprocess.run(["bash", "-c", probe], stdout=subprocess.DEVNULL).returncode)
"""


def test_probes_of_kuberay_tell_a_healthy_ray_from_another(ray):
    """They ask by bash, wget and grep, in the container of Ray."""
    assert ray.run("wget", "--version", user=4711).startswith("GNU Wget")
    assert ray.run("python", "-c", PROBED, "success", user=4711) == "0\n"
    assert ray.run("python", "-c", PROBED, "failed", user=4711) == "1\n"


def test_an_image_that_nobody_knows_is_refused_by_name():
    with pytest.raises(Failed, match=r"no image `rya`; it has pause, .*, ray"):
        images.publish("rya", print)


def test_a_registry_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "FIRST", 0.2)
    (tmp_path / "pause").write_bytes(b"")
    monkeypatch.setenv("JOBQ_CLUSTER_BINARIES", str(tmp_path))
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(Failed, match=f"The image `pause`: .*{nowhere}"):
        images.publish("pause", print, push=nowhere, cache=tmp_path / "cache")


def test_of_a_lock_only_what_is_needed_counts_and_it_is_asked_once(tmp_path):
    lock = tmp_path / "dev.lock"
    version = importlib.metadata.version("click")
    click, other = (f"{name} \\\n    --hash=sha256:1\n" for name in (f"click=={version}", "zzz==1"))
    lock.write_text(f"{click}{other}")
    assert locked.part(("click",), lock, tmp_path / "kept") == click
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_text("what was found")
    assert locked.part(("click",), lock, tmp_path / "kept") == "what was found"
    assert locked.version("zzz", lock.read_text()) == "1"


def test_what_is_installed_otherwise_than_locked_is_told(tmp_path):
    lock = tmp_path / "dev.lock"
    lock.write_text("click==0.1 \\\n    --hash=sha256:1\n")
    with pytest.raises(Failed, match=r"click .* is installed here, and dev.lock has 0.1"):
        locked.part(("click",), lock, tmp_path / "kept")
    with pytest.raises(Failed, match=r"no-such-thing is needed .* `make install`"):
        locked.part(("no-such-thing",), lock, tmp_path / "kept")
