"""Whether the image of a cell can be made here and reach its pods: what it stands on, who builds it, where it goes.

Each is tried as the first cell would need it, and told as Findings.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import BackendError, JobqError
from jobq_magic.findings import Finding
from jobq_magic.places import cache_root

if TYPE_CHECKING:
    from jobq_magic.image import Recipe
    from jobq_magic.images.model import Base
    from jobq_magic.images.registry import Reference, Registry

__all__ = ["CODES", "base", "registry"]

CODES = ("base", "builder", "registry", "registry-pull")
"""Every code that a finding of ours may have."""
_PATIENCE = 5
"""Seconds for which a registry that does not answer is asked."""
_LOGINS = ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
"""Where credentials may lie beside a home."""


def base(recipe: Recipe, platform: str, environ: Mapping[str, str], *, ray: str = "") -> Iterator[Finding]:
    """Whether what images stand on is there, for this platform and this Python, and can be built upon.

    Args:
        recipe: what images are to be.
        platform: what they are for; "" for that of this machine.
        environ: by which registries and engines are reached.
        ray: the notebook's version of Ray; "" where it has none.
    """
    from jobq_magic.images import builders, platforms, recognise
    from jobq_magic.images.cache import Cache

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    reference = recipe.base or recognise.default_base(python)
    try:
        platform = platforms.normal(platform) if platform else platforms.here()
        found = _base(reference, platform, python, ray, environ)
    except JobqError as error:
        yield _missing(reference, platform, error)
        return
    told = "this machine's own Python" if reference == "host" else reference
    if found.python:
        yield Finding("base", "ok", f"Images stand on {told}, for {platform}, with Python {found.python}")
    else:
        what = f"Images stand on {told}, for {platform}; whether it has Python {python} is known when a job starts"
        yield Finding("base", "unknown", what, f"Choose one that says so, by --base {recognise.default_base(python)}")
    cache = Cache(cache_root() / "images")
    obstacle = builders.obstacle(recipe, found, platform=platform, cache=cache, environ=environ)
    if obstacle is not None:
        yield Finding("builder", "problem", obstacle.what, obstacle.do)
    elif builders.needs_run(recipe) and not recipe.as_it_is:
        yield Finding("builder", "ok", "What the image needs to be run in it, the Docker Engine here can run")
    else:
        yield Finding("builder", "ok", "Images are assembled here, and need no Docker")


def _missing(reference: str, platform: str, error: JobqError) -> Finding:
    """That a base cannot be had; where it was used here before, most cells stand on what is written down of it."""
    from jobq_magic.images.pins import pinned
    from jobq_magic.images.registry import Reference

    what = f"{error.what[:1].upper()}{error.what[1:]}" + (f": {error.why}" if error.why else "")
    if error.code == "registry-unreachable" and reference != "host":
        known = pinned(cache_root() / "images" / "pins.json", Reference.parse(reference), platform)
        if known is not None:
            what += f". Images go on to stand on what it was on {known.since}, where all of that was brought already"
            return Finding("base", "warning", what, error.do)
    return Finding("base", "problem", what, error.do)


def _base(reference: str, platform: str, python: str, ray: str, environ: Mapping[str, str]) -> Base:
    """What images stand on, asked for anew; of its layers a few bytes.

    Raises:
        BackendError: it cannot be had.
    """
    from jobq_magic.images import baseimage, host
    from jobq_magic.images.model import Layer, Part
    from jobq_magic.images.registry import Registry

    if reference == "host":

        def unmade(part: Part) -> Layer:
            return Layer("base", part.name, "", "", 0, "", None)

        return host.host_base(unmade, python=python, platform=platform, environ=environ)

    def opened(where: Reference, environ: Mapping[str, str]) -> Registry:
        return Registry(where, environ, patience=_PATIENCE)

    with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
        found = baseimage.resolve(
            reference,
            platform=platform,
            python=python,
            ray=ray,
            environ=environ,
            pins=Path(folder, "pins.json"),
            open_registry=opened,
        )
    smallest = min(found.layers, key=lambda layer: layer.size, default=None)
    if smallest is not None and smallest.content is not None:
        next(iter(smallest.content.read()), b"")
    return found


def registry(target: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Pushes a few bytes that belong to no image; registries forget them. And what is known of pulling.

    Args:
        target: of a run; one whose images go to no registry is passed over.
        environ: by which credentials, proxies and certificates are found.
    """
    if target.get("to") != "registry" or not target.get("push"):
        return
    from jobq_magic.images.cache import Cache
    from jobq_magic.images.contents import BytesContent
    from jobq_magic.images.destinations import RegistryDestination
    from jobq_magic.images.registry import Reference, Registry

    word = os.urandom(16)
    told = str(target["push"]).partition("://")[2] or str(target["push"])
    try:
        client = Registry(Reference.parse(target["push"]), environ, push=True, patience=_PATIENCE)
        cache = Cache(cache_root() / "images")
        destination = RegistryDestination(target["push"], target.get("pull") or "", environ, cache, registry=client)
        try:
            digest = f"sha256:{hashlib.sha256(word).hexdigest()}"
            destination.registry.push_blob(digest, len(word), BytesContent(word))
        finally:
            destination.close()
    except JobqError as error:
        yield Finding("registry", "problem", error.what, error.do)
        return
    yield Finding("registry", "ok", f"Images can be pushed to {told}")
    yield from _pulled(target, told, environ)


def _pulled(target: Mapping[str, Any], told: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What is known from here of whether pods can pull: only nodes know it for certain."""
    if target.get("pull") not in (None, "", target["push"]):
        what = f"Whether pods can pull from {target['pull']} is known when the first of them has"
        yield Finding("registry-pull", "unknown", what)
        return
    site = target.get("site") or {}
    if site.get("pull_secrets") or site.get("service_account"):
        return  # by which pods say who they are; whether these are there is looked at by itself
    if _open(target["push"], environ):
        yield Finding("registry-pull", "ok", f"Whoever reaches {told} may pull from it")
    else:
        what = f"{told} lets nobody pull without a login, and the profile names none for pods"
        do = "Write pull_secrets = [SECRET] into the profile, unless the nodes have a login of their own"
        yield Finding("registry-pull", "unknown", what, do)


def _open(push: str, environ: Mapping[str, str]) -> bool:
    """Whether a repository lets itself be read without a login; also where nobody says so."""
    from jobq_magic.images.registry import Reference, Registry

    with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
        nobody = {name: value for name, value in environ.items() if name not in _LOGINS}
        nobody |= {"HOME": folder, "DOCKER_CONFIG": folder}
        try:
            with Registry(Reference.parse(push), nobody, patience=_PATIENCE) as client:
                client.head_manifest("jobq-doctor")
        except BackendError as error:
            return error.code not in ("registry-password", "registry-refused")
    return True
