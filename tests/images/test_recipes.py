"""A cell in an image that its user describes: what is described is there, and nothing else is."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from jobq_magic import advancing, config, pipeline
from jobq_magic.capture import Source
from jobq_magic.image import Image
from jobq_magic.results.decode import decode
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from tests.services.engine import engine_host
from tests.services.registry import registry

CANARIES = {
    "an option": "canary-option-11d2",
    "a variable": "canary-variable-22e3",
    "an argument": "canary-argument-33f4",
    "an index": "canary-index-44a5",
    "a secret": "canary-secret-55b6",
}
IMAGE = """
build:
  base_image: host
  user: {name: ada, uid: 1234}
  config:
    env: {GREETING: "hello there"}
    arg: [MINE]
  meta: {labels: {team: a}}
  filesystem: {copy: {data: data/}}
  workdir: /work
"""
CELL = """
import getpass, os
found = (getpass.getuser(), os.getcwd(), open("data/x.txt").read(), os.environ["GREETING"],
         os.environ["CANARY_SECRET"], os.environ["PLAIN"], os.environ["GIVEN"])
found
"""


@pytest.fixture
def run_cell(monkeypatch, hostile_environment):
    store = Store()

    def run_cell(cell, **options):
        resolved = config.resolve(
            {"mode": "docker", **options}, cwd=Path.cwd(), environ=os.environ, interactive=False
        )  # fmt: skip
        source = Source(cell=cell, label="Cell [1]", namespace={})
        run = pipeline.submit(resolved, source, store, cell={"cell_id": "c-1", "notebook": "books/a.ipynb"}).run
        lock = Lock(run.paths.lock)
        assert lock.acquire()
        advancing.advance(store, run, lock)
        lock.release()
        snapshot = store.snapshot(run)
        assert snapshot.phase == "succeeded", (snapshot, run.paths.attempt(1).stderr.read_text())
        return run, decode(run, 1, store.key(run)).value

    with engine_host() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        yield run_cell


def test_an_image_holds_what_its_file_says_and_no_secret_of_its_user(run_cell, monkeypatch, tmp_path):
    work = Path.cwd()
    (work / "data").mkdir()
    (work / "data/x.txt").write_text("some data")
    (work / "data/.env").write_text(f"A={CANARIES['a secret']}")
    (work / "image.yaml").write_text(IMAGE)
    subprocess.run(["git", "init", "-q"], check=True)
    monkeypatch.setenv("CANARY_SECRET", CANARIES["a secret"])
    monkeypatch.setenv("PLAIN", CANARIES["a variable"])
    monkeypatch.setenv("MINE", CANARIES["an argument"])
    monkeypatch.setenv("PIP_INDEX_URL", f"https://me:{CANARIES['an index']}@index.example.org/simple")
    with registry(tmp_path / "registry") as service:
        run, found = run_cell(
            CELL, image_file="image.yaml", secret=["CANARY_SECRET"], env=["PLAIN", f"GIVEN={CANARIES['an option']}"],
            push=f"{service.address}/team/jobq",
        )  # fmt: skip
        files = [path.read_bytes() for path in (tmp_path / "registry").rglob("*") if path.is_file()]
    assert found == (
        "ada", "/work", "some data", "hello there", CANARIES["a secret"], CANARIES["a variable"], CANARIES["an option"],
    )  # fmt: skip
    image = Image.load(run.paths.image)
    assert [layer.kind for layer in image.layers if layer.kind not in {"value", "local"}] == [
        "base", "build", "files", "runtime", "code",
    ]  # fmt: skip
    manifest = next(json.loads(data) for data in files if b'"jobq.key"' in data)
    assert manifest["annotations"]["jobq.cell"] == "c-1"
    whole = [data for one in files for data in (one, gzip.decompress(one) if one[:2] == b"\x1f\x8b" else b"")]
    assert any(b'"team":"a"' in data for data in whole)
    for what, canary in CANARIES.items():
        assert not [data for data in whole if canary.encode() in data], what
    kept = [path for path in run.paths.folder.rglob("*") if path.is_file() and "attempts" not in path.parts]
    for what in ("an index", "a secret"):
        assert not [path for path in kept if CANARIES[what].encode() in path.read_bytes()], what


def test_a_dockerfile_of_the_project_is_where_its_cells_run(run_cell):
    Path("pyproject.toml").write_text('[tool.jobq.image]\ndockerfile = "Dockerfile"\n[tool.jobq.image.env]\nB = "2"\n')
    Path("Dockerfile").write_text("FROM host\nENV A=1\nCOPY Dockerfile /d\nRUN echo made > /made\nWORKDIR /w\n")
    cell = "import os\n(open('/made').read(), os.path.exists('/d'), os.getcwd(), os.environ['A'] + os.environ['B'])"
    assert run_cell(cell)[1] == ("made\n", True, "/w", "12")
