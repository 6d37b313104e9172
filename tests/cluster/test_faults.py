"""Each part dies or hangs: what no longer works meanwhile, what still does, and all is well again.

What also dies with all others at once, or under a run (kueue/test_faults.py), and that no name is known, is slow.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import httpx
import pytest
from kubernetes import client
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from tests.cluster import faults, processes
from tests.cluster.layout import DOMAIN, FIRST, REGISTRY_PUSH, SECOND
from tests.cluster.manifests import GATE, container, job, pod, rayjob, service, web
from tests.cluster.work import answer, wait

FIRST_ONLY = {"kubernetes.io/hostname": FIRST.name}
"""Where the parts are that die; there may be a second node."""
NAMES = itertools.count()
ASKS = "import socket, sys; print(socket.gethostbyname(sys.argv[1]), flush=True)"
SECONDS = 1
"""That a dead part is given to answer."""


@pytest.fixture
def server(site, image):
    """A pod that is a web server, behind a Service; the Service's address."""
    site.make(pod("web", web(image), nodeSelector=FIRST_ONLY), service("web"))
    address = site.address("web")
    wait(lambda: answer(address) == "web")
    return address


@pytest.fixture
def works(work, site, queue, image):
    """Whether the cluster does what it is for: a Job goes through its queue, to a node, and ends."""

    def check():
        name = f"works-{next(NAMES)}"
        found = job(name, idle(image), queue=queue, nodeSelector=FIRST_ONLY)
        wait(lambda: accepted(work, found))
        assert work.end(name) == "Complete"

    return check


def accepted(work, found):
    """Whether something could be made; Kueue's webhooks need a moment to be found again."""
    with contextlib.suppress(ApiException):
        work.make(found)
        return True
    return False


def refused(work):
    """How a request ends that is not answered in time, or with a failure."""
    with pytest.raises((ApiException, HTTPError)) as caught:
        work.core.list_namespaced_pod(work.namespace, _request_timeout=SECONDS)
    return caught.value


def idle(image):
    """A container that ends at once."""
    return container(image, "python", "-c", "")


@pytest.mark.slow
def test_without_an_api_server_nothing_is_answered_and_what_runs_runs_on(fault, site, server, works):
    with fault.killed("apiserver"):
        assert "refused" in str(refused(site))
        assert answer(server) == "web"
    assert site.phase("web") == "Running"
    works()


def test_an_api_server_that_hangs_takes_a_connection_and_says_nothing(fault, site, server, works):
    with fault.stopped("apiserver"):
        assert "timed out" in str(refused(site))
        assert answer(server) == "web"
    works()


@pytest.mark.slow
def test_without_etcd_the_api_server_says_that_it_is_not_ready(fault, site, server, works):
    with fault.killed("etcd"):
        wait(lambda: readiness(site) == 500)
        refused(site)
        assert answer(server) == "web"
    assert readiness(site) == 200
    works()


@pytest.mark.slow
def test_without_a_scheduler_a_pod_has_no_node(fault, site, works, image):
    with fault.killed("scheduler"):
        site.make(pod("waits", idle(image)), pod("placed", idle(image), nodeName=FIRST.name))
        wait(lambda: site.phase("placed") == "Succeeded")
        (waits,) = site.pods("waits")
        assert waits.status.phase == "Pending"
        assert not waits.spec.node_name
    wait(lambda: site.phase("waits") == "Succeeded")
    works()


@pytest.mark.slow
def test_without_a_controller_manager_a_job_has_no_pods(fault, site, works, image):
    with fault.killed("controller-manager"):
        site.make(job("waits", idle(image)), pod("placed", idle(image)))
        wait(lambda: site.phase("placed") == "Succeeded")
        assert not site.pods("waits")
    assert site.end("waits") == "Complete"
    works()


