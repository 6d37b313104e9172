"""The cluster's images, made here and pushed to its registry; none comes from outside.

Each is told apart by what it is made from, as users' images are: what is in the registry is neither made nor sent
again, and finding that out takes a few milliseconds.

    pause, coredns, kueue, kuberay    one program each
    python                            this machine's own Python: the base `host`, for Jobs
    ray                               the same with Ray, in the version of requirements/dev.lock, for RayJobs
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobq_magic.errors import JobqError
from jobq_magic.image import Packages
from jobq_magic.images import host, layout, libraries, packages, platforms
from jobq_magic.images.cache import Cache
from jobq_magic.images.contents import digest_of
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.layer import Staged
from jobq_magic.images.mediatypes import OCI
from jobq_magic.images.model import Assembled, Base, Entry, Layer, Part
from jobq_magic.images.parts import key_of
from jobq_magic.images.prune import InUse, prune
from jobq_magic.images.registry import Registry
from jobq_magic.runtime.wire import canonical
from tests.cluster import build, locked
from tests.cluster.layout import CACHE, REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.steps import Failed

Say = Callable[[str], None]

_FORMAT = 1
"""Of what this file makes: with another one, images have other keys."""
_PROGRAMS = {"pause": "pause", "coredns": "coredns", "kueue": "manager", "kuberay": "manager"}
"""What the program is called in the image: Kueue's and KubeRay's own manifests start /manager."""
NAMES = (*_PROGRAMS, "python", "ray")
_MORE_TAGS = {"pause": ("1",)}
"""Where something that is written down once has to name an image: containerd's configuration."""
_NOBODY = "65532:65532"
"""Who the programs run as, as in their own images."""
_LOCK = Path(__file__).parents[2] / "requirements" / "dev.lock"
_RAY = ("ray[default]", "cloudpickle")
_NOT_OF_RAY = ("ray/cpp", "ray/jars", "ray/rllib")
"""Other languages, and learning by reinforcement: a sixth of Ray, and nothing that is tested."""
_HOME = "/home/ray"
_PEOPLE = {
    "etc/passwd": f"root:x:0:0:root:/root:/bin/sh\nray:x:1000:1000::{_HOME}:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nray:x:1000:\nnogroup:x:65534:\n",
}
_UNUSED = 30 * 86400.0
"""Seconds after which a layer that nobody used is not kept any longer."""
_BEGINNING = "1970-01-01T00:00:00Z"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_WHERE = "usr" if sys.base_prefix == "/usr" else "usr/local"
_DEBIANS = "usr/lib/python3/dist-packages"
_SITE = (
    # Debian's own Python looks for packages there, and not where all others do.
    _DEBIANS
    if _WHERE == "usr" and Path(f"/{_DEBIANS}").is_dir()
    else f"{_WHERE}/{sys.platlibdir}/python{_PYTHON}/site-packages"
)
_BIN = "usr/local/bin"
_MOVED = {layout.inside(layout.SITE): _SITE, layout.inside(layout.BIN): _BIN}
"""Where the layer of packages has its files, and where this one has them: a base has Ray where pip would put it."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an image is to be made of."""

    settings: Mapping[str, Any]
    """How its processes are started (OCI image-spec, config.md: config)."""
    parts: tuple[Part, ...]
    base: Base | None = None

    @property
    def key(self) -> str:
        stands_on = self.base.key if self.base is not None else ""
        return hashlib.sha256(
            canonical([_FORMAT, self.settings, stands_on, [part.key for part in self.parts]])
        ).hexdigest()


def publish(
    name: str,
    say: Say,
    *,
    push: str = REGISTRY_PUSH,
    pull: str = REGISTRY_PULL,
    cache: Path = CACHE / "images",
) -> str:
    """Makes sure that an image is in the cluster's registry, and returns how nodes call it, by its digest.

    Args:
        name: one of NAMES.
        say: told when it has to be made or sent; nothing where it is there.
        push: the registry, as this machine reaches it.
        pull: the same one, as nodes call it.
        cache: where layers that were made are kept.

    Raises:
        Failed: it cannot be made, or not be brought there.
    """
    try:
        return _published(name, say, push, pull, Cache(cache))
    except JobqError as error:
        raise Failed(f"The image `{name}`: {'; '.join(error.lines())}") from error


def _published(name: str, say: Say, push: str, pull: str, kept: Cache) -> str:
    began = time.monotonic()
    plan = _plan(name, kept)
    # Nothing of the environment counts here: the registry is this machine's own, behind no proxy.
    with contextlib.closing(RegistryDestination(f"http://{push}/{name}", f"{pull}/{name}", {}, kept)) as place:
        known = kept.known(place.name)
        reference = place.find(plan.key, known.image(plan.key))
        if reference is None:
            sent = place.put(_assembled(plan, _layers(plan, kept, name, push, say)), lambda _: None)
            reference = sent.reference
            known.add_image(plan.key, sent.digest)
            say(f"image {name}: {sent.bytes / 1e6:.1f} MB sent, {time.monotonic() - began:.1f} s")
        _tag(place.registry, name, reference.rpartition("@")[2])
    return reference


def tags(name: str, *, pull: str = REGISTRY_PULL) -> tuple[str, ...]:
    """What else an image is called, for people, and where a digest cannot be written."""
    return tuple(f"{pull}/{name}:{tag}" for tag in _tags(name))


def _tags(name: str) -> tuple[str, ...]:
    return ("latest", *_MORE_TAGS.get(name, ()))


