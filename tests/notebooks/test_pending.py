"""Pending names: with a person in front a cell returns at once, and no later cell ever sees an old value."""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path

import pytest

from tests.notebooks.conftest import opened
from tests.support import eventually

NUMBERS = itertools.count(1)


class Hold:
    """A job that waits for us: its code, and how it is let go."""

    def __init__(self, environment) -> None:
        self.path = Path(environment["BASE"], "work", f"go{next(NUMBERS)}")
        self.code = f"import os, time\nwhile not os.path.exists({str(self.path)!r}): time.sleep(0.01)\n"

    def go(self) -> None:
        self.path.touch()


@pytest.fixture
def hold(environment):
    held = Hold(environment)
    yield held
    held.go()


@contextlib.contextmanager
def waiting(notebook, code, **options):
    """A cell that has begun to wait; `reply()` is what it leaves in the end."""
    request = notebook.start(code, **options)

    def said() -> bool:
        message = notebook.client.get_iopub_msg(timeout=10)
        return message["parent_header"].get("msg_id") == request and "Waiting for" in str(message["content"])

    eventually(said, timeout=20)
    yield lambda: notebook.reply(request)


def run_of(reply) -> str:
    """The id of the run that a cell started."""
    return re.search(r"cell-[0-9a-f]{8}", reply.displays[0]["text/plain"])[0]


def test_the_cell_returns_at_once_and_its_names_leave_the_namespace(attended, hold):
    attended.run("value = 'old'")
    reply = attended.run(f"%%jobq\n{hold.code}value = 'new'")
    assert (reply.error, reply.value) == (None, None)
    assert attended.run("sorted(set(globals()) & {'value'})").value == "[]"
    hold.go()
    assert attended.run("value").value == "'new'"


def test_a_cell_that_reads_a_pending_name_waits_and_says_for_what_and_how_to_stop(attended, hold):
    run = run_of(attended.run(f"%%jobq\n{hold.code}value = 'new'"))
    with waiting(attended, "value") as reply:
        hold.go()
        told = reply()
    assert told.value == "'new'"
    assert "Waited" in told.updates[-1]["text/plain"]
    assert run in told.updates[-1]["text/plain"]


def test_what_the_waiting_line_says(attended, hold):
    run = run_of(attended.run(f"%%jobq\n{hold.code}value = 'new'"))
    request = attended.start("value")
    shown = eventually(lambda: _first_display(attended, request), timeout=20)
    assert re.match(rf"Waiting for value from {run} \((starting|running), 0 s\)\.", shown["text/plain"])
    assert "Interrupt the kernel to stop waiting: the run goes on" in shown["text/plain"]
    assert f"jobq stop {run} in a terminal" in shown["text/plain"]
    hold.go()
    attended.reply(request)


def _first_display(notebook, request):
    message = notebook.client.get_iopub_msg(timeout=20)
    if message["parent_header"].get("msg_id") == request and message["msg_type"] == "display_data":
        return message["content"]["data"]
    return None


@pytest.mark.parametrize(
    "code",
    [
        "read()",
        "[read() for _ in range(1)][0]",
        "apply(read)",
        "reader.value()",
        "%timeit -n1 -r1 -o -q value",
        "%%time\nvalue",
        "!echo {value}",
        "eval('value')",
        "def later():\n    return value\nlater()",
        "import json\nvalue + (lambda: value)()",
    ],
)
def test_a_read_is_seen_through_the_notebooks_own_functions_and_magics(attended, hold, code):
    attended.run(
        "def read():\n    return value\n"
        "def apply(f):\n    return f()\n"
        "class Reader:\n    def value(self):\n        return value\n"
        "reader = Reader()"
    )
    attended.run(f"%%jobq\n{hold.code}value = 'new'")
    with waiting(attended, code) as reply:
        hold.go()
        assert reply().error is None
    assert attended.run("value").value == "'new'"


