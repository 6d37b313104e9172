"""The list of runs, and what the server is."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform

from jobq_magic._version import __version__
from jobq_magic.runs.question import Question
from jobq_magic.server.asking import Answer, Asked
from jobq_magic.server.shapes import About, Error, Runs

__all__ = ["about", "listed"]

API = 1
"""Of the addresses; see `About.api`."""


def listed(asked: Asked) -> Answer:
    """A page of runs; nothing but that it is the same, where it is."""
    query = asked.query
    question = Question(
        states=query["state"],
        words=query["q"] or "",
        modes=query["mode"],
        labels=query["label"],
        notebook=query["notebook"] or "",
        since=query["since"],
        until=query["until"],
        limit=query["limit"],
        after=query["after"] or "",
    )
    if asked.known and asked.unchanged(etag := _etag(asked.view.look().version, question)):
        return Answer.same(etag)
    page = asked.view.page(question)
    body = Runs(
        rows=[*page.rows],
        next=page.next,
        counts=dict(page.counts),
        total=page.total,
        unread=page.unread,
        version=page.version,
    )
    return Answer(body, etag=_etag(page.version, question))


def _etag(version: str, question: Question) -> str:
    asked = hashlib.sha256(repr(question).encode(errors="backslashreplace")).hexdigest()[:8]
    return f'"{version}-{asked}"'


def about(asked: Asked) -> About:
    """What this server is, and where a kernel's run is that it does not show."""
    store = asked.store
    return About(
        version=__version__,
        api=API,
        store=str(store.root),
        host=platform.node(),
        user=_user(),
        reads_only=_reads_only(asked),
        elsewhere=_elsewhere(asked),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this number, in a container
        return str(os.getuid())


def _reads_only(asked: Asked) -> bool:
    root = asked.store.runs
    return root.exists() and not os.access(root, os.W_OK)


def _elsewhere(asked: Asked) -> Error | None:
    """Why a run that a kernel has opened is not shown here; nothing is read of where it says that it is."""
    run, theirs, host = asked.query["run"], asked.query["store"], asked.query["host"]
    if not run or asked.store.holds(run):
        return None
    ours, here = str(asked.store.root), platform.node()
    kernel = f"{theirs} of {host}" if host and host != here else theirs
    if not theirs:
        return Error(code="unknown-run", what=f"Run {run} is not in {ours}", why="It may have been pruned", do="")
    if theirs == ours and host in (None, "", here):
        return Error(code="unknown-run", what=f"Run {run} is no longer in {ours}", why="It was pruned", do="")
    return Error(
        code="store-not-shared",
        what=f"Run {run} is in {kernel}, and this server shows the runs in {ours} of {here}",
        why="The kernel and the Jupyter server do not see the same folder",
        do="Let JOBQ_HOME name one folder that both see, for the server and for its kernels, and start both again",
    )
