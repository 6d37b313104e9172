"""What this machine remembers of images counts for nothing where a disk damaged it."""

from __future__ import annotations

import json

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.kept import KeptContent
from jobq_magic.images.model import Entry, Layer, Part


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone", "note"])
def test_any_layer_that_is_kept_is_made_anew_where_it_is_damaged(tmp_path, damage):
    cache = Cache(tmp_path)
    made = []

    def entries(_folder):
        made.append(1)
        return [Entry("a", data=b"text")]

    part = Part("code", "a", "key", entries)
    layer = cache.layer(part)
    path = cache.blob(layer.digest)
    whole = path.read_bytes()
    if damage == "changed":
        path.write_bytes(whole[:-1] + b"?")
    elif damage == "shorter":
        path.write_bytes(whole[:-1])
    elif damage == "gone":
        path.unlink()
    else:
        (tmp_path / "layers" / "key.json").write_text('{"half')
    again = cache.layer(part)
    assert (again.digest, b"".join(again.content.read())) == (layer.digest, whole)
    assert len(made) == 2


@pytest.mark.parametrize("key", ["diff_id", "digest", "size"])
@pytest.mark.parametrize("value", ["sha256:" + "0" * 64, 5, None, []])
def test_a_note_of_a_layer_that_the_disk_damaged_makes_no_other_image(tmp_path, key, value):
    cache, part = Cache(tmp_path), Part("code", "a", "key", lambda _: [Entry("a", data=b"text")])
    layer, note = cache.layer(part), tmp_path / "layers" / "key.json"
    note.write_text(json.dumps({**json.loads(note.read_bytes()), key: value}))
    again = cache.layer(part)
    assert (again.diff_id, again.digest, again.size) == (layer.diff_id, layer.digest, layer.size)


@pytest.mark.parametrize(
    "told",
    [
        *("[]", "null", '"x"', "{", "[" * 100_000, '{"blobs": []}', '{"blobs": null}', '{"images": []}'),
        *('{"destination": 5, "blobs": {"a": "x"}, "images": {}}', '{"destination": "", "blobs": {}, "images": 1}'),
        *(
            f'{{"destination": "h/x", "blobs": {{}}, "images": {{"k": {it}}}}}'
            for it in ("1", "[]", "[1]", "[null, null]")
        ),
    ],
)
def test_what_is_known_of_a_place_counts_for_nothing_where_it_is_damaged(tmp_path, told):
    cache = Cache(tmp_path)
    cache.known("h/x").add("sha256:1")
    (path,) = (tmp_path / "places").iterdir()
    path.write_text(told)
    known = cache.known("h/x")
    assert (known.has("sha256:1"), known.image("k"), list(cache.knowns())) == (False, "", [])
    known.add_image("k", "sha256:2")
    path.write_text(told)
    known.add("sha256:3")
    found = cache.known("h/x")
    assert (found.destination, found.image("k"), found.has("sha256:3")) == ("h/x", "sha256:2", True)


def test_what_is_made_anew_into_other_bytes_is_refused_once(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"damaged")
    other = Layer("base", "x", "sha256:1", "sha256:other", 1)
    content = KeptContent(path, "sha256:wanted", lambda: other)
    with pytest.raises(BackendError, match="was damaged"):
        next(content.read())
