"""JobSpec: everything that a user can ask of a job, declared once.

The magic's options, settings in files and the environment, help, completion and the table of options in the docs are
all derived from the fields here: an `Option` beside a field says how it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import PydanticCustomError

from jobq_magic import quantities, readers, sitereaders
from jobq_magic.errors import OptionError, closest, refuse
from jobq_magic.quantities import Refusal

__all__ = ["MADE", "MODES", "JobSpec", "Option", "declared", "read", "shown"]

MODES: Mapping[str, str] = {
    "local": "a fresh process on this machine",
    "ray": "Ray where the profile says, or on the cluster that it tells of; else on this machine, kept warm",
    "docker": "the generated image on the Docker Engine of this machine",
    "kueue": "a Kubernetes cluster with Kueue",
    "rayjob": "a Ray cluster of its own on a Kubernetes cluster with KubeRay",
}
# What says how an image is made contradicts one that is run as it is.
MADE = ("base", "apt", "image_file", "requirement")


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is written as an option."""

    group: Literal["place", "size", "travels", "returns", "course"]
    metavar: str = ""
    """"" for a flag, which takes no value."""
    flag: str = ""
    """The long form, where it is not the field's name."""
    short: str = ""
    opposite: str = ""
    """The flag that says no."""
    many: Literal["", "repeat", "commas"] = ""
    """`repeat`: may be given again; `commas`: may be given again, and each holds names with commas between."""
    choices: tuple[str, ...] = ()
    setting: bool = True
    """Whether files and the environment may set it: what concerns one cell only, they may not."""
    notebook: bool = False
    """It concerns the notebook alone: every place to run honours it."""


