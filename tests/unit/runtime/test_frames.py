"""What is said in a pod's log."""

from __future__ import annotations

import os

import pytest

from jobq_magic.runtime.frames import LINE, Writer, parse, token, unpacked

KEY = b"k" * 32
TOKEN = token(KEY)


def test_a_frame_is_read_as_it_was_written():
    line = Writer(KEY).frame("text", {"of": "stdout", "at": 7, "open": True, "pod": "ü"})
    frame = parse(line[:-1], TOKEN)
    assert line.endswith(b"\n")
    assert frame is not None
    assert frame.kind == "text"
    assert frame.seq == 1
    assert frame.fields == {"of": "stdout", "at": 7, "open": True, "pod": "ü"}


def test_each_frame_has_the_next_number():
    writer = Writer(KEY)
    numbers = [parse(writer.frame("beat", {})[:-1], TOKEN).seq for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_a_frame_of_another_run_is_text():
    line = Writer(b"other").frame("beat", {"t": 1})
    assert parse(line[:-1], TOKEN) is None


def test_a_frame_with_any_byte_changed_is_text():
    line = Writer(KEY).frame("text", {"of": "stdout", "at": 7, "t": 1.5})[:-1]
    for place in range(len(line)):
        assert parse(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :], TOKEN) is None


def test_a_frame_cut_anywhere_is_text():
    line = Writer(KEY).frame("text", {"of": "stdout", "at": 7})[:-1]
    assert all(parse(line[:end], TOKEN) is None for end in range(len(line)))


def test_a_frame_too_long_for_a_line_is_refused():
    with pytest.raises(ValueError, match="a frame of"):
        Writer(KEY).frame("beat", {"x": "y" * LINE})


@pytest.mark.parametrize("data", [b"", b"short", os.urandom(100_000), b"the same " * 100_000])
def test_data_of_any_size_comes_back_from_its_parts(data):
    lines = list(Writer(KEY).parted("put", {"to": "values/" + "0" * 64, "t": 1795356999.025}, data))
    frames = [parse(line[:-1], TOKEN) for line in lines]
    assert all(len(line) <= LINE for line in lines)
    assert [frame.fields["part"] for frame in frames] == list(range(frames[0].fields["of"]))
    assert unpacked("".join(frame.fields["data"] for frame in frames), frames[0].fields["z"]) == data


def test_what_says_the_same_again_and_again_is_deflated():
    assert len(list(Writer(KEY).parted("put", {"to": "x"}, b"the same " * 100_000))) == 1


@pytest.mark.parametrize(("text", "z"), [("&&&", False), ("YWJj", True), ("eJw=", True)])
def test_damaged_data_is_none(text, z):
    assert unpacked(text, z) is None
