"""Credentials never travel by accident, and what only speaks of them always does."""

from __future__ import annotations

import base64
import os
import sys
import time
import types
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobq_magic.capture.secretscan import (
    is_credential_file,
    refuse_secrets,
    secret_in_file,
    secret_in_source,
    secret_in_text,
    secret_in_value,
)
from jobq_magic.errors import CaptureError
from jobq_magic.secretforms import only_words

RANDOM = "q8Zk2LmP0xY7rT5w"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
UUID = "123e4567-e89b-12d3-a456-426614174000"

# By their form


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("AKIA" + "ABCDEFGHIJKLMNOP", "AWS"),
        ("key=ASIA" + "ABCDEFGHIJKLMNOP;", "AWS"),
        ("ghp_" + "a1B2" * 10, "GitHub"),
        ("github_pat_" + "a1B2" * 12, "GitHub"),
        ("glpat-" + "a1B2" * 6, "GitLab"),
        ("sk-" + "a1B2" * 10, "API key"),
        ("sk-proj-" + "a1B2-c3_" * 4 + "a1B2" * 10, "API key"),
        ("sk-ant-api03-" + "a1B2" * 20, "API key"),
        ("sk-or-v1-" + SHA256, "API key"),
        ("sk_live_" + "a1B2" * 6, "Stripe"),
        ("xoxb-123456789012-abcdef", "Slack token"),
        ("https://hooks.slack.com/services/T00000000/B00000000/" + "a1B2" * 6, "webhook"),
        ("hf_" + "aBcD" * 9, "Hugging Face"),
        ("AIza" + "a1B2c" * 7, "Google API key"),
        ("GOCSPX-" + "a1B2" * 7, "Google client"),
        ("pypi-AgEIcHlwaS5vcmc" + "a1B2" * 10, "PyPI"),
        ("npm_" + "a1B2" * 9, "npm"),
        ("dapi" + "0123456789abcdef" * 2, "Databricks"),
        ("SG." + "a1B2" * 5 + "." + "a1B2" * 10, "SendGrid"),
        ("DefaultEndpointsProtocol=https;AccountKey=" + "a1B2" * 20 + "==", "Azure"),
        ("-----BEGIN PRIVATE KEY-----\nMII", "private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3B", "private key"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "private key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "web token"),
        ("postgres://me:s3cr3t@host/db", "password in an address"),
        ("https://me:s3cr3t@index.host/simple", "password in an address"),
        ("postgres://me:s3cr3t@{host}/db", "password in an address"),
        ("--extra-index-url HTTPS://me:s3cr3t@index.host/simple", "password in an address"),
        ("git+https://a1b2c3d4e5f6a1b2c3d4e5f6@git.host/x.git", "token in an address"),
        ("https://host/v1/rows?limit=10&api_key=" + RANDOM, "secret in an address"),
    ],
)
def test_it_is_known_by_its_form(text, kind):
    assert kind in (secret_in_text(text) or "")
    assert kind in (secret_in_text(f"before {text} after") or "")
    where, found = secret_in_value("x", {"rows": [text.encode()]})
    assert where == "x['rows'][0]"
    assert kind in found


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:password@localhost/db",
        "postgres://postgres:postgres@localhost/db",
        "https://user@host/x",
        "https://host/x?api_key=YOUR_API_KEY_1234567",
        "https://host/x?page_token=a1B2c3D4e5F6g7H8i9&key_id=a1B2c3D4e5F6g7H8i9",
        f"https://host/{{x}}?api_key={{key}}&digest={SHA256}",
        "https://host:8080/@x",
        "https://{user}:{password}@host",
        "https://{user}:{password}@{host}:{port}",
        "https://$USER:$PASSWORD@host",
        "https://<user>:<password>@host",
        "https://user:***@host",
        "git@github.com:owner/repository.git",
        "s3://bucket/key@2",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-learn-contrib-lightning-model-v2",
        "task-a1b2c3d4e5f6a1b2c3d4e5f6",
        "sk-SK, sk-learn, sk-",
        "-----BEGIN CERTIFICATE-----\nMII",
        "-----BEGIN PUBLIC KEY-----\nMII",
        "eyJ only the beginning",
        SHA256,
        UUID,
        "hf_dataset_name_for_training",
        "https://huggingface.co/datasets/x/resolve/main/data.csv",
    ],
)
def test_what_has_another_form_is_none(text):
    assert secret_in_text(text) is None
    assert secret_in_value("x", [text]) is None


