"""Images are taken away from the places where they are: a real engine, a real registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
import uuid

import pytest

from jobq_magic.engine.client import Engine
from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.intoengine import tag_of
from jobq_magic.images.places import reachable
from jobq_magic.images.prune import InUse, images, prune
from jobq_magic.images.registry import Reference, Registry
from tests.services.blobs import MANIFEST, Made, digest, image, layer
from tests.services.engine import engine_host
from tests.services.registry import registry


@pytest.fixture(scope="module")
def environ():
    with engine_host() as host:
        yield {"DOCKER_HOST": host}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "images")


@pytest.fixture
def loaded(environ):
    """Gives the engine images of ours, each of a key of its own: key and id of each."""
    engine, keys = Engine.connect(environ), []

    def make() -> tuple[str, str]:
        key = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        config = {"architecture": "amd64", "os": "linux", "config": {"Labels": {"key": key}}}
        config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"]}
        manifest = [{"Config": "config.json", "RepoTags": [tag_of(key)], "Layers": ["layer.tar"]}]
        files = {"config.json": json.dumps(config), "manifest.json": json.dumps(manifest)}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in {**{name: text.encode() for name, text in files.items()}, "layer.tar": EMPTY}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        list(engine.api.load_image(archive.getvalue()))
        keys.append(key)
        return key, engine.api.inspect_image(tag_of(key))["Id"]

    yield make
    there = {tag for one in engine.api.images() for tag in one["RepoTags"] or ()}
    for key in keys:
        if tag_of(key) in there:
            engine.api.remove_image(tag_of(key), force=True)


EMPTY = bytes(10240)


def pushed(asked, tag):
    """The digest of an image that is in a registry now."""
    made = image(layer(tag.encode()))
    for data in (tag.encode(), made.config):
        asked.push_blob(digest(data), len(data), Made(data))
    return asked.put_manifest(tag, made.manifest, MANIFEST)


def only(cache, place, known):
    """Leaves the images of others, who use the same engine, out of what is known."""
    for one in images(cache):
        cache.known(place).forget_image(one.key)
    for key, identity in known.items():
        cache.known(place).add_image(key, identity)


def tags(environ):
    return {tag for one in Engine.connect(environ).api.images() for tag in one["RepoTags"] or ()}


def test_an_image_that_nobody_here_remembers_counts_from_when_it_was_first_seen(cache, environ, loaded):
    key, identity = loaded()
    place = f"engine:{Engine.connect(environ).id}"
    for _ in range(2):
        reachable(cache, environ, registries=False)
    [mine] = [one for one in images(cache) if one.digest == identity]
    assert (mine.place, tag_of(mine.key)) == (place, tag_of(key))
    assert mine.used == pytest.approx(time.time(), abs=30), "and not from when it was made: the beginning of time"
    kept = prune(
        cache, older=600, in_use=InUse(), places={place: reachable(cache, environ, registries=False).remove[place]}
    )
    assert kept.images == ()


def test_an_image_goes_from_the_engine_and_one_that_a_run_uses_stays(cache, environ, loaded):
    place = f"engine:{Engine.connect(environ).id}"
    (used, kept_id), (idle, idle_id) = loaded(), loaded()
    places = reachable(cache, environ, registries=False).remove
    only(cache, place, {used: kept_id, idle: idle_id})
    done = prune(cache, older=0, in_use=InUse(frozenset({kept_id})), places=places)
    assert ([one.key for one in done.images], done.in_use) == ([idle], 1)
    assert tag_of(used) in tags(environ)
    assert tag_of(idle) not in tags(environ)
    places[place](idle, idle_id)  # what is gone already is no mistake


def test_an_image_that_has_become_another_since_is_left_alone(cache, environ, loaded):
    place = f"engine:{Engine.connect(environ).id}"
    key, _ = loaded()
    reachable(cache, environ, registries=False).remove[place](key, f"sha256:{'0' * 64}")
    assert tag_of(key) in tags(environ)


def test_an_image_that_a_container_has_is_told_and_stays(cache, environ, loaded):
    engine = Engine.connect(environ)
    key, identity = loaded()
    place = f"engine:{engine.id}"
    container = engine.api.create_container(tag_of(key), ["nothing"])["Id"]
    try:
        places = reachable(cache, environ, registries=False).remove
        only(cache, place, {key: identity})
        done = prune(cache, older=0, in_use=InUse(), places=places)
        assert done.images == ()
        assert any("container" in note for note in done.notes)
        assert tag_of(key) in tags(environ)
    finally:
        engine.api.remove_container(container)


def test_a_machine_without_an_engine_has_nothing_to_tell_unless_it_had_one(cache, tmp_path):
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    assert reachable(cache, environ, registries=False).notes == ()
    cache.known("engine:gone").add_image("ab", "sha256:1")
    assert "No Docker Engine answers" in reachable(cache, environ, registries=False).notes[0]


def test_an_image_goes_from_the_registry_only_when_that_is_asked_for(cache, tmp_path):
    with registry(tmp_path / "registry") as service:
        place = f"{service.address}/team/jobq"
        environ = {**service.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
        with Registry(Reference.parse(place), environ, push=True, patience=5) as asked:
            old, other = (pushed(asked, tag) for tag in ("run-old", "run-other"))
            cache.known(place).add_image("old", old)
            quiet = reachable(cache, environ, registries=False)
            assert prune(cache, older=0, in_use=InUse(), places=quiet.remove).images == ()
            found = reachable(cache, environ, registries=True)
            done = prune(cache, older=0, in_use=InUse(), places=found.remove)
            assert [one.digest for one in done.images] == [old]
            assert asked.head_manifest(old) is None
            assert asked.head_manifest("run-old") is None
            assert asked.head_manifest(other) is not None, "nobody here put it there"
            found.remove[place]("old", old)


def test_a_registry_that_lets_nobody_remove_is_told(cache, tmp_path):
    with registry(tmp_path / "registry", storage={"delete": {"enabled": False}}) as service:
        place = f"{service.address}/team/jobq"
        environ = {**service.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
        with Registry(Reference.parse(place), environ, push=True, patience=5) as asked:
            cache.known(place).add_image("old", pushed(asked, "run-old"))
        found = reachable(cache, environ, registries=True)
        done = prune(cache, older=0, in_use=InUse(), places=found.remove)
        assert done.images == ()
        assert service.host in done.notes[0]
        with pytest.raises(BackendError):
            found.remove[place]("old", f"sha256:{'0' * 64}")
