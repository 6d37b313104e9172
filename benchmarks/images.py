"""`make bench-images`: from a bundle to a digest that pulls, beside `docker build` and `docker push` of it.

Both stand on one base, push to one registry, and are measured in turns. The peer is warm: its daemon runs, its base is
there, and its cache holds every step but the one that changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.table import Row, alternate, publish
from jobq_magic.capture import CaptureOptions, Source, capture
from jobq_magic.capture.requirements.locking import lock
from jobq_magic.image import BuildRequest, Image, Packages, Recipe
from jobq_magic.images import platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.ensure import ensure
from tests.services.distance import far
from tests.services.engine import engine_host
from tests.services.registry import Service, registry

ROOT = Path(__file__).parents[1]
ROUNDS = 10
FEW = 3
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NUMBERS = "import numpy, pandas\n"
_NUMBER = itertools.count()


@dataclass
class Ground:
    """What both sides stand on."""

    folder: Path
    engine: str
    registry: Service
    cache: Cache
    destination: RegistryDestination
    request: BuildRequest
    namespace: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, engine: str, service: Service, cache: Path) -> Ground:
        """A cache, a repository, and what every image here is made from."""
        kept = Cache(cache)
        destination = RegistryDestination(f"{service.address}/bench", "", service.environ, kept)
        request = BuildRequest(Recipe(base="host"), Packages(), PYTHON, platforms.here())
        return cls(folder, engine, service, kept, destination, request)

    def bundle(self, cell: str) -> Path:
        """What a cell needs, on disk."""
        folder = self.folder / f"bundle-{next(_NUMBER)}"
        capture(Source(cell, "Cell [1]", self.namespace), folder, CaptureOptions(here=False))
        return folder

    def image(self, bundle: Path, **changes: Any) -> Image:
        """The image of a bundle, at its destination."""
        cache, destination = changes.get("cache", self.cache), changes.get("destination", self.destination)
        return ensure(
            changes.get("request", self.request),
            bundle,
            destination=destination,
            cache=cache,
            environ=dict(os.environ),
            report=lambda _: None,
        )

    def docker(self, *words: str) -> str:
        """What Docker's own command line says."""
        told = subprocess.run(
            ["docker", *words],
            env={**os.environ, "DOCKER_HOST": self.engine, "DOCKER_BUILDKIT": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise SystemExit(f"docker {' '.join(words)}\n{told.stdout[-2000:]}{told.stderr[-2000:]}")
        return told.stdout

    def context(self, dockerfile: str) -> Path:
        """A folder to build from: a Dockerfile, and `code/`, which each build changes."""
        folder = self.folder / f"context-{next(_NUMBER)}"
        (folder / "code").mkdir(parents=True)
        (folder / "Dockerfile").write_text(dockerfile)
        return folder


def took(do: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def changed_cell(
    ground: Ground, where: str = "changed cell to a digest that pulls", *, counted: bool = False
) -> list[Row]:
    """A line of the cell is another one; everything else is where it was.

    `counted`: from so far that exchanges side by side overlap, and those in a row can be told.
    """
    base = ground.image(ground.bundle("1"))
    context = ground.context(f"FROM {base.reference}\nCOPY code /opt/jobq/bundle/code\n")
    tag = f"{ground.registry.host}/bench/peer:latest"
    sent: list[int] = []
    trips: list[int] = []

    def ours() -> float:
        bundle = ground.bundle(f"print({next(_NUMBER)})\n" + "value = 1\n" * 80)
        ground.destination.registry.traffic.clear()
        seconds = took(lambda: sent.append(ground.image(bundle).sent))
        trips.append(ground.destination.registry.traffic.rounds)
        return seconds

    def peer() -> float:
        (context / "code/cell.py").write_text(f"print({next(_NUMBER)})\n" + "value = 1\n" * 80)
        return took(lambda: (ground.docker("build", "-q", "-t", tag, str(context)), ground.docker("push", "-q", tag)))

    one, two = alternate(ours, peer, ROUNDS)
    rows = [Row(where, one, two, one / two, "<= 0.35", one / two <= 0.35, note="docker build + docker push")]
    if counted:  # without the round that is thrown away, in which what this machine has not seen there travels too
        trips, sent = trips[1:], sent[1:]
        met = max(trips) <= 4 and max(sent) <= 200_000
        told = "the same: round trips in a row; bytes sent"
        rows.append(Row(told, max(trips), max(sent), 0.0, "<= 4; <= 200 kB", met, unit=""))
    return rows


def far_away(ground: Ground) -> list[Row]:
    """The same, with a registry behind 20 ms of round trip and 100 Mbit/s."""
    with far(ground.registry, delay=0.01, rate=12.5e6) as service:
        away = Ground.make(ground.folder, ground.engine, service, ground.folder / "cache-far")
        return changed_cell(away, "the same, 20 ms round trip, 100 Mbit/s", counted=True)


def nothing_changed(ground: Ground) -> list[Row]:
    """The same bundle once more."""
    bundle = ground.bundle("print('always the same')")
    ground.image(bundle)
    times = [took(lambda: ground.image(bundle)) for _ in range(ROUNDS * 3)]
    sent = ground.image(bundle).sent
    one = statistics.median(times)
    return [Row("nothing changed", one * 1000, sent, 0.0, "<= 15 ms, nothing sent", one <= 0.015 and not sent, "ms")]


def packages(ground: Ground) -> list[Row]:
    """numpy and pandas in an image for the first time, the index's wheels at hand for both."""
    request = replace(ground.request, packages=_locked(ground))
    bundle = ground.bundle(NUMBERS)
    ground.image(bundle, request=request, cache=Cache(ground.folder / "cache-warm"))  # the wheels are there now
    tools = _base_with_tools(ground)
    lines = ground.folder / "lock.txt"
    lines.write_text(request.packages.text)

    def ours() -> float:
        cache = Cache(ground.folder / f"cache-{next(_NUMBER)}")
        destination = RegistryDestination(
            f"{ground.registry.address}/cold-{next(_NUMBER)}", "", ground.registry.environ, cache
        )
        ground.image(ground.bundle("1"), cache=cache, destination=destination)  # the base is there for both
        try:
            return took(lambda: ground.image(bundle, request=request, cache=cache, destination=destination))
        finally:
            shutil.rmtree(cache.root)

    def peer(command: str) -> Callable[[], float]:
        def build() -> float:
            context = ground.context(f"FROM {tools}\nCOPY lock.txt /lock.txt\nRUN {command}\n")
            shutil.copy(lines, context / "lock.txt")
            tag = f"{ground.registry.host}/cold-peer-{next(_NUMBER)}:latest"
            words = ("build", "-q", "--no-cache", "--network", "host", "-t", tag, str(context))
            return took(lambda: (ground.docker(*words), ground.docker("push", "-q", tag)))

        return build

    rows = []
    for name, command, most in (
        ("pip", "python3 -m pip install -q --no-deps --require-hashes -r /lock.txt", 0.3),
        ("uv", "python3 -m uv pip install -q --system --no-deps --require-hashes -r /lock.txt", 1.0),
    ):
        one, two = alternate(ours, peer(command), FEW)
        told = f"docker build with {name} inside, and push"
        rows.append(Row("numpy + pandas, cold", one, two, one / two, f"<= {most}", one / two <= most, note=told))
    return rows


def _locked(ground: Ground) -> Packages:
    folder = ground.folder / f"bundle-{next(_NUMBER)}"
    taken = capture(Source(NUMBERS, "Cell [1]", {}), folder, CaptureOptions(here=False))
    made = lock(
        taken.account.requirements,
        python=PYTHON,
        platform=platforms.for_uv(platforms.here()),
        cache=ground.folder / "locks",
    )
    return Packages(made.text, made.build)


def _base_with_tools(ground: Ground) -> str:
    """The base, with pip and uv, this machine's certificates and index: all that a peer needs."""
    import pip
    import uv

    base = ground.image(ground.bundle("1"))
    context = ground.context(
        f"FROM {base.reference}\nUSER 0\nENV PYTHONPATH= SSL_CERT_FILE=/ca.pem PIP_CERT=/ca.pem\n"
        "COPY tools /usr/local/lib/python3/site\n"
        "ENV PYTHONPATH=/usr/local/lib/python3/site PATH=/usr/local/lib/python3/site/bin:$PATH\nCOPY ca.pem /ca.pem\n"
        "COPY pip.conf /etc/pip.conf\nCOPY uv.toml /etc/uv/uv.toml\n"
    )
    site = context / "tools"
    shutil.copytree(Path(pip.__file__).parent, site / "pip")
    shutil.copytree(Path(uv.__file__).parent, site / "uv")
    (site / "bin").mkdir()
    shutil.copy(uv.find_uv_bin(), site / "bin/uv")
    bundle = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    shutil.copy(bundle, context / "ca.pem")
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    index = next((line.split("'")[1] for line in asked.stdout.splitlines() if "index-url" in line), "")
    index = os.environ.get("PIP_INDEX_URL") or index
    (context / "pip.conf").write_text(f"[global]\nindex-url = {index}\n" if index else "")
    (context / "uv.toml").write_text(f'index-url = "{index}"\n' if index else "")
    tag = f"{ground.registry.host}/bench/tools:latest"
    ground.docker("build", "-q", "-t", tag, str(context))
    ground.docker("push", "-q", tag)
    return tag


def values(ground: Ground) -> list[Row]:
    """An array of 200 MB that the cell reads."""
    import numpy as np

    array = np.random.default_rng(1).random(25_000_000)
    ground.namespace = {"array": array, "np": np}
    first = ground.bundle("array.sum()")
    ground.image(first)
    bundles = [ground.bundle(f"array.sum() + {number}") for number in range(ROUNDS)]
    one = statistics.median(took(partial(ground.image, bundle)) for bundle in bundles)
    rows = [Row("200 MB array, unchanged", one * 1000, 0.0, 0.0, "<= 150 ms", one <= 0.15, "ms")]

    def ours() -> float:
        array[0] += 1
        bundle = ground.bundle("array.sum()")
        try:
            return took(lambda: ground.image(bundle))
        finally:
            shutil.rmtree(bundle)

    def peer() -> float:
        """What no way can spare: sha256, and one upload."""
        array[0] += 1
        data = memoryview(array).cast("B")
        began = time.perf_counter()
        digest = hashlib.sha256(data).hexdigest()
        with contextlib.closing(http.client.HTTPConnection(ground.registry.host, timeout=60)) as connection:
            connection.request("POST", "/v2/bench/blobs/uploads/")
            with connection.getresponse() as answer:
                place = answer.headers["location"].removeprefix(ground.registry.address)
            mark = "&" if "?" in place else "?"
            connection.request("PUT", f"{place}{mark}digest=sha256:{digest}", body=data)
            with connection.getresponse() as answer:
                assert answer.status == 201
        return time.perf_counter() - began

    one, two = alternate(ours, peer, FEW)
    ground.namespace = {}
    told = "sha256 + one upload"
    return [*rows, Row("200 MB array, changed", one, two, one / two, "<= 1.3", one / two <= 1.3, note=told)]


def docker_mode(ground: Ground) -> list[Row]:
    """`--mode docker` from nothing, and warm beside `docker run` of an image that is there."""
    from jobq_magic.engine.client import Engine
    from jobq_magic.images.intoengine import EngineDestination

    environ = {"DOCKER_HOST": ground.engine, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    home = ground.folder / "home"
    outside = {
        **os.environ,
        "DOCKER_HOST": ground.engine,
        "JOBQ_HOME": str(home),
        "JOBQ_CACHE": str(ground.folder / "cache-docker"),
        "JOBQ_RUNTIME_DIR": str(ground.folder / "rt"),
    }

    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom jobq_magic import Job, follower, pipeline\n"
        "from jobq_magic.capture import Source\nfrom jobq_magic.config import resolve\n"
        "from jobq_magic.places import store_root\nfrom jobq_magic.runs.store import Store\n"
        "sys.path.append(sys.argv[1])\nfrom tests.support import eventually\n"
        "store = Store(store_root())\n"
        "def printed(run):\n"
        "    out = run.paths.attempt(1).stdout\n"
        "    assert out.exists() or not (seen := store.snapshot(run)).final, seen\n"
        "    return out.exists() and out.stat().st_size\n"
        "for line in sys.stdin:\n"
        "    began = time.perf_counter()\n"
        "    options = {'mode': 'docker', 'base': 'host'}\n"
        "    resolved = resolve(options, cwd=Path.cwd(), environ=os.environ, interactive=False)\n"
        "    source = Source(f'print({line.strip()})', 'Cell [1]', {})\n"
        "    run = pipeline.submit(resolved, source, store, headless=True).run\n"
        "    follower.ensure(store)\n"
        "    eventually(lambda: printed(run), 60, every=0.002)\n"
        "    took = time.perf_counter() - began\n"
        "    Job(run.id, store).wait(60)\n"  # the peer's turn begins when nothing of this one is left
        "    print(took, flush=True)\n"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", program, str(ROOT)],
        env=outside,
        cwd=ground.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kernel.stdin is not None
    assert kernel.stdout is not None
    told, answer = kernel.stdin, kernel.stdout

    def run(number: int) -> float:
        told.write(f"{number}\n")
        told.flush()
        return float(answer.readline())

    first = run(0)
    engine = EngineDestination(Engine.connect(environ))
    image = ground.image(ground.bundle("print(1)"), destination=engine)

    def peer() -> float:
        return took(lambda: ground.docker("run", "--rm", image.reference, "python3", "-c", "print(1)"))

    one, two = alternate(lambda: run(next(_NUMBER)), peer, ROUNDS)
    told.close()
    kernel.wait()
    answer.close()
    return [
        Row("--mode docker from nothing to the first line", first, 0.0, 0.0, "<= 8 s", first <= 8, note="host base"),
        Row("--mode docker, warm", one, two, one / two, "<= 1.2", one / two <= 1.2, note="docker run of a ready image"),
    ]


def memory(ground: Ground) -> list[Row]:
    """A layer of 2 GB that travels."""
    large = ground.folder / "large"
    with large.open("wb") as file:
        block = random.Random(1).randbytes(1 << 20)
        for number in range(2048):
            file.write(number.to_bytes(8, "big") + block[8:])
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from jobq_magic.images.layer import write\nfrom jobq_magic.images.model import Entry, Layer\n"
        "from jobq_magic.images.registry.client import Registry\n"
        "from jobq_magic.images.registry.reference import Reference\n"
        "registry = Registry(Reference.parse(sys.argv[1]), {}, push=True)\nregistry.head_manifest('none')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "made = write([Entry('opt/large', data=Path(sys.argv[2]))], compression='')\n"
        "registry.push_blob(made.digest, made.size, made.content)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)\n"
    )
    words = [sys.executable, "-c", program, f"{ground.registry.address}/large", str(large)]
    more = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return [Row("a layer of 2 GB: more memory", more, 0.0, 0.0, "<= 64 MB", more <= 64, "MB")]


def digests(ground: Ground) -> list[Row]:
    """Ten processes, each in another folder, time zone, umask and hash seed, each with a cache of its own."""
    program = (
        "import os, sys\nfrom pathlib import Path\nos.umask(int(sys.argv[3], 8))\n"
        "from jobq_magic.capture import CaptureOptions, Source, capture\n"
        "from jobq_magic.image import BuildRequest, Packages, Recipe\nfrom jobq_magic.images import platforms\n"
        "from jobq_magic.images.cache import Cache\nfrom jobq_magic.images.destinations import RegistryDestination\n"
        "from jobq_magic.images.ensure import ensure\n"
        "folder = Path(sys.argv[1])\nfolder.mkdir(parents=True)\nos.chdir(folder)\n"
        "names = {'data': list(range(1000)), 'tags': {'a': 1, 'b': 2}}\n"
        "source = Source('print(sum(data), sorted(tags))', f'Cell [{sys.argv[4]}]', names)\n"
        "capture(source, folder / 'bundle', CaptureOptions(here=False))\ncache = Cache(folder / 'cache')\n"
        "to = RegistryDestination(sys.argv[2], '', {}, cache)\n"
        "python = f'{sys.version_info.major}.{sys.version_info.minor}'\n"
        "request = BuildRequest(Recipe(base='host'), Packages(), python, platforms.here())\n"
        "image = ensure(request, folder / 'bundle', destination=to, cache=cache, environ={}, report=lambda _: None)\n"
        "print(image.digest)\n"
    )
    found = set()
    for number in range(10):
        words = [sys.executable, "-c", program, str(ground.folder / f"other-{number}" / ("x" * number or "y"))]
        words += [f"{ground.registry.address}/other-{number}", ("022", "077", "002")[number % 3], str(number)]
        zone = ("UTC", "Asia/Tokyo", "America/New_York")[number % 3]
        environ = {**os.environ, "PYTHONHASHSEED": str(number), "TZ": zone}
        found.add(subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout.strip())
    return [Row("digests of ten runs", len(found), 1, 0.0, "one", len(found) == 1, "")]


@contextlib.contextmanager
def _ground() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="jq-bench-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        with engine_host() as engine, registry(folder / "registry") as service:
            yield Ground.make(folder, engine, service, folder / "cache")


def main() -> None:
    """All rows, or those that are named."""
    rows = (changed_cell, far_away, nothing_changed, packages, values, docker_mode, memory, digests)
    wanted = [row for row in rows if row.__name__ in sys.argv[1:] or not sys.argv[1:]]
    with _ground() as ground:
        publish("images", [one for row in wanted for one in row(ground)])


if __name__ == "__main__":
    main()
