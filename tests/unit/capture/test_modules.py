"""Local code travels as files; what is installed or Python's own does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jobq_magic.capture.modules import home_of
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