@pytest.mark.parametrize(
    "code",
    ["1 + 1", "def later():\n    return value", "value = 'mine'", "value = 1\nvalue + 1", "import math", "'value'"],
)
def test_a_cell_that_does_not_read_it_does_not_wait(attended, hold, code):
    attended.run(f"%%jobq\n{hold.code}value = 'new'")
    reply = attended.run(code, timeout=20)
    assert (reply.error, reply.displays) == (None, [])


def test_an_interrupt_while_waiting_keeps_the_cell_from_running_and_the_run_goes_on(attended, hold):
    run = run_of(attended.run(f"%%jobq\n{hold.code}value = 'new'"))
    with waiting(attended, "print('ran', value)") as reply:
        attended.manager.interrupt_kernel()
        told = reply()
    assert (told.error, told.stdout) == ("NotRun", "")
    assert f"Interrupted while waiting for value: this cell was not run, and {run} goes on" in told.traceback
    hold.go()
    assert attended.run("value").value == "'new'"


def test_a_cell_that_reads_what_a_failed_run_would_have_bound_is_not_executed(attended):
    attended.run("value = 'old'")
    run = run_of(attended.run("%%jobq\nvalue = 1 / 0"))
    told = attended.run("print('ran', value)")
    assert (told.error, told.stdout) == ("NotRun", "")
    assert f"value would have come from {run}, which failed" in told.traceback
    assert "ZeroDivisionError: division by zero" in told.traceback
    for way_out in ("run its cell again", f"%jobq rerun {run}", "bind it yourself", f"%jobq release {run}"):
        assert way_out in told.traceback
    again = attended.run("print('ran', value)")
    assert again.error == "NotRun", "it is told every time, until a way out is taken"
    assert attended.run(f"%jobq release {run}").stdout == "Back as before: value\n"
    assert attended.run("value").value == "'old'"


def test_the_ways_out_of_a_failed_run_each_work(attended):
    attended.run("value = 'old'")
    attended.run("%%jobq\nvalue = 1 / 0")
    attended.run("value = 'mine'")
    assert attended.run("value").value == "'mine'", "bound by the user"
    attended.run("%%jobq\nvalue = 1 / 0")
    assert attended.run("value").error == "NotRun"
    attended.run("%%jobq\nvalue = value + '!'")
    assert attended.run("value").value == "'mine!'", "a cell that binds it anew starts from what it held"
    cell = {"cell_id": "3f1c"}
    attended.run_as(cell, "%%jobq\nother = value.missing")
    assert attended.run("other").error == "NotRun"
    attended.run_as(cell, "%%jobq\nother = value.upper()")
    assert attended.run("other").value == "'MINE!'", "the same cell, mended"
    attended.run("%%jobq\nimport os\nother = open('there').read()")
    assert attended.run("other").error == "NotRun"
    attended.run("open('there', 'w').write('now')")
    attended.run("%jobq rerun")
    assert attended.run("other").value == "'now'"


def test_what_the_cell_visibly_changes_is_pending_with_all_that_hold_it(attended, hold):
    attended.run("rows = [1]\nsame = rows\nconfig = {'a': 1}\nonly_read = [5]")
    attended.run(f"%%jobq\n{hold.code}rows.append(2)\nconfig['b'] = len(only_read)")
    assert attended.run("sorted(set(globals()) & {'rows', 'same', 'config', 'only_read'})").value == "['only_read']"
    with waiting(attended, "rows, same, rows is same, config") as reply:
        hold.go()
        assert reply().value == "([1, 2], [1, 2], True, {'a': 1, 'b': 1})"


def test_what_was_only_read_stays_and_if_the_run_changed_it_who_read_it_is_told(attended, hold):
    attended.run("def touch(x):\n    x.append(2)\nshared = [1]")
    reply = attended.run(f"%%jobq\n{hold.code}touch(shared)\ndone = 1")
    before = attended.run("shared")
    assert before.value == "[1]", "a name that is only read does not leave"
    hold.go()
    told = attended.run("done")
    assert attended.run("shared").value == "[1, 2]"
    number = re.search(r"\d+", before.prompt)[0]
    texts = " ".join(each["text/plain"] for each in [*reply.updates, *told.updates])
    assert f"shared was changed in place; Cell [{number}] read it before" in texts


