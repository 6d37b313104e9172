"""A cell's own `ray.init`: in a job on Ray it joins the Ray that the job runs on.

It was mostly written for another place. What only says how to start a Ray is left out, with a note where the cell would
notice; what cannot be had here is refused in one sentence that names the argument and the way to it.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import time

from . import parallel, raypod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

# What a cell would miss, and the option of a cell that gives it.
_TOLD = {
    "num_cpus": "--workers, --cpus",
    "num_gpus": "--gpus",
    "object_store_memory": "--memory",
    "_memory": "--memory",
    "labels": "",
    "_system_config": "",
    "_node_name": "",
    "_enable_object_reconstruction": "",
}
_QUIET = (
    *("include_dashboard", "dashboard_host", "dashboard_port", "proxy_server_url", "_metrics_export_port"),
    *("_temp_dir", "_plasma_directory", "object_spilling_directory", "_node_ip_address", "_redis_username"),
    *("_redis_password", "enable_resource_isolation", "cgroup_path", "system_reserved_cpu", "system_reserved_memory"),
)
_GREETINGS = ("Using address", "Connecting to existing Ray cluster", "Connected to Ray cluster")
"""What Ray says when it is joined: addresses that lead nowhere from outside. The panel has the link."""
_IMPOSSIBLE = "infeasible resource requests"
_STALE = 60.0
"""Seconds for which that may still be of the time before the last worker came. Ray says it again, where it is true."""


def join_the_cluster(ray: ModuleType) -> None:
    """Lets the `ray.init` of a cell join the Ray that the job runs on."""
    plain = ray.init

    @functools.wraps(plain)
    def init(address: str | None = None, **options: Any) -> Any:
        _refuse_elsewhere(address)
        kept = {name: value for name, value in options.items() if name not in (*_TOLD, *_QUIET, "resources")}
        if kept.get("runtime_env"):
            kept["runtime_env"] = _added(kept["runtime_env"])
        if parallel.connected:
            parallel.connected = False
            kept["ignore_reinit_error"] = True
        if raypod.STATE in os.environ:
            raypod.wait()
            _be_patient(ray)
        logging.getLogger("ray._private.worker").addFilter(_is_news)
        context = plain(os.environ.get("RAY_ADDRESS"), **kept)
        try:
            _compare(options, parallel.resources(ray))
        except ValueError:
            ray.shutdown()
            raise
        return context

    ray.init = init  # type: ignore[attr-defined]


def _be_patient(ray: ModuleType) -> None:
    """Lets Ray not call a task impossible for whose worker the pod is still on its way."""
    worker: Any = sys.modules.get("ray._private.worker")
    plain = getattr(worker, "print_to_stdstream", None)
    if plain is None or hasattr(plain, "__wrapped__"):
        return

    whole: float | None = None

    @functools.wraps(plain)
    def told(data: Mapping[str, Any], *rest: Any, **named: Any) -> None:
        nonlocal whole
        if any(_IMPOSSIBLE in line for line in data.get("lines", ())):
            has = ray.cluster_resources()
            if any(has.get(kind, 0) < count for kind, count in parallel.resources(ray).items()):
                return
            if whole is None:
                whole = time.monotonic()
            if time.monotonic() - whole < _STALE:
                return
        plain(data, *rest, **named)

    worker.print_to_stdstream = told


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_GREETINGS)


def _refuse_elsewhere(address: str | None) -> None:
    here = os.environ.get("RAY_ADDRESS", "")
    if address in (None, "", "auto", here):
        return
    assert address is not None
    host = here.rpartition(":")[0]
    # The client's address of the same cluster.
    if address.startswith("ray://") and address[6:].rpartition(":")[0] == host not in ("", "127.0.0.1", "localhost"):
        return
    if address == "local":
        raise ValueError(
            "address='local' of ray.init would start a Ray inside of the one that the job runs on: "
            "leave it out, or run the cell with --mode local"
        )
    raise ValueError(
        f"address={address!r} of ray.init is not the Ray that the job runs on: "
        "leave it out, or run the cell there with --address http://HOST:8265"
    )


def _compare(options: Mapping[str, Any], there: Mapping[str, float]) -> None:
    """Tells which of the arguments have no effect; refuses what tasks would wait for until the end of time."""
    wanted = {"GPU": options.get("num_gpus") or 0, **(options.get("resources") or {})}
    for name, count in wanted.items():
        if count > (has := there.get(name, 0)):
            argument = f"num_gpus={count}" if name == "GPU" else f"resources={{{name!r}: {count!r}}}"
            way = "ask for them with --gpus" if name == "GPU" else "run the cell with --address on a Ray that has them"
            raise ValueError(
                f"{argument} of ray.init: the Ray that the job runs on has {has:g}, and tasks that ask for more would "
                f"wait for ever; {way}"
            )
    void = {name: options[name] for name in _TOLD if options.get(name) not in (None, {}, False)}
    for name, resource in {"num_cpus": "CPU", "num_gpus": "GPU"}.items():
        if void.get(name) == there.get(resource):
            void.pop(name, None)
    if void:
        told = ", ".join(f"{name}={value!r}" for name, value in void.items())
        ways = ", ".join(dict.fromkeys(way for name in void if (way := _TOLD[name])))
        print(
            f"jobq: {told} of ray.init has no effect: the job runs on a Ray that is there"
            + (f"; what it has is asked for with {ways}" if ways else ""),
            file=sys.stderr,
        )


def _added(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a `runtime_env` adds to that of the job; Ray refuses what says a thing again, even the same thing."""
    new = dict(asked)
    job: dict[str, Any] = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")).get("runtime_env") or {}
    if "worker_process_setup_hook" in job and new.get("worker_process_setup_hook"):
        raise ValueError(
            "runtime_env={'worker_process_setup_hook': ...} of ray.init: the job has one, by which its workers know "
            "the definitions of the notebook; call yours in your tasks"
        )
    given = job.get("env_vars") or {}
    if variables := new.pop("env_vars", None):
        for name, value in variables.items():
            if given.get(name, value) != value:
                raise ValueError(
                    f"runtime_env={{'env_vars': {{{name!r}: ...}}}} of ray.init: the job has another {name}; "
                    + ("extend sys.path" if name == "PYTHONPATH" else f"set it with --env {name}=...")
                )
        if left := {name: value for name, value in variables.items() if name not in given}:
            new["env_vars"] = left
    return new
