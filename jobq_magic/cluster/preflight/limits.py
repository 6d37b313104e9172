"""What the namespace lets a container ask for (LimitRange), and what it grants to all together (ResourceQuota).

Both refuse pods when they are made, long after the Job was taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.amounts import Amounts, amounts, told, total
from jobq_magic.cluster.meaning.parts import list_of, maps, name_of, section
from jobq_magic.cluster.preflight.answers import Answers, unread
from jobq_magic.cluster.preflight.pods import Pods
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.figures import asked, number
from jobq_magic.findings import Finding

__all__ = ["limit_ranges", "of_pods", "requests", "resource_quotas", "sizes"]

_FLAGS = {"cpu": "--cpus", "memory": "--memory", "nvidia.com/gpu": "--gpus"}
_MORE = "Ask for what the cell needs, by --cpus and --memory, or cpus and memory of the profile"
_COUNTED = {
    "count/jobs.batch": "Jobs",
    "count/rayjobs.ray.io": "RayJobs",
    "count/rayclusters.ray.io": "RayClusters",
    "count/secrets": "Secrets",
    "secrets": "Secrets",
    "count/services": "Services",
    "services": "Services",
}
_OF_RAY = ("count/rayjobs.ray.io", "count/rayclusters.ray.io", "count/services", "services")
_SECRETS = ("count/secrets", "secrets")


def limit_ranges(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether each container, and the pod, is within the limits of the namespace."""
    listed = answers("limit-ranges")
    if not listed:
        yield from unread("limit-range", "What a container may ask for cannot be read", listed)
        return
    if not wanted.pods:
        return
    broken = [
        told
        for one in listed.items
        for limit in maps(one, "spec", "limits")
        for each in wanted.pods
        for told in _broken(name_of(one), limit, each)
    ]
    if not broken:
        what = (
            f"The pods are within the limits of {wanted.namespace}" if listed.items else "The namespace limits no pod"
        )
        given = _given(_defaults(answers), wanted)
        yield Finding("limit-range", "ok", what + given, _MORE if given else "")
        return
    flags = " and ".join(dict.fromkeys(flag for _, flag in broken if flag))
    do = f"Ask for another amount: {flags}" if flags else "Change it in pod_template of the profile"
    words = "; ".join(dict.fromkeys(told for told, _ in broken))
    yield Finding("limit-range", "problem", f"{words[0].upper()}{words[1:]}", do)


def _given(limit: Mapping[str, Any], wanted: Wanted) -> str:
    """What the namespace makes of a cell that does not say how much it needs."""
    main = next(iter(wanted.pods[0].containers(all_of_them=False)), {})
    said = amounts(section(main, "resources", "limits"))
    requests, limits = _sizes(main, limit)
    has = {name: value for name, value in limits.items() if name not in said}
    least = {name: value for name, value in requests.items() if name not in said and value != has.get(name)}
    words = [f"{told(least)} for certain" if least else "", f"at most {told(has)}" if has else ""]
    gets = ", and ".join(filter(None, words))
    lacks = " and no ".join(asked(name) for name in ("cpu", "memory") if name not in requests)
    found = [f"gets {gets}" if gets else "", f"is promised no {lacks}, and no quota is taken for it" if lacks else ""]
    return f". A cell that does not say {'; it '.join(filter(None, found))}" if any(found) else ""


def _broken(name: str, limit: Mapping[str, Any], pods: Pods) -> Iterator[tuple[str, str]]:
    """What breaks one limit, and the option that would mend it."""
    if limit.get("type") == "Container":
        for one in pods.containers():
            for told, flag in _compared(pods.called(one), name, limit, *_sizes(one, limit)):
                yield told, _of_head(flag) if pods.one == "the head" else flag
    elif limit.get("type") == "Pod":
        sizes = [_sizes(one, {}) for one in pods.containers(all_of_them=False)]
        requests, limits = total(requests for requests, _ in sizes), total(limits for _, limits in sizes)
        for told, flag in _compared(pods.each, name, limit, requests, limits):
            yield told, _of_head(flag) if pods.one == "the head" else flag


def _of_head(flag: str) -> str:
    return flag.replace("--", "--driver-") if flag in {"--cpus", "--memory"} else flag


