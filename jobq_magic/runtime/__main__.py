"""What `launch` starts: `python -P -m _jobq_runtime VERB`, and what the verb is about.

`run|supervise RUN_FOLDER ATTEMPT [BUNDLE]`, `pod|remote|head|worker RUN`, or `awaited`.
"""

from __future__ import annotations

import sys


def main(verb: str, folder: str = "", attempt: str = "1", bundle: str = "") -> None:
    """Does what the verb says, and ends the process. With a bundle of its own, the job is in a container."""
    if verb == "pod":
        from . import pod

        sys.exit(pod.main(folder))
    if verb == "remote":
        from . import remote

        sys.exit(remote.main(folder))
    if verb == "head":
        from . import rayhead

        sys.exit(rayhead.main(folder))
    if verb == "awaited":
        from . import rayawaited

        sys.exit(rayawaited.main())
    if verb == "worker":
        from . import raymember

        sys.exit(raymember.main(folder))
    from .main import Job, leave, run

    job = Job.at(folder, int(attempt), bundle)
    if verb == "run":
        leave(run(job))
    if bundle:
        from . import contained

        sys.exit(contained.main(job))
    from .supervise import supervise

    supervise(job)


if __name__ == "__main__":
    main(*sys.argv[1:])
