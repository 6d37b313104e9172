from __future__ import annotations

import json
import os
import time

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Entry, Part
from jobq_magic.images.prune import InUse, images, layers, prune

DAY = 86400.0
NOBODY = InUse()


def part(name, *, keep=b"x" * 5000, compression="gzip"):
    return Part("value", name, name.encode().hex() * 4, lambda _: [Entry(f"opt/{name}", data=keep)], compression)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "images")


@pytest.fixture
def aged(cache):
    """Makes a layer that was last used so many days ago."""

    def make(name, days, **more):
        made = cache.layer(part(name, keep=name.encode() * 5000, **more))
        for path in (cache.note(part(name).key), cache.blob(made.digest)):
            if path.exists():
                os.utime(path, (time.time() - days * DAY,) * 2)
        return made

    return make


def put(cache, place, key, digest, days=0.0):
    """Remembers that an image was put there so many days ago."""
    known = cache.known(place)
    known.add_image(key, digest)
    known.add("sha256:blob")
    told = json.loads(known._path.read_text())
    told["images"][key][1] -= days * DAY
    known._path.write_text(json.dumps(told))


class Place:
    """A place that takes images away, or refuses."""

    def __init__(self, refusal=""):
        self.gone, self.refusal = [], refusal

    def __call__(self, key, digest):
        if self.refusal:
            raise BackendError("refused", self.refusal)
        self.gone.append((key, digest))


def test_layers_are_told_with_what_they_hold_those_used_last_first(cache, aged):
    old, new = aged("old", 9), aged("new", 1)
    aged("plain", 5, compression="stored")
    told = layers(cache)
    assert [(one.kind, one.name, one.digest) for one in told][0::2] == [
        ("value", "new", new.digest),
        ("value", "old", old.digest),
    ]
    assert [one.size for one in told] == [new.size, 0, old.size], "what is made of files that are here holds nothing"


def test_what_was_not_used_for_a_while_goes_and_the_rest_stays(cache, aged):
    old, new = aged("old", 9), aged("new", 1)
    done = prune(cache, older=7 * DAY, in_use=NOBODY, places={})
    assert (done.layers, done.freed) == (1, old.size)
    assert not cache.blob(old.digest).exists()
    assert cache.blob(new.digest).exists()
    assert [one.name for one in layers(cache)] == ["new"]
    assert cache.layer(part("old", keep=b"old" * 5000)).digest == old.digest, "it is made again"


def test_a_dry_run_says_the_same_and_removes_nothing(cache, aged):
    aged("old", 9)
    put(cache, "engine:x", "k1", "sha256:1", days=9)
    place = Place()
    said = prune(cache, older=DAY, in_use=NOBODY, places={"engine:x": place}, dry_run=True)
    assert (len(layers(cache)), len(images(cache)), place.gone) == (1, 1, [])
    done = prune(cache, older=DAY, in_use=NOBODY, places={"engine:x": place})
    assert (said.layers, said.freed, said.images) == (done.layers, done.freed, done.images)
    assert (layers(cache), images(cache)) == ([], [])


def test_an_image_that_a_run_uses_stays_however_old_it_is(cache, aged):
    old = aged("old", 400)
    put(cache, "registry.example.org/team", "k1", "sha256:1", days=400)
    put(cache, "registry.example.org/team", "k2", "sha256:2", days=400)
    place = Place()
    in_use = InUse(frozenset({"sha256:1", old.digest}))
    done = prune(cache, older=DAY, in_use=in_use, places={"registry.example.org/team": place})
    assert place.gone == [("k2", "sha256:2")]
    assert (done.in_use, done.layers) == (1, 0)
    assert [one.key for one in images(cache)] == ["k1"]
    assert cache.blob(old.digest).exists()


def test_what_was_used_since_a_run_was_opened_that_has_no_image_yet_stays(cache, aged):
    aged("may be its", 2)
    aged("is not its", 5)
    put(cache, "engine:x", "k1", "sha256:1", days=2)
    in_use = InUse(since=time.time() - 3 * DAY)
    done = prune(cache, older=DAY, in_use=in_use, places={"engine:x": Place()})
    assert (done.layers, done.images) == (1, ())
    assert [one.name for one in layers(cache)] == ["may be its"]


def test_images_of_places_that_are_not_reached_are_left_alone(cache):
    put(cache, "registry.example.org/team", "k1", "sha256:1", days=9)
    assert prune(cache, older=DAY, in_use=NOBODY, places={"engine:x": Place()}).images == ()
    assert len(images(cache)) == 1


def test_a_place_that_refuses_is_told_once_and_what_is_there_is_still_known(cache):
    for number in range(3):
        put(cache, "engine:x", f"k{number}", f"sha256:{number}", days=9)
    done = prune(cache, older=DAY, in_use=NOBODY, places={"engine:x": Place("It may not be done")})
    assert (done.notes, done.images) == (("It may not be done",), ())
    assert len(images(cache)) == 3


def test_where_images_were_removed_no_layer_is_taken_for_there(cache):
    put(cache, "engine:x", "k1", "sha256:1", days=9)
    assert cache.known("engine:x").has("sha256:blob")
    prune(cache, older=DAY, in_use=NOBODY, places={"engine:x": Place()})
    assert not cache.known("engine:x").has("sha256:blob")


def test_what_is_damaged_is_no_trouble_and_bytes_without_a_note_go(cache, aged):
    aged("old", 9)
    (cache.root / "layers" / "damaged.json").write_text("{")
    lost = cache.root / "blobs" / ("ab" * 32)
    half = cache.root / "blobs" / "layer-half"
    making = cache.root / "making-x"
    making.mkdir()
    lost.write_bytes(b"123")
    half.write_bytes(b"1")
    fresh = cache.root / "blobs" / "layer-fresh"
    fresh.write_bytes(b"1")
    for path in (lost, half, making):
        os.utime(path, (time.time() - 9 * DAY,) * 2)
    done = prune(cache, older=DAY, in_use=NOBODY, places={})
    assert done.layers == 2
    assert [path.exists() for path in (lost, half, making, fresh)] == [False, False, False, True]


def test_nothing_is_kept_where_nothing_was_made(cache):
    assert (layers(cache), images(cache)) == ([], [])
    assert prune(cache, older=0, in_use=NOBODY, places={}).freed == 0