@pytest.mark.slow
def test_without_a_kubelet_a_pod_is_placed_and_not_started_and_what_runs_runs_on(fault, site, server, works, image):
    with fault.killed("kubelet"):
        site.make(pod("waits", idle(image), nodeSelector=FIRST_ONLY))
        wait(lambda: site.pods("waits")[0].spec.node_name)
        assert answer(server) == "web"
        with pytest.raises(ApiException) as caught:
            site.log("web")
        assert "connection refused" in caught.value.body
        assert site.phase("waits") == "Pending"
    wait(lambda: site.phase("waits") == "Succeeded")
    works()


def test_without_containerd_what_runs_runs_on(fault, site, server, works):
    with fault.killed("containerd"):
        assert answer(server) == "web"
        assert site.phase("web") == "Running"
    assert site.log("web")
    works()


@pytest.mark.slow
def test_without_its_shim_a_pod_is_lost_and_its_job_makes_another(fault, site, works, image):
    site.make(job("gate", container(image, "python", "-c", GATE), backoff=1))
    first = site.pod("gate")
    fault.kill_shim(site.namespace, first)
    wait(lambda: site.phase(first) == "Failed")
    second = site.pod("gate")
    assert second != first
    site.tell(second, "on")
    assert site.end("gate") == "Complete"
    works()


def test_a_container_that_crashes_ends_as_killed(fault, site, image):
    site.make(pod("gate", container(image, "python", "-c", GATE)))
    fault.crash(site.namespace, site.pod("gate"))
    wait(lambda: site.phase("gate") == "Failed")
    (found,) = site.pods("gate")[0].status.container_statuses
    assert found.state.terminated.exit_code == 137


@pytest.mark.slow
def test_without_kube_proxy_services_answer_and_new_ones_do_not(fault, site, server, works):
    with fault.killed("proxy"):
        site.make({**service("new"), "spec": {**service("new")["spec"], "selector": {"app": "web"}}})
        wait(lambda: site.behind("new"))
        assert answer(server) == "web"
        assert not answer(site.address("new"), seconds=SECONDS)
    wait(lambda: answer(site.address("new")) == "web")
    works()


@pytest.mark.slow
def test_without_coredns_no_name_is_known(fault, site, works, image):
    def asked():
        name = f"asks-{next(NAMES)}"
        site.make(pod(name, container(image, "python", "-c", ASKS, f"kubernetes.default.svc.{DOMAIN}")))
        return wait(lambda: (site.phase(name) in {"Succeeded", "Failed"}) and site.phase(name))

    assert asked() == "Succeeded"
    with fault.killed("coredns"):
        assert asked() == "Failed"
    assert asked() == "Succeeded"
    works()


@pytest.mark.slow
def test_without_kueue_no_job_is_taken_and_none_ends_though_its_pod_does(fault, site, queue, works, image):
    site.make(job("gate", container(image, "python", "-c", GATE), queue=queue))
    running = site.pod("gate")
    with fault.killed("kueue"):
        with pytest.raises(ApiException) as caught:
            site.make(job("late", idle(image), queue=queue))
        assert "failed calling webhook" in caught.value.body
        site.tell(running, "on")
        wait(lambda: site.phase(running) == "Succeeded")
        # To count it, the controller of Jobs changes the pod (a finalizer), and about changes of pods Kueue is asked.
        assert site.pods("gate")[0].metadata.finalizers == ["batch.kubernetes.io/job-tracking"]
    assert site.end("gate") == "Complete"
    works()


def test_without_kuberay_a_rayjob_is_taken_and_nobody_looks_at_it(fault, site, works, image):
    with fault.killed("kuberay"):
        site.make(rayjob("waits", image, "2.0", "true", suspend=True), pod("placed", idle(image)))
        wait(lambda: site.phase("placed") == "Succeeded")
        assert not site.rayjob("waits")
    wait(lambda: site.rayjob("waits").get("jobDeploymentStatus") == "Suspended")
    works()


def test_without_a_registry_only_known_images_run(fault, site, works, image):
    always = {"imagePullPolicy": "Always"}
    with fault.killed("registry"):
        site.make(pod("known", idle(image)), pod("asks", {**idle(image), **always}))
        wait(lambda: waiting(site, "asks") == "ErrImagePull")
        wait(lambda: site.phase("known") == "Succeeded")
    site.make(pod("again", {**idle(image), **always}))
    wait(lambda: site.phase("again") == "Succeeded")
    works()


