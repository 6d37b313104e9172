"""`%jobq VERB ...`: what may be asked of runs from a notebook. A verb prints plainly, or gives what it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jobq_magic import commands, options
from jobq_magic.config import config_table
from jobq_magic.errors import OptionError, closest
from jobq_magic.notebook import faces, frontend
from jobq_magic.notebook.faces import Emitter
from jobq_magic.render import text
from jobq_magic.words import size

if TYPE_CHECKING:
    from jobq_magic.notebook.session import Session

__all__ = ["VERBS", "run_line"]

_LAST = "-1"


def run_line(session: Session, line: str) -> Any:
    """Does what the line says.

    Raises:
        JobqError: it cannot be done; one sentence says why.
    """
    words = options.split(line)
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
        return None
    verb, *rest = words
    if verb not in VERBS:
        advice = "An option goes on top of a cell: %%jobq " + line if verb.startswith("--") else closest(verb, [*VERBS])
        raise OptionError("unknown-verb", f"%jobq knows no {verb}", do=advice)
    if {"-h", "--help"} & set(rest):
        print(_usage(verb))
        return None
    return VERBS[verb](session, rest)


def _status(session: Session, words: Sequence[str]) -> None:
    """[RUN]: where a run stands, and why."""
    run = session.store.find(_one(words, "status"))
    print(text.live(commands.status(session.store, run), now=time.time()))


def _logs(session: Session, words: Sequence[str]) -> None:
    """[RUN] [-f]: what a run printed; -f follows it to its end."""
    follow = "-f" in words or "--follow" in words
    run = session.store.find(_one([word for word in words if word not in ("-f", "--follow")], "logs"))
    emit = Emitter()
    try:
        for item in commands.logs(session.store, run, follow=follow):
            emit([item])
    except KeyboardInterrupt:
        raise faces.Detached(run) from None


def _stop(session: Session, words: Sequence[str]) -> None:
    """[RUN]: stops a run and all its processes."""
    run = session.store.find(_one(words, "stop"))
    print(text.status(commands.stop(session.store, run, wait=15), now=time.time()))


def _list(session: Session, words: Sequence[str]) -> None:
    """[--live]: the runs, newest first, also those of scripts and of other notebooks."""
    live = "--live" in words
    _none([word for word in words if word != "--live"], "list")
    print(text.table(commands.list_runs(session.store, live=live, limit=None if live else 20), now=time.time()))


def _attach(session: Session, words: Sequence[str]) -> Any:
    """[RUN] [--bind]: its output and its end, here; --bind binds its names too."""
    bind = "--bind" in words
    run = session.store.find(_one([word for word in words if word not in ("--bind", "--wait")], "attach"))
    wait = faces.wait_interactively if frontend.interactive(session.shell) else faces.wait_headless
    return session.come_back(run, wait(session.store, run), bind=bind or session.sent(run))


def _result(session: Session, words: Sequence[str]) -> Any:
    """[RUN]: the last value of a run that has ended; raises what the cell raised."""
    run = session.store.find(_one(words, "result"))
    told = commands.result(session.store, run)
    for name, count in {**told.names, **told.changed}.items():
        print(f"{name}: {size(count)}")
    return session.come_back(run, session.store.snapshot(run), bind=False)


def _rerun(session: Session, words: Sequence[str]) -> Any:
    """[RUN]: the same once more, with what travelled then."""
    headless = not frontend.interactive(session.shell)
    again = commands.rerun(session.store, session.store.find(_one(words, "rerun")), headless=headless)
    wait = faces.wait_headless if headless else faces.wait_interactively
    return session.come_back(again, wait(session.store, again))


def _prune(session: Session, words: Sequence[str]) -> None:
    """[RUN ...] [--days N] [--runs N] [--size BYTES] [--values] [--dry-run]: removes runs that have ended."""
    parser = commands.Parser(prog="%jobq prune", add_help=False, allow_abbrev=False)
    prune = commands.prune_words(parser)
    done = prune(session.store, parser.parse_args(words))
    print(text.pruned(len(done.runs), done.freed, values_only=done.values_only, dry_run=done.dry_run))


def _config(session: Session, words: Sequence[str]) -> None:
    """[options]: every setting, its value, and where that came from."""
    rows = config_table(session.resolve(options.parse(list(words)).options))
    print(text.columns(("setting", "value", "origin"), [(row.setting, row.value, row.origin) for row in rows]))


def _ray(_: Session, words: Sequence[str]) -> None:
    """[status | stop [ID]]: the Ray clusters that are kept warm on this machine."""
    action = words[0] if words else "status"
    if action not in ("status", "stop"):
        raise OptionError("unknown-verb", f"%jobq ray knows no {action}", do=closest(action, ["status", "stop"]))
    found = commands.ray_stop(*words[1:2]) if action == "stop" else commands.ray_status()
    print(text.clusters(found, stopped=action == "stop"))


VERBS: dict[str, Callable[[Session, Sequence[str]], Any]] = {
    "status": _status,
    "logs": _logs,
    "stop": _stop,
    "list": _list,
    "attach": _attach,
    "result": _result,
    "rerun": _rerun,
    "prune": _prune,
    "config": _config,
    "ray": _ray,
}


def help_text() -> str:
    """Help of `%jobq` and `%%jobq`."""
    verbs = [_usage(verb) for verb in VERBS]
    heading = "Of runs, in a cell of its own:"
    told = "RUN is an id, the beginning of one, a name, or -1 for the last, which is the default."
    return "\n".join([options.help_text(), "", heading, *(f"  {verb}" for verb in verbs), told])


def _usage(verb: str) -> str:
    arguments, _, told = str(VERBS[verb].__doc__).partition(": ")
    return f"{f'%jobq {verb} {arguments}'.strip():<42} {told}"


def _one(words: Sequence[str], verb: str) -> str:
    if len(words) > 1:
        raise OptionError("stray-word", f"%jobq {verb} takes one run, and not {' '.join(words)!r}", do=_usage(verb))
    if words and words[0].startswith("--"):
        raise OptionError("unknown-option", f"%jobq {verb} knows no {words[0]}", do=_usage(verb))
    return words[0] if words else _LAST


def _none(words: Sequence[str], verb: str) -> None:
    if words:
        raise OptionError("stray-word", f"%jobq {verb} does not know what to do with {words[0]!r}", do=_usage(verb))
