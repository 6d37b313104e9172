"""Proposing: a profile for each cluster that we can reach, out of what is found there.

The contexts of the kubeconfig, the current one first, or the cluster that we run in; of each the queues that we may
use, and the types of GPU behind them, as far as they may be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobq_magic.cluster import connection, kinds, kubeconfig
from jobq_magic.cluster.amounts import amounts, told
from jobq_magic.cluster.choosing import by_name, ranked, takes_work
from jobq_magic.cluster.client import Api, Forbidden
from jobq_magic.cluster.kinds import Kind, path
from jobq_magic.cluster.meaning.parts import name_of
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.proposal import Proposal
from jobq_magic.site import Site

__all__ = ["gpu_types", "of_queues", "propose"]

_AT_ONCE = 8
_SILENCE = 5.0
_MOST = 20
"""Namespaces that are asked about, where the one of the context has no queue."""
_MODEL = re.compile(r"(?i)\b(?:nvidia|tesla|amd|instinct|geforce|quadro|rtx)?[-_ ]?([a-z]{1,3}\d{1,4}[a-z]{0,2})\b")
_PUSH = "Where generated images go; a registry that you may push to, and the cluster pulls from"


def propose(environ: Mapping[str, str], *, context: str = "", namespace: str = "") -> list[Proposal]:
    """A profile for each cluster in which we find a queue, that of the current context first.

    Args:
        environ: of this process.
        context: only this one.
        namespace: only this one.

    Raises:
        BackendError: there is no cluster, or none of them has a queue that we may use.
    """
    sites = list(_sites(environ, context, namespace))
    refused: list[JobqError] = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="jobq-propose") as pool:
        found = list(pool.map(lambda site: _asked(site, environ, refused), sites))
    if proposals := [one for one in found if one is not None]:
        return proposals
    if refused and len(sites) == 1:
        if isinstance(refused[0], Forbidden) and not namespace:
            refused[0].do = f"Name the namespace that is yours, by --namespace NAME. {refused[0].do}"
        raise refused[0]
    where = ", ".join(site.context for site in sites) or "the cluster that we run in"
    first = f"; of {sites[0].context}: {refused[0].what}" if refused and sites[0].context else ""
    raise BackendError(
        "no-queue-found",
        f"No queue was found that you may use ({where}){first}",
        do="Name the place that has one: --context NAME --namespace NAME, or ask an administrator for a LocalQueue",
    )


def _sites(environ: Mapping[str, str], context: str, namespace: str) -> Iterator[Site]:
    """The places to look at: that which a cell would go to, then the other contexts."""
    first = connection.place(Site(context=context, namespace=namespace), environ)
    yield Site(context=first.context, namespace=namespace)
    if not context and not first.inside:
        for name in kubeconfig.contexts(kubeconfig.files(Site(), environ)):
            if name != first.context:
                yield Site(context=name, namespace=namespace)


def _asked(site: Site, environ: Mapping[str, str], refused: list[JobqError]) -> Proposal | None:
    try:
        api = connection.connect(site, environ)
        try:
            return _of(api, site, environ)
        finally:
            api.close()
    except JobqError as error:
        refused.append(error)
        return None


def _of(api: Api, site: Site, environ: Mapping[str, str]) -> Proposal | None:
    version = kinds.kueue_version(api)
    here = api.place.namespace
    local = _items(api, kinds.LOCAL_QUEUES.at(version), here)
    if not local and not site.namespace:
        here, local = _elsewhere(api, kinds.LOCAL_QUEUES.at(version))
    if not local:
        return None
    wide = _list(api, kinds.CLUSTER_QUEUES.at(version))
    flavors = _list(api, kinds.FLAVORS.at(version))
    made = of_queues(local, wide, flavors, context="" if api.place.inside else api.place.context, namespace=here)
    return _with_registry(
        replace(made, found=(f"Found by jobq config --init in {api.place.words}", *made.found)), environ
    )


def _items(api: Api, kind: Kind, namespace: str = "") -> list[dict[str, Any]]:
    return list(api.ask("GET", path(kind, namespace), tries=2, silence=_SILENCE).get("items") or ())


def _list(api: Api, kind: Kind) -> list[dict[str, Any]]:
    """What there is of a kind, everywhere; nothing where that may not be read."""
    try:
        return _items(api, kind)
    except JobqError:
        return []


def _elsewhere(api: Api, kind: Kind) -> tuple[str, list[dict[str, Any]]]:
    """Queues of another namespace in which we may submit, where all of them may be listed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for queue in _list(api, kind):
        found.setdefault(queue["metadata"]["namespace"], []).append(queue)
    for namespace, queues in sorted(found.items())[:_MOST]:
        if kinds.may(api, "create", kinds.JOBS, namespace):
            return namespace, queues
    return "", []


