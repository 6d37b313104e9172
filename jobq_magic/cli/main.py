"""`jobq`: the runs from a terminal. A verb parses, asks `commands`, and shows."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from jobq_magic._version import __version__
from jobq_magic.errors import JobqError, OptionError, closest

__all__ = ["main"]

OK, JOB_FAILED, REFUSED, UNKNOWN, INTERRUPTED = 0, 1, 2, 3, 130

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

EPILOG = """\
RUN is an id, its unique beginning, a name (its newest run), or -1 for the last, -2 for the one before.
--json, after any verb, prints one JSON document.

exit status:
  0    it worked; for doctor, cells will run; for status, logs -f, attach and result: the job ended well, or goes on
  1    the job failed, was stopped, or is lost; for doctor, there is a problem
  2    the command was refused; one or two lines on stderr say why
  3    for doctor, something that cells need could not be looked at, and nothing else is in the way
  130  interrupted; jobs go on
"""


_OF_A_CELL = ("config", "doctor", "list", "queues")


def _summaries() -> Mapping[str, str]:
    return {
        "status": "where a run stands",
        "logs": "what a run printed",
        "stop": "stop runs",
        "pause": "let runs give back what they hold",
        "resume": "let paused runs go on",
        "list": "the runs, newest first; with --namespace, everybody's in the queues of a cluster",
        "queues": "what the queues where cells would go have, and who uses it",
        "attach": "follow a run to its end",
        "explain": "what travelled with a run, why, and how big it was",
        "result": "what a run left",
        "image": "the image of a run, layer by layer; what this machine keeps of images; prune",
        "rerun": "run the same once more",
        "prune": "remove ended runs",
        "config": "every setting, and where it comes from",
        "doctor": "whether cells will run where they would go, and what is missing",
        "ray": "the Ray clusters on this machine",
        "serve": "the runs in a browser, and for other programs, without Jupyter",
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Performs one command.

    Args:
        argv: the words after `jobq`; by default those of the command line.

    Returns:
        The exit status; see `EPILOG`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _perform(words)
        sys.stdout.flush()
        return status
    except JobqError as error:
        print("\n  ".join(error.lines()), file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # the reader has seen enough
        _write_no_more()
        return OK
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        _write_no_more()
        print(f"The output cannot be written: {error.strerror}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt as interrupt:
        for line in interrupt.args:
            print(line, file=sys.stderr)
        return INTERRUPTED


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _perform(words: list[str]) -> int:
    verbs = _summaries()
    if words[:1] == ["--version"]:
        print(f"jobq {__version__}")
        return OK
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(verbs))
        return OK
    verb, *rest = words
    if verb not in verbs:
        kind = "option" if verb.startswith("-") else "command"
        raise OptionError(f"unknown-{kind}", f"jobq has no {kind} {verb}", do=closest(verb, list(verbs)))
    from jobq_magic import commands
    from jobq_magic.cli import verbs as room

    parser = commands.Parser(
        prog=f"jobq {verb}",
        description=verbs[verb].capitalize() + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    run: Callable[[argparse.Namespace], int] = room.VERBS[verb](parser)
    try:
        # Some take the options of a cell, which are not argparse's to judge.
        known, others = parser.parse_known_args(rest) if verb in _OF_A_CELL else (parser.parse_args(rest), [])
    except SystemExit:  # --help, which has been printed
        return OK
    known.others = others
    return run(known)


def _help(verbs: Mapping[str, str]) -> str:
    lines = [f"  {verb:8} {summary}" for verb, summary in verbs.items()]
    return "\n".join(
        ["usage: jobq VERB [RUN] [options]", "", *lines, "", "  --version", "  VERB --help", "", EPILOG.rstrip()]
    )
