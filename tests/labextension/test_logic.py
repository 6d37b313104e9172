"""What the sidebar's page works out, by Node's own test runner: `labextension/test`."""

from __future__ import annotations

import subprocess

import pytest

from labextension import build


@pytest.fixture(scope="session")
def program():
    """The sources, as JavaScript."""
    build.compiled()


@pytest.mark.parametrize("file", sorted((build.HERE / "test").glob("*.test.mjs")), ids=lambda file: file.name)
def test_what_the_page_works_out(program, file):
    told = subprocess.run(["node", "--test", file], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
