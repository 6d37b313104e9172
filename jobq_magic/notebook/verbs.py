"""`%jobq VERB ...`: what may be asked of runs from a notebook. A verb prints plainly, or gives what it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jobq_magic import commands, options, pauses
from jobq_magic.config import config_table
from jobq_magic.errors import OptionError, closest
from jobq_magic.notebook import looking
from jobq_magic.render import text

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
    if not words:
        print(summary(session))
        return None
    if words[0] in ("-h", "--help", "help"):
        print(help_text())
        return None
    verb, *rest = words
    if verb not in VERBS:
        advice = "An option goes on top of a cell: %%jobq " + line if verb.startswith("--") else closest(verb, [*VERBS])
        raise OptionError("unknown-verb", f"%jobq knows no {verb}", do=advice)
    if {"-h", "--help"} & set(rest):
        print(help_of(verb))
        return None
    return VERBS[verb](session, rest)


def _stop(session: Session, words: Sequence[str]) -> None:
    """[RUN]: stops a run and all its processes."""
    run = session.store.find(_one(words, "stop"))
    print(text.status(commands.stop(session.store, run, wait=15), now=time.time()))


def _pause(session: Session, words: Sequence[str]) -> None:
    """[RUN]: lets a run give back what it holds; what it printed stays, and resume starts it again."""
    run = session.store.find(_one(words, "pause"))
    print(text.live(pauses.pause(session.store, run, wait=15), now=time.time()))


def _resume(session: Session, words: Sequence[str]) -> None:
    """[RUN]: lets a paused run go on, from its beginning, as a new attempt."""
    run = session.store.find(_one(words, "resume"))
    print(text.live(pauses.resume(session.store, run, wait=15), now=time.time()))


def _attach(session: Session, words: Sequence[str]) -> Any:
    """[RUN] [--wait] [--bind]: its output and its end, here; --bind binds its names too."""
    flags, rest = {"--bind", "--wait"} & set(words), [word for word in words if word not in ("--bind", "--wait")]
    run = session.store.find(_one(rest, "attach"))
    return session.attach(run, wait="--wait" in flags, bind="--bind" in flags)


def _release(session: Session, words: Sequence[str]) -> None:
    """[RUN]: gives back what the names of a run held before; without RUN, of all runs."""
    runs = session.bindings.runs()
    if words:
        asked = _one(words, "release")  # what was pruned may still hold names
        runs = (asked,) if asked in runs else (session.store.find(asked).id,)
    back = [name for run in runs for name in session.bindings.release(run)]
    print(f"Back as before: {', '.join(back)}" if back else "No name holds again what it held before")


def _rerun(session: Session, words: Sequence[str]) -> Any:
    """[RUN]: the same once more, with what travelled then."""
    return session.rerun(session.store.find(_one(words, "rerun")))


def _prune(session: Session, words: Sequence[str]) -> None:
    """[RUN ...] [--days N] [--runs N] [--size BYTES] [--values] [--dry-run]: removes runs that have ended."""
    parser = commands.Parser(prog="%jobq prune", add_help=False, allow_abbrev=False)
    prune = commands.prune_words(parser)
    done = prune(session.store, parser.parse_args(words))
    print(text.pruned(len(done.runs), done.freed, values_only=done.values_only, dry_run=done.dry_run))


def _config(session: Session, words: Sequence[str]) -> None:
    """[options | --init [NAME]]: every setting, its value, and where that came from; --init writes a profile."""
    if "--init" in words:
        print(commands.propose(words).told(terminal=False))
        return
    rows = config_table(session.resolve(options.parse(list(words)).options, submits=False))
    print(text.columns(("setting", "value", "origin"), [(row.setting, row.value, row.origin) for row in rows]))


def _ray(_: Session, words: Sequence[str]) -> None:
    """[status | stop [ID]]: the Ray clusters that are kept warm on this machine."""
    action = words[0] if words else "status"
    if action not in ("status", "stop"):
        raise OptionError("unknown-verb", f"%jobq ray knows no {action}", do=closest(action, ["status", "stop"]))
    found = commands.ray_stop(*words[1:2]) if action == "stop" else commands.ray_status()
    print(text.clusters(found, stopped=action == "stop"))


VERBS: dict[str, Callable[[Session, Sequence[str]], Any]] = {
    "status": looking.status,
    "logs": looking.logs,
    "explain": looking.explain,
    "image": looking.image,
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "list": looking.list_,
    "queues": looking.queues,
    "attach": _attach,
    "release": _release,
    "result": looking.result,
    "rerun": _rerun,
    "prune": _prune,
    "config": _config,
    "doctor": looking.doctor,
    "ray": _ray,
}


def help_text() -> str:
    """Help of `%jobq` and `%%jobq`."""
    verbs = [_usage(verb) for verb in VERBS]
    heading = "Of runs, in a cell of its own:"
    return "\n".join([options.help_text(), "", heading, *(f"  {verb}" for verb in verbs), *_TOLD])


def help_of(verb: str) -> str:
    """Help of one verb."""
    if verb in looking.PARSERS:
        return looking.PARSERS[verb]().format_help().rstrip()
    if verb in ("config", "doctor", "queues"):
        return options.help_text(f"%jobq {verb} [options]")
    return _usage(verb)


def summary(session: Session) -> str:
    """What there is, shortly, and the runs that have not ended."""
    live = commands.list_runs(session.store, live=True)
    lines = [
        "%%jobq [options] on top of a cell runs it elsewhere; %%jobq --help shows the options.",
        f"%jobq VERB [RUN]: {', '.join(VERBS)}; %jobq VERB --help says more.",
        "",
        text.table(live, now=time.time()) if live else "No run is live; %jobq list shows those that have ended.",
    ]
    return "\n".join(lines)


_TOLD = ("RUN is an id, the beginning of one, a name, or -1 for the last, which is the default; -2 is the one before.",)


def _usage(verb: str) -> str:
    arguments, _, told = str(VERBS[verb].__doc__).partition(": ")
    return f"{f'%jobq {verb} {arguments}'.strip():<42} {told}"


def _one(words: Sequence[str], verb: str) -> str:
    if len(words) > 1:
        raise OptionError("stray-word", f"%jobq {verb} takes one run, and not {' '.join(words)!r}", do=_usage(verb))
    if words and words[0].startswith("--"):
        raise OptionError("unknown-option", f"%jobq {verb} knows no {words[0]}", do=_usage(verb))
    return words[0] if words else _LAST
