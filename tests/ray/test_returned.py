"""What a cell gives back that is an object of Ray comes back as what it is; what cannot is told, with the way."""

from __future__ import annotations

import json

from tests.support import eventually

TASKS = """
import ray, time

@ray.remote
def double(n):
    return 2 * n

@ray.remote
def nest(n):
    return [double.remote(n)]

@ray.remote
def fail(n):
    raise ValueError(f'no {n}')

@ray.remote
def count(n):
    yield n

@ray.remote
class Counter:
    def count(self):
        return 1
"""


def lost(cell):
    return {one["name"]: one["reason"] for one in cell.outcome.skipped}


def test_objects_come_back_as_what_they_are_also_in_lists_tuples_and_dicts(place):
    cell = place.run(
        TASKS + "one = double.remote(1)\n"
        "several = [double.remote(n) for n in range(3)]\nthe_same = several\n"
        "named = {'a': double.remote(1), 'deep': ([double.remote(4)], 'text')}\n"
        "nested = nest.remote(5)\nput = ray.put([1, 2])\nplain = [1, [2]]\n"
        "known.append(double.remote(6))\n"
        "one, several[2]",
        values={"known": [0]},
        outs=("one", "several", "the_same", "named", "nested", "put", "plain"),
    )
    values = cell.values
    assert values.pop("the_same") is values["several"]
    assert values == {
        "one": 2,
        "several": [0, 2, 4],
        "named": {"a": 2, "deep": ([8], "text")},
        "nested": [10],
        "put": [1, 2],
        "plain": [1, [2]],
    }
    assert cell.outcome.changed == {"known": [0, 12]}
    assert cell.outcome.value == (2, 4)
    assert lost(cell) == {}


def test_a_cell_that_leaves_gives_its_objects_too(place):
    assert place.run(TASKS + "one = double.remote(1)\nraise SystemExit", outs=("one",)).values == {"one": 2}


def test_the_last_value_raises_what_its_task_raised(place):
    cell = place.start(TASKS + "[double.remote(1), fail.remote(7)]")
    end = cell.end()
    assert (end.phase, end.reason) == ("failed", "exception")
    assert end.facts["error"].startswith("RayTaskError(ValueError)")
    assert isinstance(cell.outcome.error, ValueError)


def test_a_name_whose_task_raised_does_not_come_back_and_the_others_do(place):
    cell = place.run(
        TASKS + "bad = fail.remote(7)\ntry:\n    ray.get(bad)\nexcept ValueError:\n    pass\n"
        "mixed = [double.remote(1), fail.remote(8)]\ngood = double.remote(2)",
        outs=("bad", "mixed", "good"),
    )
    assert cell.values == {"good": 4}
    assert lost(cell) == {
        "bad": "its task raised ValueError: no 7",
        "mixed": "its task raised ValueError: no 8",
    }


def test_what_lives_on_ray_names_the_way_by_which_it_comes_back(place):
    cell = place.run(
        TASKS + "import ray.data\ncounter = Counter.remote()\nhandles = [counter.count]\n"
        "data = ray.data.from_items([1])\nhidden = [[[[[[double.remote(1)]]]]]]\n"
        "stream = count.remote(1)\nkeyed = {double.remote(1): 1}\nwell = 1",
        outs=("counter", "handles", "data", "hidden", "stream", "keyed", "well"),
    )
    assert cell.values == {"well": 1}
    told = lost(cell)
    assert sorted(told) == ["counter", "data", "handles", "hidden", "keyed", "stream"]
    assert told["counter"] == told["handles"]
    assert "return what its methods give, by ray.get" in told["counter"]
    assert ".to_pandas()" in told["data"]
    assert ".write_parquet" in told["data"]
    assert "return what ray.get gives" in told["hidden"] == told["keyed"]
    assert "[ray.get(each) for each in it]" in told["stream"]


def test_an_object_of_a_ray_that_the_cell_ended_is_told(place):
    cell = place.run(TASKS + "one = double.remote(1)\nray.get(one)\nray.shutdown()", outs=("one",))
    assert lost(cell) == {
        "one": "the cell ended its Ray with its object: return what ray.get gives before ray.shutdown"
    }


HASTE = "from jobq_magic.runtime import rayvalues\nrayvalues.PATIENCE = 0.5\n"
HOLD = """
import os
@ray.remote(num_cpus=0)
def hold(path):
    while not os.path.exists(path): time.sleep(0.05)
    return 'held'
"""


