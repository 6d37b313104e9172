"""What cannot work on Ray is refused in one sentence, at once, before anything is started."""

from __future__ import annotations

import socket
import time
from importlib import metadata

import pytest

from jobq_magic.backends.ray import check as checks
from jobq_magic.backends.ray import reach
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.launch import free_ports
from jobq_magic.errors import BackendError
from tests.ray.conftest import Cell


def refusal(spec=None, **target):
    began = time.monotonic()
    with pytest.raises(BackendError) as refused:
        RayBackend().check(spec or {}, {"backend": "ray", **target})
    assert time.monotonic() - began < 12  # nobody waits longer for a refusal
    assert len(refused.value.lines()) == 2
    return refused.value


def test_a_missing_ray_answers_with_the_command_that_installs_it(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    found = refusal()
    assert found.code == "ray-missing"
    assert "pip install 'jobq-magic[ray]'" in found.do


def test_an_old_ray_says_which_it_is_and_which_is_needed(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _: "2.9.3")
    found = refusal()
    assert (found.code, found.what) == ("ray-too-old", "Ray here is 2.9.3, and 2.52 or newer is needed")


def test_a_range_of_workers_needs_a_place_that_grows():
    assert refusal({"workers": 2, "max_workers": 8}).do == "Write --workers 8"


def test_gpus_that_are_not_there_are_refused(monkeypatch):
    monkeypatch.setattr(checks, "_gpus_here", lambda: 1)
    found = refusal({"workers": 2, "gpus": 1})
    assert found.what == "2 workers with 1 GPU each need 2, and this machine has 1"
    RayBackend().check({"workers": 1, "gpus": 1}, {"backend": "ray"})


def test_nobody_at_the_address():
    found = refusal(address=f"http://127.0.0.1:{free_ports(1)[0]}")
    assert found.code == "ray-unreachable"


def test_somebody_at_the_address_who_never_answers(monkeypatch):
    monkeypatch.setattr(reach, "_PATIENCE", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert refusal(address=f"127.0.0.1:{silent.getsockname()[1]}").code == "ray-unreachable"


def test_a_ray_of_this_machine_by_its_address(place, monkeypatch):
    place.run("1")
    (cluster,) = [one for one in place.pool.clusters() if one.ready]
    address = cluster.ready["dashboard"]
    assert refusal(address=address).what == f"{address} wants a token"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    assert refusal(address=address).what == f"{address} refuses the token"
    monkeypatch.setenv("RAY_AUTH_TOKEN", cluster.token)
    place.backend.check({}, {"backend": "ray", "address": address})
    run = place.open("print('there')", target={"address": address})
    handle = place.backend.submit(run, 1)
    assert handle == {"submission": f"jobq-{run.id}-1", "api": address}
    cell = Cell(place, run, handle)
    assert cell.end().phase == "succeeded"
    assert cell.stdout == "there\n"
