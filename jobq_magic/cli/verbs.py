"""The verbs of `jobq`: for each, its arguments, and what is done with them."""

from __future__ import annotations

import json
import re
import sys
import time
from argparse import SUPPRESS, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from jobq_magic import commands, doctor, imaging, neighbours, pauses, queues
from jobq_magic.cli import tables
from jobq_magic.cli.main import JOB_FAILED, OK, UNKNOWN
from jobq_magic.cli.serve import serve
from jobq_magic.errors import OptionError
from jobq_magic.render import allotments, findings, nearby, text
from jobq_magic.render.account import explained
from jobq_magic.run import Run
from jobq_magic.runs import pages
from jobq_magic.runs.prefix import Prefixes, label
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Display, Item
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import size, unreturned

__all__ = ["VERBS"]

Verb: TypeAlias = Callable[[Namespace], int]


def _status(parser: commands.Parser) -> Verb:
    _takes_run(parser)

    def perform(args: Namespace) -> int:
        store, run = _found(args)
        snapshot = commands.status(store, run)
        if args.json:
            return _json(commands.as_json(snapshot), snapshot)
        # What a run says of itself is written for notebooks, where most people read it.
        print(re.sub(r"(?<!%)%jobq(?= )", "jobq", text.live(snapshot, now=time.time())))
        return _judged(snapshot)

    return perform


def _logs(parser: commands.Parser) -> Verb:
    _takes_run(parser)
    pages.add_words(parser)

    def perform(args: Namespace) -> int:
        asked = pages.wanted(args)
        store, run = _found(args)
        items = commands.logs(store, run, follow=args.follow, worker=args.worker)
        if not args.json and (told := commands.silence(store, run, asked="jobq logs", following=args.follow)):
            print(told, file=sys.stderr)
        if asked.everything:
            if args.json:
                for item in items:
                    print(json.dumps(_item_json(item)), flush=True)
            else:
                _follow(run, items)
        elif asked.page is not None or asked.last is not None:
            page = pages.page(items, asked)
            told = page.told(f"jobq logs {run.id}{asked.words}")
            _write_lines(page.lines, as_json=args.json)
            if told and asked.page is not None:
                print(told, file=sys.stderr)
        else:
            with _detaching(run):
                _write_lines(pages.lines(items, asked), as_json=args.json)
        return _judged(store.snapshot(run)) if args.follow else OK

    return perform


def _stop(parser: commands.Parser) -> Verb:
    parser.add_argument("run", nargs="*", metavar="RUN", help="which runs; by default the last")
    parser.add_argument("--all", action="store_true", help="every run that has not ended")
    parser.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="for their end (10)")

    def perform(args: Namespace) -> int:
        store = Store()
        runs = store.list(live=True) if args.all else [store.find(ref) for ref in args.run or ["-1"]]
        over = {run.id for run in runs if store.snapshot(run).final}
        for run in runs:
            if run.id not in over:
                store.request_stop(run)
        seen = [commands.stop(store, run, wait=args.wait) for run in runs]
        if args.json:
            return _json([commands.as_json(snapshot) for snapshot in seen])
        for snapshot in seen:
            told = "had ended before" if snapshot.run in over else "" if snapshot.final else "asked to stop"
            print(text.status(snapshot, now=time.time()) + (f"  ({told})" if told else ""))
        if not seen:
            print("No runs to stop")
        return OK

    return perform


def _pause(parser: commands.Parser) -> Verb:
    return _asks(parser, pauses.pause, done=lambda phase: phase is Phase.PAUSED, asked="asked to pause")


def _resume(parser: commands.Parser) -> Verb:
    return _asks(parser, pauses.resume, done=lambda phase: phase is not Phase.PAUSED, asked="asked to go on")


def _asks(parser: commands.Parser, ask: Callable[..., Snapshot], *, done: Callable[[Phase], bool], asked: str) -> Verb:
    parser.add_argument("run", nargs="*", metavar="RUN", help="which runs; by default the last")
    parser.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="until it is so (10)")

    def perform(args: Namespace) -> int:
        store = Store()
        runs = [store.find(ref) for ref in args.run or ["-1"]]
        seen = [ask(store, run, wait=args.wait) for run in runs]
        if args.json:
            return _json([commands.as_json(snapshot) for snapshot in seen])
        for snapshot in seen:
            told = "" if done(snapshot.phase) else f"  ({asked})"
            print(text.status(snapshot, now=time.time()) + told)
        return OK

    return perform


def _list(parser: commands.Parser) -> Verb:
    parser.usage = "jobq list [--live] [-n N] [--json] | jobq list --namespace [NAME] [--json] [options of a cell]"
    told = "everybody's runs, and other workloads, in the queues where cells would go"
    parser.add_argument("--namespace", nargs="?", const="", metavar="NAME", help=told)
    parser.add_argument("--live", action="store_true", help="only runs that have not ended")
    parser.add_argument("-n", "--limit", type=int, default=20, metavar="N", help="at most N runs (20); 0 for all")

    def perform(args: Namespace) -> int:
        if args.namespace is not None:
            return _neighbours(args)
        if args.others:
            raise OptionError("bad-command", f"jobq list: unrecognized arguments: {' '.join(args.others)}")
        if args.limit < 0:
            raise OptionError("bad-command", "--limit takes a number of 0 or more")
        seen = commands.list_runs(Store(), live=args.live, limit=args.limit or None)
        if args.json:
            return _json([commands.as_json(snapshot) for snapshot in seen])
        tables.show(text.COLUMNS, [text.row(snapshot, now=time.time()) for snapshot in seen], empty="No runs")
        return OK

    return perform


