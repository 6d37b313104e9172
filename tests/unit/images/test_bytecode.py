"""Bytecode of layers: the same bytes from every process, from source or from bytecode that is there already."""

from __future__ import annotations

import compileall
import json
import marshal
import os
import py_compile
import subprocess
import sys
from importlib.util import source_hash
from pathlib import Path

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images import bytecode, compiler
from jobq_magic.images.bytecode import identity, with_bytecode
from jobq_magic.images.layer import Staged
from jobq_magic.images.model import Entry

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = sys.implementation.cache_tag
TEXT = """
'''What it is about.'''
import collections, json
NAMES = {"a", "bb", "ccc", "dddd", "json"}
class Thing:
    attribute: int = 12345678901234567890
    def method(self, x=("one", "two"), *, key=None):
        '''What it does.'''
        if x in {"one", "two", 3, None, 4.5, b"bytes"}:
            return lambda self: [each for each in x if each in ("one", "two")], "ü", 1j, ...
        def inner():
            return self, x, key
        return inner
"""


def compiled(folder, *, text=TEXT, path="opt/mine.py", equals=()):
    """The bytecode of a file in a layer."""
    entries = with_bytecode([Entry(path, data=text.encode())], folder, PYTHON, equals=lambda _: [*map(str, equals)])
    found = {entry.path: entry.data for entry in entries}
    name = path.rpartition("/")[2][:-3]
    return found[f"opt/__pycache__/{name}.{TAG}.pyc"].read_bytes()


def installed(folder, mode, text=TEXT):
    """A file with bytecode, as a package manager leaves it."""
    folder.mkdir(parents=True)
    path = folder / "mine.py"
    path.write_text(text)
    compileall.compile_file(path, quiet=2, invalidation_mode=mode)
    return path


def marked(path):
    """Makes bytecode tell that it was taken: the docstring in it is another one."""
    pyc = path.parent / "__pycache__" / f"{path.stem}.{TAG}.pyc"
    data = pyc.read_bytes()
    code = marshal.loads(data[16:])
    consts = tuple("marked" if one == "What it is about." else one for one in code.co_consts)
    pyc.write_bytes(data[:16] + marshal.dumps(code.replace(co_consts=consts)))


def names_in(code):
    yield code.co_filename
    for one in code.co_consts:
        if hasattr(one, "co_filename"):
            yield from names_in(one)


def test_bytecode_is_of_the_source_and_knows_where_it_will_lie(tmp_path):
    data = compiled(tmp_path / "made")
    assert data[4:8] == b"\x01\0\0\0"  # a hash, not checked
    assert data[8:16] == source_hash(TEXT.encode())
    code = marshal.loads(data[16:])
    assert set(names_in(code)) == {"/opt/mine.py"}
    namespace = {}
    exec(code, namespace)
    assert namespace["Thing"]().method("three")()[1] == "three"


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_bytecode_that_lies_beside_an_equal_file_gives_the_same_bytes(tmp_path, mode):
    path = installed(tmp_path / "site-packages", mode)
    from_source = compiled(tmp_path / "a")
    assert compiled(tmp_path / "b", equals=[tmp_path / "nowhere.py", path]) == from_source
    marked(path)
    assert b"marked" in compiled(tmp_path / "c", equals=[path])


@pytest.mark.parametrize("what", ["another text", "a later time", "another magic", "cut", "no bytecode"])
def test_bytecode_that_python_would_not_take_is_not_taken(tmp_path, what):
    path = installed(tmp_path / "site-packages", py_compile.PycInvalidationMode.TIMESTAMP)
    marked(path)
    pyc = path.parent / "__pycache__" / f"mine.{TAG}.pyc"
    if what == "another text":
        known = path.stat()
        path.write_text(TEXT.replace("bb", "BB"))
        os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    elif what == "a later time":
        os.utime(path, (1e9, 1e9))
    elif what == "another magic":
        pyc.write_bytes(b"\0\0\r\n" + pyc.read_bytes()[4:])
    elif what == "cut":
        pyc.write_bytes(pyc.read_bytes()[:10])
    else:
        pyc.unlink()
    assert compiled(tmp_path / "a", equals=[path]) == compiled(tmp_path / "b")


def test_bytecode_is_the_same_whatever_else_is_compiled_or_loaded(tmp_path):
    library = Path(os.__file__).parent
    sources = sorted(str(path) for path in (*library.glob("*.py"), *library.glob("asyncio/*.py")))[:120]
    told = []
    for number, before in enumerate(["", "import asyncio, json, unittest.mock, http.client", "import numpy, pandas"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        chosen = sources if number == 0 else list(reversed(sources)) if number == 1 else sources[::2]
        jobs = [[path, f"/opt/{Path(path).name}", str(folder / path.replace("/", "!")), []] for path in chosen]
        script = f"{before}\nimport runpy\nrunpy.run_path({compiler.__file__!r}, run_name='__main__')\n"
        env = os.environ | {"PYTHONHASHSEED": str(number * 7)}
        done = subprocess.run([sys.executable, "-c", script], input=json.dumps(jobs), text=True, env=env)
        assert done.returncode == 0
        told.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(told[0]) > 100
    assert told[0] == told[1]
    assert told[2] == {name: told[0][name] for name in told[2]}


def test_tests_and_what_is_no_python_have_no_bytecode(tmp_path):
    texts = {
        "opt/mine/tests/test_x.py": "1",
        "opt/test/x.py": "1",
        "opt/broken.py": "def (",
        "opt/null.py": "\0",
        "a.txt": "",
    }
    entries = [Entry(path, data=text.encode()) for path, text in texts.items()]
    assert {entry.path for entry in with_bytecode(entries, tmp_path, PYTHON)} == set(texts)


def test_for_another_python_nothing_is_compiled(tmp_path):
    assert identity("3.99") == ""
    assert identity(PYTHON).startswith(TAG)
    assert list(with_bytecode([Entry("a.py", data=b"1")], tmp_path / "x", "3.99")) == [Entry("a.py", data=b"1")]


def test_a_compiler_that_dies_is_told(tmp_path, monkeypatch):
    path = tmp_path / "dying.py"
    path.write_text("raise SystemExit('out of luck')\n")
    monkeypatch.setattr(compiler, "__file__", str(path))
    with pytest.raises(BackendError, match="the packages of the image cannot be compiled: out of luck"):
        list(with_bytecode([Entry("a.py", data=b"1")], tmp_path / "x", PYTHON))


def test_what_is_begun_is_ended_where_nobody_waits_for_it(tmp_path, monkeypatch):
    path = tmp_path / "slow.py"
    path.write_text("import sys, time\nsys.stdin.read()\ntime.sleep(600)\n")
    monkeypatch.setattr(compiler, "__file__", str(path))
    begun = []
    popen = subprocess.Popen
    monkeypatch.setattr(bytecode.subprocess, "Popen", lambda *a, **k: begun.append(popen(*a, **k)) or begun[-1])
    entries = with_bytecode([Entry("a.py", data=b"1")], tmp_path / "x", PYTHON)
    assert isinstance(entries, Staged)
    assert [process.poll() for process in begun] == [None]
    entries.close()
    assert [process.poll() for process in begun] == [-9]


def test_settings_for_the_user_s_python_are_none_for_the_compiler(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise ImportError('the wrong one')\n")
    plain = compiled(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    for name, text in {"PYTHONPATH": str(tmp_path), "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"}.items():
        monkeypatch.setenv(name, text)
    assert compiled(tmp_path / "b") == plain
