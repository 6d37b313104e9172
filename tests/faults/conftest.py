"""One ledger of all rounds; the long ones leave their figures in docs/evidence/faults.json."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobq_magic.runs.store import Store
from tests.faults.ground import Round
from tests.local.conftest import Local

EVIDENCE = Path(__file__).parents[2] / "docs/evidence/faults.json"


class Ledger:
    """The rounds that were played."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self.slow = False
        self.seed = int(os.environ.get("FAULTS_SEED") or time.time())

    def enter(self, played: Round) -> Round:
        """Keeps a round; says at once what is wrong with it."""
        self.rounds.append(played)
        print(json.dumps(played.told()))
        return played

    def evidence(self) -> dict[str, Any]:
        """The figures."""
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=EVIDENCE.parent, capture_output=True, text=True
        ).stdout
        return {
            "commit": commit.strip(),
            "seed": self.seed,
            "rounds": len(self.rounds),
            "kinds": Counter(played.kind for played in self.rounds),
            "done": Counter(what for played in self.rounds for what in played.killed),
            "ends": Counter(_end(played) for played in self.rounds),
            "lines": sum(played.verdict.lines for played in self.rounds),
            "violations": [played.told() for played in self.rounds if played.verdict.problems],
        }


def _end(played: Round) -> str:
    verdict = played.verdict
    return f"{verdict.end} ({verdict.reason})" if verdict.reason else verdict.end or "killed before there was a run"


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """The ledger of this session."""
    kept = Ledger()
    yield kept
    if kept.slow:
        EVIDENCE.parent.mkdir(exist_ok=True)
        EVIDENCE.write_text(json.dumps(kept.evidence(), indent=1) + "\n")


def fair(rounds: list[Round]) -> None:
    """Fails with all that the judge found wrong."""
    wrong = [played.told() for played in rounds if played.verdict.problems]
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.fixture
def local() -> Local:
    """The local backend over a store of its own."""
    return Local(Store())
