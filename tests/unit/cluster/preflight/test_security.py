from __future__ import annotations

import pytest

from jobq_magic.cluster.preflight import security
from jobq_magic.site import Site

from .support import answers, forbidden, there, told, wanted


def namespace(level):
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    return answers(namespace=there({"metadata": {"name": "team-blue", "labels": labels}}))


def patched(**spec):
    return Site(pod_template={"spec": spec})


@pytest.mark.parametrize("level", ["", "privileged", "baseline", "restricted"])
def test_what_we_make_keeps_to_every_level(level):
    asked = wanted(cpus=1, shm="1Gi", volume=("data:/data",), workers=2, secret={"TOKEN": None})
    ((code, said, _, _),) = told(security.look(namespace(level), asked))
    assert (code, said) == ("pod-security", "ok")


@pytest.mark.parametrize(
    ("spec", "from_", "what"),
    [
        ({"hostNetwork": True}, "baseline", "hostNetwork is set"),
        (
            {"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]},
            "baseline",
            "the volume disk is a path of the node",
        ),
        ({"securityContext": {"sysctls": [{"name": "net.x", "value": "1"}]}}, "baseline", "the sysctl net.x is set"),
        (
            {"containers": [{"name": "main", "securityContext": {"privileged": True}}]},
            "baseline",
            "the container main is privileged",
        ),
        (
            {"containers": [{"name": "main", "ports": [{"containerPort": 1, "hostPort": 1}]}]},
            "baseline",
            "the container main takes a port of the node",
        ),
        (
            {"containers": [{"name": "main", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
            "baseline",
            "the container main has the capabilities SYS_ADMIN",
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            "baseline",
            "its seccomp profile is Unconfined",
        ),
        ({"volumes": [{"name": "x", "nfs": {"server": "s"}}]}, "restricted", "the volume x is of the kind nfs"),
        ({"securityContext": {"runAsUser": 0}}, "restricted", "it runs as root"),
        ({"securityContext": {"runAsNonRoot": False}}, "restricted", "the container main may run as root"),
        (
            {"containers": [{"name": "main", "securityContext": {"allowPrivilegeEscalation": True}}]},
            "restricted",
            "the container main may gain privileges",
        ),
        (
            {"initContainers": [{"name": "first", "image": "x"}]},
            "restricted",
            "the container first may gain privileges; the container first keeps its capabilities",
        ),
    ],
)
def test_what_a_site_changes_may_be_refused(spec, from_, what):
    asked = wanted(patched(**spec))
    levels = ["baseline", "restricted"]
    for level in levels[levels.index(from_) :]:
        ((_, said, sentence, do),) = told(security.look(namespace(level), asked))
        assert said == "problem"
        assert sentence == f"team-blue enforces {level}, which refuses the pods: {what}"
        assert "pod_template" in do
    for level in ["", "privileged", *levels[: levels.index(from_)]]:
        assert [said for _, said, _, _ in told(security.look(namespace(level), asked))] == ["ok"]


def test_a_level_that_may_not_be_read_is_unknown():
    ((code, level, _, _),) = told(security.look(answers(namespace=forbidden()), wanted()))
    assert (code, level) == ("pod-security", "unknown")
