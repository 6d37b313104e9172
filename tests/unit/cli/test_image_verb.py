"""`jobq image`: the image of a run, what this machine keeps, and prune."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from jobq_magic.image import Image, ImageLayer
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Entry, Part
from jobq_magic.places import cache_root

DIGEST = "sha256:" + "ab12" * 16
IMAGE = Image(
    reference=f"registry.example.org/team/jobq@{DIGEST}",
    digest=DIGEST,
    key="cd34" * 16,
    base="host",
    layers=(
        ImageLayer("base", "host", DIGEST, 48_000_000, "reused"),
        ImageLayer("code", "the cell", DIGEST, 34_000, "pushed"),
    ),
    sent=36_000,
    seconds=0.064,
)


@pytest.fixture
def opened(store):
    def make(name="fit", *, image=None, asked=True, end="succeeded", backend="docker"):
        run = store.open(
            spec={"mode": backend, "workers": None},
            target={"backend": backend, "where": "Docker on this machine"},
            name=name,
        )
        if asked:
            run.paths.request.write_text("{}")
        if image is not None:
            run.paths.image.write_text(json.dumps(image.to_json()))
        for phase in ("building", "submitting", end) if end else ():
            store.append(run, phase=phase)
        return run

    return make


@pytest.fixture
def old_layer(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    cache = Cache(cache_root() / "images")
    part = Part("requirements", "numpy", "ab" * 32, lambda _: [Entry("opt/numpy", data=b"x" * 9000)])
    layer = cache.layer(part)
    for path in (cache.note(part.key), cache.blob(layer.digest)):
        os.utime(path, (time.time() - 9 * 86400,) * 2)
    return cache.blob(layer.digest)


def test_the_image_of_a_run_is_told_layer_by_layer(jobq, opened):
    run = opened(image=IMAGE)
    for words in (), ("show",), (run.id,), ("show", "fit"):
        done = jobq("image", *words)
        assert done.returncode == 0
        assert IMAGE.reference in done.stdout
        assert "1 layer reused (48.0 MB), 1 pushed (34.0 kB)" in done.stdout
    told = json.loads(jobq("image", "--json").stdout)
    assert (told["reference"], told["layers"][1]["state"]) == (IMAGE.reference, "pushed")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"asked": False}, "has no image"),
        ({}, "ended before its image was there"),
        ({"end": ""}, "is not there yet"),
    ],
)
def test_a_run_without_an_image_is_told_in_one_sentence(jobq, opened, store, how, says):
    run = opened(**how)
    done = jobq("image")
    assert (done.returncode, done.stdout) == (2, "")
    assert run.id in done.stderr
    assert says in done.stderr
    store.append(run, phase="failed", reason="refused")


def test_an_image_on_record_that_cannot_be_read_is_not_said_to_be_missing(jobq, opened):
    run = opened(image=IMAGE)
    run.paths.image.write_text('{"of": "another version"}')
    done = jobq("image")
    assert done.returncode == 2
    assert f"What is known of the image of {run.id} cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("prune", "--older-than", "soon"), "--older-than soon is not a length of time"),
        (("list", "--registry"), "image list knows no --registry"),
        (("show", "a", "b"), "image show takes no b"),
        (("prune", "fit"), "image prune takes no fit"),
        (("lost",), "No run lost"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(jobq, words, says):
    done = jobq("image", *words)
    assert done.returncode == 2
    assert says in done.stderr


def test_what_this_machine_keeps_is_listed_and_goes_when_it_is_old(jobq, old_layer):
    done = jobq("image", "list")
    assert "numpy" in done.stdout
    assert "9 days ago" in done.stdout
    assert json.loads(jobq("image", "list", "--json").stdout)["layers"][0]["kind"] == "requirements"
    assert jobq("image", "prune", "--older-than", "12d").stdout.startswith("Removed 0 layers")
    assert jobq("image", "prune", "--dry-run").stdout.startswith("Would remove 1 layer (")
    assert old_layer.exists()
    assert jobq("image", "prune").stdout.startswith("Removed 1 layer (")
    assert not old_layer.exists()


def test_what_a_live_run_may_be_about_to_use_stays_and_is_no_longer_held_when_it_has_ended(
    jobq, opened, store, old_layer
):
    run = opened(end="", backend="local")
    identity = json.loads(run.paths.identity.read_text())
    run.paths.identity.write_text(json.dumps({**identity, "created": time.time() - 20 * 86400}))
    assert jobq("image", "prune").stdout.startswith("Removed 0 layers")
    store.append(run, phase="failed", reason="refused")
    assert jobq("image", "prune").stdout.startswith("Removed 1 layer")


def test_an_image_that_a_live_run_was_started_from_is_not_taken_away(jobq, opened, store, old_layer):
    layer = ImageLayer("requirements", "numpy", f"sha256:{old_layer.name}", 1, "pushed")
    run = opened(end="", backend="local", image=replace(IMAGE, layers=(layer,)))
    assert jobq("image", "prune").stdout.startswith("Removed 0 layers")
    store.append(run, phase="failed", reason="refused")
    assert jobq("image", "prune").stdout.startswith("Removed 1 layer")
