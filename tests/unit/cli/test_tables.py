"""Tables on a terminal that is not as wide as what they say."""

from __future__ import annotations

from jobq_magic.cli.tables import widths

LINES = [("run", "phase", "where"), ("report-1f0c2d9e", "◌ queued, 12th of 40", "queue gpu-large of team-blue")]


def test_where_there_is_room_nothing_is_broken():
    assert widths(LINES, 80) == [15, 20, 28]


def test_where_it_is_narrow_the_widest_column_is_broken_first_between_words():
    assert widths(LINES, 60) == [15, 20, 25]


def test_the_first_column_and_words_are_broken_in_no_case():
    assert widths(LINES, 10) == [15, len("queued,"), len("gpu-large")]
