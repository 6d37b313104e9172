"""Nodes as steps of the manifest, and texts as files of the bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from jobq_magic.capture.order import Node

__all__ = ["step", "write_text"]


def step(node: Node, folder: Path, number: int) -> dict[str, Any]:
    """The step that a node is; see `bundle`. The text of a definition is written, under this number."""
    if node.imported is not None:
        module, attribute = node.imported
        return {
            "kind": "import",
            "module": module,
            "attribute": attribute,
            "name": node.names[0] if node.names else None,
        }
    if node.definition is not None:
        definition = node.definition
        file = f"code/{number:03}.py"
        return {
            "kind": "source",
            "names": list(node.names),
            "file": file,
            "sha256": write_text(folder / file, definition.text),
            "label": definition.label,
            "line": definition.line,
            "flags": definition.flags,
        }
    assert node.group is not None
    file = f"values/{node.group.digest}"
    turn = {"turn": node.turn} if node.turn else {}
    if node.kind == "attributes":
        return {"kind": "attributes", "of": node.of, "file": file, **turn}
    return {"kind": "value", "names": list(node.names), "file": file, "size": node.group.size, **turn}


def write_text(path: Path, text: str) -> str:
    """Writes a source text; its sha256."""
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
