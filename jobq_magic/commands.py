"""What CLI and `%jobq` share: what may be asked of runs, as data. Nothing here prints, and nothing unpickles."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from jobq_magic.bundle import Account
from jobq_magic.errors import JobqError, OptionError, ResultError, StoreError
from jobq_magic.render.card import Came, Card
from jobq_magic.run import Run
from jobq_magic.runs.logend import LOG_END, LogEnd
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Item, Tail
from jobq_magic.runs.together import workers
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import say

if TYPE_CHECKING:
    from jobq_magic.proposal import Written
    from jobq_magic.runs.retention import Pruned

__all__ = [
    "Parser",
    "Result",
    "as_json",
    "attach",
    "card",
    "config",
    "explain",
    "list_runs",
    "log_end",
    "logs",
    "looks",
    "propose",
    "prune_words",
    "ray_status",
    "ray_stop",
    "rerun",
    "result",
    "silence",
    "status",
    "stop",
    "watch",
]

PERIOD = 0.02
"""Seconds between two looks at a run's folder while somebody waits for it."""
SLOW = 0.04
"""The same after a while in which nothing happened; an end must still be noticed within 50 ms."""
_TEND = 1.0


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses as everything here does, with one sentence, and ends no process."""

    def error(self, message: str) -> NoReturn:
        """Refuses.

        Raises:
            OptionError: always.
        """
        raise OptionError("bad-command", f"{self.prog}: {message}", do=f"{self.prog} --help shows what there is")


def status(store: Store, run: Run) -> Snapshot:
    """Where a run stands; one that is live, or not settled yet, is seen to be looked after."""
    snapshot = store.snapshot(run)
    if snapshot.final and not run.unsettled:
        return snapshot
    try:
        # Only such a run needs the pipeline, with all that comes with it.
        from jobq_magic import follower

        follower.tend(store, run)
    except (JobqError, OSError) as error:  # its interpreter is gone, its place is not installed here: say so, and go on
        why = error.lines()[0] if isinstance(error, JobqError) else str(error)
        return replace(snapshot, notes=(*snapshot.notes, f"Nobody looks after it: {why}"))
    return store.snapshot(run)


def list_runs(store: Store, *, live: bool = False, limit: int | None = None) -> list[Snapshot]:
    """The runs, newest first; all that are live, or not settled yet, are seen to be looked after."""
    runs = store.due() if live else store.list(limit=limit)
    seen = [snapshot for snapshot in _looked_at(store, runs) if not (live and snapshot.final)]
    if limit is not None and not live:
        _looked_at(store, store.due({run.id for run in runs}))
    return seen[:limit]


def _looked_at(store: Store, runs: Sequence[Run]) -> list[Snapshot]:
    seen = []
    for run in runs:
        with contextlib.suppress(StoreError):  # pruned in this moment
            seen.append(status(store, run))
    return seen


def looks(store: Store, run: Run) -> Iterator[Snapshot]:
    """Where a run stands, again and again until its end; the caller waits between. It is seen to be looked after."""
    tended = float("-inf")
    while True:
        if time.monotonic() - tended > _TEND:
            snapshot, tended = status(store, run), time.monotonic()
        else:
            snapshot = store.snapshot(run)
        yield snapshot
        if snapshot.final:
            return


def watch(store: Store, run: Run, tail: Tail | None = None) -> Iterator[list[Item]]:
    """What a run writes, look by look, until it has ended and all was given; an empty list where nothing is new.

    It waits between looks, and sees to it that the run is looked after. With `tail`, it goes on where that stands.
    """
    tail, tended, idle = tail or Tail(store, run), float("-inf"), 0
    while True:
        if time.monotonic() - tended > _TEND:
            status(store, run)
            tended = time.monotonic()
        items = tail.poll()
        idle = 0 if items else idle + 1
        yield items
        if tail.done:
            return
        if not items:
            time.sleep(PERIOD if idle < 100 else SLOW)


def attach(store: Store, run: Run) -> Iterator[Item | Snapshot]:
    """What a run writes, from its beginning to its end, and a Snapshot whenever it stands elsewhere."""
    known: object = None
    for items in watch(store, run):
        yield from items
        snapshot = store.snapshot(run)
        looks = snapshot.phase, snapshot.reason, snapshot.attempt, snapshot.place and snapshot.place.position
        if known != (known := looks) and not snapshot.final:
            yield snapshot
    yield store.snapshot(run)


def logs(store: Store, run: Run, *, follow: bool = False, worker: int | None = None) -> Iterator[Item]:
    """What a run wrote so far, or with `follow`, to its end; with `worker`, only what the worker of that rank wrote.

    Raises:
        OptionError: it has no such worker.
    """
    _check_worker(store, run, worker)
    return _logs(store, run, follow=follow, worker=worker)


def silence(store: Store, run: Run, *, asked: str, following: bool = False) -> str:
    """Why there is nothing that a run wrote; "" where there is something.

    Args:
        store: where it is.
        run: which.
        asked: how its output is asked for.
        following: whether what is still to come will be seen.
    """
    if next(_logs(store, run, follow=False, worker=None), None) is not None:
        return ""
    snapshot = store.snapshot(run)
    if snapshot.final:
        return f"{run.id} printed nothing"
    told = f"{run.id} has printed nothing yet: {say(snapshot).sentence}"
    return told if following else f"{told}. {asked} {run.id} -f follows it"


def _check_worker(store: Store, run: Run, worker: int | None) -> None:
    if worker is None:
        return
    snapshot = store.snapshot(run)
    there = workers(run.paths.attempt(snapshot.attempt))
    known = sorted({*there, *(each.rank for each in snapshot.each), *range((run.workers or 1) if snapshot.each else 1)})
    if worker not in known:
        one = f"has one worker's output: {known[0]}" if len(known) == 1 else f"has workers {known[0]} to {known[-1]}"
        raise OptionError("no-such-worker", f"--worker {worker}: {run.id} {one}")


def _logs(store: Store, run: Run, *, follow: bool, worker: int | None) -> Iterator[Item]:
    if follow:
        for items in watch(store, run, Tail(store, run, worker=worker)):
            yield from items
        return
    status(store, run)
    # What several streams wrote since the last sample has no order yet, but is not held back from who looks only once.
    tail = Tail(store, run, patience=0, worker=worker)
    while tail.behind:
        yield from tail.poll()


def stop(store: Store, run: Run, *, wait: float = 0.0) -> Snapshot:
    """Asks for a run to be stopped; one that has ended is left as it is.

    Args:
        store: where it is.
        run: which.
        wait: seconds to wait for its end.

    Returns:
        Where it stands: `final` where it ended before, or within the wait.
    """
    if (snapshot := store.snapshot(run)).final:
        return snapshot
    store.request_stop(run)
    deadline = time.monotonic() + wait
    for snapshot in looks(store, run):
        if snapshot.final or time.monotonic() >= deadline:
            break
        time.sleep(PERIOD)
    return snapshot


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left, as the runner told and rendered it."""

    run: str
    phase: Phase
    sentence: str
    advice: str = ""
    value: Mapping[str, Any] | None = None
    """The last value, as a MIME bundle."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Of that bundle, by MIME type."""
    names: Mapping[str, int] = field(default_factory=dict)
    """What the cell bound, with sizes in bytes."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """What was shipped and changed in place."""
    skipped: tuple[Mapping[str, str], ...] = ()
    """`name` and `reason` of what could not come back, and `advice` where there is some."""
    error: str = ""
    """The traceback."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing of it to be shown."""
        return not (self.value or self.names or self.changed or self.skipped or self.error)


