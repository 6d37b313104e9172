"""Small workloads for tests, as people write them: they pass Pod Security `restricted`, and end when they are told."""

from __future__ import annotations

from typing import Any

from tests.cluster.objects import Object

QUEUE = "kueue.x-k8s.io/queue-name"
PORT = 8080
WEB = ("python", "-u", "-m", "http.server", str(PORT), "--directory", "/etc")
"""A web server; `/hostname` is the pod's name."""
GATE = """
import pathlib, time
print("begun", flush=True)
word = pathlib.Path("/tmp/word")
while not word.exists():
    time.sleep(0.05)
print(word.read_text(), flush=True)
"""
"""Prints a line, waits for a word, and prints that."""
OPEN = "import os, sys; open('/tmp/w', 'w').write(sys.stdin.readline().strip()); os.rename('/tmp/w', '/tmp/word')"
"""Gives it the word from standard input, by `exec`."""


def container(image: str, *command: str, cpu: str = "50m", memory: str = "64Mi", **more: Any) -> Object:
    """One container that needs no privilege."""
    return {
        "name": "main",
        "image": image,
        "command": list(command),
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more,
    }


def pods(inside: Object, **more: Any) -> Object:
    """What a pod of one container is to be."""
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [inside],
        **more,
    }


def pod(name: str, inside: Object, **more: Any) -> Object:
    """A pod of one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": pods(inside, **more),
    }


def job(name: str, inside: Object, *, queue: str = "", backoff: int = 0, **more: Any) -> Object:
    """A Job of one pod; where a queue is named, through it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {QUEUE: queue} if queue else {}},
        "spec": {
            "suspend": bool(queue),
            "backoffLimit": backoff,
            "template": {"metadata": {"labels": {"app": name}}, "spec": pods(inside, **more)},
        },
    }


def web(image: str) -> Object:
    """The container of a web server, ready when it answers."""
    ready = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    return container(image, *WEB, ports=[{"containerPort": PORT}], readinessProbe=ready)


def service(name: str) -> Object:
    """A Service in front of what bears its name."""
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def rayjob(name: str, image: str, version: str, entrypoint: str, **more: Any) -> Object:
    """A RayJob of a head and one worker, which are on two nodes."""
    apart = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
            ]
        }
    }

    def template(cpu: str) -> Object:
        inside = container(image, cpu=cpu, memory="1Gi")
        del inside["command"]
        inside["resources"]["limits"] = {"cpu": "2", "memory": "2Gi"}
        return {"metadata": {"labels": {"app": name}}, "spec": pods(inside, affinity=apart)}

    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": name},
        "spec": {
            "submissionMode": "HTTPMode",
            "entrypoint": entrypoint,
            "shutdownAfterJobFinishes": True,
            "rayClusterSpec": {
                "rayVersion": version,
                "headGroupSpec": {"rayStartParams": {"dashboard-host": "0.0.0.0"}, "template": template("300m")},
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": 1,
                        "minReplicas": 1,
                        "maxReplicas": 1,
                        "rayStartParams": {},
                        "template": template("200m"),
                    }
                ],
            },
            **more,
        },
    }
