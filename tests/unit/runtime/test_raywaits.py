"""A task that no worker can ever hold is told, with what it asks for and the option that gives it."""

from __future__ import annotations

import pytest

from jobq_magic.runtime.raywaits import PENDING, Waits

HEAD = {"memory": 1e9, "node:InternalHead": 1.0}
WORKER = {"CPU": 2.0, "memory": float(800 << 20), "node:10.0.0.7": 1.0}


def task(name="work", state=PENDING, kind="NORMAL_TASK", **needs):
    return {"name": name, "func_or_class_name": name, "state": state, "type": kind, "required_resources": needs}


@pytest.fixture
def seen():
    """The sentences after tasks have stood so, a minute long."""

    def seen(rows, nodes=(HEAD, WORKER), until=60, asked=({"CPU": 2, "GPU": 0, "memory": 800 << 20},)):
        told = []
        waits = Waits(told.append, asked)
        for now in range(0, until + 1, 5):
            if waits.unclear(rows, now):
                waits.learn([row for row in rows if row["state"] == PENDING], now)
            waits.look(rows, nodes, now)
            waits.tell(now)
        return told

    return seen


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (
            {"CPU": 1, "GPU": 1},
            "1 GPU, and no worker has as much; ask for more with --gpus, or for less in the task",
        ),
        ({"CPU": 3}, "3 CPUs, and no worker has as much; ask for more with --cpus, or for less in the task"),
        (
            {"CPU": 3, "memory": 20 << 30},
            (
                "3 CPUs and 20,480 MiB of memory, and no worker has as much; "
                "ask for more with --cpus and --memory, or for less in the task"
            ),
        ),
    ],
)
def test_what_a_task_asks_for_that_no_worker_has_is_told_once(seen, needs, told):
    assert seen([task(**needs), task(**needs)]) == [f"`work` cannot begin: it asks for {told}"]


def test_an_actor_is_named_by_its_class(seen):
    sentence = "The actor `Model` cannot begin: it asks for 1 GPU, and no worker has as much; "
    way = "ask for more with --gpus, or for less in it"
    assert seen([task("Model.__init__", kind="ACTOR_CREATION_TASK", GPU=1)]) == [sentence + way]


@pytest.mark.parametrize(
    "rows",
    [
        [task(CPU=2), task(CPU=1, memory=1 << 20)],
        [task(state="RUNNING", GPU=1)],
        [task(CPU_group_0_ab12=1)],
        [task(disk=1)],
        [task()],
    ],
    ids=[
        "what a worker can hold",
        "what runs",
        "a placement group",
        "kinds of a profile's own",
        "what asks for nothing",
    ],
)
def test_nothing_is_told_of(seen, rows):
    assert seen(rows) == []


def test_workers_that_were_asked_for_count_before_they_are_up(seen):
    kinds = {"CPU": 2, "GPU": 0, "memory": 800 << 20}, {"CPU": 1, "GPU": 1, "memory": 4 << 30}
    for needs in {"CPU": 2}, {"memory": 4 << 30}, {"GPU": 1, "memory": 2 << 30}:
        assert seen([task(**needs)], nodes=(HEAD,), asked=kinds) == []
    assert len(seen([task(CPU=2, GPU=1)], nodes=(HEAD,), asked=kinds)) == 1


def test_of_workers_whose_memory_is_the_namespaces_to_say_nothing_is_told_of_it(seen):
    assert seen([task(memory=64 << 30)], nodes=(HEAD,), asked=({"CPU": 1, "GPU": 0},)) == []
    assert len(seen([task(GPU=1)], nodes=(HEAD,), asked=({"CPU": 1, "GPU": 0},))) == 1


def test_what_waits_has_half_a_minute_and_a_node_that_nobody_asked_for_counts_too(seen):
    assert seen([task(GPU=1)], until=25) == []
    assert seen([task(GPU=1)], nodes=(HEAD, WORKER, {"CPU": 1.0, "GPU": 1.0})) == []


def test_where_no_node_has_all_of_it_at_once_all_of_it_is_told(seen):
    (told,) = seen([task(CPU=2, GPU=1)], nodes=(HEAD, WORKER, {"CPU": 1.0, "GPU": 1.0}))
    assert "it asks for 2 CPUs and 1 GPU, and no worker has as much" in told


def test_of_calls_with_one_name_the_one_that_fits_nowhere_counts(seen):
    assert len(seen([task(CPU=1), task(GPU=1)])) == 1


def test_what_calls_of_one_name_ask_for_is_asked_again_while_they_wait(seen):
    waits = Waits([].append, [{"CPU": 1, "GPU": 0}])
    assert waits.unclear([task(CPU=1)], 0)
    waits.learn([task(CPU=1)], 0)
    assert not waits.unclear([task(CPU=1)], 29)
    assert waits.unclear([task(CPU=1)], 30)
    assert waits.unclear([task(CPU=1), task("other")], 10)


def test_three_names_are_told_and_no_more(seen):
    assert len(seen([task(f"work{number}", GPU=1) for number in range(5)])) == 3


def test_a_sentence_that_cannot_be_noted_is_noted_with_the_next_look():
    told = []

    def note(sentence):
        told.append(sentence)
        if len(told) == 1:
            raise OSError

    waits = Waits(note, [{"CPU": 1, "GPU": 0}])
    waits.learn([task(GPU=1)], 0)
    for now in (0, 30):
        waits.look([task(GPU=1)], [HEAD], now)
    with pytest.raises(OSError):
        waits.tell(30)
    waits.tell(32)
    waits.tell(34)
    assert len(told) == 2
