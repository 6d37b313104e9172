"""From modules to distributions, with real ones in a real environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from jobq_magic.capture.requirements import roots
from jobq_magic.errors import OptionError
from tests.wheels import ROOT, Environment, project, wheel

HATCHLING = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "1.0"
dependencies = {requires}
[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""
SETUPTOOLS = """[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
version = "1.0"
[tool.setuptools]
packages = ["{package}"]
{more}
"""
MANY = ["IPython", "PIL", "attr", "bs4", "dateutil", "matplotlib", "numpy", "pandas", "polars", "pyarrow", "pydantic"]
MANY += ["ray", "requests", "rich", "sqlalchemy", "xgboost", "yaml", "zmq"]


def committed(folder):
    """The folder as a repository, and its commit."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


class Installed(Environment):
    """One of everything."""

    def __init__(self, base):
        super().__init__(base / "venv")
        hatched = {"pyproject.toml": HATCHLING.format(name="hatched", package="src/hatchlib", requires=["six"])}
        self.hatched = project(base / "hatched", hatched | {"src/hatchlib/__init__.py": "", "src/hatchlib/deep.py": ""})
        project(base / "hatched", {"notebooks/helper.py": "", "src/aside/__init__.py": ""})
        table = SETUPTOOLS.format(name="by-table", package="tablelib", more="")
        self.table = project(base / "table", {"pyproject.toml": table, "tablelib/__init__.py": "", "loose.py": ""})
        path = SETUPTOOLS.format(name="by-path", package="pathlib_of_mine", more="package-dir = {'' = 'src'}")
        self.path = project(base / "path", {"pyproject.toml": path, "src/pathlib_of_mine/__init__.py": ""})
        repository = {"pyproject.toml": HATCHLING.format(name="git-tool", package="gitty", requires=[])}
        self.repository = project(base / "repository", repository | {"gitty/__init__.py": ""})
        self.commit = committed(self.repository)
        folder = {"pyproject.toml": HATCHLING.format(name="from-folder", package="folderlib", requires=[])}
        self.source = project(base / "folder", folder | {"folderlib/__init__.py": ""})
        self.wheel = wheel(base / "wheels", "from-wheel", files={"wheelib/__init__.py": "", "wheelib/part.py": ""})
        links = base / "links"
        wheel(links, "acme-one", files={"acme/one/__init__.py": ""})
        wheel(links, "acme-two", files={"acme/two/__init__.py": "", "acme/two/far/away.py": ""})
        wheel(links, "Oddly.Named", "2.1+cpu", files={"something_else/__init__.py": "", "_ext.py": ""})
        wheel(links, "twin-a", files={"twins/__init__.py": "WHO = 'a'\n", "twins/a.py": ""})
        wheel(links, "twin-b", files={"twins/__init__.py": "WHO = 'b'\n", "twins/b.py": ""})
        wheel(links, "speedy", files={"speedlib/__init__.py": "def go():\n    pass\n"})
        wheel(links, "idle")
        host = "try:\n    from speedlib import go\nexcept ImportError:\n    go = None\n"
        extras = ["speedy; extra == 'fast'", "idle; extra == 'fast'", "twin-a; extra == 'all'"]
        wheel(links, "host", files={"host.py": host}, requires=extras, extras=["fast", "all"])
        parts = {"parted/__init__.py": "", "parted/fast.py": "", "parted/plain.py": "", "parted/sub/fast.py": ""}
        wheel(links, "parted", files=parts, requires=["speedy; extra == 'fast'", "x; extra == 'fast'"], extras=["fast"])
        wheel(links, "lonely-part", files={"lonely/part.py": ""})
        wheel(links, "by-conda", files={"condalib.py": ""})
        self.install("hatchling", "setuptools>=64", "editables", "packaging", "six")
        named = ["acme-one", "acme-two", "oddly-named", "speedy", "idle", "host", "parted", "by-conda", "lonely-part"]
        self.install("--no-index", "--find-links", links, *named, self.wheel)
        editables = ["-e", self.hatched, "-e", self.table, "-e", self.path]
        self.install("--no-build-isolation", *editables, self.source, f"git+file://{self.repository}")
        for twin in ("twin-b", "twin-a"):
            self.install("--no-index", "--find-links", links, twin)
        os.utime(self.site / "twin_b-1.0.dist-info")  # whose file it is is told by the file, and not by the hour
        (self.site / "by_conda-1.0.dist-info/INSTALLER").write_text("conda\n")
        (self.site / "by_hand.py").write_text("")


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("all kinds"))


