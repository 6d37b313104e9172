"""Locks, by a real uv: against wheels in a folder, against an index with a password, against the public one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.version import Version

from jobq_magic import uvtool
from jobq_magic.bundle import Requirement
from jobq_magic.capture.requirements import roots
from jobq_magic.capture.requirements.accelerators import for_gpus, needs_more
from jobq_magic.capture.requirements.locking import lock
from jobq_magic.errors import CaptureError
from jobq_magic.indexes import sources
from tests.wheels import Environment, project, wheel

TARGET = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "platform": "x86_64-manylinux_2_28"}
PASSWORD = "hunter2%2Fsecret"


@pytest.fixture
def folder_only(monkeypatch, tmp_path):
    """A folder of wheels in place of all indexes; what pip would use."""
    links = tmp_path / "links"
    links.mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """An environment that can lock."""
    place = Environment(tmp_path_factory.mktemp("there") / "venv")
    place.install("uv", "packaging")
    return place


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "locks"


def pins(made):
    return [line.split()[0] for line in made.text.splitlines() if not line.startswith(" ")]


def of_index(name, version):
    return Requirement(name, version)


def test_a_lock_has_the_installed_versions_and_what_they_need_with_hashes(cache):
    import httpx

    made = lock(roots({"httpx": "cell"}).requirements, **TARGET, cache=cache)
    assert f"httpx=={httpx.__version__}" in pins(made)
    found = {line.partition("==")[0]: line.partition("==")[2] for line in pins(made)}
    assert {"anyio", "certifi", "h11", "httpcore", "httpx", "idna"} <= set(found)
    from importlib.metadata import version

    assert all(Version(found[name]) == Version(version(name)) for name in ("anyio", "certifi", "h11", "idna"))
    assert made.text.count("--hash=sha256:") >= len(found)
    assert "://" not in made.text
    assert "#" not in made.text
    assert (made.build, made.cached, made.notes) == ((), False, ())
    assert made.digest == hashlib.sha256(made.text.encode()).hexdigest()


def test_the_second_time_a_lock_is_kept_and_nobody_is_asked(folder_only, cache, monkeypatch):
    wheel(folder_only, "plain", requires=["needed>=1"])
    wheel(folder_only, "needed")
    first = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    assert pins(first) == ["needed==1.0", "plain==1.0"]
    monkeypatch.setattr("jobq_magic.capture.requirements.compiling._uv", lambda: "/nowhere/uv")
    second = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    assert second.cached
    assert (second.text, second.digest, second.build) == (first.text, first.digest, first.build)


@pytest.mark.parametrize("change", ["roots", "target", "gpus", "settings"])
def test_another_question_has_another_answer(folder_only, cache, monkeypatch, change):
    wheel(folder_only, "plain")
    wheel(folder_only, "other")
    lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    wanted, more = [of_index("plain", "1.0")], {}
    if change == "roots":
        wanted.append(of_index("other", "1.0"))
    elif change == "target":
        more = {"platform": "aarch64-manylinux_2_28"}
    elif change == "gpus":
        more = {"gpus": True}
    else:
        monkeypatch.setenv("UV_PRERELEASE", "disallow")
    assert not lock(wanted, **(TARGET | more), cache=cache).cached


def test_a_damaged_lock_is_made_again(folder_only, cache):
    wheel(folder_only, "plain")
    first = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    (kept,) = cache.iterdir()
    for damage in (b"[1]", b'{"format": 1, "text": "x"}', kept.read_bytes()[:-9]):
        kept.write_bytes(damage)
        again = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
        assert (again.cached, again.text) == (False, first.text)


def test_where_no_lock_can_be_kept_it_is_made_each_time(folder_only, cache):
    wheel(folder_only, "plain")
    cache.write_text("no folder")
    for _ in range(2):
        made = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
        assert (pins(made), made.cached) == (["plain==1.0"], False)


def test_without_uv_the_refusal_says_so(folder_only, cache, monkeypatch):
    monkeypatch.setattr("jobq_magic.capture.requirements.compiling._uv", lambda: "/nowhere/uv")
    with pytest.raises(CaptureError, match="No such file or directory \\(/nowhere/uv\\)") as caught:
        lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    assert caught.value.code == "cannot-lock"


def test_what_is_asked_for_wins_over_what_is_installed(folder_only, cache):
    import idna

    for version in ("1.0", idna.__version__, "999.0"):
        wheel(folder_only, "idna", version)
    asked = {line: pins(lock(roots({}, [line]).requirements, **TARGET, cache=cache)) for line in ("idna", "idna<2")}
    assert asked == {"idna": [f"idna=={idna.__version__}"], "idna<2": ["idna==1.0"]}


def test_what_is_on_no_index_is_apart_and_what_it_needs_is_locked(there, tmp_path):
    links = tmp_path / "links"
    pyproject = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "mine"
version = "1.0.dev0+local"
dependencies = ["needed>=1", "sibling"]
[tool.hatch.build.targets.wheel]
packages = ["minelib"]
"""
    mine = project(tmp_path / "mine", {"pyproject.toml": pyproject, "minelib/__init__.py": ""})
    for version in ("1.0", "2.0"):
        wheel(links, "needed", version)
    wheel(links, "user-of-mine", requires=["mine", "needed"])
    sibling = wheel(tmp_path / "elsewhere", "sibling", requires=["needed"])
    there.install("--no-index", "--find-links", links, "needed==1.0", sibling)
    there.install("--no-deps", "-e", mine)
    there.install("--no-index", "--find-links", links, "user-of-mine")
    code = f"""
from dataclasses import asdict
from pathlib import Path
from jobq_magic.capture.requirements import roots
from jobq_magic.capture.requirements.locking import lock
seen = []
for module in ("minelib", "user_of_mine"):
    found = roots({{module: "cell"}}).requirements
    made = lock(found, **{TARGET!r}, cache=Path({str(tmp_path / "locks")!r}))
    again = lock(found, **{TARGET!r}, cache=Path({str(tmp_path / "locks")!r}))
    assert again.cached and again.build == made.build and again.text == made.text
    seen.append([made.text, [asdict(one) for one in made.build], made.notes])
tell(seen)
"""
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    (text, build, notes), (other, all_built, _) = there.run(code, env=settings)
    assert [line.split()[0] for line in text.splitlines() if line[0] != " "] == ["needed==1.0"]
    assert [(one["name"], one["version"], one["source"]) for one in build] == [
        ("mine", "1.0.dev0+local", "editable"),
        ("sibling", "1.0", "archive"),
    ]
    assert build[0]["origin"] == str(mine)
    assert build[0]["why"] == "cell → minelib"
    assert build[1]["why"] == "needed by mine"
    assert notes == []
    assert [line.split()[0] for line in other.splitlines() if line[0] != " "] == ["needed==1.0", "user-of-mine==1.0"]
    assert [(one["name"], one["why"]) for one in all_built] == [
        ("mine", "needed by user-of-mine"),
        ("sibling", "needed by mine"),
    ]


