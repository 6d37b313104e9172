"""A cell on an embedded Ray: what comes back, what it sees, how it ends."""

from __future__ import annotations

import http.client
import json
import signal
from urllib.parse import urlsplit

from jobq_magic.backends.ray import given
from jobq_magic.backends.ray.backend import RayBackend
from tests.ray.conftest import WORKERS, Cell, alive


def test_a_cell_comes_back_with_its_values_and_what_it_printed(place):
    cell = place.run(
        "from jobq_magic import parallel_map\nprint('hello')\nsquares = parallel_map(square, range(10))\nsum(squares)",
        definitions="def square(x):\n    return x * x",
        outs=("squares",),
    )
    assert cell.stdout == "hello\n"
    assert cell.stderr == ""
    assert cell.values == {"squares": [x * x for x in range(10)]}
    assert [(seen.phase, seen.reason) for seen in cell.seen if seen.phase][-1] == ("succeeded", "")
    links = [link for seen in cell.seen for link in seen.links]
    assert links[0]["href"].endswith(f"/jobs/jobq-{cell.run.id}-1")


def asked(url: str, **headers: str):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    connection.request("GET", parts.path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_the_link_opens_the_dashboard_which_asks_everybody_else_for_the_token(place):
    cell = place.run("1")
    (link, *_) = [link for seen in cell.seen for link in seen.links]
    opened = asked(link["href"])
    assert opened.status == 303
    assert opened.headers["Location"].endswith(f"/#/jobs/jobq-{cell.run.id}-1")
    api = opened.headers["Location"].partition("/#/")[0] + "/api/jobs/"
    assert asked(api).status in (401, 403)
    assert asked(api, Cookie=opened.headers["Set-Cookie"].partition(";")[0]).status == 200


def test_an_exception_is_the_result(place):
    cell = place.start("{}['missing']")
    end = cell.end()
    assert (end.phase, end.reason, end.facts["error"]) == ("failed", "exception", "KeyError: 'missing'")
    assert cell.outcome.error is not None


def test_a_process_that_ends_without_a_result_says_how(place):
    ends = {
        "os._exit(3)": ("exit", {"exit_code": 3}),
        "os._exit(0)": ("no-result", {"exit_code": 0}),
        "os.kill(os.getpid(), signal.SIGKILL)": ("killed", {"signal": signal.SIGKILL}),
        "os.kill(os.getpid(), signal.SIGSEGV)": ("signal", {"signal": signal.SIGSEGV}),
    }
    cells = {code: place.start(f"import os, signal\nprint('before')\n{code}") for code in ends}
    for code, (reason, facts) in ends.items():
        end = cells[code].end()
        assert (end.phase, end.reason, dict(end.facts)) == ("failed", reason, facts)
        assert cells[code].stdout == "before\n"


def test_a_driver_that_never_began_shows_what_ray_says(place, monkeypatch):
    monkeypatch.setattr(given, "job_argv", lambda *_: ["/nowhere/python", "-m", "x"])
    end = place.start("1").end()
    assert (end.phase, end.reason) == ("failed", "ray-failed")
    assert "/nowhere/python: not found" in end.facts["error"]
    assert len(end.facts["error"].splitlines()) == 1


def test_a_submission_made_twice_is_one_job(place, tmp_path):
    run = place.open(f"print('once', file=open({str(tmp_path / 'side')!r}, 'a'))")
    first = place.backend.submit(run, 1)
    assert place.backend.submit(run, 1) == first
    assert RayBackend(place.pool).submit(run, 1) == first
    assert Cell(place, run, first).end().phase == "succeeded"
    assert (tmp_path / "side").read_text() == "once\n"


def test_another_follower_takes_a_job_up_where_it_finds_it(place, tmp_path):
    gate = tmp_path / "gate"
    cell = place.start(
        f"import os, time\nprint('in')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\nprint('out')"
    )
    cell.until("in")
    place.backend = RayBackend(place.pool)
    assert cell.look().phase is None
    gate.touch()
    assert cell.end().phase == "succeeded"
    assert cell.stdout == "in\nout\n"


def test_a_cell_sees_the_workers_that_it_asked_for_and_what_it_was_given(place, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "kernel")
    cell = place.run(
        "import os, ray, jobq_magic as j\n"
        "here = j.get_num_workers(), j.get_total_cpus(), j.get_ray_resources()['CPU'], j.is_ray_available()\n"
        "env = j.parallel_map(lambda name: os.environ.get(name), ['GIVEN', 'ONLY_HERE', 'JOBQ_RUN'])\n"
        "env_here = os.environ.get('GIVEN')",
        outs=("here", "env", "env_here"),
        env={"GIVEN": "this"},
    )
    assert cell.values["here"] == (WORKERS, WORKERS, WORKERS, True)
    assert cell.values["env"] == ["this", None, cell.run.id]
    assert cell.values["env_here"] == "this"


def test_a_ray_init_that_was_written_for_another_place_joins_this_one(place):
    cell = place.run(
        "import ray, jobq_magic\n"
        "one = jobq_magic.parallel_map(abs, [-1])\n"
        "ray.init(num_cpus=7)\n"
        "cpus = ray.cluster_resources()['CPU']\n"
        "ray.shutdown()\n"
        "ray.init()\n"
        "again = ray.get(ray.remote(lambda x: -x).remote(-2))\n"
        "try:\n    ray.init()\nexcept RuntimeError as error:\n    twice = str(error)",
        outs=("one", "cpus", "again", "twice"),
    )
    assert cell.values["cpus"] == WORKERS
    assert cell.values["again"] == 2
    assert "twice" in cell.values["twice"]
    assert "jobq: num_cpus=7 of ray.init has no effect" in cell.stderr


def test_each_line_of_the_workers_arrives_once_as_it_was_printed_and_before_what_the_cell_prints_next(place):
    cell = place.run(
        "import os, sys, jobq_magic\n"
        "def talk(i):\n    print('the same')\n    os.write(1, b'raw\\n')\n    print('aside', file=sys.stderr)\n"
        "jobq_magic.parallel_map(talk, range(40))\nprint('mine')",
    )
    lines = cell.stdout.splitlines()
    assert sorted(lines[:-1]) == ["raw"] * 40 + ["the same"] * 40
    assert lines[-1] == "mine"
    assert cell.stderr == "aside\n" * 40


def test_a_worker_displays_as_the_cell_does(place):
    cell = place.run(
        "from jobq_magic import parallel_map\nparallel_map(show, [1])",
        definitions="def show(x):\n    display({'text/plain': f'item {x}'}, raw=True)",
    )
    (shown,) = map(json.loads, cell.run.paths.attempt(1).displays.read_text().splitlines())
    assert shown["data"] == {"text/plain": "item 1"}


def test_what_a_cell_leaves_running_ends_with_it(place, tmp_path):
    note = tmp_path / "pid"
    started = (
        "import subprocess\n"
        "job = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        f"print(job.pid, file=open({str(note)!r}, 'w'))"
    )
    place.run(started)
    assert not alive(int(note.read_text()))
    place.run(f"from jobq_magic import parallel_map\ncode = {started!r}\nparallel_map(lambda _: exec(code, {{}}), [0])")
    assert not alive(int(note.read_text()))
