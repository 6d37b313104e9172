"""What is sent is checked against the shape that the table names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jobq_magic.server.asking import Refused
from jobq_magic.server.route import named

__all__ = ["checked"]


def checked(reference: str, raw: bytes) -> Mapping[str, Any]:
    """What was sent, as the shape says.

    Raises:
        Refused: it is no JSON, or something else than the shape.
    """
    from pydantic import ValidationError

    try:
        json.loads(raw)
        found: Mapping[str, Any] = _adapter(reference).validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise Refused(400, "bad-body", f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad-body", "What was sent is no JSON") from error
    return found


@cache
def _adapter(reference: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(named(reference))
