"""Figures where a notebook would show them: on `show()`, and at the end of the cell."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BACKEND = "module://_jobq_runtime.canvas"


def choose() -> None:
    """Makes this the backend of the process, unless the user chose another than the kernel's inline one."""
    chosen = os.environ.get("MPLBACKEND", "")
    if not chosen or chosen.endswith("backend_inline"):
        os.environ["MPLBACKEND"] = BACKEND


def png(figure: Any) -> str:
    """A figure as base64 of a PNG, as IPython draws it: cropped, and whatever is set for files (`savefig.dpi`)."""
    import base64
    import io

    file = io.BytesIO()
    colours = {"facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    figure.canvas.print_figure(file, format="png", dpi=figure.dpi, bbox_inches="tight", **colours)
    return base64.b64encode(file.getvalue()).decode()


def show(*_: Any, **__: Any) -> None:
    """Displays all open figures, and closes them."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    pyplot = sys.modules.get("matplotlib.pyplot")
    if helpers is None or pyplot is None:
        return
    from .display import display

    for manager in helpers.Gcf.get_all_fig_managers():
        if manager.canvas.figure.axes or manager.canvas.figure.lines:
            display(manager.canvas.figure)
    pyplot.close("all")


def at_end_of_cell() -> None:
    """Displays what the cell left open, if this backend is the one in use."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None and dict.__getitem__(matplotlib.rcParams, "backend") == BACKEND:
        show()
