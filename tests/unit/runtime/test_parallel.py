"""parallel_map and its family without Ray: the same calls, in this process."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from jobq_magic.runtime import parallel, progress
from jobq_magic.runtime.parallel import _Batches, parallel_map, parallel_starmap, scatter_gather


def test_maps_in_order_with_further_arguments():
    assert parallel_map(lambda x, by: x * by, range(5), by=3) == [0, 3, 6, 9, 12]


def test_starmap_spreads_each_item_over_the_arguments():
    assert parallel_starmap(pow, [(2, 3), (3, 2)]) == [8, 9]


def test_scatter_gather_calls_each_task_with_its_own_function():
    assert scatter_gather([(pow, (2, 3), {}), (int, ("ff",), {"base": 16}), (len, ["abc"], {})]) == [8, 255, 3]


def test_runs_in_this_thread_unless_concurrency_is_asked_for():
    here = threading.current_thread()
    assert parallel_map(lambda _: threading.current_thread(), range(3)) == [here] * 3
    assert here not in parallel_map(lambda _: threading.current_thread(), range(3), max_concurrency=2)


def test_never_runs_more_calls_at_a_time_than_asked_for():
    lock, at_work, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(3, timeout=10)

    def call(_):
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        gate.wait()
        with lock:
            at_work[0] -= 1

    parallel_map(call, range(9), max_concurrency=3)
    assert most == [3]


@pytest.mark.parametrize("threads", [None, 3])
def test_reads_a_generator_only_as_far_as_it_works(threads):
    read = []

    def items():
        for number in range(1000):
            read.append(number)
            yield number

    def call(number):
        if number == 5:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError):
        parallel_map(call, items(), max_concurrency=threads)
    assert len(read) < 20


@pytest.mark.parametrize("threads", [None, 3])
def test_an_exception_takes_the_place_of_its_result_where_asked(threads):
    results = parallel_map(lambda x: 1 // x, [1, 0, 1], return_exceptions=True, max_concurrency=threads)
    assert results[::2] == [1, 1]
    assert isinstance(results[1], ZeroDivisionError)


@pytest.mark.parametrize("threads", [None, 2])
def test_an_exception_says_which_item_it_was(threads):
    with pytest.raises(ZeroDivisionError) as raised:
        parallel_map(lambda x: 1 // x, iter([2, 1, 0]), max_concurrency=threads)
    assert raised.value.__notes__ == ["This was item 2, counted from 0."]


def test_says_how_far_it_is_under_the_name_of_the_function(monkeypatch):
    told = []
    monkeypatch.setattr(progress, "_state", {})
    monkeypatch.setattr(progress, "sink", told.append)

    def simulate(x):
        return x

    parallel_map(simulate, range(7))
    assert told[-1] == [{"label": "simulate", "done": 7, "total": 7}]
    told.clear()
    parallel_map(simulate, range(7), progress=False)
    assert told == []


def test_refuses_a_concurrency_of_nothing():
    with pytest.raises(ValueError, match="max_concurrency must be 1 or more"):
        parallel_map(abs, [1], max_concurrency=0)


def test_answers_for_a_process_without_ray():
    assert not parallel.is_ray_available()
    assert parallel.get_num_workers() == 1
    assert parallel.get_ray_resources() == {}
    assert parallel.get_total_cpus() >= 1


def test_does_not_import_ray():
    code = (
        "import sys; from jobq_magic.runtime import parallel\n"
        "parallel.parallel_map(abs, [1]); print('ray' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "False\n"


def cut(batches, seconds_each):
    """The sizes of batches whose calls take that long."""
    sizes = []
    while batch := batches.next():
        sizes.append(len(batch))
        batches.learn(len(batch), seconds_each * len(batch))
    return sizes


def test_batches_of_quick_calls_grow_and_shrink_again_at_the_end():
    sizes = cut(_Batches(iter([()] * 10_000), 10_000, slots=4), 1e-5)
    assert sizes[:4] == [1, 4, 16, 64]
    assert max(sizes) <= 10_000 / 8
    assert sizes[-1] == 1
    assert sum(sizes) == 10_000


def test_slow_calls_travel_alone():
    assert cut(_Batches(iter([()] * 20), 20, slots=4), 0.1) == [1] * 20


def test_a_batch_of_unknown_number_takes_as_long_as_a_batch_should():
    sizes = cut(_Batches(iter([()] * 5_000), None, slots=4), 1e-3)
    assert max(sizes) == 30
    assert sum(sizes) == 5_000


def test_what_a_batch_handed_back_goes_first():
    batches = _Batches(iter([(number,) for number in range(8)]), 8, slots=1)
    batches.size = 2
    first = batches.next()
    batches.returned.extend(first[1:])
    assert batches.next() == [(1, (1,)), (2, (2,))]
