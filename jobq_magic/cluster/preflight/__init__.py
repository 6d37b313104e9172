"""What is looked at before anything is built, and alone as `doctor`.

All is asked at once (`asking`), and each look is a pure function from the answers to findings:

    reaching    the cluster itself, who we are, the namespace, Kueue
    rayjob      KubeRay, and what a RayJob needs beside
    rights      each verb that we use
    queues      the queue, what it leads to, the priority within it
    quota       what it has at most, and free; `several` for pods of several kinds
    security    the level of Pod Security
    limits      what the namespace lets a container ask for, and grants to all
    references  what the pods name: claims, service account, Secrets, classes
    machines    processors, and how large they are

`examining` puts them in order.
"""

from __future__ import annotations

from jobq_magic.cluster.preflight.examining import CODES, check, examine
from jobq_magic.cluster.preflight.making import pods_of_ray

__all__ = ["CODES", "check", "examine", "pods_of_ray"]
