"""Asking: all questions at once, in a few threads over kept connections, each with an end.

A question is a name (`namespace`, `claim/data`); its answer is told when somebody wants to know it. Those that build on
another wait for it, each in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any, TypeVar

from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Api, Forbidden, Missing, Refused
from jobq_magic.cluster.kinds import Kind, path
from jobq_magic.cluster.preflight import queues, references, remembered
from jobq_magic.cluster.preflight.answers import Answer
from jobq_magic.cluster.preflight.rights import RIGHTS, Right, grants
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.errors import JobqError

__all__ = ["Asking"]

TOTAL = 15.0
"""Seconds for all of them together."""
FIRST = 5.0
"""Seconds for the first word of the cluster."""
_AT_ONCE = 12
_SILENCE = 5.0
_SAYS_NO = frozenset({400, 403, 422})
_T = TypeVar("_T")
_RARE = frozenset({"version", "kueue", "ray", "visibility", "rules", "nodes"})
"""What rarely changes; and the single rights, where they have to be asked for one by one."""
_REVIEW = Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
_RULES = Kind("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview")
_NODES = Kind("", "v1", "nodes", "Node")
_MANY = 500
"""Nodes, of more of which it is not worth the while to read them all."""
_TOPOLOGIES = Kind(kinds.KUEUE, "", "topologies", "Topology")
_CHECKS = Kind(kinds.KUEUE, "", "admissionchecks", "AdmissionCheck")


class Asking:
    """Asks everything that bears on what is wanted; called with the name of a question, it gives the answer.

    Args:
        api: the cluster.
        wanted: what a run would ask of it.
        fresh: whether what rarely changes is asked anew.
    """

    def __init__(self, api: Api, wanted: Wanted, *, fresh: bool) -> None:
        self._api = api
        self._wanted = wanted
        self._fresh = fresh
        self._until = time.monotonic() + TOTAL
        self._first = time.monotonic() + FIRST
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._asked: dict[str, Future[Answer]] = {}
        for question, ask in self._questions().items():
            self._submit(question, ask)

    def __call__(self, question: str) -> Answer:
        """The answer to a question."""
        if question.startswith("check/"):
            name = question.removeprefix("check/")
            self._submit(question, lambda: self._kueue(_CHECKS, everywhere=True, name=name))
        if (future := self._asked.get(question)) is None:
            return Answer("unasked")
        until = self._first if question == "version" else self._until
        try:
            return future.result(max(until - time.monotonic(), 0))
        except Late:
            what = f"{self._api.place.words[0].upper()}{self._api.place.words[1:]} does not answer in time"
            return Answer("failed", why=what, do="Check the network, the VPN")

    def run(self, what: Callable[[], _T]) -> Future[_T]:
        """Does something meanwhile, in a thread that nobody waits for at the end of the process."""
        future: Future[_T] = Future()

        def doing() -> None:
            try:
                future.set_result(what())
            except BaseException as error:  # noqa: BLE001 - who asks for the result meets it
                future.set_exception(error)

        threading.Thread(target=doing, name="jobq-preflight", daemon=True).start()
        return future

    def _questions(self) -> dict[str, Callable[[], Answer]]:
        """Each in a few words; none comes before one that it builds on."""
        wanted, get = self._wanted, self._get
        here = wanted.namespace
        # What takes longest begins first.
        found: dict[str, Callable[[], Answer]] = {"job": self._shown} if wanted.job else {}
        found |= {
            "kueue": lambda: get(f"/apis/{kinds.KUEUE}"),
            "version": lambda: get("/version"),
            "rules": self._rules,
            "namespace": lambda: get(path(kinds.NAMESPACES, name=here)),
            "queues": lambda: self._kueue(kinds.LOCAL_QUEUES),
            "queue": self._single_queue,
            "visibility": lambda: get(f"/apis/{kinds.VISIBILITY}"),
            "pending": self._pending,
            "cluster-queue": self._cluster_queue,
            "cluster-queues": lambda: self._kueue(kinds.CLUSTER_QUEUES, everywhere=True),
            "cohorts": lambda: self._kueue(kinds.COHORTS, everywhere=True),
            "flavors": lambda: self._kueue(kinds.FLAVORS, everywhere=True),
            "self": lambda: self._create(
                path(_REVIEW), {"apiVersion": "authentication.k8s.io/v1", "kind": _REVIEW.name}
            ),
            "ray": lambda: get("/apis/ray.io"),
            "limit-ranges": lambda: get(path(kinds.LIMIT_RANGES, here)),
            "resource-quotas": lambda: get(path(kinds.QUOTAS, here)),
        }
        if wanted.ray:
            found["nodes"] = lambda: get(path(_NODES), limit=_MANY)
        if wanted.site.topology:
            found["topologies"] = lambda: self._kueue(_TOPOLOGIES, everywhere=True)
        if wanted.priority:
            found["priorities"] = lambda: self._kueue(kinds.PRIORITY_CLASSES, everywhere=True)
            found["priority"] = self._single_priority
        for claim in wanted.claims():
            found[f"claim/{claim}"] = lambda claim=claim: get(path(kinds.CLAIMS, here, claim))  # type: ignore[misc]
        for one in references.named(wanted):
            where = "" if one.everywhere else here
            found[one.question] = lambda one=one, where=where: get(path(one.kind, where, one.name))  # type: ignore[misc]
        return found

    def _submit(self, question: str, ask: Callable[[], Answer]) -> None:
        if question in self._asked:
            return
        rare = question in _RARE or question.startswith("rbac/")
        if rare and not self._fresh and (known := remembered.recall(self._api, question)) is not None:
            done: Future[Answer] = Future()
            done.set_result(known)
            self._asked[question] = done
            return

        def asking() -> Answer:
            answer = ask()
            if rare:
                remembered.keep(self._api, question, answer)
            return answer

        self._asked[question] = self.run(asking)

    def _get(self, where: str, **query: Any) -> Answer:
        return self._answered("GET", where, query=query)

    def _create(self, where: str, body: dict[str, Any]) -> Answer:
        return self._answered("POST", where, body=body)

    def _version(self) -> str:
        """Of Kueue's API; "" where there is none that we know."""
        served = [one.get("version") for one in self("kueue").value.get("versions") or ()]
        return next((version for version in kinds.KNOWN if version in served), "")

    def _kueue(self, kind: Kind, *, everywhere: bool = False, name: str = "") -> Answer:
        if not (version := self._version()):
            return Answer("unasked")
        return self._get(path(kind.at(version), "" if everywhere else self._wanted.namespace, name))

    def _shown(self) -> Answer:
        """What the API server, and all that decides with it, would say of the object; nothing is made."""
        where = path(self._wanted.kind, self._wanted.namespace)
        how: dict[str, Any] = {"query": {"dryRun": "All"}, "body": self._wanted.job}
        try:
            with self._turns:
                return Answer("there", self._api.ask("POST", where, tries=2, silence=_SILENCE, **how))
        except Forbidden as error:
            return Answer("forbidden", why=error.what)
        except Refused as error:
            # Some who decide cannot be asked without being meant.
            said = error.status in _SAYS_NO and "dry run" not in error.message.lower()
            return Answer("refused" if said else "failed", why=error.message or error.what)
        except JobqError as error:
            return Answer("failed", why=error.what)

    def _single_queue(self) -> Answer:
        if self("queues").how != "forbidden":
            return Answer("unasked")
        return self._kueue(kinds.LOCAL_QUEUES, name=self._wanted.queue or queues.DEFAULT)

    def _single_priority(self) -> Answer:
        if self("priorities").how != "forbidden":
            return Answer("unasked")
        return self._kueue(kinds.PRIORITY_CLASSES, everywhere=True, name=self._wanted.priority)

    def _cluster_queue(self) -> Answer:
        name = queues.cluster_queue_of(self, self._wanted)
        return self._kueue(kinds.CLUSTER_QUEUES, everywhere=True, name=name) if name else Answer("unasked")

    def _pending(self) -> Answer:
        served = [one.get("version") for one in self("visibility").value.get("versions") or ()]
        version = next((version for version in kinds.KNOWN if version in served), "")
        queue = self._wanted.queue or queues.DEFAULT
        if not version or queues.queue_of(self("queues"), self("queue"), queue) is None:
            return Answer("unasked")
        return self._get(kinds.visible(version, self._wanted.namespace, queue))

    def _rules(self) -> Answer:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": _RULES.name}
        answer = self._create(path(_RULES), {**body, "spec": {"namespace": self._wanted.namespace}})
        status = answer.value.get("status") or {}
        if status.get("incomplete"):
            for right in RIGHTS:
                if not grants(status.get("resourceRules") or (), right):
                    self._submit(right.code, lambda right=right: self._allowed(right))  # type: ignore[misc]
        return answer

    def _allowed(self, right: Right) -> Answer:
        return self._create(path(kinds.REVIEWS), kinds.review(right.attributes(self._wanted.namespace)))

    def _answered(self, method: str, where: str, **how: Any) -> Answer:
        """What became of a request."""
        try:
            with self._turns:
                return Answer("there", self._api.ask(method, where, tries=2, silence=_SILENCE, **how))
        except Missing as error:
            return Answer("missing", why=error.what, do=error.do)
        except Forbidden as error:
            return Answer("forbidden", why=error.what, do=error.do)
        except JobqError as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            return Answer("failed", why=why.rstrip("."), do=error.do)
        except Exception as error:  # noqa: BLE001 - one question that fails must not take the others along
            return Answer("failed", why=f"{type(error).__name__}: {error}")
