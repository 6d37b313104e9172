from __future__ import annotations

from jobq_magic.image import Image, ImageLayer
from jobq_magic.images.prune import KeptImage, KeptLayer, PrunedImages
from jobq_magic.imaging import Kept, told
from jobq_magic.render.image import drawn, drawn_html, folded, kept_html, pruned, rows, stable, summary
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


def test_the_size_of_a_layer_that_another_machine_made_is_not_told():
    told_ = ImageTold("jobq@sha256:1", (LayerTold("code", "the cell", 0, "reused"),))
    assert rows(told_) == [("code", "the cell", "", "reused")]
    assert "0 B" not in stable(told_)


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


T = 1_800_000_000.0
KEPT = Kept(
    "/home/ada/.cache/jobq/images",
    (
        KeptLayer("requirements", "numpy, pandas and 4 more", DIGEST, 64_000_000, T - 7200),
        KeptLayer("", "", "sha256:" + "ef56" * 16, 120_000, T - 9 * 86400),
    ),
    (
        KeptImage("engine:ABCD", "cd34" * 16, DIGEST, T - 60),
        KeptImage("engine:ABCD", "ab12" * 16, DIGEST, T - 900),
        KeptImage("registry.example.org/team", "ab12" * 16, DIGEST, T - 86400 * 3),
    ),
)


def test_what_a_machine_keeps_is_told_with_its_size_and_when_it_was_used():
    golden("render/images.txt", told(KEPT, now=T) + "\n")
    golden("render/images.html", kept_html(KEPT, now=T).removeprefix(STYLE) + "\n")
    assert told(Kept("/x", (), ()), now=T) == "0 layers, 0 B in /x; 0 images elsewhere"


def test_what_was_removed_is_told_and_what_was_not_and_why():
    done = PrunedImages(2, 64_120_000, KEPT.images[:1])
    assert pruned(done) == "Removed 2 layers (64.1 MB) and 1 image"
    held = PrunedImages(0, 0, (), 1, ("The registry refuses\x1b[2J",), dry_run=True)
    assert pruned(held).splitlines() == [
        "Would remove 0 layers (0 B) and 0 images",
        "1 image stays, as a run that has not ended uses it",
        "The registry refuses",
    ]
