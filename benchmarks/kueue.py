"""`make bench-kueue`: a cell in a queue of the cluster of the tests, beside a Job written by hand and `kubectl`.

The cluster must be up (`make up`). Each part has a namespace and a queue of its own there.
"""

from __future__ import annotations

import json
import os
import statistics
import sys

from benchmarks import changes, counted, logs
from benchmarks.bound import Bound
from benchmarks.ground import Ground, ground
from benchmarks.handwritten import Peer
from benchmarks.kernels import Kernel, kernel
from benchmarks.table import Row, alternate, publish

ROUNDS = 7


def first_line() -> list[Row]:
    """From the run of a changed cell to its first line in the notebook."""
    with ground() as here, kernel(here.env) as one:
        one.run("%load_ext jobq_magic")
        first = _first(one, 0)
        peer = Peer(here, _image(here))
        count = iter(range(1, 1000))

        def ours() -> float:
            here.settle()
            return _first(one, next(count))

        def theirs() -> float:
            here.settle()
            return peer.first_line(f"peer {next(count)}")

        mine, others = alternate(ours, theirs, ROUNDS)
        here.settle()
    met = mine <= others + 0.6 and mine <= 1.3 * others
    note = f"skopeo copy, kubectl create, kubectl logs -f; the first cell, whose base travels: {first:.1f} s"
    return [Row("changed cell: run to first line", mine, others, mine / others, "<= +0.6 s, <= 1.3", met, note=note)]


def bound() -> list[Row]:
    """From the last statement of the cell, by the pod's clock, which is this machine's, to its name in the kernel."""
    with ground() as here, kernel(here.env, stdin=True) as one:
        one.run("%load_ext jobq_magic")
        watched = Bound(here, one)

        def once() -> float:
            here.settle()
            return watched.once()

        once()
        times = [once() for _ in range(ROUNDS)]
    median = statistics.median(times)
    note = f"worst {max(times):.2f} s"
    return [Row("pod's end to result bound", median, 0.0, 0.0, "<= 0.3 s", median <= 0.3, note=note)]


def _first(one: Kernel, number: int) -> float:
    found = one.do(f"%%jobq\nprint('line {number}', flush=True)")
    if not found["text"].startswith(f"line {number}\n"):
        raise SystemExit(found["text"])
    return float(found["first"])


def _image(here: Ground) -> str:
    (run,) = (here.folder / "store/runs").glob("[!.]*")
    return str(json.loads((run / "image.json").read_bytes())["reference"])


PARTS = {
    "first_line": first_line,
    "bound": bound,
    "changes": changes.shown,
    "counted": counted.counted,
    "logs": logs.lines,
}


def main() -> None:
    """All parts, or those that are named."""
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"There is no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    rows = [row for name in names for row in PARTS[name]()]
    publish("kueue", rows)
    print(f"load of this machine meanwhile: {os.getloadavg()[1]:.1f}, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