def test_an_editable_install_is_known_by_where_its_source_lies(there):
    found = there.resolve("hatchlib.deep", "tablelib", "pathlib_of_mine")
    assert found.names == ["by-path", "by-table", "hatched"]
    assert {one["source"] for one in found.requirements.values()} == {"editable"}
    assert found["hatched"]["origin"] == str(there.hatched)
    assert found["by-table"]["origin"] == str(there.table)
    assert found.notes == []


def test_an_editable_install_is_known_when_it_is_loaded_too(there):
    before = "import hatchlib.deep, tablelib, pathlib_of_mine"
    assert there.resolve("hatchlib.deep", "tablelib", "pathlib_of_mine", before=before).names == [
        "by-path",
        "by-table",
        "hatched",
    ]


def test_a_module_in_a_folder_of_the_project_that_is_imported_from_there_is_local_code(there):
    assert there.resolve("helper", path=[there.hatched / "notebooks"]).names == []
    assert there.resolve("loose", path=[there.table]).names == []
    assert there.resolve("deep", path=[there.hatched / "src" / "hatchlib"]).names == []


def test_a_repository_is_named_with_its_commit(there):
    found = there.resolve("gitty")["git-tool"]
    assert (found["source"], found["version"]) == ("vcs", "1.0")
    assert found["origin"] == f"git+{there.repository.as_uri()}@{there.commit}"


def test_a_folder_and_a_file_are_named(there):
    found = there.resolve("folderlib", "wheelib.part")
    assert (found["from-folder"]["source"], found["from-folder"]["origin"]) == ("directory", str(there.source))
    assert found["from-wheel"]["source"] == "archive"
    assert found["from-wheel"]["origin"].startswith(there.wheel.as_uri())


def test_in_a_namespace_the_submodule_decides(there):
    assert there.resolve("acme.one").names == ["acme-one"]
    assert there.resolve("acme.two.far.away").names == ["acme-two"]
    assert there.resolve("acme", "acme.two").names == ["acme-two"]


def test_a_namespace_alone_needs_what_is_loaded_of_it_or_says_that_it_cannot_tell(there):
    assert there.resolve("acme", before="import acme.one").names == ["acme-one"]
    assert there.resolve("lonely").names == ["lonely-part"]
    found = there.resolve("acme")
    assert found.names == []
    assert "acme is a namespace" in found.notes[0]
    assert "--requirement" in found.notes[0]


def test_the_name_of_a_distribution_need_not_be_the_name_of_its_module(there):
    found = there.resolve("something_else", "_ext")
    assert found.names == ["oddly-named"]
    assert found["oddly-named"]["version"] == "2.1+cpu"
    assert found["oddly-named"]["why"] == "cell → _ext"


def test_what_is_no_module_belongs_to_the_module_that_has_it(there):
    for before in ("", "import six.moves.urllib"):
        found = there.resolve("wheelib.part.Class", "six.moves.urllib", before=before)
        assert found.names == ["from-wheel", "six"]


def test_of_two_that_have_the_same_file_the_one_whose_file_it_is_counts(there):
    found = there.resolve("twins")
    assert found.names == ["twin-a"]
    assert there.resolve("twins.b").names == ["twin-b"]


def test_two_that_have_the_same_file_are_told(tmp_path):
    place = Environment(tmp_path / "venv")
    for name in ("same-a", "same-b"):
        wheel(tmp_path / "links", name, files={"same/__init__.py": "", f"same/{name[-1]}.py": ""})
    for name in ("same-b", "same-a"):
        place.install("--no-index", "--find-links", tmp_path / "links", name)
    place.install("packaging")
    found = place.resolve("same")
    assert found.names == ["same-a"]
    assert "same belongs to same-a and same-b" in found.notes[0]
    found = place.resolve("same", asked=["same-b"])
    assert (found.names, found.notes) == (["same-b"], [])


def test_what_the_system_installed_is_told_apart(there, tmp_path):
    found = there.resolve("condalib")["by-conda"]
    assert (found["source"], found["origin"]) == ("system", "conda")
    info = "dist-packages/Old_Style-3.1.egg-info"
    files = {f"{info}/PKG-INFO": "Name: Old-Style\nVersion: 3.1\n", f"{info}/top_level.txt": "oldlib\n"}
    debian = project(tmp_path, files | {"dist-packages/oldlib/__init__.py": ""}) / "dist-packages"
    found = there.resolve("oldlib", path=[debian])["old-style"]
    assert (found["source"], found["version"]) == ("system", "3.1")


def test_the_standard_library_local_code_and_this_package_need_nothing(there, tmp_path):
    project(tmp_path, {"mine.py": ""})
    found = there.resolve("json", "os.path", "__main__", "mine", "jobq_magic.spec", "_jobq_runtime", path=[tmp_path])
    assert (found.names, found.notes) == ([], [])


