"""Settings in files: [tool.jobq] in pyproject.toml, and the user's own config.toml, each with profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.errors import OptionError, closest
from jobq_magic.sitereaders import KEYS
from jobq_magic.spec import declared

__all__ = ["Profiles", "Table", "load_profiles", "user_file"]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of settings."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Of a job, by the field of a JobSpec."""
    site: Mapping[str, Any] = field(default_factory=dict)
    """Of a cluster, by the field of a Site; as written, not read."""
    place: str = ""
    """The file, in words."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the files say."""

    project: Table
    tables: Mapping[str, Table]
    """Every profile by its name; a project's counts before the user's of the same name."""
    default: str = ""
    """The profile that the user's file names."""
    default_place: str = ""


def load_profiles(cwd: Path, environ: Mapping[str, str], mistakes: list[OptionError]) -> Profiles:
    """What the files say; what is wrong in them is added to `mistakes`."""
    project = Table()
    tables: dict[str, Table] = {}
    user: dict[str, Any] = {}
    file = user_file(environ)
    place = _short(file, environ)
    if (document := _document(file, mistakes)) is not None:
        tables |= _profiles(document, place, "profiles", mistakes)
        user = {_key(name): value for name, value in document.items()}
        for name in user.keys() - {"profile", "profiles"}:
            known = name in declared()
            mistakes.append(
                OptionError(
                    "unknown-setting",
                    f"There is no setting {name} at the top of {place}",
                    do="Put it into a profile: [profiles.default]" if known else closest(name, ["profile", "profiles"]),
                )
            )
    if found := _project(cwd, mistakes):
        path, ours = found
        short = _short(path, environ)
        # The table [tool.jobq.image] is read by `recipes`; `image = "..."` is a setting.
        settings = {
            name: value
            for name, value in ours.items()
            if name != "profiles" and not (name == "image" and isinstance(value, dict))
        }
        project = _checked(settings, f"[tool.jobq] of {short}", short, mistakes, profile=False)
        tables |= _profiles(ours, short, "tool.jobq.profiles", mistakes)
    return Profiles(project, tables, str(user.get("profile", "")), place)


def user_file(environ: Mapping[str, str]) -> Path:
    """The user's own file: JOBQ_CONFIG, or the one in the user's folder for settings. It need not be there."""
    if named := environ.get("JOBQ_CONFIG"):
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("jobq", appauthor=False) / "config.toml"


def _project(cwd: Path, mistakes: list[OptionError]) -> tuple[Path, Mapping[str, Any]] | None:
    for folder in (cwd, *cwd.parents):
        path = folder / "pyproject.toml"
        document = _document(path, mistakes, only_if="tool.jobq")
        if document and isinstance(tool := document.get("tool"), dict) and isinstance(ours := tool.get("jobq"), dict):
            return path, ours
    return None


def _document(path: Path, mistakes: list[OptionError], only_if: str = "") -> dict[str, Any] | None:
    """A TOML file; None where there is none, or where it does not even hold `only_if`."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not only_if:
            what = f"{path} cannot be read: {error.strerror}"
            mistakes.append(OptionError("unreadable-settings", what, do="Make it readable, or remove it"))
        return None
    if only_if not in text:
        return None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistakes.append(OptionError("broken-settings", f"{path} is not TOML: {error}", do="Correct it there"))
        return None


def _profiles(document: Mapping[str, Any], place: str, table: str, mistakes: list[OptionError]) -> dict[str, Table]:
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(values, dict) for values in profiles.values()):
        mistakes.append(
            OptionError("broken-settings", f"profiles in {place} is not a table of tables", do=f"Write [{table}.NAME]")
        )
        return {}
    return {
        name: _checked(values, f"[{table}.{name}] of {place}", place, mistakes, profile=True)
        for name, values in profiles.items()
    }


def _checked(
    written: Mapping[str, Any], where: str, place: str, mistakes: list[OptionError], *, profile: bool
) -> Table:
    """The settings of a table by their field's name.

    Args:
        written: what it says.
        where: which table, in words.
        place: the file, in words.
        mistakes: what is wrong is added there.
        profile: whether it is that of a profile, which may tell of a cluster, and name no other profile.
    """
    known = [name for name, option in declared().items() if option.setting and (not profile or name != "profile")]
    values, site = {}, {}
    for word, value in written.items():
        name = _key(word)
        if name in known:
            values[name] = value
        elif name in KEYS and profile:
            site[name] = value
        elif name in KEYS:
            what = f"{word} in {where} tells of a cluster, and stands outside of a profile"
            do = "Put it into a profile: [tool.jobq.profiles.NAME]"
            mistakes.append(OptionError("misplaced-setting", what, do=do))
        elif name in declared():
            what = f"{word} in {where} concerns one cell alone"
            mistakes.append(OptionError("misplaced-setting", what, do="Give it as an option of that cell"))
        else:
            near = closest(name, [*known, *KEYS] if profile else known)
            if name in _of_images():
                near = f"It is a key of images: write {word} into [tool.jobq.image]"
            mistakes.append(OptionError("unknown-setting", f"There is no setting {word} in {where}", do=near))
    return Table(values, site, place)


def _of_images() -> Collection[str]:
    """The keys of images, which profiles do not have."""
    from jobq_magic.recipes.imagefiles import KNOWN  # for a mistake alone

    return KNOWN


def _key(written: str) -> str:
    return written.replace("-", "_")


def _short(path: Path, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME")
    return f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path)
