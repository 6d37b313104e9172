"""Networks that cut, registries that are tired, full or gone: each ends in success after another attempt, or in one
sentence; and what was said to be there can be pulled."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.images.registry.transport import proxy_for
from tests.services.blobs import Made, digest, image, layer, pulled
from tests.services.proxy import Cut, Says, Short, Silent, proxy
from tests.services.registry import free_port, registry

LARGE = os.urandom(4_500_003)
CHUNK = 1_000_000
FULL = b'{"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": "write: no space left on device"}]}'
QUOTA = b'{"errors": [{"code": "DENIED", "message": "adding 3.8 MiB of storage resource will exceed the upper limit"}]}'


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def between(service):
    with proxy(service.port) as made:
        yield made


@pytest.fixture(params=["whole", "chunks"])
def way(request, monkeypatch):
    """A blob travels in one request, or in chunks."""
    if request.param == "chunks":
        monkeypatch.setattr("jobq_magic.images.registry.upload.CHUNK", CHUNK)
    return request.param


def destination(address, tmp_path, repository, patience=10.0):
    push = f"{address}/{repository}"
    client = Registry(Reference.parse(push), {"HOME": str(tmp_path)}, push=True, patience=patience)
    return RegistryDestination(push, "", {}, Cache(tmp_path / "cache"), registry=client)


@pytest.fixture
def place(between, tmp_path, request):
    name = request.node.name.replace("[", "/").replace("]", "").replace("_", "-").lower()
    made = destination(between.address, tmp_path, name)
    yield made
    made.close()


def put(place, made):
    return place.put(made, lambda _: None)


def judged(service, place, made):
    assert pulled(service.address, place.registry.reference.repository, made.digest)


@pytest.mark.parametrize("tenth", range(11))
def test_an_upload_that_is_cut_at_any_tenth_arrives(service, between, place, way, tenth):
    left = [len(LARGE) * tenth // 10]

    def cut(request):
        """Counts what the large blob has sent, and cuts once."""
        if request.method not in {"PUT", "PATCH"} or "/uploads/" not in request.path or request.size < 1000 or not left:
            return None
        if request.size <= left[0] and request.method == "PATCH":
            left[0] -= request.size
            return None
        return Cut(left.pop())

    between.rule = cut
    made = image(layer(LARGE), layer(b"code"))
    assert digest(LARGE) in put(place, made).pushed
    assert not left
    judged(service, place, made)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT"])
def test_an_answer_that_is_lost_is_asked_for_again(service, between, place, way, method):
    between.first(2, Silent(), method)
    made = image(layer(LARGE), layer(b"code"))
    put(place, made)
    judged(service, place, made)


def test_what_arrived_is_not_sent_again_when_only_the_answer_was_lost(between):
    between.first(1, Silent(), "PUT")
    content = Made(LARGE, ([],))
    with Registry(Reference.parse(f"{between.address}/lost"), {}, push=True, patience=5) as asked:
        asked.push_blob(digest(LARGE), len(LARGE), content)
        assert content.reads[0] == [0]
        assert asked.has_blob(digest(LARGE))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_registry_that_is_tired_is_asked_again(service, between, place, way, status):
    between.first(3, Says(status))
    made = image(layer(LARGE), layer(b"code"))
    put(place, made)
    judged(service, place, made)


def test_an_upload_goes_on_where_the_registry_says_that_it_is(service, between, tmp_path, monkeypatch):
    monkeypatch.setattr("jobq_magic.images.registry.upload.CHUNK", CHUNK)
    seen = []

    def rule(request):
        seen.extend([request.method] if request.method == "PATCH" else [])
        return Says(503) if request.method == "PATCH" and len(seen) == 3 else None

    between.rule = rule
    content = Made(LARGE, ([],))
    with Registry(Reference.parse(f"{between.address}/resumed"), {}, push=True, patience=5) as asked:
        asked.push_blob(digest(LARGE), len(LARGE), content)
        assert content.reads[0] == [0, CHUNK, 2 * CHUNK, 2 * CHUNK, 3 * CHUNK, 4 * CHUNK]
        assert b"".join(asked.blob(digest(LARGE))) == LARGE


def test_what_the_registry_asks_to_wait_is_waited(service, between, tmp_path):
    pauses = []
    between.first(2, Says(429, (("Retry-After", "3"),)))
    with Registry(Reference.parse(f"{between.address}/x"), {}, patience=5, wait=pauses.append) as asked:
        assert asked.head_manifest("x") is None
    assert [int(pause) for pause in pauses] == [3, 3]


def test_who_is_asked_to_wait_for_too_long_is_told_at_once(between):
    between.first(99, Says(429, (("Retry-After", "3600"),)))
    began = time.monotonic()
    with Registry(Reference.parse(f"{between.address}/x"), {}) as asked, pytest.raises(BackendError) as caught:
        asked.head_manifest("x")
    assert caught.value.code == "registry-busy"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Says(429), "registry-busy"),
        (Says(503), "registry-failing"),
        (Says(507), "registry-full"),
        (Says(500, body=FULL), "registry-full"),
        (Says(403, body=QUOTA), "registry-full"),
        (Says(403), "registry-refused"),
        (Says(401), "registry-password"),
        (Says(413), "registry-too-large"),
        (Says(404, body=b'{"errors": [{"code": "NAME_UNKNOWN", "message": "m"}]}'), "registry-no-repository"),
        (Says(418, body=b"<html>a teapot</html>"), "registry-refused"),
        (Cut(0), "registry-unreachable"),
        (Silent(), "registry-unreachable"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_trouble_without_end_is_one_sentence(between, tmp_path, way, fault, code):
    made = image(layer(LARGE), layer(b"code"))
    place = destination(between.address, tmp_path, f"x/{code}", patience=0.25)
    try:
        assert place.find(made.key, "") is None
        between.first(10_000, fault, "POST", "PATCH", "PUT")
        with pytest.raises(BackendError) as caught:
            put(place, made)
    finally:
        place.close()
    assert caught.value.code == code
    assert caught.value.do
    assert len(caught.value.lines()) <= 2
    assert "://" not in str(caught.value).replace(between.address, "")


class Endless:
    """Content that goes on once something else has failed, and counts what was read of it."""

    def __init__(self, failed):
        self.failed = failed
        self.read_pieces = 0

    def read(self, offset=0):
        for number in range(400):
            if number == 2:
                assert self.failed.wait(30)
            self.read_pieces += 1
            yield bytes(1 << 20)


def test_when_one_upload_fails_the_others_do_not_go_on(between, place):
    failed = threading.Event()

    def refuse(request):
        if request.method != "PUT":
            return None
        failed.set()
        return Says(507)

    between.rule = refuse
    large = replace(layer(b"?"), digest=f"sha256:{'0' * 64}", size=400 << 20, content=Endless(failed))
    with pytest.raises(BackendError) as caught:
        put(place, image(large, layer(b"code")))
    assert caught.value.code == "registry-full"
    assert large.content.read_pieces < 400


def test_a_registry_that_takes_no_large_requests_gets_smaller_ones(service, between, place, monkeypatch):
    monkeypatch.setattr("jobq_magic.images.registry.upload.SMALLEST", 500_000)
    between.rule = lambda request: Says(413) if request.size > CHUNK else None
    made = image(layer(LARGE))
    put(place, made)
    judged(service, place, made)


def test_a_registry_that_takes_no_chunks_gets_the_whole(service, between, place, monkeypatch):
    monkeypatch.setattr("jobq_magic.images.registry.upload.CHUNK", CHUNK)
    between.rule = lambda request: Says(405) if request.method == "PATCH" else None
    made = image(layer(LARGE))
    put(place, made)
    judged(service, place, made)


def test_a_download_that_is_cut_goes_on_where_it_was(service, between):
    with Registry(Reference.parse(f"{between.address}/download"), {}, push=True, patience=5) as asked:
        asked.push_blob(digest(LARGE), len(LARGE), Made(LARGE))
        between.first(5, Short(700_000), "GET")
        assert b"".join(asked.blob(digest(LARGE))) == LARGE
        assert asked.traffic.received < len(LARGE) + 10_000


class Killing(Made):
    """Content that kills the registry when half of it was read, once."""

    def __init__(self, data, kill):
        super().__init__(data)
        object.__setattr__(self, "kill", kill)

    def read(self, offset=0):
        done = offset
        for piece in super().read(offset):
            done += len(piece)
            if done > len(self.data) // 2:
                self.kill()
            yield piece


@pytest.mark.parametrize("memory", [False, True], ids=["folder", "memory"])
def test_a_registry_that_is_killed_and_started_again_mid_push_gets_it_all(tmp_path, way, memory):
    with registry(tmp_path / "registry", memory=memory) as running:
        back = []

        def kill():
            if not back:
                running.kill()
                back.append(threading.Timer(0.3, running.start))
                back[0].start()

        place = destination(running.address, tmp_path, "killed")
        try:
            put(place, image(layer(b"earlier")))
            large = layer(LARGE)
            object.__setattr__(large, "content", Killing(LARGE, kill))
            made = image(large, layer(b"earlier"), layer(b"code"))
            assert digest(LARGE) in put(place, made).pushed
            back[0].join()
            assert pulled(running.address, "killed", made.digest)
            assert place.find(made.key, made.digest)
        finally:
            for one in back:
                one.join()
            place.close()


def test_a_registry_that_is_killed_and_stays_away_is_one_sentence(tmp_path, way):
    with registry(tmp_path / "registry") as running:
        place = destination(running.address, tmp_path, "gone", patience=0.5)
        large = layer(LARGE)
        object.__setattr__(large, "content", Killing(LARGE, running.kill))
        try:
            with pytest.raises(BackendError, match=f"{running.host} cannot be reached") as caught:
                put(place, image(large))
        finally:
            place.close()
    assert caught.value.code == "registry-unreachable"


def test_a_limit_that_counts_by_hours_is_not_waited_for(between):
    between.first(99, Says(429, body=b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "the pull rate limit"}]}'))
    with Registry(Reference.parse(f"{between.address}/x"), {}) as asked, pytest.raises(BackendError) as caught:
        asked.manifest("x")
    assert caught.value.code == "registry-busy"
    assert "docker login" in caught.value.do
    assert asked.traffic.requests == 1


@pytest.mark.parametrize(
    "page",
    [
        Says(200, (("Content-Type", "text/html"),), b"<html>Log in!</html>"),
        Says(302, (("Location", "/login"),)),
        Says(202, (("Location", "http://h:port/"),)),
        Says(202),
        Says(204),
    ],
    ids=["page", "redirect", "address", "nowhere", "nothing"],
)
def test_what_is_no_registry_is_never_taken_for_one(between, tmp_path, page):
    between.rule = lambda _: page
    place = destination(between.address, tmp_path, "portal", patience=0.2)
    made = image(layer(b"code"))
    try:
        for do in (lambda: place.find(made.key, ""), lambda: put(place, made), place.registry.tags):
            with pytest.raises(BackendError) as caught:
                do()
            assert caught.value.code in {"no-registry", "registry-refused"}
            assert caught.value.do
    finally:
        place.close()


def test_another_server_that_cannot_be_reached_is_named_with_who_sent_us_there(between):
    gone = free_port()
    between.first(99, Says(307, (("Location", f"http://localhost:{gone}/blob?signature=canary"),)), "GET")
    with (
        Registry(Reference.parse(f"{between.address}/x"), {}, patience=0.2) as asked,
        pytest.raises(BackendError) as caught,
    ):
        asked.read_blob(digest(b"x"))
    assert f"{between.host} sends us to localhost" in caught.value.what
    assert "canary" not in str(caught.value)


def test_a_registry_that_repeats_what_it_was_told_gives_nothing_away(between):
    told = "canary-2f canary-identity bWU6Y2FuYXJ5LTJm https://h.org/x?signature=canary-3"
    body = json.dumps({"errors": [{"code": "DENIED", "message": told, "detail": {"sent": told}}]}).encode()
    answers = [Says(403, body=body), Says(401, (("WWW-Authenticate", "Basic"),))]
    between.rule = lambda _: answers.pop()
    entry = {"auth": "bWU6Y2FuYXJ5LTJm", "identitytoken": "canary-identity"}
    environ = {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {between.host: entry}})}
    with Registry(Reference.parse(f"{between.address}/x"), environ) as asked, pytest.raises(BackendError) as caught:
        asked.manifest("x")
    assert caught.value.code == "registry-refused"
    assert [word for word in ("canary", "bWU6") if word in f"{caught.value!r}{caught.value}"] == []
    assert "h.org" not in caught.value.why  # addresses that registries hand out open something


def test_an_upload_that_is_sent_elsewhere_takes_no_password_along(service, between):
    environ = {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {between.host: {"username": "me", "password": "canary"}}})}
    with proxy(service.port) as elsewhere:
        there = f"http://localhost:{elsewhere.host.partition(':')[2]}/upload?signature=1"
        answers = [Says(202, (("Location", there),)), Says(401, (("WWW-Authenticate", "Basic"),))]
        between.rule = lambda _: answers.pop()
        elsewhere.rule = lambda _: Says(201)
        with Registry(Reference.parse(f"{between.address}/x"), environ, push=True, patience=1) as asked:
            asked.push_blob(digest(b"data"), 4, Made(b"data"))
        assert [b"authorization" in one.head.lower() for one in between.requests] == [False, True]
        assert [b"authorization" in one.head.lower() for one in elsewhere.requests] == [False]


def test_tags_that_come_page_by_page_are_all_there(between):
    pages = {
        "/v2/x/tags/list?n=1000": Says(
            200, (("Link", '</v2/x/tags/list?n=1000&last=b>; rel="next"'),), b'{"tags":["a","b"]}'
        ),
        "/v2/x/tags/list?n=1000&last=b": Says(200, (), b'{"tags":["c"]}'),
    }
    between.rule = lambda request: pages[request.path]
    with Registry(Reference.parse(f"{between.address}/x"), {}) as asked:
        assert asked.tags() == ["a", "b", "c"]


def test_addresses_of_uploads_may_be_relative_and_may_have_a_question_already(service, between):
    def rule(request):
        if request.method == "POST":
            made = service.post(request.path).headers["location"]
            return Says(202, (("Location", made.removeprefix(service.address)),))
        return None

    between.rule = rule
    with Registry(Reference.parse(f"{between.address}/relative"), {}, push=True, patience=1) as asked:
        asked.push_blob(digest(b"relative"), 8, Made(b"relative"))
        assert asked.read_blob(digest(b"relative")) == b"relative"


def test_a_proxy_of_the_environment_is_used_and_not_for_what_it_leaves_out(service, between):
    reference = Reference.parse("http://registry.test:80/by-proxy")
    environ = {"HTTP_PROXY": between.host}
    with Registry(reference, environ, push=True, patience=1) as asked:
        asked.push_blob(digest(b"by proxy"), 8, Made(b"by proxy"))
        assert asked.read_blob(digest(b"by proxy")) == b"by proxy"
    assert {request.path.partition("/v2/")[0] for request in between.requests} == {"http://registry.test"}


@pytest.mark.parametrize(
    ("host", "left_out", "used"),
    [
        ("h.org", "", True),
        ("h.org", "*", False),
        ("h.org", "a.org, H.ORG", False),
        ("a.h.org", "h.org", False),
        ("a.h.org", ".h.org:443", False),
        ("ah.org", "h.org", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("127.0.0.1", "", False),
        ("localhost", "", False),
    ],
)
def test_whom_a_proxy_is_not_for_is_read_as_others_do(host, left_out, used):
    environ = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": left_out, "NO_PROXY": "never"}
    if not left_out:
        del environ["no_proxy"]
    assert bool(proxy_for("https", host, environ)) == used
    assert proxy_for("http", host, environ) == ""


def test_a_proxy_of_the_environment_that_is_gone_is_told(tmp_path):
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "other.test"}
    reference = Reference.parse("http://registry.test:80/x")
    with Registry(reference, environ, patience=0.2) as asked, pytest.raises(BackendError) as caught:
        asked.head_manifest("x")
    assert caught.value.code == "registry-unreachable"
    assert "refused" in str(caught.value)
