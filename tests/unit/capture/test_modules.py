"""Local code travels as files; what is installed or Python's own does not."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from jobq_magic.capture.imports import imports_of
from jobq_magic.capture.modules import LocalCode, home_of
from jobq_magic.errors import CaptureError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of local code on `sys.path`."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__SLASH__", "/").replace("__DOT__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(bundle) -> list[str]:
    root = bundle.folder / "modules"
    # Jobs that were here left bytecode.
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted(path.relative_to(root).as_posix() for path in files)


def test_homes():
    assert home_of("os.path")[0] == "stdlib"
    assert home_of("sys")[0] == "stdlib"
    assert home_of("numpy.random")[0] == "installed"
    assert home_of("jobq_magic.capture")[0] == "installed"
    assert home_of("no_such_module_anywhere")[0] == "unknown"


def test_a_module_beside_the_notebook_travels(notebook, project):
    write(project, helper__DOT__py="K = 3\ndef f(x):\n    return x * K\n")
    notebook.run("import helper")
    bundle = notebook.agree("helper.f(2)")
    assert tree(bundle) == ["helper.py"]
    assert any(traveller.kind == "module" and traveller.name == "helper" for traveller in bundle.travellers)


def test_a_name_from_a_local_module_brings_the_module(notebook, project):
    write(project, helper__DOT__py="def f(x):\n    return x + 1\nclass P:\n    pass\n")
    notebook.run("from helper import f, P as Q\nq = Q()\nfs = [f]")
    assert tree(notebook.agree("f(1)")) == ["helper.py"]
    assert tree(notebook.agree("type(q).__module__")) == ["helper.py"]
    assert tree(notebook.agree("fs[0](1)")) == ["helper.py"]


def test_an_instance_that_a_module_holds_stays_the_modules(notebook, project):
    write(project, app__DOT__py="class App:\n    n = 0\napp = App()\ndef bump():\n    app.n += 1\n")
    notebook.run("from app import app, bump")
    notebook.agree("bump()\napp.n")


def test_modules_that_local_modules_import_travel_too(notebook, project):
    write(
        project,
        first__DOT__py="import json\nimport second\nfrom pack import leaf\nV = second.V + leaf.V\n",
        second__DOT__py="V = 1\n",
        pack__SLASH____init____DOT__py="",
        pack__SLASH__leaf__DOT__py="from . import other\nV = other.V\n",
        pack__SLASH__other__DOT__py="V = 10\n",
        unrelated__DOT__py="",
    )
    notebook.run("import first")
    assert tree(notebook.agree("first.V")) == [
        "first.py",
        "pack/__init__.py",
        "pack/leaf.py",
        "pack/other.py",
        "second.py",
    ]


def test_a_module_that_only_the_cell_imports_travels(notebook, project):
    write(project, lone__DOT__py="V = 4\n")
    assert tree(notebook.agree("import lone\nlone.V")) == ["lone.py"]


def test_a_module_that_only_a_function_imports_travels(notebook, project):
    write(project, lone__DOT__py="V = 4\n")
    notebook.run("def f():\n    from lone import V\n    return V")
    assert tree(notebook.agree("f()")) == ["lone.py"]


def test_a_star_import_of_local_code_travels(notebook, project):
    write(project, lone__DOT__py="V = 4\n")
    assert notebook.job(notebook.capture("from lone import *\nV"))["value"] == "4"


def test_a_sub_module_of_a_local_package_travels(notebook, project):
    write(
        project,
        deep__SLASH____init____DOT__py="",
        deep__SLASH__er__SLASH____init____DOT__py="",
        deep__SLASH__er__SLASH__est__DOT__py="V = 2\n",
    )
    notebook.run("import deep.er.est")
    notebook.agree("deep.er.est.V")


def test_a_namespace_package_travels(notebook, project):
    write(project, spread__SLASH__part__DOT__py="V = 6\n")
    notebook.run("import spread.part")
    notebook.agree("spread.part.V")


def test_data_files_of_a_package_travel_and_rubbish_does_not(notebook, project):
    write(
        project,
        pack__SLASH____init____DOT__py=(
            "from pathlib import Path\nT = (Path(__file__).parent / 'data.txt').read_text()\n"
        ),
        pack__SLASH__data__DOT__txt="hello",
        pack__SLASH____DOT__env="A=1",
        pack__SLASH____DOT__git__SLASH__config="x",
        pack__SLASH____DOT__ipynb_checkpoints__SLASH__a__DOT__py="",
        pack__SLASH__host__DOT__pem="x",
    )
    (project / "pack" / "huge.bin").write_bytes(b"\0" * (10 * 2**20 + 1))
    notebook.run("import pack")
    bundle = notebook.agree("pack.T")
    assert tree(bundle) == ["pack/__init__.py", "pack/data.txt"]
    assert any("pack/huge.bin did not travel" in note for note in bundle.notes)


def test_a_module_that_looks_for_files_beside_itself_is_imported_from_there(notebook, project, monkeypatch):
    write(project, near__DOT__py="from pathlib import Path\nT = Path(__file__).with_name('near.txt').read_text()\n")
    write(project, near__DOT__txt="found")
    notebook.run("import near")
    assert notebook.job(notebook.capture("near.T", here=True))["value"] == "'found'"
    assert any("beside itself" in note for note in notebook.capture("1 + len(near.T)").notes)


def test_code_too_large_to_travel_is_refused_or_left_in_place(notebook, project, monkeypatch):
    monkeypatch.setattr("jobq_magic.capture.modules._MOST_FILES", 2)
    write(project, many__SLASH____init____DOT__py="V = 1\n", many__SLASH__a__DOT__py="", many__SLASH__b__DOT__py="")
    notebook.run("import many")
    with pytest.raises(CaptureError) as caught:
        notebook.capture("many.V")
    assert caught.value.code == "too-large"
    bundle = notebook.capture("many.V", here=True)
    assert notebook.job(bundle)["value"] == "1"
    assert any("left where it is" in note for note in bundle.notes)


def test_code_that_was_edited_after_its_import_is_told(notebook, project):
    write(project, fresh__DOT__py="class A:\n    def f(self):\n        return 1\n")
    notebook.run("import fresh")
    assert notebook.capture("fresh.A().f()").notes == ()
    write(project, fresh__DOT__py="# another line\nclass A:\n    def f(self):\n        return 1\n")
    assert notebook.capture("fresh.A().f()").notes == ()
    write(project, fresh__DOT__py="class A:\n    def f(self):\n        return 2\n")
    assert any("fresh.py was edited" in note for note in notebook.capture("fresh.A().f()").notes)


def test_an_object_that_a_local_module_wrapped_brings_the_module(notebook, project):
    write(project, cached__DOT__py="from functools import lru_cache\n@lru_cache\ndef f(x):\n    return x + 1\n")
    notebook.run("import cached\nfs = [cached.f]\ndel cached")
    assert tree(notebook.agree("fs[0](1)")) == ["cached.py"]


def test_a_secret_in_local_code_is_refused(notebook, project):
    write(project, keys__DOT__py="K = '" + "ghp_" + "a1B2" * 10 + "'\n")
    notebook.run("import keys")
    with pytest.raises(CaptureError) as caught:
        notebook.capture("keys.K")
    assert caught.value.code == "secret-in-value"
    assert "keys.py" in str(caught.value)
    notebook.capture("keys.K", include=("keys",))


def test_installed_modules_are_not_copied(notebook):
    notebook.run("import numpy as np, json")
    bundle = notebook.capture("np.zeros(1), json.dumps(1)")
    assert not (bundle.folder / "modules").exists()


# What git and the user leave out


@pytest.fixture
def repository(project, tmp_path):
    """The folder of local code, as a part of a repository."""
    (tmp_path / ".git").mkdir()
    return project


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_git_ignores_in_a_package_stays(notebook, repository, tmp_path):
    lay(tmp_path, {".gitignore": "*.log\n/project/pack/raw/\n"})
    lay(
        repository,
        {
            "pack/__init__.py": "V = 1\n",
            "pack/a.log": "",
            "pack/raw/x.bin": "",
            "pack/deep/.gitignore": "!kept.log\nown.txt\n",
            "pack/deep/kept.log": "",
            "pack/deep/own.txt": "",
        },
    )
    notebook.run("import pack")
    bundle = notebook.agree("pack.V")
    assert tree(bundle) == ["pack/__init__.py", "pack/deep/kept.log"]
    assert bundle.notes == ()


def test_what_stays_of_a_package_is_known(repository, tmp_path):
    lay(tmp_path, {".gitignore": "*.log\n"})
    lay(repository, {"pack/__init__.py": "", "pack/a.log": "", "pack/site.pem": "", "pack/.env": "", "pack/.x": ""})
    code = LocalCode(tmp_path / "modules")
    assert code.need("pack", "cell") == "local"
    assert {(row.name, row.why) for row in code.stayed} == {
        ("pack/a.log", ".gitignore leaves it out"),
        ("pack/.env", "it is made for credentials; pass them with --secret NAME"),
        ("pack/site.pem", "it is made for credentials; pass them with --secret NAME"),
        ("pack/.x", "its name begins with a dot"),
    }
    assert code.notes == [
        "pack/.env, pack/site.pem did not travel: it is made for credentials; pass them with --secret NAME"
    ]


def test_generated_code_travels_where_it_is_imported_although_git_ignores_it(notebook, repository, tmp_path):
    lay(tmp_path, {".gitignore": "_version.py\ngen/\n*_pb2.py\nunused.py\n"})
    lay(
        repository,
        {
            "pack/__init__.py": "from ._version import V\nfrom pack.gen.deep import more\n",
            "pack/_version.py": "V = 1\n",
            "pack/gen/__init__.py": "",
            "pack/gen/deep/more.py": "from .... import nothing\nfrom . import last\nW = last.W\n".replace(
                "from .... import nothing\n", ""
            ),
            "pack/gen/deep/last.py": "W = 2\n",
            "pack/gen/deep/other.py": "",
            "pack/unused.py": "",
            "pack/late_pb2.py": "X = 3\n",
            "messages_pb2.py": "Y = 4\n",
        },
    )
    notebook.run("import pack\nimport messages_pb2")
    bundle = notebook.agree("(pack.V, pack.more.W, messages_pb2.Y)")
    going = ["messages_pb2.py", "pack/__init__.py", "pack/_version.py", "pack/gen/__init__.py"]
    going += ["pack/gen/deep/last.py", "pack/gen/deep/more.py"]
    assert tree(bundle) == going
    bundle = notebook.agree("import pack.late_pb2 as late\n(pack.V, late.X)")
    assert tree(bundle) == sorted([*going[1:], "pack/late_pb2.py"])


def test_a_package_that_is_ignored_as_a_whole_travels_by_the_rules_inside_it(notebook, repository, tmp_path):
    lay(tmp_path, {".gitignore": "*\n"})
    lay(
        repository, {"pack/__init__.py": "V = 1\n", "pack/data.txt": "", "pack/.gitignore": "b.txt\n", "pack/b.txt": ""}
    )
    notebook.run("import pack")
    assert tree(notebook.agree("pack.V")) == ["pack/__init__.py", "pack/data.txt"]


def test_jobqignore_wins_even_over_imports(notebook, repository, tmp_path):
    lay(tmp_path, {".gitignore": "*.txt\n", ".jobqignore": "!data.txt\nsettings.py\nhelper.py\n"})
    lay(
        repository,
        {
            "pack/__init__.py": "try:\n    from . import settings\nexcept ImportError:\n    settings = None\n",
            "pack/settings.py": "",
            "pack/data.txt": "",
            "pack/other.txt": "",
            "helper.py": "",
        },
    )
    bundle = notebook.capture("import pack\npack.settings")
    assert tree(bundle) == ["pack/__init__.py", "pack/data.txt"]
    assert notebook.job(bundle)["value"] == "None"
    bundle = notebook.capture("import helper")
    assert tree(bundle) == []
    assert any("helper stays, as .jobqignore says" in note for note in bundle.notes)


def test_rules_beside_the_notebook_count_without_a_repository(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, {".jobqignore": "project/pack/raw\n"})
    lay(project, {"pack/__init__.py": "", "pack/raw/a.bin": ""})
    code = LocalCode(tmp_path / "modules")
    code.need("pack", "cell")
    assert [name for name, _ in code.files] == ["pack/__init__.py"]


def test_where_the_job_sees_this_machine_what_stays_is_linked(notebook, repository, tmp_path):
    lay(tmp_path, {".gitignore": "raw/\n*.bin\n_version.py\n"})
    lay(
        repository,
        {
            "pack/__init__.py": (
                "from pathlib import Path\nfrom ._version import V\nhere = Path(__file__).parent\n"
                "T = [(here / name).read_text() for name in ('raw/x.txt', 'w.bin', '.env', 'out.txt')]\n"
            ),
            "pack/_version.py": "V = 1\n",
            "pack/raw/x.txt": "a",
            "pack/w.bin": "b",
            "pack/.env": "c",
        },
    )
    lay(tmp_path, {"elsewhere/out.txt": "d"})
    (repository / "pack/out.txt").symlink_to(tmp_path.parent / tmp_path.name / "elsewhere/out.txt")
    notebook.run("import pack")
    bundle = notebook.capture("(pack.T, pack.V)", here=True)
    assert notebook.job(bundle)["value"] == "(['a', 'b', 'c', 'd'], 1)"
    copied = bundle.folder / "modules/pack"
    assert not (copied / "_version.py").is_symlink()
    assert (copied / "raw").is_symlink()
    assert bundle.notes == ()
    lay(repository, {"pack/_version.py": "V = 2\n"})
    assert notebook.job(bundle)["value"] == "(['a', 'b', 'c', 'd'], 1)"


def test_a_large_file_is_linked_where_the_job_sees_it(notebook, project, monkeypatch):
    monkeypatch.setattr("jobq_magic.capture.modules._LARGEST_FILE", 10)
    lay(
        project,
        {
            "pack/__init__.py": "",
            "pack/w.py": "from pathlib import Path\nT = Path(__file__).with_name('w.bin').read_text()\n",
            "pack/w.bin": "x" * 11,
        },
    )
    assert notebook.job(notebook.capture("import pack.w\npack.w.T", here=True))["value"] == repr("x" * 11)
    bundle = notebook.capture("import pack.w\n1")
    assert any("pack/w.bin did not travel" in note for note in bundle.notes)


# Kinds of packages


def test_all_local_folders_of_a_namespace_package_travel(notebook, project, tmp_path, monkeypatch):
    lay(project, {"spread/one.py": "V = 1\n"})
    lay(tmp_path, {"second/spread/two.py": "from spread import one\nW = one.V + 1\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "second"))
    notebook.run("import spread.one, spread.two")
    assert tree(notebook.agree("spread.one.V + spread.two.W")) == ["spread/one.py", "spread/two.py"]


def test_of_a_namespace_package_that_is_installed_too_only_local_parts_travel(project, tmp_path, monkeypatch):
    lay(project, {"shared/mine.py": "V = 1\n"})
    lay(tmp_path, {"venv/site-packages/shared/theirs/__init__.py": "W = 2\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "venv/site-packages"))
    importlib.invalidate_caches()
    assert home_of("shared.theirs")[0] == "installed"
    assert home_of("shared.mine")[0] == "local"
    code = LocalCode(tmp_path / "modules")
    assert code.need("shared.theirs", "cell") == "installed"
    assert code.files == []
    assert code.need("shared.mine", "cell") == "local"
    assert [name for name, _ in code.files] == ["shared/mine.py"]


def test_an_editable_installation_with_a_finder_of_its_own_is_local(notebook, project, tmp_path, monkeypatch):
    import importlib.util

    lay(tmp_path, {"src/edited/__init__.py": "V = 5\n"})

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "edited":
                folder = tmp_path / "src/edited"
                return importlib.util.spec_from_file_location(
                    name, folder / "__init__.py", submodule_search_locations=[str(folder)]
                )
            return None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert home_of("edited")[0] == "local"
    assert tree(notebook.capture("import edited\nedited.V")) == ["edited/__init__.py"]


def test_a_module_travels_under_the_name_that_it_is_imported_by(notebook, project, tmp_path):
    import importlib.util

    lay(tmp_path, {"elsewhere/other-name.py": "V = 3\n"})
    spec = importlib.util.spec_from_file_location("named", tmp_path / "elsewhere/other-name.py")
    module = sys.modules["named"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    notebook.names["named"] = module
    assert tree(notebook.agree("named.V")) == ["named.py"]


def test_what_local_code_imports_is_known_by_full_names(project, tmp_path):
    lay(
        project,
        {
            "first.py": "import numpy.random\nfrom second.deep import thing\nimport importlib\n"
            "importlib.import_module('third')\n",
            "second/__init__.py": "",
            "second/deep.py": "from . import near\nfrom json import decoder\nthing = 1\n",
            "second/near.py": "",
            "third.py": "",
        },
    )
    code = LocalCode(tmp_path / "modules")
    code.need("first", "cell")
    assert code.modules["numpy.random"] == "cell → first"
    assert code.modules["json.decoder"] == "cell → first → second"
    assert {"second.deep", "second.near", "third"} <= set(code.modules)
    assert "third" in code.shipped
    assert code.seen >= {"first", "second", "third", "numpy", "json"}


@pytest.mark.parametrize(
    ("text", "package", "expected"),
    [
        ("import a.b as c", "p", {"a.b"}),
        ("from a import b, c", "", {"a", "a.b", "a.c"}),
        ("from a import *", "", {"a"}),
        ("from . import b", "p.q", {"p.q", "p.q.b"}),
        ("from .r import b", "p.q", {"p.q.r", "p.q.r.b"}),
        ("from ..r import b", "p.q", {"p.r", "p.r.b"}),
        ("from ...r import b", "p.q", set()),
        ("from . import b", "", set()),
        ("def f():\n    import x", "", {"x"}),
        ("'\\d'\nimport x", "", {"x"}),
        ("import (", "", set()),
        ("import x\0", "", set()),
    ],
)
def test_imports_of_a_file(text, package, expected):
    assert imports_of(text.encode(), package) == expected


def test_modules_that_import_each_other_travel_once(notebook, project):
    lay(project, {"ping.py": "import pong\nV = 1\n", "pong.py": "import ping\n", "pack/__init__.py": "import ping\n"})
    notebook.run("import ping, pack")
    assert tree(notebook.agree("(ping.V, pack.ping.V)")) == ["pack/__init__.py", "ping.py", "pong.py"]


# Hostile folders


def test_links_lead_out_of_a_package_for_nobody(project, tmp_path):
    lay(project, {"pack/__init__.py": "", "pack/in/a.txt": ""})
    lay(tmp_path, {"outside/key.txt": "x"})
    (project / "pack/out").symlink_to(tmp_path / "outside")
    (project / "pack/key.txt").symlink_to(tmp_path / "outside/key.txt")
    (project / "pack/again").symlink_to("in")
    (project / "pack/in/circle").symlink_to("..")
    (project / "pack/itself").symlink_to("itself")
    (project / "pack/gone").symlink_to("nowhere")
    code = LocalCode(tmp_path / "modules")
    code.need("pack", "cell")
    assert [name for name, _ in code.files] == ["pack/__init__.py", "pack/again/a.txt", "pack/in/a.txt"]
    assert any("pack/key.txt, pack/out did not travel: it leads outside" in note for note in code.notes)


def test_pipes_and_names_that_are_no_text_stay(project, tmp_path):
    lay(project, {"pack/__init__.py": "", "pack/line\nbreak.txt": "", "pack/a.txt": ""})
    os.mkfifo(project / "pack/pipe")
    (project / "pack" / os.fsdecode(b"b\xff.txt")).touch()
    code = LocalCode(tmp_path / "modules")
    code.need("pack", "cell")
    assert [name for name, _ in code.files] == ["pack/__init__.py", "pack/a.txt", "pack/line\nbreak.txt"]
    assert all(note.isprintable() for note in code.notes)
    assert all(row.name.isprintable() for row in code.stayed)


def test_somebodys_home_is_no_package(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(project / "pack/me"))
    lay(project, {"pack/__init__.py": "", "pack/me/diary.txt": ""})
    with pytest.raises(CaptureError, match="local code of pack is too large"):
        LocalCode(tmp_path / "modules").need("pack", "cell")
    code = LocalCode(tmp_path / "modules", here=True)
    code.need("pack", "cell")
    assert code.files == []


def test_a_folder_without_end_is_not_walked_to_its_end(project, tmp_path, monkeypatch):
    monkeypatch.setattr("jobq_magic.capture.modules._MOST_LOOKED_AT", 3)
    lay(project, {"pack/__init__.py": "", "pack/.a": "", "pack/.b": "", "pack/.c": ""})
    with pytest.raises(CaptureError, match="too large"):
        LocalCode(tmp_path / "modules").need("pack", "cell")


def test_data_that_cannot_be_read_stays_and_code_is_refused(project, tmp_path, monkeypatch):
    lay(project, {"pack/__init__.py": "", "pack/shut.txt": "", "lone.py": ""})
    real = os.open

    def refused(path, *rest, **more):
        if Path(path).name in ("shut.txt", "lone.py"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr("jobq_magic.capture.tree.os.open", refused)
    code = LocalCode(tmp_path / "modules")
    code.need("pack", "cell")
    assert "pack/shut.txt did not travel: it cannot be read" in code.notes
    with pytest.raises(CaptureError, match=r"lone\.py cannot be read: Permission denied"):
        code.need("lone", "cell")


def test_nothing_is_written_through_a_link(project, tmp_path, monkeypatch):
    lay(project, {"spread/x/a.txt": "mine", "spread/.gitignore": "x\n"})
    lay(tmp_path, {"second/spread/x/b.txt": "theirs"})
    (tmp_path / ".git").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "second"))
    importlib.invalidate_caches()
    code = LocalCode(tmp_path / "modules", here=True)
    code.need("spread", "cell")
    assert sorted(path.name for path in (project / "spread/x").iterdir()) == ["a.txt"]
    assert sorted(path.name for path in (tmp_path / "second/spread/x").iterdir()) == ["b.txt"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conf.py", "DB_PASSWORD = 'hunter2hunter2'\n"),
        ("conf.yaml", "db:\n  password: hunter2hunter2\n"),
        ("line.json", '{"host": "x", "client_secret": "a1b2c3d4e5f6g7"}'),
        ("conf.ini", "[x]\napi_key=a1b2c3d4e5f6g7\n"),
        ("conf.json", '{"host": "x",\n "client_secret": "a1b2c3d4e5f6g7"}'),
        ("pip.conf", "index-url = https://me:s3cr3t9@index.host/simple\n"),
        ("notes.md", "use ghp_" + "a1B2" * 10),
    ],
)
def test_credentials_in_files_of_a_package_are_refused_by_line(project, tmp_path, name, text):
    lay(project, {"pack/__init__.py": "", f"pack/{name}": text})
    with pytest.raises(CaptureError) as caught:
        LocalCode(tmp_path / "modules").need("pack", "cell")
    assert caught.value.code == "secret-in-value"
    assert name in str(caught.value)
    assert ".jobqignore" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("hunter2", "a1b2", "s3cr3t9", "a1B2"))
    (project / ".jobqignore").write_text(name)
    code = LocalCode(tmp_path / "again")
    code.need("pack", "cell")
    assert [file for file, _ in code.files] == ["pack/__init__.py"]


def test_ordinary_settings_of_a_package_are_no_credentials(project, tmp_path):
    lay(
        project,
        {
            "pack/__init__.py": (
                "def login(user, password='guest', token=None):\n    '''postgresql://user:password@localhost/db'''\n"
                "TOKEN_URL = 'https://auth.host/oauth2/token'\nPASSWORD_FIELD = 'pass1'\n"
            ),
            "pack/conf.yaml": "password: ${DB_PASSWORD}\ntoken: your-token-here1\nsecret_name: prod/db1/main\n",
            "pack/schema.json": '{"properties": {"password": "string", "api_key": "varchar(255)"}}',
        },
    )
    code = LocalCode(tmp_path / "modules")
    code.need("pack", "cell")
    assert len(code.files) == 3
