"""From what was asked, wherever it was asked, to one JobSpec: which value counts, and where it came from.

In this order, the first that has a value counts:

    JOBQ_FORCE_<SETTING>            the environment's last word
    an option                       of the cell, the decorator, the command line
    JOBQ_<SETTING>                  the environment
    a profile that was named        by an option or the environment
    %config JobqMagics.<setting>
    [tool.jobq]                     in the nearest pyproject.toml that has it
    the default profile             `profile` of %config, [tool.jobq] or the user's config.toml; else `default`
    the default of the field

Variables, secrets and labels are merged over all of them, name by name; everything else is taken whole.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from jobq_magic import plugins
from jobq_magic.errors import OptionError, closest, refuse
from jobq_magic.options import flag_of
from jobq_magic.profiles import Profiles, load_profiles
from jobq_magic.spec import LATER_MODES, MADE, JobSpec, declared, read, shown

__all__ = ["Origin", "Resolved", "Setting", "config_table", "refuse_unhonoured", "resolve"]

HEADLESS_TIMEOUT = 6 * 3600
"""Where no person sits in front, something must end a cell that hangs."""

_MERGED = ("env", "secret", "label")
# Variables of ours that are no settings.
_OTHER_VARIABLES = frozenset(
    {"CACHE", "GOLDEN", "HOME", "INTERACTIVE", "RANK", "RUN", "RUNTIME_DIR", "WORKER_CPUS", "WORKER_GPUS", "WORLD_SIZE"}
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    kind: Literal["forced", "option", "environment", "profile", "magics", "project", "default profile", "default"]
    text: str
    """In words: `--mode`, `JOBQ_MODE`, `profile gpu in ~/project/pyproject.toml`."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What will be done, and why."""

    spec: JobSpec
    target: Mapping[str, Any]
    """Where it goes: `backend`, `where` in words, and what finds the place."""
    origins: Mapping[str, Origin]
    notes: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    """The fields that options set: what asks for something that the place cannot give is refused."""
    forced: bool = False
    """The mode was forced: what its place cannot give is only noted."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of `%jobq config`."""

    setting: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: Literal["forced", "option", "environment", "profile", "magics", "project", "default profile"]
    values: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def origin(self, name: str) -> Origin:
        texts = {
            "forced": f"JOBQ_FORCE_{name.upper()}",
            "option": flag_of(name),
            "environment": f"JOBQ_{name.upper()}",
            "magics": f"%config JobqMagics.{name}",
        }
        return Origin(self.kind, texts.get(self.kind, self.place))

    def subject(self, name: str) -> str:
        """The value as it was written, to begin a sentence with."""
        value = self.values[name]
        if self.kind == "option":
            if value is False:
                return declared()[name].opposite or flag_of(name)
            return flag_of(name) + ("" if value is True else shown(name, value, " "))
        if self.kind in {"forced", "environment"}:
            return self.origin(name).text + shown(name, value, "=")
        if self.kind == "magics":
            return f"JobqMagics.{name}{shown(name, value, ' = ')}"
        return f"{name}{shown(name, value, ' = ')} in {self.place}"


def resolve(
    options: Mapping[str, Any],
    *,
    magics: Mapping[str, Any] | None = None,
    cwd: Path,
    environ: Mapping[str, str],
    interactive: bool,
    platform: str = sys.platform,
) -> Resolved:
    """What was asked, made whole.

    Args:
        options: the fields that the cell, decorator or command line sets, as `options.parse` reads them.
        magics: the traits of JobqMagics that were configured.
        cwd: where the search for pyproject.toml begins.
        environ: the environment of the process.
        interactive: whether a person sits in front of the notebook.
        platform: as `sys.platform` says it.

    Raises:
        OptionError: all that is wrong, told together.
    """
    if platform == "win32":
        raise OptionError("windows", "jobq-magic works on Linux and macOS", do="On Windows, run Jupyter inside WSL")
    mistakes: list[OptionError] = []
    notes: list[str] = []
    profiles = load_profiles(cwd, environ, mistakes)
    forced = _Layer("forced", _variables(environ, "JOBQ_FORCE_", mistakes))
    option = _Layer("option", _options(options, mistakes))
    settings = _variables(environ, "JOBQ_", mistakes)
    if "JOBQ_RUN" in environ:
        settings.pop("workers", None)  # inside a job JOBQ_WORKERS says how many it has, not how many to ask for
    environment = _Layer("environment", settings)
    magic = _Layer("magics", _settings(magics or {}, "%config JobqMagics", mistakes))
    project = _Layer("project", profiles.project.values, profiles.project.place)
    above = [forced, option, environment]
    named, default = _profile_layers(profiles, above, magic, project, mistakes=mistakes, notes=notes)
    layers = [*above, *named, magic, project, *default]

    values, origins, subjects = _merge(_decided(layers), environ, mistakes)
    if not interactive:
        for name, headless in {"wait": True, "timeout": HEADLESS_TIMEOUT}.items():
            if name not in values:
                values[name], origins[name] = headless, Origin("default", "default where nobody sits in front")
    mistakes += _mode_mistakes(str(values.get("mode", "local")), subjects.get("mode", ""))
    spec = None
    try:
        spec = JobSpec.model_validate(values, context={"subjects": subjects})
    except OptionError as mistake:
        mistakes.append(mistake)
    refuse(mistakes)
    assert spec is not None
    return Resolved(
        spec=spec,
        target=_target(spec, option.values),
        origins={name: origins.get(name, Origin("default", "default")) for name in declared()},
        notes=(*notes, *_notes(layers, environ)),
        asked=frozenset(option.values),
        forced="mode" in forced.values,
    )


