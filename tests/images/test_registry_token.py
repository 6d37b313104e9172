from __future__ import annotations

import base64
import json
import logging

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.registry import Reference, Registry
from jobq_magic.images.registry.auth import challenge, seconds_to_wait
from tests.services.blobs import Made, digest, image
from tests.services.registry import registry
from tests.services.tokens import tokens

CANARY, IDENTITY = "canary-e01f", "identity-canary-9a"


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    known = {"users": {"me": CANARY, "guest": CANARY}, "identities": {IDENTITY: "me"}, "read_only": {"guest"}}
    with tokens(folder, **known) as server, registry(folder / "registry", token=server.settings) as running:
        yield server, running


@pytest.fixture
def client(ground):
    server, running = ground
    server.life = 300
    server.asked.clear()
    server.answers.clear()
    opened = []

    def made(repository, entry, **more):
        file = running.folder / ".docker" / "config.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"auths": {running.host: entry} if entry else {}}))
        reference = Reference.parse(f"{running.address}/{repository}")
        opened.append(Registry(reference, running.environ, **{"push": True, "patience": 5, **more}))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def password(user, secret=CANARY):
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def push(asked, data=b"data", **more):
    return asked.push_blob(digest(data), len(data), Made(data), **more)


def test_a_password_is_changed_for_a_token_once(ground, client):
    asked = client("a/b", password("me"))
    for number in range(5):
        push(asked, bytes([number]))
    assert ground[0].asked == [("me", ["repository:a/b:pull,push"])]
    assert asked.traffic.requests == 1 + 1 + 5 * 2


def test_an_identity_token_is_changed_for_a_token(ground, client):
    push(client("a/b", {**password("me", ""), "identitytoken": IDENTITY}))
    assert ground[0].asked == [("me", ["repository:a/b:pull,push"])]


def test_a_registry_token_is_one(ground, client):
    asked = client("a/b", {"registrytoken": ground[0].token("me", ["repository:a/b:pull,push"])})
    push(asked, b"by its own token")
    assert ground[0].asked == []


def test_to_mount_the_other_repository_is_asked_for_too(ground, client):
    push(client("from", password("me")), b"mounted")
    ground[0].asked.clear()
    assert push(client("to", password("me")), b"mounted", mount="from") == 0
    assert ground[0].asked == [("me", ["repository:to:pull,push", "repository:from:pull"])]


def test_to_remove_an_image_that_is_asked_for(ground, client):
    asked = client("removed", password("me"))
    made = image()
    push(asked, made.config)
    asked.put_manifest("x", made.manifest, made.media_type)
    assert asked.delete_manifest(made.digest)
    assert asked.head_manifest("x") is None


def test_who_only_reads_asks_only_for_that(ground, client):
    assert client("a/b", password("me"), push=False).head_manifest("none") is None
    assert ground[0].asked == [("me", ["repository:a/b:pull"])]


def test_a_token_that_the_registry_no_longer_takes_is_renewed(ground, client):
    asked = client("a/b", password("me"))
    push(asked, b"1")
    # The registry allows a minute of leeway: what it refuses is one that it never signed.
    for scopes, token in asked._auth._tokens.items():
        asked._auth._tokens[scopes] = type(token)(token.text[:-6] + "AAAAAA", token.until)
    push(asked, b"renewed")
    assert len(ground[0].asked) == 2


def test_a_token_is_renewed_before_it_ends(ground, client):
    ground[0].life = 1
    asked = client("a/b", password("me"), wait=lambda _: None)
    push(asked, b"a")
    [(scopes, token)] = asked._auth._tokens.items()
    asked._auth._tokens[scopes] = type(token)(token.text, token.until - 1)
    push(asked, b"b")
    assert len(ground[0].asked) == 2
    assert [one.status for one in asked.traffic.exchanges].count(401) == 1


@pytest.mark.parametrize("kind", ["password", "identity"])
def test_credentials_that_were_renewed_meanwhile_are_found(ground, client, kind):
    right = password("me") if kind == "password" else {**password("me", ""), "identitytoken": IDENTITY}
    asked = client("a/b", right, wait=lambda _: None)
    push(asked, b"before")
    # The password was changed at the registry, and a new one was logged in with.
    client("a/b", right)
    asked._auth._credentials = type(asked._auth.credentials)("me", "old", "old" if kind == "identity" else "")
    asked._auth._tokens.clear()
    push(asked, b"afterwards")


def test_a_server_of_tokens_that_is_busy_is_asked_again(ground, client):
    ground[0].answers += [503, 429]
    push(client("a/b", password("me")))
    assert len(ground[0].asked) == 1


def test_a_server_of_tokens_that_has_no_token_is_told(ground, client):
    ground[0].answers += [404] * 9
    with pytest.raises(BackendError) as caught:
        push(client("a/b", password("me")))
    assert caught.value.code == "registry-password"


@pytest.mark.parametrize(
    "entry",
    [password("me", f"wrong-{CANARY}"), {**password("me", ""), "identitytoken": f"wrong-{IDENTITY}"}],
    ids=["password", "identity"],
)
def test_what_is_wrong_is_told_with_the_way_out_and_never_shown(ground, client, caplog, entry):
    caplog.set_level(logging.DEBUG)
    asked = client("a/b", entry)
    with pytest.raises(BackendError, match="docker login") as caught:
        push(asked)
    assert caught.value.code == "registry-password"
    shown = f"{caught.value!r}{caught.value}{asked!r}{vars(asked)}{asked._auth.credentials}{caplog.text}"
    assert [word for word in ("canary", entry["auth"]) if word in shown] == []


def test_no_token_is_ever_shown(ground, client, caplog):
    caplog.set_level(logging.DEBUG)
    asked = client("a/b", password("me"))
    push(asked)
    given = [token.text for token in asked._auth._tokens.values()]
    shown = f"{asked!r}{vars(asked)}{vars(asked._auth)}{caplog.text}"
    assert given
    assert [word for word in (*given, CANARY) if word in shown] == []


def test_who_may_not_push_is_told_so(ground, client):
    with pytest.raises(BackendError, match="does not let guest push to") as caught:
        push(client("a/b", password("guest")))
    assert caught.value.code == "registry-refused"


def test_who_is_nobody_is_told_to_log_in(ground, client):
    with pytest.raises(BackendError, match="docker login") as caught:
        push(client("a/b", None))
    assert caught.value.code == "registry-password"


def test_a_password_never_goes_to_a_server_in_plain_http_by_order_of_a_secure_registry():
    import httpx

    from jobq_magic.images.registry.auth import Authorizer, Refusal
    from jobq_magic.images.registry.credentials import Credentials

    asked: list[httpx.Request] = []
    authorizer = Authorizer(lambda: Credentials("me", CANARY), asked.append, plain=False)
    assert authorizer.met('Bearer realm="http://h.org/token"', "", ("s",))
    with pytest.raises(Refusal, match="plain http"):
        authorizer.header(("s",))
    assert asked == []


def test_challenges_are_read_in_all_spellings():
    assert challenge('Bearer realm="https://h/t",service="s, x",scope="a:b:c,d"') == (
        "bearer",
        {"realm": "https://h/t", "service": "s, x", "scope": "a:b:c,d"},
    )
    assert challenge('Basic realm="x", BEARER realm=https://h') == ("bearer", {"realm": "https://h"})
    assert challenge("Basic") == ("basic", {})
    assert challenge("Negotiate abc") == ("", {})


def test_how_long_to_wait_is_seconds_or_a_date():
    assert seconds_to_wait("7") == 7
    assert seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_to_wait("soon") is None
    assert seconds_to_wait("") is None