def _reader(reading: Callable[[Any], Any]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if value is None:
            return None
        try:
            return reading(value)
        except Refusal as refusal:
            raise PydanticCustomError("refusal", "{problem}", {"problem": refusal.problem, "do": refusal.do}) from None

    return BeforeValidator(validate)


_Text = Annotated[str | None, _reader(readers.text)]
_Object = Annotated[str | None, _reader(readers.object_name)]
_Names = Annotated[tuple[str, ...], _reader(readers.names)]
_Items = Annotated[tuple[str, ...], _reader(readers.items)]
_Flag = Annotated[bool, _reader(readers.flag)]
_Cores = Annotated[float | int | None, _reader(quantities.cores)]
_Memory = Annotated[str | None, _reader(quantities.memory)]
_Image = Annotated[str | None, _reader(readers.image)]
_Repository = Annotated[str | None, _reader(readers.repository)]


class JobSpec(BaseModel):
    """What the user asked for. Frozen; making one raises an `OptionError` that tells all mistakes together."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    mode: Annotated[str, _reader(readers.mode), Option("place", "MODE", choices=tuple(MODES))] = Field(
        "local", description="where the cell runs: " + "; ".join(f"{mode} ({what})" for mode, what in MODES.items())
    )
    profile: Annotated[_Text, Option("place", "NAME", notebook=True)] = Field(
        None, description="settings of a place, under a name: [tool.jobq.profiles.NAME]"
    )
    address: Annotated[str | None, _reader(readers.address), Option("place", "URL")] = Field(
        None,
        description="a Ray that is there: its dashboard's address, `raycluster/NAME` of the namespace, or `here`, on "
        "this machine; it means --mode ray where no --mode is given",
    )
    queue: Annotated[_Object, Option("place", "NAME")] = Field(None, description="local queue of Kueue")
    priority: Annotated[_Object, Option("place", "NAME")] = Field(None, description="workload priority class")
    context: Annotated[_Text, Option("place", "NAME")] = Field(
        None, description="context of the kubeconfig, instead of the current one"
    )
    namespace: Annotated[str | None, _reader(readers.namespace), Option("place", "NAME")] = Field(
        None, description="namespace on the cluster, instead of that of the context"
    )

    workers: Annotated[int | None, Option("size", "N|MIN..MAX")] = Field(
        None, description="places for parallel tasks, each with the CPUs, GPUs and memory named here"
    )
    max_workers: int | None = Field(None, description="the most workers, where a range was asked for")
    cpus: Annotated[_Cores, Option("size", "N")] = Field(None, description="CPUs of each worker: 4, 0.5, 500m")
    gpus: Annotated[int | None, Option("size", "[TYPE:]N")] = Field(None, description="GPUs of each worker: 1, a100:2")
    gpu_type: str | None = Field(None, description="the type of GPU, where one was asked for")
    memory: Annotated[_Memory, Option("size", "SIZE")] = Field(None, description="memory of each worker: 8Gi, 500Mi")
    shm: Annotated[_Memory, Option("size", "SIZE")] = Field(None, description="size of /dev/shm: 2Gi")
    driver_cpus: Annotated[_Cores, Option("size", "N")] = Field(None, description="CPUs of the process of the cell")
    driver_memory: Annotated[_Memory, Option("size", "SIZE")] = Field(
        None, description="memory of the process of the cell"
    )

    env: Annotated[dict[str, str | None], _reader(readers.env), Option("travels", "NAME[=VALUE]", many="repeat")] = (
        Field(
            default_factory=dict,
            description="environment variable of the job; without a value, the one that it has here",
        )
    )
    secret: Annotated[
        dict[str, str | None], _reader(readers.secret), Option("travels", "NAME[=REF]", many="repeat")
    ] = Field(default_factory=dict, description="environment variable that is kept out of records, logs and images")
    volume: Annotated[tuple[str, ...], _reader(readers.volume), Option("travels", "SRC:DST", many="repeat")] = Field(
        (), description="folder or claim to mount: data:/data, data:/data:ro"
    )
    files: Annotated[_Items, Option("travels", "GLOB", many="repeat")] = Field((), description="files that go along")
    include: Annotated[_Names, Option("travels", "NAMES", many="commas", setting=False, notebook=True)] = Field(
        (), description="names that travel even where the cell is not seen to need them"
    )
    exclude: Annotated[_Names, Option("travels", "NAMES", many="commas", setting=False, notebook=True)] = Field(
        (), description="names that do not travel"
    )
    remake: Annotated[_Names, Option("travels", "NAMES", many="commas", setting=False, notebook=True)] = Field(
        (), description="names that are made anew by the cells that made them, instead of travelling"
    )
    requirement: Annotated[
        tuple[str, ...], _reader(readers.requirement), Option("travels", "REQUIREMENT", many="repeat")
    ] = Field((), description="package that the job needs besides those that the cell is seen to import")
    no_lock: Annotated[_Flag, Option("travels")] = Field(False, description="do not pin packages to the versions here")
    apt: Annotated[_Items, Option("travels", "PACKAGE", many="repeat")] = Field((), description="system package")
    base: Annotated[_Image, Option("travels", "IMAGE")] = Field(
        None, description="image to build upon; host: this machine's own Python"
    )
    image: Annotated[_Image, Option("travels", "IMAGE")] = Field(None, description="image to run in, as it is")
    image_file: Annotated[_Text, Option("travels", "FILE")] = Field(
        None, description="what the image is: a YAML file or a Dockerfile"
    )
    platform: Annotated[str | None, _reader(readers.platform), Option("travels", "PLATFORM")] = Field(
        None, description="what the image is made for: linux/amd64, linux/arm64"
    )
    builder: Annotated[str | None, _reader(readers.builder), Option("travels", "NAME", choices=readers.BUILDERS)] = (
        Field(None, description="what makes the image: " + ", ".join(readers.BUILDERS) + "; else the first that can")
    )
    push: Annotated[_Repository, Option("travels", "REPOSITORY")] = Field(
        None, description="where generated images go: HOST/NAME; http://HOST/NAME where the registry has no TLS"
    )
    pull: Annotated[_Repository, Option("travels", "REPOSITORY")] = Field(
        None, description="the same as the place sees it, where it has another address there"
    )
    build_only: Annotated[_Flag, Option("travels", setting=False)] = Field(
        False, description="make the image, and do not run the cell"
    )

    out: Annotated[
        tuple[str, ...] | None,
        _reader(readers.names),
        Option("returns", "NAMES", short="-o", many="commas", setting=False, notebook=True),
    ] = Field(None, description="names to bring back, instead of all that the cell binds or changes")
    no_out: Annotated[_Flag, Option("returns", setting=False, notebook=True)] = Field(
        False, description="bring back no names"
    )
    job: Annotated[str | None, _reader(readers.name), Option("returns", "NAME", setting=False, notebook=True)] = Field(
        None, description="name to bind to the handle of the job"
    )

    store: Annotated[str | None, _reader(sitereaders.store), Option("returns", "URL")] = Field(
        None, description="where large results go, and what must outlive the job: s3://BUCKET/FOLDER, pvc://CLAIM"
    )

    name: Annotated[str | None, _reader(readers.title), Option("course", "NAME", setting=False, notebook=True)] = Field(
        None, description="name of the run"
    )
    label: Annotated[
        dict[str, str | None], _reader(readers.label), Option("course", "KEY=VALUE", many="repeat", notebook=True)
    ] = Field(default_factory=dict, description="label of the run")
    timeout: Annotated[float | int | None, _reader(quantities.seconds), Option("course", "TIME")] = Field(
        None, description="the longest that the cell may run: 90s, 5m, 2h, 1d; a number alone is seconds"
    )
    max_wait: Annotated[float | int | None, _reader(quantities.seconds), Option("course", "TIME")] = Field(
        None, description="the longest that it may wait, in the queue and for its pods, before it is given up: 30m, 2h"
    )
    retries: Annotated[int, _reader(quantities.count), Option("course", "N")] = Field(
        0, description="how often the cell is tried again when it fails"
    )
    no_requeue: Annotated[_Flag, Option("course")] = Field(
        False, description="end the run instead of queueing it again when the cluster takes its place away"
    )
    wait: Annotated[bool | None, _reader(readers.flag), Option("course", opposite="--no-wait", notebook=True)] = Field(
        None, description="wait for the job in the cell, or let the notebook go on"
    )
    debug: Annotated[_Flag, Option("course", setting=False, notebook=True)] = Field(
        False, description="run the cell inside the kernel, with breakpoints"
    )
    dry_run: Annotated[_Flag, Option("course", setting=False, notebook=True)] = Field(
        False, description="say what would travel, and where to, and do nothing"
    )
    require_clean: Annotated[_Flag, Option("course")] = Field(
        False, description="refuse where the notebook's state is not what running it from the top would give"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _all_mistakes_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        subjects: Mapping[str, str] = (info.context or {}).get("subjects", {})
        values = {field: value for field, value in dict(data).items() if value is not None}
        mistakes: list[OptionError] = []
        for pair, reading in (("workers", "max_workers"), quantities.workers), (("gpu_type", "gpus"), quantities.gpus):
            asked = pair[0] if pair[0] == "workers" else pair[1]
            if asked not in values:
                continue
            try:
                found: tuple[Any, Any] = reading(values[asked])
                values |= {name: value for name, value in zip(pair, found, strict=True) if value is not None}
            except Refusal as refusal:
                mistakes.append(_mistake(asked, values.pop(asked), refusal, subjects))
        if values.get("out") and values.get("no_out"):
            mistakes.append(
                OptionError("contradiction", "--out and --no-out contradict each other", do="Give one of them")
            )
        if values.get("image"):
            mistakes += [_contradiction(name, values, subjects) for name in MADE if values.get(name)]
        spec = None
        try:
            spec = handler(values)
        except ValidationError as error:
            mistakes += [_translated(one, values, subjects) for one in error.errors(include_url=False)]
        refuse(mistakes)
        assert spec is not None
        return spec


def _contradiction(name: str, values: Mapping[str, Any], subjects: Mapping[str, str]) -> OptionError:
    told = [subjects.get(field) or f"{field}{shown(field, values[field], ' = ')}" for field in ("image", name)]
    what = f"{told[0]} and {told[1]} contradict each other: an image that is run as it is has nothing added"
    return OptionError("contradiction", what, do="Give one of them, or --base instead of --image")


def _mistake(field: str, value: Any, refusal: Refusal, subjects: Mapping[str, str]) -> OptionError:
    told = subjects.get(field) or f"{field}{shown(field, value, ' = ')}"
    return OptionError("bad-value", f"{told} {refusal.problem}", do=refusal.do)


def _translated(error: Mapping[str, Any], values: Mapping[str, Any], subjects: Mapping[str, str]) -> OptionError:
    field = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return OptionError("unknown-option", f"There is no option {field}", do=closest(field, declared()))
    context = error.get("ctx", {})
    if error["type"] != "refusal":
        context = {"problem": f"cannot be: {error['msg']}", "do": ""}
    return _mistake(field, values[field], Refusal(context["problem"], context["do"]), subjects)


def shown(field: str, value: Any, between: str) -> str:
    """The value of a field for a sentence, after `between`; nothing where it may hold what nobody should read."""
    if field in {"env", "secret"}:
        return ""
    if field in {"address", "base", "image", "pull", "push"} and "@" in str(value).replace("@sha256:", ""):
        return ""
    if field == "store" and re.search(r"[@?]|//[^/]*:", str(value)):
        return ""
    if isinstance(value, list | tuple):
        value = ",".join(str(item) for item in value)
    return f"{between}{str(value) or repr('')}"


@cache
def declared() -> Mapping[str, Option]:
    """The fields that a user can write, in the order of the help, and how each is written."""
    found = {
        name: next((note for note in field.metadata if isinstance(note, Option)), None)
        for name, field in JobSpec.model_fields.items()
    }
    return {name: option for name, option in found.items() if option is not None}


def read(field: str, value: Any, subject: str = "") -> Any:
    """What `value` means for one field; `subject` begins the sentence of a refusal.

    Raises:
        OptionError: it cannot be.
    """
    return getattr(JobSpec.model_validate({field: value}, context={"subjects": {field: subject}}), field)
