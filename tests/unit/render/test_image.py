from __future__ import annotations

from jobq_magic.image import Image, ImageLayer
from jobq_magic.render.image import drawn, drawn_html, folded, stable, summary
from jobq_magic.render.style import STYLE
from jobq_magic.snapshot import ImageTold, LayerTold
from jobq_magic.words import layers
from tests.support import golden

KINDS = (
    ("base", "python:3.11-slim", 30_000_000, "reused"),
    ("base", "python:3.11-slim", 18_000_000, "reused"),
    ("requirements", "numpy, pandas and 4 more", 64_000_000, "reused"),
    ("value", "df", 1_600_000_000, "pushed"),
    ("code", "3 steps and the cell", 34_000, "pushed"),
)
DIGEST = "sha256:" + "ab12" * 16
IMAGE = Image(
    reference=f"registry.example.org/team/jobq@{DIGEST}",
    digest=DIGEST,
    key="cd34" * 16,
    base="docker.io/library/python@sha256:" + "ef56" * 16,
    layers=tuple(ImageLayer(kind, name, DIGEST, size, state) for kind, name, size, state in KINDS),
    sent=1_600_036_100,
    seconds=12.3,
    notes=("scipy was made from its source",),
)
TOLD = ImageTold(IMAGE.reference, tuple(LayerTold(*each) for each in KINDS), 34_000, 12.3)


def test_an_image_is_told_layer_by_layer_with_what_each_holds_why_it_is_there_and_whether_it_had_to_travel():
    golden("render/image.txt", drawn(IMAGE) + "\n")
    golden("render/image.html", drawn_html(IMAGE).removeprefix(STYLE) + "\n")


def test_what_had_to_travel_is_told_apart_from_what_was_there():
    assert layers(TOLD.layers) == "3 layers reused (112 MB), 2 pushed (1.6 GB)"
    assert layers(TOLD.layers[:1]) == "1 layer reused (30.0 MB)"
    assert layers(TOLD.layers[3:]) == "2 layers pushed (1.6 GB)"
    assert layers(()) == ""
    assert summary(TOLD) == summary(IMAGE) == "5 layers, 1.7 GB"


def test_a_run_without_an_image_has_nothing_to_unfold():
    assert folded(None) == ""


def test_what_stands_in_a_notebook_is_the_same_whether_layers_were_there_or_not():
    there = tuple(LayerTold(kind, name, size, "reused") for kind, name, size, _ in KINDS)
    assert stable(TOLD) == stable(ImageTold(TOLD.reference, there, 0, 0.01))
    assert IMAGE.reference in stable(TOLD)


def test_what_a_layer_is_called_is_shown_as_text_and_never_acts():
    evil = "<script>x</script>\x1b[2J\u202e\nnext"
    image = Image(evil, evil, evil, evil, (ImageLayer(evil, evil, evil, 1, evil),), notes=(evil,))
    told = ImageTold(evil, (LayerTold(evil, evil, 1, evil),))
    for html in drawn_html(image).removeprefix(STYLE), folded(told):
        assert "<script" not in html
    for text in drawn(image), stable(told):
        assert not {"\x1b", "\u202e"} & set(text)
        assert "\nnext" not in text
