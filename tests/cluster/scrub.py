"""What was seen of a run, as it is kept: only what a reader of phases can want, and nothing of the machine.

Names, uids, digests and addresses that are drawn anew each time are numbered in the order of their appearance, and all
times are moved so that the run begins at one instant: what is recorded again differs little.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.objects import Object
from tests.cluster.seen import Change, owners
from tests.recorded.reading import BEGINS, difference

_WIDTH = 160
_UNUSED = ("managedFields", "resourceVersion", "selfLink", "generateName")
_UNUSED_OF_EVENTS = ("action", "reportingInstance", "related")
"""Instances are named after machines and pods of Kueue's."""
_OFTEN = ("Unhealthy",)
"""Events that are told again with every attempt of a probe: once is enough."""
_OF_PODS = (
    "activeDeadlineSeconds",
    "affinity",
    "containers",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "priority",
    "priorityClassName",
    "restartPolicy",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
    "volumes",
)
_OF_CONTAINERS = ("name", "image", "resources", "env")
_NAMED = ("secret", "configMap", "persistentVolumeClaim")
"""Volumes that may be missing."""
_KEYS = ("secretKeyRef", "configMapKeyRef")
"""Variables that may be."""
_DRAWN = re.compile(r"-[a-z0-9]{5}$")
"""The end of a name that a controller has drawn."""
_PATTERN = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
    r"|(?P<uid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<hex>\b(?=[a-f]*\d)[0-9a-f]{16,}\b)"
    r"|(?P<address>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)"
    r"|(?P<node>\bnode\d\b)"
    r"|(?P<pod>\"[a-z0-9-]+-[a-z0-9]{5}\"(?= is forbidden))"
    r"|(?P<pid>\bpid=\d+)"
)
_EVERYWHERE = ("127.0.0.1", "0.0.0.0")
_EPOCH = "1971"
_SECONDS = "%Y-%m-%dT%H:%M:%S"


def steps(changes: Iterable[Change], kind: str, name: str, prefix: str) -> list[Object]:
    """The changes of a run's objects, and of other Workloads in its namespace, in the order in which they were made.

    Args:
        changes: all that was seen in the namespace.
        kind: of the run.
        name: of the run.
        prefix: that the names of namespaces and queues begin with.
    """
    # The versions of all objects are from one counter: they order changes that came by different watches.
    ordered = sorted(changes, key=lambda change: int(change.object["metadata"]["resourceVersion"]))
    ours = _ours(ordered, kind, name)
    kept = [change for change in ordered if _about(change.object) in ours or change.object["kind"] == "Workload"]
    origin = next(change.object["metadata"]["creationTimestamp"] for change in kept if change.object["kind"] == kind)
    scrub = _Scrub(prefix, origin, [change.object for change in kept])
    found: list[Object] = []
    before: dict[tuple[str, str], Object] = {}
    at = 0.0
    for change in kept:
        at = max(at, round(change.at - _instant(origin).timestamp(), 2))
        seen = scrub(_pruned(change.object))
        key = seen.pop("kind"), seen["metadata"]["name"]
        step = {"at": at, "type": change.type, "kind": key[0], "name": key[1]}
        if change.type == "DELETED":
            before.pop(key, None)
            found.append(step)
        elif key in before and seen.get("reason") in _OFTEN:
            continue
        elif patch := difference(before.get(key, {}), seen):
            before[key] = seen
            found.append({**step, "object": patch})
    return found


def written(content: Mapping[str, Any]) -> str:
    """As JSON: what fits into a line is on one."""
    return _written(content, 0) + "\n"


def _written(value: Any, depth: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + depth <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inside, outside = " " * (depth + 1), " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_written(each, depth + 1)}" for name, each in value.items()]
        return "{\n" + ",\n".join(inside + part for part in parts) + f"\n{outside}}}"
    return "[\n" + ",\n".join(inside + _written(each, depth + 1) for each in value) + f"\n{outside}]"


def _ours(changes: list[Change], kind: str, name: str) -> set[str]:
    """The uids of a run and of all that belongs to it."""
    objects = [change.object for change in changes]
    found = {each["metadata"]["uid"] for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)}
    while more := {each["metadata"]["uid"] for each in objects if owners(each) & found} - found:
        found |= more
    return found


def _about(found: Object) -> str:
    """The uid of the object that is told of."""
    uid: str = found["involvedObject"].get("uid", "") if found["kind"] == "Event" else found["metadata"]["uid"]
    return uid


