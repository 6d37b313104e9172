"""Pod Security: whether the pods keep to the level of the namespace.

By default they keep to `restricted`. What a site's patch or a volume of its adds may not, and then it is the pods that
are refused, long after the Job was taken: https://kubernetes.io/docs/concepts/security/pod-security-standards
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.meaning.parts import words
from jobq_magic.cluster.preflight.answers import Answers, unread
from jobq_magic.cluster.preflight.pods import Pods
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.findings import Finding

__all__ = ["breaches", "look"]

_LABEL = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "image",
    }
)
_SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the namespace will have the pods."""
    found = answers("namespace")
    if not found:
        if found.how != "missing":
            yield from unread("pod-security", "The level of Pod Security cannot be read", found)
        return
    level = words(found.value, "metadata", "labels").get(_LABEL, "")
    told = f"{wanted.namespace} enforces {level}" if level else f"{wanted.namespace} names no level of Pod Security"
    if not (broken := list(dict.fromkeys(breaches(level, wanted)))):
        yield Finding("pod-security", "ok", f"{told}, which the pods keep to" if level else told)
        return
    do = "Take that out of pod_template or --volume, or ask for a namespace whose level allows it"
    yield Finding("pod-security", "problem", f"{told}, which refuses the pods: {'; '.join(broken)}", do)


def breaches(level: str, wanted: Wanted) -> Iterator[str]:
    """What of the pods a level refuses, each in a few words."""
    if level not in {"baseline", "restricted"}:
        return
    for each in wanted.pods:
        yield from _baseline(each)
        if level == "restricted":
            yield from _restricted(each)


def _baseline(pods: Pods) -> Iterator[str]:
    pod = pods.pod
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield f"{name} is set"
    for volume in pod.get("volumes") or ():
        if "hostPath" in volume:
            yield f"the volume {volume['name']} is a path of the node"
    for sysctl in (pod.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in _SAFE_SYSCTLS:
            yield f"the sysctl {sysctl['name']} is set"
    if _seccomp(pod) == "Unconfined":
        yield "its seccomp profile is Unconfined"
    for one in pods.containers():
        context = one.get("securityContext") or {}
        told = pods.called(one)
        if context.get("privileged"):
            yield f"{told} is privileged"
        if any(port.get("hostPort") for port in one.get("ports") or ()):
            yield f"{told} takes a port of the node"
        if _seccomp(one) == "Unconfined":
            yield f"the seccomp profile of {told} is Unconfined"
        if context.get("procMount") == "Unmasked":
            yield f"{told} sees /proc unmasked"
        added = {*((context.get("capabilities") or {}).get("add") or ())}
        if more := sorted(added - _BASELINE_CAPABILITIES):
            yield f"{told} has the capabilities {', '.join(more)}"


def _restricted(pods: Pods) -> Iterator[str]:
    pod = pods.pod
    common = pod.get("securityContext") or {}
    for volume in pod.get("volumes") or ():
        kinds = [key for key in volume if key != "name"]
        if kinds and kinds[0] not in _RESTRICTED_VOLUMES and kinds[0] != "hostPath":
            yield f"the volume {volume['name']} is of the kind {kinds[0]}"
    if common.get("runAsUser") == 0:
        yield "it runs as root"
    for one in pods.containers():
        context = one.get("securityContext") or {}
        told = pods.called(one)
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{told} may gain privileges"
        capabilities = context.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            yield f"{told} keeps its capabilities"
        if more := sorted({*(capabilities.get("add") or ())} & _BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}):
            yield f"{told} has the capabilities {', '.join(more)}"
        if context.get("runAsNonRoot", common.get("runAsNonRoot")) is not True:
            yield f"{told} may run as root"
        if context.get("runAsUser") == 0:
            yield f"{told} runs as root"
        if (_seccomp(one) or _seccomp(pod)) not in {"RuntimeDefault", "Localhost", "Unconfined"}:
            yield f"{told} has no seccomp profile"


def _seccomp(of: Mapping[str, Any]) -> str:
    return str(((of.get("securityContext") or {}).get("seccompProfile") or {}).get("type", ""))
