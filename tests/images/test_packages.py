"""The requirements layer, by a real uv: it works where it is unpacked, and says nothing of this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import marshal
import os
import subprocess
import sys
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobq_magic.bundle import Requirement
from jobq_magic.errors import BackendError
from jobq_magic.image import Packages
from jobq_magic.images import packages, parts
from jobq_magic.images.layer import write
from tests.wheels import project, wheel

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = {"python": PYTHON, "platform": "linux/amd64"}
SITE = "opt/jobq/site-packages"
BACKEND = {
    "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
    "backend.py": """
import os, tarfile, zipfile
STEM = "mine-1.0"
METADATA = "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n"
def build_wheel(folder, settings=None, metadata=None):
    files = {"mine.py": open("mine.py").read(), STEM + ".dist-info/METADATA": METADATA}
    files[STEM + ".dist-info/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[STEM + ".dist-info/RECORD"] = "".join(f"{path},,\\n" for path in [*files, STEM + ".dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, STEM + "-py3-none-any.whl"), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return STEM + "-py3-none-any.whl"
""",
}
"""A build that needs nothing from an index."""


@pytest.fixture
def links(tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(links, tmp_path):
    """A folder of wheels in place of all indexes, and a cache of uv that nobody has used."""
    known = {name: text for name, text in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    return known | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "UV_CACHE_DIR": str(tmp_path / "uv cache")}


@pytest.fixture
def online():
    """The environment as it is: what builds comes from an index."""
    return dict(os.environ)


def locked(*paths):
    """A lock of these wheels."""
    lines = []
    for path in sorted(paths):
        name, version = path.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{sha256(path)}\n")
    return Packages("".join(lines))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made(part, folder):
    """The archive of a part, uncompressed."""
    folder.mkdir(parents=True)
    layer = write(part.entries(folder), compression="")
    return b"".join(layer.content.read())


def unpacked(part, root):
    """A root of a file system with the layer, and that of the runtime."""
    for number, one in enumerate([part, parts.runtime(PYTHON)]):
        with tarfile.open(fileobj=io.BytesIO(made(one, root.with_name(f"{root.name}-{number}")))) as opened:
            opened.extractall(root, filter="fully_trusted")
    return root


def files(part, folder):
    with tarfile.open(fileobj=io.BytesIO(made(part, folder))) as opened:
        return {each.name: opened.extractfile(each).read() for each in opened if each.isfile()}


def run(root, *command):
    """What a process says in that root."""
    known = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    path = f"{root / 'opt/jobq/bin'}:{Path(sys.executable).parent}:{known['PATH']}"
    env = {**known, "PATH": path, "PYTHONPATH": str(root / "opt/jobq/path")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(*arguments, folder, **more):
    with pytest.raises(BackendError) as caught:
        made(packages.part(*arguments, **more), folder)
    assert "\n" not in caught.value.what
    assert len(caught.value.lines()) <= 2
    return caught.value


SCRIPTED = {
    "tool/__init__.py": "WHERE = __file__\ndef main():\n    print('from', __name__)\n",
    "tool/tests/__init__.py": "",
    "tool/template.py": "def (\n",
    "tool/__pycache__/stale.cpython-39.pyc": "of another machine",
    "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
    "tool-1.0.data/scripts/old-tool": "#!python\nimport tool; print('old', tool.__name__)\n",
    "tool-1.0.data/scripts/shell-tool": "#!/bin/sh\necho shell\n",
}


def test_what_is_locked_is_installed_and_found(environ, links, tmp_path):
    plain, needed = wheel(links, "plain", requires=["needed"]), wheel(links, "needed")
    part = packages.part(locked(plain, needed), **HERE, environ=environ)
    assert (part.kind, part.name, part.compression) == ("requirements", "needed and plain", "gzip")
    root = unpacked(part, tmp_path / "root")
    told = run(root, "python3", "-c", "import needed, plain; print(plain.NAME, needed.__file__)")
    assert told == f"plain {root / SITE / 'needed.py'}"


def test_only_what_is_locked_is_installed(environ, links, tmp_path):
    plain = wheel(links, "plain", requires=["needed"])
    wheel(links, "needed")
    found = files(packages.part(locked(plain), **HERE, environ=environ), tmp_path / "x")
    assert not [path for path in found if "needed" in path]


def test_console_scripts_start_the_python_of_the_image(environ, links, tmp_path):
    part = packages.part(locked(wheel(links, "tool", files=SCRIPTED)), **HERE, environ=environ)
    root = unpacked(part, tmp_path / "root")
    assert {path.name for path in (root / "opt/jobq/bin").iterdir()} == {"tool", "old-tool", "shell-tool"}
    assert (root / "opt/jobq/bin/tool").read_text().splitlines()[0] == "#!/usr/bin/env python3"
    assert (run(root, "tool"), run(root, "old-tool"), run(root, "shell-tool")) == ("from tool", "old tool", "shell")


def test_scripts_that_a_shell_starts_become_scripts_of_python(tmp_path):
    from jobq_magic.images import installed

    script = tmp_path / "bin" / "tool"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n'''exec' '/a/very long/path/python' \"$0\" \"$@\"\n' '''\nprint('here')\n")
    (entry,) = installed.entries(tmp_path)
    assert entry.data == b"#!/usr/bin/env python3\nprint('here')\n"


def test_the_lists_of_installed_files_are_true(environ, links, tmp_path):
    part = packages.part(locked(wheel(links, "tool", files=SCRIPTED)), **HERE, environ=environ)
    root = unpacked(part, tmp_path / "root")
    code = """
