"""The peer of a cell on a Ray cluster of its own that is a library: codeflare-sdk, in an environment of its own.

It stays in build/codeflare. The library has no logs of a RayJob: those come by `kubectl`.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ground import QUEUE, Ground
from benchmarks.rayhand import HEAD, WORKER, read_until

__all__ = ["VERSION", "Codeflare", "codeflare"]

VERSION = "0.40.1"
_VENV = Path("build/codeflare")
_PROGRAM = """
import sys
from codeflare_sdk import ClusterConfiguration, RayJob
print("ready", flush=True)
for told in sys.stdin:
    name, line = told.rstrip("\\n").split(" ", 1)
    config = ClusterConfiguration(
        num_workers=1, image={image!r},
        head_cpu_requests="100m", head_cpu_limits=2, head_memory_requests={head!r}, head_memory_limits={head!r},
        worker_cpu_requests={cpu!r}, worker_cpu_limits={cpu!r},
        worker_memory_requests={memory!r}, worker_memory_limits={memory!r},
    )
    job = RayJob(
        job_name=name, entrypoint=f'python -c "print({{line!r}}, flush=True)"', cluster_config=config,
        namespace={namespace!r}, local_queue={queue!r}, ttl_seconds_after_finished=600,
    )
    job.submit()
    print("submitted", flush=True)
    sys.stdin.readline()
    job.delete()
    print("deleted", flush=True)
"""


class Codeflare:
    """A Python that has the library imported, as a notebook has."""

    def __init__(self, ground: Ground, process: subprocess.Popen[str]) -> None:
        self._kubectl = shlex.split(ground.kubectl())
        self._process = process
        self._number = 0
        self._hear("ready")

    def first_line(self, line: str) -> float:
        """Seconds from `submit` to the first line of the driver, in the log of who submits it."""
        self._number += 1
        name = f"codeflare-{self._number}"
        began = time.perf_counter()
        self._say(f"{name} {line}")
        self._hear("submitted")
        read_until([*self._kubectl, "logs", "-f", f"job/{name}"], line)
        took = time.perf_counter() - began
        self._say("delete")
        self._hear("deleted")
        return took

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        heard = ""
        for line in self._process.stdout:
            heard += line
            if line.strip() == word:
                return
        raise SystemExit(f"codeflare-sdk {VERSION} did not come to `{word}`\n{heard[-2000:]}")


@contextlib.contextmanager
def codeflare(ground: Ground, image: str) -> Iterator[Codeflare]:
    """The library, ready; its Python ends with the block."""
    program = _PROGRAM.format(image=image, head=HEAD["memory"], namespace=ground.namespace, queue=QUEUE, **WORKER)
    with subprocess.Popen(
        [_python(), "-c", program],
        env=ground.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Codeflare(ground, process)
        finally:
            process.kill()


def _python() -> Path:
    python = _VENV / "bin/python"
    if not list(_VENV.glob(f"lib/*/site-packages/codeflare_sdk-{VERSION}.dist-info")):
        uv = Path(sys.executable).parent / "uv"
        print(f"making {_VENV} (once; about a minute)", flush=True)
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, _VENV], check=True)
        wanted = ["--quiet", "--compile-bytecode", "--python", python, f"codeflare-sdk=={VERSION}"]
        subprocess.run([uv, "pip", "install", *wanted], check=True)
    return python
