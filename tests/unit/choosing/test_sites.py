"""What a profile says of a cluster: read, refused, shown, and carried by the target of a run."""

import json
import os
from dataclasses import fields
from pathlib import Path

import pytest

from jobq_magic.config import config_table, resolve
from jobq_magic.errors import OptionError
from jobq_magic.quantities import Refusal
from jobq_magic.site import GpuType, Site
from jobq_magic.sitereaders import KEYS, store

KUEUE = {"mode": "kueue", "push": "registry.example.org/team/jobq"}


@pytest.fixture
def here(hostile_environment):
    def resolved(options=None, **environ):
        given = {**os.environ, **environ}
        return resolve(options or {}, cwd=Path.cwd(), environ=given, interactive=True)

    return resolved


def write(text):
    Path("pyproject.toml").write_text(f"[tool.jobq.profiles.default]\n{text}\n")


def test_a_cell_for_kueue_has_a_target_that_needs_no_profile_any_more(here):
    write('context = "lab"\nnamespace = "team-blue"\nqueue = "main"\npull_secrets = "regcred"\nttl = "1d"')
    target = here({"mode": "kueue", "push": "http://localhost:5000/team", "pull": "registry:5000/team"}).target
    site = {"context": "lab", "namespace": "team-blue", "pull_secrets": ["regcred"], "pull_policy": "IfNotPresent"}
    assert target == {
        "backend": "kueue",
        "where": "queue main of team-blue",
        "queue": "main",
        "to": "registry",
        "push": "http://localhost:5000/team",
        "pull": "registry:5000/team",
        "site": {**site, "ttl": 86400},
    }
    assert json.loads(json.dumps(target)) == target


def test_nobody_needs_to_name_a_queue_or_a_second_address(here):
    target = here(KUEUE).target
    assert (target["where"], target["pull"]) == ("the default queue", KUEUE["push"])


def test_where_a_cell_goes_can_be_said_by_options_and_by_the_environment(here):
    write('namespace = "team-blue"\nstore = "s3://bucket/a"')
    assert here({**KUEUE, "namespace": "other"}).site.namespace == "other"
    found = here(KUEUE, JOBQ_NAMESPACE="third", JOBQ_CONTEXT="lab", JOBQ_STORE="pvc://claim/x")
    assert found.target["where"] == "the default queue of third"
    assert (found.site.context, found.site.store) == ("lab", "pvc://claim/x")


def test_without_a_registry_one_sentence_says_what_to_write(here):
    with pytest.raises(OptionError) as error:
        here({"mode": "kueue", "queue": "main"})
    assert error.value.lines() == [
        "--mode kueue needs a registry for its image, and no setting names one",
        "Give --push registry.example.org/team/jobq, or write it into a profile: `jobq config --init` makes one.",
    ]
    write('[tool.jobq.profiles.lab]\nmode = "kueue"')
    with pytest.raises(OptionError, match=r'\nWrite push = ".*" into the profile lab, or give --push'):
        here({"profile": "lab"})


def test_a_queue_that_is_missing_is_told_with_the_registry(here):
    with pytest.raises(OptionError) as error:
        here({"mode": "kueue"})
    what, do = error.value.lines()
    assert what.endswith("no setting names one; none names a queue either, so that it would be the one called default")
    assert do.endswith("`jobq config --init` makes one, with a queue.")


def test_a_profile_that_names_a_registry_is_told_to_who_named_neither(here):
    Path("pyproject.toml").write_text('[tool.jobq.profiles.lab]\nmode = "kueue"\npush = "r.example/x"')
    with pytest.raises(OptionError, match=r"\nUse one of the profiles that do: --profile lab\."):
        here({"mode": "kueue"})


@pytest.mark.parametrize("option", ["dry_run", "debug"])
def test_what_goes_nowhere_needs_no_registry(here, option):
    assert here({"mode": "kueue", option: True}).target["push"] is None


def test_who_only_looks_needs_no_registry(here, tmp_path):
    found = resolve({"mode": "kueue"}, cwd=tmp_path, environ={}, interactive=True, submits=False)
    assert (found.target["to"], found.target["push"]) == ("registry", None)


TYPES = """
queue = "main"
[tool.jobq.profiles.default.gpu_types.a100]
queue = "gpu-large"
node_selector = { "nvidia.com/gpu.product" = "NVIDIA-A100-SXM4-80GB" }
tolerations = [{ key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" }]
[tool.jobq.profiles.default.gpu_types.mi300]
resource = "amd.com/gpu"
"""


def test_a_type_of_gpu_has_its_queue_unless_the_cell_names_one(here):
    write(TYPES)
    found = here({**KUEUE, "gpus": "a100:2"}, JOBQ_QUEUE="main")
    assert found.target["where"] == "queue gpu-large"
    assert found.origins["queue"].text.startswith("gpu_types.a100 of profile default in ")
    assert here({**KUEUE, "gpus": "a100:2", "queue": "mine"}).spec.queue == "mine"
    assert here({**KUEUE, "gpus": "mi300:2"}).spec.queue == "main"
    assert here({"gpus": "a100:2"}).spec.queue == "main"  # elsewhere the type means nothing


