"""Bases of registries, by digest from their first use on."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import baseimage, platforms
from jobq_magic.images.contents import BytesContent
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.images.registry.client import MANIFESTS
from tests.services.registry import Service, registry

OCI, INDEX, DOCKER, LIST = MANIFESTS
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER = "linux/arm64" if platforms.here() == "linux/amd64" else "linux/amd64"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Service]:
    with registry(tmp_path_factory.mktemp("registry"), memory=True) as service:
        yield service


class Author:
    """Writes images into a repository, as others do."""

    def __init__(self, place: Service, name: str) -> None:
        self.place = place
        self.name = f"{place.address}/{name}"
        self.registry = Registry(Reference.parse(self.name), place.environ, push=True)

    def blob(self, data: bytes) -> dict:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.registry.push_blob(digest, len(data), BytesContent(data))
        return {"digest": digest, "size": len(data)}

    def image(self, which: str, *, platform: str = "", docker: bool = False, text: str = "", **settings) -> str:
        """An image of one layer; its digest."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("etc/text"), io.BytesIO(text.encode()))
        layer = self.blob(gzip.compress(archive.getvalue()))
        system, _, machine = (platform or platforms.here()).partition("/")
        config = {
            "os": system,
            "architecture": machine,
            "config": {"Env": [f"PYTHON_VERSION={PYTHON}.1", f"TEXT={text}"], **settings},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive.getvalue()).hexdigest()}"]},
        }
        oci = "application/vnd.oci.image"
        kinds = ("application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip")
        kinds = kinds if docker else (f"{oci}.config.v1+json", f"{oci}.layer.v1.tar+gzip")
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER if docker else OCI,
            "config": {"mediaType": kinds[0], **self.blob(json.dumps(config).encode())},
            "layers": [{"mediaType": kinds[1], **layer}],
        }
        return self.manifest(which, manifest)

    def manifest(self, which: str, manifest: dict) -> str:
        data = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return self.registry.put_manifest(which or digest, data, manifest["mediaType"])

    def index(self, tag: str, *entries: tuple[str, dict], docker: bool = False) -> str:
        kind = DOCKER if docker else OCI
        listed = [{"mediaType": kind, "digest": digest, "size": 1, **about} for digest, about in entries]
        return self.manifest(tag, {"schemaVersion": 2, "mediaType": LIST if docker else INDEX, "manifests": listed})


@pytest.fixture
def author(place, request) -> Iterator[Author]:
    made = Author(place, f"bases/{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}")
    yield made
    made.registry.close()


@pytest.fixture
def pins(tmp_path) -> Path:
    return tmp_path / "cache" / "pins.json"


def _resolve(author: Author, pins: Path, tag: str = ":1", **more):
    usual = {"platform": platforms.here(), "python": PYTHON, "ray": "", "environ": author.place.environ, "pins": pins}
    return baseimage.resolve(f"{author.name}{tag}", **{**usual, **more})


def _platform(text: str) -> dict:
    return {"platform": dict(zip(("os", "architecture"), text.split("/"), strict=True))}


def _refused(author: Author, pins: Path, **more) -> BackendError:
    with pytest.raises(BackendError) as caught:
        _resolve(author, pins, **more)
    assert len(caught.value.lines()) <= 2
    return caught.value


@pytest.mark.parametrize("docker", [False, True])
def test_a_base_is_known_by_digest_with_all_that_is_in_it(author, pins, docker):
    digest = author.image("1", docker=docker, text="hello")
    base = _resolve(author, pins)
    name = Reference.parse(author.name).name
    assert (base.reference, base.key, base.docker, base.python) == (f"{name}@{digest}", digest, docker, PYTHON)
    [layer] = base.layers
    assert (layer.kind, layer.compression, layer.origin) == ("base", "gzip", name)
    data = b"".join(layer.content.read())
    assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (layer.size, layer.digest)
    assert f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}" == layer.diff_id
    assert b"".join(layer.content.read(7)) == data[7:]


@pytest.mark.parametrize("docker", [False, True])
def test_of_an_index_it_is_the_image_of_the_platform(author, pins, docker):
    mine, other = (author.image("", platform=each, docker=docker, text=each) for each in (platforms.here(), OTHER))
    attested = author.image("", platform="unknown/unknown", docker=docker)
    author.index(
        "1", (attested, _platform("unknown/unknown")), (other, _platform(OTHER)), (mine, _platform(platforms.here())),
        docker=docker,
    )  # fmt: skip
    assert _resolve(author, pins).key == mine
    assert _resolve(author, pins, platform=OTHER).key == other


