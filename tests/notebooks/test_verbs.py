"""`%jobq VERB` in a real kernel, and in a terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import jobq_magic
from jobq_magic.cli.main import main
from tests.notebooks.conftest import opened

SCRIPT = """
from jobq_magic.runs.store import Store
for number in range({count}):
    run = Store().open(spec={{"mode": "local", "workers": None}},
                       target={{"backend": "local", "where": "this machine"}}, name="by-script")
    Store().append(run, phase="failed", reason="refused")
"""


def printed(environment, *lines: str) -> None:
    """Leaves a run that ended well and printed these lines."""
    code = (
        "from jobq_magic.runs.store import Store\n"
        "run = Store().open(spec={'mode': 'local', 'workers': None},"
        " target={'backend': 'local', 'where': 'this machine'}, name='printed')\n"
        "paths = run.paths.attempt(1)\n"
        "paths.folder.mkdir(parents=True)\n"
        f"paths.stdout.write_text({''.join(line + chr(10) for line in lines)!r})\n"
        "paths.stderr.write_text('warned\\n')\n"
        "Store().append(run, phase='submitting')\n"
        "Store().append(run, phase='succeeded')\n"
    )
    _python(environment, code)


def _python(environment, code: str) -> None:
    path = {"PYTHONPATH": str(Path(jobq_magic.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], env={**environment, **path}, check=True)


def test_a_list_is_a_table_that_says_from_where_runs_came(headless, environment):
    headless.run("%%jobq --name mine\n1")
    _python(environment, SCRIPT.format(count=1))
    with opened(environment, person=False) as other:
        other.run("%%jobq --name others\n1")
    reply = headless.run("%jobq list")
    plain, rich = reply.displays[0]["text/plain"], reply.displays[0]["text/html"]
    rows = {line.split()[0].rsplit("-", 1)[0]: line for line in plain.splitlines()[1:]}
    assert rows["by-script"].endswith("script")
    assert "here, Cell [" in rows["mine"]
    assert "another kernel, Cell [" in rows["others"]
    assert "<table" in rich
    assert "by-script" in rich
    assert reply.value is None


def test_a_list_is_jobs_to_go_on_with(headless):
    headless.run("%%jobq --name valued\n6 * 7")
    reply = headless.run("found = %jobq list\nprint(found[0].result(), len(found) > 0)")
    assert reply.stdout == "42 True\n"
    assert len(headless.run("1\n%jobq list\n2").displays) == 1
    assert "valued" in headless.run("found").value
    assert "No runs" in headless.run("%jobq list --phase building").displays[0]["text/plain"]


def test_lists_are_narrowed_by_phase_and_number(headless, environment):
    _python(environment, SCRIPT.format(count=25))
    assert headless.run("print(len(get_ipython().run_line_magic('jobq', 'list')))").stdout == "20\n"
    assert int(headless.run("print(len(get_ipython().run_line_magic('jobq', 'list --all')))").stdout) > 25
    reply = headless.run("ended = %jobq list --phase succeeded\nprint({job.status().phase.value for job in ended})")
    assert reply.stdout == "{'succeeded'}\n"
    assert "capturing" not in headless.run("%jobq list --live").displays[0]["text/plain"]


def test_status_is_a_card_and_a_job(headless):
    headless.run("%%jobq --name stood\n'left'")
    shown = headless.run("job = %jobq status stood\nprint(job.result())")
    assert shown.stdout == "left\n"
    assert shown.displays[0]["text/plain"].startswith("✓ succeeded  stood-")
    assert 'class="jq' in shown.displays[0]["text/html"]


def test_a_short_log_is_shown_as_it_came(headless):
    headless.run("%%jobq --name shortlog\nfrom IPython.display import display, HTML\nprint('a')\ndisplay(HTML('<b>'))")
    reply = headless.run("%jobq logs shortlog")
    assert reply.stdout == "a\n"
    assert reply.displays[0]["text/html"] == "<b>"


def test_a_log_in_which_there_is_nothing_says_so(headless):
    headless.run("%%jobq --name quiet\n1")
    assert re.fullmatch(r"quiet-\w+ printed nothing\n", headless.run("%jobq logs quiet").stdout)


def test_a_long_log_is_shown_by_pages(headless, environment):
    printed(environment, *(f"line {number}" for number in range(1, 2501)))
    last = headless.run("%jobq logs printed").stdout.splitlines()
    assert (last[0], last[-2]) == ("line 2001", "line 2500")
    assert last[-1].startswith("Lines 2,001 to 2,501 of 2,501, page 3 of 3; %jobq logs printed-")
    assert last[-1].endswith("--page 2 shows those before")
    first = headless.run("%jobq logs printed --page 1").stdout.splitlines()
    assert (first[0], first[999], len(first)) == ("line 1", "line 1000", 1001)
    assert headless.run("%jobq logs -1 -n 2 --stdout").stdout.splitlines()[:2] == ["line 2499", "line 2500"]
    assert headless.run("%jobq logs --stderr").stderr == "warned\n"


def test_a_log_is_searched(headless, environment):
    printed(environment, *(f"loss {number}" for number in range(1, 2501)))
    assert headless.run("%jobq logs --grep 'loss 250'").stdout == "loss 250\nloss 2500\n"
    assert headless.run("%jobq logs --regex '^loss .$' -n 1").stdout.startswith("loss 9\n")
    found = headless.run("%jobq logs --grep loss --page 3").stdout.splitlines()
    assert (found[0], len(found)) == ("loss 2001", 501)


def test_following_a_log_finds_lines_as_they_come(attended):
    attended.run("%%jobq --name followed\nimport time\nfor i in range(12):\n    print('step', i)\n    time.sleep(0.05)")
    reply = attended.run("%jobq logs followed -f --grep 'step 1'")
    lines = reply.stdout.splitlines()
    assert lines[:-3] == [] or "has printed nothing yet" in lines[0]  # where its process takes a while to start
    assert lines[-3:] == ["step 1", "step 10", "step 11"]


def test_a_run_that_left_nothing_is_told_so(headless):
    headless.run("%%jobq --name nothing\npass")
    reply = headless.run("%jobq result nothing")
    assert reply.stdout.endswith(" left no values\n")
    assert reply.value is None


def test_a_result_is_the_value_and_what_else_there_is(headless):
    headless.run("lst = []")
    headless.run("%%jobq --name left\nx = 5\nlst.append(1)\nlock = __import__('threading').Lock()\nx + 1")
    reply = headless.run("%jobq result left")
    assert reply.value == "6"
    words = [line.split() for line in reply.stdout.splitlines()]
    assert ["x", "9", "B"] not in words
    assert words[0][:2] == ["name", "size"]
    assert {line[0] for line in words[1:]} == {"x", "lst", "lock"}
    assert "changed in place" in reply.stdout
    assert "lock" in reply.stdout


def test_the_bare_magic_says_shortly_what_there_is(headless):
    lines = headless.run("%jobq").stdout.splitlines()
    assert len(lines) <= 5
    assert "%%jobq --help" in lines[0]
    assert "logs" in lines[1]
    assert lines[-1].startswith("No run is live")


def test_the_bare_magic_shows_live_runs(attended):
    attended.run("%%jobq --name alive --no-wait\nimport time\ntime.sleep(30)")
    assert "alive-" in attended.run("%jobq").stdout
    attended.run("%jobq stop alive")


def test_help_is_made_of_the_options(headless):
    for asks in ("%jobq --help", "%%jobq --help\n"):
        assert "--workers N|MIN..MAX" in headless.run(asks).stdout
    for verb, flag in {"logs": "--grep TEXT", "list": "--phase", "status": "RUN", "config": "--workers"}.items():
        assert flag in headless.run(f"%jobq {verb} --help").stdout, verb
    assert "%jobq stop" in headless.run("%jobq stop --help").stdout


@pytest.mark.parametrize("asks", ["%%jobq?", "%jobq?", "?%%jobq"])
def test_a_question_mark_shows_options_and_verbs(headless, asks):
    page = paged(headless, asks)
    assert "--workers N|MIN..MAX" in page
    assert "%jobq logs" in page


def paged(notebook, code: str) -> str:
    request = notebook.start(code)
    while (reply := notebook.client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != request:
        pass
    while True:
        message = notebook.client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request and message["content"].get("execution_state") == "idle":
            break
    [payload] = reply["content"]["payload"]
    return payload["data"]["text/plain"]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("list --frob", "OptionError: %jobq list: unrecognized arguments: --frob"),
        ("list --phase happy", "OptionError: %jobq list: argument --phase: invalid choice: 'happy'"),
        ("logs --page 0", "OptionError: --page takes a number of 1 or more"),
        ("logs --page 99", "OptionError: There is no page 99"),
        ("logs --regex (", "OptionError: --regex ( is no regular expression"),
        ("status a b", "OptionError: %jobq status: unrecognized arguments: b"),
        ("logs nothing-like-it", "StoreError: No run nothing-like-it"),
    ],
)
def test_bad_words_are_refused_in_a_sentence(headless, line, first):
    headless.run("%%jobq\nprint(1)")
    reply = headless.run(f"%jobq {line}")
    assert reply.traceback.startswith(first)
    assert len(reply.traceback.splitlines()) <= 2


def test_the_command_line_has_the_same_options_for_logs(capsys):
    main(["logs", "--help"])
    shown = capsys.readouterr().out
    for flag in ("--follow", "--lines", "--page", "--grep", "--regex", "--stdout", "--stderr"):
        assert flag in shown


def test_in_a_terminal_verbs_print_plainly(environment):
    import pexpect

    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--simple-prompt", "--colors=NoColor"],
        env={**environment, "TERM": "dumb"},
        cwd=f"{environment['BASE']}/work",
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 160),
    )
    try:
        for number, line, wanted in (
            (1, "%load_ext jobq_magic", ""),
            (2, "_ = get_ipython().run_cell('%%jobq --name interm\\nprint(6 * 7)')", "42"),
            (3, "found = %jobq list", ""),
            (4, "found[0].id", "interm-"),
            (5, "%jobq status", "succeeded"),
            (6, "%jobq list", "run +phase"),
        ):
            shell.expect(f"In \\[{number}\\]:")
            shell.send(line + "\r")
            if wanted:
                shell.expect(wanted)
        shell.expect("In \\[7\\]:")
        assert "<table" not in shell.before
    finally:
        shell.close(force=True)
