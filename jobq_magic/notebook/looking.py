"""The verbs that only look, such as `list` and `explain`. What they find is shown, and is a value too."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.display import display

from jobq_magic import commands, imaging, neighbours, options
from jobq_magic import doctor as doctor_
from jobq_magic import queues as queues_
from jobq_magic.bundle import Account
from jobq_magic.errors import OptionError
from jobq_magic.findings import Finding
from jobq_magic.image import Image
from jobq_magic.job import Job
from jobq_magic.nearby import Allotment, Neighbours
from jobq_magic.notebook import faces, frontend
from jobq_magic.render import allotments, findings, html, nearby, text
from jobq_magic.render import image as image_text
from jobq_magic.render.account import explained, explained_html
from jobq_magic.run import Run
from jobq_magic.runs import pages
from jobq_magic.runs.tail import Chunk, Item
from jobq_magic.runtime import process
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import size, unreturned

if TYPE_CHECKING:
    from jobq_magic.notebook.session import Session

__all__ = [
    "PARSERS",
    "Allotted",
    "Diagnosis",
    "Explained",
    "Imaged",
    "Nearby",
    "Runs",
    "Standing",
    "doctor",
    "explain",
    "image",
    "list_",
    "logs",
    "queues",
    "result",
    "shown",
    "status",
]

_FEW = 20
"""Runs that a list shows without `--all`."""
_AS_IT_IS = 4 << 20
"""Bytes up to which a log of one page is shown with its displays, just as it came."""


class _Found:
    """What a verb shows at once, in the middle of a cell too; as the value of the same cell it is not shown again."""

    _drawn_by = ""

    def draw(self, shell: Any) -> None:
        """Shows it, but in a terminal, where it will be seen as `Out`."""
        if frontend.in_terminal(shell):
            return
        self._drawn_by = _request_id(shell)
        display(self._drawn(), raw=True)

    def _drawn(self) -> dict[str, str]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._drawn()["text/plain"]

    def _repr_html_(self) -> str:
        return self._drawn()["text/html"]

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython

        if not self._drawn_by or self._drawn_by != _request_id(get_ipython()):
            raise NotImplementedError  # IPython then asks for the other representations


class Runs(_Found, list[Job]):
    """Runs as their jobs, newest first; drawn as a table of how they stood when they were listed."""

    def __init__(self, rows: Sequence[tuple[Job, tuple[str, ...]]]) -> None:
        super().__init__(job for job, _ in rows)
        self._rows = [row for _, row in rows]

    def _drawn(self) -> dict[str, str]:
        plain = text.columns(_COLUMNS, self._rows) if self._rows else "No runs"
        return {"text/plain": plain, "text/html": html.columns(_COLUMNS, self._rows, none="No runs")}


class Standing(_Found, Job):
    """A job, drawn as its card."""

    def _drawn(self) -> dict[str, str]:
        card = commands.card(self._store, self.run)
        return {"text/plain": text.card(card), "text/html": html.card(card)}


class Explained(_Found):
    """What travels with a cell, and what does not; `account` is all of it as data."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def _drawn(self) -> dict[str, str]:
        return {"text/plain": explained(self.account), "text/html": explained_html(self.account)}


class Imaged(_Found):
    """An image, or what this machine keeps of them; `image` is all of it as data."""

    def __init__(self, found: Image | imaging.Kept) -> None:
        self.image = found
        self._now = time.time()

    def _drawn(self) -> dict[str, str]:
        found = self.image
        html_ = image_text.drawn_html(found) if isinstance(found, Image) else image_text.kept_html(found, now=self._now)
        return {"text/plain": imaging.told(found, now=self._now), "text/html": html_}


class Nearby(_Found):
    """Everybody's runs, and other workloads, in the queues of a place; `found` is all of it as data."""

    def __init__(self, found: Neighbours) -> None:
        self.found = found
        self._now = time.time()

    def _drawn(self) -> dict[str, str]:
        return {
            "text/plain": nearby.drawn(self.found, now=self._now),
            "text/html": nearby.drawn_html(self.found, now=self._now),
        }


