"""From a cell and a live namespace to a Bundle: definitions as source, data as value groups, local code as files.

This room knows no notebook: it is given source, namespace and an index of definitions, and reads nothing else but
loaded modules and their files. Nothing is executed.

An index is kept from the first cell on, so this much is light to import; what captures is loaded by the first capture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobq_magic.capture.definitions import DefinitionIndex
from jobq_magic.capture.source import CaptureOptions, Source

if TYPE_CHECKING:
    from jobq_magic.bundle import Bundle
    from jobq_magic.capture.names import Analysis

__all__ = ["CaptureOptions", "DefinitionIndex", "Source", "capture", "free"]


def free(cell: str, flags: int = 0) -> Analysis:
    """The free names of a transformed cell; see `names.Analysis`.

    Raises:
        SyntaxError: it does not compile.
    """
    from jobq_magic.capture.names import analyse

    return analyse(cell, flags)


def capture(source: Source, folder: Path, options: CaptureOptions | None = None) -> Bundle:
    """Writes all that a cell needs into `folder`, which is made where missing.

    Raises:
        CaptureError: the cell, or something that it needs, cannot travel.
    """
    from jobq_magic.capture.gather import gather

    return gather(source, folder, options if options is not None else CaptureOptions())
