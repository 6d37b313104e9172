"""What a kernel, and a terminal, offer while `%%jobq` and `%jobq` are typed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.notebooks.conftest import opened


@pytest.fixture(scope="module")
def notebook(environment):
    with opened(environment, person=True) as notebook:
        notebook.run("%unload_ext jobq_magic")
        notebook.run("%load_ext jobq_magic")
        notebook.run("import math\nframe = [1]\nfrom_here = 2\n_private = 3\nother = 4")
        yield notebook


def offered(notebook, code: str) -> dict[str, str]:
    """What Tab offers at `|`, and of what kind each is."""
    at = code.index("|")
    request = notebook.client.complete(code[:at] + code[at + 1 :], at)
    while (reply := notebook.client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != request:
        pass
    kinds = reply["content"]["metadata"]["_jupyter_types_experimental"]
    return {each["text"]: each["type"] for each in kinds if each["end"] == at}


def recorded(name: str, count: int = 1) -> str:
    """Code that puts runs that have ended into the store."""
    return (
        "from jobq_magic.runs.store import Store as _Store\n"
        f"for number in range({count}):\n"
        "    _run = _Store().open(spec={'mode': 'local', 'workers': None},"
        f" target={{'backend': 'local', 'where': 'this machine'}}, name=f'{name}')\n"
        "    _Store().append(_run, phase='failed', reason='refused')\n"
    )


def test_options_are_offered_on_the_first_line(notebook):
    found = offered(notebook, "%%jobq --mo|\n1 + 1")
    assert found == {"--mode": "option"}
    assert {"--workers", "--out", "--no-wait", "--no-out"} <= set(offered(notebook, "%%jobq --mode local --|\n"))
    assert "--mode" not in offered(notebook, "%%jobq --mode local --|\n")
    assert {"--no-out", "--no-wait", "--no-lock", "--no-requeue"} == set(offered(notebook, "\n\n%%jobq --no|\n"))


@pytest.mark.parametrize("typed", ["%%jobq --mode |", "%%jobq --mode=|", "%%jobq --cpus 2 --mode |"])
def test_modes_are_offered_and_nothing_else(notebook, typed):
    assert offered(notebook, typed + "\nx = 1") == dict.fromkeys(("local", "ray", "docker", "kueue", "rayjob"), "value")


def test_names_of_the_namespace_are_offered_without_modules_and_private_ones(notebook):
    found = offered(notebook, "%%jobq --include |\n1")
    assert {"frame", "from_here", "other"} <= set(found)
    assert not {"math", "_private", "In", "Out", "exit", "get_ipython"} & set(found)


def test_a_list_with_commas_is_completed_at_its_end_without_what_it_holds(notebook):
    found = offered(notebook, "%%jobq --exclude frame,f|\n1")
    assert set(found) == {"from_here"}


@pytest.mark.parametrize("flag", ["-o ", "--out ", "--out="])
def test_out_offers_first_what_the_cell_binds(notebook, flag):
    found = list(offered(notebook, f"%%jobq {flag}|\nmodel, score = fit(x)\nif score == 1:\n    inner = 2"))
    assert found[:2] == ["model", "score"]
    assert "frame" in found
    assert "inner" not in found


def test_a_name_in_braces_is_completed(notebook):
    assert offered(notebook, "%%jobq --name x-{fr|\n1") == {"frame": "name", "from_here": "name"}
    assert set(offered(notebook, "%%jobq --workers {len(fra|\n1")) == {"frame"}


def test_profiles_of_the_project_are_offered(notebook, environment):
    project = Path(environment["BASE"], "work", "pyproject.toml")
    project.write_text("[tool.jobq.profiles.big]\nmode = 'ray'\n[tool.jobq.profiles.small]\nmode = 'local'\n")
    assert set(offered(notebook, "%%jobq --profile |\n1")) == {"big", "small"}
    project.unlink()


def test_variables_are_offered_by_name_only(notebook):
    assert offered(notebook, "%%jobq --env JOBQ_HO|\n1") == {"JOBQ_HOME": "value"}


def test_the_body_of_the_cell_is_completed_as_ever(notebook):
    assert "from_here" in offered(notebook, "%%jobq --mode local\nfrom_h|")
    assert "path" in offered(notebook, "import os\nos.pa|")
    assert "--mode" not in offered(notebook, "x = 1\n%%jobq --mo|")
    assert "local" not in offered(notebook, "'%%jobq --mode' + lo|")


def test_verbs_and_their_options_are_offered(notebook):
    assert {"status", "logs", "list", "stop"} <= set(offered(notebook, "%jobq |"))
    assert offered(notebook, "%jobq sto|") == {"stop": "verb"}
    assert "--live" in offered(notebook, "x = 1\n%jobq list --|")
    assert {"status", "stop"} == set(offered(notebook, "%jobq ray |"))
    assert {"show", "list", "prune"} <= set(offered(notebook, "%jobq image |"))
    assert {"--older-than", "--registry", "--dry-run", "--help"} == set(offered(notebook, "%jobq image prune --|"))
    assert offered(notebook, "%jobq config --mod|") == {"--mode": "option"}
    assert offered(notebook, "%jobq config --ini|") == {"--init": "option"}


def test_runs_are_offered_with_their_phase(notebook):
    notebook.run(recorded("tabbed"))
    found = offered(notebook, "job = %jobq result tab|")
    assert [kind for name, kind in found.items() if name.startswith("tabbed-")] == ["failed"]
    assert "tabbed" in found
    assert "tabbed" not in offered(notebook, "%jobq status tabbed tab|")
    assert "tabbed" in offered(notebook, "%jobq image show tab|")
    assert "tabbed" not in offered(notebook, "%jobq image list tab|")


def test_a_thousand_runs_do_not_slow_it_down(environment, tmp_path):
    store = tmp_path / "store"
    with opened({**environment, "JOBQ_HOME": str(store)}, person=True) as notebook:
        assert notebook.run(recorded("many-{number}", 1000)).error is None
        assert len(offered(notebook, "%jobq status |")) == 40
        took = []
        for _ in range(5):
            began = time.perf_counter()
            offered(notebook, "%jobq status |")
            took.append(time.perf_counter() - began)
    assert min(took) < 0.05, took


def test_unloading_takes_completion_out(environment):
    with opened(environment, person=True) as notebook:
        notebook.run("%unload_ext jobq_magic")
        assert not offered(notebook, "%%jobq --mo|\n1")
        assert notebook.run("print(get_ipython().Completer.custom_matchers)").stdout == "[]\n"


def test_without_the_provisional_interface_loading_still_works(environment):
    with opened(environment, person=True) as notebook:
        notebook.run("%unload_ext jobq_magic\nimport IPython.core.completer as c\ndel c.context_matcher")
        assert notebook.run("%load_ext jobq_magic").error is None
        assert not offered(notebook, "%%jobq --mo|\n1")
        assert notebook.run("%unload_ext jobq_magic").error is None


def test_a_terminal_offers_options_too(environment):
    import pexpect

    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=NoColor"],
        env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        cwd=f"{environment['BASE']}/work",
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 100),
    )
    try:
        shell.expect("In \\[1\\]")
        shell.send("%load_ext jobq_magic\r")
        shell.expect("In \\[2\\]")
        shell.send("%jobq sta\t")
        shell.expect("tus")  # a terminal may be sent no more than what is new
        shell.send(" --he\t")
        shell.expect("lp")
        shell.send("\r")
        shell.expect("Where a run stands")
    finally:
        shell.close(force=True)
