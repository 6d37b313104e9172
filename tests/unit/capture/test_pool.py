"""Large values lie on disk once, however many runs hold them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from jobq_magic import pool
from jobq_magic.errors import CaptureError
from jobq_magic.runtime import wire
from jobq_magic.runtime.wire import is_written, pickle_group, put_group, read_group


@pytest.fixture
def pooled(notebook, tmp_path):
    """Captures as a store's runs are, with one pool."""
    shelves = tmp_path / "values"
    return lambda cell, **options: notebook.capture(cell, pool=shelves, **options)


@pytest.fixture
def written(monkeypatch):
    """The bytes of each file that is written."""
    sizes = []
    put = wire._put

    def counting(path, pieces):
        pieces = list(pieces)
        sizes.append(sum(len(piece) for piece in pieces))
        put(path, pieces)

    monkeypatch.setattr(wire, "_put", counting)
    return sizes


def files(bundle):
    return {path.name: path.stat().st_ino for path in (bundle.folder / "values").iterdir()}


def test_a_value_that_did_not_change_is_not_written_again(notebook, pooled, written):
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)\nfew = [1, 2, 3]")
    first = pooled("big.sum() + len(few)")
    assert max(written) > 8_000_000
    written.clear()
    second = pooled("big.mean() + len(few)")
    assert max(written) < 10_000
    big = [name for name in files(first) if files(first)[name] == files(second).get(name)]
    assert len(big) == 1, "one file under two names"
    assert notebook.job(second)["value"] == repr(np.arange(1_000_000.0).mean() + 3)


def test_one_that_did_is_written(notebook, pooled, written):
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)")
    first = pooled("big[0]")
    notebook.run("big[0] = 7")
    written.clear()
    second = pooled("big[0]")
    assert max(written) > 8_000_000
    assert files(first).keys() != files(second).keys()
    assert notebook.job(first)["value"] == "np.float64(0.0)"
    assert notebook.job(second)["value"] == "np.float64(7.0)"


def test_what_shares_objects_is_written_once_and_not_once_for_each_name(notebook, pooled, written):
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)\nmodel = {'w': big}\nstate = [model]")
    bundle = pooled("(state[0] is model, model['w'] is big)")
    assert sum(size > 8_000_000 for size in written) == 1
    assert notebook.job(bundle)["value"] == "(True, True)"


def test_nothing_is_written_where_capture_only_says_what_would_travel(notebook, written):
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)")
    digest = notebook.capture("big[0]").digest
    written.clear()
    bundle = notebook.capture("big[0]", dry=True)
    assert max(written) < 10_000
    assert bundle.digest == digest
    assert [each.digest for each in bundle.travellers if each.name == "big"] != [""]


def test_nothing_is_written_where_a_later_name_is_refused(notebook, written):
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)\nrows = (row for row in [1])")
    with pytest.raises(CaptureError, match="rows is a generator"):
        notebook.capture("big, rows")
    assert not written


def test_what_no_run_holds_any_more_goes(tmp_path):
    run, shelves = tmp_path / "run", tmp_path / "values"
    run.mkdir()
    digest = put_group(run, pickle_group({"x": np.zeros(300_000)}))
    pool.keep(shelves, run / digest)
    size = (run / digest).stat().st_size
    assert pool.sweep(shelves) == 0
    other = tmp_path / "other"
    other.mkdir()
    assert pool.take(shelves, pickle_group({"x": np.zeros(300_000)}), other) == digest
    (run / digest).unlink()
    assert pool.sweep(shelves) == 0, "the other run holds it"
    (other / digest).unlink()
    assert pool.sweep(shelves) == size
    assert not list(shelves.iterdir())
    assert pool.take(shelves, pickle_group({"x": np.zeros(300_000)}), run) is None


def test_what_is_small_is_not_shared(tmp_path):
    (tmp_path / "small").write_bytes(b"x" * 1000)
    pool.keep(tmp_path / "values", tmp_path / "small")
    assert not (tmp_path / "values").exists()


def test_what_others_could_change_later_is_not_taken(tmp_path, monkeypatch):
    shelves, run, other = (tmp_path / name for name in ("values", "run", "other"))
    run.mkdir()
    other.mkdir()
    group = pickle_group({"x": np.zeros(300_000)})
    digest = put_group(run, group)
    pool.keep(shelves, run / digest)
    assert shelves.stat().st_mode & 0o777 == 0o700
    somebody = os.getuid() + 1
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: somebody)
        assert pool.take(shelves, group, other) is None, "it is another user's"
    kept = shelves / str(group.size) / digest
    kept.unlink()
    kept.symlink_to(run / digest)
    assert pool.take(shelves, group, other) is None, "it is a link"
    kept.unlink()
    pool.keep(shelves, run / digest)
    assert pool.take(shelves, group, other) == digest


def test_without_hard_links_every_run_has_its_own_copy(notebook, pooled, monkeypatch):
    def no_links(*_, **__):
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "link", no_links)
    notebook.run("import numpy as np\nbig = np.arange(1_000_000.0)")
    first, second = pooled("big[0]"), pooled("big[1]")
    assert files(first).keys() == files(second).keys()
    assert files(first) != files(second)
    assert notebook.job(second)["value"] == "np.float64(1.0)"


@pytest.mark.parametrize("count", [10, 100_000, 3_000_000])
def test_the_name_of_a_file_is_the_digest_of_what_is_in_it(tmp_path, count):
    import hashlib

    value = {"a": np.arange(count), "b": np.arange(count, dtype=np.int8), "c": "text"}
    digest = put_group(tmp_path, group := pickle_group(value))
    data = (tmp_path / digest).read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest == group.digest
    assert len(data) == group.size
    back = read_group(tmp_path / digest, digest=digest)
    assert (back["a"] == value["a"]).all()
    assert (back["b"] == value["b"]).all()
    assert [one.ctypes.data % 64 for one in (back["a"], back["b"])] == [0, 0]
    assert os.listdir(tmp_path) == [digest]


@pytest.mark.parametrize("at", [0, 150_000, 299_999])
def test_a_group_that_differs_anywhere_is_another(tmp_path, at):
    array = np.zeros(300_000)
    path = tmp_path / put_group(tmp_path, pickle_group({"x": array}))
    assert is_written(path, pickle_group({"x": array}))
    array[at] = 1
    assert not is_written(path, pickle_group({"x": array}))
    assert not is_written(path, pickle_group({"y": np.zeros(300_000)}))


def test_a_group_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        put_group(tmp_path, pickle_group({"a": np.arange(3_000_000)}))
    assert os.listdir(tmp_path) == []
