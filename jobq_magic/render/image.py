"""The image of a run: its layers, what each holds and why it is there, and what had to travel. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol

from jobq_magic.image import Image
from jobq_magic.render import account, text
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line
from jobq_magic.render.style import STYLE
from jobq_magic.snapshot import ImageTold, LayerTold
from jobq_magic.words import LAYERS, duration, layers, size

__all__ = ["HEADS", "drawn", "drawn_html", "folded", "rows", "stable", "summary"]

HEADS = ("layer", "holds", "size", "state")
_WHY = "why"


class _Layered(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def state(self) -> str: ...


def summary(image: ImageTold | Image) -> str:
    """How much it is: `5 layers, 112 MB`."""
    count = len(image.layers)
    return f"{count} layer{'s' * (count != 1)}, {size(sum(layer.size for layer in image.layers))}"


def rows(image: ImageTold | Image) -> list[tuple[str, ...]]:
    """Its layers under `HEADS`, from the base up; those of the base in one row."""
    return [(each.kind, each.name, size(each.size), each.state) for each in _grouped(image.layers)]


def drawn(image: Image) -> str:
    """All that is known of an image as text."""
    facts = _facts(image)
    width = max(len(name) for name, _ in facts)
    parts = [
        text.columns((*HEADS, _WHY), _explained(image)) if image.layers else "",
        "\n".join(f"{name:{width}}  {one_line(value)}" for name, value in facts),
        "\n".join(map(one_line, image.notes)),
        one_line(_came(image)),
    ]
    return "\n\n".join(filter(None, parts))


def drawn_html(image: Image) -> str:
    """All that is known of an image as HTML."""
    told = f'<div class="jq-who"><b>Image</b> <span class="jq-mut">{safe(summary(image))}</span></div>'
    head = f'<div class="jq-head">{told} <span class="jq-mut">{safe(_came(image))}</span></div>'
    layers_ = account.table((*HEADS, _WHY), _explained(image), code={0}, right={2})
    facts = "".join(_copied(name, value) for name, value in _facts(image))
    notes = "".join(f'<div class="jq-note jq-mut">{safe(note)}</div>' for note in image.notes)
    return f'{STYLE}<div class="jq" role="group" aria-label="Image">{head}{layers_}{facts}{notes}</div>'


def folded(image: ImageTold | None) -> str:
    """The image, to be unfolded in a card; nothing where a run has none."""
    if image is None:
        return ""
    table = account.table(HEADS, rows(image), code={0}, right={2})
    told = f"<summary>Image: {safe(summary(image))}</summary>"
    return f"<details>{told}{table}{_copied('reference', image.reference)}</details>"


def stable(image: ImageTold) -> str:
    """What is the same at every execution: what it holds, and by which digest it is called."""
    held = [(each.kind, each.name, size(each.size)) for each in _grouped(image.layers)]
    return "\n".join(filter(None, (text.columns(HEADS[:3], held) if held else "", one_line(image.reference))))


def _explained(image: Image) -> list[tuple[str, ...]]:
    return [(*row, LAYERS.get(row[0], "")) for row in rows(image)]


def _facts(image: Image) -> list[tuple[str, str]]:
    facts = (("reference", image.reference), ("base", image.base), ("key", image.key))
    return [(name, value) for name, value in facts if value]


def _came(image: Image) -> str:
    """What it took: `4 layers reused (112 MB), 1 pushed (34 kB); 64 ms`."""
    took = [f"{size(image.sent)} sent"] if image.sent else []
    took += [f"in {duration(image.seconds)}"] if image.seconds else []
    return "; ".join(filter(None, (layers(image.layers), " ".join(took))))


def _grouped(all_: Iterable[_Layered]) -> Iterator[LayerTold]:
    """The layers, with neighbours of a base as one: a user made none of them, and there may be dozens."""
    for (kind, state), several in groupby(all_, lambda layer: (layer.kind, layer.state)):
        if kind != "base":
            yield from (LayerTold(kind, each.name, each.size, state) for each in several)
            continue
        known = list(several)
        name = known[0].name + (f", {len(known)} layers" if len(known) > 1 else "")
        yield LayerTold(kind, name, sum(each.size for each in known), state)


def _copied(name: str, value: str) -> str:
    """A fact that can be selected by one click."""
    code = f'<code class="jq-copy" tabindex="0">{safe(value)}</code>'
    return f'<div class="jq-note"><span class="jq-mut">{safe(name)}</span> {code}</div>'