def refuse_unhonoured(
    spec: JobSpec, set_fields: Collection[str], honours: Collection[str], *, forced: bool = False
) -> tuple[str, ...]:
    """Refuses what was asked for and would have no effect in the place where the job goes.

    Args:
        spec: what was asked.
        set_fields: the fields that options set (`Resolved.asked`).
        honours: the fields that the place acts upon (`Backend.honours`).
        forced: the mode was forced (`Resolved.forced`); a sentence is then a note.

    Returns:
        The notes.

    Raises:
        OptionError: one sentence for each.
    """
    mistakes = []
    for name in set_fields:
        option = declared()[name]
        if name not in honours and not option.notebook and name != "mode" and getattr(spec, name):
            told = flag_of(name) + shown(name, getattr(spec, name), " ") * bool(option.metavar)
            what = f"{told} has no effect with --mode {spec.mode}"
            mistakes.append(OptionError("unhonoured-option", what, do="Leave it out, or choose another mode"))
    if "workers" in honours and spec.max_workers and "max_workers" not in honours:
        what = f"--workers {spec.workers}..{spec.max_workers} is a range, and --mode {spec.mode} does not scale"
        mistakes.append(OptionError("unhonoured-option", what, do="Write one number"))
    if "gpus" in honours and spec.gpu_type and "gpu_type" not in honours:
        what = f"--gpus {spec.gpu_type}:{spec.gpus} names a type, and --mode {spec.mode} knows none"
        mistakes.append(OptionError("unhonoured-option", what, do=f"Write --gpus {spec.gpus}"))
    if forced:
        return tuple(sorted(mistake.what for mistake in mistakes))
    refuse(sorted(mistakes, key=lambda mistake: mistake.what))
    return ()


def config_table(resolved: Resolved) -> tuple[Setting, ...]:
    """Every setting, its value, and where that came from."""
    rows = []
    for name, origin in resolved.origins.items():
        value = getattr(resolved.spec, name)
        if name == "workers" and resolved.spec.max_workers:
            value = f"{value}..{resolved.spec.max_workers}"
        if name == "gpus" and resolved.spec.gpu_type:
            value = f"{resolved.spec.gpu_type}:{value}"
        rows.append(Setting(name, _in_words(value), origin.text))
    return tuple(rows)


def _in_words(value: Any) -> str:
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(key if text is None else f"{key}={text}" for key, text in value.items())
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _options(given: Mapping[str, Any], mistakes: list[OptionError]) -> dict[str, Any]:
    mistakes += [
        OptionError("unknown-option", f"There is no option {name}", do=closest(name, declared()))
        for name in given
        if name not in declared()
    ]
    return {name: value for name, value in given.items() if name in declared() and value is not None}


def _settings(given: Mapping[str, Any], place: str, mistakes: list[OptionError]) -> dict[str, Any]:
    known = [name for name, option in declared().items() if option.setting]
    mistakes += [
        OptionError("unknown-setting", f"There is no setting {name} in {place}", do=closest(name, known))
        for name in given
        if name not in known
    ]
    return {name: value for name, value in given.items() if name in known and value is not None}


def _variables(environ: Mapping[str, str], prefix: str, mistakes: list[OptionError]) -> dict[str, Any]:
    known = {f"{prefix}{name.upper()}": name for name, option in declared().items() if option.setting}
    found = {}
    for variable, text in environ.items():
        if variable in known and text:
            name = known[variable]
            try:
                found[name] = shlex.split(text) if declared()[name].many else text
            except ValueError:
                mistakes.append(OptionError("unclosed-quote", f"A quote is not closed in {variable}", do="Close it"))
        elif prefix == "JOBQ_FORCE_" and variable.startswith(prefix) and variable not in known:
            mistakes.append(
                OptionError("unknown-setting", f"{variable} forces no known setting", do=closest(variable, known))
            )
    return found


