"""All looks, in the order in which they are told: what everything hangs on comes first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jobq_magic.cluster import connection, kinds
from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.preflight import (
    limits,
    machines,
    queues,
    rayjob,
    reaching,
    references,
    rights,
    security,
    several,
)
from jobq_magic.cluster.preflight.answers import Answers, Unanswered
from jobq_magic.cluster.preflight.asking import Asking
from jobq_magic.cluster.preflight.making import wanted_of
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.findings import Finding
from jobq_magic.site import Site

__all__ = ["CODES", "check", "examine", "looked_at"]

Look = Callable[[Answers, Wanted], Iterator[Finding]]

LOOKS: Mapping[str, Look] = {
    "cluster": reaching.cluster,
    "user": reaching.user,
    "namespace": reaching.namespace,
    "kueue": reaching.kueue,
    "kuberay": rayjob.kuberay,
    "rbac": rights.look,
    "queue": queues.queue,
    "cluster-queue": queues.cluster_queue,
    "multikueue": queues.multikueue,
    "priority": queues.priority,
    "quota": several.look,
    "visibility": queues.visibility,
    "pod-security": security.look,
    "limit-range": limits.limit_ranges,
    "resource-quota": limits.resource_quotas,
    "ray-size": rayjob.size,
    "claim": references.claims,
    "references": references.others,
    "platform": machines.look,
    "machines": machines.nodes,
    "topology": machines.topology,
    "job": reaching.job,
}
CODES = (
    *(code for code in LOOKS if code != "references"),
    "quota-free",
    *("service-account", "pull-secret", "config-map", "runtime-class", "pod-priority"),
    *("unanswered", "not-looked-at"),
    *(right.code for right in rights.RIGHTS),
    *rights.PURPOSES,
)
"""Every code that a finding of ours may have."""
_OF_QUEUE = ("cluster-queue", "multikueue", "quota", "visibility")
_OF_NAMESPACE = (
    *("queue", *_OF_QUEUE),
    *("pod-security", "limit-range", "resource-quota", "claim", "references", "job"),
)
_HANGS: Mapping[str, Sequence[str]] = {
    "cluster": (),
    "namespace": ("rbac", *_OF_NAMESPACE),
    "rbac": _OF_NAMESPACE,
    "kueue": ("queue", "priority", *_OF_QUEUE),
    "kuberay": ("job",),
    "queue": _OF_QUEUE,
}
"""What says nothing of its own where something else is not as it should be."""
_SELDOM = frozenset({"multikueue", "priority", "claim", "references", "topology", "ray-size", "machines"})
"""What most cells give no reason to look at."""
_SPARED = frozenset({"machines", "rbac", "user", "visibility"})
"""What no cell needs to know: of rights, the server will say it when it comes to it."""
_NOTED = frozenset({"claim", "machines", "multikueue", "quota", "ray-size", "resource-quota"})
"""Warnings that concern the very run that is submitted; of a queue that is stopped the run says itself why it waits."""


def examine(
    spec: Mapping[str, Any], site: Site, environ: Mapping[str, str] = os.environ, kind: Kind = kinds.JOBS
) -> Iterator[Finding]:
    """Everything that a run needs, looked at; good findings too. Raises nothing.

    Args:
        spec: what would be asked for.
        site: of its profile.
        environ: of this process.
        kind: of what would stand for the run, a Job or a RayJob: all that is looked at is counted from that.
    """
    try:
        api = connection.kept(site, environ)
        wanted = wanted_of(spec, site, api.place, kind)
    except JobqError as error:
        yield Finding("cluster", "problem", error.what, error.do or error.why)
        return
    except Exception as error:  # noqa: BLE001 - who asks what is wrong must get an answer
        yield Finding("cluster", "problem", f"The cluster cannot be spoken to: {type(error).__name__}: {error}")
        return
    yield from looked_at(Asking(api, wanted, fresh=True), wanted)


def check(
    spec: Mapping[str, Any], site: Site, environ: Mapping[str, str] = os.environ, kind: Kind = kinds.JOBS
) -> tuple[str, ...]:
    """The same before something is submitted: the worst is raised, and the rest kept to what concerns the run.

    Args:
        spec: what is asked for.
        site: of its profile.
        environ: of this process.
        kind: of what would stand for the run, a Job or a RayJob: all that is looked at is counted from that.

    Returns:
        Notes.

    Raises:
        BackendError: the first thing for which nothing would run.
    """
    api = connection.kept(site, environ)
    wanted = wanted_of(spec, site, api.place, kind)
    answers = Asking(api, wanted, fresh=False)
    notes = []
    for finding in looked_at(answers, wanted):
        if finding.level == "problem":
            raise BackendError(finding.code, finding.what, do=finding.advice)
        if finding.level == "warning" and (finding.code in _NOTED or _concerns(finding, wanted)):
            notes.append(finding.what)
    return tuple(notes)


def looked_at(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """What follows from the answers, look by look.

    One cause is one finding: what hangs on it is named, and not looked at; what the cluster was silent of is, too.
    """
    silent: dict[tuple[str, str], list[str]] = {}
    skipped: list[str] = []
    because = ""
    for code, look in LOOKS.items():
        if code in skipped:
            continue
        found: list[Finding] = []
        try:
            found += look(answers, wanted)
        except Unanswered as error:
            silent.setdefault((error.answer.why, error.answer.do), []).append(code)
        except Exception as error:  # noqa: BLE001 - objects of a cluster may be made as nobody thought of
            what = f"{code} could not be looked at: {type(error).__name__}: {error}"
            found = [Finding(code, "unknown", what, needed=True)]
        yield from found
        if any(one.code == code and one.level == "problem" for one in found) and code in _HANGS:
            if code == "cluster":
                return
            because = because or code
            skipped += _HANGS[code]
    yield from (_unanswered(why, do, codes) for (why, do), codes in silent.items())
    if told := [code for code in LOOKS if code in skipped and code not in _SELDOM]:
        yield Finding("not-looked-at", "unknown", f"Not looked at, since {because} comes first: {', '.join(told)}")


def _unanswered(why: str, do: str, codes: Sequence[str]) -> Finding:
    needed = any(code not in _SPARED for code in codes)
    (code,) = codes if len(codes) == 1 else ("unanswered",)
    return Finding(code, "unknown", f"Not known: {', '.join(codes)}. {why.rstrip('.')}", do, needed=needed)


def _concerns(finding: Finding, wanted: Wanted) -> bool:
    """Whether a right that is missing will be missed by this run."""
    return finding.code == "rbac/create-services" and wanted.count > 1 and not wanted.ray
