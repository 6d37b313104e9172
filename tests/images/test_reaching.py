"""Whether images can be pushed, looked at by doctor: against a real registry."""

from __future__ import annotations

import pytest

from jobq_magic.reaching import registry as look
from tests.services.registry import registry


@pytest.fixture
def target(tmp_path):
    with registry(tmp_path / "registry") as service:
        yield (
            {"to": "registry", "push": f"{service.address}/team/jobq", "pull": f"{service.address}/team/jobq"},
            service,
        )


def test_a_registry_that_takes_images_is_well(target):
    where, service = target
    (found,) = look(where, service.environ)
    assert (found.code, found.level, found.what) == (
        "registry",
        "ok",
        f"Images can be pushed to {service.host}/team/jobq",
    )


def test_no_image_is_left_behind(target):
    where, service = target
    list(look(where, service.environ))
    assert not list((service.folder / "store").rglob("_manifests"))


def test_where_pods_pull_from_another_name_that_stays_unknown(target):
    where, service = target
    _, found = look({**where, "pull": "registry.inside/team/jobq"}, service.environ)
    assert (found.code, found.level) == ("registry-pull", "unknown")
    assert "registry.inside/team/jobq" in found.what


def test_one_that_wants_a_password_is_a_problem(tmp_path):
    with registry(tmp_path / "registry", users={"ada": "secret"}) as service:
        (found,) = look({"to": "registry", "push": f"{service.address}/team/jobq", "pull": ""}, {"HOME": str(tmp_path)})
    assert (found.code, found.level) == ("registry", "problem")
    assert found.advice


def test_one_that_does_not_answer_is_a_problem(tmp_path):
    with registry(tmp_path / "registry") as service:
        address = service.address
    (found,) = look({"to": "registry", "push": f"{address}/team/jobq", "pull": ""}, {})
    assert (found.code, found.level) == ("registry", "problem")


def test_images_that_go_to_no_registry_are_passed_over():
    assert list(look({"to": "engine", "push": None}, {})) == []
    assert list(look({"to": "registry", "push": None}, {})) == []
