"""What an image is to be, read from wherever it is written.

The options of the cell count before the file that `--image-file` names, that before `[tool.jobq.image]` in the nearest
pyproject.toml, and that before the default profile. Packages of all of them are joined; variables, labels and
arguments name by name; the rest is taken whole. All mistakes are told together.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic import readers
from jobq_magic.errors import OptionError, refuse
from jobq_magic.image import Recipe
from jobq_magic.quantities import Refusal
from jobq_magic.recipes import dockerfiles
from jobq_magic.recipes.contexts import read_text, source_of, text_of
from jobq_magic.recipes.imagefiles import Said, apt_package, said, yaml_document
from jobq_magic.recipes.requirements import joined, over, requirements_of
from jobq_magic.secretforms import is_secret_name, looks_random, secret_in_text

if TYPE_CHECKING:
    from jobq_magic.spec import JobSpec

__all__ = ["project", "recipe_of"]

_MERGED = ("args", "env", "labels")
_MOVED = ("copy", "add")
_PROJECT_MARKS = ("pyproject.toml", "setup.py", ".git")


def recipe_of(
    spec: JobSpec,
    cwd: Path,
    environ: Mapping[str, str] = os.environ,
    weak: frozenset[str] = frozenset(),
    mistakes: list[OptionError] | None = None,
) -> Recipe:
    """What the image of a job is to be.

    Args:
        spec: what was asked.
        cwd: where the cell runs: paths and the search for pyproject.toml start there.
        environ: where arguments of a build that have no value of their own have it from.
        weak: fields of the spec that only the default profile set: files of images count before it.
        mistakes: where they are put instead of being raised, by a caller who has more to find.

    Raises:
        OptionError: all that is wrong, told together.
    """
    found: list[OptionError] = [] if mistakes is None else mistakes
    if spec.image:
        return Recipe(base=spec.image, as_it_is=True, builder=spec.builder or "", context=str(cwd))
    top, bottom = _asked(spec, cwd, weak, found)
    sources = [top, *_image_file(spec, cwd, found), *_project_table(cwd, found), bottom]
    values: dict[str, Any] = {}
    root = _context(sources[1] if len(sources) > 2 else top, found)  # that of the strongest file
    for source in sources:
        read = _with_files(source, root, found)
        _refuse_secrets(source, read, found)
        if read.keys() & {"base", "dockerfile"} and values.keys() & {"base", "dockerfile"}:
            read = {name: value for name, value in read.items() if name not in {"base", "dockerfile"}}
        for name, value in read.items():
            if name == "requirements":
                values[name] = over(values.get(name, ()), value)
            elif name == "apt":
                values[name] = tuple(dict.fromkeys((*value, *values.get(name, ()))))
            elif name in _MERGED:
                values[name] = {**value, **values.get(name, {})}
            else:
                values.setdefault(name, value)
    values["args"] = _with_values(values.get("args", {}), environ, found)
    recipe = Recipe(**values, context=str(root))
    if recipe.dockerfile:
        try:
            recipe = replace(recipe, base=dockerfiles.base_of(recipe.dockerfile, recipe.args))
        except OptionError as mistake:
            found.append(mistake)
    if mistakes is None:
        refuse(found)
    return recipe


def project(folder: Path) -> Path:
    """The nearest folder at or above this one in which a project begins; the folder itself where there is none."""
    for above in (folder, *folder.parents):
        if any((above / mark).exists() for mark in _PROJECT_MARKS):
            return above
    return folder


# Where it is written.


def _asked(spec: JobSpec, cwd: Path, weak: frozenset[str], mistakes: list[OptionError]) -> tuple[Said, Said]:
    """What the fields of the spec say: those that count before files, and those that files count before."""
    written = {"base": spec.base, "apt": spec.apt, "requirements": spec.requirement, "builder": spec.builder}
    fields = {"requirements": "requirement"}
    given = {name: value for name, value in written.items() if value}
    for word in spec.apt:
        try:
            apt_package(word)
        except Refusal as refusal:
            mistakes.append(OptionError("bad-image", f"--apt {refusal.problem}", do=refusal.do))
    keys = {name: f"--{fields.get(name, name)}" for name in given}
    lower = {name for name in given if fields.get(name, name) in weak}
    halves = [{name: given[name] for name in given if (name in lower) is below} for below in (False, True)]
    return Said("the options", cwd, halves[0], keys), Said("the default profile", cwd, halves[1], keys)


def _image_file(spec: JobSpec, cwd: Path, mistakes: list[OptionError]) -> list[Said]:
    if not spec.image_file:
        return []
    written = Path(spec.image_file).expanduser()
    folders = (cwd, project(cwd))  # a setting of the project names it from there
    path = next((folder / written for folder in folders if (folder / written).is_file()), None)
    if path is None:
        what = f"--image-file {spec.image_file}: there is no such file in {cwd}"
        mistakes.append(OptionError("no-image-file", what, do="Give a YAML file or a Dockerfile"))
        return []
    try:
        text = read_text(path)
    except Refusal as refusal:
        mistakes.append(OptionError("unreadable-image-file", f"{path.name} {refusal.problem}", do=refusal.do))
        return []
    folder = project(path.parent.absolute())
    if dockerfiles.looks_like_one(path.name, text):
        return [Said(path.name, folder, {"dockerfile": text}, {"dockerfile": "the Dockerfile"})]
    try:
        return [said(yaml_document(text, path.name), path.name, folder, mistakes)]
    except OptionError as mistake:
        mistakes.append(mistake)
        return []


def _project_table(cwd: Path, mistakes: list[OptionError]) -> list[Said]:
    """[tool.jobq.image] in the nearest pyproject.toml that speaks of us; what else is wrong there, config says."""
    for folder in (cwd, *cwd.parents):
        try:
            text = (folder / "pyproject.toml").read_bytes().decode(errors="replace")
            table = tomllib.loads(text).get("tool", {}).get("jobq") if "tool.jobq" in text else None
        except (OSError, tomllib.TOMLDecodeError, AttributeError):
            continue
        if isinstance(table, dict):
            image = table.get("image")
            return [said(image, "pyproject.toml", folder, mistakes)] if isinstance(image, dict) else []
    return []


def _context(source: Said, mistakes: list[OptionError]) -> Path:
    written = source.values.get("context")
    if written is None:
        return source.folder
    root = Path(os.path.normpath(source.folder / Path(written).expanduser()))
    if not root.is_dir():
        what = f"{source.subject('context')} names {written}, which is no folder of {source.folder}"
        mistakes.append(OptionError("bad-image", what, do="Name one that is there"))
        return source.folder
    return root


# What names files.


def _with_files(source: Said, root: Path, mistakes: list[OptionError]) -> dict[str, Any]:
    """What a source says, its paths as they are seen from the context, its files of requirements read."""
    values = {name: value for name, value in source.values.items() if name != "context"}
    own = root if "context" in source.values else source.folder
    if (written := values.pop("dockerfile", "")) and "\n" in written:
        values["dockerfile"] = written
    elif written:
        try:
            values["dockerfile"] = text_of(root, written, own)
        except Refusal as refusal:
            mistakes.append(_bad(source, "dockerfile", refusal))
    for name in _MOVED:
        pairs = []
        for written, target in values.get(name, ()):
            try:
                pairs.append((source_of(root, written, own, add=name == "add"), target))
            except Refusal as refusal:
                mistakes.append(_bad(source, name, refusal))
        if name in values:
            values[name] = tuple(pairs)
    if "requirements" in values:
        wanted: list[str] = []
        for line in values["requirements"]:
            try:
                wanted += requirements_of(root, line, own)
            except Refusal as refusal:
                mistakes.append(_bad(source, "requirements", refusal))
        values["requirements"] = joined(wanted)
    if "base" in values and "dockerfile" in values:
        what = f"{source.subject('base')} and {source.keys.get('dockerfile')} contradict each other"
        mistakes.append(OptionError("contradiction", what, do="The Dockerfile says by FROM what it builds upon"))
    return values


def _bad(source: Said, name: str, refusal: Refusal) -> OptionError:
    return OptionError("bad-image", f"{source.subject(name)} {refusal.problem}", do=refusal.do)


# What must not be in an image, or in the record of a run.


def _refuse_secrets(source: Said, read: Mapping[str, Any], mistakes: list[OptionError]) -> None:
    for name in _MERGED:
        for key, text in read.get(name, {}).items():
            if not text:
                continue
            kind = secret_in_text(text) or ("a secret" if is_secret_name(key) and looks_random(key, text) else None)
            if name == "env" and kind is None:
                try:
                    readers.env([key])
                except Refusal:
                    kind = "a secret"
            if kind:
                what = f"{source.subject(name)}: {key} looks like {kind}, and an image is read by many"
                do = f"Take it out, and give it to the job with --secret {key}"
                mistakes.append(OptionError("secret-in-image", what, do=do))
    for one in dockerfiles.instructions(read.get("dockerfile", "")):
        if (kind := secret_in_text(one.value)) is not None:
            where = f"{source.subject('dockerfile')}, line {one.first + 1}"
            what = f"{where}: it looks like {kind}, and an image is read by many"
            do = "Take it out, and give it to the job with --secret NAME"
            mistakes.append(OptionError("secret-in-image", what, do=do))


def _with_values(
    args: Mapping[str, str | None], environ: Mapping[str, str], mistakes: list[OptionError]
) -> dict[str, str]:
    """The arguments with the values that variables of their names have here, where none is written."""
    done = {}
    for name, text in args.items():
        if text is not None:
            done[name] = text
        elif is_secret_name(name):
            what = f"The argument {name} has the name of a secret, and arguments of a build are on record"
            mistakes.append(
                OptionError("secret-in-image", what, do="Do without it: what the job needs, --secret gives")
            )
        elif name in environ:
            done[name] = environ[name]
        else:
            what = f"The argument {name} has no value, and there is no variable {name} here"
            mistakes.append(OptionError("missing-variable", what, do=f"Write {name}=VALUE, or set it before"))
    return done