def test_many_runs_share_one_value_that_they_only_read(attended):
    attended.run("data = list(range(1000))")
    for number in range(3):
        assert attended.run(f"%%jobq\ntotal{number} = sum(data) + {number}").error is None
    assert attended.run("total0, total1, total2").value == "(499500, 499501, 499502)"


def test_a_name_that_the_user_binds_meanwhile_stays_the_users(attended, hold):
    attended.run(f"%%jobq\n{hold.code}value = 'the run'\nother = 1")
    attended.run("value = 'mine'")
    assert attended.run("value").value == "'mine'"
    hold.go()
    assert attended.run("other").value == "1"
    assert attended.run("value").value == "'mine'"


def test_of_two_runs_the_one_submitted_later_wins(attended, hold, environment):
    second = Hold(environment)
    attended.run(f"%%jobq\n{hold.code}value = 'first'\na = 1")
    attended.run(f"%%jobq\n{second.code}value = 'second'")
    second.go()
    assert attended.run("value").value == "'second'"
    hold.go()
    assert attended.run("a").value == "1"
    assert attended.run("value").value == "'second'"


def test_a_read_that_escapes_the_analysis_meets_a_name_error_that_explains_itself(attended, hold):
    attended.run("value = 'old'")
    run = run_of(attended.run(f"%%jobq\n{hold.code}value = 'new'"))
    told = attended.run("text = 'val' + 'ue'\neval(text)")
    assert told.error == "NameError"
    assert f"value comes from {run}, which has not ended" in told.traceback


@pytest.mark.parametrize("options", [{"store_history": False}, {"silent": True}])
def test_requests_of_inspectors_never_wait(attended, hold, options):
    attended.run(f"%%jobq\n{hold.code}value = 'new'")
    request = attended.start("value", **options)
    attended.reply(request, timeout=10)
    hold.go()
    assert attended.run("value").value == "'new'"


def test_a_cell_of_jobq_that_reads_a_pending_name_waits_before_it_captures(attended, hold):
    attended.run(f"%%jobq\n{hold.code}first = 20")
    with waiting(attended, "%%jobq\nsecond = first + 1") as reply:
        hold.go()
        assert reply().error is None
    assert attended.run("first, second").value == "(20, 21)"


def test_an_option_that_reads_a_pending_name_waits_too(attended, hold):
    attended.run(f"%%jobq\n{hold.code}title = 'named'")
    with waiting(attended, "%%jobq --name {title}\nx = 1") as reply:
        hold.go()
        assert "named-" in reply().displays[-1]["text/plain"]


def test_names_are_bound_between_cells_never_while_one_runs(attended, hold):
    attended.run("seen = []")
    attended.run(f"%%jobq\n{hold.code}value = 'new'")
    hold.go()
    code = (
        "import asyncio\nfor n in range(60):\n    seen.append('val' + 'ue' in globals())\n    await asyncio.sleep(0.02)"
    )
    attended.run(code)
    assert attended.run("set(seen)").value == "{False}"
    assert attended.run("value").value == "'new'"


def test_the_last_value_comes_as_out_and_underscore(attended, hold):
    reply = attended.run(f"%%jobq\n{hold.code}6 * 7")
    number = int(re.search(r"\d+", reply.prompt)[0])
    with waiting(attended, "_") as told:
        hold.go()
        assert told().value == "42"
    assert attended.run(f"Out[{number}], _{number}").value == "(42, 42)"


def test_the_last_value_is_shown_under_its_own_cell(attended, hold):
    request = attended.start(f"%%jobq\n{hold.code}6 * 7")
    attended.reply(request)
    hold.go()

    def shown():
        message = attended.client.get_iopub_msg(timeout=20)
        mine = message["parent_header"].get("msg_id") == request
        return mine and message["msg_type"] == "execute_result" and message["content"]["data"]["text/plain"]

    assert eventually(shown, timeout=20) == "42"


