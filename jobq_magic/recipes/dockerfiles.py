"""What must be known of a Dockerfile before anything builds it: its instructions, its stages, what they stand on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobq_magic.errors import OptionError

__all__ = ["Instruction", "Stage", "base_of", "instructions", "looks_like_one", "stages", "with_bases"]

_HEREDOC = re.compile(r"<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\})")
_TAKES_TEXT = frozenset({"ADD", "COPY", "RUN"})
"""Instructions that may be followed by a text of several lines."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile."""

    keyword: str
    """In capitals."""
    value: str
    """What follows it, on one line."""
    first: int
    last: int
    """The lines that it takes, counted from 0."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a build."""

    image: str
    """What it stands on: a reference, or the name of a stage above it."""
    name: str
    at: Instruction


def looks_like_one(name: str, text: str) -> bool:
    """Whether a file is a Dockerfile, by its name, or by the instruction that it begins with."""
    if name.lower().endswith((".yaml", ".yml", ".toml")):
        return False
    if re.search(r"(?i)(?:^|\.)(?:dockerfile|containerfile)(?:\.|$)", name):
        return True
    return any(re.match(r"(?i)(?:FROM|ARG)\s", line) for line in text.splitlines() if line.strip()[:1] not in {"", "#"})


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, in their order."""
    lines = text.splitlines()
    escape = "\\"
    for line in lines:
        if not (directive := re.match(r"#\s*(\w+)\s*=\s*(\S+)\s*$", line)):
            break
        if directive[1].lower() == "escape":
            escape = directive[2]
    at = 0
    while at < len(lines):
        first = at
        parts: list[str] = []
        while at < len(lines):
            line = lines[at].strip()
            at += 1
            if line.startswith("#") or (parts and not line):
                continue  # comments and empty lines between the lines of one instruction are none of it
            if not line.endswith(escape):
                parts.append(line)
                break
            parts.append(line.removesuffix(escape).rstrip())
        whole = " ".join(part for part in parts if part)
        keyword, _, value = whole.partition(" ")
        if not keyword:
            continue
        if keyword.upper() in _TAKES_TEXT:
            for found in _HEREDOC.finditer(value):
                while at < len(lines):
                    at += 1
                    line = lines[at - 1]
                    if (line.lstrip("\t") if found[1] else line) == found[3]:
                        break
        yield Instruction(keyword.upper(), value.strip(), first, at - 1)


def stages(text: str, args: Mapping[str, str], place: str = "the Dockerfile") -> tuple[Stage, ...]:
    """The stages of a Dockerfile, from the top down.

    Args:
        text: the Dockerfile.
        args: arguments of the build, which may stand in what a stage is made from.
        place: the file, in words.

    Raises:
        OptionError: it has no stage, or one that stands on nothing.
    """
    known: dict[str, str] = {}
    found: list[Stage] = []
    for one in instructions(text):
        if one.keyword == "ARG" and not found:
            name, _, default = one.value.partition("=")
            known[name.strip()] = args.get(name.strip(), default.strip().strip("\"'"))
        elif one.keyword == "FROM":
            words = [word for word in one.value.split() if not word.startswith("--")]
            image = _expanded(words[0], known) if words else ""
            if not image or (len(words) > 1 and (len(words) != 3 or words[1].upper() != "AS")):
                what = f"{place}, line {one.first + 1}: FROM {one.value} names no image"
                raise OptionError("broken-dockerfile", what, do="Write FROM IMAGE, or FROM IMAGE AS NAME")
            found.append(Stage(image, words[2] if len(words) == 3 else "", one))
    if not found:
        raise OptionError("broken-dockerfile", f"{place} has no FROM", do="Begin it with FROM IMAGE")
    return tuple(found)


def base_of(text: str, args: Mapping[str, str], place: str = "the Dockerfile") -> str:
    """The image that the last stage stands on in the end.

    Raises:
        OptionError: it is no Dockerfile, or stands on nothing.
    """
    known = stages(text, args, place)
    image = known[-1].image
    for stage in reversed(known[:-1]):
        if stage.name and stage.name.lower() == image.lower():
            image = stage.image
    if image == "scratch":
        what = f"{place} makes its image from scratch, which has no Python that a cell could run with"
        raise OptionError("broken-dockerfile", what, do="Write FROM an image that has Python, or FROM host")
    return image


def with_bases(text: str, args: Mapping[str, str], images: Mapping[str, str]) -> str:
    """The Dockerfile with other images in the place of those that its stages stand on, where `images` names them."""
    lines = text.splitlines()
    for stage in stages(text, args):
        if stage.image in images:
            options = [word for word in stage.at.value.split() if word.startswith("--")]
            named = ["AS", stage.name] if stage.name else []
            written = " ".join(["FROM", *options, images[stage.image], *named])
            lines[stage.at.first : stage.at.last + 1] = [written] + [""] * (stage.at.last - stage.at.first)
    return "\n".join(lines) + "\n"


def _expanded(word: str, known: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        have = known.get(found[1] or found[2], "")
        if found[3] == "-":
            return have or found[4]
        return (found[4] if have else "") if found[3] == "+" else have

    return _VARIABLE.sub(value, word)
