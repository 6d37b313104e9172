from __future__ import annotations

import base64
import json
import sys
import time

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.registry import Reference
from jobq_magic.images.registry.credentials import credentials

CANARY = "canary-5d1c"


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def machine(tmp_path):
    """Writes Docker's configuration, and finds credentials by it."""
    environ = {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}

    class Machine:
        def __init__(self):
            self.environ = environ

        def write(self, known, path=".docker/config.json"):
            file = tmp_path / "home" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(known if isinstance(known, str) else json.dumps(known))

        def helper(self, name, script):
            program = tmp_path / "bin" / f"docker-credential-{name}"
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!{sys.executable}\nimport sys, json, time\nserver = sys.stdin.read()\n{script}\n")
            program.chmod(0o755)

        def find(self, name, **more):
            return credentials(Reference.parse(name), environ, **more)

    return Machine()


def test_without_any_configuration_there_are_none(machine):
    found = machine.find("h.org/x")
    assert not found
    assert found.trouble == ""


@pytest.mark.parametrize("key", ["h.org:5", "https://h.org:5", "https://h.org:5/v2/", "http://h.org:5/v1/"])
def test_an_entry_is_found_by_its_host_however_it_is_written(machine, key):
    machine.write({"auths": {key: auth("me", f"a:{CANARY}")}})
    found = machine.find("h.org:5/x")
    assert (found.username, found.password) == ("me", f"a:{CANARY}")
    assert not machine.find("h.org/x")


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_has_its_names(machine, key):
    machine.write({"auths": {key: auth("me", CANARY)}})
    assert machine.find("python").password == CANARY
    assert machine.find("a/b").password == CANARY


def test_an_entry_for_a_namespace_goes_before_that_of_the_registry(machine):
    machine.write(
        {"auths": {"h.org": auth("all", "1"), "h.org/team": auth("team", "2"), "h.org/team/x": auth("x", "3")}}
    )
    assert [machine.find(f"h.org/{name}").username for name in ("team/x", "team/y", "y", "teams/x")] == [
        "x", "team", "all", "all",
    ]  # fmt: skip


def test_all_kinds_of_entries_are_read(machine):
    machine.write(
        {
            "auths": {
                "a.org": {"username": "me", "password": "p"},
                "b.org": {**auth("me", ""), "identitytoken": "i"},
                "c.org": {"registrytoken": "r"},
                "d.org": auth("<token>", "j"),
                "e.org": {"auth": "???"},
                "f.org": {},
            }
        }
    )
    found = {name: machine.find(f"{name}.org/x") for name in "abcdef"}
    assert (found["a"].username, found["a"].password) == ("me", "p")
    assert (found["b"].identity_token, found["c"].registry_token, found["d"].identity_token) == ("i", "r", "j")
    assert not found["e"]
    assert not found["f"]


def test_nothing_of_them_is_shown(machine):
    machine.write({"auths": {"h.org": {**auth("me", CANARY), "identitytoken": CANARY, "registrytoken": CANARY}}})
    assert CANARY not in repr(machine.find("h.org/x"))


def test_a_helper_for_one_registry_goes_before_that_of_all_and_both_before_what_is_written(machine):
    machine.helper("one", "print(json.dumps({'Username': 'one ' + server, 'Secret': 's'}))")
    machine.helper("all", "print(json.dumps({'Username': 'all ' + server, 'Secret': 's'}))")
    machine.write({"credsStore": "all", "credHelpers": {"h.org": "one"}, "auths": {"h.org": auth("me", "p")}})
    assert machine.find("h.org/x").username == "one h.org"
    assert machine.find("i.org/x").username == "all i.org"
    assert machine.find("python").username == "all https://index.docker.io/v1/"


def test_a_helper_may_know_an_identity_token(machine):
    machine.helper("all", "print(json.dumps({'Username': '<token>', 'Secret': 't'}))")
    machine.write({"credsStore": "all"})
    assert machine.find("h.org/x").identity_token == "t"


def test_a_helper_that_knows_nothing_leaves_it_to_what_is_written(machine):
    machine.helper("all", "print('credentials not found in native keychain'); sys.exit(1)")
    machine.write({"credsStore": "all", "auths": {"h.org": auth("me", "p")}})
    assert machine.find("h.org/x").username == "me"
    assert machine.find("i.org/x").trouble == ""


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        (None, "is not on PATH"),
        ("sys.exit(3)", "failed with exit status 3"),
        ("print('hello')", "not a helper's"),
        ("time.sleep(30)", "did not answer within 0.5 s"),
    ],
)
def test_a_helper_that_fails_is_no_end_and_is_named(machine, script, trouble):
    if script is not None:
        machine.helper("all", script)
    machine.write({"credsStore": "all", "auths": {"h.org": auth("me", "p")}})
    began = time.monotonic()
    assert machine.find("h.org/x", seconds=0.5).username == "me"
    found = machine.find("i.org/x", seconds=0.5)
    assert not found
    assert found.trouble.startswith("docker-credential-all")
    assert trouble in found.trouble
    assert time.monotonic() - began < 10


def test_podman_is_asked_where_docker_knows_nothing(machine, tmp_path):
    machine.environ["XDG_RUNTIME_DIR"] = str(tmp_path / "home" / "runtime")
    machine.write({"auths": {"h.org": auth("docker", "p")}})
    machine.write(
        {"auths": {"h.org": auth("podman", "p"), "i.org": auth("podman", "p")}}, "runtime/containers/auth.json"
    )
    machine.write({"auths": {"j.org": auth("config", "p")}}, ".config/containers/auth.json")
    assert [machine.find(f"{name}.org/x").username for name in "hij"] == ["docker", "podman", "config"]


def test_other_places_are_named_by_the_environment(machine, tmp_path):
    machine.write({"auths": {"h.org": auth("elsewhere", "p")}}, "other/config.json")
    machine.write({"auths": {"i.org": auth("file", "p")}}, "auth.json")
    machine.environ |= {
        "DOCKER_CONFIG": str(tmp_path / "home/other"),
        "REGISTRY_AUTH_FILE": str(tmp_path / "home/auth.json"),
    }
    assert [machine.find(f"{name}.org/x").username for name in "hi"] == ["elsewhere", "file"]
    machine.environ["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {"h.org": auth("given", "p")}})
    assert machine.find("h.org/x").username == "given"


@pytest.mark.parametrize("text", ['{"auths": {"h.org": {"auth": "canary-5d1c"', "[]", "\udcff"])
def test_a_configuration_that_cannot_be_read_is_named_and_nothing_of_it_is_told(machine, tmp_path, text):
    machine.write({})
    path = tmp_path / "home/.docker/config.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BackendError, match="cannot be read") as caught:
        machine.find("h.org/x")
    assert str(path) in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert caught.value.code == "registry-credentials"
