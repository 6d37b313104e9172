"""The cluster from the command line: what `make up`, `make down`, `make cluster-status` and `make test` call."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.cluster import machine
from tests.cluster.kubectl import KubectlFailed
from tests.cluster.steps import Failed, Steps


def main() -> int:
    asked = _parser().parse_args()
    try:
        return asked.do(asked)
    except (Failed, KubectlFailed) as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: the same command goes on from here; `make down` takes away what is there.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    up = verbs.add_parser("up", help="bring up what is not up")
    up.add_argument("--nodes", type=int, choices=(1, 2), default=1, help="real nodes; two stay two until `down`")
    up.add_argument(
        "--kwok",
        type=_number,
        metavar="N",
        help="nodes that only seem to run their pods, with GPUs; 0 for none any more",
    )
    up.add_argument("--gpus", type=_number, metavar="N", help="GPUs that the first node claims to have")
    up.add_argument("--all", action="store_true", help="then build also what is asked for only later: kwok, versitygw")
    up.set_defaults(do=_up)

    verbs.add_parser("down", help="take everything away").set_defaults(do=_down)

    status = verbs.add_parser("status", help="what there is, and what it costs")
    status.add_argument("--cost", type=float, default=1, metavar="SECONDS", help="how long to look at what it costs")
    status.set_defaults(do=_status)

    verbs.add_parser("build", help="build the programs only").set_defaults(do=_build)

    record = verbs.add_parser("record", help="play scenarios, and keep what a user sees of them in tests/recorded")
    record.add_argument("names", nargs="*", metavar="NAME", help="of a scenario, or of one kind's: paused, job/paused")
    record.add_argument("--gates", choices=("default", "granular", "all"), default="all", help="Kueue's words")
    record.add_argument("--at-once", type=int, default=1, metavar="N", help="how many are played at a time")
    record.set_defaults(do=_record)

    test = verbs.add_parser("test", help="run a command with a cluster brought up beside it")
    test.add_argument("command", nargs=argparse.REMAINDER)
    test.set_defaults(do=_test)
    return parser


def _number(text: str) -> int | None:
    """A number of things; "" for as many as there are, since `make` hands on what nobody said."""
    if not text:
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of things: 0, 1, 2 and so on are")
    return int(text)


def _up(asked: argparse.Namespace) -> int:
    _possible("up")
    from tests.cluster import build, cluster

    steps = Steps()
    cluster.up(cluster.Wanted(asked.nodes == 2, asked.kwok, asked.gpus), steps)
    steps.say(f"to be ada of team-blue: . {cluster.environment.FILE}")
    if asked.all:
        build.ensure((program.name for program in build.PROGRAMS), steps.say)
    return 0


def _down(_: argparse.Namespace) -> int:
    _possible("down")
    from tests.cluster import cluster

    cluster.down(Steps())
    return 0


def _build(_: argparse.Namespace) -> int:
    _possible("build")
    from tests.cluster import build

    build.ensure(build.NEEDED, Steps().say)
    return 0


def _status(asked: argparse.Namespace) -> int:
    from tests.cluster import status

    _possible("status")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make cluster-status | head`
    for line in status.lines(asked.cost):
        print(line, flush=True)
    return 0 if status.healthy() else 1


def _record(asked: argparse.Namespace) -> int:
    _possible("up")
    from tests.cluster import recorder

    gates = {"default": recorder.GATES[:1], "granular": recorder.GATES[1:], "all": recorder.GATES}[asked.gates]
    recorder.record(asked.names, gates, Steps(), asked.at_once)
    return 0


def _test(asked: argparse.Namespace) -> int:
    from tests.cluster import beside

    ours = (sys.executable, "-m", "tests.cluster")
    return beside.run(asked.command, (*ours, "up", "--all"), (*ours, "down"))


def _possible(verb: str) -> None:
    if refused := machine.refusal(verb):
        raise Failed(refused)


if __name__ == "__main__":
    sys.exit(main())
