"""Where a scenario is played: namespaces and queues of its own, in which a user works as users do, and what he submits.

The user's namespace is one of two. In the other are those who hold quota that he waits for: he cannot see them.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import importlib.metadata
import secrets
import shlex
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster import images, manifests, pki
from tests.cluster.api import Api, place
from tests.cluster.driven import AWAITS, driven
from tests.cluster.kubectl import apply, kubectl
from tests.cluster.layout import ADMIN
from tests.cluster.objects import Object, condition, holds
from tests.cluster.seen import Look, Seen
from tests.cluster.steps import until
from tests.recorded.reading import merged

if TYPE_CHECKING:
    from tests.cluster.scenario import Scenario

NAME = "train"
"""Of the run, where a scenario needs no other."""
USER = "recorder"
PRIORITY = "kueue.x-k8s.io/priority-class"
GPU = "nvidia.com/gpu"
_KUEUE = "kueue.x-k8s.io/v1beta2"
_QUOTA = {"Job": "200m", "RayJob": "1"}
"""Of each of the two queues: room for one run."""
_CPU = {"Job": "150m", "RayJob": "300m"}
"""Of a Job, so that another one does not fit beside the run."""
_SECONDS = 240.0
# KubeRay's own probes ask for the first time after ten seconds.
_READY = {"head": 8265, "worker": 52365}

_ALONE = threading.Lock()
"""For what is made once for all stages: the user's certificate."""


