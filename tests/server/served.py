"""A Jupyter server of its own process, with the extension, as a user has it: for tests and for benches."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import eventually

__all__ = ["Served", "served"]


@dataclass(frozen=True)
class Served:
    """Where a server is."""

    url: str
    """Of the routes, without a slash at its end."""
    token: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        """Of who may ask."""
        return {"Authorization": f"token {self.token}"}

    def ask(self, path: str, **headers: str) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and JSON of an answer."""
        request = urllib.request.Request(f"{self.url}/{path}", headers={**self.headers, **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
                return error.code, error.headers, json.loads(told) if told else None


@contextmanager
def served(folder: Path, base: str = "/user/ada/", *options: str) -> Iterator[Served]:
    """A server that keeps what it keeps in `folder`, and shows the runs of JOBQ_HOME; it ends with the block."""
    token, runtime = secrets.token_hex(8), folder / "runtime"
    known = {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
    }
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port=0"]
    command += [f"--ServerApp.base_url={base}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.jpserver_extensions={'jobq_magic': True}", *options]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **known}, stdout=log, stderr=log, cwd=folder)
    try:
        info = runtime / f"jpserver-{process.pid}.json"
        eventually(lambda: info.exists() and info.stat().st_size, timeout=90)
        port = json.loads(info.read_text())["port"]
        one = Served(f"http://127.0.0.1:{port}{base}jobq-magic", token, process.pid)
        eventually(lambda: _answers(one), timeout=60)
        yield one
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(one: Served) -> bool:
    try:
        return one.ask("about")[0] == 200
    except urllib.error.URLError:
        return False
