"""A real kernel to run cells in, as a front end does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.manager import KernelManager

__all__ = ["Kernel", "kernel"]


class Kernel:
    """A running kernel and its client."""

    def __init__(self, client: Any, *, stdin: bool) -> None:
        self.client = client
        self._stdin = stdin

    def run(self, code: str, timeout: float = 120) -> dict[str, Any]:
        """Executes a cell.

        Returns:
            `took`: seconds from request to idle; `first`: to the first stream message; `text`: what it printed;
            `error`: name of the exception, or None.
        """
        start = time.perf_counter()
        ident = self.client.execute(code, allow_stdin=self._stdin)
        found: dict[str, Any] = {"first": None, "text": "", "error": None}
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != ident:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                found["first"] = found["first"] or time.perf_counter() - start
                found["text"] += content["text"]
            elif kind == "error":
                found["error"] = content["ename"]
                found["text"] += "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        found["took"] = time.perf_counter() - start
        self.client.get_shell_msg(timeout=timeout)
        return found

    def do(self, code: str, timeout: float = 120) -> dict[str, Any]:
        """The same, of a cell that must end well."""
        found = self.run(code, timeout)
        if found["error"]:
            raise SystemExit(found["text"])
        return found


@contextmanager
def kernel(env: dict[str, str], *, stdin: bool = False) -> Iterator[Kernel]:
    """A fresh kernel; it ends with the block."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=env)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        yield Kernel(client, stdin=stdin)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
