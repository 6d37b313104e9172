"""The random rounds of faults, whose figures are written down after each."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.kueue.ground import Plan
from tests.cluster.kueue.rounds import Round

__all__ = ["Ledger", "fair"]


def fair(played: Round) -> None:
    """Fails with all that the judge found wrong."""
    print(json.dumps(played.told()))
    assert not played.verdict.problems, json.dumps(played.told(), indent=1)


class Ledger:
    """That of one session.

    Args:
        path: where it is written.
        seed: of its first round.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.rounds: list[Round] = []
        self.broken: list[dict[str, Any]] = []
        self._path, self._seed = path, seed

    def enter(self, plan: Plan, seed: int, play: Callable[[], Round]) -> Round:
        """Plays a round, and writes down what came of it, or that it could not be judged."""
        try:
            played = play()
        except BaseException as error:
            act = f"{plan.kind} at {plan.phase}"
            self.broken.append({"seed": seed, "act": act, "problems": [str(error)[:2000]]})
            self._write()
            raise
        self.rounds.append(played)
        self._write()
        return played

    def _write(self) -> None:
        where = self._path.parent
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True).stdout
        verdicts = [played.verdict for played in self.rounds]
        freed = [played.freed for played in self.rounds if played.verdict.end]
        found = {
            "commit": commit.strip(),
            "seed": self._seed,
            "rounds": len(self.rounds) + len(self.broken),
            "faults": Counter(played.plan.kind for played in self.rounds if played.done),
            "too late": sum(not played.done for played in self.rounds),
            "ends": Counter(map(_end, self.rounds)),
            "attempts": Counter(verdict.attempts for verdict in verdicts),
            "lines": sum(verdict.lines for verdict in verdicts),
            "lines proved and said to be lost": sum(verdict.lost for verdict in verdicts),
            "lines at an end that nobody could read, as is said": sum(verdict.tails for verdict in verdicts),
            "seconds until nothing is left, at most": round(max(freed, default=0.0), 1),
            "what bad ends said": _said(self.rounds),
            "problems": [*(played.told() for played in self.rounds if played.verdict.problems), *self.broken],
        }
        self._path.write_text(json.dumps(found, indent=1) + "\n")


def _end(played: Round) -> str:
    verdict = played.verdict
    return f"{verdict.end} ({verdict.reason})" if verdict.reason else verdict.end or "killed before there was a run"


def _said(rounds: list[Round]) -> dict[str, list[str]]:
    """The last sentence of those that did not end well, by what was done to them."""
    said: dict[str, dict[str, None]] = {}
    for played in rounds:
        if played.verdict.end != "succeeded" and played.sentences:
            plain = re.sub(r"jobq-[\w-]+|node\d", "…", played.sentences[-1])
            said.setdefault(played.plan.kind, {})[plain] = None
    return {kind: list(told) for kind, told in said.items()}
