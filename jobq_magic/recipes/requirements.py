"""What a recipe asks for of Python's packages, as requirements: names, wheels, projects, files of requirements."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from jobq_magic import readers
from jobq_magic.quantities import Refusal
from jobq_magic.recipes.contexts import seen_from, text_of
from jobq_magic.secretforms import secret_in_text

__all__ = ["joined", "over", "requirements_of"]

_DEEPEST = 8
"""Files of requirements that name others."""
_NAMES = (
    ("pyproject.toml", r"\[(?:project|tool\.poetry)\](?:(?!\n\[).)*?\nname\s*=\s*[\"']([A-Za-z0-9][\w.-]*)[\"']"),
    ("setup.cfg", r"\[metadata\](?:(?!\n\[).)*?\nname\s*=\s*([A-Za-z0-9][\w.-]*)"),
    ("setup.py", r"\bname\s*=\s*[\"']([A-Za-z0-9][\w.-]*)[\"']"),
)
"""Where a project says what it is called."""


def requirements_of(root: Path, line: str, own: Path, depth: int = 0) -> list[str]:
    """What an entry asks for, as requirements (PEP 508): `own @ file:///...` where it names what lies in the context.

    Args:
        root: the context.
        line: as pip would take it: a name, a wheel, a project's folder, `-e FOLDER`, `-r FILE`.
        own: where paths start from.
        depth: how many files of requirements it lies in.

    Raises:
        Refusal: it cannot be.
    """
    option, _, rest = line.partition("=") if line.startswith("--") and "=" in line else line.partition(" ")
    if option in {"-r", "--requirement"} or (line.startswith("-r") and not line.startswith("--")):
        name = rest.strip() or line[2:].strip()
        path = root / seen_from(root, name, own)
        if depth > _DEEPEST:
            raise Refusal(f"names {name}, and too many files name one another", "See whether one names itself")
        lines = _lines(text_of(root, name, own))
        try:
            return [found for inner in lines for found in requirements_of(root, inner, path.parent, depth + 1)]
        except Refusal as refusal:
            raise Refusal(f"names {name}, which {refusal.problem}", refusal.do) from None
    if option in {"-e", "--editable"} or (line.startswith("-e") and not line.startswith("--")):
        line = rest.strip() or line[2:].strip()  # in an image nobody edits it
        if not _like_a_path(line, own):
            line = f"./{line}"
    elif line.startswith("-"):
        raise Refusal(
            f"holds {option}, an option of pip",
            "Options of pip go into its configuration (pip.conf, PIP_INDEX_URL), which is honoured",
        )
    if not _like_a_path(line, own):
        if kind := secret_in_text(line):
            raise Refusal(
                f"holds {kind}", "Keep passwords of indexes and hosts in netrc or pip.conf, which are honoured"
            )
        return list(readers.requirement([line]))
    bare, bracket, extras = line.partition("[")
    path = root / seen_from(root, bare, own)
    if not path.exists():
        raise Refusal(f"names {line}, and there is no such file", "Name what is there")
    return [f"{_name(path, line)}{bracket}{extras} @ {path.as_uri()}"]


def joined(lines: Iterable[str]) -> tuple[str, ...]:
    """Requirements with one line for each name: what is asked of it is joined, what is for other machines is left out.

    Two addresses of one name stay; that is refused where they are locked.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[tuple[str, str | None], Requirement] = {}
    for line in lines:
        one = Requirement(line)
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        one.marker = None
        key = (canonicalize_name(one.name), one.url)
        if (other := found.setdefault(key, one)) is not one:
            other.extras |= one.extras
            other.specifier &= one.specifier
    return tuple(str(one) for one in found.values())


def over(strong: tuple[str, ...], weak: tuple[str, ...]) -> tuple[str, ...]:
    """Requirements of two sources: of the same package what the stronger one says."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    taken = {canonicalize_name(Requirement(line).name) for line in strong}
    return (*(line for line in weak if canonicalize_name(Requirement(line).name) not in taken), *strong)


def _name(path: Path, line: str) -> str:
    """What a wheel, an archive of sources, or a folder with a project of Python is called."""
    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

    if path.is_file():
        try:
            parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
            return parse(path.name)[0]
        except (InvalidWheelFilename, InvalidSdistFilename):
            raise Refusal(
                f"names {line}, which is called neither as a wheel nor as an archive of sources", "Build it anew"
            ) from None
    for file, pattern in _NAMES:
        with contextlib.suppress(OSError):
            if found := re.search(pattern, (path / file).read_text(encoding="utf-8", errors="replace"), re.DOTALL):
                return found[1]
    if any((path / file).is_file() for file, _ in _NAMES):
        raise Refusal(f"names {line}, whose project does not say what it is called", f"Write NAME @ {path.as_uri()}")
    raise Refusal(f"names {line}, which is no project of Python", "It needs a pyproject.toml")


def _like_a_path(line: str, own: Path) -> bool:
    bare = line.partition("[")[0]
    if "@" in line or "://" in line:
        return False
    if line.startswith((".", "/", "~")) or line.endswith((".whl", ".tar.gz", ".zip")):
        return True
    return ("/" in bare or not re.search(r"[<>=!~;]", line)) and (own / bare / "pyproject.toml").is_file()


def _lines(text: str) -> list[str]:
    """The requirements in a file of pip: without comments, and without hashes, which are found anew."""
    whole = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(?:^|\s)#.*", "", line) for line in whole.splitlines())
    return [bare for line in lines if (bare := re.sub(r"\s--hash[= ]\S+", "", line).strip())]