import base64, hashlib, importlib.metadata, json
told = {}
for file in importlib.metadata.files("tool"):
    data = file.locate().read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    told[str(file)] = file.hash is None or (file.hash.value, file.size) == (digest, len(data))
print(json.dumps(told))
"""
    told = json.loads(run(root, "python3", "-c", code))
    assert all(told.values())
    assert {"../bin/tool", "../bin/old-tool", "tool/__init__.py", "tool-1.0.dist-info/RECORD"} <= set(told)


def test_bytecode_is_there_is_not_checked_and_knows_where_it_lies(environ, links, tmp_path):
    part = packages.part(locked(wheel(links, "tool", files=SCRIPTED)), **HERE, environ=environ)
    root = unpacked(part, tmp_path / "root")
    cached = {str(path.relative_to(root / SITE)) for path in (root / SITE).rglob("*.pyc")}
    assert cached == {f"tool/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"}  # no tests, and no template
    (root / SITE / "tool/__init__.py").write_text("raise SystemExit('compiled anew')\n")
    assert run(root, "tool") == "from tool"
    code = marshal.loads((root / SITE / cached.pop()).read_bytes()[16:])
    assert code.co_filename == "/opt/jobq/site-packages/tool/__init__.py"


def test_for_another_python_there_is_no_bytecode(environ, links, tmp_path):
    other = "3.12" if PYTHON != "3.12" else "3.13"
    part = packages.part(locked(wheel(links, "plain")), python=other, platform="linux/amd64", environ=environ)
    assert not [path for path in files(part, tmp_path / "x") if path.endswith(".pyc")]


def test_twice_installed_is_the_same_to_the_byte(environ, links, tmp_path):
    found = [wheel(links, "tool", files=SCRIPTED), wheel(links, "plain")]
    script = """
