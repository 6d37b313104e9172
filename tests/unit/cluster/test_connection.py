"""Which cluster is meant, who we are there, and what is said where that cannot be known."""

from __future__ import annotations

import json
import sys
import time
import traceback
from datetime import UTC, datetime

import pytest
import yaml

from jobq_magic.cluster import connection
from jobq_magic.cluster.client import Refused
from jobq_magic.cluster.transport import proxy_for
from jobq_magic.errors import BackendError
from jobq_magic.site import Site
from tests.unit.cluster.apiserver import config, status

ELSEWHERE = "https://cluster.example:6443"


@pytest.fixture
def at(tmp_path):
    """Writes kubeconfigs; the environment that names them."""

    def write(*found):
        paths = []
        for number, one in enumerate(found):
            paths.append(tmp_path / f"config {number}")
            paths[-1].write_text(one if isinstance(one, str) else yaml.safe_dump(one))
        return {"KUBECONFIG": ":".join(map(str, paths)), "HOME": str(tmp_path)}

    return write


def refusal(site, environ):
    with pytest.raises(BackendError) as caught:
        connection.place(site, environ)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_a_place_is_the_current_context_unless_the_site_says_more(at):
    more = config("https://other.example")
    more["contexts"].append({"name": "there", "context": {"cluster": "c", "user": "u"}})
    environ = at(more)
    found = connection.place(Site(), environ)
    assert (found.context, found.namespace, found.server, found.inside) == (
        "here",
        "team",
        "https://other.example",
        False,
    )
    assert connection.place(Site(context="there"), environ).namespace == "default"
    assert connection.place(Site(context="there", namespace="mine"), environ).namespace == "mine"


def test_of_several_kubeconfigs_the_first_that_says_something_counts(at):
    first = config(ELSEWHERE)
    first["contexts"] = []
    second = config("https://never.example")
    assert connection.place(Site(), at(first, second)).server == ELSEWHERE


def test_a_kubeconfig_that_is_not_there_is_passed_over_where_another_is(at, tmp_path):
    environ = at(config(ELSEWHERE))
    environ["KUBECONFIG"] = f"{tmp_path}/none:{environ['KUBECONFIG']}"
    assert connection.place(Site(), environ).server == ELSEWHERE


def test_the_site_may_name_a_kubeconfig_below_the_home(at, tmp_path):
    environ = at(config(ELSEWHERE))
    assert connection.place(Site(kubeconfig="~/config 0"), {"HOME": str(tmp_path)}).server == ELSEWHERE
    assert "no kubeconfig ~/none" in refusal(Site(kubeconfig="~/none"), environ)


