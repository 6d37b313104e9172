"""What the sidebar's server costs: lists, logs, changes, and the sidebar itself.

Each part is a module beside this one with `rows() -> list[Row]`; `python -m benchmarks.server lists log` has some.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec

from benchmarks.table import publish

PARTS = ("lists", "log", "changes", "front", "browser")


def main(chosen: list[str]) -> None:
    """Measures the chosen parts, or all."""
    rows = []
    for part in chosen or PARTS:
        module = f"benchmarks.server{part}"
        if not chosen and find_spec(module) is None:
            continue
        with tempfile.TemporaryDirectory(prefix="jobq-bench-", ignore_cleanup_errors=True) as folder:
            os.environ["JOBQ_HOME"], os.environ["JOBQ_RUNTIME_DIR"] = f"{folder}/store", f"{folder}/runtime"
            rows += import_module(module).rows()
    publish("server", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
