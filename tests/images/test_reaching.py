"""Whether images can be made and pushed, looked at by doctor: against a real registry."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest

from jobq_magic.image import Recipe
from jobq_magic.images import platforms, recognise
from jobq_magic.images.contents import BytesContent
from jobq_magic.images.mediatypes import OCI
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.places import cache_root
from jobq_magic.reaching import base
from jobq_magic.reaching import registry as look
from tests.services.registry import registry

HERE = platforms.here()
OTHER = "linux/arm64" if HERE == "linux/amd64" else "linux/amd64"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def target(tmp_path):
    with registry(tmp_path / "registry") as service:
        yield (
            {"to": "registry", "push": f"{service.address}/team/jobq", "pull": f"{service.address}/team/jobq"},
            service,
        )


def test_a_registry_that_takes_images_is_well(target):
    where, service = target
    pushed, pulled = look(where, service.environ)
    assert (pushed.code, pushed.level) == ("registry", "ok")
    assert pushed.what == f"Images can be pushed to {service.host}/team/jobq"
    assert (pulled.code, pulled.level) == ("registry-pull", "ok")
    assert pulled.what == f"Whoever reaches {service.host}/team/jobq may pull from it"


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


@pytest.fixture
def private(tmp_path):
    """A registry that lets in who has a login, as this machine has."""
    with registry(tmp_path / "registry", users={"ada": "secret"}) as service:
        folder = tmp_path / "docker"
        folder.mkdir()
        login = {"auths": {service.host: {"username": "ada", "password": "secret"}}}
        (folder / "config.json").write_text(json.dumps(login))
        where = {"to": "registry", "push": f"{service.address}/team/jobq", "pull": ""}
        yield where, {**service.environ, "HOME": str(tmp_path), "DOCKER_CONFIG": str(folder)}


def test_a_login_that_pods_are_not_given_is_told_before_they_cannot_pull(private):
    where, environ = private
    pushed, pulled = look(where, environ)
    assert (pushed.level, pulled.code, pulled.level, pulled.needed) == ("ok", "registry-pull", "unknown", False)
    assert pulled.what.endswith("lets nobody pull without a login, and the profile names none for pods")
    assert "pull_secrets" in pulled.advice
    (pushed,) = look({**where, "site": {"pull_secrets": ["regcred"]}}, environ)
    assert pushed.level == "ok"


# What images stand on.


def put(service, name, platform=HERE, **settings):
    """An image with one layer; its reference."""
    layer = b"layer of " + name.encode()
    config = {
        **platforms.described(platform),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    with Registry(Reference.parse(f"{service.address}/{name}"), service.environ, push=True) as to:
        told = []
        for data in (json.dumps(config).encode(), layer):
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            to.push_blob(digest, len(data), BytesContent(data))
            told.append({"digest": digest, "size": len(data)})
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI.manifest,
            "config": {"mediaType": OCI.config, **told[0]},
            "layers": [{"mediaType": OCI.layers[""], **told[1]}],
        }
        to.put_manifest("v1", json.dumps(manifest).encode(), OCI.manifest)
    return f"{service.address}/{name}:v1"


def seen(service, reference, **recipe):
    return [(one.code, one.level, one.what) for one in base(Recipe(base=reference, **recipe), "", service.environ)]


@pytest.fixture
def service(tmp_path):
    with registry(tmp_path / "registry") as service:
        yield service


def test_a_base_is_found_in_its_registry_with_its_platform_and_its_python(service):
    reference = put(service, "python", Env=[f"PYTHON_VERSION={PYTHON}.7"])
    assert seen(service, reference) == [
        ("base", "ok", f"Images stand on {reference}, for {HERE}, with Python {PYTHON}"),
        ("builder", "ok", "Images are assembled here, and need no Docker"),
    ]


def test_a_base_that_does_not_tell_its_python_is_not_known(service):
    reference = put(service, "other")
    found, *_ = base(Recipe(base=reference), "", service.environ)
    assert (found.code, found.level, found.needed) == ("base", "unknown", False)
    assert found.what.endswith(f"whether it has Python {PYTHON} is known when a job starts")
    assert found.advice.endswith(recognise.default_base(PYTHON))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ({"Env": ["PYTHON_VERSION=3.5.0"]}, f"has Python 3.5, this notebook {PYTHON}"),
        ({"platform": OTHER}, f"is not there for {HERE}: It is there for {OTHER}"),
    ],
)
def test_a_base_that_the_first_cell_would_refuse_is_a_problem_in_its_words(service, made, what):
    ((code, level, told),) = seen(service, put(service, "wrong", **made))[:1]
    assert (code, level) == ("base", "problem")
    assert what in told


def test_a_base_that_is_not_there_is_a_problem(service):
    ((code, level, told),) = seen(service, f"{service.address}/nothing:v1")
    assert (code, level) == ("base", "problem")
    assert told.startswith("The registry has no image ")


def test_a_layer_that_is_lost_is_told_though_the_base_has_its_name(service):
    reference = put(service, "lost", Env=[f"PYTHON_VERSION={PYTHON}.7"])
    digest = hashlib.sha256(b"layer of lost").hexdigest()
    for path in service.folder.rglob(f"*{digest}*"):
        if path.is_file():
            path.unlink()
        else:
            for each in [each for each in path.rglob("*") if each.is_file()]:
                each.unlink()
    ((code, level, told),) = seen(service, reference)
    assert (code, level) == ("base", "problem")
    assert "lost" in told


def test_what_was_looked_at_is_not_written_down(service):
    seen(service, put(service, "python", Env=[f"PYTHON_VERSION={PYTHON}.7"]))
    assert not (cache_root() / "images" / "pins.json").exists()


def test_what_has_to_be_run_in_an_image_needs_somebody_who_runs_it(service):
    reference = put(service, "python", Env=[f"PYTHON_VERSION={PYTHON}.7"])
    nobody = {**service.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    *_, found = base(Recipe(base=reference, apt=("vim",)), "", nobody)
    assert (found.code, found.level) == ("builder", "problem")
    assert found.what.startswith("--apt vim: that takes commands that run in the image, and no Docker Engine answers")


def test_this_machines_own_python_needs_no_registry(service):
    assert seen(service, "host")[0] == (
        "base",
        "ok",
        f"Images stand on this machine's own Python, for {HERE}, with Python {PYTHON}",
    )
