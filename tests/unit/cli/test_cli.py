from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading

import pytest

from jobq_magic._version import __version__
from tests.support import eventually

HELLO = "import sys\nprint('one')\nprint('oops', file=sys.stderr)\nx = [1, 2, 3]\nsum(x)\n"


def refused(done, *parts):
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    for part in parts:
        assert part in done.stderr


def test_the_version_is_printed_without_heavy_imports(command):
    line, environment = command
    code = line[2].replace("sys.exit(main())", "main()") + "; print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([line[0], "-c", code, "--version"], capture_output=True, text=True, env=environment)
    assert done.stdout == f"jobq {__version__}\n"
    loaded = done.stderr
    assert not {"pydantic", "rich", "IPython", "ray", "sqlite3", "jobq_magic.pipeline"} & set(
        re.findall(r"'([\w.]+)'", loaded)
    )


def test_help_says_the_verbs_and_the_exit_statuses(jobq):
    done = jobq("--help")
    assert done.returncode == 0
    for word in (
        "status",
        "logs",
        "stop",
        "list",
        "attach",
        "result",
        "rerun",
        "image",
        "prune",
        "config",
        "ray",
        "exit status",
        "130",
    ):
        assert word in done.stdout
    assert jobq().stdout == done.stdout
    assert "exit status" in jobq("logs", "--help").stdout


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["stauts"], ["stauts", "Did you mean status?"]),
        (["--frobnicate"], ["--frobnicate"]),
        (["status", "--frobnicate"], ["--frobnicate", "jobq status --help"]),
        (["status", "one", "two"], ["two"]),
        (["status", "nothing-like-it"], ["nothing-like-it", "JOBQ_HOME"]),
        (["status"], ["JOBQ_HOME"]),
        (["logs", "-n", "many"], ["many"]),
        (["logs", "-n", "-3"], ["--lines"]),
        (["list", "-n", "-3"], ["--limit"]),
        (["prune", "--size", "huge"], ["huge"]),
        (["ray", "explode"], ["explode"]),
        (["config", "--mode", "rya"], ["rya", "ray"]),
        (["config", "--colour", "red"], ["--colour"]),
    ],
)
def test_bad_input_is_refused_in_one_or_two_lines(jobq, submit, words, parts):
    if words[0] == "logs":
        submit("pass")
    refused(jobq(*words), *parts)


def test_a_run_is_shown_with_all_that_it_left(jobq, submit, store):
    run = submit(HELLO, outs=["x"])
    status = jobq("status")
    assert status.returncode == 0
    assert status.stdout.startswith(f"✓ succeeded  {run.id}  this machine")
    logs = jobq("logs", run.id)
    assert (logs.stdout, logs.stderr) == ("one\n", "oops\n")
    result = jobq("result", "cell")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == "6"
    assert re.search(r"^x +\d+ B", result.stdout, re.MULTILINE)
    assert run.id in jobq("list").stdout
    assert "\x1b" not in jobq("list").stdout


def test_advice_is_what_one_types_in_a_terminal(jobq, store):
    run = store.open(spec={"mode": "kueue"}, target={"backend": "kueue", "where": "the default queue"}, name="fit")
    for phase in ("submitting", "queued", "paused"):
        store.append(run, phase=phase)
    told = jobq("status", run.id).stdout
    assert f"jobq resume {run.id}" in told
    assert "%jobq" not in told


def test_a_log_in_which_there_is_nothing_says_why_beside_it(jobq, submit, store):
    target = {"backend": "local", "where": "this machine"}
    run = store.open(spec={"mode": "local", "workers": None}, target=target, name="cell")
    logs = jobq("logs")
    assert (logs.returncode, logs.stdout) == (0, "")
    why = "Collecting what the cell needs"
    assert logs.stderr == f"{run.id} has printed nothing yet: {why}. jobq logs {run.id} -f follows it\n"
    assert jobq("logs", "--json").stderr == ""
    store.append(run, phase="cancelled", reason="stopped")
    for words in (["logs"], ["logs", "-f"]):
        assert jobq(*words).stderr == f"{run.id} printed nothing\n"