class Stage:
    """Namespaces and queues for one run.

    Args:
        scenario: what is to happen.
        kind: of the run: Job or RayJob.
    """

    def __init__(self, scenario: Scenario, kind: str) -> None:
        self.scenario, self.kind = scenario, kind
        self.name = scenario.named or NAME
        self.prefix = f"record-{secrets.token_hex(3)}"
        """Of the names of all that is made for this."""
        self.namespace = f"{self.prefix}-team"
        self.elsewhere = f"{self.prefix}-elsewhere"
        self.seen = Seen(kind, self.name)
        self.admin = Api(ADMIN)
        with _ALONE:
            self.user = Api(pki.kubeconfig(USER, groups=(USER,)))

    def build(self) -> None:
        """Makes namespaces and queues, and returns when Kueue has looked at them."""
        apply(yaml.safe_dump_all([*self._namespaces(), *self._queues()]))
        if self.scenario.check:
            state = {"type": "Active", "status": "True", "reason": "Active", "message": "", "lastTransitionTime": now()}
            path = f"/apis/{_KUEUE}/admissionchecks/{self.prefix}-budget/status"
            self.admin.ask("PATCH", path, {"status": {"conditions": [state]}})
        until(self._looked, "Kueue has looked at the queues", seconds=60)

    def clear(self) -> None:
        """Takes everything away; what goes slowly is not waited for."""
        until(self._deleted, "what was made for a scenario is deleted", seconds=60, every=1)
        self.admin.close()
        self.user.close()

    def wait(self, look: Look, what: str, seconds: float = _SECONDS) -> Any:
        """The first true answer to a question to what the user has seen."""
        return self.seen.wait(look, what, seconds)

    def submit(self, found: Object) -> Object:
        """Makes an object, as the user."""
        return self.user.ask("POST", place(found["kind"], self.namespace), found)

    def delete(self) -> None:
        """Deletes the run, as the user."""
        path = place(self.kind, self.namespace, self.name)
        self.user.ask("DELETE", path, {"propagationPolicy": "Background"})

    def activate(self, active: bool) -> None:
        """Pauses the run or resumes it, as the user."""
        name = self.seen.workload()["metadata"]["name"]
        self.user.ask("PATCH", place("Workload", self.namespace, name), {"spec": {"active": active}})

    def occupy(self, queue: str = "blue", *, times: int = 0, priority: int = 1000000) -> None:
        """Somebody else takes a queue's quota, of the run's queue with all that it may borrow; nothing runs for it.

        Args:
            queue: blue is the run's.
            times: how often what a queue has of its own; 0 for all that it can have.
            priority: over others in the queue.
        """
        path = place("Workload", self.elsewhere)
        self.admin.ask("POST", path, self._occupant(queue, times or (2 if queue == "blue" else 1), priority))
        until(
            lambda: holds(self.admin.ask("GET", f"{path}/occupant"), "QuotaReserved"),
            "somebody else has the quota",
            seconds=60,
        )

    def vacate(self) -> None:
        """He has it no more."""
        self.admin.ask("DELETE", place("Workload", self.elsewhere, "occupant"))

    def follow(self) -> None:
        """Somebody else submits the like after the run, for a queue that there is not, and Kueue says so.

        What Kueue has not said of the run by then, it does not say.
        """
        other = copy.copy(self)
        labels = {manifests.QUEUE: "nonesuch"}
        other.scenario = dataclasses.replace(self.scenario, labels=labels, spec={}, pod={}, container={})
        self.admin.ask("POST", place(self.kind, self.elsewhere), other.run())
        path = place("Workload", self.elsewhere)
        until(
            lambda: any(condition(each, "QuotaReserved") for each in self.admin.ask("GET", path)["items"]),
            "Kueue says what it thinks of what came later",
            seconds=60,
        )

    def drain(self) -> None:
        """An administrator stops the queue, and sends away whom it had admitted."""
        path = f"/apis/{_KUEUE}/clusterqueues/{self.prefix}-blue"
        self.admin.ask("PATCH", path, {"spec": {"stopPolicy": "HoldAndDrain"}})

    def judge(self, state: str, message: str) -> None:
        """What checks budgets says what it thinks of the run."""
        name = self.seen.workload()["metadata"]["name"]
        said = {"name": f"{self.prefix}-budget", "state": state, "message": message, "lastTransitionTime": now()}
        path = place("Workload", self.namespace, name) + "/status"
        self.admin.ask("PATCH", path, {"status": {"admissionChecks": [said]}})

    def evict(self) -> None:
        """An administrator empties a node: the pods of the run are asked to go."""
        for pod in self.seen.pods():
            name = pod["metadata"]["name"]
            asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            self.admin.ask("POST", place("Pod", self.namespace, name) + "/eviction", asked)

    def kill(self, part: str) -> None:
        """The pods of a part are gone at once, as those of a machine that is."""
        for pod in self.seen.pods(part):
            path = place("Pod", self.namespace, pod["metadata"]["name"])
            self.admin.ask("DELETE", path, {"gracePeriodSeconds": 0})

    def job(self, name: str, priority: str) -> Object:
        """Another Job of the user's, that only runs."""
        inside = manifests.container(images.publish("pause", _quiet), "/pause", cpu=_CPU[self.kind])
        found = manifests.job(name, inside, queue="main")
        return merged(found, {"metadata": {"labels": {PRIORITY: priority}}, "spec": {"suspend": None}})

    def run(self) -> Object:
        """What the user submits."""
        made = self._rayjob() if self.kind == "RayJob" else self._job()
        labels = {manifests.QUEUE: "main", **self.scenario.labels}
        return merged(made, {"metadata": {"labels": labels}, "spec": self.scenario.spec.get(self.kind, {})})

    def _job(self) -> Object:
        image = images.publish("python", _quiet)
        inside = manifests.container(image, "python", "-c", self.scenario.code["Job"], cpu=_CPU["Job"])
        found = manifests.job(self.name, inside)
        lost = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
        found["spec"] |= {"podFailurePolicy": {"rules": [lost]}, "suspend": None}
        template = found["spec"]["template"]
        template["spec"] = self._changed(template["spec"])
        return merged(found, {"spec": {"suspend": None}})

    def _rayjob(self) -> Object:
        image, version = images.publish("ray", _quiet), importlib.metadata.version("ray")
        code = self.scenario.code["RayJob"]
        line = AWAITS if self.scenario.driven else f"python -c {shlex.quote(code)}"
        found = manifests.rayjob(self.name, image, version, line, submissionMode=self.scenario.mode)
        cluster = found["spec"]["rayClusterSpec"]
        groups = {"head": cluster["headGroupSpec"], "worker": cluster["workerGroupSpecs"][0]}
        for part, group in groups.items():
            pods = group["template"]["spec"]
            del pods["affinity"]
            inside = pods["containers"][0]
            inside["resources"]["requests"]["cpu"] = "200m" if part == "head" else "100m"
            inside["readinessProbe"] = {"tcpSocket": {"port": _READY[part]}, "periodSeconds": 1}
            if part in self.scenario.parts:
                group["template"]["spec"] = self._changed(pods)
        if self.scenario.other is not None:
            other = copy.deepcopy(cluster["workerGroupSpecs"][0]) | {"groupName": "others"}
            pods = other["template"]["spec"]
            pods["containers"] = [merged(pods["containers"][0], self.scenario.other)]
            cluster["workerGroupSpecs"].append(other)
        if self.scenario.driven:
            driven(cluster, code)
        if self.scenario.mode == "K8sJobMode":
            small = manifests.container(image, cpu="100m", memory="256Mi")
            small["name"] = "ray-job-submitter"
            del small["command"]
            found["spec"]["submitterPodTemplate"] = {"spec": manifests.pods(merged(small, self.scenario.submitter))}
        return found

    def _changed(self, pods: Object) -> Object:
        inside = merged(pods["containers"][0], self.scenario.container)
        return merged({**pods, "containers": [inside]}, self.scenario.pod)

    def _namespaces(self) -> list[Object]:
        security = self.scenario.security or ("restricted" if self.kind == "Job" else "baseline")
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": USER}
        bindings = [
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": role, "namespace": self.namespace},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [group],
            }
            for role in ("jobq-user", "jobq-pause")
        ]
        enforced = {"pod-security.kubernetes.io/enforce": security}
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforced}}
            for name in (self.namespace, self.elsewhere)
        ]
        beside = [merged(found, {"metadata": {"namespace": self.namespace}}) for found in self.scenario.beside]
        return [*spaces, *bindings, *beside]

    def _queues(self) -> list[Object]:
        scenario = self.scenario
        flavor = self._own("ResourceFlavor", "default", scenario.flavor)
        queues = []
        for color in ("blue", "green"):
            cpu = scenario.quota if color == "blue" and scenario.quota else _QUOTA[self.kind]
            quotas = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "8Gi"}]
            quotas += [{"name": GPU, "nominalQuota": scenario.gpus}] if scenario.gpus else []
            spec = {
                "cohortName": f"{self.prefix}-research",
                "namespaceSelector": {},
                "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
                "resourceGroups": [
                    {
                        "coveredResources": [each["name"] for each in quotas],
                        "flavors": [{"name": f"{self.prefix}-default", "resources": quotas}],
                    }
                ],
            }
            queues.append(self._own("ClusterQueue", color, merged(spec, scenario.cluster_queue)))
        if scenario.check:
            queues.append(self._own("AdmissionCheck", "budget", {"controllerName": "jobq.test/budget"}))
            strategy = {"admissionChecks": [{"name": f"{self.prefix}-budget"}]}
            queues[0]["spec"]["admissionChecksStrategy"] = strategy
        main = self._local("main", self.namespace, "blue", scenario.local_queue)
        others = [self._local(color, self.elsewhere, color, {}) for color in ("blue", "green")]
        return [flavor, *queues, main, *others]

    def _own(self, kind: str, name: str, spec: Mapping[str, Any]) -> Object:
        metadata = {"name": f"{self.prefix}-{name}", "labels": {"jobq.test/of": self.prefix}}
        return {"apiVersion": _KUEUE, "kind": kind, "metadata": metadata, "spec": dict(spec)}

    def _local(self, name: str, namespace: str, queue: str, more: Mapping[str, Any]) -> Object:
        spec = merged({"clusterQueue": f"{self.prefix}-{queue}"}, more)
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": _KUEUE, "kind": "LocalQueue", "metadata": metadata, "spec": spec}

    def _occupant(self, queue: str, times: int, priority: int) -> Object:
        requests = {"cpu": _QUOTA[self.kind]}
        # A Workload without a Job is admitted like any other, runs nothing, and never ends.
        pods = {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "runs-nowhere", "resources": {"requests": requests}}],
        }
        return {
            "apiVersion": _KUEUE,
            "kind": "Workload",
            "metadata": {"name": "occupant"},
            "spec": {
                "queueName": queue,
                "priority": priority,
                "podSets": [{"name": "main", "count": times, "template": {"spec": pods}}],
            },
        }

    def _deleted(self) -> bool:
        spaces = (self.namespace, self.elsewhere)
        kubectl("delete", "namespace", *spaces, "--ignore-not-found", "--wait=false")
        kinds = "clusterqueues.kueue.x-k8s.io,resourceflavors.kueue.x-k8s.io,admissionchecks.kueue.x-k8s.io"
        kubectl("delete", kinds, "-l", f"jobq.test/of={self.prefix}", "--wait=false")
        return True

    def _looked(self) -> bool:
        path = f"/apis/{_KUEUE}/namespaces/{self.namespace}/localqueues/main"
        said = condition(self.admin.ask("GET", path), "Active")
        held = {**self.scenario.local_queue, **self.scenario.cluster_queue}
        return bool(said) and (bool(held) or said["status"] == "True")


def now() -> str:
    """This moment, as the API has it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quiet(_: str) -> None:
    pass
