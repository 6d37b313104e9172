"""What goes wrong in clusters, on purpose: parts that die or hang, a network that is cut, a disk that is full.

    with faults.killed("apiserver"):
        ...

What was broken is whole again when the block ends, however it ends. Everything goes by pid, and nothing is touched that
is not the cluster's. `back` looks at what there is, not at what was done: it also mends what a run of the tests left
behind that was itself killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.cluster import addons, cluster, network, processes, status
from tests.cluster.addons import Addon
from tests.cluster.api import Api, Refused
from tests.cluster.layout import ADMIN, DNS_SERVICE, FIRST, NODES, RUN, SECOND, STATE, Node
from tests.cluster.steps import until

CONTROL = ("registry", "etcd", "apiserver", "controller-manager", "scheduler")
"""In the order in which they are started: each needs those before it."""
KINDS = ("containerd", "kubelet", "proxy")
"""Of every node; without a node's name the first node's are meant."""
ADDONS = {addon.name: addon for addon in addons.ALL}
"""What runs as pods of the cluster itself."""
PARTS = (*CONTROL, *KINDS, *ADDONS)
"""All that can be killed or stopped by name."""
_STORE = STATE / "registry" / "store"
_FULL = RUN / "full"
_SECONDS = 90.0
_DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/{}"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


@contextlib.contextmanager
def killed(*names: str) -> Iterator[None]:
    """Parts are dead until the block ends: killed as by the kernel, all at once, and not started again meanwhile.

    Args:
        names: `apiserver`, `kubelet` (of the first node), `proxy-node2`, `kueue`: PARTS.
    """
    found = [pid for name in names for pid in pids(name)]
    try:
        for name in names:
            if name in ADDONS:
                # Else the kubelet would start it again within a second.
                with _asking() as api:
                    _scale(api, ADDONS[name], 0)
        for pid in found:
            processes.kill(pid)
        yield
    finally:
        back()


@contextlib.contextmanager
def stopped(*names: str) -> Iterator[None]:
    """Parts hang until the block ends: they hold their connections, accept more of them, and say nothing.

    Args:
        names: as for `killed`.
    """
    found = freeze(*names)
    try:
        yield
    finally:
        _go_on(found)
        back()


@contextlib.contextmanager
def cut(node: Node = SECOND) -> Iterator[None]:
    """A node's network is gone until the block ends; its pods run on, and nobody hears of them."""
    try:
        network.cut(node)
        yield
    finally:
        back()


@contextlib.contextmanager
def registry_full() -> Iterator[None]:
    """The registry's disk is full until the block ends: it answers and can be pulled from, and takes nothing more."""
    try:
        _FULL.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "jobq-cluster", _FULL)
        upper, work = _FULL / "upper", _FULL / "work"
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir={_STORE},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "-o", layers, "jobq-cluster", _STORE)
        _fill(_FULL / "ballast")
        yield
    finally:
        back()


def freeze(*names: str) -> list[int]:
    """Makes parts hang, until somebody brings them back; the pids that do."""
    found = [pid for name in names for pid in pids(name)]
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    # The last of its threads may run on for a moment.
    until(lambda: all(_hangs(pid) for pid in found), f"{', '.join(names)} stop", seconds=5, every=0.01)
    return found


def crash(namespace: str, pod: str, container: str = "") -> None:
    """Kills the first process of a container, as the kernel does when there is no memory left; once.

    Args:
        namespace: of the pod.
        pod: its name.
        container: its name; "" for all of the pod.
    """
    for name, pid in containers(namespace, pod).items():
        if container in {"", name}:
            processes.kill(pid)


def kill_shim(namespace: str, pod: str) -> None:
    """Kills what holds a pod's containers for containerd; once."""
    processes.kill(shim(namespace, pod))


def fill(namespace: str, pod: str, path: str, size: int, container: str = "") -> None:
    """Writes a file of a container until it has a size, or until its disk is full.

    Args:
        namespace: of the pod.
        pod: its name.
        path: of the file, as the container sees it; no absolute link may be on the way.
        size: in bytes.
        container: its name; "" for the first that runs.
    """
    found = containers(namespace, pod)
    pid = found[container] if container else next(iter(found.values()))
    _fill(Path(f"/proc/{pid}/root", path.lstrip("/")), size)