def _tag(registry: Registry, name: str, digest: str) -> None:
    for tag in _tags(name):
        there = registry.head_manifest(tag)
        if there is None or there.digest != digest:
            manifest = registry.manifest(digest)
            registry.put_manifest(tag, manifest.data, manifest.media_type)


def _plan(name: str, cache: Cache) -> _Plan:
    if name in _PROGRAMS:
        return _program(name, build.binary(name))
    if name not in NAMES:
        raise Failed(f"The cluster has no image `{name}`; it has {', '.join(NAMES)}.")
    base = host.host_base(cache.layer, python=_PYTHON, platform=platforms.here(), environ=os.environ)
    settings = base.config["config"]
    if name == "python":
        return _Plan(settings, (), base)
    lines = locked.part(_RAY, _LOCK, cache.root / "locked")
    version = locked.version("ray", lines)
    own = {"HOME": _HOME, "RAY_USAGE_STATS_ENABLED": "0"}
    settings = {
        **settings,
        "Env": [*settings["Env"], *(f"{key}={value}" for key, value in own.items())],
        # As Ray's own images have it: by such a user, and such a label.
        "User": "1000:1000",
        "WorkingDir": _HOME,
        "Labels": {"io.ray.ray-version": version},
    }
    return _Plan(settings, (_company(), _ray(lines, version)), base)


def _layers(plan: _Plan, cache: Cache, name: str, push: str, say: Say) -> list[Layer]:
    """All layers of an image, those of its base first."""
    made = list(plan.base.layers if plan.base is not None else ())
    if name != "python":  # the registry takes it from that one by itself, where it has it
        made = [replace(layer, origin=f"{push}/python") for layer in made]
    for part in plan.parts:
        if (layer := cache.kept(part)) is None:
            say(f"image {name}: making {part.name}")
            layer = cache.layer(part)
            prune(cache, older=_UNUSED, in_use=InUse(), places={})
        made.append(layer)
    return made


def _assembled(plan: _Plan, layers: Sequence[Layer]) -> Assembled:
    """The image as it travels: its configuration and its manifest (OCI image-spec)."""
    described = {
        **platforms.described(platforms.here()),
        "created": _BEGINNING,
        "config": plan.settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": _BEGINNING, "created_by": layer.name} for layer in layers],
    }
    config = canonical(described)
    written = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": {"mediaType": OCI.config, "digest": digest_of(config), "size": len(config)},
        "layers": [
            {"mediaType": OCI.layers[layer.compression], "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    manifest = canonical(written)
    return Assembled(plan.key, tuple(layers), config, digest_of(config), manifest, digest_of(manifest), OCI.manifest)


def _program(name: str, path: Path) -> _Plan:
    """An image of one program, and of a folder for what it writes down for a while."""
    inside = _PROGRAMS[name]

    def entries(_: Path) -> Iterator[Entry]:
        yield Entry("tmp", "folder", mode=0o1777)
        yield Entry(inside, data=path, mode=0o755)

    # Only stored: a program of 110 MB is sent in less time than it is compressed and unpacked in.
    part = Part("program", name, key_of("cluster-program", _FORMAT, inside, _stamp(path)), entries, "stored")
    return _Plan({"Entrypoint": [f"/{inside}"], "User": _NOBODY, "WorkingDir": "/"}, (part,))


def _company() -> Part:
    """What Ray needs beside Python: a home that anybody may write to, and wget, by which KubeRay's probes ask."""
    wget = shutil.which("wget")
    if wget is None:
        raise Failed("wget is missing, by which KubeRay asks how Ray is: `apt-get install wget` installs it.")
    program = Path(os.path.realpath(wget))

    def entries(_: Path) -> Iterator[Entry]:
        yield Entry(layout.inside(_HOME), "folder", mode=0o1777)
        for path, text in _PEOPLE.items():
            yield Entry(path, data=text.encode())
        yield Entry("usr/bin/wget", data=program, mode=0o755)
        loader = libraries.loader_of(program)
        assert loader is not None, f"{program} is linked statically"
        found = libraries.needed([program], loader=loader, environ=os.environ)
        place = found["libc.so.6"].parent  # where the loader looks without being told
        for name, library in found.items():
            yield Entry(f"{place}/{name}".strip("/"), data=library, mode=0o755)

    # The cache of the loader changes with every library that is installed or renewed.
    stamps = [_stamp(program), _stamp(Path("/etc/ld.so.cache"))]
    return Part("company", "wget and a home", key_of("cluster-company", _FORMAT, _HOME, _PEOPLE, stamps), entries)


def _ray(lines: str, version: str) -> Part:
    """Ray and all that it needs, with bytecode: without, each of its ten processes would compile for seconds."""
    part = packages.part(Packages(lines), python=_PYTHON, platform=platforms.here(), environ=dict(os.environ))
    assert part is not None

    def entries(folder: Path) -> Iterable[Entry]:
        found = part.entries(folder)
        if isinstance(found, Staged):
            return Staged(list(_moved(found.first)), lambda: _moved(found.rest()), found.close)
        return _moved(found)

    key = key_of("cluster-ray", _FORMAT, part.key, _MOVED, _NOT_OF_RAY)
    return Part("requirements", f"Ray {version}", key, entries)


def _moved(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries of a layer of packages, where a base has them."""
    unwanted = tuple(f"{_SITE}/{folder}/" for folder in _NOT_OF_RAY)
    for entry in entries:
        above = next(above for above in _MOVED if entry.path.startswith(f"{above}/"))
        path = _MOVED[above] + entry.path.removeprefix(above)
        if not path.startswith(unwanted):
            yield replace(entry, path=path)


def _stamp(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return (str(path), found.st_size, found.st_mtime_ns)
