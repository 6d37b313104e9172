"""A cell in a fresh process: what it prints and displays."""

from __future__ import annotations

import pytest


def test_prints_to_both_streams_and_displays_keep_their_order(local):
    cell = "import sys\nfor i in range(3):\n    print(i)\n    print('e', i, file=sys.stderr)\n    display(i)"
    run, _ = local.run(cell)
    expected = []
    for i in range(3):
        expected += [("stdout", f"{i}\n"), ("stderr", f"e {i}\n"), ("display_data", {"text/plain": str(i)})]
    assert local.wrote(run) == expected


def test_what_children_and_c_code_write_comes_in_its_place(local):
    run, _ = local.run(
        "import subprocess\nprint('a')\nsubprocess.run(['echo', 'b'])\nprint('c')\nget_ipython().system('echo d')"
    )
    assert local.wrote(run) == [("stdout", "a\nb\nc\nd\n")]


def test_forked_children_print_each_line_once(local):
    cell = (
        "import os\nprint('before')\n"
        "for i in range(3):\n    if not os.fork():\n        print('child', i)\n        os._exit(0)\n    os.wait()\n"
        "print('after')"
    )
    run, _ = local.run(cell)
    assert local.wrote(run) == [("stdout", "before\nchild 0\nchild 1\nchild 2\nafter\n")]


def test_threads_that_print_lose_nothing(local):
    cell = (
        "import threading\ndef say(n):\n    for i in range(5000):\n        print(f'{n} {i} ' + 'x' * 100)\n"
        "ts = [threading.Thread(target=say, args=(n,)) for n in range(4)]\n"
        "[t.start() for t in ts]; [t.join() for t in ts];"
    )
    run, _ = local.run(cell)
    lines = run.paths.attempt(1).stdout.read_text().split("\n")
    for n in range(4):
        assert [line.split()[1] for line in lines if line.startswith(f"{n} ")] == [str(i) for i in range(5000)]


@pytest.mark.parametrize("size", [1 << 19, (1 << 20) - 30, 5 << 20])
def test_text_larger_than_the_buffer_arrives_whole(local, size):
    run, _ = local.run(f"print('a' * {size}); print('b')")
    assert run.paths.attempt(1).stdout.read_bytes() == b"a" * size + b"\nb\n"


def test_text_that_is_no_unicode_and_bytes_that_are_no_text_arrive(local):
    run, _ = local.run("import sys\nprint('\\udcff\\0ü')\nsys.stdout.buffer.write(b'\\xff\\xfe\\n');")
    assert run.paths.attempt(1).stdout.read_bytes() == b"\\udcff\0\xc3\xbc\n\xff\xfe\n"


def test_figures_are_displayed_on_show_and_at_the_end_of_the_cell(local):
    run, _ = local.run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('between')\nplt.plot([2, 3]);"
    )
    kinds = [(kind, sorted(what) if kind == "display_data" else what) for kind, what in local.wrote(run)]
    figure = ("display_data", ["image/png", "text/plain"])
    assert kinds == [figure, ("stdout", "between\n"), figure]


def test_ipythons_own_display_functions_work(local):
    cell = (
        "from IPython.display import HTML, clear_output, display\ndisplay(HTML('<b>x</b>'))\n"
        "h = display('a', display_id='d')\nh.update('b')\nclear_output(wait=True)"
    )
    run, _ = local.run(cell)
    kinds = [kind for kind, _ in local.wrote(run)]
    assert kinds == ["display_data", "display_data", "update_display_data", "clear_output"]
    assert local.wrote(run)[0][1]["text/html"] == "<b>x</b>"


def test_input_finds_nobody(local):
    _, snapshot = local.run("input()")
    assert snapshot.facts["error"].startswith("EOFError")


def test_progress_is_kept_beside_the_output(local):
    _, snapshot = local.run("from jobq_magic import progress\nfor _ in progress(range(4), label='steps'): pass")
    assert [(p.label, p.done, p.total) for p in snapshot.progress] == [("steps", 4, 4)]


def test_progress_takes_any_number(local):
    steps = "progress(np.int64(3), np.float64(6))\nprogress(6, np.int64(6))"
    cell = f"import numpy as np\nfrom jobq_magic import progress\n{steps}"
    _, snapshot = local.run(cell)
    assert [(one.done, one.total) for one in snapshot.progress] == [(6, 6)]


def test_figures_of_a_cell_that_raises_are_displayed(local):
    run, _ = local.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\n1 / 0")
    assert [kind for kind, _ in local.wrote(run)] == ["display_data"]


def test_a_child_of_a_fork_can_write_while_another_thread_was_writing(local):
    cell = (
        "import os, sys, threading\ngoing = True\n"
        "def noise():\n    while going: print('n', file=sys.stderr)\n"
        "t = threading.Thread(target=noise); t.start()\n"
        "for _ in range(20):\n    if not os.fork():\n"
        "        print('child', file=sys.stderr)\n        os._exit(0)\n    os.wait()\n"
        "going = False; t.join()"
    )
    run, snapshot = local.run(cell, timeout=20)
    assert snapshot.phase == "succeeded"
    assert "".join(text for stream, text in local.wrote(run) if stream == "stderr").count("child") == 20