def test_an_unknown_type_of_gpu_is_answered_with_the_known_ones(here):
    write(TYPES)
    with pytest.raises(OptionError, match=r"--gpus h100:1: there is no such type\n.*Known: a100, mi300"):
        here({**KUEUE, "gpus": "h100:1"})
    with pytest.raises(OptionError, match=r"there is no such type\nDid you mean a100\? Known: a100, mi300"):
        here({**KUEUE, "gpus": "a10:1"})
    write("")
    with pytest.raises(OptionError, match=r"--gpus h100:1 names a type, and the profile knows none\n.*gpu_types.h100"):
        here({**KUEUE, "gpus": "h100:1"})


def test_gpus_of_no_type_are_what_all_types_have_in_common():
    amd, nvidia = GpuType(resource="amd.com/gpu"), GpuType()
    assert Site().gpu(None).resource == "nvidia.com/gpu"
    assert Site(gpu_types={"a": amd, "b": amd}).gpu(None) == GpuType(resource="amd.com/gpu")
    assert Site(gpu_types={"a": amd, "b": nvidia}).gpu(None) == GpuType()


def test_config_shows_what_is_known_of_a_cluster_with_where_it_is_written(here):
    write(TYPES + '[tool.jobq.profiles.default.proxies]\nhttp = "http://proxy:3128"')
    rows = {row.setting: row for row in config_table(here())}
    assert rows["proxies"].value == "http=http://proxy:3128"
    assert rows["gpu_types.a100.resource"].value == "nvidia.com/gpu"
    assert rows["gpu_types.a100.node_selector"].value.startswith("nvidia.com/gpu.product=")
    assert "gpu_types" not in rows
    assert rows["proxies"].origin.startswith("profile default in ")
    assert "affinity" not in rows


def test_config_tells_tables_within_tables_and_lists_row_by_row(here):
    write(
        'tolerations = [{ key = "a", operator = "Exists" }, { key = "b", operator = "Exists" }]\n'
        'pod_template.spec.volumes = [{ name = "scratch", emptyDir = { sizeLimit = "10Gi" } }]'
    )
    rows = {row.setting: row.value for row in config_table(here()) if row.origin.startswith("profile")}
    assert (
        rows.items()
        >= {
            "tolerations[0]": "key=a operator=Exists",
            "tolerations[1]": "key=b operator=Exists",
            "pod_template.spec.volumes.name": "scratch",
            "pod_template.spec.volumes.emptyDir": "sizeLimit=10Gi",
        }.items()
    )


def test_config_tells_of_a_table_that_is_empty_on_purpose_and_of_no_other(here):
    write(
        'pod_template.spec.volumes = [{ name = "scratch", emptyDir = {} }]\n'
        "pod_template.metadata = {}\n[tool.jobq.profiles.default.gpu_types]\na100 = {}"
    )
    rows = {row.setting: row.value for row in config_table(here()) if row.origin.startswith("profile")}
    assert rows.items() >= {"pod_template.spec.volumes.emptyDir": "", "pod_template.metadata": ""}.items()
    assert [name for name in rows if name.startswith("gpu_types")] == ["gpu_types.a100"]
    assert rows["gpu_types.a100"] == "resource=nvidia.com/gpu"


def test_a_site_comes_back_from_json_as_it_was():
    site = Site(
        namespace="a",
        gpu_types={"a100": GpuType(node_selector={"a": "b"}, tolerations=({"key": "x"},), queue="q")},
        tolerations=({"operator": "Exists"},),
        pull_secrets=("one", "two"),
    )
    assert Site.from_json(json.loads(json.dumps(site.to_json()))) == site
    assert Site.from_json(Site().to_json()) == Site()


def test_every_field_of_a_site_has_a_reader_or_is_an_option():
    assert {one.name for one in fields(Site)} == {*KEYS, "context", "namespace", "store"}


