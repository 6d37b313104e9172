"""From a bundle to an image: what is there is neither made nor sent again, and what is told pulls."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from jobq_magic.capture import CaptureOptions, Source, capture
from jobq_magic.errors import JobqError
from jobq_magic.image import BuildRequest, Image, Packages, Recipe
from jobq_magic.images import assemble, platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.ensure import ensure
from jobq_magic.images.model import Base, Entry, Part
from tests.services.blobs import MANIFEST, pulled
from tests.services.registry import Service, registry

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Ground:
    folder: Path
    registry: Service
    cache: Cache
    request: BuildRequest
    taken: int = 0
    told: list = field(default_factory=list)

    def bundle(self, cell: str, number: int = 7, **names: Any) -> Path:
        self.taken += 1
        folder = self.folder / f"bundle-{self.taken}"
        capture(Source(cell, f"Cell [{number}]", names), folder, CaptureOptions(here=False))
        return folder

    def image(
        self, bundle: Path, *, repository: str = "team/jobq", cache: Cache | None = None, **request: Any
    ) -> Image:
        kept = cache or self.cache
        to = RegistryDestination(f"{self.registry.address}/{repository}", "", self.registry.environ, kept)
        try:
            return ensure(
                replace(self.request, **request),
                bundle,
                destination=to,
                cache=kept,
                environ=dict(os.environ),
                report=self.told.extend,
            )
        finally:
            to.close()

    def manifest(self, image: Image) -> dict[str, Any]:
        repository, _, digest = image.reference.partition("@")
        path = repository.partition("/")[2]
        address = f"{self.registry.address}/v2/{path}/manifests/{digest}"
        return httpx.get(address, headers={"Accept": MANIFEST}, trust_env=False).json()

    def pulls(self, image: Image) -> dict[str, bytes]:
        """Every blob of an image, as anybody would have it, by its digest, which is compared."""
        repository, _, digest = image.reference.partition("@")
        return pulled(self.registry.address, repository.partition("/")[2], digest)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache that has the base."""
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A registry that has the base after the first test."""
    with registry(tmp_path_factory.mktemp("registry")) as service:
        yield service


@pytest.fixture
def ground(tmp_path: Path, shared: Cache, service: Service) -> Ground:
    return Ground(tmp_path, service, shared, BuildRequest(Recipe(base="host"), Packages(), PYTHON, platforms.here()))


def test_an_image_is_told_by_a_digest_that_pulls(ground):
    image = ground.image(ground.bundle("print(1)"))
    assert image.reference == f"{ground.registry.host}/team/jobq@{image.digest}"
    assert [layer.kind for layer in image.layers] == ["base", "runtime", "code"]
    assert {layer.digest for layer in image.layers} <= ground.pulls(image).keys()


def test_what_is_there_is_not_sent_again(ground):
    bundle = ground.bundle("print(2)")
    first = ground.image(bundle, repository="first/seen")
    again = ground.image(bundle, repository="first/seen")
    assert {layer.state for layer in first.layers} == {"pushed"}
    assert first.sent > 1_000_000
    assert again.reference == first.reference
    assert again.sent == 0
    assert {layer.state for layer in again.layers} == {"reused"}


def test_a_changed_cell_sends_its_own_layer_alone(ground):
    ground.image(ground.bundle("print(3)"))
    image = ground.image(ground.bundle("print(4)"))
    assert [layer.state for layer in image.layers] == ["reused", "reused", "pushed"]
    assert image.sent < 200_000


def test_executing_a_cell_again_changes_nothing(ground):
    first = ground.image(ground.bundle("print(5)", number=7))
    assert ground.image(ground.bundle("print(5)", number=8)).digest == first.digest


def test_who_pushed_it_and_from_where_changes_no_image(ground):
    first = ground.image(ground.bundle("print(6)"), provenance={"org.opencontainers.image.revision": "a" * 40})
    again = ground.image(ground.bundle("print(6)"), provenance={"org.opencontainers.image.revision": "b" * 40})
    assert again.digest == first.digest
    assert ground.manifest(first)["annotations"]["org.opencontainers.image.revision"] == "a" * 40


def test_a_large_value_is_a_layer_that_stays_while_the_cell_changes(ground):
    array = np.arange(400_000.0)
    first = ground.image(ground.bundle("array.sum()", array=array))
    image = ground.image(ground.bundle("array.mean()", array=array))
    assert ("value", "array", "reused") in [(layer.kind, layer.name, layer.state) for layer in image.layers]
    assert [layer.kind for layer in first.layers] == [layer.kind for layer in image.layers]
    array[0] = 1
    changed = ground.image(ground.bundle("array.mean()", array=array))
    assert next(layer.state for layer in changed.layers if layer.kind == "value") == "pushed"


def test_an_image_of_many_arrays_stays_within_what_engines_take(ground):
    arrays = {f"a{number}": np.full(150_000, float(number)) for number in range(40)}
    image = ground.image(ground.bundle(f"print(sum(map(sum, [{', '.join(arrays)}])))", **arrays))
    assert len(image.layers) <= 20
    ground.pulls(image)


def test_another_machine_finds_the_image_of_equal_content(ground, tmp_path):
    first = ground.image(ground.bundle("print(8)"))
    other = Cache(tmp_path / "other")
    shutil.copytree(ground.cache.root / "layers", other.root / "layers")  # the base need not be made for this test
    shutil.copytree(ground.cache.root / "blobs", other.root / "blobs")
    again = ground.image(ground.bundle("print(8)"), cache=other)
    assert (again.reference, again.sent) == (first.reference, 0)


def test_without_the_bytes_of_its_layers_an_image_that_is_there_is_found(ground, tmp_path):
    bundle = ground.bundle("print(9)")
    first = ground.image(bundle)
    note = next(
        path
        for path in (ground.cache.root / "layers").iterdir()
        if json.loads(path.read_bytes())["digest"] == first.layers[-1].digest
    )
    note.unlink()
    again = ground.image(bundle)
    assert again.reference == first.reference
    assert not note.exists(), "it was made again, though nobody needs it"
    told = [[(layer.kind, layer.name) for layer in image.layers] for image in (first, again)]
    assert told[0] == told[1], "of each layer at least the name is known"
    assert again.layers[-1].size == 0


def test_what_a_registry_threw_away_is_sent_again(ground):
    bundle = ground.bundle("print(10)")
    first = ground.image(bundle)
    shutil.rmtree(ground.registry.folder / "store")
    ground.registry.kill()
    ground.registry.start()
    again = ground.image(bundle)
    assert again.reference == first.reference
    ground.pulls(again)


def test_blobs_that_a_registry_threw_away_are_noticed_when_another_cell_needs_them(ground):
    ground.image(ground.bundle("print(11)"))
    shutil.rmtree(ground.registry.folder / "store")
    ground.registry.kill()
    ground.registry.start()
    ground.pulls(ground.image(ground.bundle("print(12)")))


@pytest.mark.parametrize("damage", ["short", "other", "gone"])
def test_what_is_damaged_in_the_cache_is_made_again(ground, damage):
    bundle = ground.bundle(f"print('damage', {damage!r})")
    layer = ground.image(bundle).layers[-1]
    blob = ground.cache.blob(layer.digest)
    data = blob.read_bytes()
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_bytes(data[:-1] if damage == "short" else bytes(len(data)))
    ground.pulls(ground.image(bundle, repository=f"other/{damage}"))


def test_a_note_of_the_cache_that_cannot_be_read_is_no_note(ground):
    bundle = ground.bundle("print(13)")
    image = ground.image(bundle)
    for path in (ground.cache.root / "layers").iterdir():
        if json.loads(path.read_bytes())["digest"] == image.layers[-1].digest:
            path.write_bytes(b"{")
    ground.pulls(ground.image(bundle, repository="other/note"))


def test_how_far_it_is_is_told_in_bytes(ground):
    ground.image(ground.bundle("print(14)"), repository="told/of")
    assert any(each.unit == "bytes" and each.total and each.done == each.total for each in ground.told)


def test_a_base_for_another_python_is_refused_before_anything_travels(ground):
    with pytest.raises(JobqError) as refused:
        ground.image(ground.bundle("print(15)"), python="3.9", repository="never/seen")
    assert refused.value.code == "base-python"
    assert not list((ground.registry.folder / "store").rglob("never"))


def test_a_full_disk_is_one_sentence_and_nothing_is_left(ground, tmp_path, monkeypatch):
    bundle = ground.bundle("print(16)")
    full = Cache(tmp_path / "full")
    full.root.mkdir()
    (full.root / "blobs").write_text("no folder can be here")
    with pytest.raises((JobqError, OSError)):
        ground.image(bundle, cache=full)
    assert list(full.root.glob("making-*")) == []


def _base(ground: Ground, repository: str, text: str, **labels: str) -> Base:
    """Pushes a base of one small layer, under the tag `1`."""
    layer = ground.cache.layer(
        Part("base", "small", f"small-{text}", lambda _: [Entry("etc/text", data=text.encode())])
    )
    system, _, machine = platforms.here().partition("/")
    settings = {"Env": [f"PYTHON_VERSION={PYTHON}.1"], "Labels": labels}
    config = {"os": system, "architecture": machine, "config": settings}
    base = Base("made", "made", config, (layer,))
    made = assemble.assemble(base, base.layers, Recipe(), {}, text)
    to = RegistryDestination(f"{ground.registry.address}/{repository}", "", ground.registry.environ, ground.cache)
    to.put(made, lambda _: None)
    to.registry.put_manifest("1", made.manifest, made.media_type)
    to.close()
    return base


def test_where_a_registry_has_lost_what_a_base_was_it_is_what_its_tag_means_now_and_that_is_told(ground):
    ground = replace(ground, cache=Cache(ground.folder / "cache"))
    (lost,) = _base(ground, "team/moving", "before").layers
    recipe = Recipe(base=f"{ground.registry.address}/team/moving:1")
    first = ground.image(ground.bundle("value = 50"), repository="team/first", recipe=recipe)
    httpx.delete(f"{ground.registry.address}/v2/team/moving/blobs/{lost.digest}", trust_env=False)
    with pytest.raises(JobqError) as gone:
        ground.image(ground.bundle("value = 51"), repository="team/second", recipe=recipe)
    assert "no longer has all layers of the base" in gone.value.what
    assert "--base" in gone.value.do
    _base(ground, "team/moving", "after")
    image = ground.image(ground.bundle("value = 51"), repository="team/second", recipe=recipe)
    ground.pulls(image)
    assert image.base != first.base
    assert "is another one than it was on" in image.notes[0]


def test_what_a_place_needs_and_neither_the_base_nor_the_lock_has_is_refused_before_anything_travels(ground):
    with pytest.raises(JobqError) as caught:
        ground.image(ground.bundle("print(9)"), repository="never/made", needs=("ray",))
    assert caught.value.code == "ray-missing"
    assert caught.value.what == "host has no Ray, as far as it says, and none is installed here"
    catalog = httpx.get(f"{ground.registry.address}/v2/_catalog", trust_env=False).json()["repositories"]
    assert "never/made" not in catalog


def test_an_image_that_is_used_as_it_is_may_have_what_nobody_tells_of(ground):
    recipe = Recipe(base="host", as_it_is=True)
    image = ground.image(ground.bundle("print(10)"), needs=("ray",), recipe=recipe)
    assert image.ray == ""
    assert image.notes == ("Whether host has Ray, and which, is known when its head starts: it does not say so",)


def _with_ray(ground: Ground, version: str) -> str:
    """Pushes a base that says which Ray it has, as Ray's own do."""
    _base(ground, "team/with-ray", version, **{"io.ray.ray-version": version})
    return f"{ground.registry.address}/team/with-ray:1"


