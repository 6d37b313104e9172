"""Real kernels, spoken to as a front end speaks to them."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from tests.support import eventually


@dataclass
class Reply:
    """What a cell left under itself."""

    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    value: str | None = None
    error: str | None = None
    traceback: str = ""
    prompt: str = ""
    """`In [3]`."""


class Notebook:
    """A running kernel."""

    def __init__(self, manager: Any, client: Any, *, person: bool) -> None:
        self.manager, self.client, self.person = manager, client, person

    def start(self, code: str, **options: Any) -> str:
        """Sends a cell; does not wait."""
        return str(self.client.execute(code, allow_stdin=self.person, **options))

    def run(self, code: str, timeout: float = 60) -> Reply:
        """Executes a cell."""
        return self.reply(self.start(code), timeout)

    def run_as(self, metadata: dict[str, str], code: str, timeout: float = 60) -> Reply:
        """Executes a cell as JupyterLab sends it, with the id of the cell."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "stop_on_error": True}
        message = self.client.session.msg("execute_request", {**content, "allow_stdin": self.person})
        message["metadata"] = {"cellId": metadata["cell_id"]}
        self.client.shell_channel.send(message)
        return self.reply(message["header"]["msg_id"], timeout)

    def reply(self, ident: str, timeout: float = 60) -> Reply:
        """All that a cell leaves, once it is idle again."""
        found = Reply()
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != ident:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "execute_input":
                found.prompt = f"In [{content['execution_count']}]"
            if kind == "stream":
                setattr(found, content["name"], getattr(found, content["name"]) + content["text"])
            elif kind == "display_data":
                found.displays.append(content["data"])
            elif kind == "update_display_data":
                found.updates.append(content["data"])
            elif kind == "execute_result":
                found.value = content["data"]["text/plain"]
            elif kind == "error":
                found.error = content["ename"]
                found.traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                self.client.get_shell_msg(timeout=timeout)
                return found


@contextmanager
def opened(env: dict[str, str], *, person: bool, ipykernel: str = "") -> Iterator[Notebook]:
    """A kernel with the extension loaded; it ends with the block. With `ipykernel`, of that version instead."""
    if ipykernel:
        other = Path(sys.prefix, f"ipykernel-{ipykernel}")
        assert other.is_dir(), f"{other} is missing; make install makes it"
        env = {**env, "PYTHONPATH": str(other)}
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(Path(env["JOBQ_RUNTIME_DIR"], "kernel")))
    manager.start_kernel(env=env, cwd=f"{env['BASE']}/work")
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        notebook = Notebook(manager, client, person=person)
        assert notebook.run("%load_ext jobq_magic").error is None
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def folders(environment: dict[str, str]) -> set[Path]:
    """The folders of all runs."""
    return set(Path(environment["JOBQ_HOME"], "runs").glob("[!.]*"))


def phases(folder: Path) -> list[str]:
    """The phases that a run went through."""
    events = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    return [event["phase"] for event in events if "phase" in event]


def begun(notebook: Notebook, environment: dict[str, str], cell: str) -> tuple[str, Path]:
    """Sends a cell, and waits until its code runs; the request, and the folder of its run."""
    before = folders(environment)
    request = notebook.start(cell)
    (folder,) = eventually(lambda: folders(environment) - before)
    eventually(lambda: "running" in phases(folder), timeout=20)
    return request, folder


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of a module's kernels: a store and a home of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime,
        tempfile.TemporaryDirectory(prefix="jobq ü ") as base,
    ):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBQ_", "RAY_"))}
        Path(base, "home").mkdir()
        Path(base, "work").mkdir()
        own = {"HOME": f"{base}/home", "JOBQ_HOME": f"{base}/store", "JOBQ_RUNTIME_DIR": runtime}
        yield {**kept, **own, "IPYTHONDIR": f"{base}/home/.ipython", "BASE": base}


@pytest.fixture(scope="module")
def headless(environment: dict[str, str]) -> Iterator[Notebook]:
    """A kernel that nobody sits in front of; shared by the tests of a module."""
    with opened(environment, person=False) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def attended(environment: dict[str, str]) -> Iterator[Notebook]:
    """A kernel with a person in front; shared by the tests of a module."""
    with opened(environment, person=True) as notebook:
        yield notebook