def test_what_is_asked_for_by_address_is_apart(folder_only, cache):
    wheel(folder_only, "needed")
    file = wheel(folder_only.parent / "elsewhere", "addressed", requires=["needed"])
    made = lock(roots({}, [f"addressed @ {file.as_uri()}"]).requirements, **TARGET, cache=cache)
    assert pins(made) == ["needed==1.0"]
    (built,) = made.build
    assert (built.name, built.source) == ("addressed", "archive")
    assert built.origin.startswith(file.as_uri())


def test_a_build_that_is_on_no_index_gives_way_to_the_public_one_and_that_is_told(folder_only, cache):
    wheel(folder_only, "tensors", "2.1")
    made = lock([of_index("tensors", "2.1+cpu")], **TARGET, cache=cache)
    assert pins(made) == ["tensors==2.1"]
    assert made.notes == ("tensors is 2.1+cpu here, and 2.1 in the lock: that build is on no index that is known",)
    assert lock([of_index("tensors", "2.1+cpu")], **TARGET, cache=cache).notes == made.notes


def test_a_build_for_cpus_stays_where_an_index_has_it(folder_only, cache):
    wheel(folder_only, "tensors", "2.1+cpu")
    made = lock([of_index("tensors", "2.1+cpu")], **TARGET, cache=cache)
    assert (pins(made), made.notes) == (["tensors==2.1+cpu"], ())


