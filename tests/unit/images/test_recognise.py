"""Which Python and which Ray are in a base."""

from __future__ import annotations

import pytest

from jobq_magic.images.recognise import Inside, default_base, inside, provided


def _config(*env: str, labels=None, history=()) -> dict:
    told = [{"created_by": line} for line in history]
    return {"config": {"Env": list(env), "Labels": labels}, "history": told}


@pytest.mark.parametrize(
    ("reference", "config", "known"),
    [
        ("python:3.11-slim", _config("PATH=/usr/bin", "PYTHON_VERSION=3.11.9"), Inside("3.11")),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm", _config("PYTHON_VERSION=3.12.4"), Inside("3.12")),
        ("me/app:1", _config("PYTHON_VERSION=3.14.0rc1"), Inside("3.14")),
        ("me/app:1", _config("PYTHON_VERSION=python3"), Inside()),
        ("rayproject/ray:2.48.0-py311", _config(), Inside("3.11", "2.48.0")),
        ("rayproject/ray:2.48.0-py311-cu128-aarch64", _config(), Inside("3.11", "2.48.0")),
        ("rayproject/ray:2.48.0.abcdef-py310-cpu", _config(), Inside("3.10", "2.48.0")),
        ("docker.io/rayproject/ray-ml:2.9.3-py39-gpu@sha256:" + "0" * 64, _config(), Inside("3.9", "2.9.3")),
        ("mirror.example.org:5000/hub/rayproject/ray:2.48.0-py312", _config(), Inside("3.12", "2.48.0")),
        ("quay.io/modh/ray:2.44.1-py311-cu121", _config(), Inside("3.11", "2.44.1")),
        ("anyscale/ray-llm:2.50.1-py311-cu128", _config(), Inside("3.11", "2.50.1")),
        ("rayproject/ray:2.48.0", _config(), Inside("", "2.48.0")),
        ("rayproject/ray:latest-py311", _config(), Inside("3.11", "")),
        ("rayproject/ray:nightly", _config(labels={"io.ray.ray-version": "3.0.0.dev0"}), Inside("", "3.0.0.dev0")),
        (
            "rayproject/ray@sha256:" + "0" * 64,
            _config(labels={"io.ray.ray-version": "2.51.0"}, history=["|2 X=1 PYTHON_VERSION=3.12 /bin/bash -c x"]),
            Inside("3.12", "2.51.0"),
        ),
        ("me/mine:7", _config(labels={"io.ray.ray-version": "2.51.0"}), Inside("", "2.51.0")),
        ("quay.io/jupyter/scipy-notebook:python-3.11.6", _config(), Inside("3.11")),
        ("me/ray:1.0.0", _config(), Inside()),
        ("me/app:py311", _config(), Inside()),
        ("nvidia/cuda:12.8.0-base", _config(), Inside()),
        ("scratch", {}, Inside()),
        ("scratch", {"config": None, "history": None}, Inside()),
    ],
)  # fmt: skip
def test_only_what_is_certain_is_known(reference, config, known):
    assert inside(reference, config) == known


def test_the_default_base_is_a_slim_python_or_the_image_of_the_same_ray():
    assert default_base("3.11") == "python:3.11-slim"
    assert default_base("3.12", "2.48.0") == "rayproject/ray:2.48.0-py312"
    assert default_base("3.12", "2.48.0", "linux/arm64") == "rayproject/ray:2.48.0-py312-aarch64"


def test_the_default_base_is_recognised():
    assert inside(default_base("3.13", "2.50.0"), {}) == Inside("3.13", "2.50.0")


def test_ray_is_never_installed_over_a_base_that_has_it():
    assert provided("2.48.0") == {"ray"}
    assert provided("") == frozenset()
