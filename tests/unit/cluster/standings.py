"""What was recorded on a cluster, as a run's Standing and in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from jobq_magic import words
from jobq_magic.cluster import raystatus, status
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.place import Line, Others
from jobq_magic.cluster.standing import Objects, Standing
from jobq_magic.snapshot import Phase, Snapshot
from tests.recorded import reading

BEGINS = dt.datetime.fromisoformat(reading.BEGINS).timestamp()


def objects(state: reading.State) -> Objects:
    """What a backend would know at that moment."""
    others, clusters = Others(state.others), state.all("RayCluster")
    known = state.run, state.workload, tuple(state.pods), tuple(state.events), others
    return Objects(*known, clusters[0] if clusters else None)


def stand(
    state: reading.State, *, later: float = 0.0, capacity: Capacity | None = None, line: Line | None = None
) -> Standing:
    """Where the run stood then, or would have stood if nothing had changed for some seconds."""
    known, now = objects(state), BEGINS + state.at + later
    if state.run_key[0] == "Job":
        return status.read(known, capacity=capacity, line=line, now=now)
    return raystatus.read(known, ranks={}, workers=1, capacity=capacity, line=line, now=now)


def snapshot(standing: Standing) -> Snapshot:
    """As a face has it."""
    known = {"run": "ab12", "name": "train", "mode": "kueue", "where": ""}
    return Snapshot(**known, created=BEGINS, phase=Phase(standing.phase), reason=standing.reason, facts=standing.facts)


def told(standing: Standing) -> str:
    """The phase, the sentence, and the advice."""
    said = words.say(snapshot(standing))
    code = f" [{standing.reason}]" if standing.reason else ""
    lines = [f"{standing.phase}{' (over)' if standing.over else ''}{code}: {said.sentence}"]
    return "\n".join([*lines, f"    {said.advice}"] if said.advice else lines)


def course(recording: reading.Recording) -> Iterator[str]:
    """What a person would have read, one thing after the other; and what, if it stays as it was last."""
    before = ""
    for state in recording.states():
        if (now := told(stand(state))) != before:
            yield now
        before = now
    if (later := told(stand(recording.last, later=60))) != before:
        yield f"(a minute later)\n{later}"
