"""The OpenAPI document, made from the table of routes and the shapes that it names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from types import GenericAlias
from typing import Any

from jobq_magic._version import __version__
from jobq_magic.server.asking import Asked, Param
from jobq_magic.server.route import PREFIX, Route, named
from jobq_magic.server.routes import ROUTES

__all__ = ["asked", "document"]

_ERROR = "shapes:Error"
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id of a run.",
    "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,80}$"},
}
_REFUSALS: Mapping[int, str] = {
    400: "Something that was asked for cannot be.",
    403: "Nobody is logged in, or this user may not do this.",
    404: "There is nothing of this name.",
    405: "The address is not asked in this way.",
    409: "It cannot be done with the run as it is.",
    410: "It was there, and is gone.",
    413: "Too much was sent.",
    415: "What was sent is of another type.",
    422: "What was sent cannot be run.",
    500: "It went wrong here; the log of the server says how.",
    501: "That is not to be had here.",
    502: "A place did not answer as it should.",
    503: "Not now: ask again in a moment.",
    504: "A place did not answer in time.",
    507: "The store is full.",
}


def asked(asked: Asked) -> dict[str, Any]:
    """The document, with the address of this server."""
    return {**document(), "servers": [{"url": asked.base.rstrip("/")}]}


@cache
def document() -> dict[str, Any]:
    """The document, for a server whose base URL is `/`."""
    schemas, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        if route.kind != "socket":
            method = "get" if route.method == "ANY" else route.method.lower()
            paths.setdefault(f"/{route.path}", {})[method] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jobq-magic",
            "version": __version__,
            "summary": "Runs of cells: what they do, what they left, and how they are stopped.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"/{PREFIX}"}],
        "security": [{"token": []}, {"cookie": [], "xsrf": []}],
        "paths": paths,
        "x-websockets": {f"/{route.path}": _socket(route, schemas) for route in ROUTES if route.kind == "socket"},
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token <the token of the Jupyter server>`",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "_xsrf",
        "description": "Of a browser that has logged in to Jupyter, beside the cookie of its login",
    },
    "xsrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-XSRFToken",
        "description": "The same once more; only what changes something needs it",
    },
}


def _operation(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, more = route.told.partition("\n\n")
    told: dict[str, Any] = {
        "operationId": route.operation,
        **({"x-any": True} if route.method == "ANY" else {}),
        "summary": summary.rstrip("."),
        **({"description": more} if more else {}),
        "tags": [route.path.partition("/")[0].partition(".")[0]],
        "x-action": route.action,
        "parameters": [*_path(route), *map(_parameter, route.query), *map(_header, route.headers)],
        "responses": {**_good(route, schemas), **_bad(route, schemas)},
    }
    if route.body:
        forms = {"application/json": route.body, "multipart/form-data": route.parts}
        content = {form: {"schema": schemas[shape]} for form, shape in forms.items() if shape}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _socket(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, more = route.told.partition("\n\n")
    told: dict[str, Any] = {
        "summary": summary.rstrip("."),
        **({"description": more} if more else {}),
        "x-action": route.action,
        "parameters": [*_path(route), *map(_parameter, route.query)],
    }
    if route.answer:
        told["receives"] = schemas[route.answer]
    if route.body:
        told["sends"] = schemas[route.body]
    return told


def _path(route: Route) -> Iterator[dict[str, Any]]:
    if "{id}" in route.path:
        yield dict(_ID)
    if "{path}" in route.path:
        told = "What is asked for there."
        yield {"name": "path", "in": "path", "required": True, "description": told, "schema": {"type": "string"}}


def _parameter(param: Param) -> dict[str, Any]:
    schema = dict(param.schema)
    if param.many:
        schema = {"type": "array", "items": schema}
    elif param.default is not None:
        schema["default"] = int(param.default) if isinstance(param.default, bool) else param.default
    must = {"required": True} if param.required else {}
    return {"name": param.name, "in": "query", **must, "description": param.told, "schema": schema}


def _header(param: Param) -> dict[str, Any]:
    return {**_parameter(param), "in": "header"}


def _good(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if route.answer:
        content = {"content": {"application/json": {"schema": schemas[route.answer]}}}
    elif route.media != "application/json":
        content = {"content": {route.media: {"schema": {"type": "string", "contentMediaType": route.media}}}}
    found = {str(status): {"description": "As asked.", **content} for status in (route.status, *route.goods)}
    if route.method == "GET" and route.etag:
        found["304"] = {"description": "Nothing has changed since the version that `If-None-Match` names."}
    return found


def _bad(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    statuses = {400, 403, 404, 503, *route.also} | ({413, 415} if route.body else set())
    error = {"content": {"application/json": {"schema": schemas[_ERROR]}}}
    return {str(status): {"description": _REFUSALS[status], **error} for status in sorted(statuses)}


def _schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of each shape that the table names, by its reference, and all those that these refer to."""
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Told(GenerateJsonSchema):
        """All fields of a dataclass are told, also those that it has a default for."""

        def field_is_required(self, field: Any, total: bool) -> bool:
            told = self.mode == "serialization" and field["type"] == "dataclass-field"
            return told or super().field_is_required(field, total)

    config = ConfigDict(use_attribute_docstrings=True)  # what is said of a field stands below it
    names = dict.fromkeys(
        [_ERROR, *(name for route in ROUTES for name in (route.body, route.parts, route.answer) if name)]
    )
    sent = {name for route in ROUTES for name in (route.body, route.parts)}
    kinds: list[Any] = []
    for name in names:
        many: Any = GenericAlias(list, (named(name),))
        kinds.append((name, "validation" if name in sent else "serialization", TypeAdapter(many, config=config)))
    found, told = TypeAdapter.json_schemas(kinds, ref_template="#/components/schemas/{model}", schema_generator=Told)
    components: dict[str, Any] = told.get("$defs", {})
    for schema in components.values():
        _close(schema)
    return {name: schema["items"] for (name, _), schema in found.items()}, components


def _close(schema: dict[str, Any]) -> None:
    """Says that there is nothing in it but what is declared, and drops what only repeats names."""
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