def result(store: Store, run: Run) -> Result:
    """What a run left. Its signature is checked; nothing is unpickled.

    Raises:
        ResultError: the run has not ended (`not-ended`), or its result was changed on disk.
    """
    from jobq_magic.results.decode import read

    snapshot = status(store, run)
    if not snapshot.final:
        raise ResultError(
            "not-ended", f"{run.id} has not ended: it is {snapshot.phase}", do=f"jobq attach {run.id} waits for it"
        )
    words = say(snapshot)
    bare = Result(run.id, snapshot.phase, words.sentence, words.advice)
    if snapshot.result != "ready" and not run.paths.attempt(snapshot.attempt).result.exists():
        return bare
    told = read(run, snapshot.attempt, store.key(run))
    return replace(
        bare,
        value=told["value"]["bundle"] if told["value"] else None,
        metadata=told["value"].get("metadata", {}) if told["value"] else {},
        names={name: entry["size"] for name, entry in told["names"].items()},
        changed={name: entry["size"] for name, entry in told["changed"].items() if name not in told["names"]},
        skipped=tuple(told["skipped"]),
        error=told["error"]["text"] if told["error"] else "",
    )


def card(store: Store, run: Run, *, log: LogEnd | None = None, notes: Sequence[str] = ()) -> Card:
    """All that a face draws of a run now; what came back is told by its signed result, and nothing is unpickled.

    Args:
        store: where it is.
        run: which.
        log: the end of its log, where the caller has read it already.
        notes: what the caller has to say besides.
    """
    snapshot = status(store, run)
    end = log if log is not None else log_end(store, run)
    bare = Card(
        snapshot,
        now=time.time(),
        log=end.text,
        cut=end.cut,
        sources=end.sources,
        account=store.account(run),
        notes=tuple(notes),
    )
    if not snapshot.final:
        return bare
    try:
        told = result(store, run)
    except ResultError as error:
        return replace(bare, notes=(*notes, *error.lines()))
    return replace(
        bare,
        came=(
            *(Came(name, size) for name, size in told.names.items()),
            *(Came(name, size, "changed") for name, size in told.changed.items()),
        ),
        skipped=told.skipped,
        traceback=told.error,
    )


