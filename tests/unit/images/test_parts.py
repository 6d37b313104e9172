"""A bundle as layers: what is told apart, what stays when a cell changes, what lies where."""

from __future__ import annotations

import hashlib
import io
import json
import marshal
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from jobq_magic.bundle import Bundle
from jobq_magic.images import parts
from jobq_magic.images.layer import write

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MEGABYTE = 1 << 20
TAG = sys.implementation.cache_tag


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def bundle(folder, *, values=None, sources=(), modules=None, files=None, cell="print(1)\n", label="Cell [7]", line=1):
    """A bundle: names → bytes of values, texts of definitions, path → bytes of modules and of files."""
    steps = []
    for name in ("code", "values", "modules", "files"):
        (folder / name).mkdir(parents=True)
    for number, text in enumerate(sources):
        path = f"code/{number:03}.py"
        (folder / path).write_text(text)
        told = {"names": [f"f{number}"], "file": path, "sha256": sha256(text.encode()), "flags": 0}
        steps.append({"kind": "source", "label": label, "line": line, **told})
    for name, data in (values or {}).items():
        (folder / "values" / sha256(data)).write_bytes(data)
        steps.append({"kind": "value", "names": [name], "file": f"values/{sha256(data)}", "size": len(data)})
    listed = {}
    for kind, found in (("modules", modules or {}), ("files", files or {})):
        for path, data in found.items():
            (folder / kind / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / kind / path).write_bytes(data)
        listed[kind] = [(path, sha256(data)) for path, data in found.items()]
    (folder / "code/cell.py").write_text(cell)
    told = {"file": "code/cell.py", "sha256": sha256(cell.encode()), "label": label, "line": line, "flags": 0}
    Bundle.write(folder, steps=steps, cell={**told, "outs": [], "only": False}, python=PYTHON, **listed)
    return folder


def members(part, folder):
    """What is in the layer of a part: path → bytes, or None for a folder."""
    folder.mkdir()
    made = write(part.entries(folder), compression=part.compression)
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.content.read()))) as opened:
        return {each.name: opened.extractfile(each).read() if each.isfile() else None for each in opened}


def files_of(part, folder):
    return {path: data for path, data in members(part, folder).items() if data is not None}


def keys(folder):
    """All parts of a bundle, by what they are."""
    found = [parts.local(folder), *parts.values(folder), parts.code(folder)]
    return {f"{part.kind} {part.name}": part.key for part in found if part is not None}


