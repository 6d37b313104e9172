"""The target of a run: where it goes, as JSON that finds the place; and what is asked in vain of that place."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from jobq_magic import plugins
from jobq_magic.errors import JobqError, OptionError, OptionErrors, closest, refuse
from jobq_magic.options import flag_of
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec, declared, shown

__all__ = ["in_words", "no_registry", "or_here", "queued", "refuse_unhonoured", "target"]


def target(
    spec: JobSpec,
    site: Site,
    *,
    asked: Collection[str] = (),
    subjects: Mapping[str, str] | None = None,
    submits: bool = True,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """Where a job goes: `backend`, `where` in words, and what finds the place.

    Args:
        spec: what was asked.
        site: what is known of the cluster.
        asked: the fields that options set.
        subjects: how the value of a field, as it was written, begins a sentence.
        submits: whether a job will go there; who only looks needs no registry.
        others: the profiles that name a registry.

    Raises:
        OptionError: what finds the place is not known.
    """
    if spec.mode == "local":
        return {"backend": "local", "where": "this machine"}
    if spec.mode == "ray" and not queued(spec, site):
        if there := (spec.address or site.ray).removeprefix("here"):
            return _there(there, site)
        return {"backend": "ray", "where": "Ray on this machine", "here": True}
    if spec.mode == "docker":
        # A registry that a file names is the cluster's; the engine here needs none, but where the cell asks for it.
        to = (
            {"to": "registry", "push": spec.push, "pull": spec.pull or spec.push}
            if "push" in asked
            else {"to": "engine"}
        )
        return {"backend": "docker", "where": "Docker on this machine", "here": True, **to}
    if queued(spec, site):
        submits = submits and not (spec.debug or spec.dry_run)
        return _on_cluster(spec, site, subjects or {}, submits=submits, others=others)
    return {"backend": spec.mode, "where": spec.mode}


def queued(spec: JobSpec, site: Site) -> bool:
    """Whether a run is pods of a cluster, made for it alone.

    `--mode ray` is, where the profile says so, or tells of a cluster and says nothing of Ray. A registry alone does
    not: images of Docker go there, too.
    """
    if spec.mode == "ray":
        told = bool(spec.queue or spec.context or spec.namespace or site.ray_groups)
        return not spec.address and (site.ray == "rayjob" or (not site.ray and told))
    return spec.mode in {"kueue", "rayjob"}


_LEAVE = "Leave it out"


@contextmanager
def or_here(spec: JobSpec, site: Site) -> Iterator[None]:
    """What keeps a cell from a cluster that `--mode ray` was only taken to mean, names the Ray of this machine too."""
    try:
        yield
    except JobqError as error:
        if spec.mode == "ray" and not site.ray and queued(spec, site):
            for one in error.each if isinstance(error, OptionErrors) else (error,):
                one.do = f"{one.do}{'. ' * bool(one.do)}For Ray on this machine: --address here"
        raise


def no_registry(told: str, profile: str | None, *, queue: bool = True, others: Sequence[str] = ()) -> OptionError:
    """That images have nowhere to go.

    Args:
        told: what asks for one, as it was written.
        profile: the name of the profile that holds; None where there is none.
        queue: whether a queue is named; that none is, is told at the same time.
        others: the profiles that name one.
    """
    what = f"{told} needs a registry for its image, and no setting names one"
    if not queue:
        what += "; none names a queue either, so that it would be the one called default"
    if profile:
        do = f'Write push = "registry.example.org/team/jobq" into the profile {profile}, or give --push'
    elif others:
        do = f"Use one of the profiles that do: {', '.join(f'--profile {shlex.quote(name)}' for name in others)}"
    else:
        do = "Give --push registry.example.org/team/jobq, or write it into a profile: `jobq config --init` makes one"
        do += "" if queue else ", with a queue"
    return OptionError("no-registry", what, do=do)


def in_words(backend: str, queue: str | None, namespace: str) -> str:
    """A place in words: `queue main of team-blue`. Kueue takes the queue called `default` where none is named."""
    if backend == "rayjob":  # KubeRay makes a cluster of what is in no queue, too
        return f"Ray in {in_words('', queue, namespace) if queue else namespace or 'the cluster'}"
    told = f"queue {queue}" if queue else "the default queue"
    return f"{told} of {namespace}" if namespace else told


def _there(address: str, site: Site) -> dict[str, Any]:
    """A Ray that is there: at an address, or a RayCluster of a namespace."""
    if address.startswith("raycluster/"):
        name = address.removeprefix("raycluster/")
        where = f"RayCluster {name} of {site.namespace}" if site.namespace else f"RayCluster {name}"
        return {"backend": "ray", "where": where, "raycluster": name, "site": site.to_json()}
    kept = {"site": {"store": site.store}} if site.store else {}
    return {"backend": "ray", "where": f"Ray at {urlsplit(address).netloc}", "address": address, **kept}


def _on_cluster(
    spec: JobSpec, site: Site, subjects: Mapping[str, str], *, submits: bool, others: Sequence[str]
) -> dict[str, Any]:
    mistakes = list(_gpu_mistakes(spec, site, subjects))
    backend = "kueue" if spec.mode == "kueue" else "rayjob"
    if submits and not spec.push:
        asks = subjects.get("mode") or f"--mode {spec.mode}"
        known = bool(spec.queue) or backend == "rayjob"
        mistakes.append(no_registry(asks, spec.profile, queue=known, others=others))
    with or_here(spec, site):
        refuse(mistakes)
    return {
        "backend": backend,
        "where": in_words(backend, spec.queue, site.namespace),
        "queue": spec.queue,
        "to": "registry",
        "push": spec.push,
        "pull": spec.pull or spec.push,
        "site": site.to_json(),
    }


def _gpu_mistakes(spec: JobSpec, site: Site, subjects: Mapping[str, str]) -> Iterator[OptionError]:
    """The types of GPU that are asked for and that the profile does not know."""
    asked = {}
    if spec.gpu_type:
        asked[subjects.get("gpus") or f"--gpus {spec.gpu_type}:{spec.gpus}"] = (spec.gpu_type, f"--gpus {spec.gpus}")
    if spec.mode != "kueue":
        for name, group in site.ray_groups.items():
            if group.gpu_type:
                told = f"gpus = {group.gpu_type}:{group.gpus} of ray_groups.{name}"
                asked[told] = (group.gpu_type, f"gpus = {group.gpus}")
    for told, (kind, plain) in asked.items():
        if kind in site.gpu_types:
            continue
        if site.gpu_types:
            what, do = f"{told}: there is no such type", f"Known: {', '.join(sorted(site.gpu_types))}"
            if (near := closest(kind, site.gpu_types)).startswith("Did"):
                do = f"{near} {do}"
        else:
            what = f"{told} names a type, and the profile knows none"
            do = f"Write gpu_types.{kind} = {{ resource = ... }} into it, or {plain}"
        yield OptionError("unknown-gpu-type", what, do=do)


def refuse_unhonoured(
    spec: JobSpec,
    set_fields: Collection[str],
    honours: Collection[str],
    *,
    forced: bool = False,
    target: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Refuses what was asked for and would have no effect in the place where the job goes.

    Args:
        spec: what was asked.
        set_fields: the fields that options set (`Resolved.asked`).
        honours: the fields that the place acts upon (`Backend.honours`).
        forced: the mode was forced (`Resolved.forced`); a sentence is then a note.
        target: where the job goes; a mode that goes to several places is told by its place.

    Returns:
        The notes.

    Raises:
        OptionError: one sentence for each.
    """
    place, there = f"--mode {spec.mode}", False
    if target is not None and spec.mode == "ray" == target["backend"]:
        place, there = target["where"], True
    mistakes: list[OptionError] = []

    def mistake(name: str, what: str, do: str) -> None:
        if name == "address":
            do += ", or use --mode ray"
        elif there and name in plugins.backend("rayjob").honours:
            do += ", or use --mode rayjob on a cluster with KubeRay"
        elif not there and do == _LEAVE:
            do += ", or choose another mode"
        mistakes.append(OptionError("unhonoured-option", what, do=do))

    for name in set_fields:
        option = declared()[name]
        if name not in honours and not option.notebook and name != "mode" and getattr(spec, name):
            told = flag_of(name) + shown(name, getattr(spec, name), " ") * bool(option.metavar)
            mistake(name, f"{told} has no effect with {place}", _LEAVE)
    if "workers" in honours and spec.max_workers and "max_workers" not in honours:
        what = f"--workers {spec.workers}..{spec.max_workers} is a range, and {place} does not scale"
        mistake("max_workers", what, "Write one number")
    if "gpus" in honours and spec.gpu_type and "gpu_type" not in honours:
        what = f"--gpus {spec.gpu_type}:{spec.gpus} names a type, and {place} knows none"
        mistake("gpu_type", what, f"Write --gpus {spec.gpus}")
    notes = []
    if spec.secret and not {"secret"} & {*honours, *set_fields}:  # the cell may rely on it
        notes.append(f"{', '.join(spec.secret)} of the settings' `secret` is not given to the cell: {place} takes none")
    if forced:
        return (*sorted(mistake.what for mistake in mistakes), *notes)
    refuse(sorted(mistakes, key=lambda mistake: mistake.what))
    return tuple(notes)
