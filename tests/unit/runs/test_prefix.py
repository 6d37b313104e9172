"""Labels: lines of workers say whose they are; those of a driver are the cell's own."""

from __future__ import annotations

import pytest

from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.pages import Line
from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.tail import Chunk

PRINTED = [
    Chunk("stdout", b"begun\n", "driver"),
    Chunk("stdout", b"one\ntwo\n", "1"),
    Chunk("stdout", b"pi\nis 3\n", "driver"),
]
SHOWN = "begun\n[1] one\n[1] two\npi\nis 3\n"


@pytest.mark.parametrize("one", [True, False])
def test_the_drivers_lines_have_no_label_and_the_workers_have(one):
    assert b"".join(chunk.data for chunk in Prefixes(one=one).on(PRINTED)).decode() == SHOWN


def test_a_terminal_colours_labels_and_nothing_of_the_driver():
    driver, worker, again = Prefixes(colour=True).on(PRINTED)
    assert (driver.data, again.data) == (PRINTED[0].data, PRINTED[2].data)
    assert worker.data.startswith(b"\x1b[0;")


def test_a_worker_begins_a_line_of_its_own_where_the_driver_has_not_ended_one():
    begun = [Chunk("stdout", b"50 %", "driver"), Chunk("stdout", b"batch 1\n", "1")]
    assert b"".join(chunk.data for chunk in Prefixes().on(begun)) == b"50 %\n[1] batch 1\n"


def test_the_end_of_a_log_and_a_page_of_it_show_them_alike():
    end = LogEnd()
    for chunk in PRINTED:
        end.apply(chunk)
    assert "begun\n" in end.text
    assert "driver" not in end.text
    assert Line("stdout", b"begun", "driver").shown == b"begun"
    assert Line("stdout", b"one", "1").shown == b"[1] one"