def test_with_gpus_a_build_for_cpus_is_refused(folder_only, cache):
    wheel(folder_only, "tensors", "2.1+cpu")
    wheel(folder_only, "model", requires=["tensors"])
    with pytest.raises(CaptureError) as caught:
        lock([of_index("model", "1.0")], **TARGET, gpus=True, cache=cache)
    assert caught.value.code == "cannot-lock"
    assert "tensors 2.1+cpu, built for CPUs only" in caught.value.what
    assert "PIP_EXTRA_INDEX_URL" in caught.value.do


def test_with_gpus_the_public_version_takes_the_place_of_a_build_for_cpus(there, tmp_path):
    links = tmp_path / "links"
    wheel(links, "tensors", "2.1+cpu")
    there.install("--no-index", "--find-links", links, "tensors")
    code = f"""
from pathlib import Path
from jobq_magic.capture.requirements import roots
from jobq_magic.capture.requirements.locking import lock
from jobq_magic.errors import CaptureError
def made(gpus):
    return lock(roots({{"tensors": ""}}).requirements, **{TARGET!r}, gpus=gpus, cache=Path({str(tmp_path / "locks")!r}))
try:
    tell([made(False).text, made(True).text])
except CaptureError as error:
    tell([error.code, str(error)])
"""
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    refused = there.run(code, env=settings)
    assert refused[0] == "cannot-lock"
    wheel(links, "tensors", "2.1")
    without, with_gpus = there.run(code, env=settings)
    assert without.startswith("tensors==2.1+cpu ")
    assert with_gpus.startswith("tensors==2.1 ")


def test_with_gpus_jax_brings_its_plugin_for_cuda(cache):
    made = lock([of_index("jax", "0.6.2")], **TARGET, gpus=True, cache=cache)
    assert "jax==0.6.2" in pins(made)
    assert any(line.startswith("jax-cuda12-plugin==") for line in pins(made))
    assert made.notes == ("jax goes as jax[cuda12], for GPUs",)


def test_frameworks_go_by_the_names_of_their_builds_for_gpus():
    assert for_gpus("jax", "1.0", ["tpu", "cuda13", "cuda12"])[0] == "jax[cuda12]==1.0"
    assert for_gpus("jax", "1.0", ["cuda14", "cuda13"])[0] == "jax[cuda13]==1.0"
    assert for_gpus("tensorflow-cpu", "2.0", [])[0] == "tensorflow[and-cuda]==2.0"
    assert for_gpus("xgboost-cpu", "3.0", []) == ("xgboost==3.0", "xgboost-cpu goes as xgboost, for GPUs")
    assert for_gpus("numpy", "2.0", []) == ("numpy==2.0", "")
    assert needs_more(["jax", "jaxlib"]) == ["jax"]
    assert needs_more(["jax", "jax-cuda12-plugin", "torch"]) == []


def test_without_a_lock_only_names_and_versions_are_told(cache):
    wanted = [of_index("plain", "1.0"), of_index("tensors", "2.1+cpu"), Requirement("mine", "1", "editable", "/x")]
    wanted += roots({}, ["asked[x]>=2"]).requirements
    made = lock(wanted, **TARGET, cache=cache, no_lock=True)
    assert made.text == "plain==1.0\ntensors==2.1\nasked[x]>=2\n"
    assert [one.name for one in made.build] == ["mine"]
    assert "nothing is locked" in made.notes[0]
    assert not cache.exists()


def test_nothing_needed_is_an_empty_lock(cache, monkeypatch):
    monkeypatch.setattr("jobq_magic.capture.requirements.compiling._uv", lambda: "/nowhere/uv")
    made = lock([], **TARGET, cache=cache)
    assert (made.text, made.build) == ("", ())


