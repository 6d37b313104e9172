"""docs/server.md ends with what the OpenAPI document says; its words on errors are those that are sent."""

from __future__ import annotations

import ast
import json
import os
import re
from typing import Any

from jobq_magic.server import openapi
from jobq_magic.server.shapes import Error
from tests.docs.conftest import ROOT, Document

PATH = ROOT / "docs/server.md"
MARK = "<!-- generated from here on -->\n"
_USUAL = {"400", "403", "404", "503"}


def _generated() -> str:
    document = openapi.document()
    lines = ["", "## Addresses", "", "Below `<the server's base URL>jobq-magic/`; times are seconds since the epoch."]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            lines += _operation(f"{'ANY' if told.get('x-any') else method.upper()} {path.lstrip('/')}", told)
    for path, told in document["x-websockets"].items():
        lines += _operation(f"WebSocket {path.lstrip('/')}", told)
    lines += _refusals()
    usual = ", ".join(sorted(_USUAL))
    lines += ["", "## Shapes", "", f"Each address may refuse with {usual} besides; then the answer is an `Error`."]
    for name, shape in sorted(document["components"]["schemas"].items()):
        lines += _shape(name, shape)
    return "\n".join([*lines, ""])


def _refusals() -> list[str]:
    """What only the server refuses, as its code has it, with `…` for what is filled in."""
    found = set()
    for path in ROOT.glob("jobq_magic/server/*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Refused" and len(call.args) > 2:
                status, code, what = call.args[:3]
                told = _escaped(_worded(what))
                if isinstance(status, ast.Constant) and isinstance(code, ast.Constant) and told.strip("… :"):
                    found.add((status.value, code.value, told))
    rows = [f"| {status} | `{code}` | {what} |" for status, code, what in sorted(found)]
    intro = "What runs, options and places refuse is told with [their codes](errors.md); these are the server's own."
    return ["", "## Refusals", "", intro, "", "| status | code | says |", "|---|---|---|", *rows]


def _worded(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_worded(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "…"


def _operation(title: str, told: dict[str, Any]) -> list[str]:
    lines = ["", f"### {title}", "", f"{told['summary']}. *{told['x-action']}*"]
    if told.get("description"):
        lines += ["", told["description"]]
    if parameters := [one for one in told["parameters"] if one["in"] == "query"]:
        lines += ["", "| parameter | |", "|---|---|"]
        lines += [f"| `{one['name']}` | {_cell(one)} |" for one in parameters]
    lines += _answers(told)
    return lines


def _cell(parameter: dict[str, Any]) -> str:
    default = parameter["schema"].get("default")
    return _escaped(parameter["description"]) + (f" (default: `{default}`)" if default not in (None, "") else "")


def _answers(told: dict[str, Any]) -> list[str]:
    parts = []
    if body := told.get("requestBody"):
        kinds = [f"{_type(one['schema'])} as `{kind}`" for kind, one in body["content"].items()]
        parts.append(f"Sent: {' or '.join(kinds)}.")
    for status, answer in told.get("responses", {}).items():
        if status in _USUAL:
            continue
        contents = [_type(one["schema"]) if "json" in kind else f"`{kind}`" for kind, one in _contents(answer)]
        said = f" {', '.join(contents)}" if contents and status < "400" else ""
        words = answer["description"].removesuffix(".") if status >= "300" else ""
        parts.append(f"{status}:{said}{' ' + words if words else ''}.".replace(":.", "."))
    parts += [f"{word.capitalize()}: {_type(told[word])}." for word in ("receives", "sends") if word in told]
    return ["", " ".join(parts)] if parts else []


def _contents(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(answer.get("content", {}).items())


def _shape(name: str, shape: dict[str, Any]) -> list[str]:
    lines = ["", f"### {name}", ""]
    if shape.get("description"):
        lines += [shape["description"], ""]
    if "properties" not in shape:
        return [*lines, _type(shape)]
    required = shape.get("required", [])
    lines += ["| field | | |", "|---|---|---|"]
    for field, told in shape["properties"].items():
        optional = "" if field in required else " *(may be missing)*"
        lines.append(f"| `{field}` | {_type(told)}{optional} | {_escaped(told.get('description', ''))} |")
    return lines


def _type(schema: dict[str, Any]) -> str:
    """What a schema means, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in "anyOf", "oneOf", "allOf":
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"by name: {_type(schema['additionalProperties'])}"
    return {"object": "object", "null": "null", "string": "text", "integer": "integer"}.get(kind, kind)


def _escaped(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|").replace("<", "\\<")


def test_the_reference_is_what_the_document_says():
    written, mark, rest = PATH.read_text(encoding="utf-8").partition(MARK)
    assert mark
    if os.environ.get("JOBQ_GOLDEN") == "write":
        PATH.write_text(written + MARK + _generated(), encoding="utf-8")
        return
    assert rest == _generated(), "JOBQ_GOLDEN=write renews it"


def test_the_error_that_it_shows_has_the_shape_of_errors():
    (shown,) = Document.read(PATH).of("json")
    assert json.loads(shown.text).keys() == Error.__annotations__.keys()
