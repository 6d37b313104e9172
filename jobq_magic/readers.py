"""What a user may write for an option that is no amount, and what it means; refused with what to write instead.

Each reader takes what the command line, a file, the environment or Python code gave: a string, a list, a mapping.
"""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jobq_magic.quantities import Refusal

__all__ = [
    "BUILDERS",
    "address",
    "builder",
    "env",
    "flag",
    "image",
    "items",
    "label",
    "mode",
    "name",
    "names",
    "namespace",
    "object_name",
    "platform",
    "repository",
    "requirement",
    "secret",
    "text",
    "title",
    "volume",
]

BUILDERS = ("append", "engine")

_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_PATH = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[a-z0-9]+:[0-9a-f]{32,}"
_CREDENTIAL = re.compile(
    r"(?i)(?:.*_)?(?:token|secret|password|passwd|credentials?|(?:api|access|private|secret)_?key)"
)


def flag(value: Any) -> bool:
    """Yes or no: `true`, `0`, `on`."""
    word = str(value).strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise Refusal("is neither yes nor no", "Write true or false")


def items(value: Any, *, commas: bool = False) -> tuple[str, ...]:
    """The parts of a list, each once, in their order."""
    if not isinstance(value, Iterable):
        raise Refusal("is not a list")
    parts = [str(part) for part in ([value] if isinstance(value, str) else value)]
    if commas:
        parts = [part for text in parts for part in text.split(",")]
    parts = [part.strip() for part in parts]
    if "" in parts:
        raise Refusal("has an empty part")
    return tuple(dict.fromkeys(parts))


def name(value: Any) -> str:
    """A Python name."""
    word = str(value).strip()
    if not word.isidentifier() or keyword.iskeyword(word):
        raise Refusal(f"holds {word!r}, which is not a Python name")
    return word


def names(value: Any) -> tuple[str, ...]:
    """Python names: `a,b`."""
    return tuple(name(word) for word in items(value, commas=True))


def _pairs(value: Any, *, key: str, what: str, form: str, bare: bool = False) -> dict[str, str | None]:
    if isinstance(value, Mapping):
        given = {str(word): None if text is None else str(text) for word, text in value.items()}
    else:
        split = [str(item).partition("=") for item in ([value] if isinstance(value, str) else items(value))]
        given = {word: text if equals else None for word, equals, text in split}
    for word, text in given.items():
        if not re.fullmatch(key, word):
            raise Refusal(f"holds {word!r}, which is not {what}", f"Write {form}")
        if text is None and not bare:
            raise Refusal(f"gives {word} no value", f"Write {form}")
    return given


def env(value: Any) -> dict[str, str | None]:
    """Variables and their values; None for "as it is here". What looks like a credential belongs to `secret`."""
    given = _pairs(value, key=_VARIABLE, what="the name of a variable", form="NAME=VALUE or NAME", bare=True)
    for word in given:
        if _CREDENTIAL.fullmatch(word):
            raise Refusal(f"would write {word} into the record of the run", f"Give it with --secret {word}")
    return given


def secret(value: Any) -> dict[str, str | None]:
    """Variables, and where each secret is found: None for the variable of that name here, else another place's name."""
    form = "NAME, or NAME=OTHER where the variable has another name here"
    given = _pairs(value, key=_VARIABLE, what="the name of a variable", form=form, bare=True)
    for reference in given.values():
        if reference is not None and not re.fullmatch(rf"{_VARIABLE}|{_DOMAIN}/[A-Za-z0-9._-]+", reference):
            # The text itself is not repeated: it may be the secret.
            raise Refusal("takes the name of a secret, never the secret itself", f"Write {form}")
    return given


def label(value: Any) -> dict[str, str | None]:
    """Labels as Kubernetes takes them."""
    given = _pairs(value, key=rf"(?:{_DOMAIN}/)?{_LABEL}", what="a key of a label", form="KEY=VALUE")
    for text in given.values():
        if text and not re.fullmatch(_LABEL, text):
            raise Refusal(
                f"holds {text!r}, which no label can have",
                "Up to 63 letters, digits, '-', '_' and '.' may be in it, with a letter or digit at both ends",
            )
    return given


def volume(value: Any) -> tuple[str, ...]:
    """Volumes: `data:/data`, `data:/data:ro`; a folder of this machine is made whole, `./data` from where we are."""
    volumes = items(value)
    for item in volumes:
        if not re.fullmatch(r"[^:]+:/[^:]*(?::r[ow])?", item):
            raise Refusal("is not a volume", "Write SOURCE:/WHERE or SOURCE:/WHERE:ro")
    return tuple(_whole(item) if item.startswith((".", "~")) else item for item in volumes)


