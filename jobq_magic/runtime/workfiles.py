"""Lays the files that travelled into the working folder, where the cell looks for them."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lay_out"]


def lay_out(bundle: str, files: Iterable[tuple[str, str]]) -> None:
    """Copies each file of a bundle to its place below the working folder; what is there already stays as it is.

    Args:
        bundle: the folder of the bundle.
        files: path and digest of each, as the manifest has them.
    """
    for relative, _ in files:
        target = os.path.abspath(relative)
        if os.path.lexists(target):
            continue
        import shutil  # 5 ms that only files should cost

        os.makedirs(os.path.dirname(target), exist_ok=True)
        source = os.path.join(bundle, "files", relative)
        # A name that nobody looks for until it is complete: several jobs may share the folder.
        beside = f"{target}.{os.getpid()}.part"
        shutil.copyfile(source, beside)
        shutil.copymode(source, beside)
        os.replace(beside, target)
