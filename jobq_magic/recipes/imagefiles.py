"""What one file says of an image, key by key: a YAML file, or the table [tool.jobq.image] of a pyproject.toml.

Both know the same keys: those of a `Recipe`, and those of jobq's declarative files, in their groups:

    build:                                # may be left out, as may every group
      base_image: python:3.12-slim        # or base
      dependencies: {apt: [git], pip: [attrs, ./dist/own.whl, -r requirements.txt, -e .]}
      config: {env: {A: b}, arg: [C=d], stopsignal: SIGTERM, shell: bash}
      user: {name: me, uid: 1000}
      meta: {labels: {team: a}}
      filesystem: {copy: {src: /app/src}, add: ["data.tar.gz:/data"]}
      workdir: /app
      volumes: [/data]

In YAML every value is the text that was written: `3.10` is no number, and `no` is no truth.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic import readers
from jobq_magic.errors import OptionError, closest
from jobq_magic.image import User
from jobq_magic.quantities import Refusal

__all__ = ["KNOWN", "Said", "apt_package", "said", "yaml_document"]

_LARGEST_ID = 2**32 - 2
_GROUPS = {
    "build": frozenset[str](),
    "dependencies": frozenset({"apt", "pip"}),
    "config": frozenset({"env", "arg", "args", "stopsignal", "shell"}),
    "meta": frozenset({"label", "labels"}),
    "filesystem": frozenset({"copy", "add"}),
}
"""Keys that only hold others; "build" holds all."""
_OTHER_NAMES = {
    "arg": "args",
    "base_image": "base",
    "label": "labels",
    "pip": "requirements",
    "requirement": "requirements",
    "stop_signal": "stopsignal",
    "volume": "volumes",
}
_USER = ("create", "gid", "name", "uid")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says."""

    place: str
    """The file, in words."""
    folder: Path
    """Where its paths start from, where it does not say otherwise."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By the field of a `Recipe`; requirements, copies and the rest of what names files as they are written."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """How each field is called there."""

    def subject(self, name: str) -> str:
        """The field as it is written, to begin a sentence with."""
        return f"{self.keys.get(name, name)} in {self.place}"


def yaml_document(text: str, place: str) -> Mapping[str, Any]:
    """The mapping that a YAML file holds, its values as texts.

    Raises:
        OptionError: it is no YAML, or holds something else, or a key twice.
    """
    import yaml

    class Texts(yaml.SafeLoader):
        """Without guesses at what a text may mean; merge keys and nothing at all stay what they are."""

        yaml_implicit_resolvers = _without_guesses(yaml.SafeLoader.yaml_implicit_resolvers)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if (key.value, key.tag) in seen and not key.tag.endswith(":merge"):
                    raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
                seen.add((key.value, key.tag))
            return super().construct_mapping(node, deep)

    try:
        document = yaml.load(text, Texts)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is nested too deeply"
        at = f", line {mark.line + 1}" if mark else ""
        raise OptionError("broken-image-file", f"{place}{at} is not YAML: {problem}", do="Correct it there") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise OptionError(
            "broken-image-file", f"{place} says nothing of an image", do="Write for example base: python:3.12-slim"
        )
    return document


def said(document: Mapping[str, Any], place: str, folder: Path, mistakes: list[OptionError]) -> Said:
    """What a file says, read; what is wrong in it is added to `mistakes`."""
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for key, name, value in _leaves(document, place, mistakes):
        if name in values:
            what = f"{keys[name]} and {key} in {place} say the same thing twice"
            mistakes.append(OptionError("given-twice", what, do="Give it once"))
            continue
        try:
            if (read := _READERS[name](value)) is not None:
                values[name], keys[name] = read, key
        except Refusal as refusal:
            mistakes.append(OptionError("bad-image", f"{key} in {place} {refusal.problem}", do=refusal.do))
    return Said(place, folder, values, keys)


def _without_guesses(resolvers: Mapping[str, Any]) -> dict[str, Any]:
    kept = {first: [one for one in many if one[0].endswith((":merge", ":null"))] for first, many in resolvers.items()}
    return {first: many for first, many in kept.items() if many}


def apt_package(word: str) -> str:
    """The name of a package of Debian, with a version or a release where it is wanted."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+|/[a-z0-9.-]+)?", word):
        raise Refusal(f"holds {word!r}, which is not the name of a package", "Write for example git or libgomp1")
    return word


def _leaves(
    document: Mapping[str, Any], place: str, mistakes: list[OptionError], above: str = "", group: str = "build"
) -> Iterator[tuple[str, str, Any]]:
    """Each key with its groups in front, the field that it is, and its value."""
    known = _GROUPS[group] or {*_READERS, *_OTHER_NAMES, *(_GROUPS if not above else _GROUPS.keys() - {"build"})}
    for written, value in document.items():
        word, key = str(written).replace("-", "_"), f"{above}{written}"
        if word not in known:
            what = f"There is no key {key} in {place}"
            mistakes.append(OptionError("unknown-key", what, do=closest(word, known)))
        elif word not in _GROUPS:
            yield key, _OTHER_NAMES.get(word, word), value
        elif isinstance(value, Mapping):
            yield from _leaves(value, place, mistakes, f"{key}.", word)
        elif not _nothing(value):
            do = f"Known: {', '.join(sorted(_GROUPS[word] or known - {'build'}))}"
            mistakes.append(OptionError("bad-image", f"{key} in {place} holds no keys", do=do))


def _nothing(value: Any) -> bool:
    return value is None or value in ("", (), [], {})


