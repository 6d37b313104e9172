"""The end of a log: bounded, whole lines, whatever the job prints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobq_magic.runs.displays import Display
from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.tail import Chunk


def test_what_fits_is_kept_as_it_is():
    end = LogEnd()
    end.apply(Chunk("stdout", b"one\ntw"))
    end.apply(Chunk("stdout", "oé\n".encode()))
    assert (end.text, end.cut) == ("one\ntwoé\n", False)


def test_what_does_not_fit_is_cut_at_a_line():
    end = LogEnd(10)
    end.apply(Chunk("stdout", b"first\nsecond\nlast\n"))
    assert (end.text, end.cut) == ("last\n", True)


def test_one_long_line_is_cut_within():
    end = LogEnd(10)
    end.apply(Chunk("stdout", b"x" * 30))
    assert (end.text, end.cut) == ("x" * 10, True)


def test_clear_forgets_it():
    end = LogEnd()
    end.apply(Chunk("stdout", b"gone"))
    end.apply(Display("clear_output", {}))
    assert (end.text, end.cut) == ("", False)


def test_clear_with_wait_forgets_it_when_something_more_is_shown():
    end = LogEnd()
    end.apply(Chunk("stdout", b"gone"))
    end.apply(Display("clear_output", {}, wait=True))
    assert end.text == "gone"
    end.apply(Display("update_display_data", {}))
    assert end.text == "gone"
    end.apply(Chunk("stdout", b"new"))
    assert end.text == "new"


@given(chunks=st.lists(st.binary(max_size=300), max_size=30), most=st.integers(1, 50))
def test_it_is_the_end_of_all_that_was_printed_and_never_longer_than_asked(chunks, most):
    end, whole = LogEnd(most), LogEnd(1 << 20)
    for data in chunks:
        end.apply(Chunk("stdout", data))
        whole.apply(Chunk("stdout", data))
        assert len(end.text) <= most
        if not any(len(each) > 4 * most for each in chunks):
            assert whole.text.endswith(end.text)