def test_an_image_tells_the_version_of_ray_that_its_base_has(ground):
    image = ground.image(ground.bundle("print(11)"), needs=("ray",), recipe=Recipe(base=_with_ray(ground, "2.60.0")))
    assert image.ray == "2.60.0"
    assert Image.from_json(json.loads(json.dumps(image.to_json()))).ray == "2.60.0"


def test_a_base_with_another_ray_than_the_notebook_has_is_refused(ground):
    with pytest.raises(JobqError, match=r"has Ray 2\.60\.0, this notebook 2\.61\.0"):
        ground.image(ground.bundle("print(12)"), recipe=Recipe(base=_with_ray(ground, "2.60.0")), ray="2.61.0")


def test_an_image_in_which_ray_is_installed_says_which_as_rays_own_do(ground, monkeypatch):
    """So that what was made here once is known when somebody names it by --image."""
    packages = Packages("ray==2.60.0\n")
    monkeypatch.setattr("jobq_magic.images.packages.part", lambda *_, **__: None)  # it is large, and not what is told
    image = ground.image(ground.bundle("print(13)"), needs=("ray",), packages=packages, repository="team/own")
    again = Recipe(base=f"http://{image.reference}", as_it_is=True)
    seen = ground.image(ground.bundle("print(14)"), needs=("ray",), recipe=again)
    assert (image.ray, seen.ray, seen.notes) == ("2.60.0", "2.60.0", ())
    with pytest.raises(JobqError, match=r"has Ray 2\.60\.0, this notebook 2\.61\.0"):
        ground.image(ground.bundle("print(15)"), needs=("ray",), recipe=again, ray="2.61.0")
