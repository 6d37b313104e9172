"""What travelled and what did not: before, with `--dry-run`, and after; and that nothing large is written twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks.conftest import folders

MADE = {
    "an array": "import numpy as np\nx = np.arange(500_000.0)",
    "a frame beside other names": "import numpy as np, pandas as pd\nx = pd.DataFrame({'a': np.arange(300_000.0)})\n"
    "few = [1, 2]\nmore = {'k': few}\nother = np.zeros(400_000)",
    "what the cell ends with too": "import numpy as np\nx = np.arange(500_000.0)\nx",
    "a list": "x = [float(number) for number in range(200_000)]",
    "a text": "x = 'abc' * 500_000",
    "arrays that share one": "import numpy as np\nx = np.arange(500_000.0)\nx = {'a': x, 'b': x}",
}


def large(environment):
    """The files of large values in the store, each once, and how many runs hold each."""
    found = {}
    for path in Path(environment["JOBQ_HOME"], "runs").glob("*/**/values/*"):
        status = path.stat()
        if status.st_size >= 1 << 20:
            found[status.st_ino] = found.get(status.st_ino, 0) + 1
    return found


@pytest.mark.parametrize("made", MADE)
def test_what_came_back_and_did_not_change_is_on_disk_once(headless, environment, made):
    before = large(environment)
    assert headless.run(f"%%jobq\n{MADE[made]}").error is None
    new = large(environment).keys() - before.keys()
    reply = headless.run("%%jobq\nlen(x)")
    assert reply.error is None
    assert large(environment).keys() - before.keys() == new
    assert 2 in large(environment).values(), "the second run holds the file of the first"


def test_what_the_next_cell_changes_leaves_the_first_run_as_it_was(headless, environment):
    headless.run("%%jobq --name first\nimport numpy as np\nz = np.zeros(500_000)")
    headless.run("%%jobq\nz[0] = 1")
    headless.run("z[1] = 2")
    assert headless.run("%%jobq\n(z[0], z[1])").value == "(np.float64(1.0), np.float64(2.0))"
    assert headless.run("from jobq_magic import Job\nJob.from_id('first').result()").error is None
    assert headless.run("%jobq attach first --bind\nz[0]").value in ("np.float64(0.0)", None)


def test_a_dry_run_says_what_would_travel_and_does_nothing(headless, environment):
    headless.run("import math\nfactor = 2\ndef area(r):\n    return factor * math.pi * r * r")
    before = folders(environment)
    reply = headless.run("%%jobq --dry-run\nd = area(1)")
    (told,) = [display["text/plain"] for display in reply.displays] or [reply.value]
    rows = {
        line.split()[0]: line for line in told.splitlines() if line and line.split()[0] in ("area", "factor", "math")
    }
    assert "source" in rows["area"]
    assert "cell → area" in rows["factor"]
    assert "import" in rows["math"]
    assert "captured in" not in told, "nobody is in front: the same text at every execution"
    assert folders(environment) == before
    assert headless.run("'d' in globals()").value == "False"


def test_a_dry_run_says_where_the_cell_would_go_and_what_it_would_ask_for(headless):
    reply = headless.run("%%jobq --dry-run --mode ray --workers 2 --cpus 0.5\n1")
    (told,) = [display["text/plain"] for display in reply.displays]
    assert "It would go to Ray on this machine: 2 workers, each with 0.5 cpus; 1 cpu in all" in told


def test_after_a_run_all_faces_tell_the_same(headless, environment):
    headless.run("few = [1, 2, 3]")
    headless.run("%%jobq --name told\nsum(few)")
    reply = headless.run("%jobq explain told")
    (shown,) = reply.displays
    assert "few" in shown["text/plain"]
    assert "<code>few</code>" in shown["text/html"]
    command = [str(Path(sys.executable).with_name("jobq")), "explain", "told"]
    plain = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    assert plain.strip() == shown["text/plain"].strip()
    known = json.loads(
        subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True, timeout=60).stdout
    )
    (few,) = [each for each in known["travellers"] if each["name"] == "few"]
    assert (few["kind"], few["why"]) == ("value", "cell")
    assert few["origin"] in plain
    assert len(few["digest"]) == 64
    assert known["seconds"] > 0


def test_of_a_run_that_was_refused_nothing_is_known(headless):
    headless.run("rows = (n for n in [1])")
    headless.run("%%jobq --name refused\nlist(rows)")
    reply = headless.run("%jobq explain refused")
    assert "What refused-" in reply.traceback
    assert "took along is not known" in reply.traceback
