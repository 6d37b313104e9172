"""What a route is asked and what it answers, without a web server: handlers are functions from `Asked` to an answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from jobq_magic.errors import JobqError, OptionError

if TYPE_CHECKING:
    from jobq_magic.run import Run
    from jobq_magic.runs.store import Store
    from jobq_magic.server.view import View

__all__ = ["Answer", "Asked", "Body", "Param", "Refused", "flag", "integer", "number", "read", "status_of", "text"]

Body: TypeAlias = Mapping[str, Any]

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?")
_BUST = re.compile(r"[0-9]+")
"""What JupyterLab adds to an address so that no cache answers: the time, as a name without a value."""
_OURS = frozenset({"token", "_xsrf", "no_track_activity"})
"""What Jupyter itself reads of a query."""


class Refused(JobqError):
    """A refusal with the status that HTTP has for it."""

    def __init__(self, status: int, code: str, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(code, what, why=why, do=do)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.status, self.code, self.what, self.why, self.do)


def _again(status: int, code: str, what: str, why: str, do: str) -> Refused:
    return Refused(status, code, what, why=why, do=do)


_STATUS: Mapping[str, int] = {
    "unknown-run": 404,
    "ambiguous-run": 404,
    "no-such-worker": 404,
    "unknown-profile": 404,
    "not-captured": 404,
    "not-ended": 409,
    "store-full": 507,
    "store-not-allowed": 403,
    "store-not-a-folder": 500,
    "store-unusable": 500,
}


def status_of(error: JobqError) -> int:
    """The status that an error is told with."""
    if isinstance(error, Refused):
        return error.status
    return _STATUS.get(error.code, 400 if isinstance(error, OptionError) else 409)


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a query: `schema` is what the document says of it, and what it is checked by."""

    name: str
    schema: Mapping[str, Any]
    told: str
    default: Any = None
    many: bool = False
    """Whether it may be given more than once; its value is a tuple then."""
    required: bool = False


def text(
    name: str,
    told: str,
    *,
    default: str | None = None,
    longest: int = 500,
    enum: Sequence[str] = (),
    pattern: str = "",
    many: bool = False,
    required: bool = False,
) -> Param:
    """A parameter that is a text: of so many characters at most, one of a few, or of a form; required, never empty."""
    schema: dict[str, Any] = {"type": "string", "maxLength": longest, **({"minLength": 1} if required else {})}
    if enum:
        schema = {"type": "string", "enum": [*enum]}
    if pattern:
        schema["pattern"] = pattern
    return Param(name, schema, told, default, many, required)


def integer(
    name: str, told: str, *, default: int | None = None, least: int | None = None, most: int | None = None
) -> Param:
    """A parameter that is a whole number."""
    bounds = {"minimum": -(10**12) if least is None else least, "maximum": 10**12 if most is None else most}
    return Param(name, {"type": "integer", **bounds}, told, default)


def number(name: str, told: str, *, default: float | None = None) -> Param:
    """A parameter that is a number: a time, mostly."""
    return Param(name, {"type": "number", "minimum": -1e12, "maximum": 1e12}, told, default)


def flag(name: str, told: str) -> Param:
    """A parameter that is 0 or 1; its value is a bool."""
    return Param(name, {"type": "integer", "enum": [0, 1]}, told, default=False)


def read(params: Sequence[Param], given: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The values of a query, each as its parameter says, with defaults.

    Raises:
        OptionError: something is not what it must be, or is not known; all mistakes are told by the first.
    """
    known = {param.name: param for param in params}
    values: dict[str, Any] = {param.name: () if param.many else param.default for param in params}
    for name, raw in given.items():
        param = known.get(name)
        if param is None:
            if name in _OURS or (_BUST.fullmatch(name) and not any(raw)):
                continue
            told = f"It takes {', '.join(known)}" if known else "It takes none"
            raise OptionError("bad-query", f"{_shown(name)} is no parameter of this address", do=told)
        if len(raw) > 1 and not param.many:
            raise OptionError("bad-query", f"{name} is given more than once")
        read = tuple(_value(param, each) for each in raw)
        values[name] = read if param.many else read[0]
    if missing := [param.name for param in params if param.required and not values[param.name]]:
        raise OptionError("bad-query", f"{' and '.join(missing)} must be given")
    return values


def _shown(word: str) -> str:
    return repr(word if len(word) <= 60 else word[:59] + "…")


def _value(param: Param, raw: bytes) -> Any:
    try:
        word = raw.decode()
    except UnicodeDecodeError as error:
        raise OptionError("bad-query", f"{param.name} is no text: it is not UTF-8") from error
    schema = param.schema
    kind = schema["type"]
    if kind == "string":
        return _text(param, word)
    if not (_INTEGER if kind == "integer" else _NUMBER).fullmatch(word):
        raise OptionError("bad-query", f"{param.name}={_shown(word)} is no {'whole ' * (kind == 'integer')}number")
    found: float = int(word) if kind == "integer" else float(word)
    if "enum" in schema:
        if found not in schema["enum"]:
            raise OptionError("bad-query", f"{param.name}={word} is neither 0 nor 1")
        return bool(found)
    if not (math.isfinite(found) and schema["minimum"] <= found <= schema["maximum"]):
        between = f"{schema['minimum']:g} and {schema['maximum']:g}"
        raise OptionError("bad-query", f"{param.name}={_shown(word)} is not between {between}")
    return found


def _text(param: Param, word: str) -> str:
    schema = param.schema
    if len(word) > schema.get("maxLength", len(word)):
        raise OptionError("bad-query", f"{param.name} is longer than {schema['maxLength']} characters")
    if "enum" in schema and word not in schema["enum"]:
        raise OptionError(
            "bad-query", f"{param.name}={_shown(word)} is not known", do=f"Known: {', '.join(schema['enum'])}"
        )
    if "pattern" in schema and not re.search(schema["pattern"], word):
        raise OptionError("bad-query", f"{param.name}={_shown(word)} is not of the form that it has")
    return word


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked: who asks may ask, the run is there, and query and body are what the route says."""

    view: View
    run_: Run | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Body = field(default_factory=dict)
    base: str = "/"
    """Where the routes begin, with a slash at its end."""
    known: frozenset[str] = frozenset()
    """The versions that who asks has already (`If-None-Match`)."""

    @property
    def store(self) -> Store:
        """The runs."""
        return self.view.store

    @property
    def run(self) -> Run:
        """The run that the path names."""
        assert self.run_ is not None, "no run in this path"
        return self.run_

    def unchanged(self, etag: str) -> bool:
        """Whether who asks has this version already; `Answer.same` is the answer then."""
        return etag in self.known


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, where that is more than JSON with status 200."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    """The version of it, in quotes as it stands in the header."""

    @classmethod
    def same(cls, etag: str) -> Answer:
        """That nothing has changed."""
        return cls(status=304, etag=etag)


Function: TypeAlias = Callable[[Asked], Body | Answer]
