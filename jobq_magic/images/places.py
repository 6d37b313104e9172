"""The places that this machine puts images into: what they have of ours, and how it is taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.engine.address import address_in
from jobq_magic.engine.client import Engine, Refused
from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.intoengine import REPOSITORY, tag_of
from jobq_magic.images.prune import Remove

__all__ = ["Places", "reachable"]

_ENGINE = "engine:"


@dataclass(frozen=True, slots=True)
class Places:
    """What can be reached."""

    remove: Mapping[str, Remove]
    """How an image is taken away from each."""
    notes: tuple[str, ...] = ()
    """What cannot be reached though images were put there, and why."""


def reachable(cache: Cache, environ: Mapping[str, str], *, registries: bool) -> Places:
    """The Docker Engine of this machine, where there is one; if asked for, the registries that images were put into.

    Images of ours in an engine that the cache does not know of count as used now, and are known from then on: an engine
    does not tell since when it has them.

    Args:
        cache: what this machine remembers.
        environ: how engine and registries are reached.
        registries: whether these are to be reached too.
    """
    known = {one.destination: {digest for digest, _ in one.images().values()} for one in cache.knowns()}
    remove: dict[str, Remove] = {}
    notes: list[str] = []
    try:
        engine = _engine(environ)
        name = f"{_ENGINE}{engine.id}"
        remove[name] = _Engine(engine).remove
        for tag, identity in _Engine(engine).images():
            if identity not in known.get(name, ()):
                cache.known(name).add_image(tag, identity)
    except BackendError as error:  # a machine without an engine has no images in it
        if any(place.startswith(_ENGINE) for place in known):
            notes += error.lines()[:1]
    for place in known if registries else ():
        if not place.startswith(_ENGINE):
            remove[place] = _Registry(place, environ).remove
    return Places(remove, tuple(notes))


def _engine(environ: Mapping[str, str]) -> Engine:
    host = address_in(environ).host
    path = Path(host.removeprefix("unix://"))
    if host.startswith("unix://") and not path.exists():  # as on most machines: nobody is asked
        raise BackendError("engine-down", f"No Docker Engine answers at {host}")
    return Engine.connect(environ)


@dataclass(frozen=True, slots=True)
class _Engine:
    """An engine, for who tidies it."""

    engine: Engine

    def images(self) -> list[tuple[str, str]]:
        """The tag and the id of each image that is called as ours are."""
        with self.engine.telling("list its images"):
            listed = self.engine.api.images(name=REPOSITORY)
        called = [(tag.partition(":"), str(one["Id"])) for one in listed for tag in one.get("RepoTags") or ()]
        return [(tag, identity) for (name, _, tag), identity in called if name == REPOSITORY]

    def remove(self, key: str, digest: str) -> None:
        """Takes the image of a key away; not one that has become another since, nor one that a container has."""
        try:
            with self.engine.telling(f"look at {tag_of(key)}"):
                if self.engine.api.inspect_image(tag_of(key))["Id"] != digest:
                    return
            with self.engine.telling(f"remove {tag_of(key)}"):
                self.engine.api.remove_image(tag_of(key))
        except Refused as refused:
            if refused.status != 404:
                raise


@dataclass(frozen=True, slots=True)
class _Registry:
    """A repository of a registry, for who tidies it."""

    place: str
    environ: Mapping[str, str]

    def remove(self, key: str, digest: str) -> None:
        """Takes an image away, with all its tags; its layers go when the registry sweeps."""
        from jobq_magic.images.registry.client import Registry
        from jobq_magic.images.registry.reference import Reference

        del key
        with Registry(Reference.parse(self.place), self.environ, push=True) as registry:
            registry.delete_manifest(digest)
