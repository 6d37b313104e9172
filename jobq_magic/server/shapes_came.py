"""Shapes of what a run left and what it took along."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

__all__ = ["Displays", "Image", "Manifests", "Result", "Source", "Travelled"]


class Skipped(TypedDict):
    """A name that could not come back."""

    name: str
    reason: str
    advice: str


class Result(TypedDict):
    """What a run left, as the runner told and rendered it: a job's words, to be shown as text or in a sandbox."""

    run: str
    phase: str
    sentence: str
    advice: str
    value: dict[str, Any] | None
    """The last value as a MIME bundle; null where there is none."""
    metadata: dict[str, Any]
    """Of the value, by MIME type."""
    names: dict[str, int]
    """What the cell bound, with sizes in bytes."""
    changed: dict[str, int]
    """What was shipped and changed in place, with sizes in bytes."""
    skipped: list[Skipped]
    error: str
    """The traceback, with a terminal's colours; "" where there is none."""
    displays: int
    """How many pictures there are."""


class Display(TypedDict):
    """One picture: what a notebook would show of a display and its updates."""

    place: int
    """In the list of pictures, counted from 0: it stands there instead of what stood there."""
    data: dict[str, Any]
    """A MIME bundle; text but under JSON's types."""
    metadata: dict[str, Any]
    display_id: str | None
    source: str
    """The worker that displayed it, where a run has several; else ""."""


class Displays(TypedDict):
    """The pictures that changed since a version."""

    version: str
    """To be given as `after` next time."""
    total: int
    """How many there are now; those behind are gone."""
    displays: list[Display]
    dropped: int
    """How many were too many or too large to be kept."""
    behind: bool
    """There is more already: ask again at once."""
    complete: bool
    """The run has ended, and nothing more will come."""


class Traveller(TypedDict):
    """One thing that travelled."""

    name: str
    kind: str
    why: str
    size: int | None
    origin: str
    digest: str


class Requirement(TypedDict):
    """A package that the job needs."""

    name: str
    version: str
    source: str
    origin: str
    why: str


class Stayed(TypedDict):
    """Something that did not travel."""

    name: str
    why: str


class Account(TypedDict):
    """What a capture took along and what it left."""

    travellers: list[Traveller]
    requirements: list[Requirement]
    stayed: list[Stayed]
    notes: list[str]
    digest: str
    seconds: float


class Travelled(TypedDict):
    """What travelled with a run and what did not."""

    shipped: str
    """How much, in words."""
    account: Account


class Layer(TypedDict):
    """One layer of an image, from the base up."""

    kind: str
    name: str
    digest: str
    size: int
    state: str
    """`reused` or `pushed`."""


class Image(TypedDict):
    """The image of a run."""

    reference: str
    digest: str
    key: str
    base: str
    layers: list[Layer]
    sent: int
    seconds: float
    notes: list[str]
    ray: str


class Manifest(TypedDict):
    """One object that a cluster was sent, without secrets."""

    kind: str
    name: str
    yaml: str


class Manifests(TypedDict):
    """What a cluster was sent of a run."""

    manifests: list[Manifest]
    why: str
    """Why there are none; "" where there are."""


class Source(TypedDict):
    """The cell of a run, and where it stood."""

    text: str | None
    """As it travelled: plain Python; null where it is not kept."""
    why: str
    """Why it is not; "" where it is."""
    label: str
    notebook: str | None
    cell_id: str | None
