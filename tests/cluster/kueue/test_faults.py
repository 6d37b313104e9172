"""The cluster, or who follows a run, is broken: each run ends for a reason, and every line is accounted for.

Six short plans are always played; many random ones by `make full`, whose figures are in docs/evidence.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from jobq_magic.runs.store import Store
from tests.cluster.kueue.acts import FAULTS, planned
from tests.cluster.kueue.ground import Ground, Plan
from tests.cluster.kueue.parts import Witness
from tests.cluster.kueue.rounds import Round, play
from tests.cluster.relay import Relay

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
def ground(site, queue, image, kubeconfig, images, namespace, admin, fault, monkeypatch):
    """A namespace of its own, and all who take part."""
    parts = urlsplit(admin.configuration.host)
    relay, witness = Relay(parts.hostname, parts.port), Witness()
    told = yaml.safe_load(kubeconfig.read_text())
    told["clusters"][0]["cluster"]["server"] = relay.address
    other = kubeconfig.with_name("through")
    other.write_text(yaml.safe_dump(told))
    other.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(other))
    monkeypatch.setenv("JOBQ_CACHE", str(images))
    made = Ground(site, queue, image, relay, witness, Store())
    yield made
    made.kill_followers()
    witness.close()
    relay.close()


def fair(played: Round) -> None:
    """Fails with all that the judge found wrong."""
    print(json.dumps(played.told()))
    assert not played.verdict.problems, json.dumps(played.told(), indent=1)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("plan", PLANS, ids=[plan.name for plan in PLANS])
def test_whatever_breaks_the_run_ends_for_a_reason_and_no_line_is_lost_unsaid(ground, plan):
    played = play(ground, plan)
    assert played.done
    fair(played)


class Ledger:
    """The random rounds, whose figures are written down after each."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self.broken: list[dict[str, Any]] = []

    def enter(self, played: Round) -> None:
        self.rounds.append(played)
        self.write()

    def fail(self, plan: Plan, seed: int, error: BaseException) -> None:
        """Of a round that could not be judged."""
        self.broken.append({"seed": seed, "act": f"{plan.kind} at {plan.phase}", "problems": [str(error)[:2000]]})
        self.write()

    def write(self) -> None:
        where = EVIDENCE.parent
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True).stdout
        found = {
            "commit": commit.strip(),
            "seed": SEED,
            "rounds": len(self.rounds) + len(self.broken),
            "faults": Counter(played.plan.kind for played in self.rounds if played.done),
            "too late": sum(not played.done for played in self.rounds),
            "ends": Counter(_end(played) for played in self.rounds),
            "attempts": Counter(played.verdict.attempts for played in self.rounds),
            "lines": sum(played.verdict.lines for played in self.rounds),
            "lines proved and said to be lost": sum(played.verdict.lost for played in self.rounds),
            "lines at an end that nobody could read, as is said": sum(played.verdict.tails for played in self.rounds),
            "problems": [
                *(played.told() for played in self.rounds if played.verdict.problems),
                *self.broken,
            ],
        }
        EVIDENCE.write_text(json.dumps(found, indent=1) + "\n")


def _end(played: Round) -> str:
    verdict = played.verdict
    return f"{verdict.end} ({verdict.reason})" if verdict.reason else verdict.end or "killed before there was a run"


@pytest.fixture(scope="session")
def ledger():
    """The ledger of this session."""
    return Ledger()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_same_at_random(ground, ledger, number):
    # Every kind in its turn, and everything else by chance.
    kinds = list(FAULTS)
    random.Random(SEED + number // len(kinds)).shuffle(kinds)
    seed = SEED + number
    plan = planned(kinds[number % len(kinds)], random.Random(seed))
    try:
        played = play(ground, plan, seed)
    except BaseException as error:
        ledger.fail(plan, seed, error)
        raise
    ledger.enter(played)
    fair(played)
