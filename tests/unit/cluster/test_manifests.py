"""The objects of a run in a cluster: how they look, and that whatever is asked for is something Kubernetes takes."""

import base64
import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobq_magic import container
from jobq_magic.cluster import manifests, names
from jobq_magic.cluster.manifests.admission import MAX_TIME
from jobq_magic.cluster.manifests.facts import Facts, submitter
from jobq_magic.cluster.manifests.fetching import fetching
from jobq_magic.cluster.manifests.jobs import made
from jobq_magic.cluster.manifests.patch import patched
from jobq_magic.cluster.manifests.secrets import EXPIRES
from jobq_magic.cluster.manifests.variables import HOME
from jobq_magic.errors import BackendError
from jobq_magic.image import BuildRequest, Packages, Recipe, User
from jobq_magic.images import layout
from jobq_magic.run import Run
from jobq_magic.runtime.pod import CALLED
from jobq_magic.runtime.stores import MOUNTED
from jobq_magic.site import GpuType, Site
from jobq_magic.spec import JobSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "manifests"
IMAGE = "registry.example.org/team/jobq@sha256:" + "0a" * 32
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
RUN = "fit-0a1b2c3d"


def facts(*, site=None, user=None, told=None, **options):
    spec = JobSpec(mode="kueue", **options).model_dump(mode="json")
    return Facts(RUN, "fit", IMAGE, spec, site or Site(), submitter="ada", user=user, told=told or {})


def job(**known):
    return made(facts(**known))


def pod(**known):
    return job(**known)["spec"]["template"]["spec"]


def main(**known):
    (found,) = pod(**known)["containers"]
    return found


def environment(**known):
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in main(**known)["env"]}


EVERYTHING = Site(
    context="lab",
    namespace="team-blue",
    store="pvc://scratch/runs",
    node_selector={"example.org/pool": "batch"},
    tolerations=({"key": "example.org/batch", "operator": "Exists"},),
    affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "example.org/zone", "operator": "In", "values": ["a"]}]}]}}},
    service_account="jobs",
    pull_secrets=("regcred",),
    pull_policy="Always",
    topology={"preferred": "example.org/rack"},
    pod_priority="background",
    proxies={"http": "http://proxy:3128", "https": "http://proxy:3128", "no": ".svc,10.0.0.0/8"},
    ca="site-certificates/ca.crt",
    ttl=86400,
    annotations={"example.org/cost-centre": "blue/42 and more"},
    labels={"example.org/team": "blue"},
)  # fmt: skip

