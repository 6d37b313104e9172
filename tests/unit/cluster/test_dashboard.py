"""The links to the dashboards of runs: who has one sees the dashboard through the API server, and nobody else does."""

from __future__ import annotations

import contextlib
import http.client
import json
import zlib
from urllib.parse import urlsplit

import pytest

from jobq_magic.cluster import browsing, dashboard
from jobq_magic.cluster.browsing import address, shares_origin
from jobq_magic.cluster.dashboard import Dashboards
from tests.unit.cluster.apiserver import status

PROXY = "/api/v1/namespaces/team/services/pi-head-svc:dashboard/proxy"
TOKEN = "the-token"
JOBS = [
    {"type": "SUBMISSION", "job_id": None, "submission_id": "pi-x7", "start_time": 9},
    {"type": "DRIVER", "job_id": "01000000", "submission_id": None, "start_time": 2},
    {"type": "DRIVER", "job_id": "02000000", "submission_id": None, "start_time": 3},
]


@pytest.fixture
def doors():
    found = Dashboards({})
    yield found
    found.end()


@pytest.fixture
def link(doors, api):
    return urlsplit(doors.open(api, "run-1", "pi-head-svc", TOKEN))


def asked(link, page: str, *, method: str = "GET", **headers: str):
    """What a browser gets below a link whose last part is `job`."""
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=10)
    path = page if page.startswith("/") else link.path.removesuffix("job") + page
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": link.netloc, **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    with contextlib.closing(connection), connection.getresponse() as answer:
        answer.body = answer.read()
    return answer


