"""What a cluster may answer, in short."""

from __future__ import annotations

from typing import Any

from jobq_magic.cluster.manifests import jobs, rayjobs
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.preflight.answers import Answer, Answers, given
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec


def wanted(site: Site | None = None, *, ray: bool = False, **spec: Any) -> Wanted:
    """What a run in team-blue asks for; `ray`: with a Ray cluster of its own."""
    site = site or Site()
    made = rayjobs.made if ray else jobs.made
    whole = JobSpec.model_validate({"mode": "kueue", "queue": "main", **spec}).model_dump(mode="json")
    job = made(Facts("20000101-000000-test", "test", "nowhere/none", whole, site, ray="2.60.0"))
    return Wanted.of(
        job,
        namespace="team-blue",
        where="the cluster of blue",
        queue=whole["queue"] or "",
        priority=whole["priority"] or "",
        site=site,
        platform=whole["platform"] or "",
        job=job,
    )


def there(value: Any = None, **more: Any) -> Answer:
    return Answer("there", {**(value or {}), **more})


def missing(why: str = "There is none") -> Answer:
    return Answer("missing", why=why)


def forbidden(why: str = "We may not read it") -> Answer:
    return Answer("forbidden", why=why)


def listed(*items: dict[str, Any]) -> Answer:
    return Answer("there", {"items": list(items)})


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


def answers(**known: Answer) -> Answers:
    """By the names of the questions; `_` stands for `-`."""
    return given({name.replace("_", "-"): answer for name, answer in known.items()})


def told(found: Any) -> list[tuple[str, str, str, str]]:
    return [(one.code, one.level, one.what, one.advice) for one in found]
