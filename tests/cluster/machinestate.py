"""What of a machine a cluster changes, as texts that can be compared: when it is down, none is to differ."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.layout import BRIDGE, NODES, RUN, STATE

_OURS = re.compile("|".join(map(re.escape, (str(STATE), str(RUN), BRIDGE, "198.18.", "198.19.", "KUBE-", "CNI-"))))
_COUNTED = re.compile(r"\[\d+:\d+\]|^#.*", re.MULTILINE)
"""Counters of packets, and comments with the time."""
_FOLDERS = (
    "/run/netns",
    "/var/lib/cni",
    "/var/log/containers",
    "/var/log/pods",
    "/var/lib/kubelet",
    "/run/containerd/s",
)
_RESULTS = Path("/var/lib/cni/results")
"""What libcni keeps of each network that it made, wherever else its owner keeps things."""
_SETTINGS = ("net/ipv4/ip_forward", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches")


def state() -> Mapping[str, list[str]]:
    """What there is, by kind: processes, mounts, links, routes, rules, cgroups, settings, files."""
    rules = [_said(f"{family}-save") for family in ("iptables", "ip6tables")]
    return {
        "processes": sorted(_processes()),
        "mounts": sorted(line.split()[1] for line in _lines(Path("/proc/self/mounts"))),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "routes": sorted(line.strip() for line in _said("ip", "route", "show", "table", "all").splitlines()),
        "rules": sorted(line for text in rules for line in _COUNTED.sub("", text).splitlines() if line.strip()),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/jobq-cluster-*")),
        "settings": [f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in _SETTINGS],
        "files": sorted(_files()),
    }


def ours() -> list[str]:
    """What of it is the cluster's, whoever left it there."""
    found = [f"{kind}: {text}" for kind, texts in state().items() if kind != "settings" for text in _named(texts)]
    found += [f"files: {path}" for path in (STATE, RUN) if path.exists()]
    return found + [f"files: {path}" for path in _RESULTS.glob("*") if str(RUN) in path.read_text(errors="replace")]


def _named(texts: Iterable[str]) -> list[str]:
    nodes = {node.name for node in NODES}
    return [text for text in texts if _OURS.search(text) or Path(text).name in nodes]


def _processes() -> Iterable[str]:
    """Their command lines, but for kernel threads."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has ended
            continue
        if words and path.parent.name != str(os.getpid()):
            yield words


def _files() -> Iterable[str]:
    for folder in map(Path, _FOLDERS):
        if folder.is_dir():
            yield from map(str, folder.rglob("*"))


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
