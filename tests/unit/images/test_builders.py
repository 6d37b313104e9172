"""What takes no engine: files as a layer, .dockerignore, the Dockerfile of a recipe, and who can build what."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from jobq_magic.engine import buildkit
from jobq_magic.errors import BackendError
from jobq_magic.image import Recipe, User
from jobq_magic.images import builders
from jobq_magic.images.builders import buildfile, context, incluster
from jobq_magic.images.builders.surroundings import Surroundings, surroundings
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Base
from tests.support import golden

BASE = Base("host", "k", {"config": {"WorkingDir": "/srv"}}, ())


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "prøject"
    (root / "src/deep").mkdir(parents=True)
    (root / "src/a.py").write_text("a = 1\n")
    (root / "src/deep/b.txt").write_text("b\n")
    (root / "src/run.sh").write_text("#!/bin/sh\n")
    (root / "src/run.sh").chmod(0o700)
    (root / "one.txt").write_text("1\n")
    (root / "two.txt").write_text("2\n")
    return root


@pytest.fixture
def laid(project, tmp_path):
    def laid(**said):
        part = builders.files(Recipe(**said, context=str(project)), BASE)
        scratch = tmp_path / f"scratch-{os.urandom(4).hex()}"
        scratch.mkdir()
        return {
            entry.path: (
                entry.kind,
                entry.mode,
                entry.data.read_text() if isinstance(entry.data, Path) else entry.target,
            )
            for entry in part.entries(scratch)
        }

    return laid


def test_nothing_to_copy_is_no_layer(project):
    assert builders.files(Recipe(context=str(project)), BASE) is None


def test_the_content_of_a_folder_goes_into_the_target_and_a_file_to_its_name(laid):
    assert laid(copy=(("src", "/app/lib"), ("one.txt", "/app/first"), ("two.txt", "/app/"))) == {
        "app/lib": ("folder", 0o755, ""),
        "app/lib/a.py": ("file", 0o644, "a = 1\n"),
        "app/lib/deep": ("folder", 0o755, ""),
        "app/lib/deep/b.txt": ("file", 0o644, "b\n"),
        "app/lib/run.sh": ("file", 0o755, "#!/bin/sh\n"),
        "app/first": ("file", 0o644, "1\n"),
        "app/two.txt": ("file", 0o644, "2\n"),
    }


def test_a_target_without_a_slash_in_front_lies_in_the_working_folder(laid):
    assert set(laid(copy=(("one.txt", "."),))) == {"home/jobq/one.txt"}
    assert set(laid(copy=(("one.txt", "data/"),), workdir="/w")) == {"w/data/one.txt"}
    assert set(laid(copy=(("*.txt", "x"),), workdir="/w")) == {"w/x/one.txt", "w/x/two.txt"}


def test_a_file_never_takes_the_place_of_a_folder_that_every_image_has(laid):
    assert set(laid(copy=(("one.txt", "/tmp"), ("two.txt", "/etc")))) == {"tmp/one.txt", "etc/two.txt"}
    assert "" not in laid(copy=(("src", "/"),))


def test_the_layer_has_one_key_wherever_and_whenever_it_is_made(project, tmp_path):
    import shutil

    def key(root, **said):
        return builders.files(Recipe(**(said or {"copy": (("src", "/app"),)}), context=str(root)), BASE).key

    first = key(project)
    shutil.copytree(project, tmp_path / "other")
    os.utime(tmp_path / "other/src/a.py", (0, 0))
    (tmp_path / "other/src/a.py").chmod(0o600)
    (tmp_path / "other/src/__pycache__").mkdir()
    (tmp_path / "other/src/.git").mkdir()
    assert key(tmp_path / "other") == first
    (tmp_path / "other/src/a.py").chmod(0o700)
    assert key(tmp_path / "other") != first
    assert len({first, key(project, copy=(("src", "/b"),)), key(project, copy=(("one.txt", "/b"),))}) == 3
    (project / "src/a.py").write_text("a = 2\n")
    assert key(project) != first


def test_an_archive_that_is_added_is_unpacked_and_one_that_is_copied_is_not(project, laid):
    with tarfile.open(project / "data.tar.gz", "w:gz") as archive:
        for name, text in (("in/x", b"x\n"), ("y", b"y\n")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text))
        link = tarfile.TarInfo("in/z")
        link.type, link.linkname = tarfile.SYMTYPE, "x"
        archive.addfile(link)
    assert laid(add=(("data.tar.gz", "/d"), ("one.txt", "/d/"))) == {
        "d/in": ("folder", 0o755, ""),
        "d/in/x": ("file", 0o755, "x\n"),
        "d/in/z": ("link", 0o644, "x"),
        "d/y": ("file", 0o755, "y\n"),
        "d/one.txt": ("file", 0o644, "1\n"),
    }
    part = builders.files(Recipe(copy=(("data.tar.gz", "/d/"),), context=str(project)), BASE)
    assert [entry.path for entry in part.entries(project)] == ["d/data.tar.gz"]


def test_an_archive_that_leads_out_of_its_target_is_refused(project, laid):
    with tarfile.open(project / "bad.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(BackendError, match=r"bad\.tar cannot be unpacked"):
        laid(add=(("bad.tar", "/d"),))


def test_credentials_and_what_lies_elsewhere_do_not_travel(project, laid, tmp_path):
    (tmp_path / "secret").write_text("s")
    (project / "src/out").symlink_to(tmp_path / "secret")
    (project / "src/in").symlink_to(project / "one.txt")
    (project / "src/loop").symlink_to(project / "src")
    (project / "src/gone").symlink_to("nowhere")
    (project / "src/.env").write_text("A=1\n")
    (project / "src/id_rsa").write_text("k\n")
    os.mkfifo(project / "src/pipe")
    found = laid(copy=(("src", "/s"),))
    assert set(found) == {"s", "s/a.py", "s/deep", "s/deep/b.txt", "s/run.sh", "s/in"}
    assert found["s/in"] == ("file", 0o644, "1\n")
    (project / "src/conf.py").write_text("T = 'ghp_" + "a1B2" * 10 + "'\n")
    with pytest.raises(BackendError, match=r"conf\.py looks as if it held a GitHub token"):
        laid(copy=(("src", "/s"),))


def test_what_is_no_longer_there_is_named(project, laid):
    with pytest.raises(BackendError, match=r"gone\.txt is to be in the image, and is no longer in prøject"):
        laid(copy=(("gone.txt", "/x"),))


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("*.txt", {"one.txt", "two.txt"}),
        ("**/*.txt", {"one.txt", "two.txt", "src/deep/b.txt"}),
        ("src/deep", {"src/deep", "src/deep/b.txt"}),
        ("/src/deep/", {"src/deep", "src/deep/b.txt"}),
        ("# x\n\nsrc\n!src/a.py", {"src", "src/deep", "src/deep/b.txt", "src/run.sh"}),
        ("*\n!one.txt", {"src", "src/a.py", "src/deep", "src/deep/b.txt", "src/run.sh", "two.txt", ".dockerignore"}),
        ("src/?.py", {"src/a.py"}),
        ("src/[ab].*", {"src/a.py"}),
        ("deep", set()),
    ],
)
def test_dockerignore_counts_from_the_context_and_its_last_rule_decides(project, rules, left):
    (project / ".dockerignore").write_text(rules)
    names = {str(path.relative_to(project)) for path in project.rglob("*")}
    rule = context.ignored(project)
    assert {name for name in names if rule(name)} == left


def test_what_dockerignore_leaves_out_is_in_no_layer(project, laid):
    (project / ".dockerignore").write_text("**/*.txt\n")
    assert set(laid(copy=(("src", "/s"),))) == {"s", "s/a.py", "s/run.sh", "s/deep"}


# What has to be run


def test_only_what_has_to_run_asks_for_a_builder(project, tmp_path):
    calm = Recipe(
        env={"A": "1"}, labels={"a": "b"}, workdir="/w", user=User(uid=5), volumes=("/v",), stopsignal="SIGINT",
        shell=("/bin/bash", "-c"), copy=(("src", "/s"),), requirements=("numpy",), context=str(project),
    )  # fmt: skip
    assert builders.needs_run(calm) == ()
    cache = Cache(tmp_path / "cache")
    nothing = {"platform": "linux/amd64", "cache": cache, "environ": {}, "report": lambda _: None}
    assert builders.another(calm, BASE, **nothing) is BASE


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"apt": ("git", "curl")}, "--apt git curl"),
        ({"user": User(name="me", create=True)}, "the user me"),
        ({"dockerfile": "FROM x\n"}, "its Dockerfile"),
        ({"add": (("https://h.org/x", "/x"),)}, "ADD https://h.org/x"),
    ],
)
def test_where_nothing_can_run_commands_one_sentence_says_who_wants_it_and_what_to_do(tmp_path, said, names):
    nothing = {
        "platform": "linux/amd64", "cache": Cache(tmp_path / "cache"), "report": lambda _: None,
        "environ": {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
    }  # fmt: skip
    with pytest.raises(BackendError) as error:
        builders.another(Recipe(**said, context=str(tmp_path)), BASE, **nothing)
    assert names in error.value.what
    assert "no Docker Engine answers" in error.value.what
    assert "Start Docker" in error.value.do
    with pytest.raises(BackendError, match="the builder append runs none"):
        builders.another(Recipe(**said, builder="append", context=str(tmp_path)), BASE, **nothing)


def test_the_cluster_has_no_builder_yet_and_says_so():
    assert incluster.can(Recipe()) == "building in the cluster is not part of this version of jobq-magic"


def test_an_image_that_is_run_as_it_is_is_built_by_nobody():
    nothing = {"platform": "linux/amd64", "cache": Cache(Path("none")), "environ": {}, "report": lambda _: None}
    assert builders.another(Recipe(as_it_is=True, apt=("git",)), BASE, **nothing) is BASE


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("apt", Recipe(apt=("git", "libgomp1=12.2.0-14"))),
        (
            "everything",
            Recipe(
                apt=("git",), user=User(uid=1000, gid=100, name="me", create=True), workdir="/app",
                env={"A": 'two "words" $HOME', "PATH": "/x:$PATH", "LINES": "a\nb"}, args={"TOKEN": "canary"},
                shell=("/bin/bash", "-c"), add=(("https://h.org/x.tgz", "data/"), ("local.tar", "/x")),
                copy=(("src", "/s"),), volumes=("/v",), labels={"a": "b"},
            ),
        ),
        ("user", Recipe(user=User(name="me", create=True))),
    ],
)  # fmt: skip
def test_a_recipe_has_one_dockerfile(name, recipe):
    text = buildfile.written(recipe, "base", root=name != "user")
    golden(f"images/{name}.dockerfile", text)
    assert "canary" not in text


def test_a_recipe_that_runs_nothing_has_no_dockerfile():
    assert buildfile.written(Recipe(env={"A": "1"}, copy=(("a", "b"),)), "base") == ""


def test_a_build_is_told_of_indexes_proxies_and_certificates_that_mean_the_same_there(tmp_path):
    trusted = tmp_path / "ca.pem"
    trusted.write_text("pem")
    found = surroundings(
        {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "https://me:pa55word@index.org/simple",
            "PIP_EXTRA_INDEX_URL": "file:///srv/wheels https://more.org/simple",
            "HTTPS_PROXY": "http://localhost:3128",
            "http_proxy": "http://proxy.org:3128",
            "SSL_CERT_FILE": str(trusted),
            "HOME": str(tmp_path),
        }
    )
    assert found.variables["PIP_INDEX_URL"] == "https://me:pa55word@index.org/simple"
    assert found.variables["PIP_EXTRA_INDEX_URL"] == "https://more.org/simple"
    assert found.variables["HTTP_PROXY"] == "http://proxy.org:3128"
    assert "HTTPS_PROXY" not in found.variables
    assert found.variables["PIP_CERT"] == Surroundings.FILE
    assert found.certificates == trusted
    assert "pa55word" in found.secrets
    assert "pa55word" not in repr(found)
    assert surroundings({"PIP_CONFIG_FILE": os.devnull, "HOME": str(tmp_path)}).variables == {}


def test_a_trace_of_buildkit_tells_its_steps_and_what_they_print():
    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    vertex = field(1, b"sha256:a") + field(3, b"RUN true") + field(6, b"\x08\x01")
    log = field(1, b"sha256:a") + b"\x18\x01" + field(4, b"hello\n")
    assert buildkit.traced(field(1, vertex) + field(3, log) + b"\x28\x96\x01") == (
        [(b"sha256:a", "RUN true", True)],
        ["hello\n"],
    )
