"""Who is called when a job has something to say."""

from __future__ import annotations

import subprocess
import sys

_JOB = """
import os, signal, sys
from jobq_magic.runtime import outputs

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
go, went = os.pipe()
job = os.fork()
if job == 0:
    outputs.take_over(sys.argv[1], outputs.caller(os.getppid() + int(sys.argv[2])))
    print("first")
    os.read(go, 1)  # it lives on, so that what its parent hears is not its end
    os._exit(0)
heard = signal.sigtimedwait({signal.SIGCHLD}, float(sys.argv[3]))
with open(os.path.join(sys.argv[1], "stdout")) as file:
    print(heard is not None and heard.si_pid == job, repr(file.read()))
os.write(went, b".")
"""


def _heard(folder: object, away: int, seconds: float) -> str:
    words = [sys.executable, "-c", _JOB, str(folder), str(away), str(seconds)]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_supervisor_is_called_as_soon_as_a_quiet_job_prints_and_finds_it_there(tmp_path: object) -> None:
    assert _heard(tmp_path, 0, 30) == r"True 'first\n'"


def test_nobody_else_is_called_in_the_place_of_a_supervisor_that_is_gone(tmp_path: object) -> None:
    assert _heard(tmp_path, 1, 0.5) == r"False 'first\n'"
