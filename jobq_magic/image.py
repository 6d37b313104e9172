"""Image: what was assembled for a run, always referred to by its digest; and what it was to be made from.

A `Recipe` says what the user wants an image to be, wherever that was written; `Packages` what has to be installed in
it; a `BuildRequest` is everything that assembling needs beside the bundle, as JSON in the run's folder, so that another
process can do it. `Image` is what came of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.bundle import Requirement

if TYPE_CHECKING:
    from jobq_magic.run import RunPaths

__all__ = ["BuildRequest", "Image", "ImageLayer", "Packages", "Recipe", "User", "ray_of"]


@dataclass(frozen=True, slots=True)
class User:
    """Who the processes of an image are."""

    uid: int | None = None
    gid: int | None = None
    name: str = ""
    create: bool = False
    """The user is made, with a home; else only its numbers count."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is to be, beside what the cell needs."""

    base: str = ""
    """A reference, `host`, or "" for the default one."""
    as_it_is: bool = False
    """Nothing is installed in it: it has what the cell needs."""
    builder: str = ""
    """`append`, `engine`, or "" for the first that can."""
    apt: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    """Packages for Python that are asked for beside those of the cell (PEP 508)."""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    """Arguments of a build; they are no part of the image."""
    user: User | None = None
    workdir: str = ""
    shell: tuple[str, ...] = ()
    stopsignal: str = ""
    volumes: tuple[str, ...] = ()
    copy: tuple[tuple[str, str], ...] = ()
    """Files and folders of the context, and where they lie in the image."""
    add: tuple[tuple[str, str], ...] = ()
    """The same; archives are unpacked, addresses are fetched."""
    dockerfile: str = ""
    """A Dockerfile that makes the base, from the context."""
    context: str = ""
    """The folder that paths start from: absolute, on this machine."""

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Recipe:
        """The recipe in what `asdict` and JSON made of one."""
        pairs = {name: tuple((each[0], each[1]) for each in known[name]) for name in ("copy", "add")}
        lists = {name: tuple(known[name]) for name in ("apt", "requirements", "shell", "volumes")}
        user = User(**known["user"]) if known["user"] is not None else None
        return cls(**{**known, **pairs, **lists, "user": user})


@dataclass(frozen=True, slots=True)
class Packages:
    """What is to be installed, as `capture.requirements.locking.Lock` has it."""

    text: str = ""
    """A requirements file with hashes, without addresses."""
    build: tuple[Requirement, ...] = ()
    """What is on no index: to be built from where it is."""

    def version(self, name: str) -> str | None:
        """The version of a distribution, by its normalised name; "" where it is open, None where it is not there."""
        for one in self.build:
            if one.name == name:
                return one.version
        # Names are as locks and requirements have them: `ray==2.60.0 \`, `ray[default]>=2`.
        found = re.search(
            rf"^{re.escape(name)}(?![\w.-])(?:\[[^\]]*\])?\s*(?:==\s*([^\s;,]+))?", self.text, re.MULTILINE
        )
        return None if found is None else found[1] or ""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What an image is made from, beside the bundle."""

    recipe: Recipe
    packages: Packages
    python: str
    """The minor version of the notebook's Python: `3.11`."""
    platform: str
    """As OCI says it: `linux/amd64`."""
    ray: str = ""
    """The version of Ray that the notebook has; "" where it is not installed."""
    needs: tuple[str, ...] = ()
    """Normalised names of distributions that the place cannot do without, whatever the cell imports."""
    destination: Mapping[str, Any] = field(default_factory=dict)
    """Where the image goes: `{"to": "engine"}`, or `{"to": "registry", "push": ..., "pull": ...}`."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the image; no part of what it is told apart by."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> BuildRequest:
        """The request in what `to_json` made."""
        packages = known["packages"]
        build = tuple(Requirement(**one) for one in packages["build"])
        parts = {"recipe": Recipe.from_json(known["recipe"]), "packages": Packages(packages["text"], build)}
        return cls(**{**known, **parts, "needs": tuple(known.get("needs", ()))})


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """One layer of an image, for people."""

    kind: str
    """`base`, `build`, `files`, `requirements`, `runtime`, `local`, `value` or `code`."""
    name: str
    """What it holds, in words: `numpy, pandas and 4 more`, `df`."""
    digest: str
    """Of the bytes that travel: `sha256:...`."""
    size: int
    """How many these are."""
    state: str
    """`reused`: it was there already; `pushed`: it had to travel."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is where its job can have it."""

    reference: str
    """How the place calls it, with its digest: `host:5000/team/jobq@sha256:...`; in an engine the id of the image."""
    digest: str
    """`sha256:...` of its manifest; in an engine, of its configuration."""
    key: str
    """The sha256, in hex, of what it is made from: equal content has an equal key."""
    base: str = ""
    """The base, with its digest."""
    layers: tuple[ImageLayer, ...] = ()
    sent: int = 0
    """Bytes that travelled."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """What the user should know of how it was made."""
    ray: str = ""
    """The version of Ray in it: that of its base, or the one installed over it; "" where it has none, or one of which
    its base does not tell."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Image:
        """The image in what `to_json` made.

        Raises:
            TypeError, KeyError: it is of another version.
        """
        layers = tuple(ImageLayer(**one) for one in known["layers"])
        return cls(**{**known, "layers": layers, "notes": tuple(known["notes"])})

    @classmethod
    def load(cls, path: Path) -> Image:
        """The image that a file tells of.

        Raises:
            OSError, ValueError: there is none.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path} holds no image of this version") from error


def ray_of(paths: RunPaths) -> str:
    """The version of Ray that the pods of a run will have, as `rayVersion` of a RayCluster wants it.

    That of its image, where it is made and tells; else the notebook's, which is the same where both are known. "" where
    neither is.

    Args:
        paths: of the run.
    """
    try:
        if ray := Image.load(paths.image).ray:
            return ray
    except (OSError, ValueError):
        pass  # it is not made yet
    try:
        return BuildRequest.from_json(json.loads(paths.request.read_bytes())).ray
    except (OSError, ValueError, TypeError, KeyError):
        return ""
