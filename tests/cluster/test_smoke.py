"""What a user of the cluster does with it, through the rights that we ship: real pods, real queues, a real Ray."""

from __future__ import annotations

import importlib.metadata

import pytest

from tests.cluster.layout import DOMAIN
from tests.cluster.manifests import GATE, container, job, rayjob, service, web
from tests.cluster.work import answer, wait

LOOKS = """
import sys, time, urllib.request

def look(name):
    with urllib.request.urlopen(f"http://{name}/hostname", timeout=5) as answer:
        return answer.read().decode().strip()

for name in sys.argv[1:]:
    for _ in range(50):  # kube-proxy hears of a Service a moment after it is there
        try:
            print(look(name))
            break
        except OSError:
            time.sleep(0.1)
"""
APART = """
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

ray.init()

@ray.remote(num_cpus=0)
def where():
    return ray.util.get_node_ip_address()

nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
found = ray.get([where.options(scheduling_strategy=On(node, soft=False)).remote() for node in nodes])
assert len(set(found)) == 2, found
"""


@pytest.fixture
def server(work, site, image):
    """A Job that is a web server, and a Service in front of it, both called `web`; the name of its pod."""
    work.make(job("web", web(image)), service("web"))
    wait(lambda: site.behind("web"))
    return work.pod("web")


def test_a_job_is_followed_while_it_runs_and_told_a_word_by_exec(work, image):
    work.make(job("gate", container(image, "python", "-c", GATE)))
    pod = work.pod("gate")
    lines = work.lines(pod)
    assert next(lines) == "begun"
    assert work.phase(pod) == "Running"
    work.tell(pod, "Sesam")
    assert list(lines) == ["Sesam"]
    assert work.end("gate") == "Complete"


def test_a_port_of_a_pod_is_forwarded(work, server):
    assert work.through_a_tunnel(server, "/hostname").strip() == server


def test_a_service_is_reached_through_the_api_server(work, server):
    assert work.proxied("web", "hostname").strip() == server


def test_a_pod_finds_a_service_by_name_and_by_address(work, server, namespace, image):
    names = ("web", f"web.{namespace}.svc.{DOMAIN}", work.address("web"))
    work.make(job("looks", container(image, "python", "-c", LOOKS, *names)))
    assert work.end("looks") == "Complete", work.log(work.pods("looks")[0].metadata.name)
    assert work.log(work.pods("looks")[0].metadata.name).split() == [server] * 3


@pytest.mark.own_cluster
def test_a_service_is_reached_from_the_machine_that_is_its_node(work, server):
    wait(lambda: answer(work.address("web")) == server)


def test_a_job_waits_in_its_queue_at_a_known_place_until_those_before_it_are_done(work, queue, image):
    gate = container(image, "python", "-c", GATE, memory="3Gi")
    work.make(job("first", gate, queue=queue))
    pod = work.pod("first")
    work.make(job("second", gate, queue=queue))
    work.make(job("third", gate, queue=queue))
    wait(lambda: sorted(work.positions(queue).values()) == [0, 1])
    # Two of one second may be in any order, but what Kueue says is what it does.
    before, after = sorted(places := work.positions(queue), key=places.__getitem__)
    assert not work.pods("second") + work.pods("third"), "Kueue admitted it beyond the quota"
    work.tell(pod, "on")
    assert work.end("first") == "Complete"
    pod = work.pod(before)
    assert wait(lambda: work.positions(queue)) == {after: 0}
    work.tell(pod, "on")
    assert work.end(before) == "Complete"
    work.tell(work.pod(after), "on")
    assert work.end(after) == "Complete"
    wait(lambda: not work.positions(queue))


@pytest.mark.slow  # a RayJob of ours, with more workers, is in rayjob/test_cells.py
def test_ray_runs_a_job_on_two_nodes(work, second, ray_image):
    command = f"python -c {_quoted(APART)}"
    work.make(rayjob("apart", ray_image, importlib.metadata.version("ray"), command))
    wait(lambda: work.rayjob("apart").get("jobStatus") in {"SUCCEEDED", "FAILED"}, seconds=90)
    found = work.rayjob("apart")
    assert found["jobStatus"] == "SUCCEEDED", found
    wait(lambda: work.rayjob("apart")["jobDeploymentStatus"] == "Complete")


def _quoted(text):
    # KubeRay hands the line to a shell.
    return "'" + text.replace("'", "'\"'\"'") + "'"
