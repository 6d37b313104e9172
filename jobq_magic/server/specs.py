"""The spec in a request: what may be asked for from outside a notebook, and its schema, out of JobSpec's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jobq_magic.errors import OptionError, closest, refuse
from jobq_magic.spec import JobSpec, Option, declared

__all__ = ["options_of", "schema"]

_NOTEBOOK = ("debug", "dry_run", "wait", "job", "include", "exclude", "remake")
"""Fields that mean something in a notebook alone: its cell, its names, its kernel."""
_FILES = "files"
"""Patterns of files that lie where a notebook does: who sends a request has them in its bundle."""
_BUNDLED = ("out", "no_out", "requirement")
"""What a bundle says itself."""
_MOST = 100
"""Mistakes that are told."""


def options_of(spec: Mapping[str, Any], *, bundled: bool = False) -> dict[str, Any]:
    """The options that a request asks for, each of a type that its field can be written in.

    Args:
        spec: by the names of JobSpec's fields.
        bundled: whether it comes with a bundle.

    Raises:
        OptionError: all that is wrong, told together: one sentence for each.
    """
    mistakes = list(_mistakes(spec))
    if bundled:
        told = "is said by the bundle itself"
        mistakes += [OptionError("not-here", f"{name} {told}", do="Leave it out") for name in _BUNDLED if name in spec]
    refuse(mistakes[:_MOST])
    return {name: value for name, value in spec.items() if value is not None}


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of a spec in a request; readers know more of each value than a schema can say."""
    fields = JobSpec.model_fields
    return {
        "type": "object",
        "description": "What is asked of the job; the table of options in the documentation says more.",
        "properties": {
            name: {"description": fields[name].description or "", **_schema(name, option)}
            for name, option in _taken().items()
        },
        "additionalProperties": False,
    }


def _taken() -> dict[str, Option]:
    return {name: one for name, one in declared().items() if name not in (*_NOTEBOOK, _FILES)}


def _mistakes(spec: Mapping[str, Any]) -> Iterator[OptionError]:
    known = _taken()
    for name, value in spec.items():
        if name in _NOTEBOOK:
            yield OptionError("not-here", f"{name} is for cells of a notebook", do="Leave it out")
        elif name == _FILES:
            do = "Send a bundle that has them below files/"
            yield OptionError("not-here", "files names files of a notebook's folder, and a request has none", do=do)
        elif name not in known:
            shown = name if len(name) <= 60 else f"{name[:59]}…"
            yield OptionError("unknown-option", f"There is no option {shown}", do=closest(name, known))
        elif value is not None and not _fits(name, known[name], value):
            yield OptionError("bad-value", f"{name} must be {_words(name, known[name])}")
        elif fault := _fetched(name, value):
            yield fault


def _fetched(name: str, value: Any) -> OptionError | None:
    """What would have this server ask an address that somebody sent; the user's own settings may name one."""
    if name == "address" and "://" in str(value):
        do = "Name a profile that has the address"
        return OptionError("address-sent", "address holds an address, which this server does not ask", do=do)
    if name == "requirement":
        lines = [value] if isinstance(value, str) else value or ()
        if any("@" in line or "://" in line for line in lines):
            what = "requirement holds an address, which this server does not fetch from"
            return OptionError("address-sent", what, do="Name a version that is on an index")
    return None


def _fits(name: str, option: Option, value: Any) -> bool:
    if not option.metavar:
        return isinstance(value, bool)
    if option.many and isinstance(value, list):
        return all(_is_text(each) for each in value)
    if _is_mapping(name) and isinstance(value, Mapping):
        return all(_is_text(each) for pair in value.items() for each in pair if each is not None)
    return _is_text(value) or (not option.many and isinstance(value, int | float) and not isinstance(value, bool))


def _is_text(value: Any) -> bool:
    """Whether it is a text that files and environments can hold."""
    return isinstance(value, str) and not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value)


def _words(name: str, option: Option) -> str:
    if not option.metavar:
        return "true or false"
    if _is_mapping(name):
        return "an object of texts, or a list of texts"
    return "a text, or a list of texts" if option.many else "a text or a number"


def _schema(name: str, option: Option) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    if not option.metavar:
        return {"type": ["boolean", "null"]}
    if not option.many:
        return {"type": ["string", "number", "null"]}
    forms = [text, {"type": "array", "items": text}, {"type": "null"}]
    if _is_mapping(name):
        forms.append({"type": "object", "additionalProperties": {"type": ["string", "null"]}})
    return {"anyOf": forms}


def _is_mapping(name: str) -> bool:
    return JobSpec.model_fields[name].default_factory is dict
