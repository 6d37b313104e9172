"""Objects of the API server, as plain data: what all who make and read them share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]


def condition(of: Object, name: str) -> Object:
    """A condition of an object; nothing where it has none of that name."""
    found = (each for each in of.get("status", {}).get("conditions", ()) if each["type"] == name)
    return next(found, {})


def holds(of: Object, name: str) -> bool:
    """Whether a condition of an object is True."""
    return condition(of, name).get("status") == "True"


def listed(objects: Iterable[Object]) -> str:
    """Several objects as one text, for whoever applies or creates them."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
