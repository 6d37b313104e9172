"""`build/cluster/env.sh`: what makes this checkout's jobq-magic, and kubectl, those of a user of the cluster.

`. build/cluster/env.sh` in a shell, then `jupyter lab`, or `kubectl get pods`. That is ada; others have `env-ben.sh`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import build, people
from tests.cluster.layout import BUILD, REGISTRY_PULL, REGISTRY_PUSH

FILE = BUILD / "env.sh"
_PROGRAMS = BUILD / "bin"
_UNREADABLE = "$KUBECONFIG cannot be read: the cluster is not up (make up), or you are not root."


def profile(user: str) -> Mapping[str, Any]:
    """The settings of a profile for the cluster, by the names that files and the environment use.

    The context and the namespace are those of the user's kubeconfig.
    """
    repository = people.PEOPLE[user].team
    return {
        "queue": "main",
        "push": f"http://{REGISTRY_PUSH}/{repository}",
        "pull": f"{REGISTRY_PULL}/{repository}",
        "base": "host",  # the cluster's registry has no image of the outside world
        "gpu_types": {
            # Where they are, the flavors of their queues know (people/flavors.yaml).
            "h100": {"queue": "gpu"},
            "t4": {"queue": "gpu-small"},
        },
    }


def variables(user: str) -> Mapping[str, str]:
    """What the environment says, so that `%%jobq --mode kueue` goes to the cluster.

    The mode stays the cell's to name: that a file was sourced must not send anything elsewhere. Settings that the
    chosen mode has no use for have no effect. What no variable can say is in a file, which one of them names.
    """
    settings = {f"JOBQ_{name.upper()}": value for name, value in profile(user).items() if isinstance(value, str)}
    return {"KUBECONFIG": str(people.kubeconfig(user)), "JOBQ_CONFIG": str(settings_file(user)), **settings}


def settings(user: str) -> str:
    """The same as a file of settings: the default profile sends nothing anywhere, the profile `cluster` does."""
    known = profile(user)
    return "\n".join(
        [
            f"# The cluster of the tests, as {user} of {people.PEOPLE[user].team} uses it. Made by `make up`.",
            "[profiles.default]",
            *_lines(known),
            "",
            "[profiles.cluster]",
            *_lines({"mode": "kueue", **known}),
            "",
        ]
    )


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in table.items()]


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }"
    return json.dumps(value)


def script(values: Mapping[str, str], programs: Path, user: str) -> str:
    """A file for any shell of POSIX; sourced twice it does no more than once, and without a cluster it says so."""
    folder = shlex.quote(str(programs))
    lines = [
        f"# The cluster of the tests, as {user} of {people.PEOPLE[user].team} uses it. Made by `make up`.",
        *(f"export {name}={shlex.quote(value)}" for name, value in values.items()),
        "# kubectl",
        f'case ":$PATH:" in *:{folder}:*) ;; *) export PATH={folder}:"$PATH" ;; esac',
        f'[ -r "$KUBECONFIG" ] || echo "{_UNREADABLE}" >&2',
    ]
    return "\n".join(lines) + "\n"


def file(user: str) -> Path:
    """Where it is for a user."""
    return FILE if user == "ada" else FILE.with_name(f"env-{user}.sh")


def settings_file(user: str) -> Path:
    """Where a user's file of settings is."""
    return FILE.with_name(f"{user}.toml")


def write() -> Path:
    """Writes the files, for a cluster that is up; returns the first user's."""
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    # One program is all of Kubernetes: which part, its name says.
    link, beside = _PROGRAMS / "kubectl", _PROGRAMS / ".kubectl"
    beside.unlink(missing_ok=True)
    beside.symlink_to(build.binary("kube"))
    beside.replace(link)
    for user in people.PEOPLE:
        beside = file(user).with_suffix(".new")
        beside.write_text(script(variables(user), _PROGRAMS, user))
        beside.replace(file(user))
        beside = settings_file(user).with_suffix(".new")
        beside.write_text(settings(user))
        beside.replace(settings_file(user))
    return FILE
