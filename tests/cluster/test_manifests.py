"""What we make for a run, as a real cluster takes it: every manifest, where Pod Security is strict and where not."""

from __future__ import annotations

import dataclasses

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from jobq_magic.cluster import manifests, names
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.jobs import made
from jobq_magic.image import User
from jobq_magic.run import Run
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec
from tests.cluster.work import wait
from tests.unit.cluster.test_manifests import SEEN

LOOKS = """
import os, pathlib, socket, time
rank = os.environ["RANK"]
secret = pathlib.Path("/run/jobq-secret")
pathlib.Path("/run/jobq/left").write_text(secret.joinpath("key").read_text())
pathlib.Path("/dev/shm/x").write_bytes(bytes(1000))
for _ in range(300):
    try:
        socket.getaddrinfo(os.environ["MASTER_ADDR"], 29500)
        break
    except OSError:
        time.sleep(0.1)
else:
    raise SystemExit("the first worker has no name")
print(rank, os.environ["WORLD_SIZE"], os.getuid(), pathlib.Path("/run/jobq/left").read_text(), os.environ["A"])
assert os.environ["JOBQ_POD"].startswith(os.environ["HOSTNAME"]) and len(os.environ["JOBQ_POD_UID"]) == 36
assert not os.path.exists("/var/run/secrets/kubernetes.io")
"""


@pytest.fixture(params=["restricted", "baseline"])
def level(request, admin, namespace):
    """How strict the namespace is about its pods."""
    labels = {"pod-security.kubernetes.io/enforce": request.param}
    client.CoreV1Api(admin).patch_namespace(namespace, {"metadata": {"labels": labels}})
    client.CoreV1Api(admin).create_namespaced_service_account(namespace, {"metadata": {"name": "jobs"}})
    return request.param


def test_every_job_is_taken_whole_by_the_api_server_and_its_pods_by_pod_security(level, user, admin, namespace):
    jobs, core = client.BatchV1Api(user), client.CoreV1Api(admin)
    once = {"dry_run": "All", "field_validation": "Strict"}
    for name, facts in SEEN.items():
        job = made(facts)
        if name == "patch":  # a site's own container is the site's affair
            job = made(dataclasses.replace(facts, site=Site()))
        jobs.create_namespaced_job(namespace, job, **once)
        template = job["spec"]["template"]
        metadata = {**template["metadata"], "name": "probe"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        core.create_namespaced_pod(namespace, pod, **once)


def test_who_asks_to_be_root_is_so_only_where_pods_may(level, admin, namespace):
    facts = dataclasses.replace(SEEN["plain"], user=User(uid=0))
    template = made(facts)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": template["spec"]}
    core = client.CoreV1Api(admin)
    if level == "restricted":
        with pytest.raises(ApiException, match="runAsNonRoot"):
            core.create_namespaced_pod(namespace, pod, dry_run="All")
    else:
        core.create_namespaced_pod(namespace, pod, dry_run="All")


def test_workers_read_what_they_are_told_and_find_each_other(user, namespace, queue, image):
    """By the rights of a user: Secret, Job and Service, made and owned, seen by nobody who is not root."""
    spec = JobSpec(
        mode="kueue", queue=queue, workers=2, cpus="100m", memory="128Mi", shm="1Mi", timeout="5m", env={"A": "$(HOME)"}
    ).model_dump(mode="json")
    run = Run("fit-0a1b2c3d", "fit", 0.0, spec, {"backend": "kueue", "where": ""}, {}, "python3")
    # What the image would start is not the matter here.
    patch = {"spec": {"containers": [{"name": "main", "command": ["python", "-c", LOOKS], "workingDir": "/tmp"}]}}
    facts = Facts(run.id, run.name, image, spec, Site(pod_template=patch), submitter="ada")
    core, batch = client.CoreV1Api(user), client.BatchV1Api(user)
    name = names.name_of(run.id)

    core.create_namespaced_secret(namespace, manifests.secret(run, {"key": b"Sesam"}))
    uid = batch.create_namespaced_job(namespace, made(facts)).metadata.uid
    core.create_namespaced_service(namespace, manifests.service(run, uid))
    core.patch_namespaced_secret(name, namespace, manifests.owned(name, uid))

    def ended():
        status = batch.read_namespaced_job(name, namespace).status
        return next((each.type for each in status.conditions or () if each.type in ("Complete", "Failed")), "")

    def said():
        pods = core.list_namespaced_pod(namespace, label_selector=f"{names.RUN}={run.id}").items
        return sorted(core.read_namespaced_pod_log(pod.metadata.name, namespace) for pod in pods)

    how = wait(ended)
    assert said() == ["0 2 1000 Sesam $(HOME)\n", "1 2 1000 Sesam $(HOME)\n"]
    assert how == "Complete"
    batch.delete_namespaced_job(name, namespace, propagation_policy="Background")
    wait(lambda: _gone(lambda: core.create_namespaced_service(namespace, manifests.service(run, uid), dry_run="All")))


def _gone(make):
    """Whether what a Job owned went with it."""
    try:
        make()
    except ApiException:
        return False
    return True
