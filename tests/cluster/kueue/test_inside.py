"""A notebook that lives in the cluster, as JupyterHub and Kubeflow start them: a pod with a service account.

Nothing else says where it is. A real IPython in it submits a cell to the queue of its own namespace.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.utils import create_from_dict

import jobq_magic
from tests.cluster.layout import FIRST, REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.manifests import container, pod
from tests.support import eventually

pytestmark = pytest.mark.own_cluster

SECONDS = 180
PORT = int(REGISTRY_PUSH.rpartition(":")[2])
SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def cell(text):
    done = shell.run_cell(text, store_history=True)
    done.raise_error()
    return done.result
cell("%load_ext jobq_magic")
"""


def folder(admin: Any, namespace: str, name: str, path: Path) -> str:
    """A claim upon a folder of this machine: what the notebook's image would have, is not pushed for a test."""
    core = client.CoreV1Api(admin)
    size, mode = {"storage": "1Gi"}, ["ReadOnlyMany"]
    spec = {"capacity": size, "accessModes": mode, "storageClassName": "", "hostPath": {"path": str(path)}}
    core.create_persistent_volume({"metadata": {"name": f"{namespace}-{name}"}, "spec": spec})
    wanted = {
        "accessModes": mode,
        "storageClassName": "",
        "volumeName": f"{namespace}-{name}",
        "resources": {"requests": size},
    }
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": name}, "spec": wanted})
    return f"{namespace}-{name}"


def written() -> list[dict[str, Any]]:
    """What docs/inside.md has an administrator make: service account and bindings."""
    text = (Path(__file__).parents[3] / "docs/inside.md").read_text(encoding="utf-8")
    return [*yaml.safe_load_all(text.partition("```yaml\n")[2].partition("```")[0])]


@pytest.fixture
def notebook(admin, site, namespace, queue, image) -> Iterator[Callable[..., str]]:
    """Executes something in a pod of the service account `notebook`, to its end; returns what it prints."""
    core = client.CoreV1Api(admin)
    for found in written():
        found["metadata"]["namespace"] = namespace
        for subject in found.get("subjects", ()):
            subject["namespace"] = namespace
        create_from_dict(admin, found, namespace=namespace)
    # The registry has a name in the cluster; here it is a Service in front of an address.
    core.create_namespaced_service(
        namespace,
        {"metadata": {"name": "registry"}, "spec": {"clusterIP": "None", "ports": [{"port": PORT}]}},
    )
    core.create_namespaced_endpoints(
        namespace,
        {
            "metadata": {"name": "registry"},
            "subsets": [{"addresses": [{"ip": FIRST.address}], "ports": [{"port": PORT}]}],
        },
    )
    here, packages = Path(jobq_magic.__file__).parents[1], Path(sysconfig.get_path("purelib"))
    volumes = [folder(admin, namespace, name, path) for name, path in (("ours", here), ("packages", packages))]
    environ = {
        "HOME": "/home/jovyan",
        "PYTHONPATH": "/mnt/packages:/mnt/ours",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTERHUB_USER": "eve",
        "JOBQ_QUEUE": queue,
        "JOBQ_PUSH": f"http://registry.{namespace}.svc.cluster.local:{PORT}/inside",
        "JOBQ_PULL": f"{REGISTRY_PULL}/inside",
    }

    def run(code: str, **more: str) -> str:
        name = f"jupyter-eve-{len(core.list_namespaced_pod(namespace).items)}"
        mounts = {"home": "/home/jovyan", "tmp": "/tmp", "ours": "/mnt/ours", "packages": "/mnt/packages"}
        inside = container(
            image,
            *("python3", "-c", code),
            memory="400Mi",
            env=[{"name": key, "value": text} for key, text in {**environ, **more}.items()],
            volumeMounts=[{"name": key, "mountPath": path} for key, path in mounts.items()],
        )
        claims = [{"name": key, "persistentVolumeClaim": {"claimName": key}} for key in ("ours", "packages")]
        empty = [{"name": key, "emptyDir": {}} for key in ("home", "tmp")]
        site.make(
            pod(
                name,
                inside,
                volumes=[*empty, *claims],
                serviceAccountName="notebook",
                automountServiceAccountToken=True,
            )
        )
        ended = eventually(lambda: site.phase(name) in {"Succeeded", "Failed"} and site.phase(name), SECONDS, every=0.5)
        printed = site.log(name)
        assert ended == "Succeeded", printed
        return printed

    yield run
    for name in volumes:
        core.delete_persistent_volume(name)


def test_a_cell_of_it_goes_to_the_queue_of_its_namespace_and_comes_back(notebook, namespace):
    printed = notebook(
        SHELL
        + """
cell("factor = 6")
result = cell("%%jobq --mode kueue --wait --cpus 0.1 --memory 200Mi --base host\\nimport os\\n"
              "print('in', os.environ['JOBQ_RUN'])\\nanswer = factor * 7\\nanswer")
print("RESULT", json.dumps([result, shell.user_ns["answer"]]))
from jobq_magic.runs.store import Store
(run,) = Store().list()
print("TARGET", json.dumps(dict(run.target)))
"""
    )
    lines = dict(line.split(" ", 1) for line in printed.splitlines() if line.startswith(("RESULT", "TARGET")))
    assert json.loads(lines["RESULT"]) == [42, 42], printed
    target = json.loads(lines["TARGET"])
    assert target["where"] == f"queue main of {namespace}"
    assert target["site"]["namespace"] == namespace
    assert not target["site"].keys() & {"context", "kubeconfig"}


def test_a_profile_is_proposed_for_it_and_doctor_finds_nothing_wrong(notebook, namespace):
    printed = notebook(
        """
import io, json, os, pathlib, contextlib
from jobq_magic.cli.main import main
os.chdir(os.environ["HOME"])
os.environ["JOBQ_CONFIG"] = "/home/jovyan/config.toml"
os.environ["JOBQ_BASE"] = "host"
assert main(["config", "--init", "lab"]) == 0
print("PROFILE", json.dumps(pathlib.Path("/home/jovyan/config.toml").read_text()))
told = io.StringIO()
with contextlib.redirect_stdout(told):
    main(["doctor", "--json", "--profile", "lab", "--cpus", "0.1", "--memory", "100Mi"])
print("DOCTOR", json.dumps(json.loads(told.getvalue())))
"""
    )
    lines = dict(line.split(" ", 1) for line in printed.splitlines() if line.startswith(("PROFILE", "DOCTOR")))
    profile = json.loads(lines["PROFILE"])
    assert 'mode = "kueue"' in profile
    assert f'namespace = "{namespace}"' in profile
    assert "context" not in profile.replace("the cluster that we run in", "")
    found = {one["code"]: one for one in json.loads(lines["DOCTOR"])["findings"]}
    assert {code for code, one in found.items() if one["level"] == "problem"} == set(), found
    assert found["registry"]["level"] == "ok", found
    assert f"registry.{namespace}.svc" in found["registry"]["what"]
