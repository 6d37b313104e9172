"""The Dockerfile of a recipe: only what has to run in the image, what changes seldom first. Pure."""

from __future__ import annotations

import json
import re
import shlex

from jobq_magic.image import Recipe, User
from jobq_magic.recipes.contexts import is_address

__all__ = ["written"]


def written(recipe: Recipe, base: str, root: bool = True) -> str:
    """The Dockerfile that makes of a base what the recipe wants to be run in it; "" where that is nothing.

    Args:
        recipe: what the image is to be.
        base: what the build calls the base.
        root: whether commands run as root there.
    """
    steps = []
    if recipe.apt:
        steps.append(_apt(recipe.apt))
    if recipe.user is not None and recipe.user.create:
        steps.append(_user(recipe.user))
    if added := [pair for pair in recipe.add if is_address(pair[0])]:
        steps += [f"ARG {name}" for name in sorted(recipe.args)]  # here, so that packages are kept when they change
        steps += [f"WORKDIR {recipe.workdir}"] * bool(recipe.workdir)
        steps += [f"ADD {json.dumps(pair)}" for pair in added]
    if not steps:
        return ""
    before = [f"FROM {base}"]
    before += ["USER root"] * (not root)
    before += [f"ENV {name}={_quoted(name, text)}" for name, text in sorted(recipe.env.items()) if "\n" not in text]
    if recipe.shell:
        before.append(f"SHELL {json.dumps(list(recipe.shell))}")
    return "\n".join([*before, *steps, ""])


def _apt(packages: tuple[str, ...]) -> str:
    rest = ("/var/lib/apt/lists/*", "/var/cache/apt/*.bin", "/var/cache/apt/archives/*.deb", "/var/log/apt/*")
    commands = (
        "export DEBIAN_FRONTEND=noninteractive",
        "apt-get update",
        f"apt-get install -y --no-install-recommends {' '.join(map(shlex.quote, packages))}",
        f"rm -rf {' '.join(rest)} /var/log/dpkg.log",
    )
    return "RUN " + " \\\n    && ".join(commands)


def _user(user: User) -> str:
    """Makes a user without the programs that do so: some images have useradd, some adduser, some neither."""
    name = user.name
    uid = str(user.uid) if user.uid is not None else "1000"
    lines = [f"uid={uid}"]
    if user.uid is None:
        lines.append('while cut -d: -f3 /etc/passwd | grep -qx "$uid"; do uid=$((uid + 1)); done')
    lines += [
        f"gid={user.gid if user.gid is not None else '$uid'}",
        f'cut -d: -f3 /etc/group | grep -qx "$gid" || echo "{name}:x:$gid:" >> /etc/group',
        f'echo "{name}:x:$uid:$gid::/home/{name}:/bin/sh" >> /etc/passwd',
        f"mkdir -p /home/{name}",
        f'chown "$uid:$gid" /home/{name}',
    ]
    inner = "; \\\n    ".join(lines)
    return f"RUN set -e; if ! grep -q '^{name}:' /etc/passwd; then \\\n    {inner}; fi"


def _quoted(name: str, text: str) -> str:
    """A value as ENV takes it: nothing in it is a variable, but the one that it adds to."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(rf"\$(?!{re.escape(name)}\b|\{{{re.escape(name)}\}})", r"\\$", quoted) + '"'
