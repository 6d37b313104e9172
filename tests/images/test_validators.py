"""Programs that are not ours take our images: crane, skopeo, the Docker Engine and containerd."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from jobq_magic.image import Recipe, User
from jobq_magic.images import assemble, baseimage, host, parts, platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.model import Assembled, Base, Entry, Part
from tests.services.engine import engine_host
from tests.services.registry import Service, program, registry
from tests.services.validators import containerd, crane, run

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
VALUE = os.urandom(70_000)
SAYS = """
import hashlib, sys
print(sys.version_info[:3], hashlib.sha256(open("/opt/jobq/bundle/values/v", "rb").read()).hexdigest())
"""
SAID = f"{sys.version_info[:3]} {hashlib.sha256(VALUE).hexdigest()}\n"
RECIPE = Recipe(
    env={"EQUALS": "a=b c", "QUOTES": "\"'$HOME"}, labels={"Team": "x=y z"}, user=User(uid=4711), volumes=("/data",)
)

# A build of crane, where there is none yet, takes a minute or two.
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Pushed:
    place: Service
    reference: str
    image: Assembled


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Service]:
    with registry(tmp_path_factory.mktemp("registry")) as service:
        yield service


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


KINDS = ["OCI", "Docker", "Docker, with provenance"]


def _push(place: Service, cache: Cache, base: Base, kind: str) -> Pushed:
    """An image of layers of each kind, as it is in a registry."""
    base = replace(base, docker=kind != "OCI")
    value = Part("value", "v", "v", lambda _: [Entry("opt/jobq/bundle/values/v", data=VALUE)], "stored")
    made = [parts.runtime(PYTHON), value]
    key = assemble.image_key(base, made, RECIPE)
    provenance = {} if kind == "Docker" else {"org.opencontainers.image.revision": "abc", "jobq.cell": "c1"}
    layers = [*base.layers, *(cache.layer(part) for part in made)]
    return _put(place, cache, assemble.assemble(base, layers, RECIPE, provenance, key))


def _put(place: Service, cache: Cache, image: Assembled, name: str = "team/jobq") -> Pushed:
    destination = RegistryDestination(f"{place.address}/{name}", "", place.environ, cache)
    sent = destination.put(image, lambda _: None)
    destination.close()
    assert sent.digest == image.digest
    return Pushed(place, sent.reference, image)


@pytest.fixture(scope="module")
def base(cache) -> Base:
    return host.host_base(cache.layer, python=PYTHON, platform=platforms.here(), environ=os.environ)


@pytest.fixture(scope="module", params=KINDS)
def pushed(request, place, cache, base) -> Pushed:
    """An image on this machine's Python, with a value that is only stored."""
    made = _push(place, cache, base, request.param)
    assert ("docker" in made.image.media_type) == (request.param == "Docker")
    return made


@pytest.fixture(scope="module", params=KINDS)
def small(request, place, cache, base) -> Pushed:
    """The same on hardly anything."""
    layer = cache.layer(Part("base", "small", "small", lambda _: [Entry("etc/text", data=b"text")]))
    return _push(place, cache, replace(base, layers=(layer,)), request.param)


def _validate(reference: str, home: Path) -> str:
    return run(crane(), "validate", "--insecure", "--remote", reference, env={"HOME": str(home)})


def test_crane_finds_every_digest_and_every_size_as_it_is_said(small, tmp_path):
    assert _validate(small.reference, tmp_path).startswith("PASS")


def test_crane_takes_an_image_on_the_host_base(place, cache, base, tmp_path):
    assert _validate(_push(place, cache, base, "OCI").reference, tmp_path).startswith("PASS")


def test_crane_would_find_what_is_wrong(place, cache, base, tmp_path):
    layers = tuple(cache.layer(Part("code", n, n, lambda _, n=n: [Entry(n, data=b"text")])) for n in ("a", "b"))
    swapped = [replace(layer, diff_id=other.diff_id) for layer, other in zip(layers, layers[::-1], strict=True)]
    image = assemble.assemble(replace(base, layers=()), swapped, Recipe(), {}, "wrong")
    with pytest.raises(AssertionError, match="mismatched layer"):
        _validate(_put(place, cache, image).reference, tmp_path)


def test_an_image_upon_a_base_of_a_registry_is_whole_wherever_it_is_put(place, cache, small, tmp_path):
    base = baseimage.resolve(
        f"http://{small.reference}",
        platform=platforms.here(),
        python=PYTHON,
        ray="",
        environ=place.environ,
        pins=tmp_path / "pins.json",
    )
    cell = Part("code", "cell", "cell", lambda _: [Entry("opt/jobq/bundle/code/cell.py", data=b"1")])
    layers = [*base.layers, cache.layer(cell)]
    image = assemble.assemble(base, layers, RECIPE, {}, assemble.image_key(base, [cell], RECIPE))
    beside = _put(place, Cache(tmp_path), image, "team/beside")
    assert _validate(beside.reference, tmp_path).startswith("PASS")
    with registry(tmp_path / "another", memory=True) as another:
        pushed = _put(another, Cache(tmp_path), image)
        assert _validate(pushed.reference, tmp_path).startswith("PASS")


def test_skopeo_reads_it(pushed, tmp_path):
    skopeo = [program("skopeo", "skopeo"), "inspect", "--tls-verify=false"]
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    told = json.loads(run(*skopeo, f"docker://{pushed.reference}", env=environ))
    assert told["Digest"] == pushed.image.digest
    assert told["Labels"] == {"Team": "x=y z"}
    assert told["Layers"] == [layer.digest for layer in pushed.image.layers]
    config = json.loads(run(*skopeo, "--config", f"docker://{pushed.reference}", env=environ))
    assert "EQUALS=a=b c" in config["config"]["Env"]
    assert config["config"]["Volumes"] == {"/data": {}}


def test_skopeo_copies_it_and_its_digest_stays(pushed, tmp_path):
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    skopeo = [program("skopeo", "skopeo"), "--insecure-policy", "copy", "--src-tls-verify=false", "--preserve-digests"]
    run(*skopeo, f"docker://{pushed.reference}", f"dir:{tmp_path}/copy", env=environ)
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == pushed.image.manifest


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    with engine_host() as address:
        client = docker.DockerClient(base_url=address)
        yield client
        client.close()


def test_the_docker_engine_pulls_it_and_runs_it(pushed, engine):
    found = engine.images.pull(pushed.reference)
    try:
        assert found.id == pushed.image.config_digest
        told = engine.containers.run(found.id, ["python3", "-c", SAYS], remove=True, read_only=True)
        assert told.decode() == SAID
        told = engine.containers.run(found.id, ["env"], remove=True).decode()
        assert "EQUALS=a=b c\n" in told
        assert "QUOTES=\"'$HOME\n" in told
        assert engine.containers.run(found.id, ["sh", "-c", "id -u; pwd"], remove=True) == b"4711\n/home/jobq\n"
    finally:
        engine.images.remove(pushed.reference)


@pytest.fixture(scope="module")
def ctr() -> Iterator[list[str]]:
    with containerd() as client:
        yield client


def test_containerd_pulls_it_and_runs_it(pushed, ctr):
    run(*ctr, "images", "pull", "--plain-http", pushed.reference)
    told = run(*ctr, "run", "--rm", pushed.reference, "of-the-tests", "python3", "-c", SAYS)
    assert told == SAID