def test_names_are_bound_in_notebooks_only(jobq, submit):
    submit(HELLO, outs=["x"])
    refused(jobq("attach", "--bind"), "--bind binds names in a notebook, and a terminal has none", "%jobq attach")


def test_everything_is_json_too(jobq, submit):
    run = submit(HELLO, outs=["x"])
    assert json.loads(jobq("status", "--json").stdout)["phase"] == "succeeded"
    assert [entry["run"] for entry in json.loads(jobq("list", "--json").stdout)] == [run.id]
    result = json.loads(jobq("result", "--json").stdout)
    assert (result["value"]["text/plain"], list(result["names"])) == ("6", ["x"])
    lines = [json.loads(line) for line in jobq("logs", "--json").stdout.splitlines()]
    assert {"type": "stream", "name": "stderr", "text": "oops\n"} in lines
    assert json.loads(jobq("attach", "--json").stdout.splitlines()[-1])["final"]
    assert json.loads(jobq("config", "--mode", "ray", "--json").stdout)["mode"] == {"value": "ray", "origin": "--mode"}
    assert json.loads(jobq("prune", "--dry-run", "--json").stdout) == {"runs": [], "freed": 0, "dry_run": True}
    assert json.loads(jobq("ray", "status", "--json").stdout) == []


def test_a_failed_job_fails_the_command(jobq, submit):
    run = submit("print('before')\n1 / 0\n")
    for words in (["status"], ["attach"], ["logs", "-f"], ["result"], ["status", "--json"]):
        assert jobq(*words).returncode == 1, words
    assert jobq("logs").returncode == 0
    shown = jobq("result", run.id).stdout
    assert shown.rstrip().endswith("ZeroDivisionError: division by zero")
    attached = jobq("attach")
    assert attached.stdout == "before\n"
    assert "ZeroDivisionError" in attached.stderr


WAITING = """
import pathlib, time
print("started")
while not pathlib.Path({!r}).exists():
    time.sleep(0.01)
"the value"
"""


def test_attach_follows_a_run_to_its_end_and_shows_its_value(jobq, submit, tmp_path):
    submit(WAITING.format(str(tmp_path / "go")), wait=False)
    threading.Timer(1.0, (tmp_path / "go").touch).start()
    done = jobq("attach")
    assert done.returncode == 0
    assert done.stdout == "started\n'the value'\n"
    assert "succeeded" in done.stderr


