"""`%%jobq --debug`: the cell in the kernel, over the same capture; and `%debug` after an exception of a job."""

from __future__ import annotations

import re
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.conftest import opened


@pytest.fixture(scope="module")
def notebook(environment):
    with opened(environment, person=True) as notebook:
        yield notebook


def answered(notebook, code: str, *answers: str, timeout: float = 60):
    """Executes a cell that asks questions; what it left, and the prompts."""
    request = notebook.start(code)
    prompts = []
    for answer in answers:
        while True:
            message = notebook.client.get_stdin_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") == request:
                break
        prompts.append(message["content"]["prompt"])
        notebook.client.input(answer)
    reply = notebook.reply(request)
    reply.stdout = re.sub(r"\x1b\[[0-9;]*m", "", reply.stdout)
    return reply, prompts


def test_it_runs_in_the_kernel_in_a_main_of_its_own(notebook):
    notebook.run("import os\nhere, unused = os.getpid(), 1")
    reply = notebook.run("%%jobq --debug\nimport os, sys\n(os.getpid() == here, 'unused' in globals(), __name__)")
    assert reply.value == "(True, False, '__main__')"
    assert notebook.run("import sys\nprint(sys.modules['__main__'].__dict__ is globals())").stdout == "True\n"


def test_no_run_is_recorded(notebook):
    notebook.run("%%jobq --debug --name unseen\n1")
    assert "unseen" not in notebook.run("%jobq list").displays[0]["text/plain"]


def test_names_changed_values_and_the_last_value_come_back_as_from_a_job(notebook):
    notebook.run("class Point:\n    def __init__(self, x): self.x = x\nrows = [1]\nalias = rows\np = Point(1)")
    reply = notebook.run("%%jobq --debug\nq = Point(p.x + 1)\nrows.append(2)\nassert type(p) is Point\nq.x")
    assert reply.value == "2"
    assert "rows was changed in place; alias with it" in reply.stdout
    assert notebook.run("print(type(q) is Point, rows, alias is rows, _)").stdout == "True [1, 2] True 2\n"


def test_out_narrows_what_comes_back(notebook):
    notebook.run("kept = dropped = None")
    notebook.run("%%jobq --debug -o kept\nkept, dropped = 1, 2")
    assert notebook.run("print(kept, dropped)").stdout == "1 None\n"


def test_prints_and_displays_go_where_those_of_any_cell_go(notebook):
    cell = "%%jobq --debug\nfrom IPython.display import HTML\nprint('said')\ndisplay(HTML('<b>x</b>'))\n!echo shell"
    reply = notebook.run(cell)
    assert "said\n" in reply.stdout
    assert "shell\n" in reply.stdout
    assert reply.displays[0]["text/html"] == "<b>x</b>"


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("nowhere_at_all + 1", "CaptureError: name 'nowhere_at_all' is not defined"),
        ("locks", "CaptureError:"),
        ("%run other.py", "CaptureError:"),
    ],
)
def test_what_is_refused_elsewhere_is_refused_here(notebook, cell, first):
    notebook.run("import threading\nlocks = [threading.Lock()]")
    reply = notebook.run(f"%%jobq --debug\n{cell}")
    assert reply.traceback.startswith(first)
    assert len(reply.traceback.splitlines()) <= 2


def test_an_exception_is_drawn_as_that_of_any_cell_without_frames_of_ours(notebook):
    notebook.run("def inner(x):\n    return {}[x]")
    reply = notebook.run("%%jobq --debug\nnot_kept = 'key'\ninner(not_kept)")
    assert reply.error == "KeyError"
    assert "----> 3 inner(not_kept)" in reply.traceback
    assert "return {}[x]" in reply.traceback
    assert "Cell In[" in reply.traceback
    for ours in ("run_here", "run_cell_magic", "execute.py", "debugging.py"):
        assert ours not in reply.traceback
    assert notebook.run("not_kept").error == "NameError"


def test_debug_afterwards_stands_in_the_frame_of_the_cell(notebook):
    notebook.run("def failing(x):\n    local = x * 2\n    raise ValueError(local)")
    assert notebook.run("%%jobq --debug\nouter = 21\nfailing(outer)").error == "ValueError"
    reply, prompts = answered(notebook, "%debug", "p local", "u", "p outer", "q")
    assert [prompt.strip() for prompt in prompts] == ["ipdb>"] * 4
    assert "42\n" in reply.stdout
    assert "21\n" in reply.stdout


