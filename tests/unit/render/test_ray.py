"""A run's own Ray cluster on its card: the workers one by one, the tasks, which ran when, and what stays of it."""

from __future__ import annotations

import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jobq_magic.raytold import RayTold
from jobq_magic.render import html, ray, text
from jobq_magic.render.card import Card
from jobq_magic.snapshot import Link, Phase, PhaseTime, Snapshot, WorkerTold

T = 1_800_000_000.0


def node(number: int, **more):
    usual = {"name": f"pi-w-{number}", "head": False, "alive": True, "cpu": 1.9, "cpus": 2}
    held = {"memory": 2_000_000_000, "memory_most": 8_000_000_000, "running": 2, "finished": 40 + number, "failed": 0}
    return usual | held | more


HEAD = node(0, name="pi-head", head=True, cpu=0.3, cpus=1, running=0, finished=0)


def told(*nodes, **more) -> RayTold:
    tasks = [
        {"name": "hits", "running": 4, "pending": 188, "finished": 81, "failed": 3},
        {"name": "", "names": 7, "finished": 9},
    ]
    now = {"at": T + 40, "nodes": [HEAD, *nodes], "tasks": tasks, "actors": {"alive": 2}, "whole": True} | more
    spans = [[0, 1, 0.0, 4.0, 0], [0, 1, 1.0, 5.0, 0], [0, 2, 0.5, 9.5, 1], [1, 2, 9.5, None, 0]]
    names = [each["name"] for each in now["nodes"]]
    line = {"since": T, "names": ["hits", "merge"], "nodes": names, "tasks": spans, "of": 84}
    history = [[T, 0.5, 1_000_000, 0], [T + 20, 3.9, 4_200_000_000, 4], [T + 40, 3.0, 4_000_000_000, 4]]
    return RayTold.read(now, {"line": line, "history": history})


def run(*each: WorkerTold, ray: RayTold, phase: Phase = Phase.RUNNING) -> Snapshot:
    times = [PhaseTime(Phase.STARTING, T - 3), PhaseTime(Phase.RUNNING, T)]
    times += [PhaseTime(phase, T + 41)] * (phase is not Phase.RUNNING)
    links = (Link("ray-dashboard", "Ray dashboard", "http://127.0.0.1:4000/key/job"),)
    return Snapshot(
        run="pi-4f2a1c00",
        name="pi",
        mode="ray",
        where="Ray on team-blue",
        phase=phase,
        created=T - 3,
        workers=len(each) - 1,
        times=tuple(times),
        links=links,
        each=each,
        ray=ray,
    )


EACH = (
    WorkerTold(0, "running", "pi-head", "node-a"),
    WorkerTold(1, "running", "pi-w-1", "node-b"),
    WorkerTold(2, "running", "pi-w-2", "node-a"),
    WorkerTold(3, "starting"),
)
TWO = (node(1), node(2, failed=3, gpu=0.5, gpus=1))


