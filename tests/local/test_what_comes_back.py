"""A cell in a fresh process: what it gives back."""

from __future__ import annotations

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from jobq_magic.errors import JobFailed, ResultError


def test_names_that_the_cell_binds_and_its_last_value_come_back(local):
    run, snapshot = local.run("x = 1\ny = [x, x]\nx + 41", outs=["x", "y"])
    outcome = local.outcome(run)
    assert (snapshot.phase, snapshot.result) == ("succeeded", "ready")
    assert outcome.names == {"x": 1, "y": [1, 1]}
    assert outcome.value == 42


def test_a_semicolon_silences_the_last_value(local):
    run, _ = local.run("1 + 1;")
    assert local.outcome(run).value is None


def test_what_names_share_stays_shared(local):
    run, _ = local.run("a = [1]\nb = a\nc = {'a': a}", outs=["a", "b", "c"])
    names = local.outcome(run).names
    assert names["a"] is names["b"] is names["c"]["a"]


def test_a_shipped_value_that_was_changed_in_place_comes_back_and_an_unchanged_one_does_not(local):
    values = [{"grown": [1], "same": "s"}, {"array": np.arange(6.0)}, {"read": np.ones(3)}]
    run, _ = local.run("grown.append(2)\narray[2:4] *= 10\nread.sum()", values=values)
    changed = local.outcome(run).changed
    assert changed["grown"] == [1, 2]
    assert changed["array"].tolist() == [0, 1, 20, 30, 4, 5]
    assert "read" not in changed


def test_arrays_are_writable_there_and_here(local):
    run, _ = local.run("a[0] = 7\nb = a * 2", values=[{"a": np.zeros(4)}], outs=["b"])
    outcome = local.outcome(run)
    outcome.names["b"][1] = 3
    outcome.changed["a"][1] = 3
    assert outcome.names["b"].tolist() == [14, 3, 0, 0]


def test_classes_of_modules_that_are_loaded_lazily_stay_the_same_class(local):
    run, _ = local.run("import numpy as np\nx = np.zeros(2, dtype=[('a', int)]).view(np.recarray)", outs=["x"])
    back = local.outcome(run).names["x"]
    assert type(back) is np.recarray
    assert repr(back).startswith("rec.array(")


def test_a_name_that_cannot_come_back_is_told_with_its_reason_and_the_others_come(local):
    run, _ = local.run("import threading\nlock = threading.Lock()\nx = 1", outs=["lock", "x"])
    outcome = local.outcome(run)
    assert outcome.names == {"x": 1}
    assert outcome.skipped[0]["name"] == "lock"
    assert "cannot pickle '_thread.lock'" in outcome.skipped[0]["reason"]


def test_what_a_value_uses_of_the_job_is_in_the_notebook_what_takes_its_place(local):
    cell = """
from jobq_magic import parallel_map
handle = display("a", display_id="here")
show = display
class A:
    def shown(self):
        show(parallel_map(str, [1, 2], progress=False))
a, pm, x = A(), parallel_map, 1
shell = get_ipython()
"""
    outcome = local.outcome(local.run(cell, outs=["handle", "a", "pm", "show", "shell", "x"])[0])
    import IPython.display

    from jobq_magic import parallel_map

    assert type(outcome.names["handle"]) is IPython.display.DisplayHandle
    assert outcome.names["handle"].display_id == "here"
    assert (outcome.names["pm"], outcome.names["show"]) == (parallel_map, IPython.display.display)
    with capture_output() as output:
        outcome.names["a"].shown()
    assert output.stdout == "['1', '2']\n"
    assert outcome.names["x"] == 1
    assert [entry["name"] for entry in outcome.skipped] == ["shell"]
    assert "works in a job only" in outcome.skipped[0]["reason"]


def test_a_usage_error_fails_where_ipython_would_only_print_it(local):
    outcome = local.outcome(local.run("from IPython.core.error import UsageError\nraise UsageError('u')")[0])
    assert isinstance(outcome.error, JobFailed)
    assert outcome.error.what == "UsageError: u"


def test_a_last_value_that_cannot_come_back_is_shown_as_the_runner_rendered_it(local):
    run, _ = local.run("import threading\nthreading.Lock()")
    shown = local.outcome(run).shown
    assert shown is not None
    assert shown[0]["text/plain"].startswith("<unlocked _thread.lock")


