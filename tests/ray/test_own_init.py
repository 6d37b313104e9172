"""A cell's own `ray.init` joins the Ray that the job runs on, or is told in one sentence why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobq_magic.runs.store import Store
from tests.local.conftest import Local
from tests.support import eventually

CELL = """
import contextlib, io, os, ray, jobq_magic
found = {}

@ray.remote
def square(x):
    return x * x

@ray.remote
def env(name):
    return os.environ.get(name)

def works():
    return ray.get(square.remote(3))

# That it is connected is quickly seen: a task needs a new worker each time.
def attempt(what, *address, then=ray.is_initialized, **options):
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            ray.init(*address, logging_level=40, **options)
        outcome = then()
    except Exception as error:
        outcome = f'{type(error).__name__}: {error}'
    found[what] = outcome, told.getvalue()
    ray.shutdown()

attempt('plain', then=works)
attempt('auto', 'auto')
attempt('address', address=os.environ['RAY_ADDRESS'])
attempt('local', 'local')
attempt('client', 'ray://cluster.example:10001')
attempt('another', address='10.1.2.3:6379')
attempt('as many', num_cpus=WORKERS)
attempt('cpus', num_cpus=64)
attempt('several', num_cpus=64, object_store_memory=10**9, _system_config={'x': 1}, then=works)
attempt('of a new one', include_dashboard=False, dashboard_port=8265, _temp_dir='/nowhere', dashboard_host='0.0.0.0')
attempt('gpus', num_gpus=1)
attempt('resources', resources={'special': 2})
attempt('namespace', namespace='mine', then=lambda: ray.get_runtime_context().namespace)
attempt('variables', runtime_env={'env_vars': {'OWN': 'x'}}, then=lambda: ray.get(env.remote('OWN')))
attempt('the same', runtime_env={'env_vars': {'GIVEN': 'this'}}, then=lambda: ray.get(env.remote('GIVEN')))
attempt('another value', runtime_env={'env_vars': {'GIVEN': 'that'}})
attempt('path', runtime_env={'env_vars': {'PYTHONPATH': '/mine'}})
attempt('hook', runtime_env={'worker_process_setup_hook': print})
attempt('unknown', colour='red')
attempt('twice', then=lambda: ray.init())
attempt('twice, let pass', then=lambda: ray.init(ignore_reinit_error=True).address_info is not None)

jobq_magic.parallel_map(abs, [-1])
attempt('after parallel_map', num_cpus=WORKERS)
jobq_magic.parallel_map(abs, [-1])
if not ray.is_initialized():
    ray.init(num_cpus=64)
found['guard'] = ray.get(square.remote(5)), ''
ray.shutdown()
with ray.init(logging_level=40) as context:
    found['with'] = ray.is_initialized(), ''