# By their names


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "API_KEY",
        "apiKey",
        "openai_api_key",
        "x-api-key",
        "token",
        "hf_token",
        "accessToken",
        "clientSecret",
        "client_secret",
        "aws_secret_access_key",
        "AWSAccessKey",
        "password",
        "dbPassword",
        "DB_PASSWD",
        "passphrase",
        "pwd",
        "private_key",
        "credentials",
        "Authorization",
        "token2",
    ],
)
def test_it_is_known_by_its_name(name):
    assert secret_in_value("x", {name: RANDOM}) == (f"x[{name!r}]", "a secret")
    assert secret_in_source(f"conf = {{{name!r}: {RANDOM!r}}}") is not None
    if name.isidentifier():
        assert secret_in_value(name, RANDOM) is not None
        assert secret_in_source(f"{name} = {RANDOM!r}") is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_count", 5),
        ("tokens", ["a1b2c3d4e5f6"]),
        ("tokenizer", "bert-base-uncased-12345"),
        ("token", "hello"),
        ("token", "the-quick-brown-fox1"),
        ("token", ""),
        ("eos_token", "<|endoftext|>"),
        ("pad_token", "[unused_token_12]"),
        ("next_page_token", "CAUQAAbc12345"),
        ("next_token", RANDOM),
        ("token_type", "bearer-2024-abc"),
        ("token_url", "https://auth.host/oauth2/v2/token"),
        ("access_token_url", "https://auth.host/oauth2/v2/token"),
        ("max_tokens", "a1b2c3d4e5f6"),
        ("tokenized", "a1b2c3d4e5f6"),
        ("password_length", "12chars"),
        ("password_field", "passwd1"),
        ("password", "password"),
        ("password", "${DB_PASSWORD}"),
        ("password", "{password}"),
        ("password", "%s"),
        ("password", "your-password"),
        ("password", "change_me"),
        ("password", "xxxx"),
        ("password", "varchar(255)"),
        ("password", "Enter the password"),
        ("password", "/run/secrets/db1"),
        ("password", "DB_PASSWORD"),
        ("user_password", "user_password"),
        ("passwords", "a1b2c3d4"),
        ("pwd", "data2024/raw"),
        ("pwd", "/home/me/work1"),
        ("pwd", "data"),
        ("secret_name", "prod/db1/main"),
        ("secret", "secret"),
        ("secretary", "a1b2c3d4e5f6"),
        ("secret_id", UUID),
        ("key", SHA256),
        ("keys", [SHA256]),
        ("primary_key", SHA256),
        ("sort_key", "name_2024_05_06"),
        ("cache_key", SHA256),
        ("digest", SHA256),
        ("run_id", UUID),
        ("api_key", "YOUR_KEY"),
        ("api_key", "OPENAI_API_KEY_2"),
        ("api_key", None),
        ("api_key_env", "A1B2C3D4E5F6G7"),
        ("api_keys_file", "conf/keys1.json"),
        ("credentials", "conf/creds1.json"),
        ("credentials_path", "a1b2c3d4e5f6.bin"),
        ("compass_direction", "north12345678"),
        ("passenger", "a1b2c3d4e5f6"),
        ("bypass", "a1b2c3d4e5f6"),
        ("model", "gpt-4o-2024-08-06"),
        ("author", "a1b2c3d4e5f6"),
    ],
)
def test_ordinary_names_and_values_are_none(name, value):
    assert secret_in_value(name, value) is None
    assert secret_in_value("x", {name: value}) is None
    assert secret_in_source(f"{name} = {value!r}\nf({name}={value!r})\nd = {{{name!r}: {value!r}}}") is None


