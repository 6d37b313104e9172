"""The dashboard of a run through the user's own server: what goes there, what comes back, and what a page may do.

What stands for Ray is a server by hand, as a real one cannot be made to misbehave at a given moment; the real one is
asked by the same route in tests/ray/test_through_the_server.py.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from jobq_magic.cluster import looking
from jobq_magic.cluster.names import name_of
from jobq_magic.runs.store import Store
from jobq_magic.runtime import raypod
from jobq_magic.server import way
from tests.server.served import served
from tests.server.shown import TOKEN, Browser, embedded
from tests.support import eventually
from tests.unit.cluster.apiserver import ApiServer, config, status

NASTY = '<img src=x onerror="alert(1)"></script>\u202e'
FRAME = b"\x81\x85\x01\x02\x03\x04iGoh5"  # "hEllo", masked
PAGE = b"<!doctype html><html><head><title>Ray</title><script src='./main.js'></script></head><body></body></html>"
KUBE = "/api/v1/namespaces/team/services/pi-head-svc:dashboard/proxy"


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Folders of a server that all tests here share."""
    base = tmp_path_factory.mktemp("through ü")
    (base / "clusters").mkdir()
    return base


@pytest.fixture(scope="module")
def jupyter(ground):
    """A Jupyter server with the extension, below a prefix as behind a JupyterHub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBQ_HOME", str(ground / "store"))
        patch.setenv("JOBQ_RUNTIME_DIR", str(ground / "rt"))
        patch.setenv("HOME", str(ground))
        (ground / "rt").mkdir(mode=0o700)
        with served(ground / "jupyter", "/user/ada/", "--log-level=DEBUG") as running:
            yield running


@pytest.fixture
def store(jupyter, ground):
    return Store(ground / "store")


@pytest.fixture
def ray():
    """What stands for the dashboard of Ray."""
    found = ApiServer()
    found.always = (200, b"{}")
    yield found
    found.close()


@pytest.fixture
def run(store, ground, ray):
    return embedded(store, ground / "clusters", ray.address)[0]


@pytest.fixture
def browser(jupyter, run):
    return Browser(jupyter, run.id)


def low(headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def sleeps_on(pid: int, ray: ApiServer) -> bool:
    """Whether all threads of a process sleep, while what `ray` has sent lies there to be read."""
    states = [one.read_text().rpartition(")")[2].split()[0] for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    port = f":{ray.http.server_port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    unread = sum(int(row[4].partition(":")[2], 16) for row in rows if row[2].endswith(port))
    return unread > 0 and "R" not in states


# Who may come in


def test_a_program_with_the_token_of_jupyter_is_answered_as_by_the_dashboard_with_the_token_of_ray(browser, ray):
    ray.always = (200, {"ray_version": "2.60"})
    answer = browser.ask("api/v0/logs/file?node_id=a%2Fb&lines=-1")
    assert (answer.status, json.loads(answer.body)) == (200, {"ray_version": "2.60"})
    method, path, query, headers, _ = ray.asked[-1]
    assert (method, path, query) == ("GET", "/api/v0/logs/file", {"node_id": "a/b", "lines": "-1"})
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_person_is_led_by_a_key_to_the_page_of_the_runs_job(browser, run, ray):
    page = browser.enter()
    answer = browser.ask(f"{page}job?theme=dark", login=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"./?theme=dark#/jobs/jobq-{run.id}-1")
    ray.always = (200, PAGE)
    assert browser.ask(page, login=False).status == 200
    assert browser.ask(f"{page}api/version", login=False).status == 200


def test_a_link_to_a_page_within_leads_there(browser):
    answer = browser.ask("speedscope/index.html?a=b", Sec_Fetch_Dest="document")
    assert answer.status == 303
    assert answer.headers["Location"].startswith("../~")
    assert answer.headers["Location"].endswith("/speedscope/index.html?a=b")


def test_a_key_of_a_server_that_was_started_again_leads_who_is_logged_in_to_the_same_by_another_one(browser):
    old = f"~{'x' * 43}/"
    answer = browser.ask(f"{old}a/b.html", Accept="text/html")
    assert (answer.status, answer.headers["Location"][:7]) == (303, "../../~")
    assert answer.headers["Location"].endswith("/a/b.html")
    assert browser.told(f"{old}api/version", login=False)[0] == 403


def test_without_login_and_key_there_is_nothing_and_a_person_is_asked_to_log_in(browser, ray, store, ground):
    assert browser.told("api/version", login=False)[1]["code"] == "not-logged-in"
    assert browser.told("api/version", login=False, Authorization="token wrong")[0] == 403
    other = embedded(store, ground / "clusters", ray.address)[0]
    key = browser.enter().rpartition("~")[2]
    assert Browser(browser.jupyter, other.id).told(f"~{key}api/version", login=False)[0] == 403
    answer = browser.ask(login=False, Sec_Fetch_Dest="document")
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/user/ada/login?next=/user/ada/jobq-magic/runs/")
    assert ray.asked == []


def test_who_is_refused_before_the_request_is_read_is_told_that_the_connection_ends(browser):
    """A proxy that keeps connections would send its next request into one that is closed."""
    for headers in ({}, {"Accept": "text/html"}, {"Authorization": "token wrong"}):
        assert browser.ask(login=False, **headers).headers["Connection"] == "close"
    assert browser.ask("api/version").headers["Connection"] != "close"


def test_a_page_of_another_origin_gets_nothing(browser, ray):
    assert browser.ask("api/version", login=False, Cookie=browser.cookie).status == 200
    asked = len(ray.asked)
    for origin in ("https://evil.example", "null"):
        assert browser.ask("api/version", login=False, Cookie=browser.cookie, Origin=origin).status == 404
    assert len(ray.asked) == asked


# What a page may do


def test_whatever_comes_is_in_a_sandbox_and_of_no_origin(browser, ray):
    page = browser.enter()
    for told in ((200, PAGE), (404, b"<html>"), (500, b"<svg>")):
        ray.always = told
        for path, login in ((page, False), (f"{page}logs/evil.svg", False), ("api/version", True)):
            policy = browser.ask(path, login=login).headers["Content-Security-Policy"]
            first, *rest = policy.split("; ")
            assert first.split()[0] == "sandbox"
            assert "allow-scripts" in first
            assert "allow-same-origin" not in first
            assert "allow-top-navigation" not in first
            assert "default-src 'self' 'unsafe-inline' data: blob:" in rest
            assert "frame-ancestors 'self'" in rest


def test_only_the_page_in_its_sandbox_may_read_what_it_asks_for(browser):
    page = browser.enter()
    answer = browser.ask(f"{page}api/version", login=False, Origin="null")
    assert answer.headers["Access-Control-Allow-Origin"] == "null"
    answer = browser.ask(f"{page}api/version", login=False, Origin="https://evil.example")
    assert not answer.headers["Access-Control-Allow-Origin"]


def test_a_page_finds_what_stands_in_for_its_storage_before_its_first_script(browser, ray):
    page = browser.enter()
    ray.always = lambda one: one.whole(200, PAGE, Content_Type="text/html; charset=utf-8", ETag='"1"')
    answer = browser.ask(page, login=False, Sec_Fetch_Dest="iframe", Accept_Encoding="gzip")
    shelf, own = answer.body.index(b"localStorage"), answer.body.index(b"main.js")
    assert PAGE.index(b"<head>") < shelf < own
    assert answer.headers["ETag"] != '"1"'
    assert "gzip" not in low(ray.asked[-1][3]).get("accept-encoding", "")
    assert browser.ask(page, login=False, Sec_Fetch_Dest="empty").body == PAGE


@pytest.mark.parametrize(
    ("own", "framed"),
    [
        ("frame-ancestors 'self'; report-uri /x", "frame-ancestors 'self'"),
        ("default-src *; frame-ancestors https://gate.example 'self'", "frame-ancestors https://gate.example 'self'"),
        ("frame-ancestors 'none'", "frame-ancestors 'self'"),  # of a JupyterHub
        ("", "frame-ancestors 'self'"),
    ],
)
def test_who_may_frame_the_pages_of_the_server_may_frame_this(own, framed):
    assert way.policy(own).endswith(framed)
    assert way.policy(own, page=True).endswith(framed)


# What goes there, and what comes back


def test_what_the_browser_knows_of_others_goes_no_further(browser, ray):
    token = browser.jupyter.token
    browser.ask(
        f"api/version?token={token}&theme=dark",
        login=False,
        Cookie=f"_xsrf=1; token={token}",
        Referer="http://x/lab",
        Proxy_Authorization="Basic x",
        X_Ray_Authorization="Bearer mine",
        Connection="keep-alive, X-Hop",
        X_Hop="1",
        TE="trailers",
        Range="bytes=0-1",
    )
    _, _, query, headers, _ = ray.asked[-1]
    assert query == {"theme": "dark"}
    assert token not in str(headers)
    assert set(low(headers)) <= {"host", "accept-encoding", "accept", "authorization", "connection", "range"}
    assert low(headers)["range"] == "bytes=0-1"


def test_what_the_dashboard_sets_in_a_browser_does_not_come_back(browser, ray):
    ray.always = lambda one: one.whole(
        200,
        b"{}",
        Set_Cookie="ray-authentication-token=stolen",
        Clear_Site_Data='"*"',
        Strict_Transport_Security="max-age=1",
        Refresh="0; url=https://evil.example/",
        Service_Worker_Allowed="/",
        Link="<https://evil.example/>; rel=preload",
        Access_Control_Allow_Origin="*",
        Content_Security_Policy="default-src *",
        X_Hop="1",
        ETag='"7"',
    )
    headers = low(browser.ask("api/version").headers)
    assert headers["etag"] == '"7"'
    assert "stolen" not in str(headers)
    assert "evil" not in str(headers)
    assert not {"clear-site-data", "strict-transport-security", "refresh", "service-worker-allowed", "x-hop"} & set(
        headers
    )
    assert headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("method", "page"),
    [
        ("POST", "api/jobs/"),
        ("POST", "api/jobs/pi-1/stop"),
        ("DELETE", "api/jobs/pi-1"),
        ("PUT", "api/packages/gcs/pkg.zip"),
        ("PUT", "api/serve/applications/"),
        ("POST", "api/authenticate"),
        ("PATCH", "api/version"),
    ],
)
def test_a_dashboard_is_for_looking_and_it_is_said_what_is_instead(browser, ray, method, page):
    status, told = browser.told(page, method=method, body=b"{}")
    assert (status, told["code"]) == (405, "dashboard-refused")
    assert f"{method} is not handed on, as it would start, change or end something" in told["what"]
    assert "jobq stop" in told["do"]
    assert ray.asked == []


def test_what_is_sent_along_is_not_waited_for(browser, ray):
    with socket.create_connection(browser.netloc.split(":"), timeout=30) as sock:
        login = f"Authorization: token {browser.jupyter.token}"
        sock.sendall(
            f"POST {browser.root}api/jobs/ HTTP/1.1\r\nHost: {browser.netloc}\r\n{login}\r\n"
            f"Content-Length: {10**12}\r\n\r\n".encode()
        )
        assert b"40" in sock.recv(100).split(b"\r\n")[0]
    assert ray.asked == []


@pytest.mark.parametrize("page", ["api/actors/kill?actor_id=1", "api/actors/%6bill", "api//actors/kill/?x"])
def test_what_an_older_ray_ends_for_who_only_looks_is_refused(browser, ray, page):
    status, told = browser.told(page)
    assert (status, told["what"]) == (403, "The dashboard is for looking: nothing is ended by it.")
    assert ray.asked == []


@pytest.mark.parametrize("page", ["a/../../../x", "%2e%2e/%2e%2e/x", "..%5c..", "%252e%252e/x", "..%2f..%2fx"])
def test_no_path_leads_out_of_the_dashboard(browser, ray, page):
    assert browser.told(page)[0] in (400, 404)
    assert ray.asked == []


@pytest.mark.parametrize(
    ("location", "led"),
    [
        ("other/page?a=b#c", "../api/other/page?a=b#c"),
        ("/static/x.js", "../static/x.js"),
        ("{address}/static/x.js", "../static/x.js"),
    ],
)
def test_a_redirection_within_the_dashboard_stays_within_the_route(browser, ray, location, led):
    ray.always = lambda one: one.whole(302, b"", Location=location.format(address=ray.address))
    answer = browser.ask("api/old")
    assert (answer.status, answer.headers["Location"]) == (302, led)


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/", "//evil.example/x", "http://169.254.169.254/", "/\\evil.example", "file:///etc/passwd"],
)
def test_a_redirection_elsewhere_is_neither_followed_nor_handed_on(browser, ray, location):
    ray.always = lambda one: one.whole(302, b"", Location=location)
    status, told = browser.told("api/old")
    assert (status, told["code"]) == (502, "dashboard-leads-away")
    assert len(ray.asked) == 1


def test_a_redirection_of_an_api_server_is_known_by_its_own_path():
    roots = {"https://kube:6443": KUBE}
    assert looking.led(f"{KUBE}/a", "x/y", roots) == "a"
    assert looking.led("https://kube:6443/a", "x/y", roots) == "a"
    assert looking.led("/a/%2e%2e/x", "x", roots) is None


# However much, and however long


def test_a_browser_that_reads_slowly_is_waited_for_and_gets_all(browser, ray):
    block, many, sent = os.urandom(1 << 20), 96, []

    def pour(one):
        one.send_response(200)
        one.send_header("Content-Length", str(many << 20))
        one.end_headers()
        for _ in range(many):
            one.wfile.write(block)
            sent.append(1)

    ray.always = pour
    connection = http.client.HTTPConnection(browser.netloc, timeout=30)
    connection.request("GET", f"{browser.root}big", headers=browser.jupyter.headers)
    answer = connection.getresponse()
    # What is on its way has an end: the server sleeps, though there is more to be read.
    seen = [False] * 10

    def held_up() -> bool:
        seen.pop(0)
        seen.append(sleeps_on(browser.jupyter.pid, ray))
        return all(seen) or len(sent) == many

    eventually(held_up, 60)
    assert len(sent) < many / 2
    digest = hashlib.sha256()
    while data := answer.read(1 << 20):
        digest.update(data)
    connection.close()
    assert digest.digest() == hashlib.sha256(block * many).digest()


@pytest.mark.parametrize("packed", ["counted", "chunked"])
def test_a_dashboard_that_leaves_in_the_middle_is_not_taken_for_one_that_has_said_all(browser, ray, packed):
    def leave(one):
        one.send_response(200)
        one.send_header(*{"counted": ("Content-Length", "100"), "chunked": ("Transfer-Encoding", "chunked")}[packed])
        one.end_headers()
        one.chunk(b"half") if packed == "chunked" else one.wfile.write(b"half")
        one.close_connection = True

    ray.always = leave
    with pytest.raises((http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError)):
        browser.ask("api/version")
    ray.always = (200, b"{}")
    assert browser.ask("api/version").status == 200


def test_a_browser_that_leaves_is_not_read_for_any_more(browser, ray):
    left = threading.Event()

    def pour(one):
        one.begin()
        try:
            while True:
                one.chunk(b"x" * 65536)
        except OSError:
            left.set()

    ray.always = pour
    connection = http.client.HTTPConnection(browser.netloc, timeout=30)
    connection.request("GET", f"{browser.root}api/v0/logs/stream", headers=browser.jupyter.headers)
    connection.getresponse().read(10)
    connection.close()
    assert left.wait(30)


def test_what_grows_comes_while_it_grows(browser, ray):
    more = threading.Event()

    def grow(one):
        one.begin()
        one.chunk(b"first")
        assert more.wait(30)
        one.chunk(b"last")
        one.end()

    ray.always = grow
    connection = http.client.HTTPConnection(browser.netloc, timeout=30)
    connection.request("GET", f"{browser.root}api/v0/logs/stream", headers=browser.jupyter.headers)
    answer = connection.getresponse()
    assert answer.read1() == b"first"
    more.set()
    assert answer.read() == b"last"
    connection.close()


def test_a_dashboard_that_does_not_answer_is_said_so_and_looked_for_anew(browser, ray):
    assert browser.ask("api/version").status == 200
    ray.close()
    status, told = browser.told("api/version")
    assert (status, told["code"]) == (502, "dashboard-silent")
    assert f"Ray at {ray.address} does not answer" in told["what"]


def test_what_is_no_http_is_said_so(browser, ray):
    ray.always = lambda one: one.wfile.write(b"SSH-2.0-no\r\n\r\n")
    assert browser.told("api/version")[0] == 502


def test_there_is_an_end_to_how_many_wait_at_a_time(browser, ray):
    ray.always = lambda one: one.hang()
    waiting = []
    try:
        for _ in range(48):
            connection = http.client.HTTPConnection(browser.netloc, timeout=30)
            connection.request("GET", f"{browser.root}api/slow", headers=browser.jupyter.headers)
            waiting.append(connection)
        eventually(lambda: len(ray.asked) == 48, 30)
        status, told = browser.told("api/slow")
        assert (status, told["code"]) == (503, "busy")
    finally:
        for connection in waiting:
            connection.close()
    ray.cut()
    ray.always = (200, b"{}")
    eventually(lambda: browser.ask("api/version").status == 200, 30)


# WebSockets


def accepting(then, accept=None):
    """A server of WebSockets: after the handshake it is `then` that speaks, by the bare connection."""

    def answer(one):
        key = one.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        one.send_response(101)
        one.send_header("Upgrade", "websocket")
        one.send_header("Connection", "Upgrade")
        one.send_header("Set-Cookie", "a=stolen")
        one.send_header(
            "Sec-WebSocket-Accept", accept or base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        )
        one.end_headers()
        then(one)
        one.close_connection = True

    return answer


def test_a_websocket_speaks_both_ways_with_the_token_of_ray(browser, ray):
    ray.always = accepting(lambda one: one.wfile.write(b"hi" + one.rfile.read(len(FRAME))))
    sock, told = browser.upgrade("api/jobs/pi-1/logs/tail", **browser.jupyter.headers, Cookie="a=b")
    with sock:
        assert told.startswith(b"HTTP/1.1 101 ")
        assert b"stolen" not in told
        sock.sendall(FRAME)
        read = b""
        while data := sock.recv(100):
            read += data
    assert read == b"hi" + FRAME, "and it ends where the dashboard ends it"
    _, path, _, headers, _ = ray.asked[-1]
    assert path == "/api/jobs/pi-1/logs/tail"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in low(headers)


def test_a_websocket_that_the_browser_leaves_is_left(browser, ray):
    left = threading.Event()
    ray.always = accepting(lambda one: (one.rfile.read(), left.set()))
    sock, told = browser.upgrade("tail", **browser.jupyter.headers)
    assert told.startswith(b"HTTP/1.1 101 ")
    sock.close()
    assert left.wait(30)


def test_a_websocket_opens_for_who_may_come_in_and_nobody_else(browser, ray):
    ray.always = accepting(lambda one: None)
    page = browser.enter()
    for headers, path, well in (
        ({}, "tail", False),
        ({"Cookie": browser.cookie, "Origin": "https://evil.example"}, "tail", False),
        ({"Cookie": browser.cookie, "Origin": "null"}, "tail", False),
        ({"Origin": "null"}, f"{page}tail", True),
    ):
        sock, told = browser.upgrade(path, **headers)
        sock.close()
        assert told.startswith(b"HTTP/1.1 101 ") is well, told
    assert len(ray.asked) == 1


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((404, b"no job"), b"it answered 404"),
        (accepting(lambda one: None, accept="bogus"), b"does not speak WebSocket"),
        (lambda one: one.wfile.write(b"nonsense\r\n\r\n"), b"it does not speak HTTP"),
    ],
)
def test_a_websocket_that_is_refused_there_is_refused_here(browser, ray, told, words):
    ray.always = told
    sock, _ = browser.upgrade("tail", **browser.jupyter.headers)
    with sock, sock.makefile("rb") as answer:
        sock.settimeout(5)
        read = answer.read1(4096)
    assert words in read


# Before it is there, after its end, and where it is not opened


def test_before_it_is_there_a_page_says_what_is_waited_for_and_opens_by_itself(jupyter, store, ground, ray):
    run, cluster = embedded(store, ground / "clusters", "")
    browser = Browser(jupyter, run.id)
    answer = browser.ask("api/version")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    page = browser.enter()
    answer = browser.ask(f"{page}job", login=False, Sec_Fetch_Dest="iframe")
    text = answer.body.decode()
    assert answer.status == 200
    assert "The Ray dashboard is not there yet" in text
    assert '<meta http-equiv="refresh" content="2">' in text
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy, "without, no page is loaded again by itself"
    assert "default-src 'none'" in policy
    cluster.write("ready.json", {"dashboard": ray.address, "processes": [], "at": 1.0})
    opened = lambda: browser.ask(f"{page}job", login=False, Sec_Fetch_Dest="iframe")  # noqa: E731
    assert eventually(lambda: (one := opened()).status == 303 and one).headers["Location"].startswith("./#/jobs/")


def test_after_its_end_a_page_says_since_when_and_what_was_kept(jupyter, store, ground, ray):
    run, cluster = embedded(store, ground / "clusters", ray.address)
    browser = Browser(jupyter, run.id)
    page = browser.enter()
    ended = time.time() - 300
    cluster.write("ended.json", {"why": "idle", "error": "", "at": ended})
    tasks = [{"name": NASTY, "names": 1, "running": 0, "pending": 0, "finished": 203, "failed": 3}]
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).ray.write_text(json.dumps({"at": ended, "nodes": [], "tasks": tasks, "actors": {}}))
    store.append(run, phase="succeeded", reason="")
    status, refused = browser.told("api/version")
    assert (status, refused["code"]) == (410, "dashboard-over")
    text = browser.ask(page, login=False, Sec_Fetch_Dest="document").body.decode()
    assert f"The Ray dashboard is gone since {time.strftime('%H:%M', time.localtime(ended))}" in text
    assert "What Ray knew of its workers and tasks was kept" in text
    assert ">203<" in text
    assert "<img" not in text
    assert "&lt;img" in text
    assert "http-equiv" not in text


def test_the_pages_of_a_ray_that_is_others_are_not_shown_below_the_address_of_the_server(jupyter, store, ray):
    target = {"backend": "ray", "where": "Ray", "address": ray.address}
    run = store.open(spec={"mode": "ray", "workers": 2}, target=target, name="pi")
    store.set_handle(run, {"submission": "pi-1", "api": ray.address, "session": "s"})
    browser = Browser(jupyter, run.id)
    status, told = browser.told("api/version")
    assert (status, told["code"]) == (409, "dashboard-elsewhere")
    page = browser.enter()
    text = browser.ask(page, login=False, Sec_Fetch_Dest="iframe").body.decode()
    assert "This Ray is not the run&#x27;s own" in text
    link = "http://127.0.0.1:4711/key/#/jobs/pi-1"
    store.append(run, link={"rel": "ray-dashboard", "title": "Ray dashboard", "href": link})
    answer = browser.ask(page, login=False, Sec_Fetch_Dest="iframe")
    assert (answer.status, answer.headers["Location"]) == (303, link)
    store.append(run, link={"rel": "ray-dashboard", "title": "Ray dashboard", "href": "https://evil.example/"})
    assert browser.ask(page, login=False, Sec_Fetch_Dest="iframe").status == 200
    assert ray.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "http://169.254.169.254:80",
        "http://127.0.0.1:80@evil.example:80",
        "https://127.0.0.1:8265",
        "http://localhost:8265",
        "http://127.0.0.1:8265/x",
        "http://127.0.0.1",
        "http://[::ffff:169.254.169.254]:80",
        "gopher://127.0.0.1:70",
        "http://127.0.0.1:99999",
        "nonsense",
    ],
)
def test_nobody_goes_where_a_record_leads_that_others_may_have_written(jupyter, store, ground, address):
    run, _ = embedded(store, ground / "clusters", address)
    status, told = Browser(jupyter, run.id).told("api/version")
    assert (status, told["what"]) == (409, "What is on record of this run's dashboard is no address of one")


def test_a_run_of_another_machine_is_said_so(jupyter, store, ground, ray):
    run, _ = embedded(store, ground / "clusters", ray.address)
    known = json.loads(run.paths.identity.read_text())
    run.paths.identity.write_text(json.dumps({**known, "host": {"host": "far-away"}}))
    status, told = Browser(jupyter, run.id).told("api/version")
    assert (status, told["what"]) == (409, "The Ray of this run is on the machine far-away")


def test_a_run_without_ray_has_none(jupyter, store):
    run = store.open(spec={"mode": "local"}, target={"backend": "local", "where": "this machine"}, name="fit")
    status, told = Browser(jupyter, run.id).told("api/version")
    assert (status, told["code"]) == (404, "dashboard-none")


# In a cluster


@pytest.fixture
def own(store, ground, ray):
    """A run with a Ray cluster of its own, behind an API server by hand, which stands for it too."""
    path = ground / "kubeconfig"
    path.write_text(json.dumps(config(ray.address, {"token": "kube-token"})))
    site = {"context": "here", "namespace": "team", "kubeconfig": str(path)}
    target = {"backend": "rayjob", "where": "team", "site": site}
    run = store.open(spec={"mode": "rayjob", "workers": 2}, target=target, name="pi")
    head = {"type": "HeadPodReady", "status": "True"}
    ray.refused = {
        f"/rayjobs/{name_of(run.id)}": (200, {"metadata": {"uid": "1"}, "status": {"rayClusterName": "pi-raycluster"}}),
        "/rayclusters/pi-raycluster": (200, {"status": {"conditions": [head], "head": {"serviceName": "pi-head-svc"}}}),
    }
    return run


def test_the_dashboard_of_a_runs_own_cluster_comes_through_its_api_server(jupyter, own, ray):
    browser = Browser(jupyter, own.id)
    jobs = [{"type": "DRIVER", "job_id": "02000000", "submission_id": None, "start_time": 3}]
    ray.always = (200, jobs)
    page = browser.enter()
    assert browser.ask(f"{page}job", login=False).headers["Location"] == "./#/jobs/02000000"
    assert json.loads(browser.ask("api/jobs/").body) == jobs
    method, path, _, headers, _ = ray.asked[-1]
    assert (method, path) == ("GET", f"{KUBE}/api/jobs/")
    assert headers["Authorization"] == "Bearer kube-token"
    assert headers["X-Ray-Authorization"] == f"Bearer {raypod.token(own.paths.key.read_bytes())}"
    looked = [path for _, path, *_ in ray.asked if path.endswith("/rayclusters/pi-raycluster")]
    assert len(looked) == 1, "a page in thirty pieces asks for its cluster once"


def test_so_does_its_websocket(jupyter, own, ray):
    browser = Browser(jupyter, own.id)
    ray.always = accepting(lambda one: one.wfile.write(b"line"))
    sock, told = browser.upgrade("tail", **browser.jupyter.headers)
    with sock, sock.makefile("rb") as answer:
        assert told.startswith(b"HTTP/1.1 101 ")
        assert answer.read() == b"line"
    _, path, _, headers, _ = ray.asked[-1]
    assert path == f"{KUBE}/tail"
    assert headers["Authorization"] == "Bearer kube-token"
    assert headers["X-Ray-Authorization"] == f"Bearer {raypod.token(own.paths.key.read_bytes())}"


def test_what_the_api_server_refuses_is_said_in_its_words(jupyter, own, ray):
    ray.always = (403, status(403, "Forbidden", "services is forbidden: ada cannot get services/proxy"))
    told = Browser(jupyter, own.id).told("api/version")[1]
    assert told["code"] == "cluster-refused"
    assert told["what"].endswith("services is forbidden: ada cannot get services/proxy")
    ray.always = (404, {"msg": "no such job"})
    assert Browser(jupyter, own.id).told("api/jobs/x") == (404, {"msg": "no such job"})


def test_a_service_that_is_none_is_not_asked(jupyter, own, ray):
    told = {"conditions": [{"type": "HeadPodReady", "status": "True"}], "head": {"serviceName": "x/../../secrets"}}
    ray.refused["/rayclusters/pi-raycluster"] = (200, {"status": told})
    assert Browser(jupyter, own.id).told("api/version")[0] == 409


def test_a_head_that_is_not_ready_is_awaited(jupyter, own, ray):
    ray.refused["/rayclusters/pi-raycluster"] = (200, {"status": {"head": {"serviceName": "pi-head-svc"}}})
    assert Browser(jupyter, own.id).told("api/version")[0] == 503


# Secrets


def test_neither_the_token_of_ray_nor_a_key_is_in_the_log_of_the_server(browser, ground, ray):
    page = browser.enter()
    ray.always = (500, b"broken")
    for path in (f"{page}api/version", f"{page}job", f"{page}../x"):
        assert TOKEN.encode() not in browser.ask(path, login=False).body
    browser.ask(f"{page}api/jobs/", method="POST", login=False)
    key = page.rpartition("~")[2].rstrip("/")
    log = (ground / "jupyter/log").read_text()
    assert "dashboard/~…/" in log
    assert key not in log
    assert TOKEN not in log
    assert "kube-token" not in log


# Addresses


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("/j/runs/r/dashboard/", way.Path("", "", "")),
        ("/j/runs/r/dashboard/a%2fb?x=1&x=2", way.Path("", "a%2fb", "x=1&x=2")),
        (f"/j/runs/r/dashboard/~{'k' * 43}/a?token=t&b=", way.Path("k" * 43, "a", "b=")),
        (f"/j/runs/r/dashboard/~{'k' * 43}", way.Path("", f"~{'k' * 43}", "")),
        ("/j/runs/r/dashboard/~short/a", way.Path("", "~short/a", "")),
    ],
)
def test_an_address_is_a_key_and_what_the_dashboard_is_asked_for_as_it_was_written(address, asked):
    assert way.read(address, "r") == asked


def test_a_key_fits_one_run_of_one_server():
    ours, others = way.Keys(), way.Keys()
    assert ours.fits("a", ours.of("a"))
    assert not ours.fits("b", ours.of("a"))
    assert not ours.fits("a", others.of("a"))
    assert not ours.fits("a", "")
