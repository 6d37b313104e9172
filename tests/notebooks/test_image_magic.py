"""Cells that run from an image, in a real kernel and on a real engine: what is shown, and what is bound."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobq_magic
from jobq_magic.engine.client import Engine
from tests.notebooks.conftest import opened
from tests.services.engine import own_engine
from tests.support import eventually

pytestmark = pytest.mark.timeout(250)  # a cold cache: the base is made, on busy cores
BUILD = "%%jobq --mode docker --base host --name made --build-only\n"


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """With an engine that is nobody else's, as images are pruned in it, and a cache of its own."""
    with own_engine() as engine:
        yield {**environment, "DOCKER_HOST": engine.host, "JOBQ_CACHE": f"{environment['BASE']}/cache"}


def jobq(environment, *words):
    code = "import sys; from jobq_magic.cli.main import main; sys.exit(main())"
    env = {**environment, "PYTHONPATH": str(Path(jobq_magic.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", code, *words], env=env, capture_output=True, text=True, timeout=60)


def test_an_image_can_be_made_without_running_the_cell_and_is_told_in_the_same_words_each_time(headless):
    headless.run("kept = 'as it was'")
    cell = BUILD + "kept = 'bound'\nprint('it ran')\nkept"
    first, again = headless.run(cell), headless.run(cell)
    assert (first.error, first.value) == (None, None)
    assert "it ran" not in first.stdout
    assert first.displays[0]["text/plain"] == "made [docker] succeeded: Its image is ready; the cell was not run"
    assert re.search(r"^base +Python [\d.]+ of this machine +[\d.]+ MB$", first.stdout, re.MULTILINE)
    assert re.search(r"^code +the cell +\d+ B$", first.stdout, re.MULTILINE)
    assert re.search(r"^sha256:[0-9a-f]{64}$", first.stdout, re.MULTILINE)
    assert (first.stdout, first.displays) == (again.stdout, again.displays)
    assert headless.run("kept").value == "'as it was'"


def test_the_image_of_a_run_is_shown_and_is_a_value(headless, environment):
    headless.run("%%jobq --mode docker --base host --name ran\n1 + 1")
    reply = headless.run("shown = %jobq image ran")
    assert "what runs the cell" in reply.displays[0]["text/plain"]
    assert "<table" in reply.displays[0]["text/html"]
    reference = headless.run("shown.image.reference").value.strip("'")
    assert reference in reply.displays[0]["text/plain"]
    assert json.loads(jobq(environment, "image", "ran", "--json").stdout)["reference"] == reference
    listed = headless.run("%jobq image list").displays[0]["text/plain"]
    assert re.search(r"^base +Python .* MB +(now|\d+ )", listed, re.MULTILINE)
    assert re.search(r"^engine:\S+ +\d+ +(now|\d+ )", listed, re.MULTILINE)
    told = json.loads(jobq(environment, "status", "ran", "--json").stdout)
    assert (told["image"]["reference"], told["image"]["layers"][-1]["kind"]) == (reference, "code")
    assert "image: " in jobq(environment, "status", "ran").stdout


def test_with_a_person_in_front_no_name_becomes_pending_and_the_panel_shows_the_layers(attended, environment):
    reply = attended.run(
        "mine = 'as it was'\nget_ipython().run_cell_magic('jobq', " + repr(BUILD[7:-1]) + ", 'mine = 2')"
    )
    assert reply.error is None
    assert attended.run("mine").value == "'as it was'", "nothing waits, and nothing is set aside"
    eventually(lambda: '"built"' in jobq(environment, "status", "--json").stdout, 60)
    assert attended.run("mine").value == "'as it was'"
    card = attended.run("%jobq status").displays[0]
    assert "✓ built" in card["text/plain"]
    assert "<details open><summary>Image: " in card["text/html"]
    assert attended.run("%jobq result").error is None
    assert attended.run("from jobq_magic import Job\nJob.from_id('-1').values()").value == "{}"


def test_a_run_that_only_made_an_image_does_the_same_when_it_is_run_again(headless):
    headless.run(BUILD + "again = 3")
    reply = headless.run("%jobq rerun made")
    assert reply.error is None
    assert "Its image is ready" in reply.displays[0]["text/plain"]
    assert headless.run("again").error == "NameError"


def test_prune_leaves_the_image_of_a_run_that_goes_on(environment):
    with opened(environment, person=True) as notebook:
        gate = Path(environment["BASE"], "gate")
        gate.mkdir(parents=True)
        (gate / "shut").touch()
        wait = "import os, time\nwhile os.path.exists('/gate/shut'):\n    time.sleep(0.05)"
        notebook.run("%%jobq --mode docker --base host --name idle --build-only --wait\n'idle'")
        notebook.run(f"%%jobq --mode docker --base host --name lasting --volume {str(gate)!r}:/gate\n{wait}")

        def status(name):
            return json.loads(jobq(environment, "status", name, "--json").stdout)

        eventually(lambda: status("lasting")["phase"] == "running", 60)
        used, idle = (status(name)["image"]["reference"] for name in ("lasting", "idle"))
        done = jobq(environment, "image", "prune", "--older-than", "1s")
        engine = Engine.connect(environment).api
        there = {one["Id"] for one in engine.images()}
        engine.close()
        (gate / "shut").unlink()
        end = eventually(lambda: (now := status("lasting"))["final"] and now, 60)
        assert end["phase"] == "succeeded", end
        assert "Removed" in done.stdout
        assert used in there
        assert idle not in there
