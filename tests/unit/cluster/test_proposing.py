from __future__ import annotations

import json

import pytest

from jobq_magic.cluster import connection
from jobq_magic.cluster.proposing import gpu_types, of_queues, propose
from jobq_magic.errors import BackendError
from tests.unit.cluster.apiserver import status


def named(name, **more):
    return {"metadata": {"name": name}, **more}


def local(name, leads, **spec):
    return named(name, spec={"clusterQueue": leads, **spec})


def wide(name, **flavors):
    groups = [
        {
            "flavors": [
                {"name": flavor, "resources": [{"name": key, "nominalQuota": value} for key, value in has.items()]}
                for flavor, has in flavors.items()
            ]
        }
    ]
    return named(name, spec={"resourceGroups": groups})


H100 = named("big", spec={"nodeLabels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}})
BLUE = wide("blue", default={"cpu": "8", "memory": "32Gi"})
GPU = wide("gpu", big={"cpu": "8", "nvidia.com/gpu": "4"})


def proposal(*queues, flavors=(H100,), context="lab"):
    return of_queues([*queues], [BLUE, GPU], [*flavors], context=context, namespace="team")


def test_a_profile_names_the_place_and_the_queue():
    made = proposal(local("main", "blue"))
    assert made.name == "lab"
    assert made.values == {"mode": "kueue", "context": "lab", "namespace": "team", "queue": "main"}
    assert made.remarks == {"queue": "its own quota: 8 cpus and 32Gi of memory"}


def test_in_the_cluster_there_is_no_context_to_name():
    made = proposal(local("main", "blue"), context="")
    assert (made.name, "context" in made.values) == ("cluster", False)


@pytest.mark.parametrize("context", ["admin@lab", "arn:aws:eks:eu:1:cluster/lab"])
def test_a_profile_has_a_name_that_one_can_type(context):
    assert proposal(local("main", "blue"), context=context).name == "lab"


@pytest.mark.parametrize(
    ("queues", "first"),
    [
        ([local("gpu", "gpu"), local("main", "blue")], "main"),
        ([local("a", "blue"), local("main", "blue")], "main"),
        ([local("a", "blue"), local("b", "blue", stopPolicy="Hold")], "a"),
        ([local("a", "blue", stopPolicy="Hold"), local("gpu", "gpu")], "gpu"),
    ],
)
def test_the_queue_is_one_that_takes_work_and_has_no_rare_machines(queues, first):
    made = proposal(*queues)
    assert made.values["queue"] == first
    assert ("takes no work now" in made.remarks["queue"]) == any("stopPolicy" in one["spec"] for one in queues)
    assert f"others: {next(one['metadata']['name'] for one in queues if one['metadata']['name'] != first)}" in str(
        made.remarks
    )


def test_types_of_gpu_are_those_of_the_flavors_with_the_queue_that_has_them():
    made = proposal(local("main", "blue"), local("gpu", "gpu"))
    assert made.values["gpu_types"] == {
        "h100": {"node_selector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, "queue": "gpu"}
    }


@pytest.mark.parametrize(
    ("product", "word"),
    [
        ("NVIDIA-H100-80GB-HBM3", "h100"),
        ("NVIDIA-A100-SXM4-80GB", "a100"),
        ("Tesla-V100-SXM2-16GB", "v100"),
        ("Tesla-T4", "t4"),
        ("NVIDIA-L40S", "l40s"),
        ("NVIDIA-GB200", "gb200"),
        ("", "big"),
    ],
)
def test_a_type_is_called_as_people_call_it(product, word):
    labels = {"nvidia.com/gpu.product": product} if product else {"pool": "x"}
    assert [*gpu_types([local("gpu", "gpu")], {"gpu": GPU}, {"big": named("big", spec={"nodeLabels": labels})})] == [
        word
    ]


def test_what_may_not_be_read_is_left_out():
    made = of_queues([local("main", "blue")], [], [], context="lab", namespace="team")
    assert made.values == {"mode": "kueue", "context": "lab", "namespace": "team", "queue": "main"}


def answering(server, **answers):
    """A server that knows these; all else it does not have."""

    def answer(handler):
        found = next((body for part, body in answers.items() if handler.path.endswith(part)), None)
        data = json.dumps(found or {"kind": "Status", "reason": "NotFound"}).encode()
        handler.send_response(200 if found else 404)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    server.always = answer


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    connection.forget()


def test_the_registry_is_the_environments_or_has_to_be_written_by_hand(environ, server, tmp_path):
    queues = {"items": [local("main", "blue")]}
    answering(server, **{"kueue.x-k8s.io": {"versions": [{"version": "v1beta2"}]}, "localqueues": queues})
    (made,) = propose(environ)
    assert made.values["namespace"] == "team"
    assert made.to_fill_in["push"][0] == "registry.example.org/team/jobq"

    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"auths": {"https://ghcr.io/v2": {}}}')
    (made,) = propose(environ)
    assert made.to_fill_in["push"][0] == "ghcr.io/team/jobq"

    (made,) = propose({**environ, "JOBQ_PUSH": "registry.lab/x"})
    assert (made.values["push"], made.to_fill_in) == ("registry.lab/x", {})


def test_where_there_is_no_queue_that_is_said(environ, server):
    answering(server, **{"kueue.x-k8s.io": {"versions": [{"version": "v1beta2"}]}})
    with pytest.raises(BackendError) as refused:
        propose(environ)
    assert refused.value.code in {"no-queue-found", "cluster-missing"}


def test_who_may_do_nothing_in_a_namespace_that_nobody_named_is_told_to_name_one(environ, server):
    server.always = (200, {"versions": [{"version": "v1beta2"}]})
    told = 'it is forbidden: User "ada" cannot list resource "localqueues" in API group "kueue.x-k8s.io"'
    server.refused = {"localqueues": (403, status(403, "Forbidden", told))}
    with pytest.raises(BackendError) as refused:
        propose(environ)
    assert refused.value.do.startswith("Name the namespace that is yours, by --namespace NAME. ")
    with pytest.raises(BackendError) as refused:
        propose(environ, namespace="team")
    assert "--namespace" not in refused.value.do


def test_a_cluster_that_is_not_there_is_told(environ, server):
    server.close()
    with pytest.raises(BackendError, match="cannot be reached"):
        propose(environ)
