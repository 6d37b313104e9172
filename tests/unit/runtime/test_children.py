from __future__ import annotations

import multiprocessing
import time

from joblib.externals.loky.backend.process import LokyProcess

from jobq_magic.runtime.children import waited_for


def test_processes_that_the_job_waits_for_are_named_but_not_those_that_end_by_themselves():
    context = multiprocessing.get_context("fork")
    kept, daemon = (context.Process(target=time.sleep, args=(60,), name=name) for name in ("kept", "daemon"))
    daemon.daemon = True
    ended = context.Process(target=int, name="ended")
    for process in (kept, daemon, ended):
        process.start()
    try:
        ended.join(10)
        pooled = LokyProcess(target=int, name="pooled")
        assert pooled.exitcode is None
        assert waited_for([kept, daemon, ended, pooled]) == [f"kept, pid {kept.pid}"]
    finally:
        for process in (kept, daemon):
            process.kill()
            process.join(10)