def test_a_breakpoint_stops_in_the_cell(notebook):
    reply, prompts = answered(
        notebook, "%%jobq --debug\nbefore = 5\nbreakpoint()\nafter = before + 1\nafter", "p before * 3", "c"
    )
    assert len(prompts) == 2
    assert "15\n" in reply.stdout
    assert "before + 1" in reply.stdout
    assert reply.value == "6"


def test_a_question_is_answered(notebook):
    reply, prompts = answered(notebook, "%%jobq --debug\nword = input('word? ')\nword * 2", "ab")
    assert (prompts, reply.value) == (["word? "], "'abab'")
    assert notebook.run("%%jobq\nword = input('word? ')").traceback.startswith("CaptureError: input() on line 2")


def test_top_level_await_and_asyncio_run_work_and_the_kernels_loop_goes_on(notebook):
    cell = "import asyncio\nawait asyncio.sleep(0)\nasync def f(): return 7\n"
    assert notebook.run(f"%%jobq --debug\n{cell}await f()").value == "7"
    assert notebook.run("%%jobq --debug\nimport asyncio\nasync def f(): return 8\nasyncio.run(f())").value == "8"
    assert notebook.run("import asyncio\nawait asyncio.sleep(0.01)\nasyncio.get_running_loop().is_running()").value


@pytest.mark.parametrize("ending", ["1", "1 / 0", "import sys; sys.exit(3)", "raise KeyboardInterrupt"])
def test_the_process_is_afterwards_as_it_was_before(notebook, ending):
    look = (
        "import builtins, os, random, sys, warnings\n"
        "random.seed(1)\n"
        "def look():\n"
        "    return (sys.modules['__main__'].__dict__ is get_ipython().user_ns, list(sys.path), os.getcwd(),\n"
        "            'JOBQ_SEEN' in os.environ, builtins.display.__module__, type(builtins.get_ipython()).__name__,\n"
        "            random.getstate(), warnings.filters[:3])\n"
        "seen_before = look()"
    )
    notebook.run(look)
    changes = (
        "import os, random, sys, warnings\nassert os.environ['JOBQ_SEEN']\n"
        "os.chdir('/')\nsys.path.insert(0, '/x')\nrandom.random()\nwarnings.simplefilter('error')"
    )
    notebook.run(f"%%jobq --debug --env JOBQ_SEEN=1\n{changes}\n{ending}")
    assert notebook.run("print(look() == seen_before)").stdout == "True\n"
    assert notebook.run("%%jobq --wait\n1 + 1").value == "2"


def test_another_mode_is_told_and_parallel_map_works(notebook):
    cell = "from jobq_magic import parallel_map\ndef double(x): return 2 * x\nlist(parallel_map(double, [1, 2]))"
    reply = notebook.run(f"%%jobq --debug --mode ray --workers 2\n{cell}")
    assert reply.value == "[2, 4]"
    assert reply.stdout.startswith("--debug: the cell runs here, in the kernel, and not where --mode ray says")


def test_breakpoints_that_a_front_end_sets_are_hit(environment):
    with opened(environment, person=True) as notebook:
        notebook.run("def earlier(x):\n    y = x + 1\n    return y")
        cell = "%%jobq --debug\na = 1\nb = earlier(a)\nb"
        client, events = notebook.client, []

        def ask(command: str, **arguments):
            message = client.session.msg(
                "debug_request", {"type": "request", "seq": 1, "command": command, "arguments": arguments}
            )
            client.control_channel.send(message)
            while True:
                reply = client.get_control_msg(timeout=30)
                if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                    return reply["content"]

        ask("initialize", clientID="test", adapterID="", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        ask("attach")
        for code, line in (("def earlier(x):\n    y = x + 1\n    return y", 2), (cell, 3)):
            path = ask("dumpCell", code=code)["body"]["sourcePath"]
            ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}], sourceModified=False)
        ask("configurationDone")
        request = notebook.start(cell)
        value = None
        while True:
            message = client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            if kind == "debug_event" and content["event"] == "stopped":
                thread = content["body"]["threadId"]
                top = ask("stackTrace", threadId=thread)["body"]["stackFrames"][0]
                events.append((top["name"], top["line"]))
                ask("continue", threadId=thread)
            elif kind == "execute_result":
                value = content["data"]["text/plain"]
            elif message["parent_header"].get("msg_id") == request and content.get("execution_state") == "idle":
                break
        assert events == [("<module>", 3), ("earlier", 2)]
        assert value == "2"


