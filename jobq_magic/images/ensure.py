"""The way from a bundle to an image that its place can use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.image import BuildRequest, Image, ImageLayer
from jobq_magic.images import assemble, baseimage, builders, host, packages, parts, recognise
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Assembled, Base, Destination, Layer, Part, Report, Sent
from jobq_magic.snapshot import Progress

__all__ = ["ensure"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an image is to be made of; nothing of it is made yet."""

    base: Base
    parts: tuple[Part, ...]
    key: str


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
    try:
        return _ensured(request, bundle, destination, cache, environ, report)
    except BackendError as error:
        if error.code != baseimage.GONE:
            raise
    # What its tag meant when it was first used is gone: what it means now is the next best, and is told.
    return _ensured(request, bundle, destination, cache, environ, report, refresh=True)


def _ensured(
    request: BuildRequest,
    bundle: Path,
    destination: Destination,
    cache: Cache,
    environ: Mapping[str, str],
    report: Report,
    *,
    refresh: bool = False,
) -> Image:
    began = time.monotonic()
    base = builders.another(
        request.recipe,
        _base(request, destination, cache, environ, refresh=refresh),
        platform=request.platform,
        cache=cache,
        environ=environ,
        report=report,
    )
    elsewhere = builders.Installer(
        request.recipe,
        base,
        request.packages.text,
        platform=request.platform,
        cache=cache,
        environ=environ,
        report=report,
    )
    plan = _planned(request, base, bundle, environ, elsewhere)
    known = cache.known(destination.name)
    if (reference := destination.find(plan.key, known.image(plan.key))) is not None:
        sent = Sent(reference, reference.rpartition("@")[2])
        # Where another machine made it, nothing but its name is known of a layer.
        ours = (cache.kept(part) or Layer(part.kind, part.name, "", "", 0) for part in plan.parts)
        layers = (*base.layers, *ours)
        if all(layer.digest for layer in layers):
            assembled = assemble.assemble(base, layers, request.recipe, request.provenance, plan.key)
            if assembled.digest == sent.digest:  # to the byte what this machine makes: so are its layers
                known.add(*(layer.digest for layer in layers))
    else:
        assembled = _assembled(request, plan, cache, report)
        sent, layers = destination.put(assembled, report), assembled.layers
    known.add_image(plan.key, sent.digest)
    return Image(
        reference=sent.reference,
        digest=sent.digest,
        key=plan.key,
        base=base.reference,
        layers=tuple(_told(layer, sent.pushed) for layer in layers),
        sent=sent.bytes,
        seconds=time.monotonic() - began,
        notes=base.notes,
    )


def _base(
    request: BuildRequest, destination: Destination, cache: Cache, environ: Mapping[str, str], *, refresh: bool
) -> Base:
    """What the image stands on, before a builder does something to it."""
    reference = request.recipe.base or recognise.default_base(request.python, platform=request.platform)
    if reference == "host":
        return host.host_base(cache.layer, python=request.python, platform=request.platform, environ=environ)
    if (known := destination.base(reference, request.platform)) is not None:
        return baseimage.checked(known, reference, python=request.python, ray=request.ray)
    return baseimage.resolve(
        reference,
        platform=request.platform,
        python=request.python,
        ray=request.ray,
        environ=environ,
        pins=cache.root / "pins.json",
        refresh=refresh,
    )


def _planned(
    request: BuildRequest, base: Base, bundle: Path, environ: Mapping[str, str], elsewhere: packages.Elsewhere
) -> _Plan:
    installed = packages.part(
        request.packages,
        python=request.python,
        platform=request.platform,
        without=recognise.provided(base.ray),
        environ=environ,
        elsewhere=elsewhere,
    )
    files = builders.files(request.recipe, base)
    found = (
        files,
        installed,
        parts.runtime(request.python),
        parts.local(bundle),
        *parts.values(bundle),
        parts.code(bundle),
    )
    wanted = tuple(part for part in found if part is not None)
    return _Plan(base, wanted, assemble.image_key(base, wanted, request.recipe))


def _assembled(request: BuildRequest, plan: _Plan, cache: Cache, report: Report) -> Assembled:
    made = []
    for part in plan.parts:
        report([Progress(f"making {part.name}", 0, None)])
        made.append(cache.layer(part))
    layers = (*plan.base.layers, *made)
    return assemble.assemble(plan.base, layers, request.recipe, request.provenance, plan.key)


def _told(layer: Layer, pushed: frozenset[str]) -> ImageLayer:
    state = "pushed" if layer.digest in pushed else "reused"
    return ImageLayer(layer.kind, layer.name, layer.digest, layer.size, state)