def test_large_values_are_fetched_by_the_first_cell_that_reads_them(attended):
    reply = attended.run("%%jobq\nlarge = bytes(80_000_000)\nsmall = 1")
    assert attended.run("small").value == "1"
    assert attended.run("'large' in [*globals()]").value == "False"
    told = attended.run("len(large)")
    assert told.value == "80000000"
    assert any("Fetching large (80.0 MB)" in shown["text/plain"] for shown in [*told.displays, *told.updates])
    assert reply.error is None
    assert "meanwhile" not in told.updates[0]["text/plain"]


def test_with_wait_the_cell_is_busy_and_a_failure_leaves_names_as_a_failed_cell_does(attended):
    attended.run("value = 'old'")
    reply = attended.run("%%jobq --wait\nprint('said')\nvalue = 1 / 0")
    assert (reply.error, reply.stdout) == ("ZeroDivisionError", "said\n")
    assert attended.run("value").value == "'old'"
    assert attended.run("%%jobq --wait\nvalue = 3\nvalue").value == "3"


def test_a_name_that_travels_there_and_is_bound_anew_counts_up(attended):
    attended.run("count = 0")
    for _ in range(3):
        attended.run("%%jobq\ncount = count + 1")
    assert attended.run("count").value == "3", "each run waits for the one before, as cells do"


def test_a_cell_that_is_executed_again_before_its_failure_is_known_starts_from_what_there_was(attended, hold):
    attended.run("rows = [1]")
    cell = {"cell_id": "5b77"}
    attended.run_as(cell, f"%%jobq\n{hold.code}rows.append(1 / 0)")
    request = attended.start("None")
    attended.reply(request)
    hold.go()
    assert attended.run_as(cell, "rows.append(2)").error is None
    assert attended.run("rows").value == "[1, 2]"
    attended.run("%%jobq\nrows.append(1 / 0)")
    assert attended.run("%%jobq\nrows.append(3)").error is None, "so does any cell of jobq that changes the name"
    assert attended.run("rows").value == "[1, 2, 3]"


def test_of_two_last_values_the_later_cells_is_the_underscore_whichever_ends_first(attended, hold):
    attended.run("'earlier'")
    first = attended.run(f"%%jobq\n{hold.code}'first'")
    attended.run("%%jobq\n'second'")
    with waiting(attended, "_, __, ___") as told:
        hold.go()
        assert told().value == "('second', 'first', 'earlier')"
    assert attended.run("'plain'").value == "'plain'"
    assert attended.run("_").value == "'plain'", "IPython goes on as ever"
    assert attended.run(f"Out[{first.prompt[4:-1]}]").value == "'first'"


def test_out_is_waited_for(attended, hold):
    number = attended.run(f"%%jobq\n{hold.code}6 * 7").prompt[4:-1]
    with waiting(attended, f"Out[{number}]") as told:
        hold.go()
        assert told().value == "42"


def test_a_cell_that_waits_answers_once(attended):
    attended.run("'before'")
    assert attended.run("%%jobq --wait\n'waited'").value == "'waited'"
    assert attended.run("_, __").value == "('waited', 'before')"


def test_a_cell_without_a_last_value_does_not_keep_the_underscore(attended, hold):
    attended.run("'before'")
    attended.run(f"%%jobq\n{hold.code}value = 1")
    assert attended.run("_", timeout=20).value == "'before'"


def test_a_large_last_value_is_fetched_by_the_first_cell_that_reads_it(attended):
    attended.run("%%jobq\nimport numpy\nnumpy.zeros(10_000_000)")
    assert attended.run("len(_)").value == "10000000"
    attended.run("%%jobq\nlarge = bytes(80_000_000)\n'small'")
    assert attended.run("_").value == "'small'"


