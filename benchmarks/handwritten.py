"""The peer of a cell in a queue: a Job as one writes it by hand; `skopeo` pushes its image, `kubectl` does the rest."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shlex
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from benchmarks.ground import QUEUE, Ground

__all__ = ["Peer"]

_AGAIN = 0.1
"""Seconds between two attempts at a log: there is none before the container runs."""


class Peer:
    """Images that stand on one of ours, each with one more layer, and Jobs of them.

    Args:
        ground: where.
        image: what they stand on, as nodes call it.
    """

    def __init__(self, ground: Ground, image: str) -> None:
        if shutil.which("skopeo") is None:
            raise SystemExit("The peer pushes by skopeo: apt-get install skopeo")
        self._ground = ground
        self._layout = ground.folder / "peer"
        there = image.replace(ground.pull, ground.push)
        _do(["skopeo", "copy", "--src-tls-verify=false", f"docker://{there}", f"oci:{self._layout}:base"])
        index = json.loads((self._layout / "index.json").read_bytes())
        self._manifest = json.loads(self._blob(index["manifests"][0]["digest"]))
        self._config = json.loads(self._blob(self._manifest["config"]["digest"]))
        self._kubectl = shlex.split(ground.kubectl())
        self._number = 0

    def first_line(self, line: str) -> float:
        """Seconds from a changed program to the first line that it prints."""
        self._number += 1
        name = f"peer-{self._number}"
        began = time.perf_counter()
        image = self._pushed(f"print({line!r}, flush=True)\n", name)
        job = self._ground.folder / f"{name}.json"
        job.write_text(json.dumps(self.job(name, image, ["python3", "/opt/cell/cell.py"])))
        _do([*self._kubectl, "create", "-f", str(job)])
        logs = [*self._kubectl, "logs", "-f", f"job/{name}", "--pod-running-timeout=60s"]
        while not (first := _first_line(logs)):  # refused, or empty, until the container runs
            time.sleep(_AGAIN)
        took = time.perf_counter() - began
        assert first.rstrip("\n") == line, first
        self.remove(name)
        return took

    def job(self, name: str, image: str, command: list[str], *, cpu: str = "100m") -> dict[str, Any]:
        """A Job of the queue."""
        inside = {
            "name": "main",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "resources": {what: {"cpu": cpu, "memory": "200Mi"} for what in ("requests", "limits")},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        who = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": who,
            "containers": [inside],
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": {"kueue.x-k8s.io/queue-name": QUEUE}},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": spec},
            },
        }

    def remove(self, name: str) -> None:
        """A Job, and what is left of its pods."""
        _do([*self._kubectl, "delete", "job", name, "--wait=true"])

    def _pushed(self, program: str, tag: str) -> str:
        layer, inside = _layer(program.encode())
        config = json.loads(json.dumps(self._config))
        config["rootfs"]["diff_ids"].append(inside)
        config.pop("history", None)
        manifest = {**self._manifest, "layers": [*self._manifest["layers"]]}
        kind = manifest["layers"][-1]["mediaType"]
        kind = kind.replace("+zstd", "+gzip") if "+" in kind or "oci" not in kind else f"{kind}+gzip"
        manifest["layers"].append({"mediaType": kind, **self._put(layer)})
        manifest["config"] = {**manifest["config"], **self._put(json.dumps(config).encode())}
        told = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **self._put(json.dumps(manifest).encode())}
        told["annotations"] = {"org.opencontainers.image.ref.name": tag}
        (self._layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [told]}))
        words = ["--dest-tls-verify=false", "--preserve-digests", f"oci:{self._layout}:{tag}"]
        _do(["skopeo", "copy", "--quiet", *words, f"docker://{self._ground.push}:{tag}"])
        return f"{self._ground.pull}@{told['digest']}"

    def _put(self, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self._layout / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def _blob(self, digest: str) -> bytes:
        return Path(self._layout, "blobs/sha256", digest.partition(":")[2]).read_bytes()


def _layer(program: bytes) -> tuple[bytes, str]:
    """One file as a layer, and the digest of what it is unpacked."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo("opt/cell/cell.py")
        member.size, member.mode = len(program), 0o644
        tar.addfile(member, io.BytesIO(program))
    data = plain.getvalue()
    return gzip.compress(data), f"sha256:{hashlib.sha256(data).hexdigest()}"


def _first_line(words: list[str]) -> str:
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shown:
        assert shown.stdout is not None
        first = shown.stdout.readline()
        shown.kill()
    return first


def _do(words: list[str]) -> None:
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{' '.join(words)}\n{told.stdout}{told.stderr}")
