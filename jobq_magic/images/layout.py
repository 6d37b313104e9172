"""Where things lie in an image, and what its environment says of it.

All of it belongs to root and can be read by any user; below `ROOT` nothing is written while a job runs.
"""

from __future__ import annotations

__all__ = ["BIN", "BUNDLE", "HOME", "LABELS", "LAST", "LAYOUT", "PATH", "ROOT", "SITE", "inside"]

LAYOUT = 1
"""Of what is below; layers and images of another one are none of ours."""

ROOT = "/opt/jobq"
"""Everything but the home."""
SITE = f"{ROOT}/site-packages"
"""What the requirements layer installed: `sitecustomize` puts it on sys.path, behind the standard library."""
BIN = f"{ROOT}/bin"
"""Its console scripts; first on PATH."""
PATH = f"{ROOT}/path"
"""On PYTHONPATH: the runtime of jobs, and `sitecustomize`."""
LAST = f"{ROOT}/last"
"""At the end of sys.path: what counts where neither the cell nor the base has it."""
BUNDLE = f"{ROOT}/bundle"
"""What the cell needs, as `jobq_magic.bundle` has it, with a manifest that is neutral."""
HOME = "/home/jobq"
"""Working folder, and HOME where the user of the image has none; any user can write to it."""
LABELS = "JOBQ_LABELS"
"""The variable with what the texts of a bundle are called: no content of an image."""


def inside(path: str) -> str:
    """A path of an image as the entry of a layer names it: from the root, without the slash in front."""
    return path.strip("/")
