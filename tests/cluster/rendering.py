"""Manifests out of a module's own configuration, as `kubectl kustomize` makes them; kept by what they are made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import build, versions
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import CACHE

FOLDER = Path(__file__).parent / "addons"
_SETTINGS = "settings.yaml"


def rendered(module: str, base: str, ours: str = "") -> list[dict[str, Any]]:
    """The objects that a folder of a module describes, changed by what we have to say.

    Args:
        module: a Go module of the table of versions.
        base: the folder in it.
        ours: a folder of `addons` with a kustomization of patches, and with what its configuration is to say beside
            what it says by itself (`settings.yaml`); "" changes nothing.
    """
    kept = CACHE / "rendered" / f"{_key(module, base, ours)}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    objects = list(yaml.load_all(_kustomized(module, base, ours), Loader=yaml.CSafeLoader))
    if ours and (settings := FOLDER / ours / _SETTINGS).exists():
        _set(objects, yaml.safe_load(settings.read_text()))
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(objects))
    beside.replace(kept)
    return objects


def _key(module: str, base: str, ours: str) -> str:
    """Of all that a rendering is made from."""
    parts = [module, versions.version(module), base]
    files = sorted((FOLDER / ours).iterdir()) if ours else []
    parts += [text for path in (*files, Path(__file__)) for text in (path.name, path.read_text())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _kustomized(module: str, base: str, ours: str) -> str:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text).resolve()
        if ours:
            shutil.copytree(FOLDER / ours, folder, dirs_exist_ok=True)
            kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        else:
            kustomization = {}
        # Bases are named by relative paths only.
        theirs = os.path.relpath((build.module(module) / base).resolve(), folder)
        kustomization["resources"] = [*kustomization.get("resources", []), theirs]
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kubectl("kustomize", folder)


def _set(objects: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    """Adds settings to the one file that the one ConfigMap holds."""
    (found,) = (found for found in objects if found["kind"] == "ConfigMap")
    ((name, text),) = found["data"].items()
    found["data"][name] = yaml.safe_dump({**yaml.safe_load(text), **settings}, sort_keys=False)
