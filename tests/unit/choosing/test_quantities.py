import time

import pytest

from jobq_magic import quantities
from jobq_magic.quantities import Refusal


@pytest.mark.parametrize(
    ("reader", "written", "meant"),
    [
        ("cores", "4", 4),
        ("cores", 0.5, 0.5),
        ("cores", "500m", 0.5),
        ("cores", "1500m", 1.5),
        ("gpus", "1", (None, 1)),
        ("gpus", 0, (None, 0)),
        ("gpus", "a100:2", ("a100", 2)),
        ("amount", "8Gi", 8 * 2**30),
        ("amount", "1.5G", 1_500_000_000),
        ("amount", 1024, 1024),
        ("memory", "8Gi", "8Gi"),
        ("memory", 2**31, str(2**31)),
        ("seconds", "90s", 90),
        ("seconds", "5m", 300),
        ("seconds", "2h", 7200),
        ("seconds", "1d", 86400),
        ("seconds", "1h30m", 5400),
        ("seconds", "0.5h", 1800),
        ("seconds", 90, 90),
        ("seconds", "1.5", 1.5),
        ("workers", "4", (4, None)),
        ("workers", 4, (4, None)),
        ("workers", "2..8", (2, 8)),
    ],
)
def test_an_amount_means_what_people_mean_by_it(reader, written, meant):
    assert getattr(quantities, reader)(written) == meant


@pytest.mark.parametrize(
    ("reader", "written", "says"),
    [
        ("cores", "many", "not a number of CPUs"),
        ("cores", "0", "no CPU at all"),
        ("cores", "-1", "not a number of CPUs"),
        ("cores", True, "not a number of CPUs"),
        ("gpus", "a100", "not a number of GPUs"),
        ("gpus", "a 100:1", "not a number of GPUs"),
        ("gpus", "-1", "not a number of GPUs"),
        ("memory", "8GB", "not an amount of memory"),
        ("memory", "8", "has no unit"),
        ("memory", "100k", "less than any Python needs"),
        ("memory", "", "not an amount of memory"),
        ("seconds", "5 minutes", "not a length of time"),
        ("seconds", "0s", "no time at all"),
        ("seconds", "-5", "not a length of time"),
        ("seconds", "nan", "not a length of time"),
        ("workers", "0", "not a number of workers"),
        ("workers", "-1", "not a number of workers"),
        ("workers", -1, "not a number of workers"),
        ("workers", "-2..2", "not a number of workers"),
        ("workers", "x", "not a number of workers"),
        ("workers", "2..", "not a number of workers"),
        ("workers", "8..2", "ends the wrong way round"),
        ("workers", 2.5, "not a number of workers"),
        ("count", True, "not a whole number"),
        ("count", -1, "too small"),
    ],
)
def test_what_cannot_be_an_amount_is_refused_with_what_to_write(reader, written, says):
    with pytest.raises(Refusal) as refusal:
        getattr(quantities, reader)(written)
    assert says in refusal.value.problem
    assert refusal.value.do.startswith("Write ")


@pytest.mark.parametrize(("written", "advice"), [("8GB", "Write 8Gi"), ("8g", "Write 8Gi"), ("500 MB", "Write 500Mi")])
def test_a_loosely_written_amount_is_answered_with_the_exact_one(written, advice):
    with pytest.raises(Refusal) as refusal:
        quantities.memory(written)
    assert refusal.value.do == advice


def test_no_written_time_makes_the_reader_hang():
    began = time.perf_counter()
    with pytest.raises(Refusal):
        quantities.seconds("1" * 5000 + "x")
    assert time.perf_counter() - began < 1