def noted(cell):
    cell.look()
    lines = cell.run.paths.record.read_text().splitlines()
    return [event["note"] for event in map(json.loads, lines) if "note" in event]


def test_a_last_value_that_takes_long_is_told_and_a_stop_ends_it(place):
    cell = place.start(
        HASTE + TASKS + HOLD + "kept = [hold.remote('/no'), hold.remote('/no')]\nprint('done')\nkept", outs=("kept",)
    )
    cell.until("done")
    (note,) = eventually(lambda: noted(cell), 60)
    assert note.startswith("The cell is done, and waits for 2 objects of Ray that its last value or -o names: ")
    assert "%jobq stop ends it" in note
    cell.stop()
    assert cell.end().phase == "cancelled"


def test_names_of_tasks_that_do_not_end_are_left_and_the_others_come(place):
    cell = place.run(
        HASTE + TASKS + HOLD + "refs = [double.remote(2), hold.remote('/no')]\n"
        "ready, rest = ray.wait(refs, timeout=30)\nready[0]",
        outs=("refs", "ready", "rest"),
        values={"known": []},
    )
    assert cell.values == {"ready": [4]}
    assert cell.outcome.value == 4
    told = lost(cell)
    assert sorted(told) == ["refs", "rest"]
    assert told["refs"] == told["rest"]
    assert told["refs"].startswith(
        "its task had not ended when the cell had: ray.get it in the cell, or name it with -o"
    )


GONE = """
there = ray.wait
def wait(refs, **more):
    # Each is there when Ray is asked, and goes with its node right after.
    return list(refs), []
ray.wait = wait
"""


def test_names_whose_objects_go_with_their_node_are_left_and_the_others_come(place):
    cell = place.run(
        "from jobq_magic.runtime import rayvalues\nrayvalues.PATIENCE = rayvalues.PULL = 0.5\n" + TASKS + HOLD + GONE
        + "@ray.remote\ndef late(): raise ray.exceptions.GetTimeoutError('of its own')\n"
        "one, gone, bad = double.remote(1), hold.remote('/no'), late.remote()\n"
        "there([one, bad], num_returns=2, timeout=30)\nboth = [one, gone]\n'last'",
        outs=("one", "gone", "both", "bad"),
    )  # fmt: skip
    assert cell.values == {"one": 2}
    assert cell.outcome.value == "last"
    told = lost(cell)
    assert sorted(told) == ["bad", "both", "gone"]
    assert told["gone"] == told["both"]
    assert told["gone"].startswith("its object did not come from the node that it was on: ray.get it in the cell")
    assert told["bad"] == "its task raised GetTimeoutError: of its own"


def test_names_that_were_asked_for_are_waited_for(place, tmp_path):
    go = tmp_path / "go"
    cell = place.start(HASTE + TASKS + HOLD + f"late = hold.remote({str(go)!r})", outs=("late",), only=True)
    (note,) = eventually(lambda: noted(cell), 100)
    assert note.startswith("The cell is done, and waits for an object of Ray that its last value or -o names: ")
    go.touch()
    assert cell.end().phase == "succeeded"
    assert cell.values == {"late": "held"}


def test_what_is_too_large_is_left_where_it_is_and_what_is_small_comes(place):
    cell = place.run(
        TASKS + "from jobq_magic.runtime import rayvalues\nrayvalues.LIMIT = 3 << 20\n"
        "@ray.remote\ndef text(n): return 'x' * (n << 20)\n"
        "parts = [text.remote(1) for _ in range(4)]\nfirst, small = text.remote(2), double.remote(1)\n"
        "nested = ray.put([parts[0], parts[1]])\nlen(ray.get(parts))",
        outs=("parts", "first", "small", "nested"),
    )
    assert {name: len(value) if name == "first" else value for name, value in cell.values.items()} == {
        "first": 2 << 20,
        "small": 2,
    }
    told = lost(cell)
    assert sorted(told) == ["nested", "parts"]
    assert told["parts"].startswith("it refers to 4 MiB on Ray, more than the 3 MiB that come back without a word: ")
    assert cell.outcome.value == 4


def test_a_last_value_that_is_too_large_is_told(place):
    cell = place.run(
        TASKS + "from jobq_magic.runtime import rayvalues\nrayvalues.LIMIT = 3 << 20\n"
        "@ray.remote\ndef text(n): return 'x' * (n << 20)\nsmall = double.remote(1)\n[text.remote(4)]",
        outs=("small",),
    )
    assert cell.values == {"small": 2}
    assert any(note.startswith("The last value stays where it is: it refers to 4 MiB") for note in noted(cell))
