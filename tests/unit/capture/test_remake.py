"""What cannot be pickled and holds nothing is made anew; everything else is refused, with the ways out."""

from __future__ import annotations

import pytest

from jobq_magic.errors import CaptureError

HARMLESS = {
    "import threading\nit = threading.Lock()": "with it: print(it.locked())\nit.locked()",
    "import threading\nit = threading.RLock()": "with it:\n    done = 1\ndone",
    "from threading import Event as E\nit = E()": "it.set()\nit.is_set()",
    "import threading\nit = threading.Condition()": "with it: it.notify_all()\n1",
    "import threading\nit = threading.Semaphore(2)": "it.acquire(), it.acquire(), it.acquire(blocking=False)",
    "import threading\nit = threading.Barrier(1)": "it.wait()",
    "import threading\nit = threading.local()": "it.x = 3\nit.x",
    "import contextvars\nit = contextvars.ContextVar('it', default=5)": "it.get()",
    "from concurrent.futures import ThreadPoolExecutor\nit = ThreadPoolExecutor(2)": "list(it.map(abs, [-1, -2]))",
    "import queue\nit = queue.Queue(maxsize=3)": "it.put(1)\nit.maxsize, it.get()",
    "import queue\nit = queue.SimpleQueue()": "it.put(1)\nit.get()",
    "import weakref\nit = weakref.WeakValueDictionary()": "len(it)",
    "import weakref\nit = weakref.WeakSet()": "len(it)",
    "import asyncio\nit = asyncio.Lock()": "async with it:\n    done = 1\ndone",
    "import multiprocessing\nit = multiprocessing.Lock()": "with it: pass\n1",
}


@pytest.mark.parametrize("setup", HARMLESS)
def test_a_harmless_object_is_made_anew_by_the_statement_that_made_it(notebook, setup):
    notebook.run(setup)
    bundle = notebook.agree(HARMLESS[setup])
    assert [row.kind for row in bundle.travellers if row.name == "it"] == ["remade"]


def test_a_logger_travels_by_its_name(notebook):
    notebook.run("import logging\nlog = logging.getLogger('a.b')")
    notebook.agree("log.name, log is logging.getLogger('a.b')")


def test_all_who_name_it_mean_the_same_one(notebook):
    notebook.run(
        "import threading\nlock = threading.Lock()\nsame = lock\nby_name = {'main': lock}\nfull = [lock, by_name]"
    )
    notebook.agree("(same is lock, by_name['main'] is lock, full[0] is full[1]['main'])")


def test_a_function_of_the_notebook_and_a_value_share_it(notebook):
    notebook.run(
        "import threading\nlock = threading.Lock()\nclass Box:\n    def __init__(self): self.lock = lock\nbox = Box()"
    )
    notebook.run("def held():\n    return lock")
    notebook.agree("held() is box.lock")


def test_what_its_constructor_needs_travels_too(notebook):
    notebook.run("import threading\nplaces = 1\nit = threading.Semaphore(places)")
    notebook.agree("it.acquire(), it.acquire(blocking=False)")


@pytest.mark.parametrize(
    ("setup", "culprit"),
    [
        ("import queue\nit = queue.Queue()\nit.put(1)", "it"),
        ("import threading\nit = threading.Event()\nit.set()", "it is an event"),
        ("import threading\nit = threading.local()\nit.x = 1", "it is data of one thread"),
        ("import threading\nit = [threading.Lock()]", r"it\[0\] is a lock"),
        ("import threading\nmake = lambda: threading.Lock()\nit = make()", "it is a lock"),
        ("import threading\nit = threading.Thread(target=print)", "it is a thread|it"),
        ("it = (n for n in [1])", "it is a generator"),
        ("import threading\nfor n in range(2):\n    it = threading.Lock()", "it is a lock"),
    ],
)
def test_what_would_lose_something_or_was_made_otherwise_is_refused(notebook, setup, culprit):
    notebook.run(setup)
    with pytest.raises(CaptureError, match=culprit) as caught:
        notebook.capture("it")
    assert "--exclude it" in caught.value.do


def test_a_context_variable_that_was_set_is_refused(notebook):
    notebook.run("import contextvars\nit = contextvars.ContextVar('it', default=1)")
    token = notebook.names["it"].set(2)
    try:
        with pytest.raises(CaptureError, match="it is a context variable"):
            notebook.capture("it.get()")
    finally:
        notebook.names["it"].reset(token)
    notebook.agree("it.get()")


def test_what_is_refused_can_be_made_anew_on_request(notebook):
    notebook.run("rows = (n for n in [1, 2])")
    with pytest.raises(CaptureError, match="--remake rows"):
        notebook.capture("list(rows)")
    bundle = notebook.capture("list(rows)", remake=("rows",))
    assert notebook.job(bundle)["value"] == "[1, 2]"


def test_a_harmless_object_can_be_left_out(notebook):
    notebook.run(
        "import threading\nlock = threading.Lock()\n"
        "def f():\n    try:\n        return lock\n    except NameError:\n        return 0"
    )
    bundle = notebook.capture("f()", exclude=("lock",))
    assert notebook.job(bundle)["value"] == "0"
    assert [(each.name, each.why) for each in bundle.account.stayed] == [("lock", "left out with --exclude")]
