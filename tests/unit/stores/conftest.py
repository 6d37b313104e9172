"""A real S3, with a bucket, for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.s3 import PACKAGES, S3
from tests.services.s3 import s3 as running


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[S3]:
    with running(tmp_path_factory.mktemp("s3")) as service:
        yield service


@pytest.fixture
def s3(server: S3, monkeypatch) -> S3:
    """It answers, and has the bucket `results`, empty; this process finds s3fs."""
    import shutil

    shutil.rmtree(server.folder / "buckets" / "results", ignore_errors=True)
    server.bucket("results")
    if server.process is None:
        server.start()
    monkeypatch.syspath_prepend(str(PACKAGES))
    return server