@pytest.mark.parametrize("wait", ["", "--wait"])
def test_what_is_added_in_place_is_added_for_all_that_hold_it(attended, wait):
    attended.run("rows = [1]\nsame = rows\ncount = 7\nseven = 7")
    attended.run(f"%%jobq {wait}\nrows += [2]\ncount += 1")
    assert attended.run("same, same is rows, count, seven").value == "([1, 2], True, 8, 7)"


def test_what_a_method_takes_out_and_gives_is_a_change(attended, hold):
    attended.run("rows = [1, 2]\npeople = [{'n': 1}]")
    attended.run(f"%%jobq\n{hold.code}last = rows.pop()\nfor each in people:\n    each['n'] += last")
    with waiting(attended, "rows, people") as told:
        hold.go()
        assert told().value == "([1], [{'n': 3}])"


def test_reset_takes_the_pending_names_too(attended, hold):
    attended.run("value = 'old'")
    attended.run(f"%%jobq\n{hold.code}value = 'new'\n'last'")
    attended.run("%reset -f")
    hold.go()
    assert attended.run("%jobq attach --wait").value == "'last'"
    assert attended.run("'val' + 'ue' in globals()").value == "False"


def test_attach_with_bind_takes_back_what_the_user_bound_meanwhile(attended, hold):
    attended.run(f"%%jobq\n{hold.code}value = 'the run'")
    attended.run("value = 'mine'")
    attended.run("%jobq attach --bind")
    hold.go()
    assert attended.run("value").value == "'the run'"


def test_what_a_run_of_another_session_changes_in_place_is_waited_for_as_what_it_binds(attended, environment, hold):
    attended.run("grown = [1]")
    run = run_of(attended.run(f"%%jobq\n{hold.code}grown.append(2)"))
    with opened(environment, person=True) as other:
        other.run(f"%jobq attach {run} --bind")
        with waiting(other, "grown") as told:
            hold.go()
            assert told().value == "[1, 2]"


def test_who_waited_for_a_run_that_failed_has_its_names_as_a_failed_cell_leaves_them(attended):
    attended.run("x = 'old'")
    reply = attended.run("%%jobq --wait -o x\nx = 1 / 0")
    assert reply.error == "ZeroDivisionError"
    assert "cells that read" not in reply.updates[-1]["text/plain"]
    assert attended.run("x").value == "'old'"
    attended.run("%%jobq -o x\nx = 1 / 0")
    reader = attended.run("x")
    assert reader.error == "NotRun"
    assert any("x: cells that read it are not run" in shown["text/plain"] for shown in reader.updates)
    attended.run("%jobq release")


def test_a_name_whose_value_cannot_come_back_never_holds_the_old_one(attended):
    attended.run("value = 'old'")
    run = run_of(attended.run("%%jobq\nimport threading\nvalue = threading.Lock()\nother = 1"))
    told = attended.run("value")
    assert told.error == "NotRun"
    assert f"value would have come from {run}, but did not come back" in told.traceback
    assert "value: lock cannot be pickled" in told.traceback
    attended.run("%%jobq\nimport math\nmodule = math")
    assert "module: math is a module" in attended.run("module").traceback
    assert attended.run("other").value == "1"
    told = attended.run("text = 'val' + 'ue'\neval(text)")
    assert f"value did not come back from {run}" in told.traceback
    attended.run("%jobq release")
    assert attended.run("value").value == "'old'"


def test_headless_too_a_value_that_cannot_come_back_is_not_the_old_one(headless):
    headless.run("value = 'old'")
    told = headless.run("%%jobq\nimport threading\nvalue = threading.Lock()\nother = 1")
    assert (told.error, "value did not come back" in told.stdout) == (None, True)
    assert headless.run("other").value == "1"
    assert headless.run("value").error == "NotRun"
    headless.run("value = 'mine'")


