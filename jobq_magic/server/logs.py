"""Logs: lines by their numbers, what is found in them, and what there is of a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from jobq_magic.run import Run
from jobq_magic.runs.logview.log import Log
from jobq_magic.runs.logview.matching import Query
from jobq_magic.runs.logview.origins import signature
from jobq_magic.runs.logview.selecting import Which, whose
from jobq_magic.runs.logview.shelf import Shelf
from jobq_magic.runs.logview.texts import Line
from jobq_magic.runs.together import called, workers
from jobq_magic.server.asking import Asked
from jobq_magic.server.shapes_logs import Found, Lines
from jobq_magic.server.view import View

__all__ = ["as_json", "find", "lines", "log_of", "told", "which"]

_COUNT = 1.0
"""Seconds that are taken to count the lines of a log that nobody has looked at yet: a million take a tenth of that."""


def lines(asked: Asked) -> Lines:
    """Lines by their places."""
    query = asked.query
    look, page, complete = log_of(asked.view, asked.run).lines(
        query["from"], query["count"], which(query), budget=_COUNT
    )
    return {
        "generation": look.generation,
        "first": page.first,
        "total": page.total,
        "firm": page.firm,
        "complete": complete,
        "ended": look.ended,
        "lines": cast(Any, as_json(page.lines)),
    }


def find(asked: Asked) -> Found:
    """Lines in which a text or a regular expression is found."""
    query = asked.query
    look, found = log_of(asked.view, asked.run).find(
        Query(query["text"] or "", regex=query["regex"], case=query["case"]),
        which(query),
        start=query["from"],
        backwards=query["backwards"],
        limit=query["limit"],
    )
    return {
        "generation": look.generation,
        "total": found.total,
        "before": found.before,
        "looked": found.looked,
        "hits": [{"n": hit.n, "at": hit.at, "spans": [[*span] for span in hit.spans]} for hit in found.hits],
        "next": found.next,
    }


def told(view: View, run: Run) -> dict[str, Any]:
    """What there is of a log: how many lines, where somebody has counted them; bytes; and who may have written them."""
    snapshot = view.store.snapshot(run)
    ranks = workers(run.paths.attempt(snapshot.attempt))
    several = len(ranks) > 1 or len(snapshot.each) > 1
    sizes = [size for name, _, _, size, _ in signature(run) if name.endswith(("stdout", "stderr"))]
    return {
        "lines": _shelf(view).known(run),
        "bytes": sum(sizes),
        "sources": [called(rank, led=snapshot.led) for rank in ranks] if several else [],
    }


def log_of(view: View, run: Run) -> Log:
    """The log of a run, one for all who look at it."""
    return _shelf(view).log(run)


def which(query: Mapping[str, Any]) -> Which:
    """Which lines a query asks for.

    Raises:
        OptionError: of somebody who cannot be.
    """
    return Which(whose(query["source"] or ""), bool(query["errors"]))


def as_json(found: Iterable[Line]) -> list[dict[str, Any]]:
    """Lines, as they are told."""
    return [
        {"n": n, "at": at, "source": source, "stream": stream, "text": text} for n, at, source, stream, text in found
    ]


def _shelf(view: View) -> Shelf:
    if getattr(view, "logs", None) is None:
        view.logs = Shelf(view.store)
    return cast(Shelf, view.logs)
