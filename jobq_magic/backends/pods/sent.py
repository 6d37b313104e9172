"""What a cluster was sent of a run, kept in the run's folder for people: without anything that is secret.

Values of Secrets are never written. What else is known to be secret is left out wherever it stands, and so is what only
looks like it: a profile may have put a password into an annotation, or into the address of a proxy.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jobq_magic.addresses import redacted as without
from jobq_magic.run import Run
from jobq_magic.runtime.wire import replace_file
from jobq_magic.secretforms import is_secret_name, looks_random, secret_in_text

__all__ = ["HIDDEN", "Telling", "redacted", "secrets_of"]

HIDDEN = "****"
_SHORT = 4
"""Letters: what is shorter stands in other words, too, and is hidden only where it is the whole of a text."""


class Telling:
    """Writes down what is sent of a run; a disk that does not take it keeps no run from its place.

    Args:
        run: whose.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._secrets = frozenset[str]()
        self._told: list[dict[str, Any]] = []

    def begin(self, content: Mapping[str, bytes], *objects: Mapping[str, Any]) -> None:
        """What is sent first.

        Args:
            content: of the run's Secret; see `making`.
            objects: as the cluster gets them.
        """
        self._secrets = secrets_of(content)
        self._keep(objects)

    def add(self, found: Mapping[str, Any]) -> None:
        """One object more; nothing where the others were there already, and are known from then."""
        if self._told:
            self._keep([found])

    def _keep(self, objects: Iterable[Mapping[str, Any]]) -> None:
        self._told += [redacted(one, self._secrets) for one in objects]
        with contextlib.suppress(OSError):
            replace_file(self._run.paths.manifests, json.dumps(self._told).encode())


def secrets_of(content: Mapping[str, bytes]) -> frozenset[str]:
    """The texts that are secret, of what the Secret of a run holds."""
    told = {data.decode("utf-8", "replace") for name, data in content.items() if name not in ("run.json", "secrets")}
    return frozenset({*told, *json.loads(content.get("secrets", b"{}")).values()}) - {""}


def redacted(found: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> dict[str, Any]:
    """An object as it may be shown: all that it says, but for what is secret. Pure.

    Args:
        found: a manifest.
        secrets: texts that are secret.
    """
    if found.get("kind") == "Secret":
        blank = {part: dict.fromkeys(found[part], HIDDEN) for part in ("data", "stringData") if found.get(part)}
        found = {**found, **blank}
    shown: dict[str, Any] = _shown(found, secrets)
    return shown


def _shown(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, str):
        return _text(value, secrets)
    if isinstance(value, Mapping):
        return {_text(str(key), secrets): _held(str(key), each, value, secrets) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each, secrets) for each in value]
    return value


def _held(key: str, value: Any, beside: Mapping[str, Any], secrets: frozenset[str]) -> Any:
    """A value under its key; that of a variable is called by what stands beside it."""
    name = str(beside.get("name", "")) if key == "value" else key
    if isinstance(value, str) and is_secret_name(name) and (key == "value" or looks_random(name, value)):
        return HIDDEN if value else value
    return _shown(value, secrets)


def _text(text: str, secrets: frozenset[str]) -> str:
    """Line by line: what a text holds beside a secret is shown."""
    if text in secrets:
        return HIDDEN
    text = without(text, frozenset(secret for secret in secrets if len(secret) >= _SHORT))
    if secret_in_text(text) is None:
        return text
    lines = [HIDDEN if secret_in_text(line) else line for line in text.split("\n")]
    told = "\n".join(lines)
    return told if secret_in_text(told) is None else HIDDEN
