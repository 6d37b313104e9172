"""How the exception of a job is drawn in a notebook."""

from __future__ import annotations

import os
import re

from jobq_magic.errors import JobFailed, JobqError

__all__ = ["drawable"]


def drawable(error: BaseException, *, colours: bool) -> BaseException:
    """The error, drawn as IPython draws its own; in colours where a person looks.

    It is one that looks like it where IPython would draw frames of its own and of ours around it: it does so with a
    SyntaxError and an ExceptionGroup, which it does not ask how they are drawn.
    """
    draw = getattr(error, "_render_traceback_", None)
    if draw is None or (isinstance(error, JobqError) and type(error).__module__ == JobqError.__module__):
        return error
    lines = _coloured(draw()) if colours else draw()
    if isinstance(error, SyntaxError | BaseExceptionGroup):
        stand_in: JobFailed = type(type(error).__name__, (JobFailed,), {})("exception", str(error))
        stand_in.__dict__.update(getattr(error, "__dict__", {}))
        error = stand_in
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error


_FILE = re.compile(r'^([\s|+]*)File "([^"]*)", line (\d+)')
_RAISED = re.compile(r"^(\s*\| |)([A-Za-z_][\w.]*)(:|$)")


def _coloured(lines: list[str]) -> list[str]:
    """The text of a traceback as IPython colours its own: where it happened, and what."""
    if "NO_COLOR" in os.environ:
        return lines
    drawn = [f"\x1b[2m{lines[0]}\x1b[0m"] if lines else []
    for line in lines[1:]:
        told = _FILE.sub('\\1File "\x1b[32m\\2\x1b[0m", line \x1b[32m\\3\x1b[0m', line)
        drawn.append(told if told != line else _RAISED.sub("\\1\x1b[31m\\2\x1b[0m\\3", line))
    return drawn
