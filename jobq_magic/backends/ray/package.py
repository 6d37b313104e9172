"""The package: all that a job needs on a Ray that does not see our files, as one zip that the dashboard takes.

    _jobq_runtime/      the runtime
    _jobq_run/          run.json, the run's key, its bundle, and what it may import where that Ray lacks it

The same run makes the same bytes, and the name is their digest: uploading it twice is uploading it once. Whoever has
the cluster's token can read it, the key included; with that token they could end the job and read what it prints, too.
The `env_vars` of a runtime_env would show it to everybody who opens the dashboard.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.figures import size
from jobq_magic.run import Run
from jobq_magic.runtime import launch, remote

__all__ = ["LIMIT", "Package", "package"]

LIMIT = 100 << 20
"""Bytes that a dashboard takes (Ray: `DASHBOARD_CLIENT_MAX_SIZE`)."""
_FILE, _PROGRAM = 0o600, 0o700
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """What is uploaded."""

    name: str
    """As Ray wants it: `_ray_pkg_DIGEST.zip`."""
    data: bytes

    @property
    def uri(self) -> str:
        """As a runtime_env names it."""
        return f"gcs://{self.name}"


def package(run: Run, *, limit: int = LIMIT) -> Package:
    """The package of a run.

    Raises:
        BackendError: it is larger than a dashboard takes.
    """
    buffer = io.BytesIO()
    packed: dict[str, int] = {}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data, mode in _files(run):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=1)
            packed[name] = archive.getinfo(name).compress_size
    data = buffer.getvalue()
    if len(data) > limit:
        raise _too_large(run, packed, len(data), limit)
    return Package(f"_ray_pkg_{hashlib.sha256(data).hexdigest()[:40]}.zip", data)


def _files(run: Run) -> Iterator[tuple[str, bytes, int]]:
    """Their names there, what is in them, and who may do what with them: a program of the user's is one there, too."""
    for name, text in launch.content().items():
        yield f"{launch.NAME}/{name}", text, _FILE
    for place, file in _last():
        yield f"{remote.GIVEN}/{remote.LAST}/{place}/{file.name}", file.read_bytes(), _FILE
    yield f"{remote.GIVEN}/run.json", run.paths.identity.read_bytes(), _FILE
    yield f"{remote.GIVEN}/key", run.paths.key.read_bytes(), _FILE
    for path in sorted(run.paths.bundle.rglob("*")):
        if path.is_file():
            mode = _PROGRAM if path.stat().st_mode & stat.S_IXUSR else _FILE
            yield f"{remote.GIVEN}/bundle/{path.relative_to(run.paths.bundle).as_posix()}", path.read_bytes(), mode


def _last() -> Iterator[tuple[str, Path]]:
    """As much of `jobq_magic` as a job can use beside the runtime, and cloudpickle, as images have them."""
    import cloudpickle

    here = Path(__file__).parents[2]
    for name in ("__init__.py", "_version.py", "errors.py"):
        yield "jobq_magic", here / name
    for file in sorted(Path(str(cloudpickle.__file__)).parent.glob("*.py")):
        yield "cloudpickle", file


def _too_large(run: Run, packed: dict[str, int], total: int, limit: int) -> BackendError:
    manifest = json.loads((run.paths.bundle / "manifest.json").read_bytes())
    names = {
        f"{remote.GIVEN}/bundle/{step['file']}": step.get("names", ()) for step in manifest["steps"] if "file" in step
    }
    worst = max(packed, key=lambda name: packed[name])
    called = ", ".join(names.get(worst, ())) or worst.removeprefix(f"{remote.GIVEN}/bundle/").removeprefix("files/")
    return BackendError(
        "ray-package",
        f"What the cell needs takes {size(total)} packed, of which {called} takes {size(packed[worst])}; "
        f"the dashboard of a Ray takes {size(limit)}",
        do=f"Let the cell read {called} from where the Ray reaches it, or leave it here with --exclude",
    )
