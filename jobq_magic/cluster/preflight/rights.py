"""Rights: each verb of deploy/rbac, and what is missing where it is.

One question tells all that we may do. Where a cluster's authorizer cannot list that (it is then `incomplete`), each
right that is not in the list is asked for by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jobq_magic.cluster.meaning.parts import maps, section, text
from jobq_magic.cluster.preflight.answers import Answer, Answers, unread
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.findings import Finding

__all__ = ["PURPOSES", "RIGHTS", "Right", "advice", "grants", "look", "stranger", "who"]

Level = Literal["ok", "warning", "problem"]
_LEVELS: tuple[Level, ...] = ("problem", "warning", "ok")
_NEEDED = {"pods": "list watch", "pods/log": "get", "secrets": "create"}
_MAKING = "create get list watch delete"
"""Without these nothing is submitted, or nothing comes back: of Jobs, or of RayJobs."""

_OF_RAY = frozenset(
    {
        ("services", "get"),
        *(("services/proxy", verb) for verb in ("get", "create", "update", "delete")),
        *(("pods/portforward", verb) for verb in ("get", "create")),
    }
)
_OF_JOBS = frozenset({*(("jobs", verb) for verb in _MAKING.split()), ("services", "create")})
"""What a Ray cluster of one's own does not need: KubeRay makes what it needs of it."""
_WITHOUT = {
    "cells": "No cell can be submitted and followed",
    "user": "What keeps a run waiting, and what is there to choose from, is told less exactly",
    "viewer": "What queues have, and which there are, is told less exactly",
    "ray": "--mode rayjob and Ray clusters of the namespace cannot be used, which a cell in a queue does not need",
    "jobs": "--mode kueue cannot be used, which a Ray cluster of one's own does not need",
    "dashboard": "Ray's dashboard is not reached, and workers are told less exactly",
}
"""What will not be without the rights that serve one purpose; no other purpose has more than a few."""
_FEW = 3
"""Missing rights of one purpose that are told one by one."""