def _profile_layers(
    profiles: Profiles,
    above: Sequence[_Layer],
    magic: _Layer,
    project: _Layer,
    *,
    mistakes: list[OptionError],
    notes: list[str],
) -> tuple[list[_Layer], list[_Layer]]:
    """The profile that was named, or the default one: at most one of the two lists has a layer."""
    chosen = next((layer for layer in above if layer.values.get("profile")), None)
    asking = chosen or next((layer for layer in (magic, project) if layer.values.get("profile")), None)
    if asking:
        name, told = str(asking.values["profile"]), asking.subject("profile")
    elif profiles.default:
        name, told = profiles.default, f"profile = {profiles.default} in {profiles.default_place}"
    else:
        name, told = "default", ""
    kind: Literal["profile", "default profile"] = "profile" if chosen else "default profile"
    table = profiles.tables.get(name)
    if table:
        layer = _Layer(kind, {**table.values, "profile": name}, f"profile {name} in {table.place}")
        return ([layer], []) if chosen else ([], [layer])
    if told and "mode" in above[0].values:  # a notebook of a place that this machine knows nothing of
        notes.append(f"{above[0].subject('mode')}: {told} is not used, there is no such profile here")
    elif told:
        do = closest(name, profiles.tables) if profiles.tables else f"Write it down under [tool.jobq.profiles.{name}]"
        mistakes.append(OptionError("unknown-profile", f"{told}: there is no such profile", do=do))
    return [], []


def _decided(layers: Sequence[_Layer]) -> list[_Layer]:
    """Without what would say otherwise than a stronger layer: an image as it is, or what one is made from.

    What is only added to an image takes none away that was named elsewhere: that, as both in one layer, is refused.
    """
    done, weaker = [], frozenset[str]()
    for layer in layers:
        kept = {name: value for name, value in layer.values.items() if name not in weaker}
        done.append(replace(layer, values=kept))
        if kept.get("image"):
            weaker |= {*MADE}
        if kept.get("base") or kept.get("image_file"):
            weaker |= {"image"}
    return done


def _merge(
    layers: Sequence[_Layer], environ: Mapping[str, str], mistakes: list[OptionError]
) -> tuple[dict[str, Any], dict[str, Origin], dict[str, str]]:
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    subjects: dict[str, str] = {}
    for name in declared():
        holding = [layer for layer in layers if name in layer.values]
        if not holding:
            continue
        origins[name], subjects[name] = holding[0].origin(name), holding[0].subject(name)
        if name not in _MERGED:
            values[name] = holding[0].values[name]
            continue
        merged: dict[str, str | None] = {}
        for layer in reversed(holding):
            try:
                pairs = read(name, layer.values[name], layer.subject(name))
                merged |= _taken(pairs, environ, layer.subject(name)) if name == "env" else pairs
            except OptionError as mistake:
                mistakes.append(mistake)
        values[name] = merged
        origins[name] = Origin(holding[0].kind, ", ".join(layer.origin(name).text for layer in holding))
    return values, origins, subjects


def _taken(pairs: Mapping[str, str | None], environ: Mapping[str, str], subject: str) -> dict[str, str]:
    """The variables with the values that they have here, where none is given."""
    if missing := [name for name, text in pairs.items() if text is None and name not in environ]:
        what = f"{subject}: there is no variable {missing[0]} here"
        raise OptionError("missing-variable", what, do=f"Write {missing[0]}=VALUE, or set it before")
    return {name: environ[name] if text is None else text for name, text in pairs.items()}


def _mode_mistakes(mode: str, subject: str) -> list[OptionError]:
    if mode in LATER_MODES:
        what = f"{subject} is not part of this version of jobq-magic"
        return [OptionError("mode-not-yet", what, do=f"Modes that are: {', '.join(plugins.modes())}")]
    if mode in plugins.OURS or mode in (known := plugins.modes()):
        return []
    return [OptionError("unknown-mode", f"{subject}: there is no such mode", do=closest(mode, known))]


def _target(spec: JobSpec, asked: Collection[str]) -> dict[str, Any]:
    if spec.mode == "local":
        return {"backend": "local", "where": "this machine"}
    if spec.mode == "ray" and spec.address:
        return {"backend": "ray", "where": f"Ray at {urlsplit(spec.address).netloc}", "address": spec.address}
    if spec.mode == "ray":
        return {"backend": "ray", "where": "Ray on this machine", "here": True}
    if spec.mode == "docker":
        # A registry that a file names is the cluster's; the engine here needs none, but where the cell asks for it.
        to = (
            {"to": "registry", "push": spec.push, "pull": spec.pull or spec.push}
            if "push" in asked
            else {"to": "engine"}
        )
        return {"backend": "docker", "where": "Docker on this machine", "here": True, **to}
    return {"backend": spec.mode, "where": spec.mode}


def _notes(layers: Sequence[_Layer], environ: Mapping[str, str]) -> tuple[str, ...]:
    forced, *lower = layers
    notes = []
    for name in forced.values:
        loser = next((layer for layer in lower if name in layer.values), None)
        if loser and read(name, loser.values[name], "") != read(name, forced.values[name], ""):
            notes.append(f"{forced.subject(name)}: {loser.subject(name)} is not used")
    settings = [name.upper() for name, option in declared().items() if option.setting]
    for variable in environ:
        name = variable.removeprefix("JOBQ_")
        if name == variable or name.startswith("FORCE_") or name in _OTHER_VARIABLES or name in settings:
            continue
        if near := get_close_matches(name, settings, n=1, cutoff=0.75):
            notes.append(f"{variable} is no setting. Did you mean JOBQ_{near[0]}?")
    return tuple(notes)
