"""From nothing to a cluster that takes jobs, and back. Both may be done again at any time, whatever was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tests.cluster import (
    addons,
    build,
    control,
    environment,
    images,
    kwok,
    machinestate,
    network,
    node,
    people,
    pki,
    processes,
    registry,
    sweep,
)
from tests.cluster.layout import FIRST, LOCK, NODES, SECOND, Node
from tests.cluster.processes import Daemon
from tests.cluster.steps import Failed, Steps, until

_CONTROL: dict[str, Callable[[], Daemon]] = {
    "registry": registry.daemon,
    "etcd": control.etcd,
    "apiserver": control.apiserver,
    "controller-manager": control.controller_manager,
    "scheduler": control.scheduler,
    "kwok": kwok.daemon,
}
_NODE = {"containerd": node.containerd, "kubelet": node.kubelet, "proxy": node.proxy}
_BASES = ("python", "ray")
_PATIENCE = 2
"""Seconds that a daemon is given to end whose data goes with it: an API server would wait for all who watch."""
TARGETS = {"up": 45, "second": 3, "down": 20}
"""Seconds, on two cores."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a cluster is to have beyond its first node; what is not said stays as it is."""

    second: bool = False
    """A second real node, with a network of its own; once there it stays until `down`."""
    kwok: int | None = None
    """Nodes that only claim to run what they are given, with GPUs; for queues at scale."""
    gpus: int | None = None
    """GPUs that the first node claims to have."""


def daemon(name: str) -> Daemon:
    """A daemon by its name, as it is started: `apiserver`, `kubelet-node1`."""
    if name in _CONTROL:
        return _CONTROL[name]()
    kind, _, place = name.partition("-")
    return _NODE[kind](next(found for found in NODES if found.name == place))


def up(wanted: Wanted, steps: Steps) -> None:
    """Brings up what is not up.

    Raises:
        Failed: it does not come up; what is known of it.
    """
    with alone(), ThreadPoolExecutor(4, thread_name_prefix="images") as pool:
        begun = steps.seconds
        network.up()
        pki.ensure()
        processes.start(registry.daemon())
        processes.start(node.containerd(FIRST))
        until(registry.answers, "the registry answers", seconds=20, why=lambda: processes.last_words("registry"))
        # These need no program of ours: what they wait for when they are first made (packages, the disk), Go works in.
        published = {name: pool.submit(images.publish, name, steps.say) for name in _BASES}
        waited = steps.seconds
        build.ensure((*build.NEEDED, *(("kwok",) if wanted.kwok else ())), steps.say)
        steps.done("the programs are there")
        begun += steps.seconds - waited
        processes.start(control.etcd())
        images.publish("pause", steps.say)
        published |= {addon.name: pool.submit(images.publish, addon.name, steps.say) for addon in addons.ALL}
        _control(steps)
        _join(FIRST)
        _ready(FIRST, steps)
        _addons(published, steps)
        _more(wanted, steps)
        people.apply()
        steps.done("users and queues")
        for name in _BASES:
            published[name].result()
        steps.done("images are published")
        environment.write()
        steps.measured("all Ready, building not counted", steps.seconds - begun, TARGETS["up"])


def second(steps: Steps) -> None:
    """Adds the second node to a cluster that is up."""
    with alone():
        _second(steps)


def down(steps: Steps) -> None:
    """Takes everything away: processes, mounts, links, rules, cgroups, files.

    Raises:
        Failed: something is left; what.
    """
    with alone():
        begun = steps.seconds
        with contextlib.suppress(OSError, Failed):
            kwok.stop()
        for place in reversed(NODES):
            for kind in ("kubelet", "proxy"):
                processes.stop(f"{kind}-{place.name}")
        for name in ("scheduler", "controller-manager", "apiserver", "etcd", "registry"):
            processes.stop(name, seconds=_PATIENCE)
        steps.done("nothing is started any more")
        for place in NODES:
            processes.stop(f"containerd-{place.name}")
            sweep.containers(place)
        steps.done("no container is left")
        sweep.mounts()
        network.leave(SECOND)
        network.down()
        for place in NODES:
            sweep.cgroups(place)
        sweep.files()
        if left := machinestate.ours():
            raise Failed("Something of the cluster is left: " + "; ".join(left[:5]))
        steps.measured("down", steps.seconds - begun, TARGETS["down"])


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One at a time brings the cluster up or down; whoever comes second waits."""
    file = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _control(steps: Steps) -> None:
    processes.start(control.apiserver())
    until(control.ready, "the API server is ready", seconds=90, why=lambda: processes.last_words("apiserver"))
    steps.done("the API server is ready")
    processes.start(control.controller_manager())
    processes.start(control.scheduler())


def _join(place: Node) -> None:
    node.prepare(place)
    for found in node.daemons(place):
        processes.start(found)


def _more(wanted: Wanted, steps: Steps) -> None:
    known = processes.known()
    if wanted.second or f"kubelet-{SECOND.name}" in known:
        _second(steps)
    if wanted.kwok is not None:
        kwok.nodes(wanted.kwok)
    elif "kwok" in known:
        processes.start(kwok.daemon())
    if wanted.gpus is not None:
        kwok.gpus(wanted.gpus)


def _second(steps: Steps) -> None:
    begun = steps.seconds
    network.join(SECOND)
    _join(SECOND)
    _ready(SECOND, steps)
    steps.measured("the second node", steps.seconds - begun, TARGETS["second"])


def _ready(place: Node, steps: Steps) -> None:
    def look() -> bool:
        processes.start(node.kubelet(place))  # it leaves where containerd takes its time, and comes back
        return node.ready(place)

    until(
        look,
        f"{place.name} is ready",
        seconds=60,
        why=lambda: processes.last_words(f"kubelet-{place.name}"),
    )
    steps.done(f"{place.name} is ready")


def _addons(published: dict[str, Future[str]], steps: Steps) -> None:
    for addon in addons.ALL:
        addons.apply(addon, published[addon.name].result())
    steps.done("CoreDNS, KubeRay and Kueue are applied")
    for addon in addons.ALL:
        addons.wait(addon)
        steps.done(f"{addon.shown} is ready")
