"""The clauses that the sentences of `phrases` are made of, out of the facts that a cluster told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jobq_magic.figures import asked

__all__ = ["spoken"]


def spoken(facts: Mapping[str, Any]) -> dict[str, str]:
    """The clauses that sentences are made of: each is empty, or says less, where its fact is not known."""

    def known(name: str) -> str:
        value = facts.get(name)
        return value if isinstance(value, str) else ""

    def number(name: str) -> float | None:
        value = facts.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    resource, most = known("resource"), number("most")
    clauses = {
        "asked_said": asked(resource, number("asked")) if resource else "more",
        "most_said": asked(resource, most) if most is not None else "less",
        "lacking_said": asked(resource, number("lacking")) if number("lacking") is not None else "some",
        "of_flavor": f" ({known('flavor')})" if known("flavor") not in ("", "default", "default-flavor") else "",
        "room_said": f"{'' if number('asked') is not None else 'enough '}{asked(resource or 'room', number('asked'))}",
    }
    free = number("free")
    clauses["or_ask_free"] = f"; {asked(resource, free)} would fit now" if free and number("asked") else ""
    lacking = number("lacking")
    clauses["lacking_clause"] = f" for {asked(resource, lacking)} to become free" if lacking is not None else ""
    better, best = known("better"), number("better_most")
    up, of = number("up") or 0, number("of") or 0
    one = f"{up:.0f} of {of:.0f} workers are up"
    clauses["workers_up"] = "Its worker is not up yet" if of == 1 else one
    head, several = known("part") == "head", number("workers")
    clauses["memory"] = "--driver-memory" if head else "--memory"
    each = "a smaller --cpus, --memory or --gpus for each worker"
    clauses["smaller"] = "a smaller --driver-cpus or --driver-memory" if head else each
    clauses["over_workers"] = _together(several, led=bool(facts.get("led"))) if several else ""
    clauses["in_all"] = " in all" if several else ""
    clauses["or_better"] = f", or use queue {better}, which has {asked(resource, best)}" if better and best else ""
    clauses["or_other_queue"] = "" if clauses["or_better"] else ", or use a queue that has some with --queue"
    return clauses | _who(known) | _where(known, facts, number)


def _together(workers: float, *, led: bool) -> str:
    crew = "worker" if workers == 1 else f"{workers:.0f} workers"
    return f" for its head and its {crew} together" if led else f" for its {crew} together"


def _who(known: Any) -> dict[str, str]:
    by, priority, theirs = known("by"), known("priority"), known("their_queue")
    whom = by or (f"a run of the queue {theirs}" if theirs else "another run")
    return {
        "for_whom": f" for {whom}" + (f" (priority {priority})" if by and priority else ""),
        "owner_said": f" {by}" if by else f" the queue {theirs}, whose it is," if theirs else " its owner",
        "why_not": f": {known('message')}" if known("message") else "",
    }


def _where(known: Any, facts: Mapping[str, Any], number: Any) -> dict[str, str]:
    node, until = known("node"), number("until")
    fit, of, retries = number("fit"), number("of"), number("retries")
    queues, clusters = facts.get("queues"), facts.get("clusters")
    return {
        "retried": f", which said not now {'once' if retries == 1 else f'{retries:.0f} times'}" if retries else "",
        "in_topology": f" in the topology {known('topology')}" if known("topology") else "",
        "told": f": {known('said')}" if known("said") else "",
        "said": "no more is told",
        "why": "no more is told",
        "check": "outside of Kueue",
        "on_node": f" {node}" if node else "",
        "to_node": f" to {node}" if node else "",
        "at_until": time.strftime(" at %H:%M:%S", time.localtime(until)) if until is not None else " soon",
        "fitting": "none of its workers fits" if fit is None else f"only {fit:.0f} of {of or 0:.0f} workers fit",
        "selector_said": f": {known('selector')}" if known("selector") else "",
        "taint_said": f" ({known('taint')})" if known("taint") else "",
        "in_queue": f" {known('queue')}" if known("queue") else "",
        "stopped_said": f"the cluster queue {known('cluster_queue')} behind it" if known("cluster_queue") else "it",
        "one_of_queues": " or ".join(queues) if isinstance(queues, list) and queues else "a queue that there is",
        "clusters_said": ", ".join(map(str, clusters)) if isinstance(clusters, list) else "",
    }
