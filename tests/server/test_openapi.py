"""The OpenAPI document: what it says is so. Schemathesis asks what it allows and what it forbids, and compares."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from jobq_magic.backends.local import LocalBackend
from jobq_magic.runs.store import Store
from jobq_magic.server import openapi
from jobq_magic.server.route import named
from jobq_magic.server.routes import ROUTES
from tests.byhand import opened
from tests.server.served import Served, served
from tests.support import eventually

LEFT_OUT = ("dashboard",)
"""Addresses whose answers are not ours: they are passed on."""
ALLOWED = """
[[operations]] # whether a text is a regular expression, no schema can say
include-path = "/runs/{id}/log/find"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, "5xx"]
[[operations]] # nor whether what is asked of a place is to be had there
include-method = "POST"
include-path = "/runs"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 422, "5xx"]
"""
HARMLESS = """
from jobq_magic import pipeline
from jobq_magic.errors import CaptureError
def submit(*_, **__):
    raise CaptureError("not-now", "Nothing is submitted in this test")
pipeline.submit = submit
"""
"""What makes of a server one that starts nothing: valid code that was made up would be run."""
CELL = """
from IPython.display import HTML, display
print('one\\ntwo')
display(HTML('<b>bold</b>'))
kept = [1, 2]
kept
"""


def test_it_is_made_of_the_table_and_says_all_of_it():
    document = openapi.document()
    told = {(method, path) for path, methods in document["paths"].items() for method in methods}
    routes = [route for route in ROUTES if route.kind != "socket"]
    assert told == {("get" if route.method == "ANY" else route.method.lower(), f"/{route.path}") for route in routes}
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert document["x-websockets"].keys() == {f"/{route.path}" for route in ROUTES if route.kind == "socket"}


def test_all_that_the_table_names_is_there():
    for route in ROUTES:
        for reference in filter(None, (route.handler, route.answer, route.body)):
            assert named(reference) is not None
        if route.kind == "data":
            assert route.answer or route.media != "application/json", f"{route.path} says nothing of its answer"


def test_each_parameter_and_each_shape_has_its_words():
    document = openapi.document()
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert [one["name"] for one in operation["parameters"] if not one.get("description")] == []
    assert [name for name, one in document["components"]["schemas"].items() if "__" in name] == []


def test_it_is_closed_so_that_an_answer_with_anything_more_is_noticed():
    schemas = openapi.document()["components"]["schemas"]
    assert schemas["Row"]["additionalProperties"] is False
    open_ones = [name for name, one in schemas.items() if one.get("properties") and one["additionalProperties"]]
    assert open_ones == []


async def test_it_names_the_server_that_tells_it(asked, jp_base_url):
    status, told = await asked("openapi.json")
    assert status == 200
    assert told["servers"] == [{"url": f"{jp_base_url}jobq-magic"}]


@pytest.fixture
def ran() -> str:
    """The id of a run that has left everything; beside it are others, in several states."""
    store = Store()
    run = opened(store, CELL, target={"backend": "local", "where": "this machine"}, outs=["kept"], mode="local")
    store.append(run, phase="submitting")
    store.set_handle(run, LocalBackend().submit(run, 1))
    for phases in ("submitting",), ("submitting", "queued", "running"), ("submitting", "running", "lost"):
        other = store.open(spec={"mode": "local"}, target={"backend": "local", "where": "here"}, name="sweep")
        for phase in phases:
            store.append(other, phase=phase)
        identity = other.paths.identity  # nobody is to look after it
        identity.write_text(json.dumps({**json.loads(identity.read_text()), "interpreter": "/nowhere/python"}))
    eventually(lambda: store.snapshot(run).final, 30)
    return run.id


def harmless(folder: Path) -> AbstractContextManager[Served]:
    """A server that submits nothing."""
    config = folder / "server" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(HARMLESS)
    return served(folder / "server")


def ask_all(server: Served, folder: Path, *options: str, examples: int, known: str = "") -> None:
    """Has schemathesis ask everything; fails with what it has found."""
    config = folder / "schemathesis.toml"
    config.write_text((f'[parameters]\n"path.id" = "{known}"\n' if known else "") + ALLOWED)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run"]
    command += [f"{server.url}/openapi.json", "--header", f"Authorization: {server.headers['Authorization']}"]
    command += ["--max-examples", str(examples), "--warnings", "off"]
    command += [word for path in LEFT_OUT for word in ("--exclude-path-regex", path)]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "No API operations" not in done.stdout


QUICK = ("--phases", "coverage,fuzzing", "--generation-deterministic")


@pytest.mark.timeout(400)  # twenty seconds where nobody else is at work
def test_every_answer_is_what_it_says(ran, tmp_path):
    with harmless(tmp_path) as server:
        ask_all(server, tmp_path, *QUICK, examples=5)
        ask_all(server, tmp_path, "--phases", "fuzzing", *QUICK[2:], "--include-method", "GET", examples=3, known=ran)


@pytest.mark.slow
@pytest.mark.timeout(2000)
def test_every_answer_is_what_it_says_however_long_it_is_asked(ran, tmp_path):
    with harmless(tmp_path) as server:
        ask_all(server, tmp_path, examples=200)
        ask_all(server, tmp_path, "--include-method", "GET", examples=200, known=ran)
