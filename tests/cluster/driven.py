"""A RayJob whose driver lives in the container of its head, as that of a run does: KubeRay's own job awaits its end."""

from __future__ import annotations

import copy
import shlex

from tests.cluster.objects import Object

__all__ = ["AWAITS", "driven"]

_ENDED = "/tmp/ended"
_HEAD = f"""
import os, signal, socket, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ray = subprocess.Popen(["/bin/sh", "-c", os.environ["KUBERAY_GEN_RAY_START_CMD"]])
while not os.path.exists({_ENDED!r}):
    try:
        socket.create_connection(("127.0.0.1", 6379), 1).close()
    except OSError:
        time.sleep(0.1)
        continue
    done = subprocess.run([sys.executable, "-c", sys.argv[1]])
    open({_ENDED!r}, "w").write(str(done.returncode & 255))
ray.wait()
"""
_AWAITS = f"until [ -e {_ENDED} ]; do sleep 0.2; done; exit $(cat {_ENDED})"
AWAITS = f"sh -c {shlex.quote(_AWAITS)}"
"""The entrypoint."""
_OURS = {"ray.io/overwrite-container-cmd": "true"}


def driven(cluster: Object, code: str) -> None:
    """Puts the driver into the head, and gives a worker that has ended another try, of a RayCluster's spec.

    Args:
        cluster: the spec; is changed.
        code: the driver's.
    """
    head, *workers = cluster["headGroupSpec"], *cluster["workerGroupSpecs"]
    head["rayStartParams"]["num-cpus"] = "0"
    _command(head, 6379, "python", "-c", _HEAD, code)
    for group in workers:
        group["rayStartParams"]["node-manager-port"] = "6380"
        _command(group, 6380, "/bin/sh", "-c", 'eval "exec $KUBERAY_GEN_RAY_START_CMD"')


def _command(group: Object, port: int, *command: str) -> None:
    template = group["template"]
    template["metadata"] = copy.deepcopy(template["metadata"]) | {"annotations": _OURS}
    template["spec"]["restartPolicy"] = "Always"
    inside = template["spec"]["containers"][0]
    inside["command"] = list(command)
    inside["livenessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 10, "failureThreshold": 12}