def test_a_located_site_stays_where_it_is_whatever_becomes_of_the_kubeconfig(at, tmp_path):
    environ = at(config(ELSEWHERE))
    found = connection.located(Site(store="s3://b"), environ)
    assert (found.context, found.namespace, found.store) == ("here", "team", "s3://b")
    later = {"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "another")}
    assert connection.place(found, later).server == ELSEWHERE


@pytest.mark.parametrize(
    ("text", "site", "said"),
    [
        ("{]", Site(), "is no YAML"),
        ("[1, 2]", Site(), "is no kubeconfig"),
        ("contexts: [1]", Site(), "contexts of"),
        ("", Site(), "No context is current"),
        (config(ELSEWHERE), Site(context="her"), "Did you mean here?"),
        ({**config(ELSEWHERE), "clusters": []}, Site(), "has no server there: c"),
        ({**config(ELSEWHERE), "users": []}, Site(), "the user 'u', who is not there"),
        ({**config(ELSEWHERE), "current-context": ""}, Site(), "Name one of here"),
        (config(ELSEWHERE, **{"certificate-authority": "none.crt"}), Site(), "none.crt, which cannot be read"),
        (config(ELSEWHERE, **{"certificate-authority-data": "x"}), Site(), "is no base64"),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_said_in_one_sentence(at, text, site, said):
    assert said in refusal(site, at(text))


def test_without_a_kubeconfig_the_way_to_one_is_said(tmp_path):
    environ = {"HOME": str(tmp_path)}
    assert "There is no kubeconfig" in refusal(Site(), environ)
    assert "which would have the context lab" in refusal(Site(context="lab"), environ)
    assert "KUBECONFIG names /none" in refusal(Site(), {**environ, "KUBECONFIG": "/none"})


def test_a_broken_kubeconfig_is_not_quoted(at):
    text = 'users: [{name: u, user: {token: "hunter2\n'
    assert "hunter2" not in refusal(Site(), at(text))


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """A pod's service account."""
    account = tmp_path / "account"
    account.mkdir()
    for name, text in {"token": "first\n", "namespace": "team-red", "ca.crt": ""}.items():
        (account / name).write_text(text)
    monkeypatch.setattr(connection, "ACCOUNT", account)
    return account


def test_in_a_pod_its_service_account_counts_where_no_kubeconfig_is(pod, at, tmp_path):
    inside = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    found = connection.place(Site(), inside)
    assert (found.inside, found.context, found.namespace, found.server) == (
        True,
        "",
        "team-red",
        "https://[fd00::1]:6443",
    )
    assert connection.place(Site(namespace="mine"), inside).namespace == "mine"
    assert connection.place(Site(), {**inside, **at(config(ELSEWHERE))}).context == "here"


def test_a_pods_token_is_read_again_because_kubelets_renew_it(pod, server, monkeypatch):
    from jobq_magic.cluster import access

    monkeypatch.setattr(access, "READ_AGAIN", 0.0)
    found = access.of_pod(pod / "token")
    assert found.credentials().authorization == "Bearer first"
    (pod / "token").write_text("second")
    assert found.credentials().authorization == "Bearer second"


def sent(server):
    return [headers.get("Authorization") for _, _, _, headers, _ in server.asked]


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"tokenFile": "token"}, "Bearer from a file"),
        ({"username": "ada", "password": "pw"}, "Basic YWRhOnB3"),
        ({}, None),
    ],
)
def test_credentials_are_sent_as_the_kubeconfig_has_them(server, environ, tmp_path, user, header):
    (tmp_path / "token").write_text("from a file\n")
    environ.user(**user)
    server.always = (200, {})
    connection.connect(Site(), environ).get("/version")
    assert sent(server) == [header]


def plugin(tmp_path, body, **more):
    """A program for credentials that counts how often it is asked."""
    program = tmp_path / "plugin.py"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nopen({str(tmp_path / 'asked')!r}, 'a').write('x')\n{body}"
    )
    program.chmod(0o700)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin.py", **more}}


def asked(tmp_path):
    path = tmp_path / "asked"
    return len(path.read_text()) if path.exists() else 0


GIVES = "print(json.dumps({'status': {'token': os.environ.get('WHO', '') + 'T' * os.path.getsize(sys.argv[1])}}))"


def test_a_plugin_is_asked_once_and_again_when_its_token_is_refused(server, environ, tmp_path):
    environ.user(**plugin(tmp_path, GIVES, args=[str(tmp_path / "asked")], env=[{"name": "WHO", "value": "ada-"}]))
    api = connection.connect(Site(), environ)
    server.always = (200, {})
    for _ in range(3):
        api.get("/version")
    assert asked(tmp_path) == 1
    server.answers = [(401, status(401, "Unauthorized", "Unauthorized"))]
    api.get("/version")
    assert sent(server) == ["Bearer ada-T"] * 4 + ["Bearer ada-TT"]


def test_who_is_refused_with_new_credentials_too_is_told(server, environ, tmp_path):
    environ.user(token="secret-token")
    server.always = (401, status(401, "Unauthorized", "Unauthorized"))
    with pytest.raises(Refused) as caught:
        connection.connect(Site(), environ).get("/version")
    assert "does not accept our credentials" in str(caught.value)
    assert "secret-token" not in str(caught.value)
    assert len(server.asked) == 2


def test_a_plugin_that_cannot_help_is_left_alone_for_a_while(server, environ, tmp_path):
    environ.user(**plugin(tmp_path, "print(json.dumps({'status': {'token': 't'}}))"))
    server.always = (401, status(401, "Unauthorized", "Unauthorized"))
    api = connection.connect(Site(), environ)
    for _ in range(5):
        with pytest.raises(Refused):
            api.get("/version")
    assert asked(tmp_path) == 2


def test_a_plugin_that_fails_is_left_alone_for_a_while(server, environ, tmp_path):
    environ.user(**plugin(tmp_path, "sys.exit('no session')"))
    api = connection.connect(Site(), environ)
    for _ in range(5):
        with pytest.raises(BackendError, match="no credentials"):
            api.get("/version")
    assert asked(tmp_path) == 1


