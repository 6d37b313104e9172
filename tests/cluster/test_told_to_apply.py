"""What docs tell an administrator to apply is taken by a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cluster.kubectl import kubectl
from tests.docs.conftest import Document

DOCS = Path(__file__).parents[2] / "docs"
OBJECTS = [
    pytest.param(found, id=f"{path.stem}-{found['kind']}-{found['metadata']['name']}")
    for path in sorted(DOCS.glob("*.md"))
    for block in Document.read(path).of("yaml")
    for found in yaml.safe_load_all(block.text)
    if "apiVersion" in found
]


@pytest.mark.parametrize("found", OBJECTS)
@pytest.mark.usefixtures("cluster")
def test_a_cluster_takes_it(found):
    namespace = found["metadata"].get("namespace")
    if namespace:  # as of one that is there
        found["metadata"]["namespace"] = "default"
    assert kubectl("apply", "--dry-run=server", "-f", "-", given=yaml.safe_dump(found)).strip().endswith("dry run)")