found['after with'] = ray.is_initialized(), ''
found['without'] = ray.get(square.remote(7)), ''
ray.shutdown()
found['parallel_map at the end'] = jobq_magic.parallel_map(lambda x: x + 1, [1]), ''
"""
NO_EFFECT = "of ray.init has no effect: the job runs on a Ray that is there"
EXPECTED = {
    "plain": (9, ""),
    "auto": (True, ""),
    "address": (True, ""),
    "local": (
        (
            "ValueError: address='local' of ray.init would start a Ray inside of the one that the job runs on: "
            "leave it out, or run the cell with --mode local"
        ),
        "",
    ),
    "client": (
        (
            "ValueError: address='ray://cluster.example:10001' of ray.init is not the Ray that the job runs on: "
            "leave it out, or run the cell there with --address http://HOST:8265"
        ),
        "",
    ),
    "another": (
        (
            "ValueError: address='10.1.2.3:6379' of ray.init is not the Ray that the job runs on: "
            "leave it out, or run the cell there with --address http://HOST:8265"
        ),
        "",
    ),
    "as many": (True, ""),
    "cpus": (True, f"jobq: num_cpus=64 {NO_EFFECT}; what it has is asked for with --workers, --cpus\n"),
    "several": (
        9,
        (
            f"jobq: num_cpus=64, object_store_memory=1000000000, _system_config={{'x': 1}} {NO_EFFECT}; "
            "what it has is asked for with --workers, --cpus, --memory\n"
        ),
    ),
    "of a new one": (True, ""),
    "gpus": (
        (
            "ValueError: num_gpus=1 of ray.init: the Ray that the job runs on has 0, and tasks that ask for more would "
            "wait for ever; ask for them with --gpus"
        ),
        "",
    ),
    "resources": (
        (
            "ValueError: resources={'special': 2} of ray.init: the Ray that the job runs on has 0, and tasks that ask "
            "for more would wait for ever; run the cell with --address on a Ray that has them"
        ),
        "",
    ),
    "namespace": ("mine", ""),
    "variables": ("x", ""),
    "the same": ("this", ""),
    "another value": (
        (
            "ValueError: runtime_env={'env_vars': {'GIVEN': ...}} of ray.init: the job has another GIVEN; "
            "set it with --env GIVEN=..."
        ),
        "",
    ),
    "path": (
        (
            "ValueError: runtime_env={'env_vars': {'PYTHONPATH': ...}} of ray.init: the job has another PYTHONPATH; "
            "extend sys.path"
        ),
        "",
    ),
    "hook": (
        (
            "ValueError: runtime_env={'worker_process_setup_hook': ...} of ray.init: the job has one, by which its "
            "workers know the definitions of the notebook; call yours in your tasks"
        ),
        "",
    ),
    "unknown": ("RuntimeError: Unknown keyword argument(s): colour", ""),
    "twice, let pass": (True, ""),
    "after parallel_map": (True, ""),
    "guard": (25, ""),
    "with": (True, ""),
    "after with": (False, ""),
    "without": (49, ""),
    "parallel_map at the end": ([2], ""),
}


@pytest.fixture(scope="module")
def found(shared_pool, tmp_path_factory):
    from jobq_magic.backends.ray.backend import RayBackend
    from tests.ray.conftest import WORKERS, Place

    place = Place(Store(tmp_path_factory.mktemp("store ü")), shared_pool, RayBackend(shared_pool))
    cell = place.start(f"WORKERS = {WORKERS}\n{CELL}", outs=("found",), env={"GIVEN": "this"})
    assert cell.end(250).phase == "succeeded", cell.stderr
    return cell.values["found"]


@pytest.mark.parametrize("case", EXPECTED)
def test_is_understood_or_answered_in_one_sentence(found, case):
    assert found[case] == EXPECTED[case]


def test_a_second_one_is_what_it_is_on_a_ray_of_its_own(found):
    assert found["twice"][0].startswith("RuntimeError: Maybe you called ray.init twice by accident?")


def speaks_of(folder: Path) -> list[str]:
    """The command lines of processes in which a folder is named."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile
            continue
    return [line for line in lines if str(folder) in line]


@pytest.mark.slow  # each starts a whole Ray, which gives up where the machine is busy
@pytest.mark.parametrize(("last", "phase"), [("", "succeeded"), ("os._exit(3)", "failed")])
def test_a_job_on_this_machine_starts_a_ray_of_its_own_which_ends_with_it(tmp_path_factory, last, phase):
    local, folder = Local(Store()), tmp_path_factory.mktemp("r")
    run = local.start(
        f"import os, ray\nray.init(num_cpus=1, include_dashboard=False, _temp_dir={str(folder)!r})\n"
        f"print(ray.get(ray.remote(f).remote(20)))\nopen({str(folder / 'ready')!r}, 'w').close()\n{last}",
        definitions="def f(x):\n    return x + 1",
    )
    eventually(lambda: (folder / "ready").exists() or local.store.snapshot(run).final, 100)
    assert local.end(run, 60).phase == phase
    assert ("stdout", "21\n") in local.wrote(run)
    assert speaks_of(folder) == []
