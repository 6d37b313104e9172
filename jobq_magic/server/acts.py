"""What can be done to a run: stop, pause, resume, run again, delete. Each asks `commands` or its neighbours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from jobq_magic import commands, pauses
from jobq_magic.errors import BackendError
from jobq_magic.run import Run
from jobq_magic.runs.retention import owed, prune
from jobq_magic.runs.rows import row
from jobq_magic.runs.store import Store
from jobq_magic.server.asking import Answer, Asked, Refused
from jobq_magic.snapshot import Phase, Snapshot

__all__ = ["can", "delete", "pause", "rerun", "resume", "stop"]

_ENDS = 20.0
"""Seconds for the end of a run that is stopped in order to be deleted: it has ten to end by itself."""
_LETS_GO = 60.0
"""Seconds for another interpreter to say that it has taken a run: it makes an image ready, or asks a cluster."""


def can(run: Run, snapshot: Snapshot) -> dict[str, bool]:
    """Which of these make sense now; what is refused nonetheless says why."""
    live = not snapshot.final
    paused = snapshot.phase is Phase.PAUSED or bool(run.pause)
    return {
        "stop": live and snapshot.phase is not Phase.STOPPING,
        "pause": not paused and snapshot.phase in pauses.PAUSABLE and pauses.can_pause(run),
        "resume": live and paused,
        "rerun": (run.paths.bundle / "manifest.json").exists(),
        "delete": not live and not owed(run),
    }


def stop(asked: Asked) -> Mapping[str, Any]:
    """Asks for a run to be stopped, and does not wait for it."""
    commands.stop(asked.store, asked.run)
    return _acted(asked)


def pause(asked: Asked) -> Mapping[str, Any]:
    """Asks for a run to be paused."""
    pauses.pause(asked.store, asked.run)
    return _acted(asked)


def resume(asked: Asked) -> Mapping[str, Any]:
    """Asks for a run to go on."""
    pauses.resume(asked.store, asked.run)
    return _acted(asked)


def rerun(asked: Asked) -> Answer:
    """The same once more, as a new run, with the interpreter that it ran with."""
    store, run = asked.store, asked.run
    again = commands.rerun(store, run) if run.interpreter == sys.executable else _rerun_there(store, run)
    return Answer(
        {"row": row(again, store.snapshot(again))}, status=201, headers={"Location": f"{asked.base}runs/{again.id}"}
    )


def delete(asked: Asked) -> Mapping[str, Any]:
    """Removes a run that has ended; with `stop`, ends it first.

    Raises:
        StoreError: it is live, or its place has not let go of it.
        Refused: it did not end in time.
    """
    store, run = asked.store, asked.run
    if asked.query["stop"] and not commands.stop(store, run, wait=_ENDS).final:
        raise Refused(
            409, "still-stopping", f"{run.id} is being stopped, and has not ended yet",
            do="Delete it when it has",
        )  # fmt: skip
    deadline = time.monotonic() + (_ENDS if asked.query["stop"] else 0.0)
    while owed(run) and time.monotonic() < deadline:  # who looks after it has a last word with its place
        time.sleep(commands.PERIOD)
    done = prune(store, chosen=[run])
    return {"gone": list(done.runs), "freed": done.freed}


def _acted(asked: Asked) -> dict[str, Any]:
    return {"row": row(asked.run, asked.store.snapshot(asked.run))}


def _rerun_there(store: Store, run: Run) -> Run:
    """Runs it again by its own interpreter: jobs on this machine have that of who submits them, ours is a server's."""
    start = "import sys; from jobq_magic.cli.main import main; sys.exit(main())"
    environment = {**os.environ, "JOBQ_HOME": str(store.root)}
    try:
        done = subprocess.run(
            [run.interpreter, "-P", "-c", start, "rerun", run.id],
            capture_output=True, text=True, timeout=_LETS_GO, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise BackendError(
            "interpreter-gone", f"{run.id} ran with {run.interpreter}, which cannot be started: {error.strerror}",
            do="Run its cell again",
        ) from error  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            "rerun-slow", f"{run.interpreter} has not taken {run.id} within {_LETS_GO:.0f} s",
            do="See in the list whether it is there by now",
        ) from error  # fmt: skip
    words = (done.stderr or done.stdout).strip().splitlines()
    if done.returncode:
        raise BackendError(
            "rerun-refused", words[0] if words else f"{run.interpreter} did not take {run.id}",
            why=" ".join(line.strip() for line in words[1:2]),
        )  # fmt: skip
    return store.get(done.stdout.split()[-1])
