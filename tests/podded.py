"""A pod without a cluster: the real supervisor and a real job, whose log is a file or a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jobq_magic.cluster.collecting import Collector
from jobq_magic.run import AttemptPaths

KEY = b"key of this run and of no other!"
_START = "import sys; from jobq_magic.runtime import pod; sys.exit(pod.main({run!r}, secret={secret!r}, {where}))"
_SOURCE = str(Path(__file__).parents[1])


class Pod:
    """What a pod finds when it begins, in a folder of this machine.

    Args:
        folder: an empty one.
        cell: text of the cell.
        run: its id.
        spec: of the run.
        outs: names that the cell binds.
        **variables: of the pod's environment.
    """

    def __init__(
        self,
        folder: Path,
        cell: str,
        *,
        run: str = "r1",
        spec: dict[str, object] | None = None,
        outs: tuple[str, ...] = (),
        python: str = f"{sys.version_info.major}.{sys.version_info.minor}",
        **variables: str,
    ) -> None:
        self.folder, self.run, self.log = folder, run, folder / "log"
        self._variables = variables
        for name in ("secret", "bundle"):
            (folder / name).mkdir(parents=True)
        for name, data in {
            "key": KEY,
            "run.json": json.dumps({"spec": spec or {}}),
            "secrets": '{"TOKEN": "s3"}',
        }.items():
            (folder / "secret" / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        steps = {"file": "cell.py", "label": "<cell>", "line": 1, "flags": 0, "outs": list(outs), "only": False}
        manifest = {"protocol": 1, "python": python, "steps": [], "cell": steps}
        (folder / "bundle" / "manifest.json").write_text(json.dumps(manifest))
        (folder / "bundle" / "cell.py").write_text(cell)

    @property
    def attempt(self) -> Path:
        """What the job itself wrote."""
        return self.folder / "volume" / self.run / "attempts" / "1"

    def start(self, stdout: int | None = None) -> subprocess.Popen[bytes]:
        """Begins a container; its log is `self.log`, or what is given."""
        where = ", ".join(
            f"{name}={str(self.folder / there)!r}" for name, there in {"folder": "volume", "bundle": "bundle"}.items()
        )
        code = _START.format(run=self.run, secret=str(self.folder / "secret"), where=where)
        environ = {**os.environ, "PYTHONPATH": _SOURCE, **self._variables}
        if stdout is not None:
            return subprocess.Popen([sys.executable, "-P", "-c", code], stdout=stdout, env=environ)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-c", code], stdout=log, stderr=subprocess.STDOUT, env=environ
            )

    def through(self) -> int:
        """Runs a container to its end; returns its exit status."""
        return self.start().wait(60)

    def collector(self, attempt: int = 1, to: Path | None = None) -> Collector:
        """A new collector of this pod."""
        return Collector(AttemptPaths(to or self.folder / "collected"), KEY, self.run, attempt)

    def collect(self, attempt: int = 1, to: Path | None = None) -> Collector:
        """Collects the whole log."""
        made = self.collector(attempt, to)
        made.feed(self.log.read_bytes())
        made.close(final=True)
        return made