def test_who_logs_in_anew_needs_no_new_follower(server, environ):
    environ.user(token="old")
    api = connection.connect(Site(), environ)
    server.always = lambda handler: handler.whole(
        200 if handler.headers["Authorization"] == "Bearer new" else 401, status(401, "Unauthorized", "Unauthorized")
    )
    with pytest.raises(Refused):
        api.get("/version")
    environ.user(token="new")
    api.get("/version")


def test_a_token_that_ends_soon_is_asked_for_before_it_does(server, environ, tmp_path):
    ends = datetime.fromtimestamp(time.time() + 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    environ.user(
        **plugin(tmp_path, f"print(json.dumps({{'status': {{'token': 't', 'expirationTimestamp': '{ends}'}}}}))")
    )
    api = connection.connect(Site(), environ)
    server.always = (200, {})
    api.get("/version")
    api.get("/version")
    assert asked(tmp_path) == 2


def test_a_plugin_hears_of_the_cluster_where_it_wants_to(server, environ, tmp_path):
    info = "json.loads(os.environ['KUBERNETES_EXEC_INFO'])"
    body = f"print(json.dumps({{'status': {{'token': {info}['spec']['cluster']['server']}}}}))"
    environ.user(**plugin(tmp_path, body, provideClusterInfo=True))
    server.always = (200, {})
    connection.connect(Site(), environ).get("/version")
    assert sent(server) == [f"Bearer {server.address}"]


@pytest.mark.parametrize(
    ("body", "more", "said"),
    [
        ("print('x', file=sys.stderr); sys.exit('no session')", {}, "ended with status 1: no session"),
        ("print('not json, hunter2')", {}, "no ExecCredential"),
        ("print('{\"status\": {}}')", {}, "neither a token nor a certificate"),
        ("import time; time.sleep(60)", {}, "did not answer within"),
        ("", {"command": "no-such-plugin", "installHint": "Install it from there"}, "Install it from there"),
    ],
)
def test_a_plugin_that_fails_is_told_in_one_sentence(server, environ, tmp_path, monkeypatch, body, more, said):
    from jobq_magic.cluster import access

    monkeypatch.setattr(access, "PATIENCE", 5.0 if "sleep" not in body else 0.3)
    environ.user(**plugin(tmp_path, body, **more))
    with pytest.raises(BackendError) as caught:
        connection.connect(Site(), environ).get("/version")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert not server.asked


@pytest.mark.parametrize(
    "says",
    [
        "f'refused: {TOKEN}'",
        "f'Authorization: Bearer {TOKEN}'",
        "json.dumps({'status': {'token': TOKEN}})",
        "f'https://sso.example/login?x={TOKEN} says no'",
        "f'unknown option --client-secret {os.environ[\"CLIENT_SECRET\"]}'",
        "f'bad secret ({os.environ[\"CLIENT_SECRET\"]})'",
    ],
)
@pytest.mark.parametrize(
    "token", ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", "k8s-aws-v1.aHR0cHM6", "s0me-0paque-t0ken"]
)
def test_a_plugin_that_fails_is_quoted_without_what_it_knows(server, environ, tmp_path, says, token):
    body = f"TOKEN = {token!r}; print(TOKEN); sys.exit({says})"
    environ.user(**plugin(tmp_path, body, env=[{"name": "CLIENT_SECRET", "value": "correct-horse"}]))
    with pytest.raises(BackendError) as caught:
        connection.connect(Site(), environ).get("/version")
    told = "".join(traceback.format_exception(caught.value)) + "".join(caught.value.lines())
    assert "ended with status 1: " in told
    assert "****" in told
    for secret in token, "correct-horse":
        assert secret not in told


def test_a_plugin_that_is_silent_is_told_without_its_arguments(server, environ, tmp_path, monkeypatch):
    from jobq_magic.cluster import access

    monkeypatch.setattr(access, "PATIENCE", 0.3)
    environ.user(**plugin(tmp_path, "import time; time.sleep(60)", args=["--password", "hunter2"]))
    with pytest.raises(BackendError) as caught:
        connection.connect(Site(), environ).get("/version")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_token_of_openid_is_the_librarys_affair(server, environ):
    import base64

    def part(told):
        return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")

    token = ".".join((part({}), part({"exp": time.time() + 3600, "x": "y"}), "c2ln"))
    environ.user(**{"auth-provider": {"name": "oidc", "config": {"id-token": token}}})
    server.always = (200, {})
    connection.connect(Site(), environ).get("/version")
    assert sent(server) == [f"Bearer {token}"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "gcp", "config": {"cmd-path": "/none/gcloud", "cmd-args": "x"}},
        {"name": "oidc", "config": {"id-token": "a.b.c", "client-id": "c", "idp-issuer-url": "http://127.0.0.1:9",
                                    "refresh-token": "hunter2"}},
        {"name": "oidc", "config": {"id-token": 7}},
    ],
    ids=["a program", "a provider that is away", "no token"],
)  # fmt: skip
def test_whatever_goes_wrong_in_the_library_is_one_sentence_without_its_words(server, environ, wrong):
    environ.user(**{"auth-provider": wrong})
    with pytest.raises(BackendError) as caught:
        connection.connect(Site(), environ).get("/version")
    assert "no credentials for the context here" in str(caught.value)
    assert "auth-provider" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_kept_is_one_for_each_place(server, environ):
    try:
        one = connection.kept(Site(), environ)
        assert connection.kept(Site(context="here"), environ) is one
        assert connection.kept(Site(namespace="other"), environ) is not one
    finally:
        connection.forget()


