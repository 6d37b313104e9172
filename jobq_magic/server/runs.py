"""One run, with all that is known of it."""

from __future__ import annotations

from typing import Any, cast

from jobq_magic import commands
from jobq_magic.render import crew, timeline
from jobq_magic.run import Run
from jobq_magic.runs.rows import row
from jobq_magic.server import acts, came, logs
from jobq_magic.server.asking import Asked
from jobq_magic.server.shapes_runs import Cell, Shown
from jobq_magic.server.view import View
from jobq_magic.server.wanted import wanted
from jobq_magic.words import say

__all__ = ["one", "shown"]


def shown(asked: Asked) -> Shown:
    """The run that the path names."""
    return one(asked.view, asked.run)


def one(view: View, run: Run) -> Shown:
    """All that is known of a run; it is seen to be looked after.

    Raises:
        StoreError: it is gone.
    """
    store = view.store
    snapshot = commands.status(store, run)
    words = say(snapshot)
    told: dict[str, Any] = {
        "row": row(run, snapshot),
        "snapshot": commands.as_json(snapshot),
        "words": {"sentence": words.sentence, "advice": words.advice},
        "crew": crew.as_json(crew.crew(snapshot)),
        "timeline": timeline.as_json(timeline.timeline(snapshot)),
        "notes": list(snapshot.notes),
        "links": [{"rel": link.rel, "title": link.title, "href": link.href} for link in snapshot.links],
        "log": logs.told(view, run),
        "notebook": _cell(run),
        "can": acts.can(run, snapshot),
        "options": wanted(run.spec),
        "source": came.cell_of(run),
    }
    return cast(Shown, told)


def _cell(run: Run) -> Cell | None:
    known = run.cell
    path = known.get("notebook")
    if not isinstance(path, str) or not path:
        return None
    cell, index = known.get("cell_id"), known.get("cell_index")
    return Cell(
        path=path,
        cell_id=cell if isinstance(cell, str) and cell else None,
        cell_index=index if isinstance(index, int) else None,
    )
