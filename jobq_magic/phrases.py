"""The sentences and the advice for what a cluster tells of a run. `words` has them beside its own.

Each is a sentence without a full stop, and what to do about it. What comes by itself is a clause of its own that begins
with "It"; who waits no more is told the others (`words.to_do`). `{…}` are the facts of the reason, and the clauses that
`clauses.spoken` makes of them, which are empty where their fact is not known.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLUSTER", "HOPELESS", "LOST", "NOTES", "ONCE_MORE", "WITH_STORE", "note"]

_AGAIN = "Run it again with %jobq rerun {run}"
_BY_ITSELF = "It begins anew by itself when it is its turn, unless it has --no-requeue"
_ADMIN = "Ask who runs the cluster"

_QUEUE: Mapping[str, tuple[str, str]] = {
    # What ends by itself.
    "no-quota": (
        "Waiting for quota: others use it{of_flavor}, and {lacking_said} more must become free",
        "It begins when they are done{or_ask_free}",
    ),
    "in-line": ("Waiting behind others in its queue", "It begins when it is its turn; a higher --priority goes before"),
    "waits": ("Waiting for quota: {said}", ""),
    "overtaken": (
        "Waiting for quota: another run of the queue was quicker, and now it does not fit",
        "It is looked at again as soon as something becomes free",
    ),
    "preempting": ("Others of lower priority are making room for it", "It begins when they are gone"),
    "pods-awaited": (
        "Waiting until all pods of the runs before it are up: the cluster starts one run at a time",
        "It begins when those are up, or are given up",
    ),
    "topology": (
        "Waiting for room close together: {fitting}{in_topology}",
        "Ask for fewer workers, or wait until nodes near each other are free",
    ),
    "topology-pending": ("It has its quota; Kueue looks for nodes close together", ""),
    "admitting": ("It has its quota, and is being admitted", ""),
    "gated": ("It is held back until somebody opens its gate: {said}", _ADMIN),
    "on-hold": ("It is on hold, as its job has a fault of form: {said}", _AGAIN),
    "back-off": ("It was sent back to the queue, and is tried again{at_until}", ""),
    "back-off-pods": (
        "Its pods were not up in time, so it gave its quota back; it is tried again{at_until}",
        "Most often an image is slow to fetch, or no node has room; a smaller image or smaller workers help",
    ),
    "back-off-check": (
        "The check {check} says not now{why_not}; it is asked again{at_until}",
        "Ask who runs the check {check} if that goes on",
    ),
    "check-pending": (
        "It has its quota, and waits for the check {check} to agree{retried}{why_not}",
        "Ask who runs the check {check} if that takes long",
    ),
    "check-retry": ("The check {check} says not now{why_not}; it is asked again", "Ask who runs the check {check}"),
    "check-again": ("A check said no, and its quota is given back before it asks again", ""),
    "elsewhere": (
        "It is on the cluster {cluster}, which runs jobs for this one",
        "Nothing of it can be shown, nor its Secret be made there: let the profile name a context for it",
    ),
    "elsewhere-reached": ("It is on the cluster {cluster}, which runs jobs for this one", ""),
    "elsewhere-soon": ("Kueue looks for a cluster that takes it: {clusters_said}", ""),
    # What somebody else has to change.
    "queue-stopped": (
        "The queue {queue} is stopped: it takes no work for now",
        "Ask who runs it, or use another with --queue; it begins when somebody opens the queue",
    ),
    "cluster-queue-stopped": (
        "The queue{in_queue} is stopped: {stopped_said} takes no work for now",
        "Ask an administrator, or use another queue with --queue; it begins when they open it",
    ),
    "kueue-silent": (
        "Kueue has not taken it up: it may be down, or not look after this namespace",
        "Ask who runs the cluster, and see what %jobq doctor says",
    ),
    "not-taken": ("Kueue does not take it up: {why}", "See what %jobq doctor says"),
    # What never begins as it is.
    "too-large": (
        "It can never start: it asks for {asked_said}{over_workers}, and its queue gives a run at most {most_said}",
        "Ask for at most {most_said}{in_all}{or_better}",
    ),
    "resource-unknown": (
        "It can never start: it asks for {asked_said}, and the queue has none at all",
        "Ask for none of them{or_better}{or_other_queue}",
    ),
    "flavor-taint": (
        "It can never start: the nodes of its queue are kept for those that tolerate {taint}",
        "Let the profile tolerate {taint}, or use another queue with --queue",
    ),
    "flavor-selector": (
        "It can never start: it asks for nodes of a kind that its queue does not have",
        "Change the node selector or affinity of the profile, or use another queue with --queue",
    ),
    "flavor-none": (
        "It can never start: no kind of node of its queue suits it: {said}",
        "Use another queue with --queue, or change what the profile asks of nodes",
    ),
    "flavor-missing": (
        "It cannot start: its queue is set up with a kind of node, {flavor}, that does not exist",
        "Tell an administrator, or use another queue with --queue",
    ),
    "misconfigured": ("It cannot start: its queue is not set up as it should be: {said}", _ADMIN),
    "namespace-unwelcome": (
        "It can never start: its queue does not take work from this namespace",
        "Use another queue with --queue, or ask an administrator to let the namespace in",
    ),
    "limits-unmet": (
        "It can never start: what it asks for breaks a rule of the namespace: {said}",
        "Ask for less with --cpus and --memory",
    ),
    "queue-missing": (
        "It cannot start: there is no queue {queue} in this namespace",
        "Use {one_of_queues} with --queue, or ask an administrator to make {queue}",
    ),
    "cluster-queue-missing": (
        "It cannot start: its queue leads to a cluster queue, {cluster_queue}, that does not exist",
        "Tell an administrator, or use another queue with --queue",
    ),
    "priority-missing": (
        "It cannot start: there is no priority class {priority}",
        "Choose another --priority, and run it again",
    ),
    "priority-unheard": (
        "Kueue has not taken it up: most likely there is no priority class {priority}",
        "Choose another --priority, and run it again; %jobq doctor tells which there are",
    ),
    "pod-priority-unheard": (
        "Kueue has not taken it up: most likely its pods name a priority class, {priority}, that does not exist",
        "Correct pod_priority in the profile, and run it again",
    ),
    "no-queue": (
        "It cannot start: it is held back, and names no queue that could let it go",
        "Name a queue with --queue, and run it again",
    ),
    # What it lost again.
    "preempted": (
        "It had to make room{for_whom}, which goes before it, and waits again{lacking_clause}",
        _BY_ITSELF,
    ),
    "preempted-fairly": (
        "It had to make room{for_whom}, as its team had more than its share, and waits again",
        _BY_ITSELF,
    ),
    "reclaimed": (
        "It ran on borrowed quota, and{owner_said} took that back; it waits again{lacking_clause}",
        _BY_ITSELF,
    ),
    "evicted-queue": (
        "Its queue was stopped by an administrator, and sent it away",
        "Ask who runs it, or use another with --queue; it begins anew when the queue is opened",
    ),
    "evicted-pods": (
        "Its pods were not up in time, so it gave its quota back, and waits again",
        "Most often an image is slow to fetch, or no node has room; a smaller image or smaller workers help",
    ),
    "evicted-check": (
        "The check {check} says not now{why_not}, so it gave its quota back; it is asked again",
        "Ask who runs the check {check} if that goes on",
    ),
    "evicted-node": ("A node of it failed, so it gave its quota back, and waits for other nodes", _BY_ITSELF),
    "evicted-flavor": ("It is being moved to better nodes, and waits for them", _BY_ITSELF),
    "evicted-elsewhere": ("Its cluster sent it away, and it waits for another", _BY_ITSELF),
    "evicted": ("It was sent away, and waits again: {said}", _BY_ITSELF),
    # What is out of the queue.
    "paused": (
        "Paused: it holds nothing on the cluster, and begins anew when it is resumed",
        "Resume it with %jobq resume {run}",
    ),
    "resumed": ("It was resumed, and waits for its turn", "It begins anew when there is quota"),
    "pausing": ("Being paused: its processes are being ended", ""),
    "requeued-too-often": (
        "Kueue gave it up: its pods were not up in time, however often it was tried",
        "Make its image or its workers smaller, and run it again with %jobq rerun {run}",
    ),
    "check-rejected": (
        "The check {check} refused it{why_not}",
        "Ask who runs the check {check}; then run it again with %jobq rerun {run}",
    ),
    "deactivated": ("Kueue took it out of the queue: {said}", _AGAIN),
}

_STARTING: Mapping[str, tuple[str, str]] = {
    "not-resumed": (
        "It was admitted, and Kueue does not let its job go on",
        "Tell an administrator: Kueue or its webhooks may be down",
    ),
    "tried-again": ("A process of it failed, and it is tried again", "The log shows what it printed last"),
    # Pods that are refused.
    "pods-over-quota": (
        "It cannot start: the namespace's own quota {quota} does not let its pods be made ({room})",
        "Let other pods of the namespace end, or ask an administrator for more; it starts as soon as there is room",
    ),
    "pods-insecure": (
        "It cannot start: the namespace takes only pods of the security level {level}: {first}",
        "Set what is missing in pod_template of the profile, or use another namespace",
    ),
    "pod-priority-missing": (
        "It cannot start: its pods name a priority class, {priority}, that does not exist",
        "Correct pod_priority in the profile, and run it again",
    ),
    "account-missing": (
        "It cannot start: there is no service account {account} in the namespace",
        "Correct service_account in the profile, or ask for that account; it starts as soon as there is one",
    ),
    "pods-over-limit": (
        "It cannot start: the namespace limits what one process may ask for: {limits}",
        "Ask within the limits with --cpus and --memory",
    ),
    "pods-denied": ("It cannot start: a rule of the cluster ({by}) refuses it: {why}", _ADMIN),
    "pods-refused": ("It cannot start: the cluster refuses to make its pods: {said}", _ADMIN),
    # Pods without a node.
    "nodes-full": (
        "It has its quota, but no node has room for it: none has {room_said} free",
        "It starts when a node has room; {smaller} fits sooner",
    ),
    "nodes-apart": (
        "It has its quota, but on each node with room is something that it must not run beside",
        "It starts when one of those ends; fewer workers, or a profile without that rule, start sooner",
    ),
    "nodes-selector": (
        "It has its quota, but no node is of the kind that it asks for{selector_said}",
        "Change the node selector or affinity of the profile, or ask an administrator where the queue's nodes are",
    ),
    "nodes-taint": (
        "It has its quota, but the nodes that would do are kept for others{taint_said}",
        "Let the profile tolerate that, or ask an administrator which nodes are meant for you",
    ),
    "nodes-unready": (
        "It has its quota, but the nodes that would do are not ready, or being emptied",
        "It starts when one of them is back; ask an administrator if that takes long",
    ),
    "unschedulable": ("It has its quota, but no node takes it: {said}", _ADMIN),
    "node-coming": ("A new node is being started for it", "It starts when the node is there: that takes some minutes"),
    "pod-gated": ("It is held back until somebody opens its gate {gate}", _ADMIN),
    "pod-admitting": ("It waits until Kueue lets it begin", "It begins when the queue has quota for it too"),
    "volume-unbound": (
        "It waits for a volume that is not there yet",
        "Ask who runs the cluster about its claim: the storage class may be missing, or have no room",
    ),
    "volume-elsewhere": (
        "No node that has room can reach its volume: that lies in another zone",
        "Use a volume that all nodes can reach, or wait for room where it lies",
    ),
    # Images.
    "pulling": ("Its image is being fetched{to_node}", "It starts when that is there, and a next run there faster"),
    "image-missing": (
        "It cannot start: its image {image} is not in the registry",
        "Check --image, if you named one; what --push has put must be found where --pull says. Then %jobq rerun {run}",
    ),
    "image-denied": (
        "It cannot start: the registry {registry} wants a login for its image {image}, or does not have it",
        "Name a pull secret of the namespace for {registry} in pull_secrets of the profile",
    ),
    "registry-unreachable": (
        "It cannot start: the cluster does not reach the registry {registry}",
        "Let the profile name an address that the cluster reaches with --pull; %jobq doctor tries it",
    ),
    "registry-untrusted": (
        "It cannot start: the nodes do not trust the certificate of the registry {registry}",
        "Ask an administrator to make the nodes trust it, or use another registry",
    ),
    "registry-plain": (
        "It cannot start: the registry {registry} speaks plain HTTP, and the nodes expect HTTPS",
        "Ask an administrator to let the nodes use it so, or use another registry",
    ),
    "registry-limit": (
        "The registry {registry} gives out no more images to this cluster for now",
        "It is tried again; a pull secret of an account, or a mirror, has a higher limit",
    ),
    "image-platform": (
        "It cannot start: its image {image} is for another kind of processor than its node has",
        "Build it for the nodes with --platform",
    ),
    "image-name": (
        "It cannot start: {image} is not a name that an image can have",
        "Correct --image: such names are in lower case, as in registry.example/team/name:tag",
    ),
    "image-never-pulled": (
        "It cannot start: its node does not have the image {image}, and may not fetch it",
        "Set pull_policy to IfNotPresent in the profile",
    ),
    "image-failed": ("It cannot start: its image {image} cannot be fetched: {said}", "It is tried again by itself"),
    "node-disk-full": ("It cannot start: the disk of its node{on_node} is full", _ADMIN),
    # Containers.
    "secret-missing": (
        "It cannot start: there is no {kind} {object} in the namespace",
        "Have it made, or correct its name; it starts as soon as there is one",
    ),
    "key-missing": (
        "It cannot start: the {kind} {object} has no key {key}",
        "Have the key added, or correct its name; it starts as soon as there is one",
    ),
    "volume-missing": (
        "It cannot start: there is no {kind} {object} in the namespace, which it wants as a volume",
        "Have it made, or correct --volume or the profile; it starts as soon as there is one",
    ),
    "volume-busy": (
        "It waits for its volume: that is in use on another node, and only one node may have it",
        "It starts when the other is done; or use a volume that many nodes may share",
    ),
    "volume-unmounted": (
        "It waits for its volume {volume}: {said}",
        "It is tried again by itself; ask an administrator if that goes on",
    ),
    "sandbox-failed": (
        "Its node{on_node} cannot set it up: {said}",
        "It is tried again by itself; tell an administrator if that goes on",
    ),
    "command-missing": (
        "It could not start: its image does not have the program {command}",
        "Choose a base with Python by --base, or correct --image",
    ),
    "image-root": (
        "It cannot start: its image runs as root, which is not allowed here",
        "Use a base whose user is not root, or set runAsUser in pod_template of the profile",
    ),
    "memory-too-low": ("It cannot start: it has too little memory for any process", "Give it more by --memory"),
    "container-unmade": ("It cannot start: its container cannot be made: {why}", _ADMIN),
    "init-failed": (
        "It cannot start: {container}, which has to run before it, failed with exit status {exit_code}",
        "The log of that container tells why",
    ),
    "restarting": ("It ended, and is started again after a pause{because}", "The log shows what it printed last"),
    "started-again": ("Its container was started again{because}", "{advice}"),
    "ray-left": (
        "Ray on it ended by itself",
        "Ray does its tasks again where they may be; its node may have too much to do, or --memory be too little",
    ),
    "process-ended": ("Exit status {exit_code}", "The log shows what it printed last"),
    "not-answering": (
        "It did not answer for too long, and its node ended it",
        "Give it more by --cpus or --driver-cpus: most often the node has too much to do",
    ),
    "beside-down": ("The container {container} beside it does not run{because}", "{advice}"),
}

_RAY: Mapping[str, tuple[str, str]] = {
    "workers-coming": ("{workers_up}{because}", "{advice}"),
    "worker-lost": (
        "{workers_up}{because}",
        "Another worker takes its place, and Ray does its tasks again where they may be",
    ),
    "head-again": ("The pod of its head was lost, and another one begins anew", "The log has what it printed"),
    "head-awaited": ("It waits until Ray's head answers", ""),
    "head-lost": (
        "The pod of its head was lost, and the driver with it",
        "Run it again with %jobq rerun {run}",
    ),
    "ray-retrying": (
        "It failed, and is tried again with a new Ray cluster: {why}",
        "The log shows what it printed last",
    ),
    "ray-retry-due": (
        "It failed, and is tried again with a new Ray cluster once KubeRay has seen that and all its workers up: {why}",
        "The log shows what it printed last; where that takes longer than 5 minutes, it has failed for good",
    ),
    "ray-deadline": (
        "Its Ray cluster was not up within {seconds}{because}",
        "{advice}",
    ),
    "ray-stopped": ("Its Ray job was stopped by somebody else", _AGAIN),
    "ray-watcher-killed": (
        "A process of Ray in its head was killed, most likely out of memory: the one that KubeRay watches",
        "Give the head more by --driver-memory, or less data at a time",
    ),
    "rayjob-invalid": (
        "KubeRay refuses it: {why}",
        "Correct that in pod_template or the options of the profile, and run its cell again",
    ),
    "rayjob-submission": (
        "KubeRay could not hand it to its Ray cluster: {why}",
        "Run it again with %jobq rerun {run}; see what %jobq doctor says if that goes on",
    ),
    "kuberay-silent": (
        "KubeRay has not taken it up: it may be down, or not look after this namespace",
        "Ask who runs the cluster, and see what %jobq doctor says; it begins when KubeRay is back",
    ),
}
"""What only a Ray cluster of its own has. `because` and `advice` are of the reason's cause, where one is known."""