@pytest.fixture
def kept(environ):
    """The Api that is kept for an environment."""
    yield lambda **more: connection.kept(Site(), {**environ, **more})
    connection.forget()


def test_who_has_another_environment_for_a_plugin_is_somebody_else(server, environ, kept, tmp_path):
    environ.user(**plugin(tmp_path, "print(json.dumps({'status': {'token': os.environ['AWS_PROFILE']}}))"))
    server.always = (200, {})
    for who in "ada", "bob", "ada":
        kept(AWS_PROFILE=who).get("/version")
    assert sent(server) == ["Bearer ada", "Bearer bob", "Bearer ada"]
    assert asked(tmp_path) == 2
    assert kept(AWS_PROFILE="ada", EDITOR="vi") is kept(AWS_PROFILE="ada")


def test_where_no_plugin_reads_it_the_environment_makes_no_difference(environ, kept):
    environ.user(token="t")
    assert kept(AWS_PROFILE="ada") is kept(AWS_PROFILE="bob")


def test_who_logs_in_as_somebody_else_is_that_at_once(server, environ, kept):
    server.always = (200, {})
    for who in "ada", "bob":
        environ.user(token=who)
        kept().get("/version")
    assert sent(server) == ["Bearer ada", "Bearer bob"]


def test_whose_certificate_is_in_the_file_that_the_kubeconfig_names_is_who_we_are(environ, kept, tmp_path):
    environ.user(**{"client-certificate": "me.crt", "client-key": "me.key"})
    (tmp_path / "me.crt").write_text("of ada")
    first = kept()
    assert kept() is first
    (tmp_path / "me.crt").write_text("of bob")
    assert kept() is not first


def test_tokens_that_a_provider_renews_in_the_file_are_of_the_same_person(environ, kept):
    environ.user(**{"auth-provider": {"name": "oidc", "config": {"id-token": "one"}}})
    first = kept()
    environ.user(**{"auth-provider": {"name": "oidc", "config": {"id-token": "two"}}})
    assert kept() is first


@pytest.mark.parametrize(
    ("address", "environ", "proxy"),
    [
        ("https://a.example", {}, ""),
        ("https://a.example", {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ("https://a.example", {"https_proxy": "http://p:3128"}, "http://p:3128"),
        ("http://a.example", {"HTTPS_PROXY": "p:3128"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "p", "NO_PROXY": "b.example,.example"}, ""),
        ("https://a.example:6443", {"HTTPS_PROXY": "p", "NO_PROXY": "a.example:6443"}, ""),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p", "NO_PROXY": "10.2.0.0/16"}, "http://p"),
        ("https://a.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*"}, ""),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "p"}, ""),
        ("https://localhost:6443", {"HTTPS_PROXY": "p"}, ""),
    ],
)
def test_proxies_are_those_of_the_environment(address, environ, proxy):
    assert proxy_for(address, environ) == proxy


def test_a_proxy_is_asked_and_its_password_is_not_told(at):
    environ = {**at(config(ELSEWHERE)), "HTTPS_PROXY": "http://me:hunter2@127.0.0.1:9"}
    with pytest.raises(BackendError) as caught:
        connection.connect(Site(), environ).ask("GET", "/version", tries=1)
    assert "through the proxy 127.0.0.1:9" in str(caught.value)
    assert "hunter2" not in str(caught.value)
