"""The parts of the Ray backend that need no Ray."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from jobq_magic.backends.ray import ending, given, launch
from jobq_magic.backends.ray.launch import QUICK
from jobq_magic.backends.ray.reasons import reason_in
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.protocols import Observation
from jobq_magic.runtime.marks import end_marked
from jobq_magic.runtime.process import started
from tests.support import eventually


@pytest.mark.parametrize(
    ("spec", "shape", "options", "words"),
    [
        ({"workers": 4}, Shape(4), ["--num-cpus=4", "--num-gpus=0"], "4 workers of 1 CPU"),
        ({"workers": 3, "cpus": 2}, Shape(3, 2), ["--num-cpus=6", "--num-gpus=0"], "3 workers of 2 CPUs"),
        ({"workers": 3, "cpus": 0.5}, Shape(3), ["--num-cpus=3", "--num-gpus=0"], "3 workers of 1 CPU"),
        (
            {"workers": 1, "gpus": 1, "memory": "2Gi"},
            Shape(1, gpus=1, memory=2 << 30),
            ["--num-cpus=1", "--num-gpus=1", f"--memory={2 << 30}"],
            "1 worker of 1 CPU, 1 GPU, 2 GiB",
        ),
    ],
)
def test_a_shape_is_what_was_asked_for(spec, shape, options, words):
    assert Shape.of(spec) == shape
    assert shape.options == options
    assert str(shape) == words


def test_runs_share_a_cluster_only_with_equal_shape_interpreter_and_ray():
    key = Shape(4).key("/python", "2.60.0")
    others = Shape(3).key("/python", "2.60.0"), Shape(4).key("/other", "2.60.0"), Shape(4).key("/python", "2.61.0")
    assert key == Shape(4).key("/python", "2.60.0")
    assert key not in others


def test_a_cluster_gets_nothing_of_the_environment_that_says_who_the_user_is():
    inherited = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "LC_ALL": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "1",
        "https_proxy": "http://proxy:3128",
        "HTTP_PROXY": "http://me:password@proxy:3128",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "GITHUB_TOKEN": "secret",
        "JPY_API_TOKEN": "secret",
        "RAY_ADDRESS": "elsewhere:6379",
        "RAY_AUTH_TOKEN": "the user's own",
        "PYTHONPATH": "/home/me/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    given = launch.environment(inherited, "token")
    kept = {"PATH", "HOME", "LC_ALL", "CUDA_VISIBLE_DEVICES", "https_proxy"}
    assert {name for name in given if name in inherited and given[name] == inherited[name]} == kept
    assert given["RAY_AUTH_TOKEN"] == "token"
    assert "RAY_ADDRESS" not in given


@pytest.mark.parametrize("target", [{}, {"address": "http://ray.example.org:8265"}, {"raycluster": "shared"}])
def test_no_line_of_a_worker_is_hidden_behind_a_repeated_5x(target):
    known = given.variables(SimpleNamespace(id="r1", spec={"workers": 2}, target=target))
    assert (known["RAY_DEDUP_LOGS"], known["RAY_COLOR_PREFIX"]) == ("0", "0")


@pytest.mark.parametrize(("store", "place"), [("s3://results/lab", "s3://results/lab/data/r1"), ("", None)])
def test_a_run_on_a_ray_that_is_there_finds_its_own_place_in_the_store(store, place):
    target = {"address": "http://ray.example.org:8265", "site": {"store": store}}
    assert given.variables(SimpleNamespace(id="r1", spec={}, target=target)).get("JOBQ_DATA") == place


def test_what_stands_before_a_slow_module_is_that_module_once_it_is_used(tmp_path):
    real = tmp_path / "rfc3987_syntax"
    real.mkdir()
    (real / "__init__.py").write_text("from .helpers import *\nloaded = True\n")
    (real / "helpers.py").write_text("def is_valid_syntax(rule, text): return rule, text\nprint('slow')\n")
    code = (
        "from rfc3987_syntax import is_valid_syntax\n"
        "print('quick')\n"
        "print(is_valid_syntax('iri', 'x'))\n"
        "import rfc3987_syntax\n"
        "print(rfc3987_syntax.loaded)\n"
        "from rfc3987_syntax import helpers\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": f"{QUICK}:{tmp_path}"}, capture_output=True, text=True
    )
    assert shown.stdout.splitlines() == ["quick", "slow", "('iri', 'x')", "True"], shown.stderr
    absent = subprocess.run(
        [sys.executable, "-S", "-c", "import rfc3987_syntax"],
        env={"PYTHONPATH": str(QUICK)},
        capture_output=True,
        text=True,
    )
    assert "ModuleNotFoundError: No module named 'rfc3987_syntax'" in absent.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Traceback\n  File x\nValueError: \x1b[1mtoo many\x1b[0m\n12:00 INFO node.py:1 -- goodbye\n",
            "ValueError: too many",
        ),
        ("last available logs:\nsh: 1: exec: /nowhere: not found\n", "sh: 1: exec: /nowhere: not found"),
        ("one\ntwo\n", "two"),
        ("RuntimeError: " + "x" * 1000, "RuntimeError: " + "x" * 286 + "…"),
        ("", ""),
    ],
)
def test_of_what_ray_says_at_length_one_line_says_why(text, reason):
    assert reason_in(text) == reason


@pytest.mark.parametrize(
    ("code", "begun", "end"),
    [
        (-9, True, ("killed", {"signal": 9})),
        (-11, True, ("signal", {"signal": 11})),
        (3, True, ("exit", {"exit_code": 3})),
        (0, True, ("no-result", {"exit_code": 0})),
        (1, False, ("ray-failed", {"error": "OSError: no runtime_env"})),
        (None, True, ("ray-failed", {"error": "OSError: no runtime_env"})),
    ],
)
def test_a_driver_that_says_no_end_ended_as_its_process_did_where_it_began(code, begun, end):
    status = {"status": "FAILED", "message": "OSError: no runtime_env", "driver_exit_code": code}
    assert ending.seen(status, begun=begun) == Observation("failed", *end)


@pytest.mark.parametrize(
    ("phase", "asked", "seen"),
    [("failed", "stopped", "cancelled"), ("succeeded", "stopped", "succeeded"), ("failed", "", "failed")],
)
def test_what_is_raised_by_a_request_to_end_is_no_failure(phase, asked, seen):
    assert ending.said({"phase": phase, "at": 5.0}, asked) == Observation(
        seen, asked if seen == "cancelled" else "", at=5.0
    )


def test_processes_of_a_run_are_found_by_their_environment():
    def start(run):
        return subprocess.Popen(
            ["sleep", "1000"], env={"JOBQ_RUN": run, "PATH": "/usr/bin:/bin"}, start_new_session=True
        )

    with start("cell-1") as mine, start("cell-12") as other:
        end_marked("cell-1")
        assert eventually(mine.poll) is not None
        assert started(other.pid) is not None
        other.kill()