_ENDS: Mapping[str, tuple[str, str]] = {
    "job-deleted": ("Its job was deleted on the cluster by somebody else", _AGAIN),
    "stop-refused": (
        "It is to end, and goes on: {error}",
        "Ask who runs the cluster for the roles of deploy/rbac, or to delete the Job; it is tried again by itself",
    ),
    "stop-silent": (
        "It is to end, and there is no word from the cluster: {error}",
        "It is stopped when the cluster answers; until then it may go on",
    ),
    "out-of-reach": ("The cluster does not tell of its job any more: {error}", "Ask who runs the cluster for access"),
    "job-failed": ("The cluster gave it up: {why}", "The log shows what it printed last"),
    "pod-failed": ("Its process failed, and the cluster does not say why", "The log shows what it printed last"),
    "evicted-memory": (
        "Its node{on_node} ran out of memory, and ended it",
        "Ask for as much as it needs with {memory}: whoever uses more than that is ended first",
    ),
    "evicted-disk": (
        "It wrote more to disk than it may: {said}",
        "Write large files to a volume or a store instead of the disk of the node",
    ),
    "evicted-node-disk": (
        "The disk of its node{on_node} was full, and the node ended it",
        "Run it again with %jobq rerun {run}, and write large files to a volume or a store",
    ),
    "evicted-by-node": ("Its node{on_node} ended it: {said}", _AGAIN),
    "node-refused": ("Its node{on_node} did not take it: {said}", _AGAIN),
    "node-ended": ("Its node{on_node} was shut down", _AGAIN),
    "node-lost": ("Its node{on_node} was lost", "The job begins anew elsewhere by itself, where it may"),
    "node-silent": (
        "No word from its node{on_node}: it may be lost, or only its network",
        "If it stays silent, the job begins anew elsewhere; its output may be late",
    ),
    "node-drained": (
        "Its node{on_node} is being emptied by an administrator",
        "The job begins anew on another node by itself",
    ),
    "pod-deleted": ("Its pod was deleted on the cluster", _AGAIN),
    "pod-preempted": (
        "It had to leave its node{on_node} to something more important",
        "The job begins anew by itself when there is room",
    ),
    "pod-disrupted": ("It was ended by the cluster: {said}", "The job begins anew by itself"),
}