def noise(size, seed=0):
    return b"".join(hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(size // 32 + 1))[:size]


def test_a_changed_cell_is_one_new_layer(tmp_path):
    content = {"values": {"df": noise(MEGABYTE), "x": b"1"}, "modules": {"mine/__init__.py": b"X = 1\n"}}
    before = keys(bundle(tmp_path / "before", **content))
    after = keys(bundle(tmp_path / "after", **content, cell="print(2)\n"))
    assert set(before) == set(after) == {"local mine", "value df", "code the cell"}
    assert [name for name in before if before[name] != after[name]] == ["code the cell"]


def test_neither_labels_nor_lines_nor_folders_are_told_apart(tmp_path):
    content = {"values": {"x": b"1"}, "sources": ["def f0(): pass\n"], "files": {"data.csv": b"1,2\n"}}
    one = bundle(tmp_path / "one", **content, label="Cell [7]", line=1)
    other = bundle(tmp_path / "another ü", **content, label="Cell [812]", line=40)
    assert keys(one) == keys(other)
    assert members(parts.code(one), tmp_path / "a") == members(parts.code(other), tmp_path / "b")
    assert b"Cell [" not in b"".join(files_of(parts.code(one), tmp_path / "c").values())


@pytest.mark.parametrize("change", ["values", "sources", "files", "cell", "mode"])
def test_whatever_the_code_layer_holds_is_told_apart(tmp_path, change):
    content = {"values": {"x": b"1"}, "sources": ["a = 1\n"], "files": {"data": b"1"}, "cell": "a\n"}
    other = {"values": {"x": b"2"}, "sources": ["a = 2\n"], "files": {"data": b"2"}, "cell": "b\n"}
    one = bundle(tmp_path / "one", **content)
    changed = bundle(tmp_path / "other", **(content | {change: other[change]} if change != "mode" else content))
    if change == "mode":
        (changed / "files/data").chmod(0o755)
    assert parts.code(one).key != parts.code(changed).key


def test_the_code_layer_is_the_bundle_as_a_job_reads_it(tmp_path):
    content = {"values": {"x": b"tiny"}, "sources": ["def f0(): pass\n"], "files": {"in/a.txt": b"1", "run.sh": b"2"}}
    folder = bundle(tmp_path / "bundle", **content)
    (folder / "files/run.sh").chmod(0o700)
    part = parts.code(folder)
    found = files_of(part, tmp_path / "scratch")
    inner = {path.removeprefix("opt/jobq/bundle/"): data for path, data in found.items()}
    manifest = json.loads(inner.pop("manifest.json"))
    assert inner == {
        "code/000.py": b"def f0(): pass\n",
        "code/cell.py": b"print(1)\n",
        f"values/{sha256(b'tiny')}": b"tiny",
        "files/in/a.txt": b"1",
        "files/run.sh": b"2",
    }
    known = json.loads((folder / "manifest.json").read_bytes())
    assert {**manifest, "steps": None, "cell": None} == {**known, "steps": None, "cell": None}
    modes = {entry.path.rpartition("/")[2]: entry.mode for entry in part.entries(tmp_path)}
    assert (modes["run.sh"], modes["a.txt"], modes["cell.py"]) == (0o755, 0o644, 0o644)


def test_a_big_value_has_a_layer_of_its_own_and_lies_under_its_digest(tmp_path):
    big, small = noise(MEGABYTE), noise(MEGABYTE - 1, 1)
    folder = bundle(tmp_path / "bundle", values={"df": big, "small": small})
    (part,) = parts.values(folder)
    assert (part.kind, part.name, part.compression) == ("value", "df", "stored")
    assert files_of(part, tmp_path / "value") == {f"opt/jobq/bundle/values/{sha256(big)}": big}
    assert f"opt/jobq/bundle/values/{sha256(small)}" in members(parts.code(folder), tmp_path / "code")
    assert f"opt/jobq/bundle/values/{sha256(big)}" not in members(parts.code(folder), tmp_path / "code again")


def test_what_compresses_well_is_compressed_and_what_does_not_is_only_stored(tmp_path):
    halves = noise(MEGABYTE) + bytes(3 * MEGABYTE)
    folder = bundle(tmp_path / "bundle", values={"noise": noise(2 * MEGABYTE), "halves": halves})
    assert {part.name: part.compression for part in parts.values(folder)} == {"halves": "gzip", "noise": "stored"}


def test_a_value_is_told_apart_without_being_read(tmp_path):
    folder = bundle(tmp_path / "bundle", values={"df": noise(4 * MEGABYTE)})
    (before,) = parts.values(folder)
    (path,) = (folder / "values").iterdir()
    path.write_bytes(bytes(4 * MEGABYTE))
    (after,) = parts.values(folder)
    assert before.key == after.key


def test_of_150_arrays_there_are_16_layers_and_none_is_missing(tmp_path):
    values = {f"a{number:03}": noise(64, number) + bytes(MEGABYTE + 8 * number) for number in range(150)}
    folder = bundle(tmp_path / "bundle", values=values)
    found = parts.values(folder)
    assert len(found) == 16
    assert [part.name for part in found[:2]] == ["a149", "a148"]
    assert found[-1].name == "a134, a133 and 133 more"
    assert len({part.key for part in found}) == 16
    held = [path for part in found for path in members(part, tmp_path / part.key) if "/values/" in path]
    assert sorted(held) == sorted(f"opt/jobq/bundle/values/{sha256(data)}" for data in values.values())


def test_sixteen_arrays_have_a_layer_each(tmp_path):
    values = {f"a{number}": noise(64, number) + bytes(MEGABYTE) for number in range(16)}
    assert [part.name.count("a") for part in parts.values(bundle(tmp_path / "bundle", values=values))] == [1] * 16


def test_names_with_one_content_share_a_layer(tmp_path):
    data = noise(MEGABYTE)
    (part,) = parts.values(bundle(tmp_path / "bundle", values={"a": data, "b": data}))
    assert part.name == "a and b"


def test_files_that_are_big_together_have_a_layer_that_no_changed_cell_makes_anew(tmp_path):
    files = {"data/a.bin": noise(MEGABYTE), "data/b.txt": b"small"}
    one = bundle(tmp_path / "one", files=files)
    other = bundle(tmp_path / "other", files=files, cell="print(2)\n")
    (part,), (again,) = parts.values(one), parts.values(other)
    assert (part.kind, part.name, part.key) == ("files", "data/a.bin and data/b.txt", again.key)
    assert set(files_of(part, tmp_path / "files")) == {f"opt/jobq/bundle/files/{path}" for path in files}
    assert not [path for path in members(parts.code(one), tmp_path / "code") if "/files/" in path]


def test_an_empty_bundle_is_a_cell_and_nothing_else(tmp_path):
    folder = bundle(tmp_path / "bundle")
    assert parts.local(folder) is None
    assert parts.values(folder) == []
    assert set(files_of(parts.code(folder), tmp_path / "code")) == {
        "opt/jobq/bundle/manifest.json",
        "opt/jobq/bundle/code/cell.py",
    }


def test_local_code_lies_where_the_job_looks_for_it_with_its_bytecode(tmp_path):
    modules = {"mine/__init__.py": b"X = 1\n", "mine/data.txt": b"d", "broken.py": b"def (\n", "alone.py": b"Y = 2\n"}
    part = parts.local(bundle(tmp_path / "bundle", modules=modules))
    assert part.name == "alone, broken and mine"
    found = {
        path.removeprefix("opt/jobq/bundle/modules/"): data for path, data in files_of(part, tmp_path / "x").items()
    }
    assert set(found) == {*modules, f"mine/__pycache__/__init__.{TAG}.pyc", f"__pycache__/alone.{TAG}.pyc"}
    code = marshal.loads(found[f"mine/__pycache__/__init__.{TAG}.pyc"][16:])
    assert code.co_filename == "/opt/jobq/bundle/modules/mine/__init__.py"


def unpacked(part, root):
    """The root of a file system with the layer of a part."""
    scratch = root.with_name(f"{root.name}-scratch")
    scratch.mkdir()
    made = write(part.entries(scratch), compression=part.compression)
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.content.read()))) as opened:
        opened.extractall(root, filter="fully_trusted")
    return root


