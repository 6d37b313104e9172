"""ROUTES: every address of the server, once. Handlers, the OpenAPI document and the reference are made of it."""

from __future__ import annotations

from typing import Any

from jobq_magic.runs.question import CURSOR, STATES
from jobq_magic.server.asking import flag, integer, number, text
from jobq_magic.server.route import Route

__all__ = ["ROUTES"]

_PHASES = ", ".join(f"`{state}`" for state in STATES)

_ABOUT = (
    Route(
        "GET",
        "about",
        "read",
        "What this server is, and whose runs it shows.\n\n"
        "A front end that knows a run by its kernel may ask whether it is shown here: where kernel and server do not"
        " share a file system, `elsewhere` names both folders.",
        "rows:about",
        query=(
            text("run", "The id of a run that a kernel has opened.", longest=80),
            text("store", "Where that kernel says its runs are. It is only quoted.", longest=4096),
            text("host", "On which host that is. It is only quoted.", longest=255),
        ),
        answer="shapes:About",
    ),
    Route("GET", "openapi.json", "read", "This document.", "openapi:asked", answer="shapes:Document"),
)

_RUNS = (
    Route(
        "GET",
        "runs",
        "read",
        "Runs, newest first, page by page.\n\nPages do not shift while runs begin. The answer has an ETag: asked with"
        " `If-None-Match`, a list that is the same costs next to nothing.",
        "rows:listed",
        query=(
            text("state", f"Only runs in this state: {_PHASES}.", enum=STATES, many=True),
            text("q", "Only runs with each of these words in name, id, labels, sentence, notebook or error."),
            text("mode", "Only runs of this mode.", longest=40, many=True),
            text("label", "Only runs with this label: `name=value`, or `name` alone.", many=True),
            text("notebook", "Only runs of this notebook.", longest=4096),
            number("since", "Only runs that were opened then or later."),
            number("until", "Only runs that were opened before."),
            integer("limit", "How many at most.", default=50, least=1, most=500),
            text("after", "Where the page before has ended: its `next`.", longest=120, pattern=CURSOR),
        ),
        answer="shapes:Runs",
        etag=True,
    ),
    Route("GET", "runs/{id}", "read", "All that is known of one run.", "runs:shown", answer="shapes_runs:Shown"),
)

_ACTED: dict[str, Any] = {"answer": "shapes_changes:Acted", "also": (409,), "slow": True}

_CHANGES = (
    Route(
        "GET",
        "changes",
        "read",
        "A WebSocket on which runs are told as they change.\n\nIt says `hello` with the version of the store, then"
        " `changed` whenever that is another one; `relist` where it cannot tell what has changed. It may be sent"
        ' `{"hidden": true}`, after which it is silent until it is sent `{"hidden": false}`; and `{"watch": [ids]}`,'
        " after which it says `run` for each of these as it changes. A page that is slow is told less often, and misses"
        " nothing.",
        "sockets:ChangesSocket",
        kind="socket",
    ),
    Route(
        "GET",
        "changes/poll",
        "read",
        "What has changed since a version; 304 where nothing has.\n\nFor who cannot open a WebSocket.",
        "changes:poll",
        query=(text("version", "Of the store, as it was told last.", longest=80),),
        answer="shapes_changes:Changed",
        etag=True,
    ),
)

_ACTS = (
    Route("POST", "runs/{id}/stop", "execute", "Asks for a run to be stopped.", "acts:stop", **_ACTED),
    Route("POST", "runs/{id}/pause", "execute", "Asks for a run to be paused.", "acts:pause", **_ACTED),
    Route("POST", "runs/{id}/resume", "execute", "Asks for a paused run to go on.", "acts:resume", **_ACTED),
    Route(
        "POST",
        "runs/{id}/rerun",
        "execute",
        "The same once more, as a new run.\n\nIt takes along what the first one took, and runs with its interpreter.",
        "acts:rerun",
        status=201,
        **_ACTED,
    ),
    Route(
        "DELETE",
        "runs/{id}",
        "write",
        "Removes a run that has ended, with all that is kept of it.",
        "acts:delete",
        query=(flag("stop", "Whether one that is live is stopped first."),),
        answer="shapes_changes:Deleted",
        also=(409,),
        slow=True,
    ),
)

_CAME = (
    Route(
        "GET",
        "runs/{id}/result",
        "read",
        "What a run left, as the runner rendered it.\n\nIts signature is checked, and nothing is unpickled.",
        "came:result",
        answer="shapes_came:Result",
        also=(409,),
        slow=True,
    ),
    Route(
        "GET",
        "runs/{id}/displays",
        "read",
        "The pictures of a run that changed since a version.\n\nUpdates and `clear_output` have been done: hold a list,"
        " put each picture at its place, and cut the list to `total`.",
        "came:displays",
        query=(text("after", "The `version` of the answer before.", default="", longest=40),),
        answer="shapes_came:Displays",
        slow=True,
    ),
    Route(
        "GET",
        "runs/{id}/travelled",
        "read",
        "What travelled with a run, why, and how big it was; and what did not.",
        "came:travelled",
        answer="shapes_came:Travelled",
    ),
    Route(
        "GET",
        "runs/{id}/image",
        "read",
        "The image of a run, layer by layer.",
        "came:image",
        answer="shapes_came:Image",
    ),
    Route(
        "GET",
        "runs/{id}/manifest",
        "read",
        "What a cluster was sent of a run, without secrets.",
        "came:manifests",
        answer="shapes_came:Manifests",
    ),
    Route(
        "GET",
        "runs/{id}/source",
        "read",
        "The cell of a run, and where it stood.",
        "came:source",
        answer="shapes_came:Source",
    ),
)