def test_data_of_ordinary_notebooks_is_none():
    class Tokenizer:
        def __init__(self):
            self.special_tokens_map = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
            self.vocab = {f"token{n}": n for n in range(50)}
            self.name = "bert-base-uncased"
            self.token_type_ids = [0, 1]

    class Row(NamedTuple):
        id: str
        email: str
        token_count: int

    for value in (
        Tokenizer(),
        [Row(UUID, "a@b.example", 3)],
        {"columns": ["user", "password", "token"], "rename": {"pwd": "password"}},
        {SHA256: {"key": SHA256, "etag": SHA256}},
        "the password is kept in the vault, and the token is a1b2c3d4e5f6",
        {"usage": {"prompt_tokens": 12, "completion_tokens": 15}, "id": "chatcmpl-a1B2c3D4e5F6g7H8"},
    ):
        assert secret_in_value("x", value) is None


# Where they hide


class Plain:
    pass


class Slotted:
    __slots__ = ("gone", "password", "user")

    def __init__(self):
        self.user, self.password = "me", "hunter22"


class Guarded:
    """Executes nothing of its own when it is looked at."""

    def __init__(self):
        self.token = RANDOM

    def __getattribute__(self, name):
        raise AssertionError(name)


def plain(**attributes):
    made = Plain()
    made.__dict__.update(attributes)
    return made


class Login(NamedTuple):
    user: str
    password: str


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (plain(inner=[{"a": plain(password="hunter22")}]), "x.inner[0]['a'].password"),
        (Slotted(), "x.password"),
        (Login("me", "hunter22"), "x.password"),
        ([Login("me", "hunter22")], "x[0].password"),
        (plain(headers={"Authorization": f"Bearer {RANDOM}"}), "x.headers['Authorization']"),
        (plain(auth=("me", "hunter22")), "x.auth[1]"),
        ({"password": b"hunter22"}, "x['password']"),
        ({"password": bytearray(b"hunter22")}, "x['password']"),
        ({"secret": [RANDOM]}, "x['secret'][0]"),
        (type("Odd", (dict,), {})(token=RANDOM), "x['token']"),
        ([("user", "me"), ("api_key", RANDOM)], "x[1][1]"),
        (partial(print, api_key=RANDOM), "x.keywords['api_key']"),
        (ValueError("no answer", "postgres://me:s3cr3tpw@host/db"), "x.args[1]"),
    ],
)
def test_it_is_found_inside(value, path):
    found = secret_in_value("x", value)
    assert found is not None
    assert found[0] == path


def test_nothing_of_an_object_is_executed_when_it_is_looked_at():
    assert secret_in_value("x", {"a": Guarded()}) == ("x['a'].token", "a secret")


