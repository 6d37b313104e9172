"""Makes `src/api/types.ts` from the server's OpenAPI document. A test says whether it is level."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FILE = HERE / "src/api/types.ts"

_HEAD = "/* What the server tells: made from its OpenAPI document by `make labextension`, and not by hand. */\n"
# Names that a person would look for; the others are as the server has them.
_NAMES = {"Runs": "Listing", "Shown": "Run", "Error": "Trouble", "Lines": "LogPage", "Found": "LogHits"}
# A row holds the word, so that it can be kept as text; it is one of these.
_NARROWER = {("Row", "phase"): "Phase"}
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def types(document: Mapping[str, Any]) -> str:
    """The document's schemas as TypeScript, in the order of their names."""
    schemas = document["components"]["schemas"]
    return "\n".join([_HEAD, *(_declared(name, schemas[name]) for name in sorted(schemas, key=_named))])


def _named(name: str) -> str:
    return _NAMES.get(name, name)


def _declared(name: str, schema: Mapping[str, Any]) -> str:
    told = _comment(schema.get("description", ""), "")
    if "properties" in schema:
        return f"{told}export interface {_named(name)} {_object(schema, '', name)}\n"
    return f"{told}export type {_named(name)} = {_type(schema, '')};\n"


def _object(schema: Mapping[str, Any], indent: str, whose: str = "") -> str:
    inner, needed = indent + "  ", schema.get("required", ())
    lines = []
    for name, each in schema["properties"].items():
        lines.append(_comment(each.get("description", ""), inner))
        kind = _NARROWER.get((whose, name)) or _type(each, inner)
        lines.append(f"{inner}{name}{'' if name in needed else '?'}: {kind};\n")
    return "{\n" + "".join(lines) + indent + "}"


def _type(schema: Mapping[str, Any], indent: str) -> str:
    if "$ref" in schema:
        return _named(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_type(each, indent) for each in schema[several]))
    if len(schema.get("allOf", ())) == 1:
        return _type(schema["allOf"][0], indent)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": each}, indent) for each in kind)
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(each, indent) for each in schema['prefixItems'])}]"
        inner = _type(schema.get("items", {}), indent)
        return f"({inner})[]" if " " in inner and not inner.startswith("{") else f"{inner}[]"
    if kind == "object":
        if "properties" in schema:
            return _object(schema, indent)
        more = schema.get("additionalProperties")
        return f"Record<string, {_type(more, indent) if isinstance(more, Mapping) else 'unknown'}>"
    return _PLAIN.get(str(kind), "unknown")


def _comment(text: str, indent: str) -> str:
    words = " ".join(text.split()).replace("*/", "* /")
    return f"{indent}/** {words} */\n" if words else ""


def main() -> None:
    """Writes the file."""
    sys.path.insert(0, str(HERE.parent))
    from jobq_magic.server.openapi import document

    FILE.write_text(types(document()))


if __name__ == "__main__":
    main()
