"""The same on every ipykernel that people have: each release changed how threads, buttons and outputs are routed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.notebooks.conftest import opened
from tests.notebooks.test_pending import Hold, waiting
from tests.support import eventually

OTHERS = ["", *(path.name.removeprefix("ipykernel-") for path in sorted(Path(sys.prefix).glob("ipykernel-*")))]
assert len(OTHERS) == 3, "make install installs the other versions of ipykernel"


@pytest.fixture(scope="module", params=OTHERS, ids=lambda version: version or "newest")
def notebook(request, environment):
    with opened(environment, person=True, ipykernel=request.param) as opened_notebook:
        version = opened_notebook.run("import ipykernel\nipykernel.__version__").value
        assert version.strip("'").startswith(request.param)
        yield opened_notebook


def test_a_cell_returns_at_once_a_reader_waits_and_an_interrupt_stops_the_waiting(notebook, environment):
    hold = Hold(environment)
    notebook.run("value = 'old'")
    assert notebook.run(f"%%jobq\n{hold.code}print('said')\nvalue = 'new'\n6 * 7").error is None
    with waiting(notebook, "value") as reply:
        notebook.manager.interrupt_kernel()
        assert reply().error == "NotRun"
    with waiting(notebook, "value, _") as reply:
        hold.go()
        assert reply().value == "('new', 42)"
    assert notebook.run("%%jobq --wait\nprint('out')\nimport sys\nprint('err', file=sys.stderr)\n5").value == "5"
    failed = notebook.run("%%jobq --wait\n1 / 0")
    assert (failed.error, "Cell [" in failed.traceback) == ("ZeroDivisionError", True)


def test_what_is_shown_afterwards_goes_under_the_cell_that_submitted(notebook, environment):
    hold = Hold(environment)
    code = (
        f"%%jobq\nfrom IPython.display import display, HTML\n{hold.code}print('line')\ndisplay(HTML('<b>shown</b>'))\n8"
    )
    request = notebook.start(code)
    first = notebook.reply(request)
    panel = first.displays[0]["application/vnd.jupyter.widget-view+json"]["model_id"]
    other = notebook.start("import time\nfor _ in range(20):\n    print('other')\n    time.sleep(0.05)")
    hold.go()
    mine, foreign, ended = [], [], time.monotonic() + 20
    while "execute_result" not in {kind for kind, _ in mine}:
        assert time.monotonic() < ended
        message = notebook.client.get_iopub_msg(timeout=20)
        kind, parent = message["msg_type"], message["parent_header"].get("msg_id")
        if parent == request:
            mine.append((kind, message["content"]))
        elif parent == other and kind == "stream":
            foreign.append(message["content"]["text"])
    shown = [content["data"] for kind, content in mine if kind == "display_data"]
    assert [each["text/html"] for each in shown] == ["<b>shown</b>"]
    assert "stream" not in {kind for kind, _ in mine}, "the thread never prints"
    assert "".join(foreign).replace("other\n", "") == "", "and nothing of it lands under the other cell"
    assert panel


def test_the_stop_button_stops_the_run_while_no_cell_runs(notebook, environment):
    request = notebook.start("%%jobq --name stoppable\nimport time\ntime.sleep(100)")
    buttons = []
    while True:
        message = notebook.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "comm_open":
            state = message["content"]["data"]["state"]
            if state.get("description") == "Stop":
                buttons.append(message["content"]["comm_id"])
        if message["parent_header"].get("msg_id") == request and message["content"].get("execution_state") == "idle":
            break
    notebook.client.get_shell_msg(timeout=20)
    content = {"comm_id": buttons[0], "data": {"method": "custom", "content": {"event": "click"}}}
    notebook.client.shell_channel.send(notebook.client.session.msg("comm_msg", content))

    def status() -> str:
        return notebook.run("from jobq_magic import Job\nstr(Job.from_id('stoppable').status().phase)").value

    assert eventually(lambda: status() == "'cancelled'", timeout=30)
