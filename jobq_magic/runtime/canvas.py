"""The backend that Matplotlib is told to use (`figures.BACKEND`). Only Matplotlib imports this module."""

from __future__ import annotations

from importlib import import_module

from .figures import show

__all__ = ["FigureCanvas", "FigureManager", "show"]

# Matplotlib reads its backend's `vars()`: these have to be there from the start.
FigureCanvas = import_module("matplotlib.backends.backend_agg").FigureCanvasAgg
FigureManager = import_module("matplotlib.backend_bases").FigureManagerBase
