"""An engine as a destination of images: what travels, what does not, and what it is called there."""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace

import pytest

from jobq_magic.engine.client import Engine
from jobq_magic.errors import BackendError
from jobq_magic.image import Recipe
from jobq_magic.images.assemble import assemble
from jobq_magic.images.intoengine import EngineDestination, tag_of
from jobq_magic.images.layer import write
from jobq_magic.images.model import Base, Entry, Layer
from jobq_magic.images.platforms import here

EMPTY = Base("scratch", "0" * 64, {"architecture": here().partition("/")[2], "os": "linux"}, ())


@pytest.fixture
def destination(engine):
    return EngineDestination(engine)


@pytest.fixture
def images(engine):
    """Makes images of little, and removes them."""
    made = []

    def make(*texts, base=None, kind="code"):
        layers = [] if base is None else list(base.layers)
        for text in texts:
            done = write([Entry("file", data=text.encode())])
            layers.append(Layer(kind, text, done.diff_id, done.digest, done.size, "gzip", done.content))
        key = os.urandom(32).hex()
        made.append(tag_of(key))
        return assemble(base or EMPTY, layers, Recipe(), {}, key)

    yield make
    for tag in made:
        if EngineDestination(engine).find(tag.partition(":")[2], ""):
            engine.api.remove_image(tag, force=True)


def text():
    return os.urandom(8).hex()


def test_an_image_has_the_digest_of_its_configuration_for_an_id(destination, images, engine):
    image = images(text())
    assert destination.find(image.key, "") is None
    sent = destination.put(image, lambda _: None)
    assert sent.reference == sent.digest == image.config_digest
    assert destination.find(image.key, sent.digest) == image.config_digest
    assert engine.api.inspect_image(image.config_digest)["RepoTags"] == [tag_of(image.key)]


def test_only_what_the_engine_lacks_travels(destination, images):
    below = text()
    first, second = images(below, text()), images(below, text())
    assert destination.put(first, lambda _: None).pushed == {layer.digest for layer in first.layers}
    sent = destination.put(second, lambda _: None)
    assert sent.pushed == {second.layers[1].digest}


def test_another_process_finds_out_what_is_there(destination, images, engine):
    below = text()
    destination.put(images(below, text()), lambda _: None)
    second = images(below, text())
    assert EngineDestination(engine).put(second, lambda _: None).pushed == {second.layers[1].digest}


def test_a_layer_counts_only_above_the_layers_that_it_stood_on(destination, images):
    one, other = text(), text()
    destination.put(images(one, other), lambda _: None)
    swapped = images(other, one)
    assert len(destination.put(swapped, lambda _: None).pushed) == 2


def test_what_was_removed_from_the_engine_travels_again(destination, images, engine):
    below = text()
    first, second = images(below, text()), images(below, text())
    destination.put(first, lambda _: None)
    engine.api.remove_image(tag_of(first.key))
    assert destination.find(first.key, "") is None
    assert len(destination.put(second, lambda _: None).pushed) == 2


def test_an_engine_that_takes_whole_archives_only_is_given_them(destination, images, monkeypatch):
    below = text()
    first, second = images(below, text()), images(below, text())
    monkeypatch.setattr(Engine, "containerd", property(lambda _: True))
    destination.put(first, lambda _: None)
    assert len(destination.put(second, lambda _: None).pushed) == 2


def test_what_a_partial_archive_lacks_after_all_is_given_in_a_second_one(destination, images, monkeypatch):
    image = images(text(), text())
    monkeypatch.setattr(EngineDestination, "_there", lambda *_: 1)  # as if it had been pruned since we looked
    sent = destination.put(image, lambda _: None)
    assert sent.reference == image.config_digest
    assert len(sent.pushed) == 2


def test_a_tag_that_means_another_image_by_now_is_not_taken_for_ours(destination, images, engine):
    image, other = images(text()), images(text())
    destination.put(image, lambda _: None)
    sent = destination.put(other, lambda _: None)
    engine.api.tag(sent.reference, "jobq", tag_of(image.key).partition(":")[2])
    assert destination.find(image.key, image.config_digest) is None


def test_a_base_is_what_the_engine_has_by_that_name_and_stays_where_it_is(destination, images, engine):
    image = images(text(), text())
    destination.put(image, lambda _: None)
    base = destination.base(tag_of(image.key), here())
    assert [layer.diff_id for layer in base.layers] == [layer.diff_id for layer in image.layers]
    assert base.reference == image.config_digest
    assert all(layer.content is None for layer in base.layers)
    above = images(text(), base=base)
    sent = destination.put(above, lambda _: None)
    assert sent.pushed == {above.layers[-1].digest}
    assert engine.api.inspect_image(sent.reference)["RootFS"]["Layers"][:2] == [x.diff_id for x in image.layers]


def test_a_base_of_another_platform_or_name_is_not_there(destination, images):
    image = images(text())
    destination.put(image, lambda _: None)
    other = "linux/arm64" if here() == "linux/amd64" else "linux/amd64"
    assert destination.base(tag_of(image.key), other) is None
    assert destination.base("never/heard:of", here()) is None
    assert destination.base("UPPER?case", here()) is None


def test_a_base_of_an_engine_that_takes_whole_archives_is_read_from_it(destination, images, monkeypatch):
    below = images(text(), text())
    destination.put(below, lambda _: None)
    base = destination.base(tag_of(below.key), here())
    monkeypatch.setattr(Engine, "containerd", property(lambda _: True))
    above = images(text(), base=base)
    sent = destination.put(above, lambda _: None)
    assert (sent.reference, len(sent.pushed)) == (above.config_digest, 3)


def test_a_base_that_the_engine_no_longer_has_is_named(destination, images, engine):
    below = images(text())
    destination.put(below, lambda _: None)
    base = destination.base(tag_of(below.key), here())
    engine.api.remove_image(tag_of(below.key))
    with pytest.raises(BackendError, match=r"no longer has jobq:|could not give"):
        EngineDestination(engine).put(images(text(), base=base), lambda _: None)


def test_how_far_it_is_is_told_in_bytes(destination, images):
    told = []
    big = os.urandom(3 << 20).hex()
    image = images(big)
    sent = destination.put(image, lambda progress: told.append(progress[0]))
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert (told[-1].done, told[-1].unit) == (told[-1].total, "bytes")
    assert sent.bytes >= image.layers[0].size


def test_bytes_that_are_not_what_their_digest_says_are_not_taken(destination, images):
    image = images(text())
    other = write([Entry("file", data=b"other")], compression="")
    wrong = replace(image.layers[0], size=other.size, content=other.content, compression="")
    with pytest.raises(BackendError, match="Docker could not take the image"):
        destination.put(replace(image, layers=(wrong,)), lambda _: None)
    assert destination.find(image.key, "") is None


def test_a_layer_that_is_twice_in_an_image_travels_once(destination, images, tmp_path, engine):
    same = text()
    image = images(same, same)
    sent = destination.put(image, lambda _: None)
    with (tmp_path / "saved.tar").open("wb") as file:
        for data in engine.api.get_image(sent.reference):
            file.write(data)
    with tarfile.open(tmp_path / "saved.tar") as archive:
        assert archive.getnames()