def test_what_has_no_solution_is_refused_with_its_reason(folder_only, cache):
    wheel(folder_only, "plain", requires=["needed>=3"])
    wheel(folder_only, "needed")
    with pytest.raises(CaptureError) as caught:
        lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    assert caught.value.code == "cannot-lock"
    what, do = caught.value.lines()
    assert "needed" in what
    assert "\n" not in what
    assert str(folder_only.parent) not in what
    assert "--no-lock" in do
    assert "--requirement" in do
    assert not list(cache.glob("*"))


def test_a_package_that_is_not_there_is_refused_by_name_and_not_sent_after_other_versions(folder_only, cache):
    wheel(folder_only, "plain")
    with pytest.raises(CaptureError) as caught:
        lock([of_index("palin", "1.0")], **TARGET, cache=cache)
    assert "palin was not found" in caught.value.what
    assert caught.value.do.startswith("Check how its name is written")
    assert "--no-lock" not in caught.value.do


def test_of_a_long_proof_that_nothing_fits_the_first_step_is_told():
    steps = [f"Because a=={n} depends on b=={n} and a>=1 depends on b==0, we can conclude that a=={n} cannot be used."
             for n in range(1, 9)]  # fmt: skip
    told = "\n".join(["error: No solution found when resolving dependencies", "  cause: " + steps[0], *steps[1:]])
    assert uvtool.reason(told, frozenset()) == "a==1 depends on b==1 and a>=1 depends on b==0"


def test_of_a_long_proof_the_step_is_told_after_which_something_cannot_be_used():
    so = ", we can conclude that"
    steps = [
        f"Because s3fs==0 depends on fsspec==0{so} it does.",
        *(f"And because s3fs=={n} depends on fsspec=={n}{so} it does." for n in range(1, 9)),
        f"And because s3fs==9 depends on fsspec==9{so} it does. (1)",
        "",
        f"Because aiobotocore depends on python-dateutil<3 and python-dateutil==4{so} aiobotocore cannot be used.",
        f"And because we know from (1) that you require s3fs{so} your requirements are unsatisfiable.",
    ]
    told = "error: No solution found when resolving dependencies\n  cause: " + "\n         ".join(steps)
    assert uvtool.reason(told, frozenset()) == "aiobotocore depends on python-dateutil<3 and python-dateutil==4"