def _neighbours(args: Namespace) -> int:
    given = [*args.others, *(("--namespace", args.namespace) if args.namespace else ())]
    found = neighbours.survey(neighbours.here(given, interactive=sys.stdin.isatty()))
    if args.json:
        return _json(neighbours.as_json(found))
    tables.show(nearby.COLUMNS, [nearby.row(one, now=time.time()) for one in found.rows], empty=nearby.none(found))
    for line in found.unknown:
        print(text.one_line(line), file=sys.stderr)
    return OK


def _queues(parser: commands.Parser) -> Verb:
    parser.usage = "jobq queues [--json] [options of a cell, such as --profile NAME]"

    def perform(args: Namespace) -> int:
        place = queues.place_of(neighbours.here(args.others, interactive=sys.stdin.isatty()))
        found = queues.ask(place, queues.own_runs(Store()))
        if args.json:
            return _json(queues.as_json(place, found))
        tables.show(allotments.COLUMNS, allotments.rows(found), empty=f"Nothing is known of {place.where}")
        for line in allotments.notes(found):
            print(line, file=sys.stderr)
        return OK

    return perform


def _attach(parser: commands.Parser) -> Verb:
    _takes_run(parser)
    parser.add_argument("--bind", action="store_true", help=SUPPRESS)

    def perform(args: Namespace) -> int:
        store, run = _found(args)
        if args.bind:
            do = f"Write %jobq attach {run.id} --bind in a notebook; jobq result {run.id} shows what came back"
            raise OptionError("no-notebook", "--bind binds names in a notebook, and a terminal has none", do=do)
        items = commands.attach(store, run)
        if args.json:
            for item in items:
                shown = (
                    {"type": "snapshot", **commands.as_json(item)} if isinstance(item, Snapshot) else _item_json(item)
                )
                print(json.dumps(shown), flush=True)
        else:
            _follow(run, items)
            left = commands.result(store, run)
            if left.error:
                print(left.error.rstrip(), file=sys.stderr)
            elif left.value:
                print(_plain(left.value))
        return _judged(store.snapshot(run))

    return perform


def _result(parser: commands.Parser) -> Verb:
    _takes_run(parser)

    def perform(args: Namespace) -> int:
        store, run = _found(args)
        left = commands.result(store, run)
        if args.json:
            _json({name: getattr(left, name) for name in left.__slots__})
        elif left.error:
            print(left.error.rstrip())
        else:
            if left.phase is not Phase.SUCCEEDED:
                print(f"{run.id}: {left.sentence}")
            elif left.empty:
                print(f"{run.id} left no values")
            if left.value:
                print(_plain(left.value))
            rows = [(name, size(count), "") for name, count in left.names.items()]
            rows += [(name, size(count), "changed in place") for name, count in left.changed.items()]
            if rows:
                tables.show(("name", "size", ""), rows)
            for line in unreturned(left.skipped):
                print(line)
        return OK if left.phase is Phase.SUCCEEDED else JOB_FAILED

    return perform


def _explain(parser: commands.Parser) -> Verb:
    _takes_run(parser)

    def perform(args: Namespace) -> int:
        store, run = _found(args)
        account = commands.explain(store, run)
        if args.json:
            return _json(account.to_json())
        print(explained(account))
        return OK

    return perform


def _image(parser: commands.Parser) -> Verb:
    ask = imaging.words(parser)

    def perform(args: Namespace) -> int:
        answer = ask(Store(), args)
        print(json.dumps(imaging.as_json(answer), indent=1) if args.json else imaging.told(answer, now=time.time()))
        return OK

    return perform


def _rerun(parser: commands.Parser) -> Verb:
    _takes_run(parser)

    def perform(args: Namespace) -> int:
        store, run = _found(args)
        again = commands.rerun(store, run)
        if args.json:
            return _json(commands.as_json(store.snapshot(again)))
        print(again.id)
        return OK

    return perform


def _prune(parser: commands.Parser) -> Verb:
    prune = commands.prune_words(parser)

    def perform(args: Namespace) -> int:
        done = prune(Store(), args)
        if args.json:
            return _json({"runs": done.runs, "freed": done.freed, "dry_run": done.dry_run})
        print(text.pruned(len(done.runs), done.freed, values_only=done.values_only, dry_run=done.dry_run))
        return OK

    return perform


