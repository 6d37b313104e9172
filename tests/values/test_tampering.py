"""A result that anybody else wrote, or touched, is refused before anything of it is unpickled."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobq_magic.errors import ResultError
from jobq_magic.results.decode import decode
from jobq_magic.run import Run

WITNESS = """
made = []
class Witness:
    def __init__(self, text):
        self.text = text
    def __setstate__(self, state):
        made.append(state)
        self.__dict__ = state
"""


@pytest.fixture
def ended(notebook) -> Run:
    """A run whose result says here when it is unpickled."""
    notebook.run(WITNESS)
    trip = notebook.job("w = Witness('x' * 40)\nv = Witness('other')\nw")
    assert notebook.names["made"]
    notebook.names["made"].clear()
    return trip.run


def files(run: Run) -> list[Path]:
    paths = run.paths.attempt(1)
    return [paths.result, *sorted(paths.values.iterdir())]


def refused(notebook, run: Run) -> ResultError:
    with pytest.raises(ResultError) as error:
        decode(run, 1, notebook.store.key(run))
    return error.value


def test_one_bit_anywhere_in_any_file(notebook, ended):
    made = notebook.names["made"]
    assert len(files(ended)) > 1
    for path in files(ended):
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            made.clear()
            try:
                decode(ended, 1, notebook.store.key(ended))
            except ResultError as error:
                assert error.code == "result-damaged"
                assert not [state for state in made if state["text"] not in ("x" * 40, "other")]
            else:  # the blank after the signature
                assert (path, at) == (files(ended)[0], len(whole) - 1)
        path.write_bytes(whole)
    decode(ended, 1, notebook.store.key(ended))


def test_a_signature_is_checked_before_any_value_is_read(notebook, ended):
    result = files(ended)[0]
    result.write_bytes(result.read_bytes().replace(b'"status":"ok"', b'"status":"OK"'))
    assert refused(notebook, ended).code == "result-damaged"
    assert notebook.names["made"] == []


@pytest.mark.parametrize("size", [0, 1, 8, 23, 24, 60])
def test_files_that_are_cut_short(notebook, ended, size):
    for path in files(ended):
        whole = path.read_bytes()
        path.write_bytes(whole[:size])
        assert refused(notebook, ended).code == "result-damaged"
        path.write_bytes(whole + b"\n" if path.suffix == "" else b"\n" + whole)
        assert refused(notebook, ended).code == "result-damaged"
        path.write_bytes(whole)


def test_a_group_in_the_place_of_another(notebook, ended):
    other = notebook.job("w, v = Witness('more'), 1").run
    files(ended)[1].write_bytes(files(other)[1].read_bytes())
    assert refused(notebook, ended).code == "result-damaged"


def test_a_result_that_another_key_signed(notebook, ended):
    other = notebook.job("w = Witness('of another run')")
    notebook.names["made"].clear()
    mine, theirs = ended.paths.attempt(1), other.run.paths.attempt(1)
    for path in theirs.values.iterdir():
        (mine.values / path.name).write_bytes(path.read_bytes())
    mine.result.write_bytes(theirs.result.read_bytes())
    assert refused(notebook, ended).code == "result-damaged"
    assert notebook.names["made"] == []


def test_a_result_of_another_attempt(notebook, ended):
    with pytest.raises(ResultError):
        decode(ended, 2, notebook.store.key(ended))
    folder = ended.paths.attempt(1).folder
    folder.rename(folder.with_name("2"))
    with pytest.raises(ResultError) as error:
        decode(ended, 2, notebook.store.key(ended))
    assert error.value.code == "result-damaged"
    assert notebook.names["made"] == []


def test_values_that_are_gone_say_what_to_do(notebook, ended):
    for path in files(ended)[1:]:
        path.unlink()
    error = refused(notebook, ended)
    assert (error.code, ended.id in error.do) == ("result-pruned", True)
