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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from jobq_magic import layers, plugins, targets
from jobq_magic.errors import OptionError, closest, refuse
from jobq_magic.layers import Layer, Origin
from jobq_magic.profiles import Profiles, load_profiles
from jobq_magic.quantities import Refusal
from jobq_magic.site import Site
from jobq_magic.sitereaders import KEYS
from jobq_magic.spec import JobSpec, declared, read
from jobq_magic.targets import refuse_unhonoured

__all__ = ["Origin", "Resolved", "Setting", "config_table", "refuse_unhonoured", "resolve"]

HEADLESS_TIMEOUT = 6 * 3600
"""Where no person sits in front, something must end a cell that hangs."""

# Variables of ours that are no settings.
_OTHER_VARIABLES = frozenset(
    {
        "CACHE", "CONFIG", "GOLDEN", "GRACE", "HOME", "INTERACTIVE", "LABELS", "POD", "POD_UID", "RANK", "RUN",
        "RUNTIME_DIR", "WORKER_CPUS", "WORKER_GPUS", "WORLD_SIZE",
    }
)  # fmt: skip
_DEFAULT = Origin("default", "default")


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
    site: Site = field(default_factory=Site)
    """What is known of a cluster, whether the cell goes there or not."""
    site_origins: Mapping[str, Origin] = field(default_factory=dict)
    """Of the fields of it that a profile sets."""

    @property
    def weak(self) -> frozenset[str]:
        """Fields of the spec that only the default profile sets: files of images count before it."""
        return frozenset(name for name, origin in self.origins.items() if origin.kind == "default profile")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of `%jobq config`."""

    setting: str
    value: str
    origin: str


def resolve(
    options: Mapping[str, Any],
    *,
    magics: Mapping[str, Any] | None = None,
    cwd: Path,
    environ: Mapping[str, str],
    interactive: bool,
    submits: bool = True,
    platform: str = sys.platform,
) -> Resolved:
    """What was asked, made whole.

    Args:
        options: the fields that the cell, decorator or command line sets, as `options.parse` reads them.
        magics: the traits of JobqMagics that were configured.
        cwd: where the search for pyproject.toml begins.
        environ: the environment of the process.
        interactive: whether a person sits in front of the notebook.
        submits: whether a job is to go there; who only looks, need not have all that this takes.
        platform: as `sys.platform` says it.

    Raises:
        OptionError: all that is wrong, told together.
    """
    if platform == "win32":
        raise OptionError("windows", "jobq-magic works on Linux and macOS", do="On Windows, run Jupyter inside WSL")
    mistakes: list[OptionError] = []
    notes: list[str] = []
    profiles = load_profiles(cwd, environ, mistakes)
    forced = layers.addressed(Layer("forced", layers.variables(environ, "JOBQ_FORCE_", mistakes)))
    option = layers.addressed(Layer("option", layers.options(options, mistakes)))
    settings = layers.variables(environ, "JOBQ_", mistakes)
    if "JOBQ_RUN" in environ:
        settings.pop("workers", None)  # inside a job JOBQ_WORKERS says how many it has, not how many to ask for
    environment = Layer("environment", settings)
    magic = layers.addressed(Layer("magics", layers.settings(magics or {}, "%config JobqMagics", mistakes)))
    project = layers.addressed(Layer("project", profiles.project.values, profiles.project.place))
    above = [forced, option, environment]
    named, default = _profile_layers(profiles, above, magic, project, mistakes=mistakes, notes=notes)
    if not _has_mode_of_a_profile([forced, option], named):
        environment = layers.addressed(environment)
    found = [forced, option, environment, *named, magic, project, *default]

    values, origins, subjects = layers.merge(layers.decided(found), environ, mistakes)
    told, site_origins = _site([*named, *default], mistakes)
    if not interactive:
        for name, headless in {"wait": True, "timeout": HEADLESS_TIMEOUT}.items():
            if name not in values:
                values[name], origins[name] = headless, Origin("default", "default where nobody sits in front")
    if strange := _mode_mistakes(str(values.get("mode", "local")), subjects.get("mode", "")):
        mistakes += strange
        del values["mode"]  # it is told once; the others are looked at all the same
    spec = None
    try:
        spec = JobSpec.model_validate(values, context={"subjects": subjects})
    except OptionError as mistake:
        mistakes.append(mistake)
    refuse(mistakes)
    assert spec is not None
    site = Site(context=spec.context or "", namespace=spec.namespace or "", store=spec.store or "", **told)
    spec, origins["queue"] = _queue_of_gpus(spec, site, origins.get("queue", _DEFAULT), site_origins)
    return Resolved(
        spec=spec,
        target=targets.target(
            spec,
            site,
            asked=option.values,
            subjects=subjects,
            submits=submits,
            others=[name for name, table in profiles.tables.items() if "push" in table.values],
        ),
        origins={name: origins.get(name, _DEFAULT) for name in declared()},
        notes=(*notes, *_notes(found, environ)),
        asked=frozenset(option.values),
        forced="mode" in forced.values,
        site=site,
        site_origins=site_origins,
    )


def _site(holding: Sequence[Layer], mistakes: list[OptionError]) -> tuple[dict[str, Any], dict[str, Origin]]:
    """What a profile says of a cluster, by the field of a Site, and where each was written."""
    told: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for layer in holding:
        for name, value in layer.site.items():
            origins[name] = layer.origin(name)
            try:
                told[name] = KEYS[name](value)
            except Refusal as refusal:
                mistakes.append(OptionError("bad-value", f"{name} in {layer.place} {refusal.problem}", do=refusal.do))
    return told, origins


def _queue_of_gpus(
    spec: JobSpec, site: Site, origin: Origin, site_origins: Mapping[str, Origin]
) -> tuple[JobSpec, Origin]:
    """The queue of the type of GPU that is asked for, where the cell itself names none."""
    kind = site.gpu_types.get(spec.gpu_type or "")
    if kind is None or not kind.queue or not targets.queued(spec, site) or origin.kind in {"forced", "option"}:
        return spec, origin
    place = site_origins["gpu_types"]
    return spec.model_copy(update={"queue": kind.queue}), Origin(
        place.kind, f"gpu_types.{spec.gpu_type} of {place.text}"
    )


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
    for one in fields(Site):
        if one.name in resolved.site_origins:
            value = resolved.site.to_json()[one.name]
            rows += _nested(one.name, value, resolved.site_origins[one.name].text)
    return tuple(rows)


def _nested(name: str, value: Any, origin: str) -> list[Setting]:
    """A setting; what holds tables is told part by part, as TOML can write it: `gpu_types.a100.queue`."""
    if isinstance(value, list | tuple) and any(map(_is_table, value)):
        told = {f"{name}[{at}]" if len(value) > 1 else name: part for at, part in enumerate(value)}
    elif isinstance(value, Mapping) and any(map(_holds_tables, value.values())):
        told = {f"{name}.{key}": part for key, part in value.items() if part not in (None, "", (), [])}
    else:
        return [Setting(name, _in_words(value), origin)]
    return [row for key, part in told.items() for row in _nested(key, part, origin)]


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _holds_tables(value: Any) -> bool:
    return _is_table(value) or (isinstance(value, list | tuple) and any(map(_is_table, value)))


def _in_words(value: Any) -> str:
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(key if part is None else f"{key}={_in_words(part)}" for key, part in value.items())
    return ",".join(map(_in_words, value)) if isinstance(value, list | tuple) else str(value)


def _profile_layers(
    profiles: Profiles,
    above: Sequence[Layer],
    magic: Layer,
    project: Layer,
    *,
    mistakes: list[OptionError],
    notes: list[str],
) -> tuple[list[Layer], list[Layer]]:
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
        place = f"profile {name} in {table.place}"
        layer = layers.addressed(Layer(kind, {**table.values, "profile": name}, place, table.site))
        return ([layer], []) if chosen else ([], [layer])
    if told and "mode" in above[0].values:  # a notebook of a place that this machine knows nothing of
        notes.append(f"{above[0].subject('mode')}: {told} is not used, there is no such profile here")
    elif told:
        do = closest(name, profiles.tables) if profiles.tables else ""
        if not do.startswith("Did"):
            do = f"{f'{do}. ' * bool(do)}`jobq config --init {shlex.quote(name)}` writes one for a cluster"
        mistakes.append(OptionError("unknown-profile", f"{told}: there is no such profile", do=do))
    return [], []


def _has_mode_of_a_profile(asking: Sequence[Layer], named: Sequence[Layer]) -> bool:
    """Whether these layers name a profile that says a mode: no weaker layer's address means another."""
    return any(layer.values.get("profile") for layer in asking) and any("mode" in layer.values for layer in named)


def _mode_mistakes(mode: str, subject: str) -> list[OptionError]:
    if mode in plugins.OURS or mode in (known := plugins.modes()):
        return []
    return [OptionError("unknown-mode", f"{subject}: there is no such mode", do=closest(mode, known))]


def _notes(layers: Sequence[Layer], environ: Mapping[str, str]) -> tuple[str, ...]:
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
