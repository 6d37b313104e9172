"""Which Ray a cell goes to, what says so, and what a Ray that does not act upon something answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobq_magic import config, doctor, options, plugins
from jobq_magic.capture import Source
from jobq_magic.errors import BackendError, OptionError, OptionErrors
from jobq_magic.pipeline import explain
from jobq_magic.targets import refuse_unhonoured

PUSH = "registry.example.org/team/jobq"
THERE = "http://ray.lab:8265"
RAYJOB = "or use --mode rayjob on a cluster with KubeRay"


@pytest.fixture
def resolve(hostile_environment):
    def resolved(line, profile="", **environ):
        Path("pyproject.toml").write_text(f"[tool.jobq.profiles.default]\n{profile}\n" if profile else "")
        given = {**os.environ, **environ}
        return config.resolve(options.parse(line).options, cwd=Path.cwd(), environ=given, interactive=True)

    return resolved


@pytest.fixture
def notes(resolve):
    """What is noted of a line of options, or raised."""

    def told(line, profile="", **environ):
        found = resolve(line, profile, **environ)
        honours = plugins.backend("ray").honours_at(found.target)
        return refuse_unhonoured(found.spec, found.asked, honours, target=found.target)

    return told


# An address is that of a Ray.


def test_an_address_means_mode_ray_and_says_so(resolve):
    found = resolve(f"--address {THERE}", 'mode = "docker"')
    assert (found.spec.mode, found.target["address"]) == ("ray", THERE)
    assert found.origins["mode"].text == "--address"
    found = resolve("", 'mode = "docker"', JOBQ_ADDRESS=THERE)
    assert (found.target["address"], found.origins["mode"].text) == (THERE, "JOBQ_ADDRESS")
    assert resolve(f"--address {THERE}", JOBQ_MODE="kueue").target["address"] == THERE


def test_an_address_in_a_file_means_mode_ray_too(resolve):
    found = resolve("", f'address = "{THERE}"')
    assert (found.spec.mode, found.target["address"]) == ("ray", THERE)
    assert found.origins["mode"].text.startswith("profile default in ")
    assert resolve("", 'address = "here"').target == HERE
    assert resolve("", f'mode = "local"\naddress = "{THERE}"').spec.mode == "local"
    assert resolve("--mode local", f'address = "{THERE}"').spec.mode == "local"
    project = f'[tool.jobq]\naddress = "{THERE}"'
    assert resolve("", project).target["address"] == THERE
    assert resolve("", project, JOBQ_MODE="local").spec.mode == "local"


def test_a_forced_address_means_mode_ray_whatever_else_names_a_mode_and_says_what_it_makes_void(resolve):
    found = resolve("", f'mode = "kueue"\nqueue = "main"\npush = "{PUSH}"', JOBQ_FORCE_ADDRESS=THERE)
    assert (found.spec.mode, found.target["address"], found.forced) == ("ray", THERE, True)
    assert found.origins["mode"].text == "JOBQ_FORCE_ADDRESS"
    place = f"profile default in {Path.cwd() / 'pyproject.toml'}"
    assert found.notes == (f"JOBQ_FORCE_ADDRESS={THERE}: mode = kueue in {place} is not used",)
    found = resolve("--mode local", JOBQ_FORCE_ADDRESS=THERE)
    assert found.target["address"] == THERE
    assert found.notes == (f"JOBQ_FORCE_ADDRESS={THERE}: --mode local is not used",)
    assert resolve("--address here", JOBQ_FORCE_ADDRESS=THERE).target["address"] == THERE
    assert resolve("", JOBQ_FORCE_ADDRESS=THERE, JOBQ_FORCE_MODE="local").spec.mode == "local"


@pytest.mark.parametrize("line", ["--profile lab", "--profile lab --queue other"])
def test_a_profile_of_the_line_has_its_mode_whatever_address_the_environment_names(line, resolve):
    lab = f'[tool.jobq.profiles.lab]\nmode = "kueue"\nqueue = "main"\npush = "{PUSH}"'
    found = resolve(line, lab, JOBQ_ADDRESS=THERE)
    assert (found.spec.mode, found.target["backend"]) == ("kueue", "kueue")
    assert resolve("", lab, JOBQ_ADDRESS=THERE, JOBQ_PROFILE="lab").target["address"] == THERE
    assert resolve(f"{line} --mode ray --address {THERE}".replace("--queue other", ""), lab).target["address"] == THERE


def test_a_mode_that_was_asked_for_stays_what_it_is(resolve):
    assert resolve("--mode local", JOBQ_ADDRESS=THERE).spec.mode == "local"
    assert resolve("", JOBQ_ADDRESS=THERE, JOBQ_MODE="local").spec.mode == "local"
    found = resolve(f"--address {THERE}", JOBQ_FORCE_MODE="local")
    assert found.spec.mode == "local"
    assert found.notes == (f"JOBQ_FORCE_MODE=local: --address {THERE} is not used",)


@pytest.mark.parametrize("mode", ["local", "docker", "rayjob"])
def test_an_address_beside_another_mode_is_refused_with_the_one_that_has_addresses(mode, resolve):
    found = resolve(f"--mode {mode} --address {THERE}", f'push = "{PUSH}"')
    with pytest.raises(OptionError) as error:
        refuse_unhonoured(found.spec, found.asked, plugins.backend(mode).honours, target=found.target)
    assert error.value.lines() == [
        f"--address {THERE} has no effect with --mode {mode}",
        "Leave it out, or use --mode ray.",
    ]


# Here, or on a cluster.

HERE = {"backend": "ray", "where": "Ray on this machine", "here": True}
CLUSTERS = [
    f'queue = "main"\npush = "{PUSH}"',
    'ray = "rayjob"',
    f'ray = "{THERE}"',
    'ray = "raycluster/shared"\nnamespace = "team"',
]


@pytest.mark.parametrize("profile", CLUSTERS)
def test_one_cell_can_go_to_this_machine_whatever_the_profile_says(profile, resolve):
    assert resolve("--address here", profile).target == HERE
    assert resolve("--mode ray --address here", profile).target == HERE


def test_a_registry_alone_tells_of_no_cluster(resolve):
    assert resolve("--mode ray", f'mode = "docker"\npush = "{PUSH}"').target == HERE
    assert resolve("--mode ray", JOBQ_PUSH=PUSH).target == HERE
    assert resolve("--mode ray", JOBQ_PUSH=PUSH, JOBQ_QUEUE="main").target["backend"] == "rayjob"


class Unreachable:
    """A place that looks for its cluster in vain."""

    honours = plugins.backend("rayjob").honours

    def locate(self, target):
        return target

    def check(self, spec, target):
        raise BackendError("no-cluster", "There is no kubeconfig", do="Log in")


@pytest.mark.parametrize(
    ("line", "profile", "do"),
    [
        ("--mode ray", "", "Log in. For Ray on this machine: --address here."),
        ("--mode ray", 'ray = "rayjob"', "Log in."),
        ("--mode rayjob", "", "Log in."),
    ],
)
def test_who_did_not_ask_for_a_cluster_is_told_how_to_stay_here(line, profile, do, resolve, tmp_path, monkeypatch):
    found = resolve(line, f'queue = "main"\npush = "{PUSH}"\n{profile}')
    monkeypatch.setattr(plugins, "backend", lambda _: Unreachable())
    with pytest.raises(BackendError) as error:
        explain(found, Source("", "Cell", {}), tmp_path)
    assert error.value.lines() == ["There is no kubeconfig", do]


def test_doctor_tells_how_to_stay_here_too(resolve, monkeypatch):
    class Lost(Unreachable):
        def locate(self, target):
            self.check({}, target)

    found = resolve("--mode ray", f'queue = "main"\npush = "{PUSH}"\n')
    monkeypatch.setattr(plugins, "backend", lambda _: Lost())
    *_, last = doctor.examine(found)
    assert (last.level, last.what) == ("problem", "There is no kubeconfig")
    assert last.advice == "Log in. For Ray on this machine: --address here"


def test_each_mistake_on_that_way_names_the_other(resolve):
    with pytest.raises(OptionError) as error:
        resolve("--mode ray --gpus a100:1", 'queue = "main"')
    assert [one.do.rpartition(". ")[2] for one in error.value.each] == ["For Ray on this machine: --address here"] * 2


# What has to be in the image.


class WithRay(Unreachable):
    """A place whose image must have something."""

    needs = {"packaging[place]": "--mode rayjob"}
    inherits_environment, needs_image, supervised = False, True, False

    def check(self, spec, target):
        return ()


@pytest.mark.parametrize("mode", ["ray", "rayjob"])
def test_what_the_place_needs_in_an_image_is_needed_by_the_mode_as_it_was_written(mode, resolve, tmp_path, monkeypatch):
    found = resolve(f"--mode {mode}", f'queue = "main"\npush = "{PUSH}"')
    monkeypatch.setattr(plugins, "backend", lambda _: WithRay())
    (one,) = explain(found, Source("1", "Cell", {}), tmp_path).account.requirements
    assert (one.name, one.why) == ("packaging", f"--mode {mode}")


def test_of_an_image_that_is_run_as_it_is_nothing_is_told_to_be_installed(resolve, tmp_path, monkeypatch):
    found = resolve("--mode rayjob --image python:3.12", f'push = "{PUSH}"')
    monkeypatch.setattr(plugins, "backend", lambda _: WithRay())
    account = explain(found, Source("1", "Cell", {}), tmp_path).account
    assert account.requirements == ()
    told = "python:3.12 is used as it is, and nothing is installed: packaging must be in the image"
    assert account.notes[0] == told


# What a Ray does not act upon.


@pytest.mark.parametrize(
    "line",
    ["--secret TOKEN", "--volume c:/data", "--shm 1Gi", "--driver-cpus 2", "--driver-memory 1Gi", "--retries 2"],
)
@pytest.mark.parametrize(("address", "place"), [("here", "Ray on this machine"), (THERE, "Ray at ray.lab:8265")])
def test_what_a_ray_of_its_own_would_do_is_answered_with_it(line, address, place, notes):
    with pytest.raises(OptionError) as error:
        notes(f"--address {address} {line}")
    what, do = error.value.lines()
    assert what.startswith(line.split()[0])
    assert what.endswith(f" has no effect with {place}")
    assert do == f"Leave it out, {RAYJOB}."


def test_a_range_and_a_type_of_gpu_are_too(notes):
    with pytest.raises(OptionErrors) as error:
        notes("--mode ray --workers 2..8 --gpus a100:1", 'gpu_types.a100 = {}\nray = "here"')
    assert [". ".join(one.lines()) for one in error.value.each] == [
        f"--gpus a100:1 names a type, and Ray on this machine knows none. Write --gpus 1, {RAYJOB}.",
        f"--workers 2..8 is a range, and Ray on this machine does not scale. Write one number, {RAYJOB}.",
    ]


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("here", {"--context lab", "--namespace team", "--queue main", "--store s3://bucket"}),
        (THERE, {"--context lab", "--namespace team", "--queue main", "--memory 4Gi"}),
        ("raycluster/shared", {"--queue main", "--memory 4Gi"}),
    ],
)
def test_each_ray_refuses_what_it_would_only_seem_to_take(address, refused, notes):
    line = "--workers 2 --cpus 2 --gpus 1 --memory 4Gi --context lab --namespace team --queue main --store s3://bucket"
    with pytest.raises(OptionErrors) as error:
        notes(f"--address {address} {line}")
    assert {one.what.partition(" has no effect with ")[0] for one in error.value.each} == refused
    assert {one.do for one in error.value.each} == {f"Leave it out, {RAYJOB}"}


def test_what_a_profile_says_of_it_is_no_mistake_but_a_secret_is_missed(notes):
    profile = f'ray = "{THERE}"\nmemory = "4Gi"\nshm = "1Gi"\nnamespace = "team"\nsecret = ["TOKEN", "KEY=team/key"]'
    assert notes("--mode ray", profile) == (
        "TOKEN, KEY of the settings' `secret` is not given to the cell: Ray at ray.lab:8265 takes none",
    )