def test_what_holds_itself_and_what_is_deep_or_long_ends():
    circle: list = []
    circle.append(circle)
    assert secret_in_value("x", circle) is None
    assert secret_in_value("x", list(range(1_000_000))) is None
    assert secret_in_value("x", "a://" * 1_000_000) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\npassword = 'tr0ub4dor'", 2),
        ("password: str = 'tr0ub4dor'", 1),
        ("user, password = 'me', 'tr0ub4dor'", 1),
        ("f(\n    password='tr0ub4dor')", 2),
        ("def f(a, password='tr0ub4dor'): pass", 1),
        ("def f(*, a=1, password='tr0ub4dor'): pass", 1),
        ("(password := 'tr0ub4dor')", 1),
        ("import os\nos.environ['API_KEY'] = 'a1b2c3d4e5f6g7'", 2),
        ("os.environ.setdefault('API_KEY', 'a1b2c3d4e5f6g7')", 1),
        ("get_ipython().run_line_magic('env', 'API_KEY=a1b2c3d4e5f6g7')", 1),
        ("self.api_key = b'a1b2c3d4e5f6g7'", 1),
        ("class C:\n    token = 'a1b2c3d4e5f6g7'", 2),
        ("x = 1\nx = 'https://me:s3cr3t@host'", 2),
        ("# ghp_" + "a1B2" * 10, 1),
    ],
)
def test_it_is_found_in_source_by_its_line(text, line):
    found = secret_in_source(text)
    assert found is not None
    assert found[0] == line
    assert "tr0ub4dor" not in found[1]


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['DB_PASSWORD']",
        "password = getpass()",
        "kwargs.get('password', 'Missing')",
        "def f(password=None, token=''): pass",
        "df = df.rename(columns={'pwd': 'password', 'token': 'token_id'})",
        "class Kind(Enum):\n    PASSWORD = 'password'\n    TOKEN = 'token'",
        "parser.add_argument('--token', help='the token of the service')",
        "tokenizer.pad_token = tokenizer.eos_token",
        "st.text_input('Password', type='password')",
        "create_engine(f'postgresql://{user}:{password}@{host}/db')",
        "'a=b'",
        "x = 'MODE=fast_and_loose_2'",
    ],
)
def test_ordinary_source_is_none(text):
    assert secret_in_source(text) is None


def test_a_line_that_names_what_is_meant_is_passed_over():
    text = "password = 'tr0ub4dor'"
    assert secret_in_source(text, frozenset({"password"})) is None


def test_binary_files_and_files_that_do_not_parse_are_read_too():
    assert secret_in_file("x.bin", b"\0\xff" + b"ghp_" + b"a1B2" * 10) == (1, "a GitHub token")
    assert secret_in_file("x.py", b"password = (") is None
    assert secret_in_file("x.py", b"") is None


# Wrapped, and in clients


def wrapper(name: str, attribute: str, held: object) -> object:
    made = type(name, (), {"__repr__": lambda self: "**"})()
    made.__dict__[attribute] = held
    return made


def test_what_hides_a_secret_holds_one():
    for name, attribute in (("SecretStr", "_secret_value"), ("SecretBytes", "_secret_value"), ("Secret", "_value")):
        held = plain(conf=[wrapper(name, attribute, "abc")])
        assert secret_in_value("x", held) == ("x.conf[0]", "a secret")
        assert secret_in_value("x", wrapper(name, attribute, "")) is None


def test_pydantics_own_are_known():
    from pydantic import BaseModel, SecretStr

    class Settings(BaseModel):
        host: str = "here"
        password: SecretStr

    assert secret_in_value("conf", Settings(password="hunter22")) == ("conf.password", "a secret")
    assert secret_in_value("conf", Settings(password="")) is None


@pytest.fixture
def stand_in(monkeypatch):
    """Makes classes that are called as those of libraries that are not here."""

    def stand_in(module: str, name: str, **attributes) -> object:
        made = types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module, made)
        kind = type(name, (), {"__module__": module})
        setattr(made, name, kind)
        one = kind()
        one.__dict__.update(attributes)
        return one

    return stand_in


CLIENTS = [
    ("boto3.session", "Session"),  # its `_session` holds the credentials
    ("botocore.client", "S3"),  # made at run time, one class a service; `_request_signer._credentials`
    ("boto3.resources.factory", "s3.ServiceResource"),  # `meta.client`
    ("botocore.credentials", "Credentials"),  # `access_key`, `secret_key`, `token`
    ("google.auth.compute_engine.credentials", "Credentials"),
    ("google.oauth2.service_account", "Credentials"),  # `_signer._key`
    ("google.cloud.storage.client", "Client"),  # `_credentials`
    ("google.cloud.bigquery.client", "Client"),
    ("azure.identity", "DefaultAzureCredential"),
    ("azure.core.credentials", "AzureKeyCredential"),  # `_key`
    ("azure.storage.blob._blob_service_client", "BlobServiceClient"),  # `credential.account_key`
    ("openai", "OpenAI"),  # `api_key`
    ("openai", "AsyncAzureOpenAI"),
    ("anthropic", "Anthropic"),  # `api_key`
    ("kubernetes.client.configuration", "Configuration"),  # `api_key`, `key_file`, `password`
    ("kubernetes.client.api_client", "ApiClient"),
]