import json, os, sys
from pathlib import Path
from jobq_magic.image import Packages
from jobq_magic.images import packages
from jobq_magic.images.layer import write
folder = Path(sys.argv[1]); folder.mkdir()
os.umask(int(sys.argv[2], 8))
part = packages.part(Packages(sys.argv[3]), python=sys.argv[4], platform="linux/amd64", environ=dict(os.environ))
print(part.key, write(part.entries(folder)).diff_id)
"""
    told = set()
    for number, mask in enumerate(["022", "077", "000"]):
        env = {**environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number), "TZ": f"X{number}"}
        env["UV_CACHE_DIR"] = str(tmp_path / f"cache {number % 2}")
        arguments = [str(tmp_path / f"{'ü' * number} made"), mask, locked(*found).text, PYTHON]
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        told.add(done.stdout)
    assert len(told) == 1


def test_nothing_in_a_layer_says_where_it_was_made(environ, links, tmp_path):
    source = project(tmp_path / "mine", BACKEND | {"mine.py": "X = 1\n"})
    known = locked(wheel(links, "tool", files=SCRIPTED))
    wanted = Packages(known.text, (Requirement("mine", "1", "directory", str(source)),))
    archive = made(packages.part(wanted, **HERE, environ=environ), tmp_path / "x")
    assert b"mine.py" in archive
    for secret in (str(tmp_path), str(links), sys.executable, sys.prefix, sys.base_prefix, os.environ["HOME"]):
        assert secret.encode() not in archive


class Guarded(SimpleHTTPRequestHandler):
    """A folder, for those who know the password."""

    def do_GET(self):
        good = "Basic " + base64.b64encode(b"me:hunter2/secret").decode()
        if self.headers.get("Authorization") == good:
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def guarded(tmp_path):
    """The address of an index with a password."""

    def handler(*arguments):
        return Guarded(*arguments, directory=str(tmp_path / "index"))

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://me:hunter2%2Fsecret@127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("how", ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_the_password_of_an_index_opens_it_and_is_in_no_byte(environ, guarded, tmp_path, how):
    private = wheel(tmp_path / "index" / "simple" / "private", "private")
    settings = {name: text for name, text in environ.items() if not name.startswith("PIP_")}
    settings |= {how: guarded, "UV_HTTP_RETRIES": "0"}
    part = packages.part(locked(private), **HERE, environ=settings)
    archive = made(part, tmp_path / "x")
    assert b"private.py" in archive
    for canary in (b"hunter2", b"127.0.0.1", b"/simple"):
        assert canary not in archive
    assert "hunter2" not in repr(part)
    wrong = settings | {how: guarded.replace("hunter2", "hunter3"), "UV_CACHE_DIR": str(tmp_path / "other cache")}
    told = refused(locked(private), **HERE, environ=wrong, folder=tmp_path / "y")
    assert told.code == "cannot-install"
    assert "hunter" not in str(told)


def test_what_the_base_provides_is_left_out(environ, links, tmp_path):
    found = locked(wheel(links, "plain"), wheel(links, "ray_like"))
    part = packages.part(found, **HERE, without=frozenset({"Ray-Like"}), environ=environ)
    assert part.name == "plain"
    assert part.key == packages.part(locked(links / "plain-1.0-py3-none-any.whl"), **HERE, environ=environ).key
    assert not [path for path in files(part, tmp_path / "x") if "ray_like" in path]
    assert (
        packages.part(locked(links / "ray_like-1.0-py3-none-any.whl"), **HERE, without={"ray-like"}, environ=environ)
        is None
    )


def test_without_packages_there_is_no_layer(environ):
    assert packages.part(Packages(), **HERE, environ=environ) is None


def test_names_without_a_lock_are_installed_with_what_they_need(environ, links, tmp_path):
    wheel(links, "plain", requires=["needed", "ray_like"])
    wheel(links, "needed")
    wheel(links, "ray_like")
    wanted = Packages("plain==1.0\n")
    found = files(packages.part(wanted, **HERE, without=frozenset({"ray-like"}), environ=environ), tmp_path / "x")
    assert {f"{SITE}/plain.py", f"{SITE}/needed.py"} <= set(found)
    assert not [path for path in found if "ray_like" in path]


def test_the_key_is_of_what_counts(environ, links):
    one = locked(wheel(links, "plain"))
    key = packages.part(one, **HERE, environ=environ).key
    assert packages.part(one, **HERE, environ={}).key == key
    others = [
        packages.part(one, python="3.99", platform="linux/amd64", environ=environ),
        packages.part(one, python=PYTHON, platform="linux/arm64", environ=environ),
        packages.part(Packages(one.text + "more==1.0 --hash=sha256:00\n"), **HERE, environ=environ),
        packages.part(Packages(one.text, (Requirement("x", "1", "vcs", "git+https://host/x@1"),)), **HERE, environ={}),
    ]
    assert len({key, *(part.key for part in others)}) == 5


def sdist(links, name):
    path = links / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        data = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
        entry = tarfile.TarInfo(f"{name}-1.0/PKG-INFO")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return path


def test_a_distribution_without_a_wheel_is_for_a_builder(environ, links, tmp_path):
    path = sdist(links, "sourceonly")
    wanted = Packages(f"sourceonly==1.0 --hash=sha256:{sha256(path)}\n")
    told = refused(wanted, **HERE, environ=environ, folder=tmp_path / "x")
    assert told.code == "needs-build"
    assert told.what == (f"there is no wheel of sourceonly for Python {PYTHON} on linux/amd64: it has to be built")


def test_other_failures_have_uv_s_reason(environ, links, tmp_path):
    told = refused(Packages(f"gone==1.0 --hash=sha256:{'0' * 64}\n"), **HERE, environ=environ, folder=tmp_path / "x")
    assert told.code == "cannot-install"
    assert "gone" in told.what
    changed = locked(wheel(links, "plain"))
    wheel(links, "plain", files={"plain.py": "other\n"})
    told = refused(changed, **HERE, environ=environ, folder=tmp_path / "y")
    assert told.code == "cannot-install"
    assert "plain" in told.what
    assert "run the cell again" in told.do


def build(name, source, kind="directory"):
    return Packages("", (Requirement(name, "1.0", kind, str(source)),))


def tree(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("kind", ["directory", "editable"])
def test_a_folder_is_built_and_left_as_it_is(online, tmp_path, kind):
    source = project(
        tmp_path / "my project",
        {
            "setup.py": "from setuptools import setup\nsetup(name='mine', version='1.0', py_modules=['mine'])\n",
            "mine.py": "X = 1\n",
            "build/lib/stale.py": "what an old build left\n",
        },
    )
    before = tree(source)
    part = packages.part(build("mine", source, kind), **HERE, environ=online)
    found = files(part, tmp_path / "x")
    assert found[f"{SITE}/mine.py"] == b"X = 1\n"
    assert f"{SITE}/stale.py" not in found
    assert tree(source) == before


def test_a_changed_source_is_another_layer_and_what_lies_beside_it_is_not(environ, tmp_path):
    source = project(tmp_path / "mine", BACKEND | {"mine.py": "X = 1\n"})
    first = packages.part(build("mine", source), **HERE, environ=environ).key
    project(source, {".git/index": "", "__pycache__/mine.pyc": "", "build/x": "", "mine.egg-info/PKG-INFO": ""})
    assert packages.part(build("mine", source), **HERE, environ=environ).key == first
    project(source, {"mine.py": "X = 2\n"})
    assert packages.part(build("mine", source), **HERE, environ=environ).key != first


def test_a_project_that_reaches_beside_itself_is_built_where_it_is(environ, tmp_path):
    project(tmp_path, {"beside.txt": "beside\n"})
    source = project(tmp_path / "mine", BACKEND | {"mine.py": "X = 1\n"})
    project(source, {"backend.py": BACKEND["backend.py"] + "open('../beside.txt').close()\n"})
    assert f"{SITE}/mine.py" in files(packages.part(build("mine", source), **HERE, environ=environ), tmp_path / "x")


def test_a_folder_that_cannot_be_built_or_is_gone_is_named(environ, tmp_path):
    source = project(tmp_path / "mine", BACKEND | {"backend.py": "raise ValueError('not today')\n"})
    told = refused(build("mine", source), **HERE, environ=environ, folder=tmp_path / "x")
    assert told.code == "cannot-build"
    assert f"mine cannot be built from {source}" in told.what
    with pytest.raises(BackendError, match=r"mine cannot be put into the image: .*nowhere is not there"):
        packages.part(build("mine", tmp_path / "nowhere"), **HERE, environ=environ)


def test_a_wheel_that_lies_here_is_installed_beside_the_lock(environ, links, tmp_path):
    path = wheel(tmp_path / "else where", "mine")
    wanted = Packages(
        locked(wheel(links, "plain")).text, (Requirement("mine", "1.0", "archive", f"{path.as_uri()}#sha256=1"),)
    )
    found = files(packages.part(wanted, **HERE, environ=environ), tmp_path / "x")
    assert {f"{SITE}/mine.py", f"{SITE}/plain.py"} <= set(found)


def test_a_repository_is_built_at_its_commit(environ, tmp_path):
    source = project(tmp_path / "repository", BACKEND | {"mine.py": "X = 1\n"})
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    project(source, {"mine.py": "X = 2\n"})
    part = packages.part(build("mine", f"git+{source.as_uri()}@{commit}", "vcs"), **HERE, environ=environ)
    found = files(part, tmp_path / "x")
    assert found[f"{SITE}/mine.py"] == b"X = 1\n"
    assert not [path for path, data in found.items() if str(source).encode() in data]


def test_an_extension_that_was_built_here_is_not_for_another_platform(environ, tmp_path):
    """A wheel for this machine, as a build of an extension makes one."""
    path = wheel(tmp_path / "wheels", "mine").rename(tmp_path / "mine-1.0-cp311-cp311-linux_x86_64.whl")
    wanted = Packages("", (Requirement("mine", "1.0", "archive", path.as_uri()),))
    told = refused(wanted, python="3.11", platform="linux/arm64", environ=environ, folder=tmp_path / "x")
    assert told.code == "cannot-install"
    assert "incompatible with the current platform" in told.what


def test_settings_for_the_user_s_own_environments_do_not_count(environ, links, tmp_path):
    one = locked(wheel(links, "plain"))
    settings = {"UV_NO_BINARY": "1", "UV_COMPILE_BYTECODE": "1", "UV_PYTHON": "3.9", "UV_CONSTRAINT": "/nowhere"}
    found = [
        files(packages.part(one, **HERE, environ=environ | more), tmp_path / f"{len(more)}") for more in ({}, settings)
    ]
    assert found[0] == found[1]


def test_without_uv_there_is_one_sentence(environ, links, tmp_path, monkeypatch):
    def nowhere():
        raise FileNotFoundError("Could not find the uv binary in any of these:\n - here\n - there\n")

    monkeypatch.setattr("uv.find_uv_bin", nowhere)
    told = refused(locked(wheel(links, "plain")), **HERE, environ=environ, folder=tmp_path / "x")
    assert told.what == "the packages cannot be installed: the program uv is not there (uv)"
