"""A backend that says what a file tells it to say: JOBQ_SCRIPT names the file."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobq_magic.protocols import Observation
from jobq_magic.run import Run


class Scripted:
    """`phase reason` is said as it is; `sleep phase reason` after the process was stopped, and continued."""

    honours: frozenset[str] = frozenset()
    inherits_environment = False
    needs_image = False
    supervised = False

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        return ()

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        return {"job": f"{run.id}-{attempt}"}

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        words = Path(os.environ["JOBQ_SCRIPT"]).read_text().split()
        if words[:1] == ["sleep"]:
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # before the next line, also in a thread
            words = words[1:]
        return Observation(*words)

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """Nothing stops it."""
