"""What no RayJob can say is refused before anything is made, all of it together."""

import pytest

from jobq_magic.cluster import manifests
from jobq_magic.errors import OptionError, OptionErrors
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec


def refused(site=None, **options):
    manifests.refuse_rayjob(JobSpec(mode="rayjob", **options).model_dump(mode="json"), site or Site())


def test_what_a_cluster_can_be_is_not_refused():
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "env": [{"name": "A"}]}]}}
    refused(
        Site(pod_template=patch), workers="1..4", cpus=1, memory="4Gi", shm="1Gi", retries=2, label={"team": "blue"},
        env={"RAY_memory_monitor_refresh_ms": "0"}, volume=["data:/data", "tmp:/tmp/rays"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "says", "do"),
    [
        ({"label": {"ray.io/cluster": "x"}}, "--label ray.io/cluster: KubeRay reads something else", "another key"),
        ({"env": {"RAY_ADDRESS": "auto"}}, "--env RAY_ADDRESS: .* Ray is told that", "Leave it out"),
        ({"env": {"RAY_REDIS_ADDRESS": "r:1"}}, "--env RAY_REDIS_ADDRESS", "Leave it out"),
        ({"env": {"RAY_AUTH_MODE": "disabled"}}, "--env RAY_AUTH_MODE", "Leave it out"),
        ({"env": {"RAY_AUTH_TOKEN_PATH": "/a"}}, "--env RAY_AUTH_TOKEN_PATH", "Leave it out"),
        ({"env": {"JOBQ_RAY_PORTS": "1,2,3"}}, "--env JOBQ_RAY_PORTS", "Leave it out"),
        ({"secret": {"RAY_AUTH_TOKEN": None}}, "--secret RAY_AUTH_TOKEN: .* Ray is told that", "Leave it out"),
        ({"secret": {"JOBQ_RAY_PORTS": None}}, "--secret JOBQ_RAY_PORTS", "Leave it out"),
        ({"shm": "64Mi"}, "--shm 64Mi: the objects of Ray lie there, and it does not start with less", "80Mi or more"),
        ({"shm": "4Gi", "memory": "4Gi"}, "--shm 4Gi is a part of --memory 4Gi", "more memory"),
        ({"retries": 2**31}, "--retries 2147483648: Kubernetes counts no further", ""),
        ({"workers": f"1..{2**31}"}, "--workers 2147483648: Kubernetes counts no further", ""),
        ({"volume": ["data:/tmp/ray"]}, "--volume data:/tmp/ray: Ray has its sockets in /tmp/ray", "folder of its own"),
        ({"volume": ["data:/tmp//ray"]}, "--volume data:/tmp//ray: Ray has its sockets", "folder of its own"),
        ({"volume": ["data://tmp/../tmp/ray/x"]}, "--volume data://tmp/../tmp/ray/x: Ray has", "folder of its own"),
        ({"volume": ["data:/tmp"]}, "--volume data:/tmp: Ray has its sockets in /tmp/ray", "folder of its own"),
    ],
)
def test_it_is_told_in_one_sentence_with_the_way_out(asked, says, do):
    with pytest.raises(OptionError, match=says) as error:
        refused(**asked)
    assert do in error.value.do


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"restartPolicy": "Never"}, "pod_template.spec.restartPolicy = Never: KubeRay would begin the cell anew"),
        ({"containers": [{"name": "main", "$patch": "delete"}]}, "pod_template takes the container main away"),
        ({"containers": [{"name": "main", "env": [{"name": "RAY_ADDRESS"}]}]}, "pod_template sets RAY_ADDRESS"),
    ],
)
def test_a_patch_leaves_ray_in_its_pods(spec, says):
    with pytest.raises(OptionError, match=says):
        refused(Site(pod_template={"spec": spec}))


def test_all_mistakes_are_told_together():
    with pytest.raises(OptionErrors) as error:
        refused(shm="1Mi", env={"RAY_ADDRESS": "auto"}, label={"ray.io/group": "x"})
    assert len(error.value.each) == 3
