"""How platforms are called."""

from __future__ import annotations

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import platforms


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/ARM64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
    ],
)
def test_a_platform_may_be_written_as_people_do(written, meant):
    assert platforms.normal(written) == meant


@pytest.mark.parametrize(
    "written", ["windows/amd64", "linux/arm/v7", "linux/arm64/v9", "", "linux", "linux/amd64/v3", "linux/amd64/v8"]
)
def test_another_platform_is_refused_with_those_there_are(written):
    with pytest.raises(BackendError) as caught:
        platforms.normal(written)
    assert "linux/amd64, linux/arm64" in str(caught.value)


def test_uv_hears_what_it_calls_it():
    assert platforms.for_uv("amd64") == "x86_64-manylinux_2_28"
    assert platforms.for_uv("linux/arm64/v8") == "aarch64-manylinux_2_28"


def test_this_machine_has_one():
    assert platforms.here() in ("linux/amd64", "linux/arm64")


def test_a_variant_is_told_only_where_it_says_something():
    assert platforms.of({"os": "linux", "architecture": "arm64", "variant": "v8"}) == "linux/arm64"
    assert platforms.of({"os": "linux", "architecture": "arm", "variant": "v7"}) == "linux/arm/v7"
