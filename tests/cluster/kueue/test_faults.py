"""The cluster, or who follows a run, is broken: each run ends for a reason, and every line is accounted for.

Short plans are always played; many random ones by `make full`, whose figures are in docs/evidence.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.cluster.kueue.acts import FAULTS, planned
from tests.cluster.kueue.ground import Ground, Plan
from tests.cluster.kueue.ledger import Ledger, fair
from tests.cluster.kueue.rounds import drawn, play

EVIDENCE = Path(__file__).parents[3] / "docs/evidence/kueue-faults.json"
SEED = int(os.environ.get("FAULTS_SEED") or time.time())
ROUNDS = int(os.environ.get("FAULTS_ROUNDS") or 66)

PLANS = [
    Plan("API server killed", "running", 0.3, 0.5, 2.0),
    Plan("Kueue crashed", "running", 0.3, seconds=1.5),
    Plan("follower killed", "running", 0.3, seconds=1.5),
    Plan("kernel and follower killed", "ending", 0.0, 0.5, 1.0),
    Plan("network cut", "running", 0.3, 3.0, 2.0),
    Plan("preempted", "running", 0.3, 0.5, 2.0),
    Plan("Job deleted, unseen", "running", 0.3, 3.0),
    Plan("shim killed", "running", 0.3),
]


@pytest.fixture
def ground(site, queue, image, kubeconfig, images, namespace, fault, monkeypatch):
    """A namespace of its own, and all who take part."""
    monkeypatch.setenv("JOBQ_CACHE", str(images))
    with Ground.made(kubeconfig, monkeypatch, site, queue, image) as made:
        yield made


@pytest.mark.timeout(200)
@pytest.mark.parametrize("plan", PLANS, ids=[plan.name for plan in PLANS])
def test_whatever_breaks_the_run_ends_for_a_reason_and_no_line_is_lost_unsaid(ground, plan):
    played = play(ground, plan)
    assert played.done
    fair(played)


@pytest.fixture(scope="session")
def ledger():
    """The ledger of this session."""
    return Ledger(EVIDENCE, SEED)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_same_at_random(ground, ledger, number):
    plan, seed = drawn(number, SEED, FAULTS, planned)
    fair(ledger.enter(plan, seed, lambda: play(ground, plan, seed)))
