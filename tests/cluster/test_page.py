"""What the page about the cluster tells people to type works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cluster import environment
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import REGISTRY_PUSH

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "cluster.md"


@pytest.fixture
def swept():
    """Nothing of the names that the page uses is there, before and after."""

    def sweep():
        kubectl("delete", "jobs,rayjobs", "hello", "hello-ray", "-n", "team-blue", "--ignore-not-found")

    sweep()
    yield
    sweep()


@pytest.mark.own_cluster
def test_a_user_types_what_the_page_says(cluster, image, ray_image, swept, tmp_path):
    block = re.search(r"^## A job, .*?^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert block
    copied = f"skopeo copy --src-tls-verify=false docker://{REGISTRY_PUSH}/python oci:FOLDER"
    script = "\n".join(("set -eo pipefail", f". {shlex.quote(str(environment.write()))}", copied, block[1]))
    done = subprocess.run(
        [
            "bash",
            "-c",
            script.replace("FOLDER", str(tmp_path / "image")).replace("tests/cluster/", f"{ROOT}/tests/cluster/"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert "hello" in said
    assert "rayjob.ray.io/hello-ray created" in said
    assert any('"kind":"PendingWorkloadsSummary"' in line for line in said)
