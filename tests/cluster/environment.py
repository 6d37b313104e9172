"""`build/cluster/env.sh`: what makes this checkout's jobq-magic, and kubectl, those of a user of the cluster.

`. build/cluster/env.sh` in a shell, then `jupyter lab`, or `kubectl get pods`. That is ada; others have `env-ben.sh`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import build, people
from tests.cluster.layout import BUILD, REGISTRY_PULL, REGISTRY_PUSH

FILE = BUILD / "env.sh"
_PROGRAMS = BUILD / "bin"
_UNREADABLE = "$KUBECONFIG cannot be read: the cluster is not up (make up), or you are not root."


def profile(user: str) -> Mapping[str, str]:
    """The settings of a profile for the cluster, by the names that files and the environment use.

    The context and the namespace are those of the user's kubeconfig. What else a profile may say of a cluster (store,
    types of GPU) belongs here as soon as there are settings for it.
    """
    repository = people.PEOPLE[user].team
    return {
        "mode": "kueue",
        "queue": "main",
        "push": f"http://{REGISTRY_PUSH}/{repository}",
        "pull": f"{REGISTRY_PULL}/{repository}",
        "base": "host",  # the cluster's registry has no image of the outside world
    }


def variables(user: str) -> Mapping[str, str]:
    """What the environment says, so that `%%jobq --mode kueue` goes to the cluster.

    The mode stays the cell's to name: that a file was sourced must not send anything elsewhere. Settings that the
    chosen mode has no use for have no effect.
    """
    settings = {f"JOBQ_{name.upper()}": value for name, value in profile(user).items() if name != "mode"}
    return {"KUBECONFIG": str(people.kubeconfig(user)), **settings}


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
    return FILE