def test_an_exception_comes_back_as_itself_with_the_frames_of_the_user_alone(local):
    run, snapshot = local.run("def g():\n    raise KeyError('k')\ng()")
    error = local.outcome(run).error
    assert isinstance(error, KeyError)
    assert snapshot.facts["error"] == "KeyError: 'k'"
    text = "\n".join(error._render_traceback_())
    assert 'File "Cell [7]", line 3' in text
    assert 'File "Cell [7]", line 2, in g' in text
    assert "_jobq_runtime" not in text


def test_an_exception_that_does_not_survive_pickling_keeps_its_name_and_its_traceback(local):
    definitions = "class A(Exception):\n    def __init__(self, x, y):\n        super().__init__('boo')\n"
    run, _ = local.run("raise A(1, 2)", definitions=definitions)
    error = local.outcome(run).error
    assert isinstance(error, JobFailed)
    assert error.what == "A: boo"
    assert error._render_traceback_()[-1] == "A: boo"


def test_notes_and_causes_of_an_exception_are_told(local):
    cell = (
        "try:\n    1/0\nexcept ZeroDivisionError as e:\n"
        "    f = ValueError('v')\n    f.add_note('look here')\n    raise f from e"
    )
    run, _ = local.run(cell)
    error = local.outcome(run).error
    assert error.__notes__ == ["look here"]
    text = "\n".join(error._render_traceback_())
    assert "ZeroDivisionError" in text
    assert "look here" in text


def test_top_level_await_works(local):
    run, _ = local.run("import asyncio\nx = [await asyncio.sleep(0, i) for i in range(3)]\nx", outs=["x"])
    assert local.outcome(run).value == [0, 1, 2]


def test_main_holds_nothing_but_what_the_user_put_there(local):
    run, _ = local.run("sorted(n for n in globals() if not n.startswith('__'))", values=[{"a": 1}])
    assert local.outcome(run).value == ["a"]


def test_exit_zero_is_success_and_another_status_fails(local):
    _, well = local.run("import sys\nsys.exit(0)")
    _, badly = local.run("import sys\nsys.exit(3)")
    assert well.phase == "succeeded"
    assert (badly.phase, badly.facts["error"]) == ("failed", "SystemExit: 3")


def test_a_result_that_was_changed_on_disk_is_refused(local):
    run, _ = local.run("x = 1", outs=["x"])
    path = run.paths.attempt(1).result
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"y"', 1))
    with pytest.raises(ResultError, match="was changed after the run wrote it"):
        local.outcome(run)


def test_a_value_that_was_changed_on_disk_is_refused_before_it_is_unpickled(local, tmp_path):
    run, _ = local.run("x = list(range(50))", outs=["x"])
    (group,) = run.paths.attempt(1).values.iterdir()
    evil = b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "ran").encode()
    data = group.read_bytes()
    group.write_bytes(data[: len(data) - len(evil)] + evil)
    with pytest.raises(ResultError, match="was changed"):
        local.outcome(run)
    assert not (tmp_path / "ran").exists()


def test_a_result_of_another_run_does_not_pass(local):
    one, _ = local.run("x = 1", outs=["x"])
    other, _ = local.run("x = 2", outs=["x"])
    one.paths.attempt(1).result.write_bytes(other.paths.attempt(1).result.read_bytes())
    with pytest.raises(ResultError):
        local.outcome(one)


def test_a_representation_that_json_does_not_know_does_not_cost_the_names(local):
    cell = (
        "import numpy as np\nclass Odd:\n    def _repr_mimebundle_(self, **_): return {'image/png': b'bytes'}\n"
        "    def _repr_json_(self): return {'n': np.int64(3), 'a': np.arange(2), 'o': object}\nx = 1\nOdd()"
    )
    run, snapshot = local.run(cell, outs=["x"])
    assert snapshot.phase == "succeeded"
    assert local.outcome(run).names == {"x": 1}


def test_a_cell_that_exits_does_not_end_who_asks_for_its_result(local):
    run, _ = local.run("import sys\nsys.exit(3)")
    error = local.outcome(run).error
    assert isinstance(error, JobFailed)
    assert (type(error).__name__, str(error), error.what) == ("SystemExit", "3", "SystemExit: 3")


def test_a_value_that_cannot_be_made_again_does_not_take_the_others_with_it(local):
    cell = "class U:\n    def __setstate__(self, state): raise ValueError('never')\nu = U()\nu.x = 1\nkeep = 1"
    run, _ = local.run(cell, outs=["u", "keep"])
    outcome = local.outcome(run)
    assert outcome.names == {"keep": 1}
    assert [entry["name"] for entry in outcome.skipped] == ["u"]
