"""What was asked for of a run is told as options."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobq_magic import options
from jobq_magic.config import resolve
from jobq_magic.server.wanted import wanted


def of(line: str) -> str:
    given = options.parse(options.split(line)).options
    spec = resolve(given, cwd=Path("/"), environ={}, interactive=True).spec.model_dump(mode="json")
    return " ".join(f"{one['name']} {one['value']}".strip() for one in wanted(spec))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--workers 4",
        "--workers 2..4 --gpus a100:2 --memory 8Gi",
        "--env OMP_NUM_THREADS=4 --label team=blue --label kind=test",
        "--volume data:/data --volume more:/more:ro",
        "--no-lock --out x,y",
        "--timeout 2:00:00",
    ],
)
def test_it_is_what_one_would_write(line):
    assert of(line.replace("2:00:00", "2h")) == line


def test_the_mode_is_told_elsewhere():
    assert of("--mode ray --workers 2") == "--workers 2"


def test_what_nobody_should_read_is_told_by_its_name():
    assert of("--secret TOKEN=vault/hunter2") == "--secret TOKEN"
    told = wanted({"address": "http://ada:hunter2@ray.example:8265", "secret": {"TOKEN": None}})
    assert told == [{"name": "--address", "value": ""}, {"name": "--secret", "value": "TOKEN"}]