def explain(store: Store, run: Run) -> Account:
    """What travelled with a run and what did not.

    Raises:
        StoreError: that is not known.
    """
    account = store.account(run)
    if account is None:
        ended = store.snapshot(run).final
        why = "It ended before it was captured, or its account was damaged" if ended else "It is still being captured"
        raise StoreError("not-captured", f"What {run.id} took along is not known", why=why)
    return account


def log_end(store: Store, run: Run, *, most: int = LOG_END) -> LogEnd:
    """The end of what a run printed so far, at most so many characters of it."""
    end, tail = LogEnd(most), Tail(store, run, patience=0)
    while tail.behind:
        for item in tail.poll():
            end.apply(item)
    return end


def rerun(store: Store, run: Run, *, headless: bool = False) -> Run:
    """The same once more, as a new run on its way.

    Raises:
        JobqError: what it took along is gone, or its place refuses it now.
    """
    from jobq_magic import follower, pipeline

    again = pipeline.rerun(store, run, headless=headless)
    follower.tend(store, again)
    return again


def prune_words(parser: Parser) -> Callable[[Store, argparse.Namespace], Pruned]:
    """Adds the arguments of `prune` to a parser.

    Returns:
        What performs it with the arguments that were parsed.
    """
    parser.add_argument("run", nargs="*", metavar="RUN", help="these runs, instead of those beyond the limits")
    parser.add_argument("--days", type=float, metavar="N", help="remove runs that ended more than N days ago (30)")
    parser.add_argument("--runs", type=int, metavar="N", help="keep at most N runs (1000)")
    parser.add_argument("--size", metavar="BYTES", help="keep at most so much, for example 20G (20G)")
    parser.add_argument("--values", action="store_true", help="keep records and logs; remove only values")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    def perform(store: Store, args: argparse.Namespace) -> Pruned:
        from jobq_magic.quantities import Refusal, amount
        from jobq_magic.runs.retention import Limits, prune

        for option, number in ("--days", args.days), ("--runs", args.runs):
            if number is not None and not number >= 0:  # nan, too: nothing is removed for a slip
                raise OptionError("bad-command", f"{option} {number:g} is not a number of 0 or more")
        usual = Limits()
        try:
            limits = Limits(
                usual.days if args.days is None else args.days,
                usual.runs if args.runs is None else args.runs,
                usual.size if args.size is None else amount(args.size),
            )
        except Refusal as refusal:
            raise OptionError("bad-size", f"--size {args.size} {refusal.problem}", do=refusal.do) from refusal
        list_runs(store, live=True)  # a run that nobody looked at since its process died has ended
        chosen = [store.find(ref) for ref in args.run] or None
        return prune(store, limits=limits, chosen=chosen, values_only=args.values, dry_run=args.dry_run)

    return perform


