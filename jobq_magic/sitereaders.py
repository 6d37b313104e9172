"""What a profile may say of a cluster, and what it means; refused with what to write instead.

`KEYS` has a reader for each field of a `Site` that is not an option too. Each takes what a TOML file holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jobq_magic import quantities, readers
from jobq_magic.errors import closest
from jobq_magic.quantities import Refusal
from jobq_magic.runtime.stores import SCHEMES
from jobq_magic.site import GpuType, RayGroup

__all__ = ["KEYS", "store"]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_DOMAIN}/)?{_NAME}")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TOLERATION = ("key", "operator", "value", "effect", "tolerationSeconds")
_AFFINITIES = ("nodeAffinity", "podAffinity", "podAntiAffinity")
_SHOWN = tuple(scheme for scheme in SCHEMES if scheme != "memory")
"""Kinds of stores that are told of; memory is there for tests."""
_POLICIES = ("Always", "IfNotPresent", "Never")
_COUNTED = 2**31 - 1
_GROUPS = 15
"""Kueue admits 18 sorts of pods together, of which three are the head, the workers and KubeRay's own."""
_OF_RAY = {"head": "head", "workers": "group of --workers", "submitter": "pod that submits KubeRay's job"}


def store(value: Any) -> str:
    """Where large things go: an address as fsspec has them, or `pvc://CLAIM/FOLDER`; nothing that says who one is."""
    url = str(value).strip().rstrip("/")
    scheme, mark, rest = url.partition("://")
    example = "Write for example s3://BUCKET/FOLDER or pvc://CLAIM/FOLDER"
    if scheme == "file" or url.startswith(("/", "./", "~")):
        raise Refusal("is a folder of this machine, which no cluster sees", example)
    if not mark or not rest:
        raise Refusal("is not the address of a store", example)
    if scheme not in SCHEMES:
        raise Refusal(f"names no kind of store by {scheme}://", f"Known: {', '.join(_SHOWN)}")
    host, _, folder = rest.partition("/")
    # abfs://CONTAINER@ACCOUNT is how Azure writes a place; with a colon it is a password.
    if ":" in host or "?" in rest or ("@" in host and scheme != "abfs"):
        raise Refusal(
            "holds a user, a password or a key", "Leave it out: --secret, or the service account, says who the job is"
        )
    if scheme == "pvc" and not re.fullmatch(_DOMAIN, host):
        raise Refusal("is not the name of a claim", "Write for example pvc://CLAIM/FOLDER")
    if ".." in folder.split("/") or re.search(r"\s", rest):
        raise Refusal("is not the address of a store", example)
    return url


def _table(value: Any, known: Iterable[str] = (), where: str = "") -> dict[str, Any]:
    """A table, with no other keys than these, where some are named."""
    if not isinstance(value, Mapping):
        raise Refusal(f"{f'holds {where}, which ' * bool(where)}is not a table", "Write { NAME = VALUE }")
    known = tuple(known)
    for key in value:
        if known and key not in known:
            raise Refusal(f"holds {f'{where}.' * bool(where)}{key}, which is no key there", closest(str(key), known))
    return dict(value)


def _pairs(value: Any, where: str = "", *, labels: bool = True) -> dict[str, str]:
    """Labels, or what is written like them: annotations, whose values are free."""
    pairs = _table(value, where=where)
    at = f"{where}." * bool(where)
    for key, text in pairs.items():
        if not _KEY.fullmatch(key):
            raise Refusal(f"holds {at}{key}, which is not a key of a label", "Write for example example.org/team")
        if not isinstance(text, str):
            raise Refusal(f"holds {at}{key}, whose value is not a text", f'Write "{str(text).lower()}", in quotes')
        if labels and text and not re.fullmatch(_NAME, text):
            raise Refusal(
                f"holds {at}{key} = {text}, which no label can have",
                "Up to 63 letters, digits, '-', '_' and '.' may be in it, with a letter or digit at both ends",
            )
    return pairs


def _labels(value: Any) -> dict[str, str]:
    pairs = _pairs(value)
    for key in pairs:
        if key.startswith(("jobq.", "kueue.x-k8s.io/", "ray.io/")):
            raise Refusal(f"holds {key}, which is said otherwise", "Write queue, priority or timeout")
    return pairs


def _annotations(value: Any) -> dict[str, str]:
    return _pairs(value, labels=False)


