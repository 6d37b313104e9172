"""What a RayJob needs of a cluster beside what every run does: KubeRay, a queue that takes RayJobs, a head that holds.

Who is no administrator sees neither which version of KubeRay runs nor what Kueue was told to admit. Both show in what
becomes of a RayJob that is shown to the API server and not made: what KubeRay does not know is missing in the answer,
and what Kueue admits is suspended in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobq_magic.cluster import names
from jobq_magic.cluster.amounts import amounts
from jobq_magic.cluster.kinds import RAYJOBS
from jobq_magic.cluster.manifests.rayjobs import OWN
from jobq_magic.cluster.meaning.parts import Object, maps, section, text
from jobq_magic.cluster.preflight.answers import Answers, unread
from jobq_magic.cluster.preflight.limits import sizes
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.figures import asked as shown
from jobq_magic.findings import Finding

__all__ = ["kuberay", "refused", "size", "taken"]

_INSTALL = "Ask an administrator for KubeRay: https://docs.ray.io/en/latest/cluster/kubernetes/getting-started.html"
_LEAST = 250 * 2**20
"""Bytes: of less memory, 30 % are less than the smallest object store that Ray starts with."""
_BUSY = 0.3
"""Cpus: with 0.2 of one, a head was seen to give up, since its parts waited for each other for too long."""


def kuberay(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether it is installed, and serves the version of its API that we speak."""
    group = answers("ray")
    if group.how == "missing":
        what = "KubeRay is not installed on this cluster"
        if wanted.ray:
            yield Finding("kuberay", "problem", what, f"{_INSTALL}; --mode kueue needs none")
        else:
            yield Finding("kuberay", "ok", f"{what}, which --mode rayjob needs and this does not")
    elif not group:
        if wanted.ray:
            yield from unread("kuberay", "Whether KubeRay is installed cannot be asked", group, needed=True)
    else:
        served = [text(one, "version") for one in maps(group.value, "versions")]
        if RAYJOBS.version in served:
            yield Finding("kuberay", "ok", f"KubeRay is installed, and serves {RAYJOBS.version}")
        else:
            what = f"KubeRay serves {', '.join(served) or 'no version'}, and jobq-magic knows {RAYJOBS.version}"
            do = "Ask an administrator for a newer KubeRay"
            yield Finding("kuberay", "problem" if wanted.ray else "ok", what, do)


def size(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether each node of Ray has the memory without which Ray does not start, and a head some for the cell."""
    for each in wanted.pods if wanted.ray else ():
        main = next(iter(each.containers(all_of_them=False)), {})
        if not each.ray:
            continue
        most, own = sizes(answers, main)[1], amounts(section(main, "resources", "limits"))
        flag = "--driver-" if (head := each.one == "the head") else "--"
        named = f"{each.one[0].upper()}{each.one[1:]}"
        if (has := most.get("memory")) is not None:
            told = f"{named} has {shown('memory', has)}"
            told += "" if "memory" in own else f", by the limit range of {wanted.namespace}"
            if has < _LEAST:
                do = f"Ask for more: {flag}memory"
                yield Finding("ray-size", "problem", f"{told}, with which Ray does not start", do)
            elif head and has <= OWN:
                what = f"{told}, and Ray's own processes take up to 1Gi of it"
                yield Finding("ray-size", "warning", what, f"Ask for more: {flag}memory")
        if (cpus := most.get("cpu")) is not None and cpus < _BUSY:
            what = f"{named} may use {shown('cpu', cpus)} at most, with which Ray starts slowly, or gives up"
            yield Finding("ray-size", "warning", what, f"Ask for {_BUSY} or more, by {flag}cpus")


def taken(answers: Answers, wanted: Wanted, answered: Object) -> Finding | None:
    """What is wrong although the API server takes the RayJob; None where nothing is.

    Args:
        answers: whether there is a queue.
        wanted: what was shown.
        answered: what the server would have made of it.
    """
    sent, got = (section(one, "spec", "rayClusterSpec", "authOptions") for one in (wanted.job, answered))
    if unknown := sorted(sent.keys() - got.keys()):
        what = f"KubeRay here is too old: it knows no authOptions.{unknown[0]}, by which nobody else reaches your Ray"
        return Finding("job", "problem", what, "Ask an administrator for KubeRay 1.6 or newer")
    suspended = section(answered, "spec").get("suspend") is True
    if wanted.queue and answers("kueue") and not suspended:
        what = f"Kueue here admits no RayJobs: the run would begin at once, and pass by the queue {wanted.queue}"
        do = "Ask an administrator to add ray.io/rayjob to the integrations of Kueue, or leave --queue out"
        return Finding("job", "problem", what, do)
    if suspended and not text(answered, "metadata", "labels", names.QUEUE):
        what = "No queue is named, and Kueue here lets nothing begin that names none"
        return Finding("job", "problem", what, "Name one: --queue, or queue in the profile")
    return None


def refused(why: str) -> Finding | None:
    """What Kueue's refusal of a RayJob means, where it is known.

    Args:
        why: as its webhook says it.
    """
    if "workload slicing is enabled" in why:
        what = "Kueue here admits no cluster that grows, from MIN to MAX workers"
        do = "Write --workers N, or ask an administrator for Kueue 0.15.2 or newer with ElasticJobsViaWorkloadSlices"
        return Finding("job", "problem", what, do)
    if "workerGroupSpecs: Too many" in why:
        what = "The run has more kinds of pods than Kueue admits at once, which are 18"
        return Finding("job", "problem", what, "Leave groups out of ray_groups of the profile")
    return None
