"""What a run wrote, as the output of the cell that waits for it."""

from __future__ import annotations

from jobq_magic.notebook.faces import Emitter
from jobq_magic.runs.tail import Chunk, Display


def test_lines_of_several_workers_say_whose_they_are_without_colours(capsys):
    Emitter()(
        [
            Chunk("stdout", b"one\ntw", "0"),
            Chunk("stderr", "é\n".encode(), "1"),
            Chunk("stdout", b"o\n", "0"),
            Display("clear_output", {}, source="1"),
        ]
    )
    said = capsys.readouterr()
    assert (said.out, said.err) == ("[0] one\n[0] two\n", "[1] é\n")


def test_lines_of_the_only_worker_are_as_they_are(capsys):
    Emitter()([Chunk("stdout", b"one\r"), Chunk("stdout", b"two\n")])
    assert capsys.readouterr().out == "one\rtwo\n"