@pytest.mark.parametrize("words", [["attach"], ["logs", "-f"]])
def test_an_interrupt_detaches_and_says_how_to_come_back(command, submit, store, words):
    run = submit("import time\nprint('started', flush=True)\ntime.sleep(60)", wait=False)
    line, environment = command
    with subprocess.Popen(
        [*line, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"jobq attach {run.id}" in told
    assert "Traceback" not in told
    assert not store.snapshot(run).final


def test_stop_ends_a_run_and_leaves_an_ended_one_alone(jobq, submit, store):
    ended = submit("pass", name="ended")
    live = submit("import time\ntime.sleep(60)", name="live", wait=False)
    done = jobq("stop", live.id, ended.id)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith(f"■ cancelled  {live.id}")
    assert "had ended before" in second
    assert store.snapshot(live).phase == "cancelled"
    assert jobq("stop", "--all").stdout == "No runs to stop\n"


def test_a_result_of_a_live_run_is_refused(jobq, submit):
    run = submit("import time\ntime.sleep(60)", wait=False)
    refused(jobq("result"), run.id, "jobq attach")


def test_a_rerun_is_a_new_run_of_the_same(jobq, submit, store):
    run = submit(HELLO)
    done = jobq("rerun")
    again = store.get(done.stdout.strip())
    assert again.id != run.id
    eventually(lambda: store.snapshot(again).final, timeout=30)
    assert jobq("logs", again.id).stdout == "one\n"


def test_prune_says_what_it_freed_and_rerun_what_is_gone(jobq, submit, store):
    run = submit(HELLO, outs=["x"])
    assert "Would remove the values of 1 run: " in jobq("prune", run.id, "--values", "--dry-run").stdout
    assert "Removed the values of 1 run: " in jobq("prune", run.id, "--values").stdout
    assert jobq("logs", run.id).stdout == "one\n"
    refused(jobq("rerun", run.id), run.id)
    assert re.fullmatch(r"Removed 1 run: [\d.]+ k?B\n", jobq("prune", "--days", "0").stdout)
    assert store.list() == []


@pytest.mark.parametrize("slip", [("--days", "-1"), ("--days", "nan"), ("--runs", "-4")])
def test_prune_removes_nothing_for_a_slip(jobq, submit, store, slip):
    run = submit(HELLO)
    refused(jobq("prune", *slip), f"{slip[0]} {slip[1]} is not a number of 0 or more")
    assert store.list() == [run]


def test_of_a_run_that_left_nothing_that_is_said(jobq, submit):
    run = submit("pass")
    assert jobq("result", run.id).stdout == f"{run.id} left no values\n"


def test_a_result_that_is_gone_is_not_an_empty_one(jobq, submit):
    run = submit(HELLO, outs=["x"])
    run.paths.attempt(1).result.unlink()
    refused(jobq("result", run.id), f"{run.id} left no result")


@pytest.mark.parametrize("ref", ["-99999999999999999999", "\udcff"])
def test_a_reference_that_no_index_can_hold_is_unknown(jobq, ref):
    refused(jobq("status", ref), "No run ")


def test_a_full_disk_behind_the_output_is_one_sentence(command):
    line, environment = command
    with open("/dev/full", "w") as full:
        done = subprocess.run([*line, "list"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr) == (2, "The output cannot be written: No space left on device\n")


def test_bytes_that_are_no_text_pass_unchanged(command, submit):
    submit("import os\nos.write(1, b'\\xff\\x00caf\\xc3\\xa9')")
    line, environment = command
    done = subprocess.run([*line, "logs"], capture_output=True, env={**environment, "PYTHONIOENCODING": "ascii"})
    assert done.stdout == b"\xff\x00caf\xc3\xa9"


def test_the_last_lines_of_a_log(jobq, submit):
    submit("for i in range(1000): print(i)\nprint('end', end='')")
    assert jobq("logs", "-n", "3").stdout == "998\n999\nend\n"
    assert jobq("logs", "--page", "1", "--stdout").stdout.splitlines()[-1] == "999"
    refused(jobq("logs", "--page", "3"), "There is no page 3", "--page 2 shows the last")
    second = jobq("logs", "--page", "2")
    assert (second.stdout, second.stderr.count("--page 1 shows those before")) == ("end\n", 1)


def test_lines_are_found_in_a_log_by_text_and_by_expression(jobq, submit):
    submit("import sys\nfor i in range(100): print('loss', i)\nprint('loss of power', file=sys.stderr)")
    done = jobq("logs", "--grep", "loss 9")
    assert done.stdout.splitlines() == ["loss 9", *(f"loss 9{digit}" for digit in range(10))]
    assert jobq("logs", "--regex", "^loss .$", "-n", "1").stdout == "loss 9\n"
    assert jobq("logs", "--grep", "loss", "--stderr").stderr == "loss of power\n"
    assert jobq("logs", "--grep", "loss", "--stderr").stdout == ""
    assert json.loads(jobq("logs", "--grep", "power", "--json").stdout)["text"] == "loss of power"
    refused(jobq("logs", "--regex", "("), "--regex ( is no regular expression")
    refused(jobq("logs", "--grep", "a", "--regex", "b"), "not allowed with")
    refused(jobq("logs", "-f", "--page", "1"), "--page", "--follow")


def test_a_reader_that_leaves_early_ends_the_command_quietly(command, submit):
    submit("for i in range(200_000): print(i)")
    line, environment = command
    with subprocess.Popen([*line, "logs"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_terminal_gets_a_table(command, submit):
    run = submit("pass")
    line, environment = command
    leader, end = pty.openpty()
    process = subprocess.Popen(
        [*line, "list"], stdout=end, stderr=end, env={**environment, "TERM": "xterm-256color", "COLUMNS": "120"}
    )
    os.close(end)
    shown = b""
    try:
        while data := os.read(leader, 4096):
            shown += data
    except OSError:  # the end of a terminal, on Linux
        pass
    os.close(leader)
    assert process.wait(20) == 0
    assert run.id.encode() in shown
    assert b"\x1b[" in shown