def _sizes(container: Mapping[str, Any], limit: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    """Requests and limits of a container, with what the limit range adds where nothing is said."""
    said, most = (amounts(section(container, "resources", kind)) for kind in ("requests", "limits"))
    default = amounts(section(limit, "max")) | amounts(section(limit, "default"))
    least = amounts(section(limit, "min")) | default | amounts(section(limit, "defaultRequest"))
    return least | most | said, default | most


def _compared(
    told: str, name: str, limit: Mapping[str, Any], requests: Amounts, limits: Amounts
) -> Iterator[tuple[str, str]]:
    by = f"by the limit range {name}"
    for resource, most in amounts(section(limit, "max")).items():
        has = max(limits.get(resource, 0), requests.get(resource, 0))
        if has > most:
            yield f"{told} asks for {_told(resource, has)}, and may have {_told(resource, most)} {by}", _flag(resource)
    for resource, least in amounts(section(limit, "min")).items():
        has = requests.get(resource, 0)
        if has < least:
            words = f"{told} asks for {_told(resource, has)}, and must ask for {_told(resource, least)} {by}"
            yield words, _flag(resource)
    for resource, ratio in amounts(section(limit, "maxLimitRequestRatio")).items():
        least, has = requests.get(resource, 0), limits.get(resource, 0)
        if least and has / least > ratio:
            yield f"{told} is limited to more than {number(ratio)} times the {resource} that it asks for, {by}", ""
    for resource, has in limits.items():
        if requests.get(resource, 0) > has:
            words = _told(resource, requests[resource])
            yield f"{told} asks for {words}, and is limited to {_told(resource, has)} {by}", _flag(resource)


def _flag(resource: str) -> str:
    return _FLAGS.get(resource, "")


def resource_quotas(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether what the namespace grants, and still has, is enough."""
    listed = answers("resource-quotas")
    if not listed:
        yield from unread("resource-quota", "What the namespace grants cannot be read", listed)
        return
    # Those with a scope are for some pods only.
    quotas = [one for one in listed.items if not _scoped(one)]
    found = [told for one in quotas for told in _exceeded(one, wanted, answers)]
    yield from sorted(found, key=lambda one: one.level != "problem")
    if not found:
        what = f"The quota of {wanted.namespace} has room" if quotas else f"{wanted.namespace} has no quota of its own"
        yield Finding("resource-quota", "ok", what)


def _scoped(quota: Mapping[str, Any]) -> bool:
    return bool(list_of(quota, "spec", "scopes") or section(quota, "spec", "scopeSelector"))


def _exceeded(quota: Mapping[str, Any], wanted: Wanted, answers: Answers) -> Iterator[Finding]:
    hard = amounts(section(quota, "status", "hard") or section(quota, "spec", "hard"))
    used, name = amounts(section(quota, "status", "used")), name_of(quota)
    wants = _asked(wanted, answers)
    for resource, most in hard.items():
        if (undemanded := _undemanded(resource, wanted, answers)) and most:
            what = f"The quota {name} counts {resource}, and {undemanded} says none"
            flag = _flag(resource.removeprefix("limits.").removeprefix("requests."))
            yield Finding("resource-quota", "problem", what, f"Say it: {flag}" if flag else "Say it in pod_template")
            continue
        if resource not in wants:
            continue
        want, free = wants[resource], max(most - used.get(resource, 0), 0)
        if want > most:
            what = (
                f"The quota {name} grants {_told(resource, most)} in all, and the run asks for {_told(resource, want)}"
            )
            yield Finding("resource-quota", "problem", what, "Ask for less, or ask an administrator for more")
        elif want > free and resource in _COUNTED:
            what = f"The quota {name} is used up: all {number(most)} {_COUNTED[resource]} that it grants are there"
            do = "Stop or prune runs, or ask an administrator for more"
            yield Finding("resource-quota", "problem", what, do)
        elif want > free:
            what = (
                f"The quota {name} has {_told(resource, free)} left of {_told(resource, most)}, and the run asks for"
                f" {_told(resource, want)}: pods will wait until there is more"
            )
            yield Finding(
                "resource-quota", "warning", what, "Ask for less, or wait until others of the team have ended"
            )


def _told(resource: str, value: float) -> str:
    return asked(resource.removeprefix("requests.").removeprefix("limits."), value)


def _asked(wanted: Wanted, answers: Answers) -> dict[str, float]:
    """What a run takes of a quota, by the quota's words."""
    found = dict.fromkeys((*_SECRETS, *_made(wanted)), 1.0)
    if not wanted.pods:
        return found
    found |= {"pods": wanted.count, "count/pods": wanted.count}
    each = [(pods.count, *sizes(answers, one)) for pods in wanted.pods for one in pods.containers(all_of_them=False)]
    for name, value in total(_times(count, requests) for count, requests, _ in each).items():
        found[f"requests.{name}"] = value
        if name in {"cpu", "memory"}:
            found[name] = value
    for name, value in total(_times(count, limits) for count, _, limits in each).items():
        found[f"limits.{name}"] = value
    return found


def _made(wanted: Wanted) -> tuple[str, ...]:
    """What is made for a run beside its Secret and its pods; a submitter is a Job."""
    if not wanted.ray:
        return ("count/jobs.batch",)
    return (*_OF_RAY, *("count/jobs.batch" for each in wanted.pods if each.one == "the submitter"))


def _times(count: int, of: Amounts) -> dict[str, float]:
    return {name: value * count for name, value in of.items()}


def requests(answers: Answers, wanted: Wanted) -> dict[str, float]:
    """What all pods ask for together, with what the namespace has containers ask for that say nothing."""
    return total(of_pods(answers, each) for each in wanted.pods)


def of_pods(answers: Answers, pods: Pods) -> dict[str, float]:
    """The same of pods that are alike."""
    each = total(_sizes(one, _defaults(answers))[0] for one in pods.containers(all_of_them=False))
    return {name: value * pods.count for name, value in {**each, **pods.requests()}.items() if value}


def sizes(answers: Answers, container: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    """Requests and limits of a container, as the namespace makes them."""
    return _sizes(container, _defaults(answers))


def _undemanded(resource: str, wanted: Wanted, answers: Answers) -> str:
    """The container that does not say what a quota wants to be said; "" where each does."""
    prefix, _, name = resource.rpartition(".")
    if prefix not in {"limits", "requests"} and resource not in {"cpu", "memory"}:
        return ""
    if (name or resource) not in {"cpu", "memory"}:
        return ""
    for each in wanted.pods:
        for one in each.containers():
            requests, limits = _sizes(one, _defaults(answers))
            if (name or resource) not in (limits if prefix == "limits" else requests):
                return each.called(one)
    return ""


def _defaults(answers: Answers) -> Mapping[str, Any]:
    """What the limit ranges of the namespace add to a container."""
    return next(
        (
            limit
            for one in answers("limit-ranges").items
            for limit in maps(one, "spec", "limits")
            if limit.get("type") == "Container"
        ),
        {},
    )