class Allotted(_Found):
    """What queues have, and who uses it; `found` is all of it as data."""

    def __init__(self, found: Sequence[Allotment]) -> None:
        self.found = tuple(found)

    def _drawn(self) -> dict[str, str]:
        return {"text/plain": allotments.drawn(self.found), "text/html": allotments.drawn_html(self.found)}


class Diagnosis(_Found, list[Finding]):
    """Findings, in the order in which they were made."""

    def _drawn(self) -> dict[str, str]:
        return {"text/plain": findings.drawn(self), "text/html": findings.drawn_html(self)}


_COLUMNS = (*text.COLUMNS, "from")


def list_(session: Session, words: Sequence[str]) -> Runs | Nearby:
    """[--live] [--all] [--phase PHASE] [--namespace]: the runs, newest first; or everybody's in the queues."""
    args, others = _list_parser().parse_known_args(words)
    if args.namespace is not None:
        given = [*others, *(("--namespace", args.namespace) if args.namespace else ())]
        return shown(session, Nearby(neighbours.survey(session.resolve(options.parse(given).options, submits=False))))
    if others:
        raise OptionError("bad-command", f"%jobq list: unrecognized arguments: {' '.join(others)}")
    limit = None if args.live or args.all or args.phase else _FEW
    seen = commands.list_runs(session.store, live=args.live, limit=limit)
    if args.phase:
        seen = [snapshot for snapshot in seen if snapshot.phase == args.phase]
        seen = seen if args.all else seen[:_FEW]
    return shown(session, Runs([_row(session, snapshot) for snapshot in seen]))


def status(session: Session, words: Sequence[str]) -> Standing:
    """[RUN]: where a run stands, and why."""
    run = session.store.find(_run_parser("status").parse_args(words).run)
    return shown(session, Standing(run.id, session.store))


def doctor(session: Session, words: Sequence[str]) -> Diagnosis:
    """[options]: whether cells with these options will run where they go, and what is missing."""
    return shown(
        session, Diagnosis(doctor_.examine(session.resolve(options.parse(list(words)).options, submits=False)))
    )


def queues(session: Session, words: Sequence[str]) -> Allotted:
    """[options]: what the queues where cells with these options go have, and who uses it."""
    place = queues_.place_of(session.resolve(options.parse(list(words)).options, submits=False))
    return shown(session, Allotted(queues_.ask(place, queues_.own_runs(session.store))))


def explain(session: Session, words: Sequence[str]) -> Explained:
    """[RUN]: what travelled with a run, why, and how big it was; and what did not."""
    run = session.store.find(_run_parser("explain").parse_args(words).run)
    return shown(session, Explained(commands.explain(session.store, run)))


def image(session: Session, words: Sequence[str]) -> Imaged | None:
    """[show | list | prune | RUN] [--older-than TIME] [--registry] [--dry-run]: what the image of a run is made of."""
    parser = _parser("image", _IMAGE)
    answer = imaging.words(parser)(session.store, parser.parse_args(words))
    if isinstance(answer, Image | imaging.Kept):
        return shown(session, Imaged(answer))
    print(imaging.told(answer, now=time.time()))
    return None


def logs(session: Session, words: Sequence[str]) -> None:
    """[RUN] [-f] [-n N] [--page K] [--grep TEXT | --regex RE] [--worker N] [--stdout | --stderr]: what it printed."""
    args = _logs_parser().parse_args(words)
    asked = pages.wanted(args)
    run = session.store.find(args.run)
    items = commands.logs(session.store, run, follow=args.follow, worker=args.worker)
    if silence := commands.silence(session.store, run, asked="%jobq logs", following=args.follow):
        print(silence)
    if args.follow:
        try:
            if asked.everything:
                faces.Emitter()(items)
            else:
                _write(pages.lines(items, asked))
        except KeyboardInterrupt:
            raise faces.Detached(run) from None
        return
    if asked.everything:
        held, whole = _begun(items)
        if whole:
            faces.Emitter()(held)
            return
        items = chain(held, items)
    page = pages.page(items, asked)
    told = page.told(f"%jobq logs {run.id}{asked.words}")
    _write(page.lines)
    if told:
        print(told)


