"""`python -m tests.cluster up|down|status`: what `make up`, `make down` and `make cluster-status` call."""

from __future__ import annotations

import argparse
import sys

from tests.cluster import machine
from tests.cluster.steps import Failed, Steps


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="bring up what is not up")
    up.add_argument("--nodes", type=int, choices=(1, 2), default=1, help="real nodes")
    up.add_argument(
        "--kwok", type=int, default=0, metavar="N", help="nodes that only claim to run their pods, with GPUs"
    )
    up.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs that the first node claims to have")
    verbs.add_parser("down", help="take everything away")
    status = verbs.add_parser("status", help="what there is, and what it costs")
    status.add_argument(
        "--cost", type=float, default=0, metavar="SECONDS", help="for how long to look at what it costs"
    )
    verbs.add_parser("build", help="build the binaries only")
    asked = parser.parse_args()
    steps = Steps()
    try:
        if asked.verb == "status":
            return _status(asked.cost)
        if refused := machine.refusal():
            print(refused, file=sys.stderr)
            return 1
        from tests.cluster import build, cluster

        if asked.verb == "build":
            build.ensure(cluster.BINARIES, steps.say)
        elif asked.verb == "up":
            cluster.up(cluster.Wanted(asked.nodes == 2, asked.kwok, asked.gpus), steps)
            print(f"The cluster is up: . {cluster.environment.FILE}")
        else:
            cluster.down(steps)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _status(seconds: float) -> int:
    from tests.cluster import status

    print(*status.lines(), sep="\n")
    if seconds:
        spent = status.cost(seconds)
        print(f"costs {spent.cpu:.1%} of one core and {spent.memory / 2**30:.2f} GiB")
    return 0 if status.healthy() else 1


if __name__ == "__main__":
    sys.exit(main())
