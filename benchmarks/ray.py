"""`make bench-ray`: a warm embedded Ray, beside Ray's own client and CLI on the same cluster with the same script."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.kernels import Kernel, kernel
from benchmarks.local import place
from benchmarks.table import Row, alternate, publish

_BODY = "print('here', flush=True)\n"


def _ours(k: Kernel) -> float:
    found = k.run(f"%%jobq --mode ray --workers 2\n{_BODY}")
    assert found["error"] is None, found
    assert found["first"] is not None, found
    return float(found["first"])


class Peer:
    """Ray's own ways to run a script on a cluster; its first line is read from the driver's log on this host."""

    def __init__(self, cluster: Any, script: Path) -> None:
        from ray.job_submission import JobSubmissionClient

        self._address = cluster.ready["dashboard"]
        self._token = cluster.token
        headers = {"Authorization": f"Bearer {self._token}"}
        self._client = JobSubmissionClient(self._address, headers=headers)
        self._logs = cluster.logs
        self._entrypoint = f"{sys.executable} {script}"

    def client(self) -> float:
        """`JobSubmissionClient` in a warm process."""
        ident, start = f"peer-{uuid.uuid4().hex[:8]}", time.perf_counter()
        self._client.submit_job(entrypoint=self._entrypoint, submission_id=ident)
        while "here" not in self._log(ident):
            time.sleep(0.005)
        took = time.perf_counter() - start
        while not self._client.get_job_status(ident).is_terminal():
            time.sleep(0.05)
        return took

    def _log(self, ident: str) -> str:
        for folder in (self._logs, self._logs / "old"):  # Ray moves the logs of what has ended
            try:
                return (folder / f"job-driver-{ident}.log").read_text()
            except FileNotFoundError:
                continue
        return ""

    def cli(self) -> float:
        """`ray job submit`, until it prints the line."""
        env = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token, "PYTHONUNBUFFERED": "1"}
        command = [str(Path(sys.executable).parent / "ray"), "job", "submit", "--address", self._address, "--"]
        start, took, said = time.perf_counter(), float("nan"), ""
        with subprocess.Popen(
            [*command, *self._entrypoint.split()], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                said += line
                if "here" in line.split():
                    took = time.perf_counter() - start
        if math.isnan(took):
            print(f"`ray job submit` did not print the line:\n{said[-600:]}", file=sys.stderr)
        return took


def main() -> None:
    """Runs all rows."""
    with place() as env, kernel(env) as k:
        script = Path(env["BENCH"], "script.py")
        script.write_text(_BODY)
        k.run("%load_ext jobq_magic")
        start = time.perf_counter()
        _ours(k)
        cold = time.perf_counter() - start
        os.environ["JOBQ_RUNTIME_DIR"] = env["JOBQ_RUNTIME_DIR"]
        from jobq_magic.backends.ray.pool import Pool

        (cluster,) = Pool.here().clusters()
        peer = Peer(cluster, script)
        warm, theirs = alternate(lambda: _ours(k), peer.client)
        slow = sorted(peer.cli() for _ in range(3))[1]
        k.run("%jobq ray stop")
    note = f"`ray job submit`: {slow:.2f} s; ours with no Ray running yet: {cold:.2f} s"
    met = warm <= 1.1 * theirs
    publish("ray", [Row("warm embedded Ray: run to first line", warm, theirs, warm / theirs, "<= 1.1", met, note=note)])


if __name__ == "__main__":
    main()
