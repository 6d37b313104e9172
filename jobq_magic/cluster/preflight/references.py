"""What the pods name and others have made: claims, service account, Secrets, ConfigMaps, classes.

Pods that name what is not there wait for it without end. Some of it our rights do not let us read; then that is said
where somebody asks, and nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.meaning.parts import list_of, text
from jobq_magic.cluster.preflight.answers import Answers, heard, unread
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.findings import Finding

__all__ = ["Named", "claims", "named", "others"]


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that the pods name."""

    code: str
    kind: Kind
    name: str
    told: str
    """In words: `the service account`."""
    do: str
    """What to do where it is missing."""
    everywhere: bool = False
    """It lies in no namespace."""

    @property
    def question(self) -> str:
        """What `Answers` knows it by."""
        return f"{self.code}/{self.name}"


_ACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount")
_SECRETS = Kind("", "v1", "secrets", "Secret")
_MAPS = Kind("", "v1", "configmaps", "ConfigMap")
_RUNTIMES = Kind("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass")
_PRIORITIES = Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass")


def named(wanted: Wanted) -> tuple[Named, ...]:
    """What the pods name, without claims and what the run brings itself."""
    found = [one for pod in wanted.specs() for one in _named(pod, f"-n {wanted.namespace}")]
    return tuple({one.question: one for one in found}.values())


def _named(pod: Mapping[str, Any], where: str) -> list[Named]:
    found = []
    if account := pod.get("serviceAccountName"):
        make = f"kubectl create serviceaccount {account} {where}"
        do = f"Correct service_account in the profile, or ask an administrator for it: {make}"
        found.append(Named("service-account", _ACCOUNTS, str(account), "the service account", do))
    for one in pod.get("imagePullSecrets") or ():
        make = f"kubectl create secret docker-registry {one['name']} {where}"
        do = f"Correct pull_secrets in the profile, or make it: {make}"
        found.append(Named("pull-secret", _SECRETS, str(one["name"]), "the pull secret", do))
    for volume in pod.get("volumes") or ():
        if (config := volume.get("configMap")) and not config.get("optional"):
            do = "Correct ca or pod_template in the profile, or ask an administrator for it"
            found.append(Named("config-map", _MAPS, str(config["name"]), "the ConfigMap", do))
    if runtime := pod.get("runtimeClassName"):
        do = "Correct it in pod_template of the profile"
        found.append(Named("runtime-class", _RUNTIMES, str(runtime), "the runtime class", do, everywhere=True))
    if priority := pod.get("priorityClassName"):
        do = "Correct pod_priority in the profile"
        found.append(Named("pod-priority", _PRIORITIES, str(priority), "the pods' priority class", do, everywhere=True))
    return found


def others(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether each of them exists."""
    for one in named(wanted):
        answer = answers(one.question)
        where = "" if one.everywhere else f" in {wanted.namespace}"
        told = f"{one.told[0].upper()}{one.told[1:]} {one.name}"
        if answer:
            yield Finding(one.code, "ok", f"{told} exists")
        elif answer.how == "missing" and one.name != "system-node-critical":
            yield Finding(one.code, "problem", f"{told} does not exist{where}", one.do)
        elif heard(answer).how == "forbidden":
            yield Finding(one.code, "unknown", f"Whether {one.told} {one.name} exists may not be read")


def claims(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the claims exist, and can be mounted as often as they are asked for."""
    for name, (only_read, pods) in wanted.claims().items():
        answer = answers(f"claim/{name}")
        if answer.how == "missing":
            do = f"Correct {wanted.names_claim(name)}, or ask who runs the cluster which claims {wanted.namespace} has"
            yield Finding("claim", "problem", f"There is no claim {name} in {wanted.namespace}", do)
        elif answer:
            by = wanted.names_claim(name)
            yield _mounted(name, answer.value, pods, by, of="pods" if wanted.ray else "workers", only_read=only_read)
        else:
            yield from unread("claim", f"Whether the claim {name} exists cannot be read", answer, needed=True)


def _mounted(name: str, claim: Mapping[str, Any], pods: int, by: str, *, of: str, only_read: bool) -> Finding:
    modes = {*(list_of(claim, "status", "accessModes") or list_of(claim, "spec", "accessModes"))}
    if text(claim, "status", "phase") == "Lost":
        do = "Ask an administrator what became of its volume"
        return Finding("claim", "problem", f"The claim {name} has lost its volume", do)
    if text(claim, "metadata", "deletionTimestamp"):
        return Finding("claim", "problem", f"The claim {name} is being deleted", f"Name another one by {by}")
    if pods > 1 and modes == {"ReadWriteOncePod"}:
        what = f"The claim {name} may be mounted by a single pod, and {pods} {of} ask for it"
        less = "Ask for one worker, or f" if of == "workers" else "Ask f"
        return Finding("claim", "problem", what, f"{less}or a claim with ReadWriteMany")
    if not only_read and modes == {"ReadOnlyMany"}:
        read = by == "--volume"
        do = f"Mount it to be read: --volume {name}:/PATH:ro" if read else f"Name one that can be written by {by}"
        return Finding("claim", "problem", f"The claim {name} can only be read, and is mounted to be written", do)
    if pods > 1 and modes <= {"ReadWriteOnce", "ReadWriteOncePod"}:
        what = f"The claim {name} is mounted on one node at a time: the {of} run only where all fit on one"
        return Finding("claim", "warning", what, "Ask for a claim with ReadWriteMany")
    return Finding("claim", "ok", f"The claim {name} exists")
