from __future__ import annotations

import asyncio
import pickle

import pytest

import jobq_magic
from jobq_magic import Job
from jobq_magic.errors import JobFailed, StoreError


def test_a_job_is_found_again_by_any_reference(submit):
    run = submit("print('hi')\nx = 4\nx * 2", name="again", outs=["x"])
    job = Job.from_id("again")
    assert job == Job(run.id) == pickle.loads(pickle.dumps(job))
    assert (job.result(), job.values(), job.logs(), job.done()) == (8, {"x": 4}, "hi\n", True)
    assert job.exception() is None
    assert asyncio.run(awaited(job)) == 8
    assert run.id in repr(job)
    assert "Succeeded" in job._repr_html_()
    with pytest.raises(StoreError):
        Job.from_id("nothing")


async def awaited(job):
    return await job


def test_a_job_raises_what_its_cell_raised(submit):
    submit("{}['missing']")
    job = Job.from_id("-1")
    assert isinstance(job.exception(), KeyError)
    with pytest.raises(KeyError, match="missing"):
        job.result()
    with pytest.raises(KeyError):
        asyncio.run(awaited(job))


def test_a_wait_may_end_before_the_job(submit):
    run = submit("import time\ntime.sleep(60)", wait=False)
    job = Job(run.id)
    with pytest.raises(TimeoutError, match=run.id):
        job.wait(timeout=0.05)
    job.stop()
    assert job.wait(timeout=30).phase == "cancelled"
    with pytest.raises(JobFailed):
        job.result()


def test_the_package_offers_it():
    assert "Job" in jobq_magic.__all__