@pytest.mark.parametrize(("module", "name"), CLIENTS)
def test_clients_are_refused_with_the_way_to_make_them_there(stand_in, module, name):
    with pytest.raises(CaptureError) as caught:
        refuse_secrets("store", plain(parts=[stand_in(module, name)]), "cell → load")
    text = str(caught.value)
    assert caught.value.code == "secret-in-value"
    assert f"store.parts[0] looks like a client with credentials ({module}.{name}); used by: cell → load" in text
    assert "inside the cell" in text
    assert "--secret NAME" in text
    assert "--remake store" in text


def test_a_notebooks_own_kind_of_a_client_is_one(stand_in):
    base = type(stand_in("openai", "OpenAI"))
    mine = type("Mine", (base,), {"__module__": "__main__"})()
    assert secret_in_value("x", mine)[1].endswith("(openai.OpenAI)")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("botocore.config", "Config"),
        ("google.cloud.bigquery.table", "Row"),
        ("openai.types.chat", "ChatCompletion"),
        ("anthropic.types.message", "Message"),
        ("kubernetes.client.models.v1_pod", "V1Pod"),
        ("azure.core.exceptions", "ResourceNotFoundError"),
        ("openaipublic", "OpenAI"),
        ("boto3_like.session", "Session"),
    ],
)
def test_what_services_answer_is_no_client(stand_in, module, name):
    assert secret_in_value("x", stand_in(module, name)) is None


def test_an_engine_with_a_password_is_known_by_its_url(stand_in):
    # As sqlalchemy.engine.url.URL is one.
    class URL(NamedTuple):
        drivername: str
        username: Any
        password: Any
        host: Any
        port: Any
        database: str
        query: Any

    engine = stand_in("sqlalchemy.engine.base", "Engine", url=URL("postgresql", "me", "hunter22", "h", 1, "d", {}))
    assert secret_in_value("engine", engine) == ("engine.url.password", "a secret")
    engine.__dict__["url"] = URL("sqlite", None, None, None, None, "file.db", {})
    assert secret_in_value("engine", engine) is None


# The environment


def test_the_environment_never_travels(notebook, monkeypatch):
    for number in range(6):
        monkeypatch.setenv(f"SOME_{number}", "value")
    for value in (os.environ, dict(os.environ), {**os.environ, "EXTRA": "1"}, plain(env=os.environ.copy())):
        with pytest.raises(CaptureError) as caught:
            refuse_secrets("env", value, "cell")
        assert "looks like the environment of this process" in str(caught.value)
        assert "--env NAME" in str(caught.value)
    notebook.run("import os\nenv = dict(os.environ)")
    with pytest.raises(CaptureError, match="environment"):
        notebook.capture("env['HOME']")
    notebook.run("e = os.environ")
    with pytest.raises(CaptureError, match="environment"):
        notebook.capture("e['HOME']")


def test_a_few_settings_are_not_the_environment():
    assert secret_in_value("env", {"PATH": os.environ["PATH"], "HOME": "/x"}) is None
    assert secret_in_value("env", {f"K{n}": str(n) for n in range(20)}) is None


# Files


@pytest.mark.parametrize(
    "name", [".env", "x/.aws/credentials", "x/.ssh/id_rsa", "a.pem", "_netrc", "service-account.json"]
)
def test_files_made_for_credentials(name):
    assert is_credential_file(PurePosixPath(name))