def test_the_runtime_layer_has_all_folders_and_a_home_that_anybody_can_write_to(tmp_path):
    root = unpacked(parts.runtime(PYTHON), tmp_path / "root")
    folders = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}
    inner = {f"opt/jobq/{name}" for name in ("site-packages", "bin", "path", "bundle")}
    inner |= {f"opt/jobq/bundle/{name}" for name in ("code", "values", "modules", "files")}
    assert inner <= folders
    assert (root / "home/jobq").stat().st_mode & 0o7777 == 0o1777
    assert {path.stat().st_mode & 0o7777 for path in root.rglob("*.py")} == {0o644}


def test_the_runtime_starts_from_its_layer_and_compiles_nothing(tmp_path):
    root = unpacked(parts.runtime(PYTHON), tmp_path / "root")
    for path in (root / "opt/jobq/path").rglob("*.py"):
        path.write_text("raise SystemExit('compiled anew')\n")  # the bytecode is not checked against it
    code = "import sitecustomize, _jobq_runtime.main, _jobq_runtime.supervise; print(_jobq_runtime.main.__name__)"
    env = {**os.environ, "PYTHONPATH": str(root / "opt/jobq/path")}
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "_jobq_runtime.main\n"), done.stderr


def test_for_another_python_there_is_no_bytecode_and_another_key(tmp_path):
    ours, theirs = parts.runtime(PYTHON), parts.runtime("3.99")
    assert ours.key != theirs.key
    assert [path for path in members(ours, tmp_path / "ours") if path.endswith(".pyc")]
    assert not [path for path in members(theirs, tmp_path / "theirs") if path.endswith(".pyc")]


def test_the_runtime_layer_is_the_same_from_every_process(tmp_path):
    script = f"""
import sys
from pathlib import Path
from jobq_magic.images import parts
from jobq_magic.images.layer import write
Path(sys.argv[1]).mkdir()
part = parts.runtime({PYTHON!r})
print(part.key, write(part.entries(Path(sys.argv[1]))).diff_id)
"""
    told = set()
    for seed in ("0", "1", "random"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3]), "TZ": f"X{seed[0]}"}
        command = [sys.executable, *(["-OO"] if seed == "1" else []), "-c", script, str(tmp_path / f"x {seed}")]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        told.add(done.stdout)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
    ],
)
def test_names_in_words(names, words):
    assert parts.named(names) == words