def _tolerations(value: Any, where: str = "") -> tuple[dict[str, Any], ...]:
    at = where or "one"
    if not isinstance(value, list):
        raise Refusal(
            f"{f'holds {where}, which ' * bool(where)}is not a list of tables",
            'Write [{ key = "KEY", operator = "Exists" }]',
        )
    for one in value:
        known = _table(one, _TOLERATION, at)
        operator = known.get("operator", "Equal")
        if operator not in ("Equal", "Exists"):
            raise Refusal(f"holds {at}, whose operator is {operator}", "Write Equal or Exists")
        if operator == "Exists" and known.get("value"):
            raise Refusal(f"holds {at}, which has a value where only the key counts", "Write Equal, or no value")
        if operator == "Equal" and not known.get("key"):
            raise Refusal(f"holds {at}, which names no key", 'Write key = "KEY", or operator = "Exists" for all')
        if known.get("effect", "NoExecute") not in _EFFECTS:
            raise Refusal(f"holds {at}, whose effect is {known['effect']}", closest(str(known["effect"]), _EFFECTS))
        if "tolerationSeconds" in known and not isinstance(known["tolerationSeconds"], int):
            raise Refusal(f"holds {at}, whose tolerationSeconds is no number", "Write for example 300")
    return tuple(dict(one) for one in value)


def _gpu_types(value: Any) -> dict[str, GpuType]:
    return {name: _gpu_type(name, one) for name, one in _table(value).items()}


def _gpu_type(name: str, value: Any) -> GpuType:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise Refusal(f"holds {name!r}, which cannot stand in --gpus {name}:1", "Write for example a100")
    keys = ("resource", "node_selector", "tolerations", "queue")
    if isinstance(value, Mapping) and (lost := [key for key in value if key not in keys and _of_profile(key)]):
        raise Refusal(
            f"holds {name}.{lost[0]}, which is a setting of the profile",
            f"Write it above the line [... .gpu_types.{name}]: what follows that belongs to {name}",
        )
    known = _table(value, keys, name)
    resource = known.get("resource", GpuType().resource)
    if not isinstance(resource, str) or not re.fullmatch(rf"{_DOMAIN}/{_NAME}", resource):
        raise Refusal(f"holds {name}.resource = {resource}, which no node offers", "Write for example nvidia.com/gpu")
    queue = known.get("queue", "")
    if queue != "" and not re.fullmatch(_DOMAIN, str(queue)):
        raise Refusal(f"holds {name}.queue = {queue}, which is not a name in Kubernetes")
    return GpuType(
        resource=resource,
        node_selector=_pairs(known.get("node_selector", {}), f"{name}.node_selector"),
        tolerations=_tolerations(known.get("tolerations", []), f"{name}.tolerations"),
        queue=str(queue),
    )


def _ray(value: Any) -> str:
    """Where Ray is: one of its own for each run, this machine, one that is there."""
    told = str(value).strip()
    if told in ("rayjob", "here"):
        return told
    if told.startswith(("http://", "https://", "ray://", "raycluster/")):
        return readers.address(told)
    raise Refusal("is no place with Ray", "Write rayjob, here, raycluster/NAME, or the address of a dashboard")


def _ray_groups(value: Any) -> dict[str, RayGroup]:
    known = _table(value)
    if len(known) > _GROUPS:
        what = f"holds {len(known)} groups, and Kueue admits no more than {_GROUPS} beside the head and the workers"
        raise Refusal(what, "Leave some out, or make one of several")
    return {name: _ray_group(name, one) for name, one in known.items()}


