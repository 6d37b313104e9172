"""Asking the functions of the server without a web server around them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pydantic import TypeAdapter

from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.server.asking import Asked
from jobq_magic.server.route import named


def asked(store: Store, run: Run | None = None, body: Any = None, **query: Any) -> Asked:
    """What a function of a route is given."""
    return Asked(SimpleNamespace(store=store), run, query, body or {})  # type: ignore[arg-type]


def of_shape(shape: str, found: Any) -> Any:
    """The answer, if it has exactly the shape that the document tells."""
    checked = TypeAdapter(named(shape)).validate_python(found, strict=True)
    assert checked == found, "it says more than its shape"
    return found