def test_without_a_network_nothing_is_made_up(cache, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:{PASSWORD}@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(CaptureError) as caught:
        lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    assert caught.value.code == "cannot-lock"
    assert "127.0.0.1:9" in caught.value.what
    assert "See to the network" in caught.value.do
    assert "hunter2" not in str(caught.value)
    assert not list(cache.glob("*"))


class Guarded(SimpleHTTPRequestHandler):
    """A folder, for those who know the password."""

    def do_GET(self):
        good = "Basic " + base64.b64encode(b"me:hunter2/secret").decode()
        if self.headers.get("Authorization") != good:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def guarded(tmp_path, monkeypatch):
    """The address of an index with a password, with `private` on it."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv cache"))
    wheel(tmp_path / "index" / "simple" / "private", "private")

    def handler(*arguments):
        return Guarded(*arguments, directory=str(tmp_path / "index"))

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://me:{PASSWORD}@127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    thread.join()
    server.server_close()


def told(folder):
    """All that files of a folder say, and their names."""
    return b"".join(str(path).encode() + path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("how", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "pip.conf", "UV_DEFAULT_INDEX"])
def test_a_private_index_is_used_and_its_password_stays_in_no_file(guarded, cache, monkeypatch, tmp_path, how):
    if how == "pip.conf":
        conf = Path(os.environ["XDG_CONFIG_HOME"]) / "pip" / "pip.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text(f"[global]\nindex-url = {guarded}\n")
    elif how == "PIP_EXTRA_INDEX_URL":
        (tmp_path / "index" / "first").mkdir()
        monkeypatch.setenv("PIP_INDEX_URL", guarded.replace("simple", "first"))
        monkeypatch.setenv(how, guarded)
    else:
        monkeypatch.setenv(how, guarded)
    made = lock([of_index("private", "1.0")], **TARGET, cache=cache)
    assert pins(made) == ["private==1.0"]
    assert lock([of_index("private", "1.0")], **TARGET, cache=cache).cached
    assert "hunter2" not in repr(made)
    assert b"hunter2" not in told(cache)
    assert b"hunter2" not in told(tmp_path / "uv cache")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(CaptureError) as caught:
        lock([of_index("private", "2.0")], **TARGET, cache=cache)
    assert "hunter2" not in str(caught.value)


def test_a_wrong_password_is_told_without_it(guarded, cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", guarded.replace("hunter2", "hunter3"))
    with pytest.raises(CaptureError) as caught:
        lock([of_index("private", "1.0")], **TARGET, cache=cache)
    assert "hunter" not in str(caught.value)
    assert "\n" not in caught.value.what


def test_the_passwords_of_an_index_do_not_change_which_lock_it_is():
    one, other = ({"PIP_INDEX_URL": f"https://me:{word}@host/simple"} for word in ("abcde", "fghij"))
    assert sources(one).key == sources(other).key
    assert sources(one).secrets == {"abcde"}
    assert "abcde" not in repr(sources(one).key)


def test_settings_of_pip_are_said_in_the_words_of_uv(tmp_path):
    home = project(
        tmp_path,
        {
            ".pip/pip.conf": "[global]\nindex-url = https://old/simple\ncert = /old.pem\ntrusted-host = a b\n",
            ".config/pip/pip.conf": "[global]\nindex-url = https://new/simple\n[install]\nextra-index-url =\n"
            "    https://one/simple\n    https://two/simple\n",
        },
    )
    found = sources({"HOME": str(home), "PIP_CERT": "/mine.pem"}).variables
    assert found["UV_DEFAULT_INDEX"] == "https://new/simple"
    assert found["UV_INDEX"] == "https://one/simple https://two/simple"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found["UV_INSECURE_HOST"] == "a b"
    assert found["SSL_CERT_FILE"] == "/mine.pem"
    assert "UV_DEFAULT_INDEX" not in sources({"HOME": str(home), "UV_INDEX_URL": "https://uv/simple"}).variables
    assert "SSL_CERT_FILE" not in sources({"HOME": str(home), "SSL_CERT_FILE": "/uv.pem"}).variables
    assert sources({"REQUESTS_CA_BUNDLE": "/r.pem", "PIP_CONFIG_FILE": os.devnull}).variables == {
        "SSL_CERT_FILE": "/r.pem"
    }
    named = project(tmp_path, {"named.conf": "[global]\nno-index = true\nproxy = host:8080\n"}) / "named.conf"
    found = sources({"HOME": str(tmp_path / "none"), "PIP_CONFIG_FILE": str(named)})
    assert found.options == ("--no-index",)
    assert found.variables["HTTPS_PROXY"] == "http://host:8080"
    known = {"HOME": str(tmp_path / "none"), "PIP_PROXY": "http://me:hunter2@host", "HTTPS_PROXY": "http://other"}
    assert "hunter2" in sources(known).secrets


def test_settings_that_uv_finds_in_a_project_count_and_leave_no_address_in_the_lock(guarded, cache, tmp_path):
    text = f'[[tool.uv.index]]\nurl = "{guarded}"\ndefault = true\n[tool.uv.pip]\nemit-index-url = true\n'
    (Path.cwd() / "pyproject.toml").write_text(text)
    made = lock([of_index("private", "1.0")], **TARGET, cache=cache)
    assert pins(made) == ["private==1.0"]
    assert "://" not in made.text
    assert b"hunter2" not in told(cache)


def test_a_lock_can_be_installed_with_its_hashes_required(folder_only, cache, tmp_path):
    wheel(folder_only, "plain", requires=["needed"])
    wheel(folder_only, "needed")
    made = lock([of_index("plain", "1.0")], **TARGET, cache=cache)
    (tmp_path / "lock.txt").write_text(made.text)
    place = Environment(tmp_path / "venv")
    place.install("--require-hashes", "--no-index", "--find-links", folder_only, "-r", tmp_path / "lock.txt")
    assert place.run("import plain, needed\ntell(plain.NAME)") == "plain"


def test_locking_imports_nothing_before_it_is_asked_for():
    code = "import json, sys\nimport jobq_magic.capture.requirements\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"uv", "packaging", "subprocess", "configparser", "zipfile"} & set(json.loads(done.stdout))