# %debug after an exception that came from a job


def test_debug_after_an_exception_of_a_job_says_where_its_frames_are(notebook):
    assert notebook.run("%%jobq --wait\n{}['k']").error == "KeyError"
    reply = notebook.run("%debug")
    assert reply.stdout.startswith("The frames ended with the job (cell-")
    assert "%%jobq --debug" in reply.stdout
    assert len(reply.stdout.splitlines()) == 1
    assert notebook.run("%%jobq --wait\nimport os\nos.kill(os.getpid(), 9)").error == "JobFailed"
    assert notebook.run("%debug").stdout.startswith("The frames ended with the job")


def test_debug_after_a_refusal_says_that_there_is_nothing_to_look_at(notebook):
    notebook.run("%%jobq\nnowhere_at_all")
    assert notebook.run("%debug").stdout.startswith("Nothing of the cell was executed")


def test_debug_after_any_other_exception_is_ipythons_own(notebook):
    notebook.run("%%jobq --wait\n1 / 0")
    notebook.run("near = 3\n1 / 0")
    reply, prompts = answered(notebook, "%debug", "p near", "q")
    assert (len(prompts), "3\n" in reply.stdout) == (2, True)


def test_debug_with_a_statement_is_ipythons_own_also_after_a_job(notebook):
    notebook.run("%%jobq --wait\n1 / 0")
    _, prompts = answered(notebook, "%debug 1 + 1", "q")
    assert [prompt.strip() for prompt in prompts] == ["ipdb>"]


def test_pdb_on_opens_no_debugger_in_frames_of_ours(notebook):
    notebook.run("%pdb on")
    reply = notebook.run("%%jobq --wait\n1 / 0")
    assert reply.error == "ZeroDivisionError"
    assert "The frames ended with the job" in reply.stdout
    _, prompts = answered(notebook, "near = 3\n1 / 0", "q")
    assert len(prompts) == 1
    notebook.run("%pdb off")


def test_unloading_gives_back_ipythons_own(environment):
    with opened(environment, person=True) as notebook:
        assert notebook.run("print('debugger' in get_ipython().__dict__)").stdout == "True\n"
        notebook.run("%unload_ext jobq_magic")
        assert notebook.run("print('debugger' in get_ipython().__dict__)").stdout == "False\n"


# Without %load_ext


def test_a_lazy_magic_needs_no_load_ext(environment, tmp_path):
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text('c.MagicsManager.lazy_magics = {"jobq": "jobq_magic"}\n')
    cells = [
        "import sys\nprint('jobq_magic' in sys.modules)",
        "def f(x):\n    return x + 1",
        "%%jobq\nx = f(1)\nprint(x)",
        "def f(x):\n    return x + 2",
        "%%jobq\nprint(f(x))",
        "%jobq list",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    env = {**environment, "IPYTHONDIR": str(tmp_path / "ipython")}
    NotebookClient(notebook, kernel_name="python3").execute(env=env, cwd=f"{environment['BASE']}/work")
    told = ["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]
    assert told[:5] == ["False\n", "", "2\n", "", "4\n"]


def test_in_a_terminal_breakpoints_and_debug_work_too(environment):
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
        for number, line, *talk in (
            (1, "%load_ext jobq_magic"),
            (2, "_ = get_ipython().run_cell('%%jobq --debug\\nx = 20\\nbreakpoint()\\nx + 1')", "p x * 3", "60", "c"),
            (3, "_ = get_ipython().run_cell('%%jobq --debug\\nz = 4\\n1 / 0')"),
            (4, "%debug", "p z * 11", "44", "q"),
        ):
            shell.expect(f"In \\[{number}\\]:")
            shell.send(line + "\r")
            if talk:
                shell.expect("db[>)]")
                shell.send(talk[0] + "\r")
                shell.expect(talk[1])
                shell.expect("db[>)]")
                shell.send(talk[2] + "\r")
        shell.expect("In \\[5\\]:")
    finally:
        shell.close(force=True)