def test_a_page_comes_through_the_api_server_with_the_token_of_the_run(server, link):
    server.always = (200, b"<title>Ray Dashboard</title>")
    answer = asked(link, "static/js/main.js?v=1")
    assert (answer.status, answer.body) == (200, b"<title>Ray Dashboard</title>")
    method, path, query, headers, _ = server.asked[-1]
    assert (method, path, query) == ("GET", f"{PROXY}/static/js/main.js", {"v": "1"})
    assert headers["X-Ray-Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in link.geturl()


def test_what_the_browser_knows_of_others_goes_no_further_and_what_the_cluster_sets_does_not_come_back(server, link):
    server.always = lambda one: one.whole(200, b"{}", Set_Cookie="a=b", Access_Control_Allow_Origin="*", ETag='"7"')
    answer = asked(link, "api/version", Cookie="_xsrf=1", Authorization="token jupyter", If_None_Match='"6"')
    headers = {name.lower(): value for name, value in server.asked[-1][3].items()}
    assert "cookie" not in headers
    assert "jupyter" not in str(headers)
    assert headers["if-none-match"] == '"6"'
    assert answer.headers["ETag"] == '"7"'
    assert (answer.headers["Set-Cookie"], answer.headers["Access-Control-Allow-Origin"]) == (None, None)
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_link_leads_to_the_newest_driver_which_is_the_cell(server, link):
    server.always = (200, JOBS)
    answer = asked(link, "job")
    assert (answer.status, answer.headers["Location"]) == (303, "./#/jobs/02000000")
    assert server.asked[-1][1] == f"{PROXY}/api/jobs/"


@pytest.mark.parametrize(
    "told",
    [(200, JOBS[:1]), (200, {"jobs": "soon"}), (500, b"no"), (200, [{**JOBS[1], "job_id": "x\r\nSet-Cookie: a=b"}])],
)
def test_before_the_cell_has_called_ray_the_link_leads_to_the_list_of_jobs(server, link, told):
    server.always = told
    answer = asked(link, "job")
    assert (answer.status, answer.headers["Location"], answer.headers["Set-Cookie"]) == (303, "./#/jobs", None)


def test_without_the_key_there_is_nothing(server, link):
    for path in ("/", "/wrong/job", "/job", f"/x{link.path}", "//evil"):
        assert asked(link, path).status == 404
    assert server.asked == []


def test_by_another_name_of_this_machine_there_is_nothing(server, link):
    assert asked(link, "job", Host=f"evil.example:{link.port}").status == 404
    assert asked(link, "job", Host=f"127.0.0.1.evil.example:{link.port}").status == 404
    assert asked(link, "job", Host=f"localhost@evil.example:{link.port}").status == 404
    assert asked(link, "job", Host="").status == 404
    assert server.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1:9999", "localhost:9999", "[::1]:9999", "localhost"])
def test_the_other_end_of_a_tunnel_may_be_any_port_of_the_browsers_machine(server, link, host):
    server.always = (200, b"page")
    assert asked(link, "", Host=host).body == b"page"


@pytest.mark.parametrize(
    "page", ["../../../secrets", "a/..%2f..%2f../secrets", "%2e%2e/%2e%2e/x", "..%5c..", "%252e%252e/x"]
)
def test_no_path_leads_to_what_else_the_api_server_has(server, link, page):
    assert asked(link, page).status == 400
    assert server.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_dashboard_is_for_looking(server, link, method):
    assert asked(link, "api/jobs/", method=method).status == 501
    assert server.asked == []


@pytest.mark.parametrize(
    "page", ["api/actors/kill?actor_id=1", "api/actors/%6bill", "api//actors/kill/?x", "api/actors%2Fkill"]
)
def test_what_ray_ends_for_who_only_looks_is_refused(server, link, page):
    answer = asked(link, page)
    assert (answer.status, answer.body) == (403, b"The dashboard is for looking: nothing is ended by it.\n")
    assert server.asked == []


def test_an_answer_comes_as_it_is_packed_and_while_it_grows(server, link):
    packed = zlib.compress(b"line\n" * 1000)

    def grow(one):
        one.send_response(200)
        one.send_header("Transfer-Encoding", "chunked")
        one.send_header("Content-Encoding", "deflate")
        one.end_headers()
        one.chunk(packed[:10])
        one.chunk(packed[10:])
        one.end()

    server.always = grow
    answer = asked(link, "api/v0/logs/file", Accept_Encoding="deflate")
    assert answer.headers["Content-Encoding"] == "deflate"
    assert zlib.decompress(answer.body) == b"line\n" * 1000


def test_what_the_dashboard_refuses_comes_back_and_what_the_api_server_refuses_is_said_so(server, link):
    server.always = (404, {"result": False, "msg": "no such job"})
    answer = asked(link, "api/jobs/none")
    assert (answer.status, json.loads(answer.body)["msg"]) == (404, "no such job")
    server.always = (403, status(403, "Forbidden", "services is forbidden: ada cannot get services/proxy"))
    answer = asked(link, "")
    assert answer.status == 502
    assert answer.body.decode().strip() == (
        "The cluster does not open the dashboard of this run: services is forbidden: ada cannot get services/proxy"
    )


def test_a_cluster_that_does_not_answer_is_said_so(server, link):
    server.close()
    answer = asked(link, "")
    assert answer.status == 502
    assert answer.body.decode().startswith("The dashboard of this run does not answer.")


def test_after_its_end_a_tab_is_told_until_when_it_lived(doors, server, link, monkeypatch):
    monkeypatch.setattr(dashboard.time, "strftime", lambda *_: "12:03")
    doors.close("run-1")
    doors.close("run-1")
    answer = asked(link, "api/version")
    assert answer.status == 410
    assert "led to a Ray dashboard until 12:03, when the run or its cluster ended" in answer.body.decode()
    assert server.asked == []


def test_all_runs_have_one_port_and_each_a_path_of_its_own(doors, api, link):
    other = urlsplit(doors.open(api, "run-2", "fit-head-svc", "another"))
    assert other.netloc == link.netloc
    assert other.path != link.path
    assert doors.open(api, "run-1", "pi-head-svc", TOKEN) == link.geturl()


def test_how_a_browser_gets_to_a_port_depends_on_who_serves_the_notebook(monkeypatch):
    hub = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}
    assert address(4000, {}) == "http://127.0.0.1:4000"
    monkeypatch.setattr(browsing, "find_spec", lambda _: None)
    assert address(4000, hub) == "", "no browser gets to a port of a hub's server"
    monkeypatch.setattr(browsing, "find_spec", lambda name: object() if name == "jupyter_server_proxy" else None)
    assert address(4000, hub) == "/user/ada/proxy/4000"
    public = {"JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/"}
    assert address(4000, hub | public) == "https://hub.example/user/ada/proxy/4000"
    assert address(4000, {"VSCODE_PROXY_URI": "https://me.example/proxy/{{port}}/"}) == "https://me.example/proxy/4000"
    own = {"JOBQ_PROXY_URL": "https://gate.example/{port}"}
    assert address(4000, hub | own) == "https://gate.example/4000"