# Role, API group, resource: the verbs, and what each is for, as what will not be without it.
_TABLE: tuple[tuple[str, str, str, Mapping[str, str]], ...] = (
    (
        "user",
        "batch",
        "jobs",
        {
            "create": "no cell can be submitted",
            "get": "a run cannot be found again",
            "list": "runs cannot be followed",
            "watch": "runs cannot be followed",
            "delete": "runs cannot be stopped, and what they leave stays for days",
        },
    ),
    (
        "user",
        "ray.io",
        "rayjobs",
        {
            "create": "--mode rayjob cannot submit",
            "get": "runs of --mode rayjob cannot be found again",
            "list": "runs of --mode rayjob cannot be followed",
            "watch": "runs of --mode rayjob cannot be followed",
            "delete": "runs of --mode rayjob cannot be stopped",
        },
    ),
    (
        "user",
        "ray.io",
        "rayclusters",
        {
            "get": "the workers of a RayJob are not told",
            "list": "Ray clusters of the namespace cannot be proposed",
            "watch": "the workers of a RayJob are told late",
        },
    ),
    (
        "user",
        "",
        "pods",
        {
            "get": "what became of a single pod is told less exactly",
            "list": "why a pod does not run, and how it ended, is not known",
            "watch": "why a pod does not run, and how it ended, is not known",
        },
    ),
    ("user", "", "pods/log", {"get": "no output and no result can be read"}),
    (
        "user",
        "",
        "events",
        {
            "list": "refusals that stand only in events are not told",
            "watch": "refusals that stand only in events are told late, or not at all",
        },
    ),
    (
        "user",
        "kueue.x-k8s.io",
        "workloads",
        {
            "get": "why a single run waits is told less exactly",
            "list": "why a run waits is not known",
            "watch": "why a run waits is not known",
        },
    ),
    (
        "user",
        "kueue.x-k8s.io",
        "localqueues",
        {
            "get": "whether the queue takes work is not known beforehand",
            "list": "the queues that there are cannot be proposed",
        },
    ),
    (
        "user",
        "visibility.kueue.x-k8s.io",
        "localqueues/pendingworkloads",
        {"get": "the position in the queue is not known"},
    ),
    (
        "user",
        "",
        "secrets",
        {
            "create": "no cell can be submitted, since its key and its secrets go in one",
            "patch": "the Secret of a run does not go with its Job",
            "delete": "the Secret of a run stays where no Job came of it",
        },
    ),
    (
        "user",
        "",
        "services",
        {
            "create": "workers of one run do not find each other by name",
            "get": "the dashboard of a Ray cluster is not found",
        },
    ),
    (
        "user",
        "",
        "services/proxy",
        {
            "get": "Ray's dashboard is not reached through the API server",
            "create": "nothing is submitted to a Ray cluster through the API server",
            "update": "files do not reach a Ray cluster through the API server",
            "delete": "what has ended stays in the list of a Ray cluster",
        },
    ),
    (
        "user",
        "",
        "pods/portforward",
        {
            "get": "no tunnel to a Ray cluster can be opened",
            "create": "no tunnel to a Ray cluster can be opened",
        },
    ),
    ("user", "", "persistentvolumeclaims", {"get": "whether the claim of a --volume exists is not known beforehand"}),
    (
        "user",
        "",
        "resourcequotas",
        {
            "get": "a single quota of the namespace cannot be read",
            "list": "what the namespace still grants is not known beforehand",
        },
    ),
    (
        "user",
        "",
        "limitranges",
        {
            "get": "a single limit of the namespace cannot be read",
            "list": "how much a container may ask for is not known beforehand",
        },
    ),
    ("user", "", "namespaces", {"get": "the level of Pod Security is not known beforehand"}),
    (
        "viewer",
        "kueue.x-k8s.io",
        "workloadpriorityclasses",
        {
            "get": "whether a --priority exists is not known beforehand, and a run with a wrong one waits for ever",
            "list": "the priorities that there are cannot be proposed",
        },
    ),
    (
        "viewer",
        "scheduling.k8s.io",
        "priorityclasses",
        {
            "get": "whether the profile's class of pods exists is not known beforehand",
            "list": "the classes of pods that there are cannot be proposed",
        },
    ),
    (
        "viewer",
        "kueue.x-k8s.io",
        "clusterqueues",
        {
            "get": "the quota of the queue, and what is free of it, is not known",
            "list": "a queue that has more quota cannot be proposed",
        },
    ),
    (
        "viewer",
        "kueue.x-k8s.io",
        "cohorts",
        {
            "get": "what a queue may borrow of a single cohort is not known",
            "list": "what a queue may borrow is told less exactly",
        },
    ),
    (
        "viewer",
        "kueue.x-k8s.io",
        "resourceflavors",
        {
            "get": "which machines a quota is for is not known",
            "list": "types of GPU cannot be proposed",
        },
    ),
    ("pause", "kueue.x-k8s.io", "workloads", {"patch": "`pause` and `resume` are refused"}),
    (
        "shell",
        "",
        "pods/exec",
        {
            "get": "`kubectl exec` into a pod is refused, which jobq-magic does not need",
            "create": "`kubectl exec` into a pod is refused, which jobq-magic does not need",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource."""

    role: str
    """The ClusterRole of deploy/rbac that grants it: `user` for jobq-user."""
    group: str
    resource: str
    verb: str
    without: str
    """What will not be, where it is not granted."""

    @property
    def code(self) -> str:
        """Of its finding: `rbac/get-pods-log`."""
        return f"rbac/{self.verb}-{self.resource.replace('/', '-')}"

    def needed(self, *, ray: bool = False) -> bool:
        """Whether nothing can be submitted without it: no Job, or no RayJob."""
        own = "rayjobs" if ray else "jobs"
        return self.verb in (_MAKING if self.resource == own else _NEEDED.get(self.resource, "")).split()

    def purpose(self, *, ray: bool = False) -> str:
        """What it is for: `cells`, or what one can do without."""
        if self.needed(ray=ray):
            return "cells"
        if self.of_ray:
            return "dashboard" if ray else "ray"
        return "jobs" if ray and self.of_jobs else self.role

    @property
    def of_ray(self) -> bool:
        """Whether nothing but Ray needs it."""
        return self.group == "ray.io" or (self.resource, self.verb) in _OF_RAY

    @property
    def of_jobs(self) -> bool:
        """Whether nothing but Jobs needs it."""
        return (self.resource, self.verb) in _OF_JOBS

    def level(self, *, ray: bool = False) -> Level:
        """Of its finding where it is missing; what such a cell never needs is missing in order."""
        if self.needed(ray=ray):
            return "problem"
        spared = self.role == "shell" or (self.of_jobs if ray else self.of_ray)
        return "ok" if spared else "warning"

    def attributes(self, namespace: str) -> dict[str, str]:
        """As a review of access asks for it."""
        resource, _, below = self.resource.partition("/")
        found = {"group": self.group, "resource": resource, "subresource": below, "verb": self.verb}
        return {**found, "namespace": "" if self.role == "viewer" else namespace}


RIGHTS: tuple[Right, ...] = tuple(
    Right(role, group, resource, verb, without)
    for role, group, resource, verbs in _TABLE
    for verb, without in verbs.items()
)

PURPOSES = tuple(f"rbac/{purpose}" for purpose in _WITHOUT)
"""Codes of findings that tell many rights together."""


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """What may not be done here, the worst first; or that all of it may."""
    rules = answers("rules")
    if not rules:
        yield from unread("rbac", f"What you may do in {wanted.namespace} cannot be asked", rules)
        return
    asked = tuple(right for right in RIGHTS if right.group != "ray.io" or answers("ray").how != "missing")
    missing = [right for right in asked if not _granted(right, rules, answers, wanted)]
    you = who(answers("self"))
    if _stranger(missing, wanted):
        what = f"You may do nothing in {wanted.namespace} that a cell needs, if there is such a namespace"
        do = f"Name the one that is yours, by --namespace or in the profile. {advice('user', wanted.namespace, you)}"
        yield Finding("rbac", "problem", what, do)
        return
    groups: dict[tuple[int, str, Level], list[Right]] = {}
    for right in missing:
        level = right.level(ray=wanted.ray)
        groups.setdefault((_LEVELS.index(level), right.purpose(ray=wanted.ray), level), []).append(right)
    for (_, purpose, level), rights in sorted(groups.items()):
        if len(rights) > _FEW:
            yield _together(purpose, level, rights, wanted.namespace, you)
        else:
            yield from (_alone(right, level, wanted.namespace, you) for right in rights)
    if not missing:
        yield Finding("rbac", "ok", f"You may do in {wanted.namespace} all that jobq-magic does, {len(asked)} rights")


def stranger(answers: Answers, wanted: Wanted) -> bool:
    """Whether we may do nothing in the namespace that a cell needs: then it is not ours, or is not there at all."""
    rules = answers("rules")
    missing = [right for right in RIGHTS if not _granted(right, rules, answers, wanted)] if rules else []
    return bool(rules) and _stranger(missing, wanted)


def _stranger(missing: Sequence[Right], wanted: Wanted) -> bool:
    return all(right in missing for right in RIGHTS if right.needed(ray=wanted.ray))


def _alone(right: Right, level: Level, namespace: str, you: str) -> Finding:
    where = "on the cluster" if right.role == "viewer" else f"in {namespace}"
    what = f"You may not {right.verb} {right.resource} {where}: {right.without}"
    do = "" if right.role == "shell" else advice(right.role, namespace, you)
    return Finding(right.code, level, what, do)


def _together(purpose: str, level: Level, rights: Sequence[Right], namespace: str, you: str) -> Finding:
    """Many that one role would bring: it is the role that is missing."""
    where = "on the cluster" if rights[0].role == "viewer" else f"in {namespace}"
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.resource, []).append(right.verb)
    named = "; ".join(f"{', '.join(each)} {resource}" for resource, each in verbs.items())
    what = f"{_WITHOUT[purpose]}: you lack {len(rights)} rights {where} ({named})"
    return Finding(f"rbac/{purpose}", level, what, advice(rights[0].role, namespace, you))


def _granted(right: Right, rules: Answer, answers: Answers, wanted: Wanted) -> bool:
    names = {"namespaces": wanted.namespace, "localqueues": wanted.queue}
    status = section(rules.value, "status")
    if grants(maps(status, "resourceRules"), right, names.get(right.resource, "")):
        return True
    if not status.get("incomplete"):
        return False
    review = answers(right.code)
    # Where even that cannot be asked, the server will say it when it comes to it.
    return not review or bool(section(review.value, "status").get("allowed"))


def grants(rules: Iterable[Mapping[str, Any]], right: Right, name: str = "") -> bool:
    """Whether one of the rules grants a right; of rules for single objects, that for `name` counts."""
    below = right.resource.partition("/")[2]
    resources = {right.resource, "*", *({f"*/{below}"} if below else ())}
    return any(
        {right.group, "*"} & {*(rule.get("apiGroups") or ())}
        and resources & {*(rule.get("resources") or ())}
        and {right.verb, "*"} & {*rule["verbs"]}
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in rules
    )


def who(answer: Answer) -> str:
    """The name that the API server knows us by; "" where it does not say."""
    return text(answer.value, "status", "userInfo", "username")


def advice(role: str, namespace: str, you: str) -> str:
    """Whom to ask for what: the line that an administrator would enter."""
    parts = you.split(":")
    if you.startswith("system:serviceaccount:") and len(parts) == 4:
        subject = f"--serviceaccount={parts[2]}:{parts[3]}"
    else:
        subject = f"--user={you or 'YOU'}"
    slug = re.sub(r"[^a-z0-9]+", "-", (parts[-1] or "you").lower()).strip("-")
    kind, where = ("clusterrolebinding", "") if role == "viewer" else ("rolebinding", f" -n {namespace}")
    return (
        f"Ask an administrator for jobq-{role} of deploy/rbac: "
        f"kubectl create {kind} jobq-{role}-{slug} --clusterrole=jobq-{role} {subject}{where}"
    )