_DASHBOARD = (
    Route(
        "ANY",
        "runs/{id}/dashboard/{path}",
        "read",
        "The Ray dashboard of a run, for looking.\n\nA browser that is logged in is led to a page in a sandbox, by a"
        " key in its path; a program that sends the token of this server is answered as by the dashboard itself. So it"
        " is by WebSockets. Only GET and HEAD are handed on. Until the dashboard is there 503 is answered, after its"
        " end 410, and 409 where it is not opened here; to a browser, a page that says so.",
        "dashboard:Dashboard",
        also=(405, 409, 410, 502, 503),
        media="*/*",
        kind="own",
    ),
)

_PLACES = (
    Route(
        "GET",
        "queues",
        "read",
        "What the queues of all profiles have, and who uses it.\n\nPlaces are asked aside, and not more often than"
        " every 15 seconds: what is `pending` comes with a later answer.",
        "survey:queues",
        answer="shapes_survey:Queues",
        slow=True,
    ),
    Route(
        "GET",
        "doctor",
        "read",
        "Whether cells will run where a profile sends them, and what is missing.\n\nFindings come as they are made: ask"
        " again until it is `done`.",
        "survey:doctor",
        query=(text("profile", "Which profile; without one, what holds here.", default="", longest=200),),
        answer="shapes_survey:Diagnosis",
        slow=True,
    ),
)

_SELECTED = (
    text("source", "Only lines of this worker: its rank, or `driver`.", longest=20),
    flag("errors", "Only stderr, and tracebacks wherever they were printed."),
)

_LOGS = (
    Route(
        "GET",
        "runs/{id}/log",
        "read",
        "Lines of a log by their places.\n\nThe lines are those that `jobq logs` shows, in the same order. With"
        " `source` or `errors`, places count among those lines; `n` is the number in the whole log.",
        "logs:lines",
        query=(
            integer("from", "The place of the first line; less than nothing counts from the end.", default=1),
            integer("count", "How many at most.", default=500, least=0, most=2000),
            *_SELECTED,
        ),
        answer="shapes_logs:Lines",
        also=(409,),
    ),
    Route(
        "GET",
        "runs/{id}/log/find",
        "read",
        "Lines of a log in which something is found.\n\nIt looks for a fifth of a second: `next` says where to go on,"
        " and `total` is null until all were counted, which asking again goes on with. A regular expression that takes"
        " longer than two seconds for a few thousand lines is refused.",
        "logs:find",
        query=(
            text("text", "What to find.", required=True),
            flag("regex", "Whether that is a regular expression, as Python has them."),
            flag("case", "Whether capitals count."),
            integer("from", "The place to begin at; by default the first, or, backwards, the last.", default=0),
            flag("backwards", "Whether to look towards the beginning."),
            integer("limit", "How many lines at most.", default=200, least=1, most=1000),
            *_SELECTED,
        ),
        answer="shapes_logs:Found",
        also=(409,),
        slow=True,
    ),
    Route(
        "GET",
        "runs/{id}/log/follow",
        "read",
        "A WebSocket on which the lines of a log are told as they are written, ten times a second at most.\n\nEach"
        " message is as the answer for lines by their places; its lines replace all that are known from `first` on."
        " Where `first` is null it has no lines: there are more of them than are sent, and they are asked for by place."
        " It is closed when the log has ended.",
        "logstream:Follow",
        query=(
            integer("from", "The place of the first line that is wanted; by default, those that come from now on."),
            *_SELECTED,
        ),
        kind="socket",
    ),
    Route(
        "GET",
        "runs/{id}/log/download",
        "read",
        "A log as a whole, as `jobq logs` prints it.",
        "logstream:Download",
        query=_SELECTED[:1],
        kind="own",
        media="text/plain",
    ),
)

_SUBMITTING = (
    Route(
        "POST",
        "runs",
        "execute",
        "Has a cell run that another program sends.\n\nAs JSON, its text, of which only the source is captured; or as"
        " the parts of a form, a bundle that was made elsewhere, which travels as it is. It goes where the settings of"
        " this server's user send it, as any cell does. Of several mistakes, `why` has one sentence for each.",
        "submitting:Submission",
        body="shapes_submitting:Submission",
        parts="shapes_submitting:Parts",
        headers=(text("Idempotency-Key", "Sent again with the same key, it is the same.", pattern=r"^[!-~]{1,200}$"),),
        answer="shapes_submitting:Submitted",
        status=201,
        goods=(200,),
        also=(409, 422),
        kind="own",
        slow=True,
    ),
)

_CARDS = (
    Route(
        "GET",
        "runs/{id}/card",
        "read",
        "A run as its panel draws it, as a MIME bundle.\n\nFor front ends that go on where a kernel with its panel is"
        " gone. All of it that comes from the run is escaped.",
        "cards:told",
        answer="shapes_cards:CardTold",
    ),
)

ROUTES: tuple[Route, ...] = (
    *_ABOUT,
    *_RUNS,
    *_CARDS,
    *_CHANGES,
    *_ACTS,
    *_LOGS,
    *_CAME,
    *_DASHBOARD,
    *_PLACES,
    *_SUBMITTING,
)
"""In the order of the reference."""
