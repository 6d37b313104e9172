"""Other hosts: PID and mount namespaces of their own, on the same folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HELPER = """
import json, sys, traceback
names = {}
print(json.dumps({"answer": "up"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    names |= asked["names"]
    names["answer"] = None
    try:
        exec(asked["code"], names)
        told = {"answer": names["answer"]}
    except BaseException:
        told = {"error": traceback.format_exc()}
    print(json.dumps(told), flush=True)
"""


class Host:
    """One of them, which does what it is told; its processes end with it.

    Args:
        runtime: its own local disk, for what JOBQ_RUNTIME_DIR is for.
    """

    def __init__(self, runtime: Path) -> None:
        runtime.mkdir(mode=0o700, exist_ok=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        words = ["unshare", *user, "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
        self.process = subprocess.Popen(
            [*words, sys.executable, "-c", HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "JOBQ_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() == "":
            assert self.process.stderr is not None
            raise AssertionError(
                "These tests need PID and mount namespaces, which this machine refuses to this user: "
                + self.process.stderr.read().strip()
            )

    def do(self, code: str, **names: Any) -> Any:
        """Executes code there, after what was executed before; gives what it calls `answer`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"code": code, "names": names}) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert "error" not in told, told["error"]
        return told["answer"]

    def end(self) -> None:
        """It loses power: no process of it is left."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