def test_nothing_is_imported(there):
    found = there.resolve("hatchlib.deep", "gitty", "acme.two.far.away", "something_else", "twins", "host")
    assert not {"hatchlib", "gitty", "acme", "acme.two", "something_else", "twins", "host"} & set(found.loaded)


def test_a_lazy_module_stays_unloaded(there):
    before = """
import importlib.util
spec = importlib.util.find_spec("something_else")
spec.loader = importlib.util.LazyLoader(spec.loader)
sys.modules["something_else"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["something_else"])
"""
    after = "\nassert 'Lazy' in type(sys.modules['something_else']).__name__"
    code = "from jobq_magic.capture.requirements import roots\nfound = roots({'something_else': ''})"
    assert there.run(before + code + after + "\ntell([one.name for one in found.requirements])") == ["oddly-named"]


def test_a_module_that_is_nowhere_or_nobodys_is_told_with_the_way_out(there):
    found = there.resolve("cv2", "nosuchthing.inner", "by_hand")
    assert found.names == []
    hand, cv2, inner = found.notes
    assert hand.startswith("cell → by_hand: by_hand belongs to no distribution that is installed here; name the one")
    assert cv2 == "cell → cv2: cv2 is not installed here; if the job needs it, add --requirement opencv-python"
    assert inner.startswith("cell → nosuchthing.inner: nosuchthing is not installed here; if the job needs it, add")
    assert there.resolve("cv2", asked=["opencv-python>=4"]).notes == []


def test_an_extra_that_the_needed_one_has_imported_comes_along(there):
    found = there.resolve("host", before="import host, idle, twins")
    assert found.names == ["host", "speedy"]
    assert found["speedy"]["why"] == "cell → host → speedy"
    assert there.resolve("host", before="import speedlib").names == ["host"]


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("parted.fast", ["parted", "speedy"]),
        ("parted.fast.no_module", ["parted", "speedy"]),
        ("parted", ["parted"]),
        ("parted.plain", ["parted"]),
        ("parted.sub.fast", ["parted"]),
        ("parted.no_module", ["parted"]),
    ],
)
def test_a_part_with_the_name_of_an_extra_brings_what_that_requires_and_is_here(there, module, names):
    assert there.resolve(module).names == names


def test_what_was_asked_for_wins(there):
    found = there.resolve("six", "tablelib", asked=["six <1.15", "By_Table", "elsewhere[x]; python_version > '3'"])
    assert found.names == ["by-table", "elsewhere", "six"]
    assert {one["source"] for one in found.requirements.values()} == {"asked"}
    assert found["six"]["origin"] == "six <1.15"
    assert found["six"]["version"].startswith("1.")
    assert found["elsewhere"]["version"] == ""


def test_one_that_was_asked_for_takes_the_place_of_another_that_has_the_same_module():
    def named(*asked):
        return [one.name for one in roots({"xgboost": "cell"}, asked).requirements if "xgboost" in one.name]

    assert named() == ["xgboost-cpu"]
    assert named("xgboost") == ["xgboost"]


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("pandas >> 2", "pandas>=2.2"),
        ("-r requirements.txt", "on its own"),
        ("--index-url https://x", "pip.conf"),
        ("git+https://host/tool", "NAME @ ADDRESS"),
        ("./dist/x.whl", "NAME @ ADDRESS"),
        ("", "pandas>=2.2"),
    ],
)
def test_what_is_no_requirement_is_refused(line, advice):
    with pytest.raises(OptionError) as caught:
        roots({}, [line])
    assert caught.value.code == "bad-requirement"
    assert advice in caught.value.do
    assert len(caught.value.lines()) == 2


def test_one_name_asked_for_twice_is_refused():
    with pytest.raises(OptionError, match="asks for six twice"):
        roots({}, ["six>1", "Six<2"])
    assert [one.origin for one in roots({}, ["six>1", "six>1"]).requirements] == ["six>1"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x @ https://me:hunter2@host/x.whl", "x @ https://host/x.whl"),
        ("x @ git+https://hunter2@host/x@v1#subdirectory=a", "x @ git+https://host/x@v1#subdirectory=a"),
        ("x @ git+ssh://git@host/x", "x @ git+ssh://git@host/x"),
        ("x @ git+ssh://git:hunter2@host/x", "x @ git+ssh://git@host/x"),
        ("x @ https://host/x.whl?X-Amz-Signature=hunter2&v=1", "x @ https://host/x.whl?v=1"),
        ("x @ https://host/x.whl?token=hunter2", "x @ https://host/x.whl"),
        ("x @ https://me:hun@ter2@host/x.whl", "x @ https://host/x.whl"),
    ],
)
def test_credentials_stay_out_of_what_was_asked_for(given, kept):
    found = roots({}, [given])
    assert found.requirements[0].origin == kept
    assert bool(found.notes) == (given != kept)
    assert "hunter2" not in repr(found)


