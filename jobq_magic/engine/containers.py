"""Containers of an engine: made and started under a name, looked at, ended, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jobq_magic.engine.client import Engine, Refused

__all__ = [
    "Mount",
    "State",
    "Wanted",
    "create",
    "inspect",
    "kill",
    "labelled",
    "pull",
    "remove",
    "resume",
    "said",
    "start",
]

_PATIENCE = 15
"""Seconds that the engine waits between SIGTERM and SIGKILL: longer than our own supervisor does."""


@dataclass(frozen=True, slots=True)
class Mount:
    """Something of the engine's machine that a container sees."""

    source: str
    target: str
    read_only: bool = False
    kind: Literal["bind", "volume"] = "bind"
    """`bind`: a file or folder, which must be there; `volume`: one of the engine's own, by name."""

    def told(self) -> dict[str, Any]:
        """As the API has it."""
        return {"Type": self.kind, "Source": self.source, "Target": self.target, "ReadOnly": self.read_only}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A container to be."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    user: str = ""
    """"" for the one that the image names."""
    mounts: tuple[Mount, ...] = ()
    memory: int | None = None
    """Bytes; there is no swap beside them."""
    cpus: float | None = None
    gpus: int | None = None
    shm: int | None = None
    as_outside: bool = False
    """Its users are those of the same numbers outside, also on an engine where they would be others."""
    unlabelled: bool = False
    """SELinux does not keep it away from what is mounted."""

    def told(self) -> dict[str, Any]:
        """As the API has it."""
        host: dict[str, Any] = {
            "Init": False,  # the supervisor does what an init does
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            "Mounts": [mount.told() for mount in self.mounts],
            "RestartPolicy": {"Name": "no"},
        }
        if self.memory is not None:
            host |= {"Memory": self.memory, "MemorySwap": self.memory}
        if self.cpus is not None:
            host["NanoCpus"] = round(self.cpus * 1e9)
        if self.shm is not None:
            host["ShmSize"] = self.shm
        if self.gpus:
            host["DeviceRequests"] = [{"Count": self.gpus, "Capabilities": [["gpu"]]}]
        if self.as_outside:
            host["UsernsMode"] = "host"
        if self.unlabelled:
            host["SecurityOpt"] = ["label=disable"]
        return {
            "Image": self.image,
            "Entrypoint": list(self.command),
            "Cmd": [],
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "Labels": dict(self.labels),
            "User": self.user,
            "StopSignal": "SIGTERM",
            "StopTimeout": _PATIENCE,
            "HostConfig": host,
        }


@dataclass(frozen=True, slots=True)
class State:
    """What an engine says of a container."""

    status: str
    """`created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`."""
    exit_code: int
    out_of_memory: bool
    error: str
    limit: int | None
    """Bytes of memory, where it has a limit."""


def create(engine: Engine, wanted: Wanted) -> bool:
    """Makes a container; False where there is one of that name.

    Raises:
        Silent, Refused: it is not made.
    """
    try:
        with engine.telling("make the container"):
            engine.api.create_container_from_config(wanted.told(), wanted.name)
    except Refused as refused:
        if refused.status == 409:  # it is there
            return False
        raise
    return True


def start(engine: Engine, name: str) -> None:
    """Starts a container; one that runs is left alone.

    Raises:
        Silent, Refused: it does not start.
    """
    with engine.telling("start the container"):
        engine.api.start(name)


def inspect(engine: Engine, name: str) -> State | None:
    """How a container is; None where there is none of that name.

    Raises:
        Silent, Refused: that cannot be told.
    """
    try:
        with engine.telling("look at the container"):
            told = engine.api.inspect_container(name)
    except Refused as refused:
        if refused.status == 404:  # it is not there
            return None
        raise
    state = told["State"]
    limit = int(told["HostConfig"].get("Memory") or 0) or None
    return State(state["Status"], state["ExitCode"], bool(state["OOMKilled"]), state.get("Error") or "", limit)


def said(engine: Engine, name: str, lines: int = 5) -> str:
    """The last lines that a container itself has written; "" where there are none."""
    try:
        with engine.telling("give the container's log"):
            text: bytes = engine.api.logs(name, tail=lines)
    except Refused:
        return ""
    return text.decode(errors="replace").strip()


def kill(engine: Engine, name: str) -> None:
    """Ends a container at once; one that has ended is left alone.

    Raises:
        Silent: the engine does not answer.
    """
    try:
        with engine.telling("kill the container"):
            engine.api.kill(name)
    except Refused:  # it is gone, or has ended
        return


def resume(engine: Engine, name: str) -> None:
    """Lets a container that somebody has paused go on."""
    try:
        with engine.telling("resume the container"):
            engine.api.unpause(name)
    except Refused:
        return


def remove(engine: Engine, name: str) -> None:
    """Removes a container, with the volumes that have no name; one that is gone, or on its way, is left alone."""
    try:
        with engine.telling("remove the container"):
            engine.api.remove_container(name, v=True, force=True)
    except Refused:
        return


def labelled(engine: Engine, label: str) -> list[tuple[str, str, Mapping[str, str]]]:
    """Name, status and labels of all containers that have a label."""
    with engine.telling("list containers"):
        listed = engine.api.containers(all=True, filters={"label": label})
    return [(one["Names"][0].lstrip("/"), one["State"], one["Labels"]) for one in listed if one.get("Names")]


def pull(engine: Engine, reference: str, environ: Mapping[str, str]) -> None:
    """Lets the engine fetch an image from its registry, with the password that Docker knows in this environment.

    Raises:
        Silent, Refused: it does not get it.
    """
    from docker import auth

    with engine.telling(f"pull {reference}"):
        folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")
        known = auth.load_config(config_path=str(folder / "config.json"), credstore_env=dict(environ))
        password = known.resolve_authconfig(auth.resolve_repository_name(reference)[0])
        for line in engine.api.pull(reference, stream=True, decode=True, auth_config=password):
            if wrong := line.get("error"):
                raise Refused("engine-refused", f"Docker could not pull {reference}: {wrong}")
