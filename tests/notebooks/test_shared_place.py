"""What may be asked of a place that others share, in a real kernel: pause, resume, list --namespace, doctor."""

from __future__ import annotations

import pytest

# A place that is shared, in the kernel: there is a cluster in few places where these tests run.
PLACE = """
from jobq_magic import plugins
from jobq_magic.backends.local import LocalBackend
from jobq_magic.findings import Finding
from jobq_magic.nearby import Neighbour, Neighbours
class Shared(LocalBackend):
    findings = [Finding("cluster", "ok", "It answers"), Finding("queue", "problem", "No queue <b>", "Make one")]
    def check_pause(self, run): pass
    def pause(self, run, attempt, handle, *, wanted): return True
    def examine(self, spec, target): yield from self.findings
    def neighbours(self, target):
        one = Neighbour("train-1", "run", "queued", "ada", "main", 3, 12)
        return Neighbours("namespace blue", (one,), ("No events",))
shared, real = Shared(), plugins.backend
plugins.backend = lambda mode: shared if mode == "local" else real(mode)
"""


@pytest.fixture
def shared(attended):
    assert attended.run(PLACE).error is None
    yield attended
    attended.run("plugins.backend = real")


def test_findings_are_a_table_and_a_list_to_go_on_with(shared):
    reply = shared.run("found = %jobq doctor\nprint([one.level for one in found])")
    assert reply.stdout == "['ok', 'ok', 'problem']\n"
    plain, rich = reply.displays[0]["text/plain"], reply.displays[0]["text/html"]
    assert "✗ queue" in plain
    assert plain.endswith("1 problem among 3 findings: no cell will run there as it is")
    assert "No queue &lt;b&gt;" in rich


def test_findings_are_those_of_the_options(shared):
    assert "mode local, by --mode" in shared.run("%jobq doctor --mode local").displays[0]["text/plain"]
    assert shared.run("%jobq doctor --mode rya").error == "OptionError"
    assert "--mode" in shared.run("%jobq doctor --help").stdout


def test_everybody_in_the_queues_is_a_table(shared):
    reply = shared.run("near = %jobq list --namespace\nprint(near.found.rows[0].owner)")
    assert reply.stdout == "ada\n"
    plain = reply.displays[0]["text/plain"]
    assert "3rd of 12" in plain
    assert plain.endswith("No events")
    assert "<table" in reply.displays[0]["text/html"]
    assert shared.run("%jobq list --colour").error == "OptionError"


def test_where_nobody_else_is_a_sentence_says_so(attended):
    reply = attended.run("%jobq list --namespace")
    assert reply.error == "BackendError"
    assert "Mode local has no namespace that others share" in reply.traceback


def test_a_run_is_asked_to_pause_and_one_that_has_ended_is_not(shared):
    ended = shared.run("%%jobq --wait --name ended\n1")
    assert ended.error is None
    for verb in "pause", "resume":
        reply = shared.run(f"%jobq {verb} ended")
        assert reply.error == "BackendError"
        assert "it has ended (succeeded)" in reply.traceback


def test_a_run_that_cannot_be_paused_says_so_in_one_sentence(attended):
    attended.run("%%jobq --name busy\nimport time\ntime.sleep(30)")
    reply = attended.run("%jobq pause busy")
    assert "cannot be paused" in reply.traceback
    attended.run("%jobq stop busy")
