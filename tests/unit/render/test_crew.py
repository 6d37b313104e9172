from __future__ import annotations

import json
from dataclasses import replace

from jobq_magic.raytold import NodeTold, RayTold
from jobq_magic.render import crew, timeline
from jobq_magic.snapshot import Phase, PhaseTime, Snapshot, Usage, WorkerTold

BARE = Snapshot("r-1", "r", "kueue", "queue main", Phase.RUNNING, 1.0)
GB = 1 << 30


def node(name, **more):
    known = {"head": False, "alive": True, "cpu": 1.5, "cpus": 4.0, "memory": GB, "memory_most": 2 * GB, "store": 0}
    known |= {"gpu": None, "gpus": 0, "running": 3, "finished": 7, "failed": 0}
    return NodeTold(**{"name": name, **known, **more})


def test_a_worker_has_its_place_its_state_and_what_it_uses():
    each = (WorkerTold(0, "running", "pod-0", "node-a"), WorkerTold(1, "starting", "pod-1", "node-b"))
    usage = (Usage("0", 1.5, 10, 20, (1.0, 1.5), (9, 10)),)
    first, second = crew.crew(replace(BARE, each=each, usage=usage))
    assert (first.name, first.rank, first.pod, first.node, first.state) == ("0", 0, "pod-0", "node-a", "running")
    assert (first.cpu, first.memory, first.peak) == (1.5, 10, 20)
    assert (first.cpu_history, first.memory_history) == ((1.0, 1.5), (9, 10))
    assert second.phase == "starting"


def test_what_nobody_tells_of_a_worker_is_not_zero():
    (one,) = crew.crew(replace(BARE, each=(WorkerTold(0, "starting"),)))
    assert (one.cpu, one.memory, one.gpu, one.cpus, one.tasks) == (None,) * 5


def test_a_worker_that_is_ten_is_not_the_one_that_is_one():
    each = tuple(WorkerTold(rank, "running") for rank in (1, 10))
    one, ten = crew.crew(replace(BARE, each=each, usage=(Usage("10", 3.0, 1, 1), Usage("1", 2.0, 1, 1))))
    assert (one.cpu, ten.cpu) == (2.0, 3.0)


def test_several_processes_of_one_worker_are_told_together():
    usage = (Usage("0 driver", 1.0, 10, 10, (0.5, 1.0)), Usage("0 1", 2.0, 5, 8, (2.0,)))
    (one,) = crew.crew(replace(BARE, each=(WorkerTold(0, "running"),), usage=usage))
    assert (one.cpu, one.memory, one.cpu_history) == (3.0, 15, (0.5, 3.0))


def test_processes_of_a_place_that_tells_of_no_workers_are_told_by_themselves():
    (plain,) = crew.crew(replace(BARE, mode="local", usage=(Usage("", 1.0, 5, 5),)))
    assert (plain.name, plain.rank, plain.cpu) == ("", None, 1.0)


def test_ray_tells_what_there_is_for_each_pod_and_how_many_tasks_it_has():
    each = (WorkerTold(0, "running", "head"), WorkerTold(1, "running", "w-1"))
    ray = RayTold(1.0, (node("head", head=True), node("w-1", gpu=0.5, gpus=1), node("w-9", alive=False)))
    snapshot = replace(BARE, mode="rayjob", each=each, ray=ray, usage=(Usage("driver", 0.2, 3, 4),))
    head, worker, other = crew.crew(snapshot)
    assert (head.name, head.cpu, head.cpus) == ("driver", 0.2, 4.0)
    assert (worker.gpu, worker.gpus, worker.memory, worker.memory_most, worker.tasks) == (0.5, 1, GB, 2 * GB, 3)
    assert (other.pod, other.state) == ("w-9", "gone")


def test_what_is_wrong_with_a_worker_is_told_in_a_sentence():
    (one,) = crew.crew(replace(BARE, each=(WorkerTold(0, "failed", reason="exit", facts={"exit_code": 3}),)))
    assert one.sentence == "The cell ended its process with exit status 3"


def test_names_that_a_cluster_or_a_job_made_up_come_through_as_they_are():
    hostile = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
    snapshot = replace(BARE, each=(WorkerTold(0, "running", hostile, hostile),), usage=(Usage(hostile, 1.0, 1, 1),))
    told = json.loads(json.dumps(crew.as_json(crew.crew(snapshot))))
    assert (told[0]["pod"], told[0]["node"], told[1]["name"]) == (hostile,) * 3


def test_the_line_of_time_goes_through_all_attempts():
    phases = [("queued", 1.0, 1), ("running", 2.0, 1), ("queued", 5.0, 2), ("running", 7.0, 2)]
    times = tuple(PhaseTime(Phase(phase), at, attempt) for phase, at, attempt in phases)
    assert timeline.as_json(timeline.timeline(replace(BARE, times=times))) == [
        {"phase": "queued", "at": 1.0, "until": 2.0, "attempt": 1},
        {"phase": "running", "at": 2.0, "until": 5.0, "attempt": 1},
        {"phase": "queued", "at": 5.0, "until": 7.0, "attempt": 2},
        {"phase": "running", "at": 7.0, "until": None, "attempt": 2},
    ]


def test_an_end_lasts_no_time():
    times = (PhaseTime(Phase.RUNNING, 1.0), PhaseTime(Phase.FAILED, 4.0))
    *_, end = timeline.timeline(replace(BARE, phase=Phase.FAILED, times=times))
    assert (end.phase, end.at, end.until) == ("failed", 4.0, 4.0)


def test_a_run_of_which_nothing_is_known_has_no_line_and_no_crew():
    assert timeline.timeline(BARE) == ()
    assert crew.crew(BARE) == ()
