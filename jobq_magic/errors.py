"""Every error that a user can meet.

    JobqError
    ├── OptionError      an option or a setting cannot be what it was set to
    │   └── OptionErrors     several of them, told together
    ├── CaptureError     the cell, or something that it needs, cannot travel
    ├── StoreError       the store of runs cannot be read or written, or holds no such run
    ├── BackendError     the place where the cell was to run cannot take it
    ├── ResultError      what came back cannot be used
    └── JobFailed        the job ended badly without an exception of its own

An error is data: a kebab-case ``code``, ``what`` happened, ``why``, and what to ``do``. It draws itself as text and as
HTML, and in IPython as those lines alone (`_render_traceback_`), so that no frame of ours reaches a user. This module
imports nothing of ours: anything may raise from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = [
    "BackendError",
    "CaptureError",
    "JobFailed",
    "JobqError",
    "OptionError",
    "OptionErrors",
    "ResultError",
    "StoreError",
    "closest",
    "refuse",
]


class JobqError(Exception):
    """One thing that went wrong, in words.

    Args:
        code: kebab-case reference, stable across versions, one per kind of mistake.
        what: one sentence that names the culprit, without a full stop.
        why: the fact behind it, where `what` does not say it already.
        do: the way out, as an imperative.
    """

    def __init__(self, code: str, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(code, what, why, do)
        self.code = code
        self.what = what
        self.why = why
        self.do = do

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.what, self.why, self.do), self.__dict__)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """One line that says what happened, and at most one that says why and what to do."""
        parts = [part for part in (self.why, self.do) if part]
        second = " ".join(part if part.endswith((".", "?", "!", ")")) else f"{part}." for part in parts)
        return [self.what, second] if second else [self.what]

    def html(self) -> str:
        """The same as `lines`, as one escaped block."""
        first, *rest = (escape(line) for line in self.lines())
        tip = "".join(f'<div class="jobq-tip">{line.strip()}</div>' for line in rest)
        return f'<div class="jobq-error" role="alert" data-code="{escape(self.code)}"><b>{first}</b>{tip}</div>'

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this before it draws a traceback (IPython.core.interactiveshell, showtraceback).
        first, *rest = self.lines()
        # A subclass of a room of ours is that room's affair: users know those of this module.
        name = next(kind.__name__ for kind in type(self).__mro__ if kind.__module__ == __name__)
        return [f"{name}: {first}", *(f"  {line}" for line in rest)]


def _rebuild(kind: type[JobqError], code: str, what: str, why: str, do: str) -> JobqError:
    return kind(code, what, why=why, do=do)


class OptionError(JobqError):
    """An option or a setting cannot be what it was set to."""


class OptionErrors(OptionError):
    """Several options or settings at once; `each` holds the single errors."""

    def __init__(self, code: str, what: str, *, why: str = "", do: str = "", each: Iterable[OptionError] = ()) -> None:
        super().__init__(code, what, why=why, do=do)
        self.each = tuple(each)

    def lines(self) -> list[str]:
        """How many, then one line for each."""
        return [self.what, *("- " + ". ".join(mistake.lines()) for mistake in self.each)]


class CaptureError(JobqError):
    """The cell, or something that it needs, cannot travel."""


class StoreError(JobqError):
    """The store of runs cannot be read or written, or holds no such run."""


class BackendError(JobqError):
    """The place where the cell was to run cannot take it."""

    passing: bool = False
    """Whether the same may well go well in a moment."""


class ResultError(JobqError):
    """What came back cannot be used."""


class JobFailed(JobqError):
    """The job ended badly without an exception of its own: killed, stopped, timed out, lost."""


def refuse(mistakes: Iterable[OptionError]) -> None:
    """Raises what there is to raise: nothing, the one mistake, or all of them as one."""
    flat = [one for mistake in mistakes for one in (mistake.each if isinstance(mistake, OptionErrors) else (mistake,))]
    if len(flat) == 1:
        raise flat[0]
    if flat:
        raise OptionErrors("several-mistakes", f"{len(flat)} mistakes", each=flat)


def closest(word: str, known: Iterable[str]) -> str:
    """`Did you mean x?`, or the known words where none is near."""
    known = list(known)
    from difflib import get_close_matches  # 8 ms that only a mistake should cost

    near = get_close_matches(word, known, n=1, cutoff=0.6) or get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}"
