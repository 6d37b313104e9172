"""Distributions made for a test: wheels written by hand, projects for real build backends, and where they are."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import uv

ROOT = Path(__file__).parent.parent
UV = uv.find_uv_bin()


def wheel(folder, name, version="1.0", files=None, *, requires=(), extras=()):
    """Writes a wheel of these files (path → text) and returns its path; without files it has one module of its name."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {f"{name.replace('-', '_')}.py": f"NAME = {name!r}\n"} if files is None else dict(files)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {line}" for line in requires] + [f"Provides-Extra: {extra}" for extra in extras]
    files[f"{stem}.dist-info/METADATA"] = "\n".join(lines) + "\n"
    files[f"{stem}.dist-info/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = f"{stem}.dist-info/RECORD"
    listed = [f"{path},sha256={digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[record] = "".join([*listed, f"{record},,\n"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def project(folder, files):
    """Writes files (path → text) into a folder, and returns it."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


class Environment:
    """A virtual environment, where this package is found by its path and not installed."""

    def __init__(self, folder):
        self.folder = folder
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True, env=environ())
        self.python = str(folder / "bin" / "python")
        self.site = next((folder / "lib").glob("python*/site-packages"))

    def install(self, *arguments):
        command = [UV, "pip", "install", "--quiet", "--python", self.python, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environ())
        assert done.returncode == 0, done.stderr

    def run(self, code, *, path=(), cwd=None, env=None):
        """What a process of this environment sends to `tell`."""
        before = "import json, sys\ntell = lambda value: print('\\n' + json.dumps(value))\n"
        done = subprocess.run(
            [self.python, "-P", "-W", "error", "-c", before + code],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environ() | {"PYTHONPATH": ":".join([*map(str, path), str(ROOT)])} | (env or {}),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def resolve(self, *modules, asked=(), before="", **more):
        """What `roots` finds there: requirements by name, and notes."""
        code = f"""
{before}
from dataclasses import asdict
from jobq_magic.capture.requirements import roots
found = roots({dict.fromkeys(modules, "cell")!r}, {tuple(asked)!r})
tell([[asdict(one) for one in found.requirements], found.notes, sorted(sys.modules)])
"""
        requirements, notes, loaded = self.run(code, **more)
        return Answer({one["name"]: one for one in requirements}, notes, loaded)


class Answer:
    def __init__(self, requirements, notes, loaded):
        self.requirements, self.notes, self.loaded = requirements, notes, loaded

    def __getitem__(self, name):
        return self.requirements[name]

    @property
    def names(self):
        return list(self.requirements)


def environ():
    """The environment without settings of pip that a test did not make."""
    kept = ("PIP_CERT", "SSL_CERT_FILE")
    return {name: value for name, value in os.environ.items() if not name.startswith("PIP_") or name in kept}
