"""Kubeconfigs: which files there are, and what they say of a context.

They are read here, and not by the `kubernetes` library, whose import takes 0.4 s: a notebook would wait for that before
its first job. What is more than reading, the refresh of OIDC tokens, is the library's own (`cluster.access`).
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.errors import BackendError, closest
from jobq_magic.site import Site

__all__ = ["Context", "context_of", "contexts", "files"]

_DEFAULT = ".kube/config"
_CODE = "cluster-kubeconfig"
_PROPOSE = "`jobq config --init` proposes one of those that there are"


@dataclass(frozen=True, slots=True)
class Context:
    """One context, with the cluster and the user that it names, as they are written."""

    name: str
    namespace: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any] = field(repr=False)
    files: tuple[Path, ...]
    cluster_folder: Path
    """What paths of the cluster are relative to."""
    user_folder: Path
    who: str = ""
    """What the user is called there."""

    def content(self, where: str, key: str) -> bytes:
        """The content of `key`-data, or of the file that `key` names; nothing where neither is there.

        Args:
            where: `cluster` or `user`.
            key: `certificate-authority`, `client-certificate`, `client-key`.

        Raises:
            BackendError: it cannot be read.
        """
        section, folder = (self.cluster, self.cluster_folder) if where == "cluster" else (self.user, self.user_folder)
        if data := section.get(f"{key}-data"):
            try:
                return base64.b64decode(str(data), validate=False)
            except binascii.Error as error:
                raise BackendError(
                    _CODE, f"{key}-data of the context {self.name} is no base64", why=str(error), do="Log in anew"
                ) from error
        if named := section.get(key):
            return read(folder / str(named), f"{key} of the context {self.name}")
        return b""


def read(path: Path, what: str) -> bytes:
    """The content of a file that something names.

    Raises:
        BackendError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackendError(
            _CODE, f"{what[0].upper()}{what[1:]} is {path}, which cannot be read", why=error.strerror or str(error)
        ) from error


def files(site: Site, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The kubeconfigs that count, of those that are there: of the site, else of KUBECONFIG, else the user's own.

    Raises:
        BackendError: the site names one that is not there.
    """
    home = Path(environ.get("HOME") or Path.home())
    named = site.kubeconfig or environ.get("KUBECONFIG", "") or str(home / _DEFAULT)
    paths = [_at(home, part) for part in named.split(os.pathsep) if part]
    there = tuple(path for path in paths if path.is_file())
    if site.kubeconfig and not there:
        raise BackendError(_CODE, f"There is no kubeconfig {site.kubeconfig}", do="Check `kubeconfig` of the profile")
    return there


def _at(home: Path, part: str) -> Path:
    return home / part.removeprefix("~/") if part.startswith("~/") else Path(part)


def contexts(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The names of the contexts in files.

    Raises:
        BackendError: one of them is no kubeconfig.
    """
    return tuple(_merged(paths)["contexts"])


def context_of(paths: tuple[Path, ...], name: str = "") -> Context:
    """A context, by its name; "": the current one.

    As with kubectl, of two things with one name the first counts.

    Raises:
        BackendError: there is no such context, or it is not whole.
    """
    found = _merged(paths)
    known = found["contexts"]
    listed = ", ".join(map(str, paths))
    name = name or found["current"]
    if not name:
        do = f"Name one of {', '.join(known)}: --context, or `context` of the profile" if known else _PROPOSE
        raise BackendError("cluster-context", f"No context is current in {listed}", do=do)
    if name not in known:
        do = closest(name, known) if known else "It has no contexts at all"
        raise BackendError("cluster-context", f"There is no context {name} in {listed}", do=do)
    context, _ = known[name]
    cluster, at = found["clusters"].get(str(context.get("cluster", "")), ({}, paths[0]))
    if not cluster.get("server"):
        raise BackendError(
            _CODE,
            f"The context {name} in {listed} means a cluster that has no server there: {context.get('cluster')}",
            do="Name another context, or mend the kubeconfig",
        )
    who = str(context.get("user") or "")
    if who and who not in found["users"]:
        raise BackendError(
            _CODE,
            f"The context {name} in {listed} means the user {who!r}, who is not there",
            do="Name another context, or log in anew",
        )
    user, of = found["users"].get(who, ({}, paths[0]))
    space = str(context.get("namespace") or "")
    return Context(name, space, cluster, user, paths, at.parent.absolute(), of.parent.absolute(), who)


_Named = dict[str, tuple[dict[str, Any], Path]]


def _merged(paths: tuple[Path, ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {"current": "", "contexts": {}, "clusters": {}, "users": {}}
    for path in paths:
        told = _loaded(path)
        merged["current"] = merged["current"] or str(told.get("current-context") or "")
        for kind in ("contexts", "clusters", "users"):
            into: _Named = merged[kind]
            for one in told.get(kind) or ():
                inside = one.get(kind[:-1]) if isinstance(one, dict) else None
                if not isinstance(inside, dict | None) or not isinstance(one, dict) or "name" not in one:
                    raise BackendError(_CODE, f"{kind} of {path} are not what they are in a kubeconfig")
                into.setdefault(str(one["name"]), (inside or {}, path))
    return merged


def _loaded(path: Path) -> dict[str, Any]:
    import yaml  # 20 ms

    text = read(path, "the kubeconfig")
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        # The error's own words quote the file, in which there are tokens.
        at = "" if line is None else f" (line {line + 1})"
        raise BackendError(_CODE, f"The kubeconfig {path} is no YAML{at}", do="Mend it, or name another") from None
    if told is None:
        return {}
    if not isinstance(told, dict) or not all(
        isinstance(told.get(kind) or [], list) for kind in ("contexts", "clusters", "users")
    ):
        raise BackendError(_CODE, f"{path} is no kubeconfig", do="Name another")
    return told
