"""Shapes of a submission."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from jobq_magic.server.specs import schema

__all__ = ["Parts", "Submission", "Submitted"]

_Spec = Annotated[dict[str, Any], WithJsonSchema(schema())]
_File = Annotated[str, WithJsonSchema({"type": "string", "contentMediaType": "application/x-tar"})]


class Submission(TypedDict):
    """A cell to run, as text."""

    spec: _Spec
    code: Annotated[str, Field(max_length=1 << 20)]
    """Plain Python. What it reads must be in it, or be installed: there is no notebook around it."""


class Parts(TypedDict):
    """A cell to run, as a bundle that was made elsewhere."""

    spec: _Spec
    bundle: _File
    """A tar that is not compressed, with `manifest.json`, `code/`, `values/`, `modules/` and `files/`."""
    digest: NotRequired[str]
    """The content digest of the bundle: checked where it is given."""


class Submitted(TypedDict):
    """A run on its way."""

    run: str
    """Its id."""
    name: str
    where: str
    notes: list[str]
    """What its user should know, a sentence each."""
    again: bool
    """The same key had submitted it before."""