def _ray_group(name: str, value: Any) -> RayGroup:
    if not re.fullmatch(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?", name):
        what = f"holds {name!r}, which is not the name of a group"
        raise Refusal(what, "Up to 32 small letters, digits and '-' may be in it, with a letter first")
    if name in _OF_RAY:
        raise Refusal(f"holds {name}, which is what the {_OF_RAY[name]} is called", "Choose another name")
    keys = ("workers", "cpus", "gpus", "memory", "node_selector", "tolerations", "resources")
    known = _table(value, keys, name)

    def read(key: str, reading: Callable[[Any], Any], default: Any) -> Any:
        try:
            return reading(known[key]) if key in known else default
        except Refusal as refusal:
            raise Refusal(f"holds {name}.{key} = {known[key]}, which {refusal.problem}", refusal.do) from None

    least, most = read("workers", _replicas, (1, None))
    kind, gpus = read("gpus", quantities.gpus, (None, 0))
    return RayGroup(
        workers=least,
        max_workers=most,
        cpus=read("cpus", quantities.cores, None),
        gpus=gpus,
        gpu_type=kind or "",
        memory=read("memory", quantities.memory, ""),
        node_selector=_pairs(known.get("node_selector", {}), f"{name}.node_selector"),
        tolerations=_tolerations(known.get("tolerations", []), f"{name}.tolerations"),
        resources=_ray_resources(known.get("resources", {}), f"{name}.resources"),
    )


def _replicas(value: Any) -> tuple[int, int | None]:
    least, most = quantities.workers(value)
    if (most or least) > _COUNTED:
        raise Refusal("is more than Kubernetes counts", f"Write {_COUNTED} or less")
    return least, most


def _ray_resources(value: Any, where: str) -> dict[str, float]:
    known = _table(value, where=where)
    for key, count in known.items():
        if key in ("CPU", "GPU", "memory", "object_store_memory"):
            raise Refusal(f"holds {where}.{key}, which is said otherwise", "Write cpus, gpus or memory")
        if isinstance(count, bool) or not isinstance(count, int | float) or count <= 0:
            raise Refusal(f"holds {where}.{key} = {count}, which is no number of pieces", "Write for example 1")
    return known


def _of_profile(key: str) -> bool:
    from jobq_magic.spec import declared  # which reads by us

    return key in KEYS or (key in declared() and declared()[key].setting)


def _affinity(value: Any) -> dict[str, Any]:
    return _table(value, _AFFINITIES)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(readers.object_name(one) for one in readers.items(value))


def _policy(value: Any) -> str:
    if value not in _POLICIES:
        raise Refusal("is no policy of pulling", closest(str(value), _POLICIES))
    return str(value)


def _topology(value: Any) -> dict[str, str]:
    known = _table(value, ("required", "preferred"))
    if len(known) != 1:
        raise Refusal("is not one of required and preferred", 'Write { preferred = "LABEL OF NODES" }')
    for how, label in known.items():
        if not isinstance(label, str) or not _KEY.fullmatch(label):
            raise Refusal(f"holds {how} = {label}, which is no label of nodes", "Write for example example.org/rack")
    return known


def _proxies(value: Any) -> dict[str, str]:
    known = _table(value, ("http", "https", "no"))
    for name, text in known.items():
        if not isinstance(text, str):
            raise Refusal(f"holds {name}, whose value is not a text", "Write it in quotes")
        if name == "no":
            continue
        if "@" in text:
            # The text itself is not repeated: it may hold a password.
            raise Refusal(f"holds {name}, which has a user or a password in it", "Write for example http://HOST:3128")
        if not re.fullmatch(r"(?:https?|socks5h?)://[^\s/]+/?", text):
            raise Refusal(f"holds {name} = {text}, which is not an address", "Write for example http://HOST:3128")
    return known


def _ca(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(rf"{_DOMAIN}/[A-Za-z0-9._-]+", value):
        raise Refusal("is not a ConfigMap and a key in it", "Write for example site-certificates/ca.crt")
    return value


def _pod_template(value: Any) -> dict[str, Any]:
    known = _table(value, ("metadata", "spec"))
    for part, inside in known.items():
        _table(inside, where=part)
    return known


def _clusters(value: Any) -> dict[str, str]:
    known = _table(value)
    for name, context in known.items():
        if not isinstance(context, str) or not context.strip():
            raise Refusal(f"holds {name}, whose value is no context", 'Write { CLUSTER = "CONTEXT" }')
    return known


def _kubeconfig(value: Any) -> str:
    parts = readers.text(value).split(os.pathsep)
    return os.pathsep.join(os.path.expanduser(part) for part in parts)  # noqa: PTH111 - several, joined again


def _ttl(value: Any) -> float:
    """How long something stays: days as a rule, so that a number alone is more likely a mistake than seconds."""
    if re.fullmatch(r"\d+(?:\.\d+)?", written := str(value).strip()) and not isinstance(value, bool):
        raise Refusal("has no unit", f'Write "{written}d" for days, or "{written}h" for hours')
    return quantities.seconds(value)


KEYS: Mapping[str, Callable[[Any], Any]] = {
    "kubeconfig": _kubeconfig,
    "artifacts": readers.repository,
    "gpu_types": _gpu_types,
    "node_selector": _pairs,
    "tolerations": _tolerations,
    "affinity": _affinity,
    "service_account": readers.object_name,
    "pull_secrets": _names,
    "pull_policy": _policy,
    "topology": _topology,
    "pod_priority": readers.object_name,
    "proxies": _proxies,
    "ca": _ca,
    "ttl": _ttl,
    "annotations": _annotations,
    "labels": _labels,
    "pod_template": _pod_template,
    "ray": _ray,
    "ray_groups": _ray_groups,
    "clusters": _clusters,
}
"""What a profile may say beside the settings of a job, and what reads it."""
