"""The way from a bundle to an image that its place can use."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.image import BuildRequest, Image, ImageLayer, Recipe
from jobq_magic.images import assemble, baseimage, builders, host, packages, parts, recognise
from jobq_magic.images.cache import Cache, Known
from jobq_magic.images.model import Assembled, Base, Destination, Layer, Part, Report, Sent
from jobq_magic.snapshot import Progress

__all__ = ["ensure"]


def ensure(
    request: BuildRequest,
    bundle: Path,
    *,
    destination: Destination,
    cache: Cache,
    environ: Mapping[str, str],
    report: Report,
) -> Image:
    """Makes sure that the image of a bundle is at its destination.

    Args:
        request: what it is made from, beside the bundle.
        bundle: the folder of the bundle.
        destination: where it is to be.
        cache: what this machine remembers.
        environ: how registries, indexes and engines are reached.
        report: told how far it is.

    Raises:
        JobqError: it cannot be made, or not be brought there; one sentence.
    """
    making = _Making(request, bundle, destination, cache, environ, report)
    try:
        return making.image()
    except BackendError as error:
        if error.code != baseimage.GONE:
            raise
    # What its tag meant when it was first used is gone: what it means now is the next best, and is told.
    return making.image(refresh=True)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an image is to be made of; nothing of it is made yet."""

    base: Base
    parts: tuple[Part, ...]
    recipe: Recipe
    key: str


@dataclass(frozen=True, slots=True)
class _Making:
    """The making of one image; what it needs is as `ensure` has it."""

    request: BuildRequest
    bundle: Path
    destination: Destination
    cache: Cache
    environ: Mapping[str, str]
    report: Report

    def image(self, *, refresh: bool = False) -> Image:
        """The image, which is at its destination then; `refresh` asks anew what the name of its base stands for."""
        began = time.monotonic()
        plan = self._planned(refresh=refresh)
        known = self.cache.known(self.destination.name)
        if (reference := self.destination.find(plan.key, known.image(plan.key))) is not None:
            sent = Sent(reference, reference.rpartition("@")[2])
            layers = self._there(plan, sent.digest, known)
        else:
            assembled = self._assembled(plan, self._made(plan))
            sent, layers = self.destination.put(assembled, self.report), assembled.layers
        known.add_image(plan.key, sent.digest)
        return Image(
            reference=sent.reference,
            digest=sent.digest,
            key=plan.key,
            base=plan.base.reference,
            layers=tuple(_told(layer, sent.pushed) for layer in layers),
            sent=sent.bytes,
            seconds=time.monotonic() - began,
            notes=plan.base.notes,
            ray=plan.base.ray or self.request.packages.version("ray") or "",
        )

    def _planned(self, *, refresh: bool) -> _Plan:
        request, environ = self.request, self.environ
        base = builders.another(
            request.recipe,
            self._base(refresh=refresh),
            platform=request.platform,
            cache=self.cache,
            environ=environ,
            report=self.report,
        )
        self._refuse_lacking(base)
        elsewhere = builders.Installer(
            request.recipe,
            base,
            request.packages.text,
            platform=request.platform,
            cache=self.cache,
            environ=environ,
            report=self.report,
        )
        installed = packages.part(
            request.packages,
            python=request.python,
            platform=request.platform,
            without=recognise.provided(base.ray),
            environ=environ,
            elsewhere=elsewhere,
        )
        found = (
            builders.files(request.recipe, base),
            installed,
            parts.runtime(request.python),
            parts.local(self.bundle),
            *parts.values(self.bundle),
            parts.code(self.bundle),
        )
        wanted = tuple(part for part in found if part is not None)
        recipe = self._labelled(base)
        return _Plan(self._doubted(base), wanted, recipe, assemble.image_key(base, wanted, recipe))

    def _base(self, *, refresh: bool) -> Base:
        """What the image stands on, before a builder does something to it."""
        request, environ = self.request, self.environ
        reference = request.recipe.base or recognise.default_base(request.python, platform=request.platform)
        if reference == "host":
            return host.host_base(self.cache.layer, python=request.python, platform=request.platform, environ=environ)
        if (known := self.destination.base(reference, request.platform)) is not None:
            return baseimage.checked(known, reference, python=request.python, ray=request.ray)
        return baseimage.resolve(
            reference,
            platform=request.platform,
            python=request.python,
            ray=request.ray,
            environ=environ,
            pins=self.cache.root / "pins.json",
            refresh=refresh,
        )

    def _refuse_lacking(self, base: Base) -> None:
        """What the place needs is in the base, or installed over it; of one that is used as it is, nobody knows."""
        provided, recipe = recognise.provided(base.ray), self.request.recipe
        for name in self.request.needs:
            if name not in provided and self.request.packages.version(name) is None and not recipe.as_it_is:
                called = name.capitalize()
                raise BackendError(
                    f"{name}-missing",
                    f"{recipe.base or base.reference} has no {called}, as far as it says, and none is installed here",
                    do=f"Install it into the Python of this kernel: pip install 'jobq-magic[{name}]'; an image that has"
                    " all that the cell needs may be used as it is, by --image",
                )

    def _labelled(self, base: Base) -> Recipe:
        """With the label by which Ray's own images say which Ray they have, where it is installed in this one."""
        request = self.request
        version = request.packages.version("ray") if "ray" in request.needs and not base.ray else None
        labels = {**request.recipe.labels, recognise.RAY_LABEL: version} if version else request.recipe.labels
        return replace(request.recipe, labels=labels)

    def _doubted(self, base: Base) -> Base:
        """With a note where what the place needs may be missing in it, and nobody can tell."""
        if "ray" not in self.request.needs or base.ray or not self.request.recipe.as_it_is:
            return base
        note = (
            f"Whether {self.request.recipe.base} has Ray, and which, is known when its head starts: it does not say so"
        )
        return replace(base, notes=(*base.notes, note))

    def _there(self, plan: _Plan, digest: str, known: Known) -> tuple[Layer, ...]:
        """The layers of an image that is there, by its digest; remembers that they are, where that is certain."""
        # Where another machine made it, nothing but its name is known of a layer.
        ours = (self.cache.kept(part) or Layer(part.kind, part.name, "", "", 0) for part in plan.parts)
        layers = (*plan.base.layers, *ours)
        if all(layer.digest for layer in layers) and self._assembled(plan, layers).digest == digest:
            known.add(*(layer.digest for layer in layers))  # to the byte what this machine makes: so are its layers
        return layers

    def _made(self, plan: _Plan) -> tuple[Layer, ...]:
        made = []
        for part in plan.parts:
            self.report([Progress(f"making {part.name}", 0, None)])
            made.append(self.cache.layer(part))
        return (*plan.base.layers, *made)

    def _assembled(self, plan: _Plan, layers: Sequence[Layer]) -> Assembled:
        return assemble.assemble(plan.base, layers, plan.recipe, self.request.provenance, plan.key)


def _told(layer: Layer, pushed: frozenset[str]) -> ImageLayer:
    state = "pushed" if layer.digest in pushed else "reused"
    return ImageLayer(layer.kind, layer.name, layer.digest, layer.size, state)
