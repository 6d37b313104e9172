"""Commands that run in an image, on a real engine; and what must be in no byte that leaves it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import ipaddress
import os
import sys
import tarfile
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.image import Packages, Recipe, User
from jobq_magic.images import builders, packages, platforms
from jobq_magic.images.assemble import assemble, image_key
from jobq_magic.images.builders import surroundings
from jobq_magic.images.cache import Cache
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.images.host import host_base
from jobq_magic.images.intoengine import EngineDestination
from jobq_magic.images.model import Base
from tests.pythons.roots import Root
from tests.services.engine import engine_host
from tests.services.registry import registry

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = platforms.here()
OTHER = "linux/arm64" if HERE == "linux/amd64" else "linux/amd64"
ARGUMENT = "canary-argument-7c1f"
INDEX = "canary-index-5e2b"


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    trusted = tmp_path_factory.mktemp("trust") / "ca.crt"
    trusted.write_text("-----BEGIN CERTIFICATE-----\ncanary-trust-93aa\n-----END CERTIFICATE-----\n")
    with engine_host() as host:
        yield {
            "DOCKER_HOST": host,
            "PATH": os.environ["PATH"],
            "HOME": str(trusted.parent),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"https://me:{INDEX}@index.example.org/simple",
            "SSL_CERT_FILE": str(trusted),
        }


@pytest.fixture(scope="module")
def engine(environ):
    from jobq_magic.engine.client import Engine

    return Engine.connect(environ)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def base(cache, environ):
    return host_base(cache.layer, python=PYTHON, platform=HERE, environ=environ)


@pytest.fixture
def build(cache, environ, base, tmp_path):
    def build(said, *, upon: Base = base, report=lambda _: None, environ=environ):
        recipe = replace(said, context=said.context or str(tmp_path))
        return recipe, builders.another(
            recipe, upon, platform=HERE, cache=cache, environ=environ, report=report
        )  # fmt: skip

    return build


@pytest.fixture
def say(engine, cache):
    """What a command prints in the image that becomes of a recipe and a base."""

    def say(recipe: Recipe, made: Base, command: str, *parts) -> str:
        files = builders.files(recipe, made)
        layers = (*made.layers, *([cache.layer(files)] if files else []))
        image = assemble(made, layers, recipe, {}, image_key(made, [files] if files else [], recipe))
        sent = EngineDestination(engine).put(image, lambda _: None)
        container = engine.api.create_container(sent.reference, ["sh", "-c", command])["Id"]
        try:
            engine.api.start(container)
            engine.api.wait(container, timeout=60)
            return engine.api.logs(container).decode()
        finally:
            engine.api.remove_container(container, force=True)

    return say


def test_a_dockerfile_makes_the_base_from_its_context(build, say, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x.txt").write_text("from the context")
    (tmp_path / "data/no.txt").write_text("left out")
    (tmp_path / ".dockerignore").write_text("**/no.txt\n")
    (tmp_path / ".env").write_text("TOKEN=x\n")
    recipe, made = build(
        Recipe(
            dockerfile="FROM host\nARG NAME\nENV A=b\nCOPY . /app\nRUN echo hello $NAME > /made\nWORKDIR /app\n",
            args={"NAME": "you there"},
        )
    )
    assert say(recipe, made, "cat /made data/x.txt; ls -A data; ls -A; echo $A; pwd") == (
        "hello you there\nfrom the contextx.txt\ndata\nb\n/app\n"
    )
    assert [layer.kind for layer in made.layers] == ["base", "build", "build"]
    assert made.reference == "host"


def test_what_was_built_is_kept_until_anything_that_it_was_made_from_changes(build, cache, tmp_path):
    (tmp_path / "x").write_text("1")
    said = Recipe(dockerfile="FROM host\nARG V\nCOPY x /x\nRUN echo $V$(cat /x) > /v\n", args={"V": "1"})
    _, made = build(said)
    nobody = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    _, again = build(said, environ=nobody)
    assert (again.key, again.config) == (made.key, made.config)
    assert [layer.digest for layer in again.layers] == [layer.digest for layer in made.layers]
    for changed in (replace(said, args={"V": "2"}), replace(said, dockerfile=said.dockerfile + "RUN true\n")):
        with pytest.raises(BackendError, match="no Docker Engine answers"):
            build(changed, environ=nobody)
    (tmp_path / "x").write_text("2")
    with pytest.raises(BackendError, match="no Docker Engine answers"):
        build(said, environ=nobody)
    (tmp_path / "x").write_text("1")
    cache.blob(made.layers[-1].digest).unlink()
    with pytest.raises(BackendError, match="no Docker Engine answers"):
        build(said, environ=nobody)
    assert build(said)[1].key == made.key


def test_a_user_is_made_with_a_home_by_any_shell(build, say):
    recipe, made = build(Recipe(user=User(uid=1234, gid=77, name="ada", create=True), env={"PATH": "/mine:$PATH"}))
    assert say(
        recipe, made, "id -u; id -g; whoami; echo $HOME; touch ~/x && echo writes; echo $PATH | cut -d: -f2-3"
    ) == ("1234\n77\nada\n/home/ada\nwrites\n/mine:/usr/local/sbin\n")
    recipe, made = build(Recipe(user=User(name="bob", create=True)))
    assert say(recipe, made, "id -u; whoami") == "1000\nbob\n"


def test_a_recipe_goes_on_where_its_dockerfile_ends(build, say, tmp_path):
    (tmp_path / "x").write_text("copied\n")
    recipe, made = build(
        Recipe(
            dockerfile="FROM host AS one\nRUN echo 1 > /one\nFROM one\nRUN echo 'u:x:7:7::/:/bin/sh' >> /etc/passwd\n"
            "USER u\nWORKDIR /w\n",
            user=User(name="me", create=True), copy=(("x", "x"),),
        )
    )  # fmt: skip
    assert say(recipe, made, "cat /one /w/x; whoami; pwd") == "1\ncopied\nme\n/w\n"


def test_an_address_that_is_added_is_fetched_by_the_engine(build, say, tmp_path):
    (tmp_path / "file.bin").write_text("fetched")
    with serving(tmp_path) as address:
        recipe, made = build(Recipe(add=((f"{address}/file.bin", "got/"),), workdir="/w"))
    assert say(recipe, made, "cat /w/got/file.bin") == "fetched"


BACKEND = """
import os, zipfile
def build_wheel(folder, *_, **__):
    info = "sourceonly-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(folder, "sourceonly-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("sourceonly.py", f"MADE = {os.path.exists('/run-jobq-build')}")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: sourceonly\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return "sourceonly-1.0-py3-none-any.whl"