CLUSTER: Mapping[str, tuple[str, str]] = {**_QUEUE, **_STARTING, **_RAY, **_ENDS}
"""Sentence and advice, by the code of the reason."""

WITH_STORE = (
    "Set `store` in the profile, or give --store s3://BUCKET/FOLDER or --store pvc://CLAIM/FOLDER, "
    "and run its cell again"
)
"""The way out where values were too large for a log, or went with a part of it; a rerun has no store either."""
ONCE_MORE = "Run its cell again"
"""The way out where there is a store, and it did not help this time."""
UNREAD_STORE = "Have this machine read it (a note of the run says what it lacks), and run its cell again"
"""The way out where the store has got all, and did not give it to us."""

LOST = "of what came of it"
"""What stands in the notes that tell of lost values, and in no other."""

NOTES: Mapping[str, str] = {
    # Of a cluster that is not the one that was submitted to.
    "cluster-unreached": "The cluster {cluster} is not reached: {error}",
    "output-elsewhere": (
        "It was on the cluster {cluster}, which no context of the profile reaches: its output is there"
    ),
    "secret-lacking": "Its pods on the cluster {cluster} lack their Secret: {error}",
    # Of one that does not tell.
    "refused": "The cluster does not tell of its Job any more: {error}",
    "may-be-there": "Its Job may still be there, and what it printed last may be missing",
    "place-untold": "Its place is not known: {error}",
    # Of one that does not let go.
    "stop-refused": "It was to end, and the cluster did not let us delete its Job: {error}",
    "job-held": "Its Job {job} was deleted, and stays in the cluster while others keep it, by finalizers: {finalizers}",
    "stop-held": "Its Job is out of the queue and stays in the cluster, which did not let us delete it: {error}",
    "may-stay": "Something of it may still be there: {where}",
    # Of what a browser does not reach.
    "dashboard-unreached": (
        "Ray's dashboard has no link: no browser gets through this JupyterHub to a port of its servers. Install "
        "jupyter-server-proxy into the Python of the notebook's server and of its kernel, or name another way in "
        "JOBQ_PROXY_URL, before the first run"
    ),
    # Of what did not come over.
    "too-large-back": "{name} has {size}, and only {most} can come back: its changes would be lost. {do}",
    "values-lost": f"{{size}} {LOST} are lost: a log carries {{most}} of values. {WITH_STORE}",
    "values-unkept": f"{{size}} {LOST} are lost: a log carries {{most}} of values, and {{store}} has not got them",
    "values-cut": f"Some {LOST} is lost with a part of its log, which was gone before it was read. {WITH_STORE}",
    "values-nowhere": f"Some {LOST} is lost with a part of its log, and did not come from {{store}} either",
    "last-unread": "What {pod} printed last may be missing: it was gone before all of it was read",
    "unread": "What {pod} printed may be missing: it was gone before anything of it was read",
    "unseen": "What it printed, if it was started, may be missing: its Job was gone before anybody looked",
    "workers-unread": (
        "What some of its workers printed is lost: their pods were gone before anybody read it, and no store has it. "
        "Who follows a run while it goes on has that, as %jobq attach does"
    ),
    "failed-again": "The cell failed in attempt {attempt}, and is tried again",
    "attempt-missed": "Attempt {attempt} began and gave way while nobody followed it: what it printed is lost",
    "attempt-kept": (
        "Attempt {attempt} began and gave way while nobody followed it: "
        "of what it printed there is what it kept in {store}"
    ),
    "follow-again": "It could not be followed for a while, which is tried again: {error}",
    "unread-here": "What is kept of it here could not be read at once, and is tried again: {error}",
    "unwritten": "What comes from the cluster cannot be written down: {error}",
    "store-unwritten": "What the store has could not be written here: {error}",
}
"""What is told beside where a run stands, by a code."""

HOPELESS = frozenset(
    {
        *("too-large", "resource-unknown", "flavor-taint", "flavor-selector", "flavor-none", "flavor-missing"),
        *("misconfigured", "namespace-unwelcome", "limits-unmet", "queue-missing", "cluster-queue-missing"),
        *("priority-missing", "priority-unheard", "pod-priority-unheard", "no-queue", "on-hold"),
        *("queue-stopped", "cluster-queue-stopped", "evicted-queue"),
    }
)
"""Reasons for which a run waits until somebody changes something: there is no time to guess."""


def note(code: str, **facts: object) -> str:
    """One of `NOTES`, with its facts."""
    return NOTES[code].format_map(facts)