class _Scrub:
    """Renames what is drawn anew each time."""

    def __init__(self, prefix: str, origin: str, objects: list[Object]) -> None:
        self._moved = _instant(BEGINS) - _instant(origin)
        self._numbers: dict[str, dict[str, int]] = {}
        self._names = _names(objects)
        self._names[f"{prefix}-"] = ""
        for registry in (REGISTRY_PULL, REGISTRY_PULL.partition(":")[0], REGISTRY_PUSH):
            self._names[registry] = "registry.example"
        longest = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest)))
        self._events: dict[str, str] = {}

    def __call__(self, found: Object) -> Object:
        if found["kind"] == "Event":
            found = {**found, "metadata": {**found["metadata"], "name": self._event(found)}}
        scrubbed: Object = _mapped(found, self._text)
        return scrubbed

    def _event(self, found: Object) -> str:
        name = found["metadata"]["name"]
        if name not in self._events:
            about = f"{found['involvedObject']['kind']}.{found['involvedObject']['name']}.{found['reason']}".lower()
            self._events[name] = f"{about}.{self._number('event', name, about)}"
        return self._events[name]

    def _text(self, text: str) -> str:
        text = self._known.sub(lambda match: self._names[match[0]], text)
        return _PATTERN.sub(self._drawn, text)

    def _drawn(self, match: re.Match[str]) -> str:
        kind, text = str(match.lastgroup), match[0]
        if kind == "time":
            if text < _EPOCH:
                return text  # containerd's word for never
            between = text[10]
            return (_instant(text.replace(" ", "T")) + self._moved).strftime(_SECONDS).replace("T", between)
        if kind == "pid":
            return "pid=1"
        if text in _EVERYWHERE:
            return text
        if kind == "pod":  # which was never made
            base = text[1:-7]
            return f'"{base}-{self._number(kind, text, base):05d}"'
        number = self._number(kind, text)
        if kind == "node":
            return f"node{number}"
        if kind == "uid":
            return f"00000000-0000-0000-0000-{number:012d}"
        return f"{number:0{len(text)}d}" if kind == "hex" else f"192.0.2.{number}"

    def _number(self, kind: str, text: str, group: str = "") -> int:
        known = self._numbers.setdefault(f"{kind} {group}", {})
        return known.setdefault(text, len(known) + 1)


def _names(objects: list[Object]) -> dict[str, str]:
    """What names with an end that was drawn are called instead: with a number."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}

    def number(text: str, shown: str, form: str) -> None:
        if text and text not in found:
            base = _DRAWN.sub("", shown)
            counts[base + form] = counts.get(base + form, 0) + 1
            found[text] = base + form.format(counts[base + form])

    for each in objects:
        if each["kind"] == "RayJob":
            number((job := each.get("status", {}).get("jobId", "")), job, "-j{:04d}")
    for each in objects:
        if each["kind"] in {"RayCluster", "Workload"} and _DRAWN.search(name := each["metadata"]["name"]):
            number(name, name, "-{:05d}")
    above = dict(found)
    for each in objects:
        if each["kind"] == "Pod":
            name = shown = each["metadata"]["name"]
            for cluster, called in above.items():
                shown = shown.replace(f"{cluster}-", f"{called}-")
            number(name, shown, "-{:05d}")
    return found


def _pruned(found: Object) -> Object:
    """An object without what no reader of phases can want."""
    metadata = {name: value for name, value in found["metadata"].items() if name not in _UNUSED}
    rest = {name: _full(value) for name, value in found.items() if name not in {"apiVersion", "metadata"}}
    if found["kind"] == "Event":
        metadata = {name: metadata[name] for name in ("name", "namespace")}
        rest = {name: value for name, value in rest.items() if value and name not in _UNUSED_OF_EVENTS}
        rest["involvedObject"] = {name: value for name, value in rest["involvedObject"].items() if name not in _UNUSED}
    if "spec" in rest:
        rest["spec"] = _shortened(rest["spec"]) if found["kind"] != "Pod" else _pods(rest["spec"])
    return {**rest, "metadata": metadata}


def _shortened(spec: Any) -> Any:
    """A specification, wherever in it templates of pods are."""
    if isinstance(spec, list):
        return [_shortened(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        name: {**value, "spec": _pods(value["spec"])}
        if name.lower().endswith("template") and isinstance(value, dict) and "spec" in value
        else _shortened(value)
        for name, value in spec.items()
    }


def _pods(spec: Object) -> Object:
    kept = {name: value for name, value in spec.items() if name in _OF_PODS}
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [_container(each) for each in kept[name]]
    # Every pod has those two.
    kept["tolerations"] = [each for each in kept.get("tolerations", ()) if each.get("tolerationSeconds") != 300]
    kept["volumes"] = [each for each in kept.get("volumes", ()) if set(_NAMED) & set(each)]
    return {name: value for name, value in kept.items() if value or name not in {"tolerations", "volumes"}}


def _container(found: Object) -> Object:
    kept = {name: value for name, value in found.items() if name in _OF_CONTAINERS}
    kept["env"] = [each for each in kept.get("env", ()) if set(_KEYS) & set(each.get("valueFrom", ()))]
    return {name: value for name, value in kept.items() if value or name != "env"}


def _full(value: Any) -> Any:
    """A value without what is null."""
    if isinstance(value, list):
        return [_full(each) for each in value]
    if isinstance(value, dict):
        return {name: _full(each) for name, each in value.items() if each is not None}
    return value


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): _mapped(each, change) for name, each in value.items()}
    return value


def _instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text[:19], _SECONDS).replace(tzinfo=dt.UTC)
