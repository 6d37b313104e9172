"""The engine itself is killed, started again, or stopped, while a cell runs."""

from __future__ import annotations

import os
import signal

import pytest

from jobq_magic import plugins
from jobq_magic.engine.client import Engine
from jobq_magic.runs.store import Store
from jobq_magic.words import say
from tests.docker.conftest import Place
from tests.services.engine import own_engine
from tests.support import eventually

LINES = 20_000
TEXT = f"import os, time\nfor n in range({LINES}): print('line', n)\nprint('up')\n"
PRINTED = "".join(f"line {n}\n" for n in range(LINES)) + "up\n"


@pytest.fixture(scope="module")
def daemon():
    with own_engine(network=False) as found:
        yield found


@pytest.fixture
def own(daemon, cache, base, monkeypatch):
    """The docker backend on an engine that may be ended."""
    monkeypatch.setenv("DOCKER_HOST", daemon.host)
    engine = Engine.connect(os.environ)
    yield Place(Store(), engine, cache, base)
    engine.api.close()
    plugins.backend("docker").close()


def test_a_cell_outlives_an_engine_that_is_killed_and_its_end_is_known_before_the_engine_is_back(own, daemon, tmp_path):
    cell = own.start(
        f"{TEXT}while not os.path.exists('/go/now'): time.sleep(0.02)\n'done'", volume=(f"{tmp_path}:/go",)
    )
    cell.until("up")
    daemon.stop(signal.SIGKILL)
    (tmp_path / "now").touch()
    assert cell.end().phase == "succeeded"
    assert (cell.value, cell.stdout) == ("done", PRINTED)
    daemon.start()


def test_a_cell_whose_engine_is_killed_and_started_again_is_not_told_to_have_ended_well(own, daemon):
    cell = own.start(f"{TEXT}time.sleep(100)")
    cell.until("up")
    daemon.stop(signal.SIGKILL)
    assert not cell.snapshot.final
    daemon.start()  # it ends the containers that it finds
    assert cell.end().phase in ("failed", "cancelled")
    assert cell.snapshot.reason in ("container-killed", "container-ended", "stopped")
    assert cell.stdout == PRINTED
    eventually(lambda: own.state(cell) is None)


def test_a_cell_is_told_to_be_stopped_when_the_engine_is(own, daemon):
    cell = own.start(f"{TEXT}time.sleep(100)")
    cell.until("up")
    daemon.stop()
    assert say(cell.end()).sentence == "Stopped on request"
    assert cell.stdout == PRINTED
    daemon.start()
