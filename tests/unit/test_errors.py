import pickle
import subprocess
import sys

import pytest

from jobq_magic import errors
from jobq_magic.errors import (
    BackendError,
    CaptureError,
    JobqError,
    OptionError,
    OptionErrors,
    StoreError,
    closest,
    refuse,
)
from tests.support import golden

UNKNOWN = OptionError("unknown-option", "There is no option --worker", do="Did you mean --workers?")
BAD = OptionError("bad-value", "--memory <8gb> is not an amount of memory", do="Write 8Gi")
CASES = {
    "what-alone": StoreError("unknown-run", "There is no run 4f2a"),
    "what-and-do": UNKNOWN,
    "what-why-and-do": CaptureError(
        "cannot-travel",
        "trainer.logger.handlers[0].lock cannot travel: it is a _thread.lock",
        why="It is used by: cell → fit",
        do="Leave it out with --exclude trainer",
    ),
    "several": OptionErrors("several-mistakes", "2 mistakes", each=(UNKNOWN, BAD)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_draws_itself_as_text_and_html(name):
    error = CASES[name]
    shown = "\n".join(["# str", str(error), "# IPython", *error._render_traceback_(), "# html", error.html(), ""])
    golden(f"errors/{name}.txt", shown)


@pytest.mark.parametrize("name", CASES)
def test_an_error_survives_pickling_with_everything_that_was_hung_on_it(name):
    error = CASES[name]
    error.__dict__["extra"] = 1
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code, again.extra) == (type(error), str(error), error.code, 1)
    del error.__dict__["extra"]


def test_every_public_error_is_a_jobqerror_and_none_ends_a_process_or_escapes_except_exception():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    assert len(kinds) >= 8
    for kind in kinds:
        assert issubclass(kind, JobqError)
        assert issubclass(kind, Exception)
        assert kind.__doc__


def test_ipython_shows_the_lines_of_an_error_and_no_frame_of_ours():
    code = """
from IPython.core.interactiveshell import InteractiveShell
from jobq_magic.errors import StoreError
shell = InteractiveShell.instance()
def fail():
    raise StoreError("store-full", "The store is full", do="Make room with jobq prune")
shell.user_ns["fail"] = fail
result = shell.run_cell("fail()")
assert isinstance(result.error_in_exec, StoreError)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == "StoreError: The store is full\n  Make room with jobq prune.\n"


def test_a_kind_of_error_that_only_a_room_knows_is_shown_as_the_one_that_users_know():
    class Silent(BackendError):
        """Of a room."""

    assert Silent("silent", "it does not answer")._render_traceback_()[0] == "BackendError: it does not answer"


def test_html_escapes_what_it_quotes():
    error = BackendError("x", "<script>alert(1)</script> & co", do="Say '<b>'")
    assert "<script>" not in error.html()
    assert "&lt;script&gt;" in error.html()


def test_nothing_wrong_raises_nothing():
    refuse([])


def test_one_mistake_is_raised_as_itself():
    with pytest.raises(OptionError) as error:
        refuse([UNKNOWN])
    assert error.value is UNKNOWN


def test_mistakes_of_mistakes_are_told_flat():
    with pytest.raises(OptionErrors) as error:
        refuse([OptionErrors("several-mistakes", "2 mistakes", each=(UNKNOWN, BAD)), UNKNOWN])
    assert error.value.each == (UNKNOWN, BAD, UNKNOWN)
    assert error.value.what == "3 mistakes"


def test_the_closest_known_word_is_offered_and_where_none_is_near_all_are():
    assert closest("locl", ["ray", "local"]) == "Did you mean local?"
    assert closest("zzz", ("ray", "local")) == "Known: local, ray"
    assert closest("LOCAL", ["ray", "local"]) == "Did you mean local?"


def test_the_module_imports_nothing_of_ours():
    code = "import sys, jobq_magic.errors; print(sorted(m for m in sys.modules if m.startswith('jobq_magic')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['jobq_magic', 'jobq_magic._version', 'jobq_magic.errors']"
