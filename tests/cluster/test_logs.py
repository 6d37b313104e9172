"""The log of a real container is read whole, whatever ends the streams of it."""

from __future__ import annotations

import pytest

from jobq_magic.cluster import connection
from jobq_magic.cluster.client import Missing
from jobq_magic.cluster.kinds import PODS
from jobq_magic.cluster.logs import Log
from jobq_magic.cluster.watching import Watches
from jobq_magic.site import Site
from tests.cluster.manifests import container, pod
from tests.cluster.work import wait
from tests.support import ready

PRINTS = """
import sys, time
for number in range(int(sys.argv[1])):
    print(number, time.time(), "x" * 40, flush=True)
    time.sleep(float(sys.argv[2]))
"""


class Lines:
    """Takes numbered lines that tell their time, each once."""

    def __init__(self):
        self.data = b""
        self.again = 0
        self._count = 0
        self._time = None
        self._rest = b""

    @property
    def count(self):
        return self._count

    def feed(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            number, when, _ = line.split(b" ")
            if int(number) < self._count:
                self.again += 1
                continue
            assert int(number) == self._count, "a line is missing"
            self._count += 1
            self._time = float(when)
            self.data += line + b"\n"

    def position(self):
        return self._count

    def since(self):
        self._rest = b""
        return None if self._time is None else self._time - 2


@pytest.fixture
def watches(kubeconfig):
    found = Watches(connection.connect(Site(), {"KUBECONFIG": str(kubeconfig)}))
    ready(found, PODS)
    yield found
    found.close()


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def follow(watches, lines):
    found = []

    def begin(name, **more):
        found.append(Log(watches.api, name, lines, watches=watches, **more))
        found[-1].start()
        return found[-1]

    yield begin
    for each in found:
        each.close()
        each.join(5)


def printing(image, count, every, **more):
    made = pod("prints", container(image, "python", "-c", PRINTS, str(count), str(every)), **more)
    made["metadata"]["labels"]["jobq.run"] = "r"
    return made


def terminated(watches):
    found = watches.objects(PODS).get("prints", {}).get("status", {}).get("containerStatuses", [])
    return any("terminated" in each["state"] for each in found)


def read_to_its_end(watches, site, lines, log, count):
    wait(lambda: terminated(watches))
    log.finish()
    assert log.join(20), log.trouble
    assert (log.failed, log.trouble, lines.count) == (None, None, count)
    assert lines.data.decode() == site.log("prints")


def test_a_log_is_asked_for_before_its_pod_is_there_and_read_to_the_end(site, watches, follow, lines, image):
    log = follow("prints")
    site.make(printing(image, 2000, 0))
    read_to_its_end(watches, site, lines, log, 2000)


@pytest.mark.slow  # as that of a kubelet; kueue/test_faults.py kills an API server under a run
def test_a_log_is_read_through_the_end_of_an_api_server(fault, site, watches, follow, lines, image):
    site.make(printing(image, 600, 0.02))
    log = follow("prints")
    wait(lambda: lines.count > 50)
    with fault.killed("apiserver"):
        wait(lambda: log.trouble)
    read_to_its_end(watches, site, lines, log, 600)


def test_a_log_is_read_through_the_end_of_a_kubelet(fault, site, watches, follow, lines, image):
    site.make(printing(image, 600, 0.02, nodeSelector={"kubernetes.io/hostname": "node1"}))
    log = follow("prints")
    wait(lambda: lines.count > 50)
    with fault.killed("kubelet"):
        wait(lambda: log.trouble)
    read_to_its_end(watches, site, lines, log, 600)


def test_a_pod_that_is_deleted_ends_its_log(site, watches, follow, lines, image):
    site.make(printing(image, 6000, 0.02))
    log = follow("prints")
    wait(lambda: lines.count > 10)
    site.core.delete_namespaced_pod("prints", site.namespace, grace_period_seconds=0)
    assert log.join(40)
    assert isinstance(log.trouble, Missing)
    assert watches.deleted(PODS, "prints") or wait(lambda: watches.deleted(PODS, "prints"))
