"""Whether the machines of a queue are those that the image is made for."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from jobq_magic.cluster.connection import Place
from jobq_magic.cluster.preflight import machines
from jobq_magic.cluster.preflight.making import wanted_of
from jobq_magic.site import Site

from .support import given, listed, named, there, told, wanted


def seen(*archs):
    flavors = [
        named(f"f{at}", spec={"nodeLabels": {"kubernetes.io/arch": arch} if arch else {}})
        for at, arch in enumerate(archs)
    ]
    groups = [{"flavors": [{"name": f"f{at}"} for at in range(len(archs))]}]
    return given({"flavors": listed(*flavors), "cluster-queue": there(named("blue", spec={"resourceGroups": groups}))})


@pytest.mark.parametrize(
    ("asked", "machine", "archs", "levels"),
    [
        ("linux/arm64", "linux/amd64", ["arm64"], ["ok"]),
        ("", "linux/amd64", ["amd64", "arm64"], ["ok"]),
        ("", "linux/amd64", ["arm64"], ["problem"]),
        ("", "linux/amd64", [""], []),
        ("linux/amd64", "linux/amd64", [""], ["unknown"]),
        ("", "", ["arm64"], []),
    ],
    ids=[
        "asked for",
        "by default",
        "the wrong one by default",
        "nothing is told",
        "asked in vain",
        "an image is named",
    ],
)
def test_what_is_asked_for_counts_else_what_this_machine_is(asked, machine, archs, levels):
    looked = machines.look(seen(*archs), replace(wanted(), platform=asked, machine=machine))
    assert [level for _, level, _, _ in told(looked)] == levels


def test_images_are_made_for_this_machine_unless_one_is_named(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    place = Place("lab", "team", "https://lab", inside=False)
    assert wanted_of({"queue": "main"}, Site(), place).machine == "linux/arm64"
    assert wanted_of({"image": "python:3.11"}, Site(), place).machine == ""


RACK = Site(topology={"preferred": "example.org/rack"})


def racks(*levels, of="racks"):
    flavor = named("f0", spec={"topologyName": of} if of else {})
    queue = named("blue", spec={"resourceGroups": [{"flavors": [{"name": "f0"}]}]})
    known = named("racks", spec={"levels": [{"nodeLabel": level} for level in levels]})
    return given({"flavors": listed(flavor), "cluster-queue": there(queue), "topologies": listed(known)})


@pytest.mark.parametrize(
    ("found", "level", "do"),
    [
        (racks("example.org/rack", "kubernetes.io/hostname"), "ok", ""),
        (racks("example.org/racks"), "problem", "Did you mean example.org/racks?"),
        (racks(of=""), "problem", "Leave topology out of the profile"),
    ],
)
def test_workers_are_together_by_a_label_that_the_machines_of_the_queue_are_told_apart_by(found, level, do):
    ((code, said, _, advice),) = told(machines.topology(found, wanted(RACK)))
    assert (code, said) == ("topology", level)
    assert advice.startswith(do)


def test_who_asks_for_no_topology_hears_of_none():
    assert told(machines.topology(racks(of=""), wanted())) == []
