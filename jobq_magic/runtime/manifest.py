"""The manifest of a bundle, as a job reads it."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LABELS = "JOBQ_LABELS"
"""The variable with what tracebacks call the texts of a bundle, where it lies in an image: JSON, `[label, line]` for
each text in order (`bundle.neutral`). An image has no room for it: executing a cell again must not change it."""


def read(bundle: str) -> dict[str, Any]:
    """The manifest of the bundle in a folder, its texts labelled."""
    with open(_file(bundle), "rb") as file:
        manifest: dict[str, Any] = json.load(file)
    if labels := os.environ.get(LABELS):
        texts = [step for step in manifest["steps"] if "label" in step] + [manifest["cell"]]
        for text, (label, line) in zip(texts, json.loads(labels), strict=True):
            text["label"], text["line"] = label, line
    return manifest


def digest(bundle: str) -> str:
    """What tells a bundle apart among those on one machine."""
    import hashlib

    with open(_file(bundle), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(bundle: str) -> str:
    return os.path.join(bundle, "manifest.json")