def pids(name: str) -> list[int]:
    """The processes of a part: of a daemon one, of what runs as pods those of its containers; none where it is dead."""
    if (addon := ADDONS.get(name)) is not None:
        with _asking() as api:
            return [pid for pod in _pods(api, addon, _deployment(api, addon)) for pid in _containers(pod).values()]
    found = processes.pid(f"{name}-{FIRST.name}" if name in KINDS else name)
    return [] if found is None else [found]


def containers(namespace: str, pod: str) -> dict[str, int]:
    """The first processes of a pod's containers that run, by the containers' names."""
    with _asking() as api:
        return _containers(api.ask("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}"))


def shim(namespace: str, pod: str) -> int:
    """The process that holds a pod's containers: their parent, and not containerd's child."""
    first = next(iter(containers(namespace, pod).values()))
    found = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    assert b"containerd-shim" in Path(f"/proc/{found}/cmdline").read_bytes(), f"{found} is no shim of {pod}"
    return found


def back(seconds: float = _SECONDS) -> None:
    """Brings back everything that is gone, hangs or is full, and returns when the cluster is whole.

    Args:
        seconds: that it has for it.

    Raises:
        Failed: it does not become whole; what is known of it.
    """
    mend(seconds)
    with _asking() as api:

        def look() -> bool:
            _start_gone()  # a kubelet leaves where containerd takes its time: as with any init system, it comes back
            return whole(api)

        until(
            look,
            "the cluster is whole again",
            seconds=seconds,
            every=0.5,
            why=lambda: "\n".join(status.lines()),
        )


def mend(seconds: float = _SECONDS) -> None:
    """Starts what is gone, and goes on with what hangs; what that leads to is not waited for, but for the API server.

    Args:
        seconds: that it has to answer.

    Raises:
        Failed: it does not.
    """
    _go_on([pid for name in processes.known() if (pid := processes.pid(name)) is not None])
    _make_room()
    if (Path("/run/netns") / SECOND.name).exists():
        network.mend(SECOND)
    _start_gone()
    with _asking() as api:
        until(
            lambda: api.http.get("/readyz").text == "ok",
            "the API server is ready",
            seconds=seconds,
            why=lambda: processes.last_words("apiserver"),
        )
        for place in NODES:
            if f"containerd-{place.name}" in processes.known():
                _answers(place, seconds)
        for addon in ADDONS.values():
            _revive(api, addon)


def _start_gone() -> None:
    for name in sorted(processes.known(), key=_rank):
        if processes.pid(name) is None:
            processes.start(cluster.daemon(name))


def _answers(place: Node, seconds: float) -> None:
    """Returns when a node's containerd answers: who asks after containers would fail before."""
    name = f"containerd-{place.name}"
    until(lambda: [_tasks(place)], f"{name} answers", seconds=seconds, why=lambda: processes.last_words(name))


def whole(api: Api) -> bool:
    """Whether all parts live and are ready, and none waits for what its predecessor held when it was killed."""
    nodes = api.ask("GET", "/api/v1/nodes")["items"]
    return (
        all(processes.pid(name) is not None for name in processes.known())
        and all(_is(node, "Ready") for node in nodes)
        and all(_whole(api, addon) for addon in ADDONS.values())
    )


def _rank(name: str) -> int:
    return CONTROL.index(name) if name in CONTROL else len(CONTROL)