REFUSED = [
    ("store = 'file:///data'", "store = file:///data in", "is a folder of this machine", "s3://BUCKET/FOLDER"),
    ("namespace = 'Team'", "namespace = Team in", "is not the name of a namespace", "small letters"),
    ("artifacts = 'repo'", "artifacts in", "names no registry", "docker.io"),
    ("tolerations = { key = 'a' }", "tolerations in", "is not a list of tables", "Exists"),
    ("tolerations = [{ keyy = 'a' }]", "tolerations in", "holds one.keyy, which is no key there", "Did you mean key"),
    ("tolerations = [{ value = 'a' }]", "tolerations in", "names no key", "Exists"),
    ("tolerations = [{ key = 'a', effect = 'NoSchedul' }]", "tolerations in", "NoSchedul", "Did you mean NoSchedule"),
    ("tolerations = [{ operator = 'exists' }]", "tolerations in", "operator is exists", "Equal or Exists"),
    ("node_selector = { 'a b' = 'c' }", "node_selector in", "not a key of a label", "example.org"),
    ("node_selector = { a = true }", "node_selector in", "holds a, whose value is not a text", '"true"'),
    ("labels = { a = 'b c' }", "labels in", "holds a = b c, which no label can have", "63"),
    ("labels = { 'kueue.x-k8s.io/queue-name' = 'a' }", "labels in", "which is said otherwise", "Write queue"),
    ("labels = 'a=b'", "labels in", "is not a table", "NAME"),
    ("gpu_types = { a100 = 'x' }", "gpu_types in", "holds a100, which is not a table", "NAME"),
    ("gpu_types = { a100 = { resourc = 'x' } }", "gpu_types in", "a100.resourc", "Did you mean resource"),
    ("gpu_types = { a100 = { resource = 'gpu' } }", "gpu_types in", "no node offers", "nvidia.com/gpu"),
    ("gpu_types = { 'a:1' = {} }", "gpu_types in", "cannot stand in", "a100"),
    ("gpu_types = { a = { node_selector = { b = 1 } } }", "gpu_types in", "a.node_selector.b", '"1"'),
    ("affinity = { nodeAfinity = {} }", "affinity in", "nodeAfinity", "Did you mean nodeAffinity"),
    ("service_account = 'A'", "service_account in", "is not a name in Kubernetes", "Small"),
    ("pull_secrets = ['a', 'B']", "pull_secrets in", "is not a name in Kubernetes", "Small"),
    ("pull_policy = 'ifnotpresent'", "pull_policy in", "no policy of pulling", "IfNotPresent"),
    ("topology = { required = 'a', preferred = 'b' }", "topology in", "not one of", "preferred ="),
    ("topology = { preferred = 'a b' }", "topology in", "no label of nodes", "rack"),
    ("proxies = { http = 'http://me:canary@proxy' }", "proxies in", "user or a password", "3128"),
    ("proxies = { htp = 'http://proxy' }", "proxies in", "htp", "Did you mean http"),
    ("proxies = { https = 'proxy:3128' }", "proxies in", "is not an address", "3128"),
    ("ca = 'certificates'", "ca in", "is not a ConfigMap and a key in it", "ca.crt"),
    ("ttl = 'week'", "ttl in", "is not a length of time", "1d"),
    ("ttl = '7'", "ttl in", "has no unit", 'Write "7d" for days'),
    ("ttl = 7", "ttl in", "has no unit", 'Write "7d" for days'),
    ("user = 'x'", "There is no setting user in", "", "write user into [tool.jobq.image]"),
    ("gpu_types = { a100 = { push = 'x' } }", "gpu_types in", "a100.push, which is a setting of the profile", "above"),
    ("pod_template = { spce = {} }", "pod_template in", "spce", "Did you mean spec"),
    ("pod_template = { spec = 1 }", "pod_template in", "holds spec, which is not a table", "NAME"),
    ("clusters = { east = 1 }", "clusters in", "east, whose value is no context", "CLUSTER"),
    ("kubeconfig = ''", "kubeconfig in", "is empty", ""),
    ("gputypes = {}", "There is no setting gputypes", "", "Did you mean gpu_types"),
]


@pytest.mark.parametrize(("line", "begins", "says", "do"), REFUSED)
def test_what_a_profile_cannot_say_is_refused_in_one_sentence_with_the_way_out(here, line, begins, says, do):
    write(line)
    with pytest.raises(OptionError) as error:
        here()
    what, *rest = error.value.lines()
    assert what.startswith(begins)
    assert says in what
    assert do in "".join(rest)
    assert "canary" not in str(error.value)


def test_what_a_cluster_is_like_stands_in_a_profile(here):
    Path("pyproject.toml").write_text("[tool.jobq]\npull_secrets = 'a'\n")
    with pytest.raises(OptionError, match=r"stands outside of a profile\n.*\[tool.jobq.profiles.NAME\]"):
        here()


@pytest.mark.parametrize(
    "url", ["s3://b", "s3://b/c/d", "gs://b", "az://b", "abfs://box@account.dfs.example.org/x", "pvc://c", "pvc://c/d"]
)
def test_a_store_is_an_address(url):
    assert store(url + "/") == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/data", "is a folder of this machine"),
        ("s3:/b", "is not the address"),
        ("s3://", "is not the address"),
        ("ftp://b", "names no kind of store by ftp://"),
        ("s3://key:canary@b/c", "holds a user, a password or a key"),
        ("s3://key@b/c", "holds a user, a password or a key"),
        ("s3://b/c?secret=canary", "holds a user, a password or a key"),
        ("pvc://Claim/x", "is not the name of a claim"),
        ("pvc://c/../x", "is not the address"),
    ],
)
def test_a_store_that_is_none_or_tells_a_secret_is_refused(url, says, here):
    with pytest.raises(Refusal, match=says):
        store(url)
    with pytest.raises(OptionError) as error:
        here({"store": url})
    assert "canary" not in str(error.value)


def test_a_file_of_settings_can_be_named_by_the_environment(here, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text("[profiles.lab]\nqueue = 'main'\nca = 'site/ca.crt'\n")
    found = here({"profile": "lab"}, JOBQ_CONFIG=str(path))
    assert (found.spec.queue, found.site.ca) == ("main", "site/ca.crt")
    assert found.notes == ()