def _text(value: Any) -> str:
    """A text, as it was written or as it is written in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise Refusal("is not one text")


def _list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [item for item in value if item is not None]
    if isinstance(value, Mapping):
        raise Refusal("is not a list")
    return [value]


def _pairs(value: Any, split: Callable[[str], tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Pairs, written as a mapping, as a list of texts, or as a list of mappings."""
    pairs: list[tuple[str, str | None]] = []
    for item in [value] if isinstance(value, Mapping) else _list(value):
        if isinstance(item, Mapping):
            pairs += [(str(key).strip(), "" if text is None else _text(text)) for key, text in item.items()]
        else:
            pairs.append(split(_text(item)))
    return pairs


def _settings(value: Any, pattern: str, what: str, *, bare: bool = False) -> dict[str, str | None] | None:
    def split(text: str) -> tuple[str, str | None]:
        name, equals, rest = text.partition("=")
        return name.strip(), rest if equals else None

    found: dict[str, str | None] = {}
    for name, text in _pairs(value, split):
        if not re.fullmatch(pattern, name):
            raise Refusal(f"holds {name!r}, which is not {what}", "Write NAME=VALUE, or NAME: VALUE")
        if text is None and not bare:
            raise Refusal(f"gives {name} no value", f"Write {name}=VALUE")
        found[name] = text
    return found or None


def _env(value: Any) -> dict[str, str | None] | None:
    return _settings(value, _NAME, "the name of a variable")


def _args(value: Any) -> dict[str, str | None] | None:
    return _settings(value, _NAME, "the name of an argument", bare=True)


def _labels(value: Any) -> dict[str, str | None] | None:
    return _settings(value, r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?", "a key of a label")


def _lines(value: Any) -> tuple[str, ...] | None:
    texts = [_text(item) for item in _list(value)]
    return tuple(dict.fromkeys(text for text in texts if text)) or None


def _apt(value: Any) -> tuple[str, ...] | None:
    words = [word for text in _lines(value) or () for word in text.split()]
    return tuple(apt_package(word) for word in words) or None


def _volumes(value: Any) -> tuple[str, ...] | None:
    return tuple(_absolute(text) for text in _lines(value) or ()) or None


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise Refusal(f"holds {text!r}, which is no folder of the image", "Write its whole path: /data")
    if "$" in text:
        raise Refusal(f"holds {text!r}, and variables mean nothing there", "Write the whole path")
    return text


def _workdir(value: Any) -> str | None:
    return _absolute(text) if (text := _text(value)) else None


def _moved(value: Any) -> tuple[tuple[str, str], ...] | None:
    def split(text: str) -> tuple[str, str | None]:
        source, colon, target = text.rpartition(":")
        if not colon or not source or target.startswith("//"):
            source, _, target = text.rpartition("=")
        return source.strip(), target.strip()

    pairs = _pairs(value, split)
    for source, target in pairs:
        if not source or not target:
            raise Refusal(f"does not say what lies where: {target or source}", "Write SRC:DST, or SRC: DST")
    return tuple((source, str(target)) for source, target in pairs) or None


def _user(value: Any) -> User | None:
    if _nothing(value):
        return None
    if not isinstance(value, Mapping):
        word, _, group = _text(value).partition(":")
        gid = _id(group, "gid") if group else None
        return User(_id(word, "uid"), gid) if word.isdigit() else User(gid=gid, name=_user_name(word))
    for key in value:
        if str(key) not in _USER:
            raise Refusal(f"holds {str(key)!r}, which says nothing of a user", closest(str(key), _USER))
    given = {str(key): _text(item) for key, item in value.items() if not _nothing(item)}
    uid, gid = (_id(given[key], key) if key in given else None for key in ("uid", "gid"))
    name = _user_name(given["name"]) if "name" in given else ""
    if uid is None and not name:
        if given:
            raise Refusal("names no user", "Give name or uid")
        return None
    return User(uid, gid, name, bool(name) and readers.flag(given.get("create", "true")))


def _user_name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", word):
        raise Refusal(f"holds {word!r}, which is not the name of a user", "Small letters, digits, '-' and '_' do")
    return word


def _id(text: str, what: str) -> int:
    if not text.isdigit() or int(text) > _LARGEST_ID:
        raise Refusal(f"holds {what} {text!r}, which is no number of a user or group", "Write for example 1000")
    return int(text)


def _shell(value: Any) -> tuple[str, ...] | None:
    words = [_text(item) for item in value] if isinstance(value, list | tuple) else shlex.split(_text(value))
    if len(words) == 1:  # `bash`, as jobq has it
        return (words[0] if words[0].startswith("/") else f"/bin/{words[0]}", "-c")
    return tuple(words) or None


def _stopsignal(value: Any) -> str | None:
    word = _text(value).upper()
    if not word:
        return None
    if word.isdigit():
        if not 1 <= int(word) <= 64:
            raise Refusal(f"= {word} is no signal", "Write for example SIGTERM")
        return word
    name = word if word.startswith("SIG") else f"SIG{word}"
    if not re.fullmatch(r"SIG(?:[A-Z]+[0-9]?|RTM(?:IN\+|AX-)[0-9]{1,2})", name):
        raise Refusal(f"= {_text(value)} is no signal", "Write for example SIGTERM")
    return name


def _one(reading: Callable[[Any], str]) -> Callable[[Any], str | None]:
    return lambda value: None if _nothing(value) else reading(_text(value))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "add": _moved,
    "apt": _apt,
    "args": _args,
    "base": _one(readers.image),
    "builder": _one(readers.builder),
    "context": _one(str),
    "copy": _moved,
    "dockerfile": _one(str),
    "env": _env,
    "labels": _labels,
    "requirements": _lines,
    "shell": _shell,
    "stopsignal": _stopsignal,
    "user": _user,
    "volumes": _volumes,
    "workdir": _workdir,
}
KNOWN = frozenset(_READERS)
"""The fields of a `Recipe` that a file may set."""