def config(given: Sequence[str], *, interactive: bool) -> tuple[tuple[str, str, str], ...]:
    """Every setting, its value, and where that came from, if a cell were run here with the options `given`.

    Raises:
        OptionError: an option or a setting cannot be.
    """
    import os
    from pathlib import Path

    from jobq_magic import options
    from jobq_magic.config import config_table, resolve

    asked = options.parse(given).options
    resolved = resolve(asked, cwd=Path.cwd(), environ=os.environ, interactive=interactive, submits=False)
    return tuple((row.setting, row.value, row.origin) for row in config_table(resolved))


def propose(words: Sequence[str]) -> Written:
    """`config --init [NAME] [--context NAME] [--namespace NAME]`: writes a profile of the cluster that is found.

    Raises:
        OptionError: there is such a profile already, or the words are none of these.
        BackendError: no cluster has a queue that we may use.
    """
    import os
    from dataclasses import replace
    from pathlib import Path

    from jobq_magic import proposal
    from jobq_magic.cluster.proposing import propose as found

    parser = Parser(prog="config --init", add_help=False, allow_abbrev=False)
    parser.add_argument("--init", action="store_true")
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--context", default="", metavar="NAME")
    parser.add_argument("--namespace", default="", metavar="NAME")
    args, unknown = parser.parse_known_args(list(words))
    if unknown:
        do = "Write config --init [NAME] [--context NAME] [--namespace NAME]; all else is written into the profile"
        raise OptionError("bad-command", f"config --init does not take {' '.join(unknown)}", do=do)
    first, *others = found(os.environ, context=args.context, namespace=args.namespace)
    written = proposal.write(replace(first, name=args.name or first.name), Path.cwd(), os.environ)
    return replace(written, others=tuple(str(one.values["context"]) for one in others))


def ray_status() -> list[dict[str, Any]]:
    """The Ray clusters that live on this machine."""
    from jobq_magic.backends.ray import pool

    return pool.status()


def ray_stop(which: str | None = None) -> list[dict[str, Any]]:
    """Ends one of them, by the beginning of its id, or all."""
    from jobq_magic.backends.ray import pool

    return pool.stop(which)


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot for machines, with its sentence and advice."""
    words = say(snapshot)
    return {
        "run": snapshot.run,
        "name": snapshot.name,
        "mode": snapshot.mode,
        "where": snapshot.where,
        "workers": snapshot.workers,
        "phase": str(snapshot.phase),
        "final": snapshot.final,
        "attempt": snapshot.attempt,
        "before": asdict(snapshot.before) if snapshot.before is not None else None,
        "reason": snapshot.reason,
        "facts": dict(snapshot.facts),
        "sentence": words.sentence,
        "advice": words.advice,
        "created": snapshot.created,
        "ended": snapshot.ended,
        "seconds": snapshot.seconds,
        "result": snapshot.result,
        "times": [{"phase": str(time.phase), "at": time.at} for time in snapshot.times],
        "progress": [asdict(one) for one in snapshot.progress],
        "links": [{"rel": link.rel, "title": link.title, "href": link.href} for link in snapshot.links],
        "place": asdict(snapshot.place) if snapshot.place is not None else None,
        "each": [asdict(one) for one in snapshot.each],
        "ray": None if snapshot.ray is None else asdict(replace(snapshot.ray, line=None)),
        "image": asdict(snapshot.image) if snapshot.image is not None else None,
        "notes": list(snapshot.notes),
    }
