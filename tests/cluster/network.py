"""The cluster's network: a bridge that the nodes are on, routes to pods and services, and the way out of it.

All pod traffic is routed (CNI plugin `ptp`), so nothing hangs on bridges being filtered. The second node lives in a
network namespace of its own on the bridge, so that its network can be cut without touching anybody else's.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

from tests.cluster.layout import BRIDGE, FIRST, NETWORK, PODS, SERVICES, STATE, Node

_ALL = "198.18.0.0/15"
_CHAIN = "JOBQ-CLUSTER"
_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    # Every kubelet, containerd and pod wants some; the usual 128 are few.
    "fs/inotify/max_user_instances": "8192",
    "fs/inotify/max_user_watches": "524288",
}
_SPACES = Path("/run/netns")
_BEFORE = STATE / "before.json"
"""What the machine was like."""


def up() -> None:
    """Makes the bridge, the routes and the rules; what is there is left as it is."""
    _set()
    if not _there(BRIDGE):
        _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("addr", "replace", f"{FIRST.address}/{NETWORK.partition('/')[2]}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    # Without a route a packet to a service would be refused before kube-proxy's rule sees it, or leave this machine.
    _ip("route", "replace", SERVICES, "dev", BRIDGE)
    _ip("route", "replace", "unreachable", PODS)
    # A Docker Engine sets the policy of FORWARD to DROP: what is ours is let through before.
    _chain("filter", "FORWARD", [["-s", _ALL, "-j", "ACCEPT"], ["-d", _ALL, "-j", "ACCEPT"]])
    # Within the cluster nothing is masqueraded, as Kubernetes wants it; to the outside everything.
    _chain("nat", "POSTROUTING", [["-s", _ALL, "!", "-d", _ALL, "-j", "MASQUERADE"]])


def join(node: Node) -> None:
    """Gives a node its own network, on the bridge."""
    space, inside = node.name, ("-n", node.name)
    if not Path(f"/run/netns/{space}").exists():
        _ip("netns", "add", space)
    if not _there(_outside(node)):
        _ip("link", "add", _outside(node), "type", "veth", "peer", "name", "eth0", "netns", space)
    _ip("link", "set", _outside(node), "master", BRIDGE, "up")
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "addr", "replace", f"{node.address}/{NETWORK.partition('/')[2]}", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "route", "replace", "default", "via", FIRST.address)
    _ip(*inside, "route", "replace", "unreachable", node.pods)
    _ip("route", "replace", node.pods, "via", node.address)
    _run("nsenter", f"--net=/run/netns/{space}", "--", "sysctl", "-qw", "net.ipv4.ip_forward=1")


def cut(node: Node) -> None:
    """Takes a node that lives apart off the network."""
    _ip("link", "set", _outside(node), "down")


def mend(node: Node) -> None:
    """Brings it back."""
    _ip("link", "set", _outside(node), "up")
    _ip("route", "replace", node.pods, "via", node.address)


def leave(node: Node) -> None:
    """Takes its network away."""
    _try("ip", "link", "del", _outside(node))
    if Path(f"/run/netns/{node.name}").exists():
        _ip("netns", "del", node.name)
    if _BEFORE.exists() and not json.loads(_BEFORE.read_text())["spaces"] and _is_mounted(_SPACES):
        _try("umount", str(_SPACES))  # `ip netns add` makes a mount of it, and leaves that
        _SPACES.rmdir()


def down() -> None:
    """Takes everything away, Kubernetes' own rules too, and puts the machine's settings back."""
    for family in ("iptables", "ip6tables"):
        for table in ("filter", "nat", "mangle"):
            _clean(family, table)
    _try("ip", "link", "del", BRIDGE)
    _try("ip", "route", "del", "unreachable", PODS)
    _restore()


def _outside(node: Node) -> str:
    return f"jobq-{node.name}"


def _there(link: str) -> bool:
    return Path(f"/sys/class/net/{link}").exists()


def _chain(table: str, hook: str, rules: list[list[str]]) -> None:
    """A chain of our own, first in its hook."""
    _try("iptables", "-w", "-t", table, "-N", _CHAIN)
    for rule in rules:
        if not _try("iptables", "-w", "-t", table, "-C", _CHAIN, *rule):
            _run("iptables", "-w", "-t", table, "-A", _CHAIN, *rule)
    if not _try("iptables", "-w", "-t", table, "-C", hook, "-j", _CHAIN):
        _run("iptables", "-w", "-t", table, "-I", hook, "1", "-j", _CHAIN)


def _clean(family: str, table: str) -> None:
    """Removes the chains of the cluster and all that leads to them; what others have made stays."""
    listed = subprocess.run([family, "-w", "-t", table, "-S"], capture_output=True, text=True, check=False).stdout
    lines = [line.split() for line in listed.splitlines()]
    ours = [words[1] for words in lines if words[0] == "-N" and words[1].startswith(("KUBE-", "CNI-", _CHAIN))]
    if not ours:
        return
    commands = [f":{chain} - [0:0]" for chain in ours]  # empties it
    for line in listed.splitlines():
        words = line.split()
        if words[0] == "-A" and words[1] not in ours and any(chain in words for chain in ours):
            commands.append(f"-D{line[2:]}")
    commands += [f"-X {chain}" for chain in ours]
    text = "\n".join((f"*{table}", *commands, "COMMIT", ""))
    subprocess.run([f"{family}-restore", "-w", "--noflush"], input=text, text=True, check=True)


def _set() -> None:
    if not _BEFORE.exists():
        STATE.mkdir(parents=True, exist_ok=True)
        settings = {name: Path("/proc/sys", name).read_text().strip() for name in _SETTINGS}
        _BEFORE.write_text(json.dumps({"settings": settings, "spaces": _is_mounted(_SPACES)}))
    for name, wanted in _SETTINGS.items():
        path = Path("/proc/sys", name)
        if int(path.read_text()) < int(wanted):
            path.write_text(wanted)


def _restore() -> None:
    if not _BEFORE.exists():
        return
    for name, text in json.loads(_BEFORE.read_text())["settings"].items():
        # A Docker Engine that was started meanwhile needs to forward, too: it has a bridge.
        if name != "net/ipv4/ip_forward" or not _bridges():
            Path("/proc/sys", name).write_text(text)
    _BEFORE.unlink()


def _is_mounted(path: Path) -> bool:
    # Not os.path.ismount, which takes a folder for none that is bound to itself.
    return any(line.split()[1] == str(path) for line in Path("/proc/self/mounts").read_text().splitlines())


def _bridges() -> list[str]:
    return [path.parent.name for path in Path("/sys/class/net").glob("*/bridge")]


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


def _try(*words: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    return False
