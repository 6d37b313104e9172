"""Local runs: kernel, supervisor and job are killed at random moments, and the supervisor is stopped and continued."""

from __future__ import annotations

import pytest

from jobq_magic.runs.store import Store
from tests.faults.conftest import fair
from tests.faults.ground import local_round


def test_whoever_is_killed_when_every_line_is_there_and_the_end_is_right(ledger, tmp_path):
    fair([ledger.enter(local_round(Store(), tmp_path, seed)) for seed in range(6)])


def test_the_same_with_a_real_kernel(ledger, tmp_path):
    fair([ledger.enter(local_round(Store(), tmp_path, 7, real=True))])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("batch", range(8))
def test_the_same_many_times(ledger, tmp_path, batch):
    ledger.slow = True
    seeds = [ledger.seed + 1000 * batch + number for number in range(15)]
    fair([ledger.enter(local_round(Store(), tmp_path, seed, real=not seed % 15)) for seed in seeds])
