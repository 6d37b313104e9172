"""Whether a cluster can live on this machine; where it cannot, one sentence says why, and the way out."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster import build, golang, layout, processes
from tests.cluster.steps import Failed

OTHER = "Or name another cluster for the tests: JOBQ_TEST_KUBECONFIG=<its kubeconfig>."
_HERE = "127.0.0.1"
PORTS = {
    6443: ("the API server", layout.FIRST.address),
    10250: ("the kubelet", layout.FIRST.address),
    5010: ("the registry", layout.FIRST.address),
    2379: ("etcd", _HERE),
    2380: ("etcd", _HERE),
    10248: ("the kubelet", _HERE),
    10249: ("kube-proxy", _HERE),
    10256: ("kube-proxy", _HERE),
    10257: ("the controller manager", _HERE),
    10259: ("the scheduler", _HERE),
}
"""Who listens on this machine, and at which address: somebody else may have the port at another one."""
ADDRESSES = ipaddress.ip_network("198.18.0.0/15")
CAPABILITIES = {12: "CAP_NET_ADMIN", 18: "CAP_SYS_CHROOT", 21: "CAP_SYS_ADMIN", 27: "CAP_MKNOD"}
"""What a container runtime must be able to do, and root in a container often cannot; by their numbers in Linux."""
GIGABYTE = 1_000_000_000
ROOM = 4
"""In GB: images in the registry and unpacked on a node, twice, and their containers."""
ROOM_TO_BUILD = 8
"""In GB: Go's modules and what it compiles of them."""


def refusal(verb: str = "up") -> str | None:
    """Why this machine cannot do it, and the way out; None where it can.

    Args:
        verb: `up`, `down`, `status` or `build`, each of which needs something else.
    """
    try:
        for check in _CHECKS[verb]:
            if told := check():
                return f"{told} {OTHER}" if verb in _INSTEAD else told
    except Failed as failed:
        return str(failed)
    except PermissionError as error:  # who has become somebody else, and kept the home of before
        return f"{error.filename} is closed to this user: name a home of its own (HOME), or call it as root."
    return None