def _hangs(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(found.read_text().rpartition(")")[2].split()[0] == "T" for found in threads)


def _go_on(found: list[int]) -> None:
    for pid in found:
        with contextlib.suppress(OSError):
            if _hangs(pid):
                os.kill(pid, signal.SIGCONT)


def _make_room() -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in (_STORE, _FULL):
        for _ in range(mounts.count(str(place))):
            _run("umount", "-l", place)


@contextlib.contextmanager
def _asking() -> Iterator[Api]:
    with contextlib.closing(Api(ADMIN)) as api:
        yield api


def _revive(api: Api, addon: Addon) -> None:
    """Makes a Deployment want its pod again, and spares it the pauses of those that die again and again."""
    wanted = _deployment(api, addon)
    if wanted["spec"]["replicas"] == 0:
        _scale(api, addon, 1)
    for pod in _pods(api, addon, wanted):
        _go_on(list(_containers(pod).values()))
        waiting = [found["state"].get("waiting", {}) for found in pod["status"].get("containerStatuses", [])]
        if any(found.get("reason") == "CrashLoopBackOff" for found in waiting):
            _delete(api, f"/api/v1/namespaces/{addon.namespace}/pods/{pod['metadata']['name']}")


def _whole(api: Api, addon: Addon) -> bool:
    wanted = _deployment(api, addon)
    pods = _pods(api, addon, wanted)
    if wanted["spec"]["replicas"] != len(pods) or not all(_is(pod, "Ready") and _containers(pod) for pod in pods):
        return False
    begun = max(_begun(pod) for pod in pods)
    leads = addon == addons.COREDNS
    for lease in _leases(api, addon):
        if lease["spec"]["renewTime"] >= begun:
            leads = True
        else:  # of one that is dead: the new one would wait until it is out of date
            _delete(api, f"{_LEASES.format(addon.namespace)}/{lease['metadata']['name']}")
    return leads and _resolves()


def _resolves() -> bool:
    """Whether CoreDNS is reached by its Service: kube-proxy hears of its pod a moment after that is ready."""
    socket.create_connection((DNS_SERVICE, 53), timeout=1).close()
    return True


def _begun(pod: dict[str, Any]) -> str:
    """When the process that is in a pod now was started."""
    return max(found["state"]["running"]["startedAt"] for found in pod["status"]["containerStatuses"])


def _leases(api: Api, addon: Addon) -> list[dict[str, Any]]:
    """By which the processes of a Deployment agree on who leads."""
    found = api.ask("GET", _LEASES.format(addon.namespace))["items"]
    return [each for each in found if each["spec"].get("holderIdentity", "").startswith(f"{addon.deployment}-")]


def _is(found: dict[str, Any], condition: str) -> bool:
    conditions = found["status"].get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _scale(api: Api, addon: Addon, number: int) -> None:
    api.ask("PATCH", _DEPLOYMENT.format(addon.namespace, addon.deployment), {"spec": {"replicas": number}})


def _delete(api: Api, path: str) -> None:
    try:
        api.ask("DELETE", path)
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise


def _deployment(api: Api, addon: Addon) -> dict[str, Any]:
    return api.ask("GET", _DEPLOYMENT.format(addon.namespace, addon.deployment))


def _pods(api: Api, addon: Addon, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a Deployment that are not on their way out."""
    labels = wanted["spec"]["selector"]["matchLabels"]
    chosen = ",".join(f"{name}={text}" for name, text in labels.items())
    found = api.ask("GET", f"/api/v1/namespaces/{addon.namespace}/pods?labelSelector={quote(chosen)}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _containers(pod: dict[str, Any]) -> dict[str, int]:
    node = next((found for found in NODES if found.name == pod["spec"].get("nodeName")), None)
    named = {
        found["containerID"].rpartition("/")[2]: found["name"]
        for found in pod["status"].get("containerStatuses", [])
        if found.get("containerID")
    }
    if node is None or not named:
        return {}
    return {named[key]: pid for key, pid in _tasks(node).items() if key in named}


def _tasks(node: Node) -> dict[str, int]:
    """What containerd runs on a node: pids by the ids of containers."""
    told = _run("ctr", "--address", node.socket, "--namespace", "k8s.io", "tasks", "ls")
    rows = [line.split() for line in told.splitlines()[1:]]
    return {key: int(pid) for key, pid, state in rows if state != "STOPPED"}


def _fill(path: Path, size: int | None = None) -> None:
    """Writes until a size is reached, or no room is left."""
    block = b"\1" * 65536
    with path.open("wb", buffering=0) as file:
        try:
            while size is None or file.tell() < size:
                file.write(block if size is None else block[: size - file.tell()])
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise


def _run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout
