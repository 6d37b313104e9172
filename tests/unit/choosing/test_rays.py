"""Where Ray is: on this machine, one that is there, or one that a cluster makes for the run."""

import os
from pathlib import Path

import pytest

from jobq_magic.config import config_table, resolve
from jobq_magic.errors import OptionError, OptionErrors
from jobq_magic.site import RayGroup, Site

PUSH = "registry.example.org/team/jobq"


@pytest.fixture
def here(hostile_environment):
    def resolved(options=None, **environ):
        return resolve(
            {"mode": "ray", **(options or {})}, cwd=Path.cwd(), environ={**os.environ, **environ}, interactive=True
        )

    return resolved


def write(text):
    Path("pyproject.toml").write_text(f"[tool.jobq.profiles.default]\n{text}\n")


def test_where_nothing_tells_of_a_cluster_ray_is_on_this_machine(here):
    assert here().target == {"backend": "ray", "where": "Ray on this machine", "here": True}


def test_an_address_is_named_by_its_host(here):
    target = here({"address": "https://ray.lab:8265/x?y=z"}).target
    assert (target["backend"], target["where"]) == ("ray", "Ray at ray.lab:8265")
    assert target["address"] == "https://ray.lab:8265/x?y=z"
    assert here({"address": "raycluster/shared"}).target["raycluster"] == "shared"


def test_a_rayjob_has_a_target_that_needs_no_profile_any_more(here):
    write(f'namespace = "team-blue"\nqueue = "main"\npush = "{PUSH}"\nttl = "1d"')
    target = here({"mode": "rayjob"}).target
    assert target == {
        "backend": "rayjob",
        "where": "Ray in queue main of team-blue",
        "queue": "main",
        "to": "registry",
        "push": PUSH,
        "pull": PUSH,
        "site": {"namespace": "team-blue", "pull_policy": "IfNotPresent", "ttl": 86400},
    }


@pytest.mark.parametrize("line", ['queue = "main"', 'context = "lab"', 'namespace = "team-blue"'])
def test_a_profile_that_tells_of_a_cluster_has_its_ray_there(line, here):
    write(f'push = "{PUSH}"\n{line}')
    assert here().target["backend"] == "rayjob"
    write(f'ray = "here"\npush = "{PUSH}"\n{line}')
    assert here().target["here"]


def test_kuberay_needs_no_queue(here):
    write(f'ray = "rayjob"\npush = "{PUSH}"')
    assert here().target["where"] == "Ray in the cluster"
    assert here({"namespace": "team-blue"}).target["where"] == "Ray in team-blue"


def test_a_profile_can_name_a_ray_that_is_there(here):
    write('ray = "raycluster/shared"\nnamespace = "team-blue"\ncontext = "lab"')
    target = here().target
    assert (target["backend"], target["where"]) == ("ray", "RayCluster shared of team-blue")
    assert (target["raycluster"], target["site"]["context"]) == ("shared", "lab")
    write('ray = "http://ray.lab:8265"\nqueue = "main"')
    assert here().target["address"] == "http://ray.lab:8265"
    assert here({"address": "http://other:8265"}).target["where"] == "Ray at other:8265"


def test_without_a_registry_both_ways_out_are_told(here):
    write('queue = "main"')
    with pytest.raises(OptionError) as error:
        here()
    what, do = error.value.lines()
    assert what == "--mode ray needs a registry for its image, and no setting names one"
    assert do.startswith('Write push = "registry.example.org/team/jobq" into the profile default, or give --push. ')
    assert do.endswith("For Ray on this machine: --address here.")
    with pytest.raises(OptionError, match="--mode rayjob needs a registry for its image, and no setting names one\n"):
        here({"mode": "rayjob"})


def test_a_type_of_gpu_has_its_queue_on_ray_too(here):
    write(f'push = "{PUSH}"\nqueue = "main"\ngpu_types.a100 = {{ queue = "gpus" }}')
    assert here({"gpus": "a100:1"}).target["queue"] == "gpus"
    assert here({"gpus": "a100:1", "mode": "rayjob", "queue": "mine"}).target["queue"] == "mine"


# Groups of other workers.

GROUPS = """
[tool.jobq.profiles.default.ray_groups.loaders]
workers = "1..3"
cpus = "500m"
memory = "8Gi"
gpus = "a100:1"
node_selector = { disk = "fast" }
tolerations = [{ key = "disk", operator = "Exists" }]
resources = { disk = 2 }
"""


def test_a_profile_can_tell_of_workers_of_another_kind(here):
    write(f'push = "{PUSH}"\ngpu_types.a100 = {{}}{GROUPS}')
    found = here().site
    assert found.ray_groups == {
        "loaders": RayGroup(
            workers=1, max_workers=3, cpus=0.5, memory="8Gi", gpus=1, gpu_type="a100", node_selector={"disk": "fast"},
            tolerations=({"key": "disk", "operator": "Exists"},), resources={"disk": 2},
        )
    }  # fmt: skip
    assert Site.from_json(found.to_json()) == found
    rows = {row.setting: row.value for row in config_table(here())}
    assert rows["ray_groups.loaders.memory"] == "8Gi"


def test_a_type_of_gpu_that_a_group_names_and_nobody_knows_is_told(here):
    write(f'push = "{PUSH}"\ngpu_types.v100 = {{}}{GROUPS}')
    with pytest.raises(OptionErrors) as error:
        here({"gpus": "x:1"})
    assert [mistake.what for mistake in error.value.each] == [
        "--gpus x:1: there is no such type",
        "gpus = a100:1 of ray_groups.loaders: there is no such type",
    ]


@pytest.mark.parametrize(
    ("line", "says", "do"),
    [
        ('ray = "elsewhere"', "is no place with Ray", "Write rayjob, here, raycluster/NAME"),
        ('ray = "raycluster/"', "no name of a RayCluster", "Write raycluster/NAME"),
        ('ray = "ray://h:1"', "is an address of Ray Client", "dashboard's"),
        ("ray_groups = 3", "is not a table", "Write { NAME"),
        ('ray_groups."Big One" = {}', "holds 'Big One', which is not the name of a group", "small letters"),
        ("ray_groups.head = {}", "holds head, which is what the head is called", "another name"),
        ("ray_groups.workers = {}", "which is what the group of --workers is called", "another name"),
        ("\n".join(f"ray_groups.g{n} = {{}}" for n in range(16)), "holds 16 groups, and Kueue admits no more", "Leave"),
        ('labels = { "ray.io/cluster" = "x" }', "holds ray.io/cluster, which is said otherwise", "Write queue"),
        ("ray_groups.a = { worker = 1 }", "holds a.worker, which is no key there", "Did you mean workers"),
        ("ray_groups.a = { workers = -1 }", "holds a.workers = -1, which is not a number of workers", "Write N or MIN"),
        ("ray_groups.a = { workers = 99999999999 }", "999, which is more than Kubernetes counts", "2147483647 or less"),
        ('ray_groups.a = { workers = "4..2" }', "its ends the wrong way round", "Write 2..4"),
        ('ray_groups.a = { memory = "8gb" }', "holds a.memory = 8gb, which is not an amount of memory", "8Gi"),
        ("ray_groups.a = { resources = { CPU = 1 } }", "holds a.resources.CPU, which is said otherwise", "Write cpus"),
        ("ray_groups.a = { resources = { disk = 0 } }", "disk = 0, which is no number of pieces", "for example 1"),
    ],
)
def test_what_a_profile_cannot_say_of_ray_is_refused(line, says, do, here):
    write(line)
    with pytest.raises(OptionError) as error:
        here({"mode": "local"})
    what, *rest = error.value.lines()
    assert says in what
    assert do in " ".join(rest)