def _whole(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - it goes on behind a colon


def requirement(value: Any) -> tuple[str, ...]:
    """Requirements as pip takes them."""
    from packaging.requirements import InvalidRequirement, Requirement

    requirements = items(value)
    for item in requirements:
        try:
            Requirement(item)
        except InvalidRequirement:
            raise Refusal("is not a requirement", "Write for example 'pandas>=2.2'") from None
    return requirements


def image(value: Any) -> str:
    """The reference of an image as Docker writes it, `python:3.12-slim`, or `host`.

    `http://` stands in front of it where its registry has no TLS.
    """
    word = str(value).strip()
    if found := re.match(rf"http://(?={_HOST}/)", word):
        return found[0] + image(word.removeprefix(found[0]))
    if "://" in word:
        rest = re.sub(r"\A[^/]*@", "", word.partition("://")[2].strip("/"))  # no password is repeated
        raise Refusal("is an address and not the name of an image", f"Write {rest}")
    if "@" in word and not re.search(rf"@{_DIGEST}\Z", word):
        raise Refusal("is not the name of an image", "Behind @ belongs a digest: sha256:...; users are asked elsewhere")
    if not re.fullmatch(rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*(?::{_TAG})?(?:@{_DIGEST})?", word):
        raise Refusal("is not the name of an image", "Write for example python:3.12-slim or host:5000/team/name:tag")
    return word


def repository(value: Any) -> str:
    """Where images lie in a registry, `registry.example.org/team/jobq`; `http://` in front where it has no TLS."""
    word = str(value).strip().rstrip("/")
    scheme, _, rest = word.rpartition("://")
    example = "Write for example registry.example.org/team/jobq"
    if "@" in rest:
        raise Refusal("holds a digest, a user or a password", f"{example}; docker login keeps who you are")
    if scheme not in {"", "http", "https"}:
        raise Refusal("is no place in a registry", example)
    host, _, path = rest.partition("/")
    if "." not in host and ":" not in host and host != "localhost":
        raise Refusal("names no registry", f"Write for example docker.io/{(path and rest) or 'team/jobq'}")
    if not path:
        raise Refusal("names a registry, and no place in it", f"Write for example {host}/jobq")
    if re.fullmatch(rf"{_PATH}(?:/{_PATH})*:{_TAG}", path):
        raise Refusal("holds a tag", f"Write {rest.rpartition(':')[0]}: the tag is made of the content")
    if not re.fullmatch(_HOST, host) or not re.fullmatch(rf"{_PATH}(?:/{_PATH})*", path):
        raise Refusal("is no place in a registry", example)
    return f"http://{rest}" if scheme == "http" else rest


def platform(value: Any) -> str:
    """What an image is made for, as OCI says it: `linux/amd64`, `linux/arm/v7`."""
    word = str(value).strip().lower()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    system, _, machine = word.partition("/")
    if not machine and system in {"amd64", "arm64", *names}:
        raise Refusal("is not a platform", f"Write linux/{names.get(system, system)}")
    if not re.fullmatch(r"[a-z0-9_]+(?:/v[0-9]+)?", machine):
        raise Refusal("is not a platform", "Write for example linux/amd64")
    if system != "linux":
        raise Refusal("is no platform that a cell can run on", f"Write linux/{machine}")
    return f"linux/{names.get(machine, machine)}"


def builder(value: Any) -> str:
    """What makes images."""
    word = str(value).strip()
    if word not in BUILDERS:
        raise Refusal("is no builder", f"Write {' or '.join(BUILDERS)}")
    return word


def address(value: Any) -> str:
    """The address of a Ray dashboard, without a user or a password; `raycluster/NAME`, of a namespace; or `here`."""
    url = str(value).strip()
    if url == "here":
        return url
    if url.startswith("raycluster/"):
        if not re.fullmatch(_DOMAIN, name := url.removeprefix("raycluster/")):
            raise Refusal(f"names {name or 'nothing'}, which is no name of a RayCluster", "Write raycluster/NAME")
        return url
    if url.startswith("ray://"):
        raise Refusal("is an address of Ray Client", "Give the dashboard's, for example http://HOST:8265")
    if re.match(r"https?://[^/]*@", url):
        raise Refusal("holds a password or a user", "Write for example http://HOST:8265")
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", url):
        raise Refusal("is not an address", "Write for example http://HOST:8265, or here")
    return url


def _matching(pattern: str, problem: str, do: str = "") -> Callable[[Any], str]:
    def reading(value: Any) -> str:
        written = str(value).strip()
        if not re.fullmatch(pattern, written):
            raise Refusal(problem, do)
        return written

    return reading


object_name = _matching(_DOMAIN, "is not a name in Kubernetes", "Small letters, digits, '-' and '.' may be in it")
namespace = _matching(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    "is not the name of a namespace",
    "Up to 63 small letters, digits and '-' may be in it, with a letter or digit at both ends",
)
title = _matching(
    r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}",
    "is not a name for a run",
    "Up to 63 letters, digits, spaces, '.', '_' and '-' may be in it, with a letter or digit first",
)
text = _matching(r"\S.*", "is empty")
mode = _matching(r"[a-z][a-z0-9-]*", "is not a mode", "Write for example local or ray")
