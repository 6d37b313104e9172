"""`%%jobq` in a real kernel: as if the cell had run here."""

from __future__ import annotations

import pytest

from tests.notebooks.conftest import opened


def test_prints_value_and_names_come_back(headless):
    headless.run("import math\ndef area(r):\n    return factor * math.pi * r * r\nfactor = 2")
    reply = headless.run("%%jobq\nprint('working')\na = area(1)\nround(a, 3)")
    assert (reply.stdout, reply.value) == ("working\n", "6.283")
    assert headless.run("print(round(a, 2), _)").stdout == "6.28 6.283\n"


def test_there_is_one_final_display_and_its_text_is_the_same_every_time(headless):
    first, second = (headless.run("%%jobq\nprint('x')") for _ in range(2))
    assert [display["text/plain"] for display in first.displays] == ["cell [local] succeeded"]
    assert first.displays == second.displays
    assert not first.updates


def test_a_cell_runs_in_another_process(headless):
    here = headless.run("import os\nprint(os.getpid())").stdout
    assert headless.run("%%jobq\nimport os\nprint(os.getpid())").stdout != here


def test_values_that_were_changed_in_place_are_rebound_wherever_they_were_held(headless):
    headless.run("rows = [1]\nalias = rows\nholder = {'rows': 3}")
    reply = headless.run("%%jobq\nrows.append(2)")
    assert "rows was changed in place; alias with it" in reply.stdout
    assert headless.run("print(rows, alias is rows)").stdout == "[1, 2] True\n"


def test_class_identity_holds_there_and_back(headless):
    headless.run("class Point:\n    def __init__(self, x): self.x = x\np = Point(1)")
    reply = headless.run("%%jobq\nassert type(p) is Point\nq = Point(p.x + 1)")
    assert reply.error is None
    assert headless.run("print(type(q) is Point, q.x)").stdout == "True 2\n"


def test_an_exception_fails_the_cell_as_itself_without_frames_of_ours(headless):
    headless.run("def inner(x):\n    return {}[x]")
    reply = headless.run("%%jobq\ninner('k')")
    assert reply.error == "KeyError"
    assert 'File "Cell [' in reply.traceback
    assert "jobq_magic" not in reply.traceback
    assert "_jobq_runtime" not in reply.traceback


def test_tracebacks_call_cells_by_the_numbers_that_the_notebook_shows(environment):
    with opened(environment, person=False) as notebook:
        notebook.run("def broken():\n    1 / 0")
        lines = notebook.run("%%jobq\nbroken()").traceback.splitlines()
    assert lines[2] == '  File "Cell [3]", line 2, in <module>'
    assert lines[4] == '  File "Cell [2]", line 2, in broken'


def test_a_killed_job_fails_the_cell_in_words(headless):
    reply = headless.run("%%jobq\nimport os\nprint('last')\nos.kill(os.getpid(), 9)")
    assert (reply.error, reply.stdout) == ("JobFailed", "last\n")
    assert "killed (SIGKILL), most likely out of memory" in reply.traceback


def test_names_of_a_failed_cell_are_not_set(headless):
    headless.run("%%jobq\nnever = 1\n1/0")
    assert headless.run("never").error == "NameError"


def test_figures_and_rich_displays_come_as_displays(headless):
    reply = headless.run("%%jobq\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    assert "image/png" in reply.displays[0]


def test_a_shell_line_and_a_timed_line_travel(headless):
    reply = headless.run("%%jobq\nword = 'there'\n!echo hello {word}\n%time sum(range(10))")
    assert reply.stdout.startswith("hello there\nCPU times:")


def test_top_level_await_travels(headless):
    assert headless.run("%%jobq\nimport asyncio\nawait asyncio.sleep(0, 'awaited')").value == "'awaited'"


def test_out_narrows_what_comes_back(headless):
    headless.run("kept = dropped = None\nlst = []")
    headless.run("%%jobq -o kept\nkept, dropped = 1, 2\nlst.append(1)")
    assert headless.run("print(kept, dropped, lst)").stdout == "1 None []\n"
    headless.run("%%jobq --no-out\nkept = 9\nlst.append(1)")
    assert headless.run("print(kept, lst)").stdout == "1 []\n"


def test_job_binds_a_handle(headless):
    headless.run("%%jobq --job handle\nprint('said')\n40 + 2")
    assert headless.run("print(handle.result(), handle.logs(), end='')").stdout == "42 said\n"


def test_dry_run_tells_what_would_travel_and_runs_nothing(headless):
    reply = headless.run("needed = [1]\nunneeded = 2")
    reply = headless.run("%%jobq --dry-run\nprint(needed)")
    (told,) = (display["text/plain"] for display in reply.displays)
    assert "needed" in told
    assert "unneeded" not in told
    assert "[1]" not in told + reply.stdout


def test_a_definition_that_was_edited_but_not_run_is_not_shipped(headless):
    headless.run("def version(): return 'one'")
    headless.run("old = version")
    headless.run("def version(): return 'two'")
    assert headless.run("%%jobq\nold(), version()").value == "('one', 'two')"


def test_option_values_expand_and_the_body_does_not(headless):
    headless.run("label = 'expanded'")
    reply = headless.run("%%jobq --name {label}\nf'{1 + 1}' '{label}'")
    assert reply.value == "'2{label}'"
    assert reply.displays[0]["text/plain"] == "expanded [local] succeeded"


BAD_INPUT = {
    "unknown option": ("%%jobq --wrokers 3\n1", "OptionError: There is no option --wrokers", "Did you mean --workers?"),
    "two kinds of mistakes at once": (
        "%%jobq --wrokers 3 --memory lots\n1",
        "OptionErrors: 2 mistakes",
        "--memory lots",
    ),
    "unknown mode": ("%%jobq --mode lokal\n1", "OptionError:", "Did you mean local?"),
    "mode of a later version": ("%%jobq --mode rayjob\n1", "OptionError:", "rayjob"),
    "cluster without a registry": ("%%jobq --mode kueue\n1", "OptionError: --mode kueue needs a registry", "--push "),
    "bad quantity": ("%%jobq --mode ray --memory lots\n1", "OptionError: --memory lots", ""),
    "option of another mode": ("%%jobq --workers 3\n1", "OptionError: --workers 3 has no effect with --mode local", ""),
    "missing name": ("%%jobq\nnowhere + 1", "CaptureError: name 'nowhere' is not defined", ""),
    "lock in a value": ("%%jobq\nheld['deep'][0]", "CaptureError:", "lock"),
    "secret in a value": ("%%jobq\nprint(api_token)", "CaptureError:", "--secret"),
    "input": ("%%jobq\nx = input('?')", "CaptureError: input() on line 2", ""),
    "syntax error": ("%%jobq\nx = (", "CaptureError: the cell does not compile", ""),
    "empty cell": ("%%jobq\n", "CaptureError: There is nothing below %%jobq", ""),
    "blank cell": ("%%jobq\n   \n", "CaptureError:", ""),
    "comments only": ("%%jobq\n# nothing", "CaptureError:", ""),
    "magic that cannot travel": ("%%jobq\n%run other.py", "CaptureError:", "%run"),
    "unknown verb": ("%jobq stats", "OptionError: %jobq knows no stats", "Did you mean status?"),
    "unknown run": ("%jobq status nothing-here", "StoreError: No run nothing-here", ""),
    "unclosed quote": ("%%jobq --name 'x\n1", "OptionError: A quote is not closed", ""),
    "unknown name in an option": ("%%jobq --name {nowhere}\n1", "OptionError:", "nowhere"),
}


@pytest.mark.parametrize("what", BAD_INPUT)
def test_bad_input_is_one_error_of_at_most_two_lines(headless, what):
    headless.run("import threading\nheld = {'deep': [threading.Lock()]}\napi_token = 'sk-' + 'a1B2c3D4e5F6g7H8' * 2")
    cell, first, within = BAD_INPUT[what]
    reply = headless.run(cell)
    lines = reply.traceback.splitlines()
    assert lines[0].startswith(first), reply.traceback
    assert within in reply.traceback
    assert len(lines) <= (3 if "2 mistakes" in lines[0] else 2), reply.traceback
    assert reply.error != "UsageError"
    assert "a1B2c3D4" not in reply.traceback


def test_a_beginning_that_several_runs_share_is_refused_with_their_ids(headless):
    for _ in range(2):
        headless.run("%%jobq --name twin\n1")
    reply = headless.run("%jobq status twin-")
    assert reply.traceback.startswith("StoreError: twin- is the beginning of more than one run: twin-")


def test_a_forced_mode_is_told_and_runs_the_notebook_elsewhere(environment):
    with opened({**environment, "JOBQ_FORCE_MODE": "local"}, person=False) as notebook:
        reply = notebook.run("%%jobq --mode ray --workers 4\nprint('ran')")
    told = "JOBQ_FORCE_MODE=local: --mode ray is not used\n--workers 4 has no effect with --mode local\n"
    assert reply.stdout == told + "ran\n"


def test_a_read_only_store_and_a_full_one_refuse_before_anything_starts(environment, tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    with opened({**environment, "JOBQ_HOME": str(place)}, person=False) as notebook:
        reply = notebook.run("%%jobq\nprint('ran')")
    assert reply.traceback.startswith(f"StoreError: The store {place} is not a folder")
    with opened({**environment, "JOBQ_HOME": "/proc/jobq"}, person=False) as notebook:
        reply = notebook.run("%%jobq\nprint('ran')")
    assert reply.error == "StoreError"
    assert len(reply.traceback.splitlines()) <= 2


def test_unloading_leaves_nothing_behind(environment):
    with opened(environment, person=False) as notebook:
        notebook.run("%unload_ext jobq_magic")
        look = (
            "ip = get_ipython()\n"
            "print('jobq' in ip.magics_manager.magics['cell'], 'jobq' in ip.magics_manager.magics['line'],"
            " [f for fs in ip.events.callbacks.values() for f in fs if 'jobq' in repr(f)],"
            " [t for t in ip.input_transformers_cleanup if 'jobq' in repr(t.__module__)],"
            " [c for c in ip.configurables if 'Jobq' in repr(c)])"
        )
        assert notebook.run(look).stdout == "False False [] [] []\n"
        assert notebook.run("%load_ext jobq_magic").error is None
        assert notebook.run("%%jobq\n1 + 1").value == "2"


def test_local_code_is_what_it_was_when_the_cell_was_sent(headless):
    headless.run("open('aside_code.py', 'w').write('V = 1')\nimport aside_code")
    cell = "%%jobq\nopen('aside_code.py', 'w').write('V = 2')\nimport importlib\nimportlib.reload(aside_code).V"
    assert headless.run(cell).value == "1"


def test_nobody_elses_none_is_rebound_by_what_another_session_sent(headless, environment):
    headless.run("%%jobq --name giver\nx = None")
    headless.run("grown = [1]")
    headless.run("%%jobq --name changer\ngrown.append(2)")
    with opened(environment, person=True) as other:
        other.run("mine = None")
        other.run("%jobq attach changer --bind")
        assert other.run("print(mine, grown)").stdout == "None [1, 2]\n"


def test_the_runtimes_modules_are_the_jobs_own_however_they_are_imported(headless):
    imports = "import jobq_magic.runtime.parallel as p\nfrom jobq_magic import parallel_map"
    cell = f"%%jobq\n{imports}\np.parallel_map is parallel_map"
    assert headless.run(cell).value == "True"


@pytest.mark.parametrize("raising", ["eval('1+')", "raise ExceptionGroup('g', [ValueError('v')])"])
def test_errors_that_ipython_draws_by_itself_show_no_frames_of_ours(headless, raising):
    reply = headless.run(f"%%jobq\n{raising}")
    assert reply.error in ("SyntaxError", "ExceptionGroup")
    assert "jobq_magic" not in reply.traceback


def test_a_figure_is_drawn_as_in_the_notebook_whatever_is_set_for_files(headless):
    headless.run("import matplotlib.pyplot as plt\n%matplotlib inline")
    headless.run("plt.rcParams.update({'savefig.dpi': 37, 'savefig.facecolor': 'red', 'figure.facecolor': '#eeffee'})")
    here, there = (headless.run(f"{magic}plt.plot([1, 2]);") for magic in ("", "%%jobq\n"))
    assert here.displays[0]["image/png"].strip() == there.displays[0]["image/png"].strip()
    headless.run("plt.rcdefaults()")