def test_a_registry_without_room_serves_and_takes_nothing(fault, image):
    def upload():
        with httpx.Client(trust_env=False, base_url=f"http://{REGISTRY_PUSH}/v2/room") as registry:
            begun = registry.post("/blobs/uploads/")
            if begun.status_code != 202:
                return begun.status_code
            return registry.patch(begun.headers["location"], content=b"\0" * 100_000).status_code

    def manifest():
        path = image.partition("/")[2].replace("@", "/manifests/")
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        return httpx.get(f"http://{REGISTRY_PUSH}/v2/{path}", headers=accept, trust_env=False).status_code

    assert upload() == 202
    with fault.registry_full():
        assert upload() == 500
        assert manifest() == 200
    assert upload() == 202


@pytest.mark.slow  # the kubelet looks at disks once a minute
def test_a_pod_that_fills_its_disk_is_evicted(fault, site, image):
    limited = container(image, "python", "-c", GATE)
    limited["resources"]["limits"] = {"ephemeral-storage": "8Mi"}
    room = container(image, "python", "-c", GATE, volumeMounts=[{"name": "room", "mountPath": "/room"}])
    volume = {"name": "room", "emptyDir": {"sizeLimit": "8Mi"}}
    site.make(pod("container", limited), pod("volume", room, volumes=[volume]))
    fault.fill(site.namespace, site.pod("container"), "/tmp/full", 32 * 1024**2)
    fault.fill(site.namespace, site.pod("volume"), "/room/full", 32 * 1024**2)
    for name, said in {"container": "exceeds the total limit", "volume": "exceeds the limit"}.items():
        wait(lambda name=name: site.phase(name) == "Failed", seconds=100)
        status = site.pods(name)[0].status
        assert status.reason == "Evicted"
        assert said in status.message


@pytest.mark.slow
def test_a_node_whose_network_is_cut_is_lost_and_found(fault, site, second, works, image):
    site.make(pod("far", web(image), nodeName=second))
    site.pod("far")
    with fault.cut(SECOND):
        wait(lambda: ready(site, second) == "Unknown")
        assert ready(site, FIRST.name) == "True"
        assert site.phase("far") == "Running"
    assert ready(site, second) == "True"
    assert site.log("far") is not None
    works()


def test_all_of_the_control_plane_dies_at_once(fault, site, server, works):
    with fault.killed("etcd", "apiserver", "controller-manager", "scheduler", "kubelet", "containerd", "proxy"):
        assert answer(server) == "web"
    assert site.phase("web") == "Running"
    works()


def test_what_hangs_goes_on(fault, works):
    found = [pid for name in faults.PARTS for pid in fault.pids(name)]
    with fault.stopped(*faults.PARTS):
        assert {state(pid) for pid in found} == {"T"}
    assert "T" not in {state(pid) for pid in found}
    works()


@pytest.mark.slow
@pytest.mark.parametrize("name", faults.PARTS)
def test_what_hangs_alone_goes_on(fault, works, name):
    with fault.stopped(name):
        assert {state(pid) for pid in fault.pids(name)} == {"T"}
    works()


def test_what_a_killed_run_of_the_tests_left_broken_is_mended(fault, works):
    for name in ("scheduler", "registry"):
        processes.kill(fault.pids(name)[0])
    fault.freeze("controller-manager", "kueue")
    fault.back()
    works()


def state(pid):
    """Of a process: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def readiness(site):
    """The status by which the API server says whether it is ready."""
    try:
        site.text("/readyz")
    except ApiException as error:
        return error.status
    return 200


def ready(site, node):
    found = client.CoreV1Api(site.api).read_node(node).status.conditions
    return next(each.status for each in found if each.type == "Ready")


def waiting(site, name):
    """Why a container does not start."""
    for found in site.pods(name)[0].status.container_statuses or ():
        if found.state.waiting:
            return found.state.waiting.reason
    return ""