def _config(parser: commands.Parser) -> Verb:
    parser.usage = (
        "jobq config [--json] [options of a cell]\n       jobq config --init [NAME] [--context NAME] [--namespace NAME]"
    )

    def perform(args: Namespace) -> int:
        if "--init" in args.others:
            written = commands.propose(args.others)
            if args.json:
                return _json({"path": str(written.path), "added": written.text, "others": list(written.others)})
            print(written.told(terminal=True))
            return OK
        rows = commands.config(args.others, interactive=sys.stdin.isatty())
        if args.json:
            return _json({setting: {"value": value, "origin": origin} for setting, value, origin in rows})
        tables.show(("setting", "value", "from"), rows)
        return OK

    return perform


def _doctor(parser: commands.Parser) -> Verb:
    parser.usage = "jobq doctor [--json] [options of a cell, such as --profile NAME or --mode MODE]"

    def perform(args: Namespace) -> int:
        seen = []
        for finding in doctor.doctor(args.others, interactive=sys.stdin.isatty()):
            seen.append(finding)
            if not args.json:
                print("\n".join(findings.lines(finding)), flush=True)
        if args.json:
            _json(doctor.as_json(seen))
        else:
            print(f"\n{findings.summary(seen)}")
        return JOB_FAILED if doctor.is_bad(seen) else UNKNOWN if doctor.is_open(seen) else OK

    return perform


def _ray(parser: commands.Parser) -> Verb:
    parser.add_argument("action", choices=["status", "stop"], nargs="?", default="status")
    parser.add_argument("cluster", nargs="?", metavar="ID", help="for stop: the beginning of its id; by default all")

    def perform(args: Namespace) -> int:
        rows = commands.ray_stop(args.cluster) if args.action == "stop" else commands.ray_status()
        if args.json:
            return _json(rows)
        if args.action == "stop":
            print(text.clusters(rows, stopped=True))
        else:
            tables.show(text.CLUSTER_COLUMNS, [text.cluster_row(row) for row in rows], empty=text.clusters([]))
        return OK

    return perform


VERBS: Mapping[str, Callable[[commands.Parser], Verb]] = {
    "status": _status,
    "logs": _logs,
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "list": _list,
    "queues": _queues,
    "attach": _attach,
    "explain": _explain,
    "result": _result,
    "image": _image,
    "rerun": _rerun,
    "prune": _prune,
    "config": _config,
    "doctor": _doctor,
    "ray": _ray,
    "serve": serve,
}


def _takes_run(parser: commands.Parser) -> None:
    parser.add_argument("run", nargs="?", default="-1", metavar="RUN", help="which run; by default the last")


def _found(args: Namespace) -> tuple[Store, Run]:
    store = Store()
    return store, store.find(args.run)


def _judged(snapshot: Snapshot) -> int:
    return JOB_FAILED if snapshot.final and snapshot.phase is not Phase.SUCCEEDED else OK


def _json(value: object, snapshot: Snapshot | None = None) -> int:
    print(json.dumps(value, indent=1, default=str))
    return OK if snapshot is None else _judged(snapshot)


def _follow(run: Run, items: Iterable[Item | Snapshot]) -> None:
    with _detaching(run):
        _write(items)


@contextmanager
def _detaching(run: Run) -> Iterator[None]:
    """An interrupt ends the watching, and says how to go on with it."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"\nDetached from {run.id}: it goes on.",
            f"  jobq attach {run.id} shows it again; jobq stop {run.id} ends it.",
        ) from None


def _write(items: Iterable[Item | Snapshot]) -> None:
    """The run's own bytes on the streams where it wrote them; what it displayed as plain text; changes on stderr."""
    seen = sys.stdout.isatty()
    prefixed = Prefixes(colour=seen, one=seen and sys.stderr.isatty())
    for item in items:
        if isinstance(item, Chunk):
            stream = sys.stdout if item.stream == "stdout" else sys.stderr
            stream.flush()
            stream.buffer.write(prefixed(item).data)
            stream.buffer.flush()
        elif isinstance(item, Snapshot):
            print(text.brief(item, now=time.time()), file=sys.stderr, flush=True)
        elif (shown := _plain(item.bundle)) is not None:
            print(*(label(item.source) + line for line in shown.split("\n")), sep="\n", flush=True)


def _write_lines(lines: Iterable[pages.Line], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            text_ = line.text.decode("utf-8", "backslashreplace")
            shown = {"type": "line", "name": line.stream, "text": text_, **_source(line.source)}
            print(json.dumps(shown), flush=True)
            continue
        stream = sys.stdout if line.stream == "stdout" else sys.stderr
        stream.flush()
        stream.buffer.write(line.shown + b"\n")
        stream.buffer.flush()


def _plain(bundle: Mapping[str, Any]) -> str | None:
    plain = bundle.get("text/plain")
    return "".join(plain) if isinstance(plain, list) else plain


def _item_json(item: Item) -> dict[str, Any]:
    if isinstance(item, Display):
        shown = {"type": item.kind, "data": item.bundle, "metadata": item.metadata, "transient": item.transient}
        return {**shown, **_source(item.source), **({"wait": item.wait} if item.kind == "clear_output" else {})}
    text_ = item.data.decode("utf-8", "backslashreplace")
    return {"type": "stream", "name": item.stream, "text": text_, **_source(item.source)}


def _source(of: str) -> dict[str, str]:
    return {"worker": of} if of else {}