@pytest.mark.parametrize(
    "name",
    ["env.py", "credentials.py", "secrets.py", "key.csv", "keys.json", "token.txt", "env", "x.pub", "monkey.keys"],
)
def test_files_that_are_ordinary(name):
    assert not is_credential_file(PurePosixPath(name))


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("def call(x, api_key=os.environ['HERS']): return x", "call['api_key']"),
        ("def call(x, *, api_key=os.environ['HERS']): return x", "call.__kwdefaults__['api_key']"),
        (
            "class call:\n    def at(x, api_key=os.environ['HERS']): return x",
            "call.at['api_key']",
        ),
        ("def made(api_key):\n    return lambda: len(api_key)\ncall = made(os.environ['HERS'])", "call.api_key"),
    ],
)
def test_it_is_found_in_what_a_function_keeps_and_the_advice_leads_on(notebook, monkeypatch, cell, path):
    monkeypatch.setenv("HERS", RANDOM)
    notebook.run("import os")
    notebook.run(cell)
    with pytest.raises(CaptureError) as refused:
        notebook.capture("call")
    assert str(refused.value).startswith(f"{path} looks like a secret")
    assert "--include call." in str(refused.value)
    notebook.capture("call", include=("call",))


def test_no_refusal_says_what_it_found(notebook):
    for cell in (f"api_key = {RANDOM!r}", f"conf = {{'x': ['ghp_{'a1B2' * 10}']}}", "url = 'a://me:s3cr3tpass@host'"):
        with pytest.raises(CaptureError) as in_cell:
            notebook.capture(cell)
        notebook.run(cell)
        with pytest.raises(CaptureError) as in_value:
            notebook.capture(cell.split(" =", 1)[0])
        for error in (in_cell.value, in_value.value):
            assert error.code == "secret-in-value"
            assert not any(word in str(error) for word in (RANDOM, "a1B2", "s3cr3tpass"))


# What programs say


@pytest.mark.parametrize(
    "said",
    [
        "no session",
        "Error loading SSO Token: Token for https://my-sso.awsapps.com/start does not exist",
        "An error occurred (ExpiredTokenException): The security token included in the request is expired",
        'Unable to locate credentials. You can configure credentials by running "aws configure".',
        "could not get token: open /home/ada/.kube/cache/oidc-login/abc: permission denied",
        "dial tcp: lookup sts.eu-west-1.amazonaws.com on 10.0.0.2:53: no such host",
        "ModuleNotFoundError: No module named 'boto3'",
        "the token is not valid any more",
        "access token has expired and no refresh token was found",
    ],
)
def test_what_a_program_says_in_words_is_quoted_whole(said):
    assert only_words(said) == said


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("token hunter2 rejected", "token **** rejected"),
        ("password: swordfish", "password: ****"),
        ("the password is swordfish.", "the password is ****"),
        ("client_secret swordfish rejected", "client_secret **** rejected"),
        ("token deadbeef is not valid", "token **** is not valid"),
        ("password=hunter", "password=****"),
        ("no option --client-secret hunter", "no option --client-secret ****"),
        ("Authorization: Bearer TTTT", "Authorization: Bearer ****"),
        ('{"status":{"token":"TTTT"}}', '{"status":{"token":"****"}}'),
        (f"refused {UUID}", "refused ****"),
    ],
)
def test_what_could_be_a_credential_is_not_quoted(said, left):
    assert only_words(said) == left


@pytest.mark.parametrize("said", ["-" * 5000 + "%", "aB" * 5000, "NotNot-" * 2000 + "%", "A1." * 4000 + "%"])
def test_what_a_program_says_is_read_in_no_time(said):
    began = time.perf_counter()
    only_words(said)
    assert time.perf_counter() - began < 1


@given(st.binary(min_size=24, max_size=400), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode, bytes.hex]))
def test_a_token_is_never_quoted(token, written):
    text = written(token)
    text = text if isinstance(text, str) else text.decode().rstrip("=")
    assume(len(set(token)) > 12)  # chance made it
    assert text not in only_words(f"refused: {text} is out of date")