def test_below_a_hub_a_page_is_of_one_origin_with_jupyter(monkeypatch):
    hub = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}
    monkeypatch.setattr(browsing, "find_spec", lambda _: None)
    assert not shares_origin({})
    assert not shares_origin(hub)
    monkeypatch.setattr(browsing, "find_spec", lambda _: object())
    assert shares_origin(hub)
    assert shares_origin(hub | {"JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/"})
    assert shares_origin({"VSCODE_PROXY_URI": "https://me.example/proxy/{{port}}/"})
    assert not shares_origin(hub | {"JOBQ_PROXY_URL": "https://{port}.gate.example/"})


def test_who_comes_through_another_server_has_that_ones_name(server, api):
    doors = Dashboards({"JOBQ_PROXY_URL": "https://gate.example/{port}"})
    try:
        href = urlsplit(doors.open(api, "run-1", "pi-head-svc", TOKEN))
        port = int(href.path.split("/")[1])
        here = urlsplit(f"http://127.0.0.1:{port}/{'/'.join(href.path.split('/')[2:])}")
        server.always = (200, b"page")
        assert asked(here, "", Host="gate.example").body == b"page"
        assert asked(here, "/wrong/", Host="gate.example").status == 404
    finally:
        doors.end()


def test_where_no_browser_gets_to_a_port_of_this_machine_none_is_taken(server, api, monkeypatch):
    monkeypatch.setattr(browsing, "find_spec", lambda _: None)
    doors = Dashboards({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"})
    assert doors.open(api, "run-1", "pi-head-svc", TOKEN) == ""
    assert doors._server is None


def test_a_dashboard_that_this_machine_reaches_is_asked_itself_below_the_path_of_its_address(server):
    doors = Dashboards({})
    try:
        link = urlsplit(doors.open_at(f"{server.address}/ray/", "run-1", TOKEN))
        server.always = (200, JOBS)
        assert asked(link, "job").headers["Location"] == "./#/jobs/02000000"
        assert server.asked[-1][1] == "/ray/api/jobs/"
        assert server.asked[-1][3]["Authorization"] == f"Bearer {TOKEN}"
        server.always = (200, b"whole")
        assert asked(link, "").body == b"whole"
        assert asked(link, "../secrets").status == 400
    finally:
        doors.end()


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("packed", ["counted", "chunked"])
@pytest.mark.parametrize("way", ["through the API server", "straight"])
def test_a_dashboard_that_leaves_in_the_middle_of_an_answer_does_not_keep_a_tab_waiting(
    server, api, doors, way, packed, status
):
    def leave(one):
        one.send_response(status)
        one.send_header(*{"counted": ("Content-Length", "100"), "chunked": ("Transfer-Encoding", "chunked")}[packed])
        one.end_headers()
        one.chunk(b"half") if packed == "chunked" else one.wfile.write(b"half")
        one.close_connection = True

    server.always = leave
    straight = way == "straight"
    href = doors.open_at(server.address, "run-1", "") if straight else doors.open(api, "run-1", "pi-head-svc", TOKEN)
    with pytest.raises((http.client.IncompleteRead, http.client.RemoteDisconnected)):
        asked(urlsplit(href), "api/version")


@pytest.mark.parametrize("way", ["through the API server", "straight"])
def test_of_an_answer_that_has_no_body_none_is_waited_for(server, api, doors, way):
    server.always = lambda one: (one.send_response(304), one.send_header("Content-Length", "100"), one.end_headers())
    straight = way == "straight"
    href = doors.open_at(server.address, "run-1", "") if straight else doors.open(api, "run-1", "pi-head-svc", TOKEN)
    assert asked(urlsplit(href), "static/main.js", If_None_Match='"7"').status == 304
