"""A Ray cluster, or who follows a run on it, is broken: it ends for a reason, no line is lost unsaid, nothing is left.

Two plans are always played; all kinds at random moments by `make full`, whose figures are in docs/evidence.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.cluster.kueue.ground import Plan
from tests.cluster.kueue.ledger import Ledger, fair
from tests.cluster.kueue.rounds import drawn, play
from tests.cluster.rayjob.acts import FAULTS, planned
from tests.cluster.rayjob.ground import PROFILES, RayGround

EVIDENCE = Path(__file__).parents[3] / "docs/evidence/rayjob-faults.json"
SEED = int(os.environ.get("FAULTS_SEED") or time.time())
ROUNDS = int(os.environ.get("FAULTS_ROUNDS") or 30)
ALWAYS = [
    Plan("raylet killed", "working", 0.2, seconds=60.0),
    Plan("no worker up", "running", seconds=0.5, workers=0),
]


@pytest.fixture
def ground(site, queue, image, kubeconfig, base, second, images, namespace, fault, tmp_path, monkeypatch):
    """A namespace of its own, and all who take part."""
    (tmp_path / "config.toml").write_text(PROFILES)
    monkeypatch.setenv("JOBQ_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("JOBQ_CACHE", str(images))
    with RayGround.made(kubeconfig, monkeypatch, site, queue, image, base=base) as made:
        yield made


@pytest.mark.timeout(400)
@pytest.mark.parametrize("plan", ALWAYS, ids=[plan.name for plan in ALWAYS])
def test_whatever_breaks_the_run_ends_for_a_reason_and_nothing_is_left(ground, plan):
    played = play(ground, plan, faults=FAULTS)
    assert played.done
    fair(played)


@pytest.fixture(scope="session")
def ledger():
    """The ledger of this session."""
    return Ledger(EVIDENCE, SEED)


@pytest.mark.slow
@pytest.mark.timeout(800)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_same_at_random(ground, ledger, number):
    plan, seed = drawn(number, SEED, FAULTS, planned)
    fair(ledger.enter(plan, seed, lambda: play(ground, plan, seed, FAULTS)))