def of_queues(
    local: list[dict[str, Any]],
    wide: list[dict[str, Any]],
    flavors: list[dict[str, Any]],
    *,
    context: str,
    namespace: str,
) -> Proposal:
    """A profile out of the objects that were found.

    Args:
        local: the LocalQueues of the namespace, at least one.
        wide: the ClusterQueues, as far as they may be read.
        flavors: the ResourceFlavors, as far as they may be read.
        context: of the kubeconfig; "": the cluster that we run in.
        namespace: of the queues.
    """
    clusters = by_name(wide)
    queues = ranked(local, clusters)
    first, *rest = queues
    queue = first["metadata"]["name"]
    others = [name_of(one) + " (takes no work now)" * (not takes_work(one, clusters)) for one in rest]
    values: dict[str, Any] = {"mode": "kueue"}
    if context:
        values["context"] = context
    values |= {"namespace": namespace, "queue": queue}
    quota = told(_most(clusters.get(first["spec"].get("clusterQueue", ""), {})))
    remark = "; ".join(
        part
        for part in (f"its own quota: {quota}" if quota else "", f"others: {', '.join(others)}" if others else "")
        if part
    )
    if types := gpu_types(queues, clusters, {one["metadata"]["name"]: one for one in flavors}):
        values["gpu_types"] = types
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", context.rpartition("/")[2].rpartition("@")[2]).strip("-") or "cluster"
    return Proposal(name, values, {"queue": remark} if remark else {})


def _most(cluster: Mapping[str, Any]) -> dict[str, float]:
    """The quota of a ClusterQueue of its own, by resource: that of its largest flavor."""
    found: dict[str, float] = {}
    for _, resources in _flavors_of(cluster):
        for name, value in amounts(resources).items():
            found[name] = max(found.get(name, 0), value)
    return found


def _flavors_of(cluster: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in (cluster.get("spec") or {}).get("resourceGroups") or ():
        for flavor in group.get("flavors") or ():
            yield str(flavor["name"]), {one["name"]: one["nominalQuota"] for one in flavor.get("resources") or ()}


def gpu_types(
    local: Sequence[Mapping[str, Any]], clusters: Mapping[str, Any], flavors: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The types of GPU that the queues lead to: a word for each, and what it means.

    Args:
        local: the LocalQueues, the one that is proposed first.
        clusters: the ClusterQueues by name.
        flavors: the ResourceFlavors by name.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in local:
        for name, resources in _flavors_of(clusters.get(one["spec"].get("clusterQueue", ""), {})):
            device = next((each for each in resources if each.endswith("/gpu") and amounts(resources)[each]), "")
            spec = (flavors.get(name) or {}).get("spec") or {}
            labels = spec.get("nodeLabels") or {}
            if not device or not labels:
                continue
            kind: dict[str, Any] = {} if device == "nvidia.com/gpu" else {"resource": device}
            kind["node_selector"] = dict(labels)
            if one is not local[0]:
                kind["queue"] = one["metadata"]["name"]
            found.setdefault(_word(name, labels), kind)
    return found


def _word(flavor: str, labels: Mapping[str, str]) -> str:
    """`h100` of NVIDIA-H100-80GB-HBM3; else the flavor's own name."""
    product = next((str(value) for key, value in labels.items() if key.endswith("gpu.product")), "")
    model = _MODEL.search(product.replace("NVIDIA-", "").replace("Tesla-", ""))
    return model[1].lower() if model else flavor


def _with_registry(made: Proposal, environ: Mapping[str, str]) -> Proposal:
    """With the registry that the environment names; else with what has to be written by hand."""
    known = {
        name: environ[f"JOBQ_{name.upper()}"]
        for name in ("push", "pull", "base")
        if environ.get(f"JOBQ_{name.upper()}")
    }
    made = replace(made, values={**made.values, **known})
    if "push" in known:
        return made
    hosts = _logged_in(environ)
    host = hosts[0] if hosts else "registry.example.org"
    what = f"{_PUSH}. Docker is logged in to {', '.join(hosts)}" if hosts else _PUSH
    return replace(made, to_fill_in={"push": (f"{host}/{made.values['namespace']}/jobq", what)})


def _logged_in(environ: Mapping[str, str]) -> list[str]:
    """Registries that `docker login` knows."""
    home = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME") or Path.home()) / ".docker")
    try:
        auths = json.loads((Path(home) / "config.json").read_text(encoding="utf-8")).get("auths") or {}
    except (OSError, ValueError, AttributeError):
        return []
    hosts = (re.sub(r"^https?://", "", str(one)).partition("/")[0] for one in auths)
    return sorted({"docker.io" if host == "index.docker.io" else host for host in hosts})