def test_credentials_stay_out_of_what_is_refused():
    with pytest.raises(OptionError) as caught:
        roots({}, ["https://me:hunter2@host/x.whl"])
    assert "hunter2" not in str(caught.value)


def test_credentials_of_an_installation_stay_here(tmp_path):
    direct = {"url": "https://me:hunter2@host/tool", "vcs_info": {"vcs": "git", "commit_id": "abc", "extra": 1}}
    info = "site-packages/tool-1.0.dist-info"
    files = {f"{info}/METADATA": "Name: tool\nVersion: 1.0\n", f"{info}/direct_url.json": json.dumps(direct)}
    files |= {f"{info}/RECORD": "tool.py,,\n", "site-packages/tool.py": ""}
    site = project(tmp_path, files) / "site-packages"
    sys.path.append(str(site))
    try:
        found = roots({"tool": "cell"})
    finally:
        sys.path.remove(str(site))
    assert found.requirements[0].origin == "git+https://host/tool@abc"
    assert "credentials were taken out of the address of tool" in found.notes[0]
    assert "hunter2" not in repr(found)


def test_a_new_installation_is_seen_in_the_same_process(tmp_path):
    place = Environment(tmp_path / "venv")
    wheel(tmp_path / "links", "late", "1.0")
    wheel(tmp_path / "links", "late", "2.0")
    code = """
import subprocess
from jobq_magic.capture.requirements import roots
seen = []
for version in ("1.0", "2.0"):
    seen.append([[one.version for one in roots({"late": ""}).requirements], len(roots({"late": ""}).notes)])
    subprocess.run([*%r, f"late=={version}"], check=True)
seen.append([[one.version for one in roots({"late": ""}).requirements], len(roots({"late": ""}).notes)])
tell(seen)
"""
    import uv

    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", place.python, "--no-index"]
    install += ["--find-links", str(tmp_path / "links")]
    assert place.run(code % install) == [[[], 1], [["1.0"], 0], [["2.0"], 0]]


def test_the_answer_is_the_same_whatever_the_order_and_whatever_is_loaded():
    names = ["yaml", "PIL.Image", "numpy", "sklearn.linear_model", "dateutil.parser", "zmq"]
    code = """
import json, sys
{before}
from jobq_magic.capture.requirements import roots
print(json.dumps([[one.name, one.version, one.source] for one in roots(dict.fromkeys({names!r}, "cell")).requirements]))
"""
    answers = set()
    for order, before in ((names, ""), (names[::-1], ""), (names, "import numpy, yaml")):
        text = code.format(names=order, before=before)
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=True)
        answers.add(done.stdout)
    assert len(answers) == 1
    found = [name for name, _, source in json.loads(answers.pop()) if source == "index"]
    assert found == ["numpy", "pillow", "python-dateutil", "pyyaml", "pyzmq", "scikit-learn"]


def test_asking_again_costs_less_than_a_millisecond_of_work():
    modules = dict.fromkeys([*MANY, "google.protobuf", "google.auth", "sklearn.linear_model"], "cell")
    first = roots(modules)
    assert len(first.requirements) >= 20
    costs = []
    for _ in range(50):
        before = time.process_time()
        assert roots(modules) == first
        costs.append(time.process_time() - before)
    assert min(costs) < 0.001


@pytest.mark.parametrize(
    ("modules", "asked", "origin", "why"),
    [
        ({}, [], "packaging[place]=={here}", "--mode rayjob"),
        ({"packaging": "cell"}, [], "packaging[place]=={here}", "cell → packaging"),
        ({}, ["packaging>=1"], "packaging[place]>=1", "--requirement"),
        ({}, ["packaging[own,place]>=1"], "packaging[own,place]>=1", "--requirement"),
    ],
)
def test_what_the_place_needs_comes_as_it_is_installed_here_and_says_why(modules, asked, origin, why):
    here = roots({"packaging": ""}).requirements[0].version
    (found,) = roots(modules, asked, {"packaging[place]": "--mode rayjob"}).requirements
    assert (found.name, found.version, found.source) == ("packaging", here, "asked")
    assert (found.origin, found.why) == (origin.format(here=here), why)


def test_what_the_place_needs_and_nobody_installed_is_left_out():
    assert roots({}, (), {"not-there-at-all[x]": "--mode rayjob"}).requirements == ()