def test_a_cell_that_changes_what_did_not_come_back_is_told_so_and_starts_from_the_old_value_if_there_is_one(headless):
    headless.run("%%jobq\nlines = open('/dev/null')\nlines.readline()")
    told = headless.run("%%jobq\nlines.append(1)")
    assert told.error == "NotRun"
    assert "lines would have come from" in told.traceback
    headless.run("%jobq release\nlines = []")
    headless.run("%%jobq\nlines = open('/dev/null')")
    headless.run("%%jobq\nlines.append(1)")
    assert headless.run("lines").value == "[1]"
    assert headless.run("value").value == "'mine'"


UNFIT = """
import os
class Odd:
    def __reduce__(self):
        return make, ()
def make():
    if os.path.exists('unfit'):
        raise ValueError('not here')
    return Odd()
"""


def test_a_result_that_cannot_be_used_here_leaves_no_old_values_and_is_tried_again(attended, hold):
    attended.run(f"open('oddly.py', 'w').write({UNFIT!r})\nvalue = 'old'")
    run = run_of(attended.run(f"%%jobq\nimport oddly\n{hold.code}value = oddly.Odd()"))
    # While this cell is busy nothing comes back; when it ends, nothing can.
    attended.run(
        f"import os, time\nopen({str(hold.path)!r}, 'w').close()\n"
        "import glob\n"
        f"found = os.path.join(os.environ['JOBQ_HOME'], 'runs', {run!r}, '**', 'result.json')\n"
        "while not glob.glob(found, recursive=True): time.sleep(0.02)\nopen('unfit', 'w').close()"
    )
    told = attended.run("print('ran', value)")
    assert (told.error, told.stdout) == ("NotRun", "")
    assert f"value would have come from {run}, but that cannot be used" in told.traceback
    assert f"%jobq attach {run} --bind tries to bind it once more" in told.traceback
    attended.run("os.remove('unfit')")
    attended.run(f"%jobq attach {run} --bind")
    assert attended.run("type(value).__name__").value == "'Odd'"


def test_a_failed_run_that_was_pruned_still_lets_go_of_its_names(attended):
    attended.run("value = 'old'")
    run = run_of(attended.run("%%jobq\nvalue = 1 / 0"))
    assert attended.run("value").error == "NotRun"
    attended.run(f"%jobq prune {run}")
    assert attended.run(f"%jobq release {run}").stdout == "Back as before: value\n"


def test_a_large_value_that_was_pruned_before_it_was_read_says_so_and_how_to_go_on(attended):
    attended.run("large = 'old'")
    run = run_of(attended.run("%%jobq\nlarge = bytes(80_000_000)\nsmall = 1"))
    assert attended.run("small").value == "1"
    attended.run(f"%jobq prune {run}")
    told = attended.run("len(large)")
    assert told.error == "NotRun"
    assert f"{run} is no longer kept" in told.traceback
    assert f"%jobq release {run}" in told.traceback


def test_unload_puts_back_what_pending_names_held(environment, hold):
    with opened(environment, person=True) as notebook:
        notebook.run("value = 'old'")
        notebook.run(f"%%jobq\n{hold.code}value = 'new'")
        notebook.run("%unload_ext jobq_magic")
        assert notebook.run("value").value == "'old'"
        left = notebook.run(
            "ip = get_ipython()\n"
            "len(ip.ast_transformers), 'showtraceback' in vars(ip), "
            "[f for fs in ip.events.callbacks.values() for f in fs if 'jobq' in str(getattr(f, '__module__', ''))]"
        )
        assert left.value == "(0, False, [])"


def test_headless_the_cell_itself_waits(headless):
    assert headless.run("%%jobq\nimport time\ntime.sleep(0.3)\nvalue = 5").error is None
    assert headless.run("value").value == "5"


def test_a_cell_that_does_not_compile_is_told_so_while_names_are_pending(attended, hold):
    attended.run(f"%%jobq\n{hold.code}for_later = 1")
    for code in ("%%jobq\nx = ", "%%jobq --dry-run\nx = "):
        reply = attended.run(code)
        assert (reply.error, "does not compile" in reply.traceback) == ("CaptureError", True), reply.traceback