def result(session: Session, words: Sequence[str]) -> Any:
    """[RUN]: the last value of a run that has ended, and what else it left; raises what the cell raised."""
    run = session.store.find(_run_parser("result").parse_args(words).run)
    told = commands.result(session.store, run)
    rows = [(name, size(count), "") for name, count in told.names.items()]
    rows += [(name, size(count), "changed in place") for name, count in told.changed.items()]
    if rows:
        print(text.columns(("name", "size", ""), rows))
    for line in unreturned(told.skipped):
        print(line)
    if told.phase is Phase.SUCCEEDED and told.empty:
        print(f"{run.id} left no values")
    return session.result(run)


def _parser(verb: str, about: str) -> commands.Parser:
    return commands.Parser(prog=f"%jobq {verb}", description=about, add_help=False, allow_abbrev=False)


def _run_parser(verb: str) -> commands.Parser:
    about = {
        "status": "Where a run stands, and why.",
        "explain": "What travelled with a run, why, and how big it was; and what did not.",
        "result": "The last value of a run, and what else it left.",
    }
    return _takes_run(_parser(verb, about[verb]))


def _takes_run(parser: commands.Parser) -> commands.Parser:
    told = "an id, the beginning of one, a name, -1 for the last (the default), -2 for the one before"
    parser.add_argument("run", nargs="?", default="-1", metavar="RUN", help=told)
    return parser


def _list_parser() -> commands.Parser:
    parser = _parser("list", "The runs, newest first, also those of scripts and of other notebooks.")
    parser.add_argument("--live", action="store_true", help="only runs that have not ended")
    parser.add_argument("--all", action="store_true", help=f"all of them, and not only the newest {_FEW}")
    told = "everybody's runs, and other workloads, in the queues where cells with these options would go"
    parser.add_argument("--namespace", nargs="?", const="", metavar="NAME", help=told)
    parser.add_argument("--phase", choices=[phase.value for phase in Phase], metavar="PHASE", help="only of this phase")
    return parser


_IMAGE = "What the image of a run is made of; what this machine keeps of images, and prune."


def _image_parser() -> commands.Parser:
    parser = _parser("image", _IMAGE)
    imaging.words(parser)
    return parser


def _logs_parser() -> commands.Parser:
    parser = _takes_run(_parser("logs", "What a run printed: the last page, or all where that is one."))
    pages.add_words(parser)
    return parser


PARSERS: Mapping[str, Callable[[], commands.Parser]] = {
    "list": _list_parser,
    "status": lambda: _run_parser("status"),
    "logs": _logs_parser,
    "explain": lambda: _run_parser("explain"),
    "image": _image_parser,
    "result": lambda: _run_parser("result"),
}
"""For the help of a verb."""

_F = TypeVar("_F", bound=_Found)


def shown(session: Session, found: _F) -> _F:
    """What was found, after it was drawn under the cell."""
    found.draw(session.shell)
    return found


def _request_id(shell: Any) -> str:
    return str(frontend.request(shell).get("header", {}).get("msg_id", ""))


def _row(session: Session, snapshot: Snapshot) -> tuple[Job, tuple[str, ...]]:
    run = session.store.get(snapshot.run)
    return Job(run.id, session.store), (*text.row(snapshot, now=time.time()), _origin(run))


def _origin(run: Run) -> str:
    """From where a run was sent: the cell, and the notebook where that is another."""
    label = run.cell.get("label", "")
    if not label:
        return "script"
    if run.cell.get("kernel") == process.identify(os.getpid()):
        return f"here, {label}"
    notebook = os.path.basename(run.cell.get("notebook", "")) or "another kernel"  # noqa: PTH119 - it is no path of ours
    return f"{notebook}, {label}"


def _begun(items: Iterable[Item]) -> tuple[list[Item], bool]:
    """The beginning of a log, and whether it is all, and no more than a page."""
    held: list[Item] = []
    count = bytes_ = 0
    for item in items:
        held.append(item)
        if isinstance(item, Chunk):
            count += item.data.count(b"\n")
            bytes_ += len(item.data)
        if count > pages.PAGE or bytes_ > _AS_IT_IS:
            return held, False
    return held, True


def _write(lines: Iterable[pages.Line]) -> None:
    for line in lines:
        stream = sys.stdout if line.stream == "stdout" else sys.stderr
        stream.write(line.shown.decode("utf-8", "replace") + "\n")