class Tables(HTMLParser):
    """The rows of all tables, and what is drawn for who listens."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.spoken: list[str] = []
        self.tags = 0
        self._in = False
        self.feed(drawn)

    def handle_starttag(self, tag, attrs):
        self.tags += 1
        self._in = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        elif self._in:
            self.rows[-1].append("")
        if dict(attrs).get("role") == "img":
            self.spoken.append(dict(attrs)["aria-label"])

    def handle_endtag(self, tag):
        self._in = self._in and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in or (self.rows and data.strip() and self.get_starttag_text() == "<code>"):
            self.rows[-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")


def test_each_worker_is_told_of_as_the_cluster_and_as_ray_see_it():
    drawn = Tables(html.card(Card(run(*EACH, ray=told(*TWO)), T + 41)))
    assert drawn.rows[:5] == [
        ["worker", "where", "running", "finished", "failed", "cpu", "memory", "gpu"],
        ["driver", "node-a", "", "", "", "0.3 of 1", "2.0 GB of 8.0 GB", ""],
        ["1", "node-b", "2", "41", "0", "1.9 of 2", "2.0 GB of 8.0 GB", ""],
        ["2", "node-a", "2", "42", "3", "1.9 of 2", "2.0 GB of 8.0 GB", "0.5 of 1"],
        ["3", "starting", "", "", "", "", "", ""],
    ]
    assert ["hits", "4", "188", "81", "3"] in drawn.rows
    assert ["7 other names", "0", "0", "9", "0"] in drawn.rows


def test_the_chip_of_the_first_says_that_it_is_the_driver():
    drawn = html.live(Card(run(*EACH, ray=told(*TWO)), T + 41)).state
    assert 'aria-label="Driver: running, node-a, pi-head"' in drawn
    assert 'aria-label="Worker 1: running, node-b, pi-w-1"' in drawn


def test_text_says_the_same():
    said = text.card(Card(run(*EACH, ray=told(*TWO)), T + 41))
    for line in (
        "4 tasks running, 188 waiting, 90 finished, 3 failed",
        "driver: node-a, cpu 0.3 of 1, memory 2.0 GB of 8.0 GB",
        "worker 2: node-a, 2 running, 42 finished, 3 failed, cpu 1.9 of 2, memory 2.0 GB of 8.0 GB, gpu 0.5 of 1",
        "worker 3: starting",
    ):
        assert f"  {line}\n" in said, said


def test_a_worker_that_ray_lost_is_gone_and_one_that_only_ray_knows_has_its_name():
    found = run(EACH[0], EACH[1], ray=told(node(1, alive=False), node(9)))
    assert [row[:2] for row in ray.rows(ray.workers(found))] == [
        ("driver", "node-a"),
        ("1", "node-b · gone"),
        ("pi-w-9", ""),
    ]


def test_of_more_tasks_than_ray_lists_those_that_were_counted_are_told_as_such():
    bare = {name: value for name, value in node(1).items() if name not in ("finished", "failed")}
    many = told(bare, whole=False)
    assert ray.counts(run(ray=many)) == "at least 4 tasks running, 188 waiting, 90 finished, 3 failed"
    drawn = html.card(Card(run(EACH[0], EACH[1], ray=many), T + 41))
    assert "More tasks than Ray lists" in drawn
    assert Tables(drawn).rows[2][2:4] == ["2", "1.9 of 2"]


def test_one_task_is_no_tasks():
    one = told(tasks=[{"name": "fit", "finished": 1}])
    assert ray.counts(run(ray=one)) == "1 task finished"
    assert ray.counts(run(ray=told(tasks=[]))) == ""


def test_the_line_of_time_and_what_was_used_are_spoken_in_a_sentence():
    drawn = html.card(Card(run(*EACH, ray=told(*TWO)), T + 41))
    assert Tables(drawn).spoken == [
        "Time line: 4 tasks on 2 workers within 40.0 s, 1 failed; worker 1: 2 tasks; worker 2: 2 tasks, 1 failed",
        "Over 40.0 s: at most 3.9 cores and 4.2 GB",
    ]
    assert "4 of 84 tasks" in drawn


def test_after_the_end_what_ray_knew_stays_and_the_dashboard_is_told_of_in_the_past(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    ended = run(*EACH, ray=told(*TWO), phase=Phase.SUCCEEDED)
    drawn, said = html.card(Card(ended, T + 60)), text.card(Card(ended, T + 60))
    assert "127.0.0.1:4000" not in drawn + said
    assert "The Ray dashboard lived until 08:00" in drawn
    assert "The Ray dashboard lived until 08:00" in said
    assert "4 tasks running, 188 waiting, 90 finished, 3 failed when Ray was last asked\n" in said
    assert "Workers and tasks: 4 tasks running" in drawn
    assert "<button" not in drawn.partition("Workers and tasks")[2].partition("</details>")[0]


def test_of_tasks_that_had_not_ended_it_says_how_long_before_the_end_that_was():
    late = run(*EACH, ray=told(*TWO, counted=T + 20), phase=Phase.SUCCEEDED)
    assert ray.counts(late).endswith("3 failed when Ray was last asked, 21 s before the end")
    over = told(*TWO, tasks=[{"name": "hits", "finished": 9}], counted=T + 20)
    assert ray.counts(run(*EACH, ray=over, phase=Phase.SUCCEEDED)) == "9 tasks finished"


def test_the_tables_have_names_and_each_row_a_head():
    drawn = html.card(Card(run(*EACH, ray=told(*TWO)), T + 41))
    assert '<table aria-label="Workers">' in drawn
    assert '<table aria-label="Tasks">' in drawn
    assert '<th scope="row" class="jq-first">driver</th>' in drawn
    assert '<th scope="row" class="jq-first"><code>hits</code></th>' in drawn
    assert "<th></th>" not in drawn


def test_a_bar_is_as_long_as_the_part_that_is_used():
    drawn = html.card(Card(run(*EACH, ray=told(node(1, cpu=0.5), node(2, cpu=3.0))), T + 41))
    drawn = drawn.replace("\N{NO-BREAK SPACE}", " ")
    for figures, width in (("0.5 of 2", 25), ("3.0 of 2", 100), ("2.0 GB of 8.0 GB", 25)):
        assert f'{figures}<span class="jq-meter" aria-hidden="true"><i style="width:{width}%">' in drawn


def test_what_happened_after_ray_was_last_asked_for_tasks_is_drawn_as_not_known():
    known = told(*TWO)
    early = replace(known, line=replace(known.line, until=T + 10))
    assert "not known" in html.card(Card(run(*EACH, ray=early), T + 41))
    late = replace(known, line=replace(known.line, until=T + 39))
    assert "not known" not in html.card(Card(run(*EACH, ray=late), T + 41))


def test_tasks_and_what_they_used_are_drawn_on_one_line_of_time_unless_clocks_differ():
    axis = '<div class="jq-axis"><b></b><span>0 s</span><span>{}</span>'
    known = told(*TWO)
    assert axis.format("40.0 s") in html.card(Card(run(*EACH, ray=known), T + 41))
    other = replace(known, line=replace(known.line, since=T + 5000))
    drawn = html.card(Card(run(*EACH, ray=other), T + 41))
    assert axis.format("9.5 s") in drawn
    assert "at most 4.2 GB" in drawn


def test_states_of_actors_are_words():
    drawn = html.card(Card(run(ray=told(actors={"alive": 2, "pending_creation": 1})), T + 41))
    assert "actors: 2 alive, 1 starting" in drawn


def test_a_worker_that_ray_does_not_know_yet_is_where_its_pod_is():
    found = run(*EACH, ray=told(node(1)))
    assert [row[:2] for row in ray.rows(ray.workers(found))][2:] == [("2", "node-a"), ("3", "starting")]


def test_a_live_card_has_what_changes_apart_from_what_unfolds_it():
    first = html.live(Card(run(*EACH, ray=told(*TWO)), T + 41))
    later = html.live(Card(run(*EACH, ray=told(node(1, cpu=0.1), TWO[1])), T + 43))
    assert first.fold == later.fold != ""
    assert first.workers != later.workers
    nothing = html.live(Card(replace(run(*EACH, ray=told(*TWO)), ray=None), T + 41))
    assert (nothing.fold, nothing.workers) == ("", "")


def test_a_thousand_workers_are_drawn_as_a_few_and_counted():
    each = [EACH[0], *(WorkerTold(at, "running", f"pi-w-{at}", "node-b") for at in range(1, 1001))]
    nodes = [node(at) for at in range(1, 1001)]
    spans = [[at % 9, 1 + at % 1000, at / 50, at / 50 + 0.3, 0] for at in range(2000)]
    names = [HEAD["name"], *(each["name"] for each in nodes)]
    line = {"since": T, "names": [f"f{at}" for at in range(9)], "nodes": names, "tasks": spans, "of": 20_000}
    now = {"at": T, "nodes": [HEAD, *nodes], "tasks": [{"name": "f", "running": 2000}], "actors": {}}
    drawn = html.live(Card(run(*each, ray=RayTold.read(now, {"line": line})), T + 41)).workers
    assert len(drawn) < 64_000
    assert "and 969 more" in drawn
    assert "and 988 more" in drawn


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="x', "\x1b[31m", "\u202eevil", "&amp;", "a" * 500, ""]
)
def test_names_of_strangers_act_on_nothing(name):
    nodes = (node(1, name=name),)
    strange = told(*nodes, tasks=[{"name": name or "x", "running": 1}], actors={name: 1})
    drawn = html.live(Card(run(EACH[0], ray=strange), T + 41)).workers
    assert "<script" not in drawn
    assert ' onload="' not in drawn
    assert "\u202e" not in drawn


@pytest.mark.parametrize(
    "now",
    [
        {"at": -1, "nodes": [], "tasks": [], "actors": {}},
        {"at": 1, "nodes": [{"name": "x"}], "tasks": [], "actors": {}},
        {"at": 1, "nodes": [node(1, cpu=float("nan"))], "tasks": [], "actors": {}},
        {"at": 1, "nodes": [], "tasks": "many", "actors": {}},
    ],
)
def test_what_cannot_be_understood_is_refused(now):
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        RayTold.read(now, None)