"""


@contextlib.contextmanager
def serving(folder, address="127.0.0.1"):
    handler = functools.partial(Quiet, directory=folder)
    server = ThreadingHTTPServer((address, 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_packages_without_wheels_are_built_in_a_container_of_the_base(engine, environ, base, cache, tmp_path):
    (tmp_path / "simple/sourceonly").mkdir(parents=True)
    path = tmp_path / "simple/sourceonly/sourceonly-1.0.tar.gz"
    told = {
        "PKG-INFO": "Metadata-Version: 2.2\nName: sourceonly\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
        "own.py": BACKEND,
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in told.items():
            entry = tarfile.TarInfo(f"sourceonly-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    (tmp_path / "simple/sourceonly/index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
    lock = f"sourceonly==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    subnet = engine.api.inspect_network("bridge")["IPAM"]["Config"][0]["Subnet"]
    gateway = str(ipaddress.ip_network(subnet)[1])

    def part(environ, builder=""):
        here = {"platform": HERE, "environ": environ}
        recipe = Recipe(builder=builder)
        place = builders.Installer(recipe, base, lock, cache=cache, report=lambda _: None, **here)
        return packages.part(Packages(lock), python=PYTHON, elsewhere=place, **here)

    with serving(tmp_path, gateway) as address:
        reached = environ | {"PIP_INDEX_URL": f"{address}/simple"}
        del reached["SSL_CERT_FILE"]
        first = part(reached)
        layer = cache.layer(first)
        again = part(reached)
        for more, why in (({}, "append"), ({"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}, "")):
            with pytest.raises(BackendError, match="there is no wheel of sourceonly") as error:
                list(part(reached | more, why).entries(scratch(tmp_path)))
            assert "runs nothing" in error.value.why or "No Docker Engine answers" in error.value.why.replace(
                "no D", "No D"
            )
    assert again.key != first.key  # built upon another base it would be another one
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer.content.read()))) as archive:
        assert archive.extractfile("opt/jobq/site-packages/sourceonly.py").read() == b"MADE = True"


def scratch(folder):
    made = folder / f"scratch-{os.urandom(4).hex()}"
    made.mkdir()
    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_packages_of_debian_are_installed_upon_a_base_that_the_engine_has(engine, cache, say, tmp_path):
    root = Root("trixie")
    if not (root.folder / "etc/jobq-made").exists():
        root.make()
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(
            root.folder, ".", filter=lambda entry: None if entry.name in {"./dev", "./proc", "./work"} else entry
        )
    engine.api.import_image_from_file(str(tmp_path / "root.tar"), repository="jobq-tests", tag="debian")
    destination = EngineDestination(engine)
    base = destination.base("jobq-tests:debian", HERE)
    recipe = Recipe(apt=("jq",), context=str(tmp_path))
    environ = {"DOCKER_HOST": engine.address.host, "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    try:
        made = builders.another(
            recipe, base, platform=HERE, cache=cache, environ=environ, report=lambda _: None
        )  # fmt: skip
        assert [layer.kind for layer in made.layers] == ["base", "build"]
        assert say(recipe, made, "echo '{}' | jq -c .; ls /var/lib/apt/lists") == "{}\n"
    finally:
        engine.api.remove_image("jobq-tests:debian", force=True)


def test_what_only_buildkit_understands_is_built_by_it(build, say, tmp_path):
    (tmp_path / "run.sh").write_text("echo ran\n")
    (tmp_path / "Dockerfile").write_text("x")
    (tmp_path / ".dockerignore").write_text(".dockerignore\n")
    told = []
    text = "FROM host\nARG V\nRUN --mount=type=cache,target=/c echo $V > /v\nCOPY --chmod=755 . /app/\n"
    recipe, made = build(Recipe(dockerfile=text, args={"V": "7"}), report=told.append)
    assert say(recipe, made, "cat /v; /app/run.sh; ls -A /app") == "7\nran\nDockerfile\nrun.sh\n"
    assert any("RUN --mount" in one.label for progress in told for one in progress)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("RUN echo some words >&2; exit 3", "A command of the image ended with status 3: echo some words >&2; exit 3"),
        ("RUN --mount=type=cache,target=/c echo some words; exit 4", "ended with status 4: echo some words; exit 4"),
        ("COPY missing /x", "missing"),
        ("NONSENSE x", "NONSENSE"),
    ],
)
def test_a_build_that_fails_says_which_command_and_what_it_said(build, line, says):
    with pytest.raises(BackendError) as error:
        build(Recipe(dockerfile=f"FROM host\n{line}\n"))
    assert says in error.value.what
    assert "exit" not in line or "some words" in error.value.why
    assert len(error.value.lines()) == 2


def test_secrets_are_in_no_sentence_of_a_build_that_fails(build):
    with pytest.raises(BackendError) as error:
        build(Recipe(dockerfile="FROM host\nARG T\nRUN echo $T $PIP_INDEX_URL; false\n", args={"T": ARGUMENT}))
    assert "****" in str(error.value)
    assert ARGUMENT not in str(error.value)
    assert INDEX not in str(error.value)


def test_an_engine_for_other_machines_builds_nothing_for_these(build, cache, base, environ):
    with pytest.raises(BackendError, match=f"the Docker Engine here is for {HERE}, not {OTHER}"):
        builders.another(
            Recipe(apt=("git",)), base, platform=OTHER, cache=cache, environ=environ, report=lambda _: None
        )


def test_a_build_has_what_this_machine_needs_and_nothing_of_it_leaves_the_engine(build, say, cache, tmp_path):
    """Indexes, certificates and arguments are there while commands run, and in no byte that is pushed."""
    seen = surroundings.Surroundings.FILE
    text = (
        "FROM host\nARG TOKEN\n"
        f'RUN test -n "$TOKEN" && grep -q trust {seen} && test "$PIP_CERT" = {seen} '
        f'&& test "$PIP_INDEX_URL" = https://me:{INDEX[:6]}"{INDEX[6:]}"@index.example.org/simple && echo yes > /ok\n'
        "ENV MINE=1\n"
    )  # fmt: skip
    recipe, made = build(Recipe(dockerfile=text, args={"TOKEN": ARGUMENT}))
    assert say(recipe, made, f"cat /ok; ls {seen} 2>/dev/null; env | grep -c -e PIP_ -e UV_").splitlines() == [
        "yes",
        "0",
    ]
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in made.config["config"]["Env"]
    own = assemble(made, made.layers, recipe, {"jobq.cell": "c"}, image_key(made, [], recipe))
    with registry(tmp_path / "registry") as service:
        place = f"{service.address}/team"
        with contextlib.closing(RegistryDestination(place, "", service.environ, cache)) as destination:
            destination.put(own, lambda _: None)
        pushed = [path.read_bytes() for path in Path(tmp_path / "registry").rglob("*") if path.is_file()]
    whole = [data for one in pushed for data in (one, gzip.decompress(one) if one[:2] == b"\x1f\x8b" else b"")]
    assert any(own.config in data for data in whole)
    for canary in (ARGUMENT, INDEX, "canary-trust"):
        assert not [data for data in whole if canary.encode() in data]