SEEN = {
    "minimal": facts(),
    "plain": facts(
        queue="main", priority="high", cpus=2, memory="8Gi", shm="2Gi", timeout="2h", env={"A": "1"},
        label={"experiment": "7"}, told={"jobq.notebook": "work/fit.ipynb", "jobq.dirty": "true"},
    ),
    "workers": facts(queue="main", workers=4, cpus=0.5, memory="500Mi", no_requeue=True, timeout="90s"),
    "gpus": facts(
        queue="main", gpus="a100:2",
        site=Site(gpu_types={"a100": GpuType(node_selector={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"},
                                             tolerations=(TOLERATION,))}),
    ),
    "site": facts(queue="main", workers=2, cpus=1, site=EVERYTHING),
    "volumes": facts(volume=["data:/data:ro", "data/out:/out", "models.v1:/models"], user=User(uid=1234, gid=99)),
    "patch": facts(
        queue="main", env={"A": "1"},
        site=Site(pod_template={
            "metadata": {"labels": {"example.org/patched": "yes"}},
            "spec": {
                "runtimeClassName": "gvisor",
                "securityContext": {"$patch": "replace", "runAsNonRoot": True},
                "volumes": [{"name": "scratch", "emptyDir": {}}],
                "containers": [
                    {"name": "main", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
                     "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
                    {"name": "beside", "image": "example.org/beside:1"},
                ],
            },
        }),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_job_looks_like_this(name):
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(made(SEEN[name]), sort_keys=False, width=120)
    if os.environ.get("JOBQ_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, "JOBQ_GOLDEN=write renews it"


# Names and labels.


def test_a_run_is_found_by_its_labels_on_the_job_and_on_its_pods():
    made = job(label={"experiment": "7"})
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert (labels[names.RUN], labels[names.USER], labels[names.MANAGED_BY]) == (RUN, "ada", "jobq-magic")
        assert labels["experiment"] == "7"


@given(st.from_regex(r"[a-z0-9][a-z0-9-]*", fullmatch=True))
def test_whatever_a_run_is_called_its_objects_have_names_that_a_host_can_have(run):
    name = names.name_of(run)
    assert re.fullmatch(r"jobq-[a-z0-9-]*[a-z0-9-]", name)
    assert len(name) <= 47


def test_two_runs_with_long_names_have_two_jobs():
    first, second = names.name_of("x" * 60 + "1"), names.name_of("x" * 60 + "2")
    assert first != second
    assert len(first) == len(second) == 47


@given(st.text())
def test_whatever_a_run_or_a_user_is_called_a_label_can_hold_it(text):
    assert re.fullmatch(r"|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", names.label_value(text))


def test_a_name_of_another_alphabet_leaves_no_empty_label():
    assert names.label_value("Åda Lovelace (Müller)") == "Ada-Lovelace-Muller"
    assert names.ours("r", "試し", "") == {names.RUN: "r", names.MANAGED_BY: "jobq-magic"}


@pytest.mark.parametrize(
    ("key", "do"),
    [("kueue.x-k8s.io/queue-name", "Write --queue"), ("jobq.run", "another"), ("job-name", "another"),
     ("app.kubernetes.io/managed-by", "another")],
)  # fmt: skip
def test_a_label_that_somebody_acts_upon_is_refused(key, do):
    with pytest.raises(BackendError, match=f"--label {key}: .*\n.*{do}"):
        manifests.refuse({"label": {key: "x"}})


# Time, and how it ends.


def test_suspend_is_kueues_alone():
    assert "suspend" not in job()["spec"]


def test_without_a_limit_of_time_there_is_no_deadline():
    assert "activeDeadlineSeconds" not in job()["spec"]
    assert MAX_TIME not in job()["metadata"]["labels"]


def test_the_runtime_ends_a_cell_before_the_cluster_does():
    once, again = job(timeout="1h", no_requeue=True), job(timeout="1h")
    assert once["spec"]["activeDeadlineSeconds"] == again["spec"]["activeDeadlineSeconds"] == 3600 + 900
    # Kueue adds up attempts: one that had to make room must leave time for the next.
    assert 4500 < int(once["metadata"]["labels"][MAX_TIME]) < 5000
    assert int(again["metadata"]["labels"][MAX_TIME]) > 10 * 4500


def test_a_limit_of_time_beyond_what_kubernetes_counts_is_the_longest_there_is():
    made = job(timeout="100000d")
    assert made["spec"]["activeDeadlineSeconds"] == int(made["metadata"]["labels"][MAX_TIME]) == 2**31 - 1


def test_a_cell_fails_once_and_a_drained_node_does_not_count():
    drained, called, failed = job()["spec"]["podFailurePolicy"]["rules"]
    assert (drained["action"], drained["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert (called["action"], called["onExitCodes"]["values"]) == ("Ignore", [CALLED])
    assert (failed["action"], failed["onExitCodes"]["operator"]) == ("FailJob", "NotIn")
    assert job()["spec"]["backoffLimit"] == 0
    once = job(no_requeue=True)["spec"]["podFailurePolicy"]["rules"]
    assert {rule["action"] for rule in once} == {"FailJob"}


# Workers.


def test_a_cell_that_is_no_worker_is_told_no_rank():
    assert not {"RANK", "WORLD_SIZE", "JOBQ_RANK", "MASTER_ADDR"} & environment().keys()
    assert "completionMode" not in job()["spec"]


def test_workers_have_a_rank_and_find_the_first_one_by_its_name():
    seen = environment(workers=3)
    rank = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    assert seen["RANK"] == seen["NODE_RANK"] == seen["JOBQ_RANK"] == rank
    assert (seen["WORLD_SIZE"], seen["MASTER_ADDR"]) == ("3", f"jobq-{RUN}-0.jobq-{RUN}")
    assert pod(workers=3)["subdomain"] == f"jobq-{RUN}"


def test_a_single_worker_finds_itself_by_the_same_words():
    assert (environment(workers=1)["MASTER_ADDR"], environment(workers=1)["WORLD_SIZE"]) == ("localhost", "1")
    assert "subdomain" not in pod(workers=1)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / RUN
    (folder / "bundle").mkdir(parents=True)
    manifest = {"steps": [{"kind": "source", "label": "Cell [1]", "line": 3}], "cell": {"label": "Cell [2]", "line": 1}}
    (folder / "bundle" / "manifest.json").write_text(json.dumps(manifest))
    spec = JobSpec(mode="kueue", workers=2).model_dump(mode="json")
    known = {"id": RUN, "name": "fit", "created": 0.0, "spec": spec, "target": {"backend": "kueue", "where": ""}}
    return Run(**known, host={}, interpreter="/usr/bin/python3", cell={"label": "Cell [2]"}, folder=folder)


def test_the_service_of_workers_is_names_alone_and_goes_with_the_job(run):
    found = manifests.service(run, "uid-1")
    assert found["spec"] == {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {names.RUN: RUN}}
    assert found["metadata"]["name"] == f"jobq-{RUN}"
    assert (
        found["metadata"]["ownerReferences"] == manifests.owned(f"jobq-{RUN}", "uid-1")["metadata"]["ownerReferences"]
    )
    alone = dataclasses.replace(run, spec={**run.spec, "workers": 1})
    assert manifests.service(alone, "uid-1") is None


# What pods are told.


def test_a_secret_holds_what_pods_are_told_and_until_when_it_waits_for_its_job(run):
    found = manifests.secret(run, {"key": b"\0k", "secrets": b"{}"}, now=0.0)
    assert {name: base64.b64decode(text) for name, text in found["data"].items()} == {"key": b"\0k", "secrets": b"{}"}
    assert (found["immutable"], found["type"]) == (True, "Opaque")
    assert found["metadata"]["annotations"] == {EXPIRES: "1970-01-01T01:00:00Z"}
    assert found["metadata"]["labels"][names.RUN] == RUN


def test_no_secret_stands_in_a_manifest():
    assert "TOKEN" not in json.dumps(job(secret=["TOKEN=OTHER"]))


def test_libraries_start_as_many_threads_as_there_are_cpus_for_them():
    seen = environment(cpus=1.5)
    assert (seen["OMP_NUM_THREADS"], seen["PYTHON_CPU_COUNT"]) == ("2", "2")
    assert environment(cpus=4, env=["OMP_NUM_THREADS=1"])["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in environment()


def test_a_value_means_what_it_says_though_kubernetes_expands_some():
    given = {"A": "$(HOME)", "B": "a$$b", "C": "$"}
    seen = environment(env=given)
    assert {name: seen[name].replace("$$", "$") for name in given} == given
    assert seen["A"] == "$$(HOME)"


def test_what_is_asked_for_counts_before_what_we_and_the_site_say_but_not_before_what_tells_the_run():
    seen = environment(workers=2, env=["MASTER_PORT=1234", "HOME=/data", "JOBQ_RUN=x", "PYTHONPATH=/data/lib"])
    assert (seen["MASTER_PORT"], seen["HOME"], seen["JOBQ_RUN"]) == ("1234", "/data", RUN)
    assert seen["PYTHONPATH"] == f"{layout.PATH}:/data/lib"


def test_proxies_are_told_in_both_spellings_and_certificates_to_openssl_and_requests():
    seen = environment(site=EVERYTHING)
    assert seen["NO_PROXY"] == seen["no_proxy"] == ".svc,10.0.0.0/8"
    assert seen["SSL_CERT_FILE"] == seen["REQUESTS_CA_BUNDLE"] == "/run/jobq-ca/ca.crt"


def test_where_things_lie_in_an_image_is_as_images_have_it():
    assert (HOME, container.PATH) == (layout.HOME, layout.PATH)


# Who the cell is.


def test_nobody_is_root_who_was_not_asked_to_be():
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod(user=User(uid=0))["securityContext"]["runAsNonRoot"] is False
    assert pod(user=User(uid=77))["securityContext"]["runAsUser"] == 77
    # Of a name a kubelet cannot tell whether it is root's.
    assert pod(user=User(name="me", create=True))["securityContext"].keys() == {"fsGroup", "seccompProfile"}


def test_a_user_of_the_image_has_the_home_that_the_image_says():
    assert "HOME" not in environment(user=User(uid=77))
    assert environment()["HOME"] == layout.HOME


def test_the_cell_is_nobody_on_the_cluster_unless_a_service_account_is_named():
    assert pod()["automountServiceAccountToken"] is False
    named = pod(site=EVERYTHING)
    assert (named["automountServiceAccountToken"], named["serviceAccountName"]) == (True, "jobs")


# Sizes.


@pytest.mark.parametrize(("cpus", "said"), [("500m", "500m"), (4, "4"), ("0.25", "250m"), ("1.5", "1500m")])
def test_amounts_are_texts_and_what_is_asked_for_is_the_limit(cpus, said):
    found = main(cpus=cpus, memory="8Gi")["resources"]
    assert found["requests"] == found["limits"] == {"cpu": said, "memory": "8Gi"}
    assert main()["resources"] == {}


def test_gpus_are_of_the_resource_of_their_type():
    amd = Site(gpu_types={"mi300": GpuType(resource="amd.com/gpu")})
    assert main(gpus="mi300:2", site=amd)["resources"]["limits"] == {"amd.com/gpu": "2"}
    assert main(gpus=1)["resources"]["limits"] == {"nvidia.com/gpu": "1"}


# Volumes.


@pytest.mark.parametrize(
    ("volumes", "says"),
    [
        (["/data:/data"], "--volume /data:/data: a folder of this machine is not on the cluster\n.*--files"),
        (["Data:/data"], "Data is not the name of a PersistentVolumeClaim"),
        (["data/../x:/data"], "leads out of the claim"),
        (["data:/usr"], "a volume at /usr would hide what runs the cell"),
        (["data:/run/jobq/x"], "would hide what runs the cell"),
        (["data:/opt/jobq"], "would hide what runs the cell"),
        (["a:/data", "b:/data/"], "there is another one at /data"),
    ],
)
def test_a_volume_that_no_pod_can_have_is_refused(volumes, says):
    with pytest.raises(BackendError, match=says):
        manifests.refuse({"volume": volumes})


def test_shm_and_a_volume_do_not_lie_in_the_same_place():
    manifests.refuse({"volume": ["a:/dev/shm"]})
    with pytest.raises(BackendError, match="there is another one at /dev/shm"):
        manifests.refuse({"volume": ["a:/dev/shm"], "shm": "1Gi"})


def test_a_claim_that_is_mounted_twice_is_one_volume():
    found = pod(volume=["data:/data", "data/out:/out"])
    claims = [one for one in found["volumes"] if "persistentVolumeClaim" in one]
    assert [one["persistentVolumeClaim"]["claimName"] for one in claims] == ["data"]


# The patch of a profile.


def test_a_patch_changes_entries_by_their_name_and_leaves_the_others():
    made = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}], "args": [1, 2]}
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}], "args": [3]}
    assert patched(made, patch) == {
        "containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}, {"name": "b"}],
        "args": [3],
    }


def test_a_patch_can_take_away():
    made = {
        "volumes": [{"name": "a"}, {"name": "b"}],
        "securityContext": {"runAsUser": 1000, "fsGroup": 1},
        "x": {"y": 1},
    }
    patch = {
        "volumes": [{"name": "a", "$patch": "delete"}, {"name": "zz", "$patch": "delete"}],
        "securityContext": {"$patch": "replace", "fsGroup": 2},
        "x": {"$patch": "delete"},
    }
    assert patched(made, patch) == {"volumes": [{"name": "b"}], "securityContext": {"fsGroup": 2}}
    assert made["x"] == {"y": 1}


# From the folder of a run.


def test_the_folder_of_a_run_tells_who_what_and_where_from(run, monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    request = BuildRequest(
        Recipe(user=User(uid=5)), Packages(), python="3.11", platform="linux/amd64",
        provenance={"jobq.user": "Ada L", "jobq.notebook": "fit.ipynb"},
    )  # fmt: skip
    run.paths.request.write_text(json.dumps(request.to_json()))
    found = manifests.job(run, IMAGE, Site())
    assert found["metadata"]["labels"][names.USER] == "Ada-L"
    told = found["metadata"]["annotations"]
    assert (told["jobq.notebook"], told["jobq.label"], told["jobq.python"]) == ("fit.ipynb", "Cell [2]", "3.11")
    assert "jobq.version" in told
    spec = found["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsUser"] == 5
    labels = next(one["value"] for one in spec["containers"][0]["env"] if one["name"] == "JOBQ_LABELS")
    assert json.loads(labels) == [["Cell [1]", 3], ["Cell [2]", 1]]


def read_only(**container):
    return {
        "spec": {"containers": [{"name": "main", "securityContext": {"readOnlyRootFilesystem": True}, **container}]}
    }


def test_where_the_root_is_read_only_there_are_folders_to_write_to():
    spec = job(site=Site(pod_template=read_only()))["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert (told["TMPDIR"], told["HOME"]) == ("/tmp", HOME)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    empty = [volume["name"] for volume in spec["volumes"] if "emptyDir" in volume]
    assert {mounts["/tmp"], mounts[HOME]} < set(empty)
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_folders_that_the_profile_mounts_for_that_stay_as_they_are():
    scratch = {"name": "scratch", "mountPath": "/scratch"}
    env = [{"name": "TMPDIR", "value": "/scratch/tmp"}, {"name": "HOME", "value": "/scratch"}]
    found = job(site=Site(pod_template=read_only(env=env, volumeMounts=[scratch])))["spec"]["template"]["spec"]
    (container,) = found["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"] if "jobq" not in mount["name"]] == ["/scratch"]
    assert [one["value"] for one in container["env"] if one["name"] == "HOME"] == ["/scratch"]


@pytest.mark.parametrize(
    ("told", "new"),
    [
        ({"HOME": "/tmp"}, ["/tmp"]),
        ({"HOME": "/tmp/"}, ["/tmp"]),
        ({"HOME": "/tmp/ada"}, ["/tmp", "/tmp/ada"]),
        ({"HOME": "//scratch/./ada"}, ["/tmp", "/scratch/ada"]),
        ({"TMPDIR": HOME}, [HOME]),
        ({"HOME": "/"}, ["/tmp", HOME]),
        ({"TMPDIR": "/"}, [HOME]),
        ({"TMPDIR": "scratch", "HOME": ""}, []),
        ({"TMPDIR": "/run/jobq/../jobq/tmp"}, [HOME]),
    ],
)
def test_a_place_is_mounted_once_however_it_is_written_and_never_the_root(told, new):
    spec = job(site=Site(pod_template=read_only()), env=told)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert [
        mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in ("jobq-tmpdir", "jobq-home")
    ] == new


def test_what_reads_a_claim_can_write_where_programs_do_too():
    site = dataclasses.replace(EVERYTHING, pod_template=read_only())
    spec = fetching(facts(queue="main", site=site), ["python3", "token"])["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert {"/tmp", HOME} < {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


def test_a_user_of_the_image_has_a_home_to_write_to_as_well():
    assert "HOME" not in environment(user=User(uid=1234, gid=99))
    assert environment(user=User(uid=1234, gid=99), site=Site(pod_template=read_only()))["HOME"] == HOME


def test_on_a_hub_a_run_is_its_users(run, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "grace")
    assert manifests.job(run, IMAGE, Site())["metadata"]["labels"][names.USER] == "grace"


def test_what_a_claim_keeps_is_read_by_a_small_job_of_the_same_image_in_the_same_queue():
    patch = SEEN["patch"].site.pod_template
    site = dataclasses.replace(EVERYTHING, pod_template={"spec": {"containers": patch["spec"]["containers"]}})
    made = fetching(facts(queue="main", gpus="2", workers=4, memory="64Gi", site=site), ["python3", "token"])
    again = fetching(facts(queue="main", site=site), ["python3", "another"])
    spec = made["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert made["metadata"]["name"] != again["metadata"]["name"]
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "main"
    assert (container["image"], container["command"]) == (IMAGE, ["python3", "token"])
    assert container["resources"]["limits"] == {"cpu": "100m", "memory": "200Mi"}
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"]] == ["scratch"]
    assert container["volumeMounts"] == [{"name": "jobq-store", "mountPath": MOUNTED, "readOnly": True}]
    assert "subdomain" not in spec
    assert spec["imagePullSecrets"] == [{"name": "regcred"}]
    labels = made["metadata"]["labels"] | made["spec"]["template"]["metadata"]["labels"]
    assert names.RUN not in labels, "who follows the run would take it for one of its pods"


def test_by_whom_the_image_is_pulled_its_artifacts_are_pushed():
    site = Site(artifacts="r.example.org/x", pull_secrets=("a", "b"))
    mounts = {one["mountPath"]: one for one in main(site=site)["volumeMounts"]}
    assert mounts["/run/jobq-artifacts"]["readOnly"]
    (volume,) = [one for one in pod(site=site)["volumes"] if one["name"] == "jobq-artifacts"]
    assert volume["secret"]["secretName"] == "a"
    assert volume["secret"]["items"] == [{"key": ".dockerconfigjson", "path": "config.json"}]


# Whatever anybody may ask for.

_WORD = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_VARIABLES = st.dictionaries(st.from_regex(r"X[A-Z0-9_]{0,10}", fullmatch=True), st.text(st.characters(codec="utf-8")))
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "queue": _WORD,
        "priority": _WORD,
        "workers": st.integers(1, 300),
        "cpus": st.floats(0.001, 512) | st.integers(1, 512),
        "gpus": st.integers(1, 16),
        "memory": st.sampled_from(["8Gi", "500M", "1.5Gi", "12345678", "3000000k"]),
        "shm": st.sampled_from(["2Gi", "1.5G"]),
        "timeout": st.floats(0.1, 1e9) | st.sampled_from(["1h30m", "90s"]),
        "env": _VARIABLES,
        "label": st.dictionaries(_WORD, _WORD, max_size=3),
        "volume": st.lists(_WORD.map(lambda word: f"{word}:/mnt/{word}"), max_size=3),
        "no_requeue": st.booleans(),
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", fullmatch=True),
    },
)
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|[MGTPE]|[KMGTPE]i)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"|[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@given(SPECS, st.sampled_from([Site(), EVERYTHING]))
def test_whatever_anybody_may_ask_for_is_a_job_that_kubernetes_can_take(options, site):
    made = job(site=site, **options)
    assert yaml.safe_load(yaml.safe_dump(made)) == made
    template = made["spec"]["template"]
    for labels in (made["metadata"]["labels"], template["metadata"]["labels"]):
        assert all(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value) for key, value in labels.items())
    (container,) = template["spec"]["containers"]
    resources = container["resources"]
    for amount in resources.get("limits", {}).values():
        assert isinstance(amount, str)
        assert _QUANTITY.fullmatch(amount)
    assert all(isinstance(one.get("value", ""), str) for one in container["env"])
    assert len({one["name"] for one in container["env"]}) == len(container["env"])
    volumes = {one["name"] for one in template["spec"]["volumes"]}
    assert len(volumes) == len(template["spec"]["volumes"])
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    assert len({one["mountPath"] for one in container["volumeMounts"]}) == len(container["volumeMounts"])
    for number in ("parallelism", "completions", "ttlSecondsAfterFinished"):
        assert 0 < made["spec"][number] < 2**31
    assert 0 < made["spec"].get("activeDeadlineSeconds", 1) < 2**31


@pytest.mark.parametrize(
    ("login", "hub", "whose"),
    [("ada", "", "ada"), ("root", "", "ada@lab"), ("jovyan", "grace", "grace"), ("jovyan", "", "ada@lab")],
)
def test_a_run_is_that_of_a_person_whatever_the_container_calls_everybody(tmp_path, monkeypatch, login, hub, whose):
    path = tmp_path / "config"
    known = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "ada@lab"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1"}}],
        "users": [{"name": "ada@lab", "user": {}}],
    }
    path.write_text(json.dumps(known))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setenv("JUPYTERHUB_USER", hub)
    assert submitter(login, Site()) == whose
    path.write_text("")
    assert submitter("root", Site()) == (hub or "root")
