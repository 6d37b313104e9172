"""`python -P -m _jobq_runtime run|supervise RUN_FOLDER ATTEMPT`: what `launch` starts."""

from __future__ import annotations

import sys


def main(verb: str, folder: str, attempt: str) -> None:
    """Does what the verb says, and ends the process."""
    from .main import Job, leave, run

    job = Job.at(folder, int(attempt))
    if verb == "run":
        leave(run(job))
    from .supervise import supervise

    supervise(job)


if __name__ == "__main__":
    main(*sys.argv[1:])
