"""Kubernetes' own client, for what fixtures do as administrators."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster import build
from tests.cluster.layout import ADMIN


class KubectlFailed(Exception):
    """What kubectl said when it failed."""


def kubectl(*words: str | Path, given: str = "", config: Path = ADMIN, seconds: float = 120) -> str:
    """What kubectl prints.

    Args:
        words: its arguments.
        given: on its standard input.
        config: whose kubeconfig.
        seconds: after which it is ended.

    Raises:
        KubectlFailed: with what it said.
    """
    command = [build.binary("kube"), "kubectl", "--kubeconfig", config, *words]
    done = subprocess.run(
        [str(word) for word in command], input=given, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise KubectlFailed(f"kubectl {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def get(*words: str | Path, config: Path = ADMIN) -> Any:
    """An object, or a list of them."""
    return json.loads(kubectl("get", *words, "-o", "json", config=config))


def apply(text: str, *, config: Path = ADMIN) -> str:
    """Makes what is described be so; by the server, so that it may be done again and again."""
    return kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text, config=config)
