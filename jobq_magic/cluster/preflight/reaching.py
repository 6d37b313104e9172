"""The cluster itself: whether it answers, who we are to it, the namespace, and Kueue."""

from __future__ import annotations

from collections.abc import Iterator

from jobq_magic.cluster import kinds
from jobq_magic.cluster.meaning.parts import text
from jobq_magic.cluster.preflight import rayjob
from jobq_magic.cluster.preflight.answers import Answers, heard, unread
from jobq_magic.cluster.preflight.rights import stranger, who
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.findings import Finding

__all__ = ["cluster", "job", "kueue", "namespace", "user"]


def cluster(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether it answers, and its version."""
    version = answers("version")
    name = f"{wanted.where[0].upper()}{wanted.where[1:]}" if wanted.where else "The cluster"
    if version:
        yield Finding("cluster", "ok", f"{name} answers: Kubernetes {version.value.get('gitVersion', '')}".rstrip())
    elif version.how == "forbidden":  # it answers, and hides its version
        yield Finding("cluster", "ok", f"{name} answers")
    else:
        yield Finding("cluster", "problem", version.why or f"{name} does not answer", version.do)


def user(answers: Answers, _: Wanted) -> Iterator[Finding]:
    """Who we are; asked of the server, since certificates and tokens do not say it plainly."""
    found = answers("self")
    if name := who(found):
        yield Finding("user", "ok", f"You are {name}")
    elif found.how == "missing":
        yield Finding("user", "unknown", "This version of Kubernetes does not say who you are")
    elif found.how != "unasked":
        yield Finding("user", "unknown", f"Who you are to the cluster cannot be asked: {found.why}")


def namespace(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether it exists, and is not on its way out."""
    found = heard(answers("namespace"))
    name = wanted.namespace
    if found.how == "missing":
        do = 'Name another one: namespace = "..." in the profile, or kubectl config set-context --current --namespace'
        yield Finding("namespace", "problem", f"There is no namespace {name}", do)
    elif text(found.value, "status", "phase") == "Terminating":
        yield Finding("namespace", "problem", f"The namespace {name} is being deleted", "Name another one")
    elif found:
        yield Finding("namespace", "ok", f"The namespace {name} exists")
    elif not stranger(answers, wanted):  # else what may be done in it says as much
        yield from unread("namespace", f"Whether the namespace {name} exists cannot be read", found)


def kueue(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether it is installed, and in which version we speak to it; a Ray cluster may go without."""
    group = answers("kueue")
    if group.how == "missing" and wanted.ray and not wanted.queue:
        yield Finding("kueue", "ok", "Kueue is not installed on this cluster: the run goes without a queue")
        return
    if group.how == "missing" and wanted.ray:
        what = f"Kueue is not installed on this cluster, and the run is to go to the queue {wanted.queue}"
        yield Finding("kueue", "problem", what, "Leave --queue out, or ask an administrator for Kueue")
        return
    if group.how == "missing":
        do = "Ask an administrator for Kueue: https://kueue.sigs.k8s.io/docs/installation"
        yield Finding("kueue", "problem", "Kueue is not installed on this cluster", do)
        return
    if not group:
        yield from unread("kueue", "Whether Kueue is installed cannot be asked", group, needed=True)
        return
    served = [str(one.get("version")) for one in group.value.get("versions") or ()]
    version = next((one for one in kinds.KNOWN if one in served), "")
    if version:
        yield Finding("kueue", "ok", f"Kueue is installed, and serves {version}")
    else:
        what = f"Kueue serves {', '.join(served) or 'no version'}, and jobq-magic knows {' and '.join(kinds.KNOWN)}"
        yield Finding("kueue", "problem", what, "Ask an administrator for a newer Kueue, or update jobq-magic")


def job(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the API server, its webhooks and the site's policies would take the object; it was shown to them.

    Its pods were not: what keeps those from being made is looked at by itself.
    """
    found, told = answers("job"), f"the manifest of the {wanted.kind.name}"
    if found:
        wrong = rayjob.taken(answers, wanted, found.value) if wanted.ray else None
        yield wrong or Finding("job", "ok", f"The API server takes {told} in {wanted.namespace}")
    elif found.how == "refused":
        do = "Change what it names, in pod_template of the profile or by an option, or ask who set the rule"
        what = f"The API server does not take {told}: {found.why.rstrip('.')}"
        known = rayjob.refused(found.why) if wanted.ray else None
        yield known or Finding("job", "problem", what, do)
    elif found.how == "failed":
        yield Finding("job", "unknown", f"Whether the API server takes {told} is not known: {found.why.rstrip('.')}")
