"""All looks, in the order in which they are told: what everything hangs on comes first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as Late
from typing import Any

from jobq_magic.cluster import connection
from jobq_magic.cluster.preflight import limits, machines, queues, quota, reaching, references, rights, security
from jobq_magic.cluster.preflight.answers import Answers
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
    "rbac": rights.look,
    "queue": queues.queue,
    "cluster-queue": queues.cluster_queue,
    "multikueue": queues.multikueue,
    "priority": queues.priority,
    "quota": quota.look,
    "visibility": queues.visibility,
    "pod-security": security.look,
    "limit-range": limits.limit_ranges,
    "resource-quota": limits.resource_quotas,
    "claim": references.claims,
    "references": references.others,
    "platform": machines.look,
    "job": reaching.job,
}
CODES = (
    *(code for code in LOOKS if code != "references"),
    "quota-free",
    *("service-account", "pull-secret", "config-map", "runtime-class", "pod-priority"),
    *(right.code for right in rights.RIGHTS),
)
"""Every code that a finding of ours may have."""
_NOTED = frozenset({"claim", "cluster-queue", "multikueue", "queue", "quota", "resource-quota"})
"""Warnings that concern the very run that is submitted."""


def examine(
    spec: Mapping[str, Any],
    site: Site,
    environ: Mapping[str, str] = os.environ,
    also: Iterable[Callable[[], Finding]] = (),
) -> Iterator[Finding]:
    """Everything that a run needs, looked at; good findings too. Raises nothing.

    Args:
        spec: what would be asked for.
        site: of its profile.
        environ: of this process.
        also: looks of other rooms, which are made meanwhile and told last.
    """
    try:
        api = connection.kept(site, environ)
        wanted = wanted_of(spec, site, api.place)
    except JobqError as error:
        yield Finding("cluster", "problem", error.what, error.do or error.why)
        return
    except Exception as error:  # noqa: BLE001 - who asks what is wrong must get an answer
        yield Finding("cluster", "problem", f"The cluster cannot be spoken to: {type(error).__name__}: {error}")
        return
    answers = Asking(api, wanted, fresh=True)
    others = [answers.run(look) for look in also]
    yield from looked_at(answers, wanted)
    for other in others:
        try:
            yield other.result(max(answers.left, 0.1))
        except Late:
            yield Finding("other", "unknown", "One more look took too long, and was given up")
        except Exception as error:  # noqa: BLE001 - likewise
            yield Finding("other", "unknown", f"One more look failed: {error}")


def check(spec: Mapping[str, Any], site: Site, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The same before something is submitted: the worst is raised, and the rest kept to what concerns the run.

    Args:
        spec: what is asked for.
        site: of its profile.
        environ: of this process.

    Returns:
        Notes.

    Raises:
        BackendError: the first thing for which nothing would run.
    """
    api = connection.kept(site, environ)
    wanted = wanted_of(spec, site, api.place)
    answers = Asking(api, wanted, fresh=False)
    notes = []
    for finding in looked_at(answers, wanted):
        if finding.level == "problem":
            raise BackendError(finding.code, finding.what, do=finding.advice)
        if finding.level == "warning" and (finding.code in _NOTED or _concerns(finding, wanted)):
            notes.append(finding.what)
    return tuple(notes)


def looked_at(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """What follows from the answers, look by look; nothing more where the cluster does not answer."""
    for code, look in LOOKS.items():
        try:
            found = list(look(answers, wanted))
        except Exception as error:  # noqa: BLE001 - objects of a cluster may be made as nobody thought of
            found = [Finding(code, "unknown", f"{code} could not be looked at: {type(error).__name__}: {error}")]
        yield from found
        if code == "cluster" and any(finding.level == "problem" for finding in found):
            return


def _concerns(finding: Finding, wanted: Wanted) -> bool:
    """Whether a right that is missing will be missed by this run."""
    return finding.code == "rbac/create-services" and wanted.workers > 1