def missing() -> list[str]:
    """Debian's packages that a node is made of and that are not here."""
    script = Path(__file__).with_name("install.sh")
    done = subprocess.run(["sh", script, "missing"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def listening() -> Iterator[tuple[str, int, str, int]]:
    """Who listens on this machine: address, port, name and pid."""
    done = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        address, _, port = line.split()[3].rpartition(":")
        for name, pid in re.findall(r'\("([^"]*)",pid=(\d+)', line) or [("somebody", "0")]:
            yield address, int(port), name, int(pid)


def _not_linux() -> str | None:
    if platform.system() == "Linux":
        return None
    return f"A cluster here needs Linux, and this is {platform.system()}: use a virtual machine with Debian."


def _not_root() -> str | None:
    if os.geteuid() == 0:
        return None
    return (
        "A cluster here needs root, for namespaces, mounts and routes:"
        ' `sudo env "PATH=$PATH" make ...`, so that Go is still found.'
    )


def _lacks_packages() -> str | None:
    if not (names := " ".join(missing())):
        return None
    if shutil.which("apt-get"):
        return f"A cluster here needs Debian's {names}: `sh tests/cluster/install.sh` installs them."
    return f"A cluster here needs Debian's {names}, and there is no apt-get: install what they are called here."


def _lacks_capabilities() -> str | None:
    held = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    mask = int(held[1], 16) if held else 0
    lacking = [name for bit, name in CAPABILITIES.items() if not mask >> bit & 1]
    if not lacking:
        return None
    return f"Root has no {', '.join(lacking)} here: in a container that takes `--privileged`."


def _lacks_cgroups() -> str | None:
    root = Path("/sys/fs/cgroup")
    if (second := root / "cgroup.controllers").exists():
        held = set(second.read_text().split())
    else:
        held = {name for name in ("cpu", "memory", "pids") if (root / name / "cgroup.procs").exists()}
    if lacking := {"cpu", "memory", "pids"} - held:
        names = ", ".join(sorted(lacking))
        return f"There are no cgroups for {names} below {root}: mount them (the package cgroupfs-mount does)."
    return None


def _lacks_kernel() -> str | None:
    """Tries in namespaces of its own what a node does, since there is no other way to know what a kernel can."""
    layout.STATE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".jobq-", dir=layout.STATE.parent) as folder:
        for name in ("lower", "upper", "work", "merged"):
            Path(folder, name).mkdir()
        layers = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        tried = {
            "network namespaces": "true",
            "bridges": "ip link add jobq0 type bridge",
            "veth pairs": "ip link add jobq1 type veth peer name jobq2",
            "nat in iptables": f"iptables -w -t nat -A POSTROUTING -s {ADDRESSES} -j MASQUERADE",
            "conntrack in iptables": "iptables -w -A INPUT -m conntrack --ctstate INVALID -j DROP",
            "comments in iptables": "iptables -w -A INPUT -m comment --comment jobq -j RETURN",
            "marks in iptables": "iptables -w -t nat -A OUTPUT -m mark ! --mark 1/1 -j MARK --or-mark 1",
            "chance in iptables": "iptables -w -A INPUT -m statistic --mode random --probability 0.5 -j RETURN",
            f"overlays in {layout.STATE.parent}": f"mount -t overlay overlay -o {layers} {folder}/merged",
        }
        script = "".join(f"{command} || {{ echo '{what}'; exit 1; }}\n" for what, command in tried.items())
        words = ["unshare", "--net", "--mount", "sh", "-c", script]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if not done.returncode:
        return None
    what = done.stdout.strip() or next(iter(tried))
    said = (done.stderr.strip().splitlines() or ["no reason"])[-1]
    return f"This kernel gives root no {what} ({said}): use a virtual machine."


def _ports_taken() -> str | None:
    ours = {processes.pid(name) for name in processes.known()}
    for address, port, name, pid in listening():
        if port not in PORTS or pid in ours:
            continue
        whose, where = PORTS[port]
        if address.strip("[]") in {"0.0.0.0", "::", "*", where}:
            return f"Port {port}, of {whose}, is taken by `{name}` (pid {pid}): end that, and try again."
    return None


def _addresses_taken() -> str | None:
    done = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True)
    links = json.loads(done.stdout)
    if any(link["ifname"] == layout.BRIDGE for link in links):
        return None  # they are ours
    for link in links:
        for address in link["addr_info"]:
            if ipaddress.ip_address(address["local"]) in ADDRESSES:
                has = f"`{link['ifname']}` has {address['local']}"
                return f"{has}, and {ADDRESSES} is for the cluster: take that link down."
    return None


def _lacks_room() -> str | None:
    if layout.STATE.exists():
        return None  # what it needs, it has taken
    return _narrow(layout.STATE.parent, ROOM)


def _lacks_go() -> str | None:
    """Only where something is to be built."""
    if build.missing(build.NEEDED):
        golang.version()
        return _narrow(golang.caches()[1], ROOM_TO_BUILD)
    return None


def _narrow(place: Path, wanted: int) -> str | None:
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    return f"There are {free:.1f} GB free at {there}, and it takes {wanted} GB: make room." if free < wanted else None


_CHECKS: dict[str, tuple[Callable[[], str | None], ...]] = {
    "build": (_lacks_go,),
    "down": (_not_linux, _not_root),
    "status": (_not_linux, _not_root),
    "up": (
        _not_linux,
        _not_root,
        _lacks_packages,
        _lacks_capabilities,
        _lacks_cgroups,
        _lacks_kernel,
        _ports_taken,
        _addresses_taken,
        _lacks_room,
        _lacks_go,
    ),
}
_INSTEAD = ("up", "build")
"""Where another cluster would do as well."""
