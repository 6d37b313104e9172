"""What Ray did to a run's work is told in a few sentences, each once, with a count and a way out."""

from __future__ import annotations

import pytest

from jobq_magic.runtime.raynews import News

NODES = {
    "n0": {"name": "pi-head", "head": True, "memory_most": 2 << 30},
    "n1": {"name": "pi-worker-a", "head": False, "memory_most": 800 << 20},
    "n2": {"name": "pi-worker-b", "head": False, "memory_most": 800 << 20},
}


@pytest.fixture
def told():
    """The sentences so far, and by `news` who says them."""

    class Told(list):
        pass

    found = Told()
    found.news = News(found.append)
    found.news.nodes(NODES, {}, 0)
    return found


def killed(number, name="work", node="n1", error="OUT_OF_MEMORY", **more):
    row = {"task_id": f"t{number}", "attempt_number": 0, "name": name, "func_or_class_name": name, "node_id": node}
    return {**row, "type": "NORMAL_TASK", "error_type": error, **more}


def dead(number, name="Model", node="n1", **cause):
    return {"actor_id": f"a{number}", "class_name": name, "node_id": node, "death_cause": cause}


def died(reason, message):
    return {"actor_died_error_context": {"reason": reason, "error_message": f"The actor is dead. {message}"}}


def test_tasks_killed_for_memory_are_told_once_when_no_more_of_them_come(told):
    told.news.tasks([killed(1)], 0)
    told.news.tasks([killed(1), killed(2), killed(2, attempt_number=1)], 5)
    told.news.tell(14)
    assert told == []
    told.news.tell(15)
    assert told == [
        (
            "Ray killed 3 tasks of `work` on the worker pi-worker-a, as memory was full (800 MiB): "
            "ask for more with --memory, or run fewer at once"
        )
    ]
    told.news.tasks([killed(4)], 20)
    told.news.tell(100)
    told.news.tell(101, last=True)
    assert len(told) == 1


def test_what_does_not_stop_is_told_after_half_a_minute(told):
    for second in range(0, 40, 5):
        told.news.tasks([killed(number) for number in range(second + 1)], second)
        told.news.tell(second)
    assert told[0].startswith("Ray killed 31 tasks of `work`")


def test_at_the_end_all_is_told(told):
    told.news.tasks([killed(1, node="n0"), killed(2, "fit", "n1"), killed(3, "fit", "n2")], 0)
    told.news.tell(0, last=True)
    assert told == [
        (
            "Ray killed a task of `work` on the head, as memory was full (2,048 MiB): "
            "ask for more with --driver-memory, or run fewer at once"
        ),
        (
            "Ray killed 2 tasks of `fit` on 2 nodes, as memory was full (800 MiB): "
            "ask for more with --memory, or run fewer at once"
        ),
    ]


def test_of_many_names_a_few_are_told(told):
    told.news.tasks([killed(number, f"f{number}") for number in range(50)], 0)
    told.news.tell(0, last=True)
    assert [note.partition(" on ")[0] for note in told] == [
        *(f"Ray killed a task of `f{number}`" for number in range(3)),
        "Ray killed 47 tasks of other names",
    ]


def test_a_task_that_lost_its_process_is_told_unless_that_was_wished(told):
    lost = [killed(number, error="WORKER_DIED") for number in range(3)]
    assert told.news.tasks(lost, 0)  # whose wish it was, only the details say
    words = ["exit_type: SYSTEM_ERROR", "Job finishes (01) as driver exits", "exit_type: INTENDED_USER_EXIT"]
    detailed = [{**row, "error_message": said} for row, said in zip(lost, words, strict=True)]
    assert not told.news.tasks(detailed, 0)
    assert not told.news.tasks(lost, 1)
    told.news.tell(1, last=True)
    assert told == [
        (
            "A task of `work` was lost on the worker pi-worker-a, as the process crashed or ended: "
            "what it printed last may say why; if its memory was full, ask for more with --memory"
        )
    ]


def test_actors_that_died_are_told_and_those_that_were_let_go_are_not(told):
    told.news.actors(
        [
            dead(1, **died("WORKER_DIED", "Worker exit type: SYSTEM_ERROR Worker exit detail: ...")),
            dead(2, **died("WORKER_DIED", "Worker exit type: INTENDED_USER_EXIT")),
            dead(3, **died("OUT_OF_SCOPE", "")),
            dead(4, **died("RAY_KILL", "")),
            dead(5, "Shard", oom_context={"error_message": ""}),
            dead(6, "Cache", **died("NODE_DIED", "")),
            dead(7, "Cache", node="unknown", **died("NODE_DIED", "")),
        ],
        0,
    )
    told.news.tell(0, last=True)
    assert [note.partition(":")[0] for note in told] == [
        "An actor of `Model` was lost on the worker pi-worker-a, as the process crashed or ended",
        "Ray killed an actor of `Shard` on the worker pi-worker-a, as memory was full (800 MiB)",
        "2 actors of `Cache` were lost with a node that is gone",
    ]


def test_objects_that_went_to_disk_are_told_in_all(told):
    told.news.nodes(NODES, {"n1": 1 << 30, "n2": 0}, 0)
    told.news.nodes(NODES, {"n1": 20 << 30, "n2": 0}, 5)
    told.news.nodes({}, {}, 6)
    told.news.tell(15)
    assert told == [
        (
            "Ray moved 20.0 GiB of objects to disk on the worker pi-worker-a, which is slow: its memory for objects "
            "was full; ask for more with --shm, or let go of what is not needed any more (del)"
        )
    ]
