"""From a base and layers to a configuration and a manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from jobq_magic.image import Recipe, User
from jobq_magic.images import assemble, layout
from jobq_magic.images.model import Base, Layer, Part

CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-02T03:04:05Z",
    "docker_version": "20.10",
    "config": {
        "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"],
        "Entrypoint": ["/entry.sh"],
        "Cmd": ["bash"],
        "Healthcheck": {"Test": ["CMD", "true"]},
        "OnBuild": ["RUN echo no"],
        "Labels": {"from": "base"},
        "WorkingDir": "/srv",
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:b0"]},
    "history": [{"created_by": "ADD rootfs"}, {"created_by": "CMD bash", "empty_layer": True}],
}


def _layer(kind: str, name: str, compression: str = "gzip") -> Layer:
    return Layer(kind, name, f"sha256:d-{name}", f"sha256:t-{name}", 10, compression)  # type: ignore[arg-type]


BASE = Base("docker.io/library/python@sha256:abc", "sha256:abc", CONFIG, (_layer("base", "b"),), python="3.11")
PARTS = [Part("requirements", "numpy", "k1", lambda _: ()), Part("code", "the cell", "k2", lambda _: ())]


def _image(base: Base = BASE, recipe: Recipe | None = None, provenance=None, more=("numpy", "cell")):
    layers = (*base.layers, *(_layer("code", name) for name in more))
    return assemble.assemble(base, layers, recipe or Recipe(), provenance or {}, "the-key")


def _config(base: Base = BASE, recipe: Recipe | None = None) -> dict:
    return json.loads(_image(base, recipe).config)


def _settings(base: Base = BASE, **recipe) -> dict:
    return _config(base, Recipe(**recipe))["config"]


def _environment(base: Base = BASE, **recipe) -> dict[str, str]:
    return dict(line.split("=", 1) for line in _settings(base, **recipe)["Env"])


def _based(**settings) -> Base:
    return replace(BASE, config={**CONFIG, "config": {**CONFIG["config"], **settings}})


def test_digests_are_those_of_the_bytes():
    image = _image()
    manifest = json.loads(image.manifest)
    assert image.digest == f"sha256:{hashlib.sha256(image.manifest).hexdigest()}"
    assert manifest["config"]["digest"] == image.config_digest == f"sha256:{hashlib.sha256(image.config).hexdigest()}"
    assert manifest["config"]["size"] == len(image.config)
    assert [layer["digest"] for layer in manifest["layers"]] == ["sha256:t-b", "sha256:t-numpy", "sha256:t-cell"]
    assert json.loads(image.config)["rootfs"]["diff_ids"] == ["sha256:d-b", "sha256:d-numpy", "sha256:d-cell"]


def test_equal_input_gives_equal_bytes_whatever_the_order_in_which_it_is_given():
    one = _image(recipe=Recipe(env={"A": "1", "B": "2"}, labels={"x": "1", "y": "2"}), provenance={"p": "1", "q": "2"})
    two = _image(recipe=Recipe(env={"B": "2", "A": "1"}, labels={"y": "2", "x": "1"}), provenance={"q": "2", "p": "1"})
    assert (one.config, one.manifest) == (two.config, two.manifest)


def test_nothing_of_the_base_decides_how_a_job_is_started():
    settings = _settings()
    assert settings["Cmd"] == ["python3"]
    assert not {"Entrypoint", "Healthcheck", "OnBuild"} & settings.keys()


def test_times_and_tools_of_the_base_do_not_reach_the_configuration():
    config = _config()
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert "docker_version" not in config


def test_what_is_installed_and_the_runtime_are_found_first():
    known = _environment(_based(Env=["PATH=/a:/b", "PYTHONPATH=/theirs"]))
    assert known["PATH"] == f"{layout.BIN}:/a:/b"
    assert known["PYTHONPATH"] == f"{layout.PATH}:/theirs"


def test_an_image_upon_one_of_ours_names_our_folders_once():
    first = json.loads(_image().config)["config"]
    known = _environment(_based(Env=first["Env"]))
    assert known["PATH"].split(":").count(layout.BIN) == 1
    assert known["PYTHONPATH"] == layout.PATH


def test_a_base_without_a_path_gets_the_usual_one():
    known = _environment(_based(Env=None))
    assert known["PATH"] == f"{layout.BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.parametrize("value", ["a=b=c", "with spaces  and 'quotes' \"", "$HOME/x ${OTHER}", "", "ü\n\\n"])
def test_a_value_of_the_environment_is_what_was_written(value):
    assert _environment(env={"SOME": value})["SOME"] == value


def test_a_path_may_be_put_before_what_is_there():
    assert _environment(env={"PATH": "/mine:$PATH"})["PATH"] == f"{layout.BIN}:/mine:/usr/local/bin:/usr/bin"
    assert _environment(env={"PATH": "/mine:${PATH}"})["PATH"] == f"{layout.BIN}:/mine:/usr/local/bin:/usr/bin"


def test_volumes_are_keys_and_no_text_in_quotes():
    assert _settings(volumes=("/home/ray/app", "/data"))["Volumes"] == {"/home/ray/app": {}, "/data": {}}


def test_a_working_folder_needs_no_user():
    settings = _settings(workdir="/app")
    assert settings["WorkingDir"] == "/app"
    assert "User" not in settings


def test_a_relative_working_folder_starts_where_the_base_is():
    assert _settings(workdir="sub/../app")["WorkingDir"] == "/srv/app"


def test_jobs_work_in_their_own_folder_unless_a_dockerfile_says_where():
    assert _settings()["WorkingDir"] == layout.HOME
    assert _settings(dockerfile="FROM x\nWORKDIR /srv\n")["WorkingDir"] == "/srv"


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (None, None),
        (User(uid=1000), "1000"),
        (User(uid=0, gid=0), "0:0"),
        (User(uid=1000, gid=100, name="ray"), "1000:100"),
        (User(name="ray"), "ray"),
        (User(), None),
    ],
)
def test_a_user_is_told_by_number_where_there_is_one(user, shown):
    assert _settings(user=user).get("User") == shown


def test_there_is_a_home_for_a_user_who_has_none():
    assert _environment()["HOME"] == layout.HOME
    assert _environment(user=User(uid=4711))["HOME"] == layout.HOME
    assert _environment(_based(User="1000:1000"))["HOME"] == layout.HOME


def test_a_home_that_is_known_stays():
    assert _environment(_based(Env=["HOME=/home/ray"]))["HOME"] == "/home/ray"
    assert _environment(env={"HOME": "/mine"})["HOME"] == "/mine"
    assert "HOME" not in _environment(_based(User="ray:users"))
    assert "HOME" not in _environment(user=User(uid=1000, name="ray", create=True))


def test_labels_shell_and_signal_are_those_of_the_recipe_over_those_of_the_base():
    settings = _settings(labels={"Team": "a b=c"}, shell=("/bin/bash", "-c"), stopsignal="SIGINT")
    assert settings["Labels"] == {"from": "base", "Team": "a b=c"}
    assert (settings["Shell"], settings["StopSignal"]) == (["/bin/bash", "-c"], "SIGINT")


def test_arguments_of_a_build_are_in_no_byte():
    history = [
        {"created_by": "|1 TOKEN=hunter2 /bin/sh -c make"},
        {"created_by": "RUN |1 TOKEN=hunter2 /bin/sh -c make # buildkit", "empty_layer": True},
        {"created_by": "ARG TOKEN=hunter2", "empty_layer": True},
        {"created_by": "/bin/sh -c #(nop)  ARG TOKEN=hunter2", "empty_layer": True, "comment": "hunter2"},
    ]
    image = _image(replace(BASE, config={**CONFIG, "history": history}), Recipe(args={"TOKEN": "hunter2"}))
    assert b"hunter2" not in image.config + image.manifest


def test_the_history_has_an_entry_for_each_layer():
    told = _config()["history"]
    assert [entry["created_by"] for entry in told] == ["ADD rootfs", "CMD bash", "jobq code", "jobq code"]
    for history in ([], None, [{"created_by": "squashed"}, {"created_by": "twice"}]):
        told = _config(replace(BASE, config={**CONFIG, "history": history}))["history"]
        assert sum(not entry.get("empty_layer") for entry in told) == 3


def test_media_types_are_those_of_the_base():
    docker = _image(replace(BASE, docker=True))
    told = json.loads(docker.manifest)
    assert docker.media_type == told["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {layer["mediaType"] for layer in told["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    assert "annotations" not in told
    oci = json.loads(_image().manifest)
    assert oci["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert {layer["mediaType"] for layer in oci["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}


@pytest.mark.parametrize(
    ("provenance", "compression", "kind"),
    [({"jobq.cell": "a1"}, "gzip", "tar+gzip"), ({}, "zstd", "tar+zstd"), ({}, "", "tar")],
)
def test_what_only_oci_can_say_makes_all_of_it_oci(provenance, compression, kind):
    base = replace(BASE, docker=True)
    layers = (*base.layers, _layer("code", "cell", compression))
    told = json.loads(assemble.assemble(base, layers, Recipe(), provenance, "k").manifest)
    types = [told["mediaType"], told["config"]["mediaType"], *(layer["mediaType"] for layer in told["layers"])]
    assert all(each.startswith("application/vnd.oci.image.") for each in types)
    assert types[-1] == f"application/vnd.oci.image.layer.v1.{kind}"


def test_annotations_say_where_it_comes_from():
    told = json.loads(_image(provenance={"org.opencontainers.image.revision": "abc"}).manifest)["annotations"]
    assert told == {
        "org.opencontainers.image.revision": "abc",
        "org.opencontainers.image.base.name": "docker.io/library/python",
        "org.opencontainers.image.base.digest": "sha256:abc",
        "jobq.key": "the-key",
    }


def test_the_key_does_not_depend_on_provenance_nor_on_what_is_not_in_the_image():
    key = assemble.image_key(BASE, PARTS, Recipe())
    assert key == assemble.image_key(BASE, PARTS, Recipe(context="/elsewhere", builder="append"))
    assert len(key) == 64
    assert _image(provenance={"a": "1"}).config == _image(provenance={"a": "2"}).config


@pytest.mark.parametrize(
    "changed",
    [
        {"base": replace(BASE, key="sha256:other")},
        {"base": replace(BASE, docker=True)},
        {"parts": PARTS[::-1]},
        {"parts": PARTS[:1]},
        {"recipe": Recipe(env={"A": "1"})},
        {"recipe": Recipe(labels={"A": "1"})},
        {"recipe": Recipe(user=User(uid=1))},
        {"recipe": Recipe(workdir="/x")},
        {"recipe": Recipe(volumes=("/x",))},
        {"recipe": Recipe(stopsignal="9")},
        {"recipe": Recipe(shell=("sh",))},
    ],
)
def test_the_key_depends_on_all_that_is_in_the_image(changed):
    usual = {"base": BASE, "parts": PARTS, "recipe": Recipe()}
    assert assemble.image_key(**{**usual, **changed}) != assemble.image_key(**usual)
