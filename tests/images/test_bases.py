"""Bases: those of a registry, by digest from their first use on, and this machine's own Python."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import baseimage, host, platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.kept import KeptContent
from jobq_magic.images.libraries import loader_of, needed
from jobq_magic.images.model import Entry, Layer, Part
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.images.registry.client import MANIFESTS
from tests.services.registry import Service, registry

OCI, INDEX, DOCKER, LIST = MANIFESTS
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = "usr" if sys.base_prefix == "/usr" else "usr/local"
LIBRARY = f"{PREFIX}/{sys.platlibdir}/python{PYTHON}"
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
        self.registry.push_blob(digest, len(data), _Bytes(data))
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


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, offset: int = 0) -> Iterator[bytes]:
        yield self.data[offset:]


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
    assert "The base 127.0.0.1:1/gone:1 cannot be had" in caught.value.what
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


# This machine's own Python


def _host(cache: Cache, **more):
    usual = {"python": PYTHON, "platform": platforms.here(), "environ": os.environ}
    return host.host_base(cache.layer, **{**usual, **more})


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Cache:
    cache = Cache(tmp_path_factory.mktemp("kept"))
    _host(cache)
    return cache


@pytest.fixture(scope="module")
def entries(kept) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(kept.blob(_host(kept).layers[0].digest)) as tar:
        return {entry.name: entry for entry in tar}


def _read(cache: Cache, *names: str) -> list[bytes]:
    with tarfile.open(cache.blob(_host(cache).layers[0].digest)) as tar:
        return [tar.extractfile(name).read() for name in names]


def test_the_host_base_is_found_again_and_has_the_very_version_of_this_python(kept):
    base, again = _host(kept), _host(kept)
    assert (base.reference, base.python, base.key) == ("host", PYTHON, again.key)
    assert f"PYTHON_VERSION={'.'.join(map(str, sys.version_info[:3]))}" in base.config["config"]["Env"]
    assert len(list((kept.root / "layers").iterdir())) == 1
    assert baseimage.checked(base, "host", python=PYTHON, ray="2.48.0") == base


_ELSEWHERE = """
import os, sys
os.umask(0o077)
from pathlib import Path
from jobq_magic.images import host, platforms
from jobq_magic.images.cache import Cache
base = host.host_base(Cache(Path(sys.argv[1])).layer, python=sys.argv[2], platform=platforms.here(), environ=os.environ)
print(base.key, base.layers[0].diff_id)
"""


def test_the_host_base_is_the_same_to_the_byte_whoever_makes_it(kept, tmp_path):
    changed = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _ELSEWHERE, str(tmp_path / "other ü"), PYTHON]
    told = subprocess.run(command, env={**os.environ, **changed}, capture_output=True, text=True, check=True)
    base = _host(kept)
    assert told.stdout.split() == [base.key, base.layers[0].diff_id]


def test_the_host_base_has_what_a_job_needs_and_little_else(kept, entries):
    for name in (f"{LIBRARY}/json/__init__.py", f"{PREFIX}/bin/python3", "usr/bin/env", "bin/sh", "etc/passwd"):
        assert name in entries
    assert f"{LIBRARY}/json/__pycache__/decoder.{sys.implementation.cache_tag}.pyc" in entries
    for name in ("libc.so.6", "libstdc++.so.6", "libgcc_s.so.1"):
        assert any(path.endswith(f"/{name}") for path in entries)
    assert "etc/ssl/certs/ca-certificates.crt" in entries
    assert entries["tmp"].mode == 0o1777
    assert not [name for name in entries if "/test/" in name or "site-packages/" in name or "ensurepip" in name]
    assert sum(entry.size for entry in entries.values()) < 100e6
    assert kept.blob(_host(kept).layers[0].digest).stat().st_size < 50e6


def test_the_host_base_belongs_to_root_and_can_be_read_by_all(entries):
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}
    assert all(entry.mode & 0o004 for entry in entries.values())
    assert not [name for name, entry in entries.items() if entry.mode & 0o6000]


def test_links_in_the_host_base_lead_to_what_is_in_it(entries):
    for name, entry in entries.items():
        if entry.issym():
            assert os.path.normpath(f"{os.path.dirname(name)}/{entry.linkname}") in entries, name


def test_no_path_of_this_machine_is_in_the_host_base(kept, entries):
    prefix = sys.base_prefix
    assert not [name for name in entries if prefix != "/usr" and prefix.strip("/") in name]
    ours = [name for name in entries if name.startswith(LIBRARY) and name.endswith((".pyc", ".py"))]
    if prefix not in ("/usr", "/usr/local"):
        assert not [data for data in _read(kept, *ours) if prefix.encode() in data]


def test_a_changed_file_of_the_standard_library_makes_another_host_base(monkeypatch):
    before = host.part(os.environ).key
    assert host.part(os.environ).key == before
    files = host.standard_library()
    monkeypatch.setattr(host, "standard_library", lambda: [files[0]._replace(changed=1), *files[1:]])
    host._key.cache_clear()  # a minute later
    assert host.part(os.environ).key != before
    host._key.cache_clear()


def test_a_host_base_that_the_disk_damaged_is_made_anew_before_it_travels(kept):
    layer = _host(kept).layers[0]
    path = kept.blob(layer.digest)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + b"damage" + whole[1006:])  # its size tells nothing
    data = b"".join(_host(kept).layers[0].content.read(500))
    assert hashlib.sha256(whole[:500] + data).hexdigest() == layer.digest.partition(":")[2]


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone", "note"])
def test_any_layer_that_is_kept_is_made_anew_where_it_is_damaged(tmp_path, damage):
    cache = Cache(tmp_path)
    made = []

    def entries(_folder):
        made.append(1)
        return [Entry("a", data=b"text")]

    part = Part("code", "a", "key", entries)
    layer = cache.layer(part)
    path = cache.blob(layer.digest)
    whole = path.read_bytes()
    if damage == "changed":
        path.write_bytes(whole[:-1] + b"?")
    elif damage == "shorter":
        path.write_bytes(whole[:-1])
    elif damage == "gone":
        path.unlink()
    else:
        (tmp_path / "layers" / "key.json").write_text('{"half')
    again = cache.layer(part)
    assert (again.digest, b"".join(again.content.read())) == (layer.digest, whole)
    assert len(made) == 2


@pytest.mark.parametrize("key", ["diff_id", "digest", "size"])
@pytest.mark.parametrize("value", ["sha256:" + "0" * 64, 5, None, []])
def test_a_note_of_a_layer_that_the_disk_damaged_makes_no_other_image(tmp_path, key, value):
    cache, part = Cache(tmp_path), Part("code", "a", "key", lambda _: [Entry("a", data=b"text")])
    layer, note = cache.layer(part), tmp_path / "layers" / "key.json"
    note.write_text(json.dumps({**json.loads(note.read_bytes()), key: value}))
    again = cache.layer(part)
    assert (again.diff_id, again.digest, again.size) == (layer.diff_id, layer.digest, layer.size)


@pytest.mark.parametrize(
    "told",
    [
        *("[]", "null", '"x"', "{", "[" * 100_000, '{"blobs": []}', '{"blobs": null}', '{"images": []}'),
        *('{"destination": 5, "blobs": {"a": "x"}, "images": {}}', '{"destination": "", "blobs": {}, "images": 1}'),
        *(
            f'{{"destination": "h/x", "blobs": {{}}, "images": {{"k": {it}}}}}'
            for it in ("1", "[]", "[1]", "[null, null]")
        ),
    ],
)
def test_what_is_known_of_a_place_counts_for_nothing_where_it_is_damaged(tmp_path, told):
    cache = Cache(tmp_path)
    cache.known("h/x").add("sha256:1")
    (path,) = (tmp_path / "places").iterdir()
    path.write_text(told)
    known = cache.known("h/x")
    assert (known.has("sha256:1"), known.image("k"), list(cache.knowns())) == (False, "", [])
    known.add_image("k", "sha256:2")
    path.write_text(told)
    known.add("sha256:3")
    found = cache.known("h/x")
    assert (found.destination, found.image("k"), found.has("sha256:3")) == ("h/x", "sha256:2", True)


def test_what_is_made_anew_into_other_bytes_is_refused_once(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"damaged")
    other = Layer("base", "x", "sha256:1", "sha256:other", 1)
    content = KeptContent(path, "sha256:wanted", lambda: other)
    with pytest.raises(BackendError, match="was damaged"):
        next(content.read())


def test_the_host_base_of_another_python_or_platform_is_refused(kept):
    with pytest.raises(BackendError) as caught:
        _host(kept, python="3.8")
    assert f"the base host has Python {PYTHON}, not 3.8" in str(caught.value)
    with pytest.raises(BackendError) as caught:
        _host(kept, platform=OTHER)
    assert f"is for {platforms.here()}, not {OTHER}" in str(caught.value)


def test_on_another_system_the_host_base_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(host.sys, "platform", "darwin")
    monkeypatch.setattr(host.platform, "system", lambda: "Darwin")
    with pytest.raises(BackendError) as caught:
        host.part(os.environ)
    assert "Darwin is no Linux" in str(caught.value)
    assert "--base" in caught.value.do


@pytest.mark.parametrize("loader", [None, Path("/lib/ld-musl-x86_64.so.1")])
def test_a_python_for_another_c_library_is_refused_in_a_sentence(monkeypatch, loader):
    monkeypatch.setattr(host.libraries, "loader_of", lambda _: loader)
    with pytest.raises(BackendError) as caught:
        host.part(os.environ)
    assert "GNU C library" in str(caught.value)


def test_the_loader_of_a_program_is_read_from_it():
    found = loader_of(Path(os.path.realpath(sys.executable)))
    assert found is not None
    assert found.name.startswith("ld-")
    assert loader_of(Path(__file__)) is None


def test_libraries_are_told_all_the_way_down(tmp_path):
    program = Path(os.path.realpath(sys.executable))
    found = needed([program, Path(__file__)], loader=loader_of(program), environ={})
    assert found["libc.so.6"].is_file()
    assert all(path.is_file() for path in found.values())
    with pytest.raises(BackendError, match="does not say which libraries"):
        needed([program], loader=tmp_path / "gone", environ={})
