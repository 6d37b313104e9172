"""The base `host`: this machine's own Python, the same to the byte whoever makes it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import baseimage, host, platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.libraries import loader_of, needed

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = "usr" if sys.base_prefix == "/usr" else "usr/local"
LIBRARY = f"{PREFIX}/{sys.platlibdir}/python{PYTHON}"
OTHER = "linux/arm64" if platforms.here() == "linux/amd64" else "linux/amd64"


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


def test_of_many_who_want_the_host_base_at_once_one_looks_at_its_files(monkeypatch):
    looks, files = [], host.standard_library()
    monkeypatch.setattr(host, "standard_library", lambda: looks.append(time.sleep(0.1)) or files)
    host._key.cache_clear()
    with ThreadPoolExecutor(8) as many:
        keys = list(many.map(lambda _: host.part(os.environ).key, range(8)))
    assert len(set(keys)) == 1
    assert len(looks) <= 2  # one more where a minute is over just then
    host._key.cache_clear()


def test_a_host_base_that_the_disk_damaged_is_made_anew_before_it_travels(kept):
    layer = _host(kept).layers[0]
    path = kept.blob(layer.digest)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + b"damage" + whole[1006:])  # its size tells nothing
    data = b"".join(_host(kept).layers[0].content.read(500))
    assert hashlib.sha256(whole[:500] + data).hexdigest() == layer.digest.partition(":")[2]


def test_the_host_base_of_another_python_or_platform_is_refused(kept):
    with pytest.raises(BackendError) as caught:
        _host(kept, python="3.8")
    assert f"The base host has Python {PYTHON}, not 3.8" in str(caught.value)
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


def test_a_platform_that_is_not_this_machines_is_refused_before_anything_is_made():
    other = "linux/arm64" if platforms.here() == "linux/amd64" else "linux/amd64"
    with pytest.raises(BackendError, match=f"The base host is for {platforms.here()}, not {other}"):
        host.refuse_other(other)
    host.refuse_other(platforms.here())