def test_a_platform_that_is_not_there_is_refused_with_those_that_are(author, pins):
    other, attested = author.image("", platform=OTHER), author.image("", platform="unknown/unknown")
    author.index("1", (other, _platform(OTHER)), (attested, _platform("unknown/unknown")))
    error = _refused(author, pins)
    assert error.code == "base-platform"
    assert f"is not there for {platforms.here()}" in error.what
    assert error.why == f"It is there for {OTHER}"


def test_a_single_image_of_another_platform_is_refused_too(author, pins):
    author.image("1", platform=OTHER)
    assert _refused(author, pins).why == f"It is there for {OTHER}"


def test_a_tag_is_asked_for_once_and_what_it_was_is_told(author, pins):
    first = author.image("1", text="first")
    assert _resolve(author, pins).notes == ()
    second = author.image("1", text="second")

    def asked(*_):
        raise AssertionError("the registry is asked")

    again = _resolve(author, pins, open_registry=asked)
    assert again.key == first
    assert "when it was first used here" in again.notes[0]
    assert _resolve(author, pins, refresh=True).key == second
    assert _resolve(author, pins).key == second


def test_a_digest_is_that_image_and_no_note_is_needed(author, pins):
    digest = author.image("1")
    for _ in range(2):
        base = _resolve(author, pins, tag=f"@{digest}")
        assert (base.key, base.notes) == (digest, ())


@pytest.mark.parametrize("damage", ["pins", "documents", "gone"])
def test_what_is_damaged_in_the_cache_is_asked_for_again(author, pins, damage):
    digest = author.image("1")
    _resolve(author, pins)
    [document] = (pins.parent / "bases").iterdir()
    if damage == "pins":
        pins.write_bytes(b'{"half')
    elif damage == "documents":
        document.write_bytes(document.read_bytes().replace(b"PYTHON_VERSION", b"PYTHON_VERSIOM"))
    else:
        document.unlink()
    base = _resolve(author, pins)
    assert (base.key, base.python, base.notes) == (digest, PYTHON, ())


def test_another_python_is_refused_before_anything_is_made(author, pins):
    author.image("1", Env=["PYTHON_VERSION=3.8.19"])
    error = _refused(author, pins)
    assert error.code == "base-python"
    assert f"has Python 3.8, this notebook {PYTHON}" in error.what
    assert f"--base python:{PYTHON}-slim" in error.do


def test_a_base_that_does_not_say_which_python_it_has_is_taken(author, pins):
    author.image("1", Env=[])
    assert _resolve(author, pins).python == ""


def test_another_ray_is_refused_and_the_same_one_is_taken(author, pins):
    author.image("1", Labels={"io.ray.ray-version": "2.48.0"})
    error = _refused(author, pins, ray="2.51.0")
    assert error.code == "base-ray"
    assert "has Ray 2.48.0, this notebook 2.51.0" in error.what
    assert f"--base rayproject/ray:2.51.0-py{PYTHON.replace('.', '')}" in error.do
    assert "ray==2.48.0" in error.do
    assert _resolve(author, pins, ray="2.48.0").ray == "2.48.0"
    assert _resolve(author, pins, ray="").ray == "2.48.0"


def test_a_tag_that_is_not_there_is_refused_by_name(author, pins):
    author.image("1")
    error = _refused(author, pins, tag=":2")
    assert ":2" in error.what


def test_without_a_network_the_way_out_is_the_host_base(pins):
    where = {"platform": platforms.here(), "python": PYTHON, "ray": "", "environ": {}, "pins": pins}
    with pytest.raises(BackendError) as caught:
        baseimage.resolve(
            "http://127.0.0.1:1/gone:1", **where, open_registry=lambda *known: Registry(*known, patience=0.1)
        )
    assert caught.value.code == "registry-unreachable"
    assert "The image 127.0.0.1:1/gone:1 cannot be had" in caught.value.what
    assert caught.value.why == "Connection refused"
    assert "--base host" in caught.value.do


def test_what_is_no_image_is_refused_with_what_it_is(author, pins):
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", **author.blob(b"{}")}
    author.manifest("1", {"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": []})
    error = _refused(author, pins)
    assert error.code == "no-image"
    assert "helm" in error.why


class _Given:
    """A repository with one document, as none of today's registries takes it any more."""

    def __init__(self, document: dict, media_type: str) -> None:
        self.data, self.media_type = json.dumps(document).encode(), media_type

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...

    def manifest(self, _which):
        return self


def test_the_form_of_2015_is_refused_in_words(author, pins):
    old = _Given({"schemaVersion": 1, "fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    error = _refused(author, pins, open_registry=lambda *_: old)
    assert error.code == "old-image"
    assert "docker" in error.do
