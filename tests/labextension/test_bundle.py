"""The bundle that is committed is what its sources make, and comes with the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from labextension import build, typed


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_was_built_from_these_sources():
    assert (build.BUILT / "sources.sha256").read_text().strip() == build.digest(), "`make labextension` builds it anew"


def test_its_types_are_those_of_the_server():
    from jobq_magic.server.openapi import document

    assert typed.FILE.read_text() == typed.types(document()), "`make labextension` makes them anew"


def test_it_is_small():
    assert build.size() <= 150 << 10


def test_it_holds_what_it_loads_and_no_trace_of_where_it_was_built():
    package = json.loads((build.BUILT / "package.json").read_text())
    there = files(build.BUILT)
    assert package["jupyterlab"]["_build"]["load"] in there
    assert not [name for name in there if name.endswith((".orig", ".map"))]
    own = str(build.HERE.parent).encode()
    assert not [name for name, content in there.items() if own in content]


@pytest.mark.parametrize("lock", [build.HERE, build.HERE.parent / "tests/hub"], ids=["sidebar", "proxy"])
def test_lock_files_hold_names_versions_and_hashes_and_no_address(lock):
    told = (lock / "package-lock.json").read_text()
    assert '"integrity"' in told
    assert not re.findall(r"\"resolved\"|://", told)


def test_all_words_for_people_go_through_the_translator():
    for path in (build.HERE / "src").rglob("*.ts"):
        found = re.findall(r"(?:aria-label|placeholder|title): \"[A-Z]|(?:caption|label) = \"", path.read_text())
        assert not found, path


def test_colours_are_those_of_the_theme():
    told = re.sub(r"/\*.*?\*/", "", (build.HERE / "style/base.css").read_text(), flags=re.DOTALL)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl", told)


def test_installing_the_package_is_enough(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=build.HERE.parent, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        there = {re.sub(r"^[^/]*\.data/data/", "", name): wheel.read(name) for name in wheel.namelist()}
    sidebar = "share/jupyter/labextensions/jobq-magic"
    assert {f"{sidebar}/{name}": content for name, content in files(build.BUILT).items()}.items() <= there.items()
    assert json.loads(there[f"{sidebar}/install.json"])["packageName"] == "jobq-magic"
    enabled = json.loads(there["etc/jupyter/jupyter_server_config.d/jobq_magic.json"])
    assert enabled["ServerApp"]["jpserver_extensions"] == {"jobq_magic": True}


@pytest.mark.slow
def test_the_same_sources_make_the_same_bytes():
    kept = files(build.BUILT)
    try:
        build.build()
        assert files(build.BUILT) == kept
    finally:
        shutil.rmtree(build.BUILT)
        for name, content in kept.items():
            (build.BUILT / name).parent.mkdir(parents=True, exist_ok=True)
            (build.BUILT / name).write_bytes(content)
