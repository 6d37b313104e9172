"""Images: layers, what each holds, why it is there, and what had to travel; what a machine keeps of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from jobq_magic.image import Image
from jobq_magic.render import account, text
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import one_line
from jobq_magic.render.style import STYLE
from jobq_magic.snapshot import ImageTold, LayerTold
from jobq_magic.words import LAYERS, ago, duration, layers, size

if TYPE_CHECKING:
    from jobq_magic.images.prune import PrunedImages
    from jobq_magic.imaging import Kept

__all__ = ["HEADS", "drawn", "drawn_html", "folded", "kept", "kept_html", "pruned", "rows", "stable", "summary"]

HEADS = ("layer", "holds", "size", "state")
_WHY = "why"
_KEPT = ("layer", "holds", "size", "used", "digest")
_PLACES = ("place", "images", "used")
_DIGITS = 12


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
    return f"{_count(len(image.layers), 'layer')}, {size(sum(layer.size for layer in image.layers))}"


def rows(image: ImageTold | Image) -> list[tuple[str, ...]]:
    """Its layers under `HEADS`, from the base up; those of the base in one row."""
    return [(each.kind, each.name, _size(each), each.state) for each in _grouped(image.layers)]


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


def folded(image: ImageTold | None, *, unfolded: bool = False) -> str:
    """The image, to be unfolded in a card; nothing where a run has none."""
    if image is None:
        return ""
    table = account.table(HEADS, rows(image), code={0}, right={2})
    told = f"<summary>Image: {safe(summary(image))}</summary>"
    return f"<details{' open' * unfolded}>{told}{table}{_copied('reference', image.reference)}</details>"


def stable(image: ImageTold) -> str:
    """What is the same at every execution: what it holds, and by which digest it is called."""
    held = [(each.kind, each.name, _size(each)) for each in _grouped(image.layers)]
    return "\n".join(filter(None, (text.columns(HEADS[:3], held) if held else "", one_line(image.reference))))


def kept(found: Kept, *, now: float) -> str:
    """What a machine keeps of images, as text."""
    layers_, places = _kept(found, now), _places(found, now)
    tables = [text.columns(_KEPT, layers_) if layers_ else "", text.columns(_PLACES, places) if places else ""]
    return "\n\n".join(filter(None, (*tables, _in_all(found))))


def kept_html(found: Kept, *, now: float) -> str:
    """The same as HTML."""
    tables = account.table(_KEPT, _kept(found, now), code={4}, right={2})
    tables += account.table(_PLACES, _places(found, now), code={0}, right={1})
    head = f'<div class="jq-head"><div class="jq-who"><b>Images</b> <span class="jq-mut">{safe(_in_all(found))}</span>'
    return f'{STYLE}<div class="jq" role="group" aria-label="Images">{head}</div></div>{tables}</div>'


def pruned(done: PrunedImages) -> str:
    """What a prune took away, or would take: `Removed 3 layers (64 MB) and 2 images`."""
    verb = "Would remove" if done.dry_run else "Removed"
    lines = [f"{verb} {_count(done.layers, 'layer')} ({size(done.freed)}) and {_count(len(done.images), 'image')}"]
    if done.in_use:
        stay = "stays, as a run that has not ended uses it" if done.in_use == 1 else "stay, as runs that live use them"
        lines.append(f"{_count(done.in_use, 'image')} {stay}")
    return "\n".join([*lines, *map(one_line, done.notes)])


def _kept(found: Kept, now: float) -> list[tuple[str, ...]]:
    return [
        (each.kind, each.name, size(each.size), ago(max(0, now - each.used)), each.digest.partition(":")[2][:_DIGITS])
        for each in found.layers
    ]


def _places(found: Kept, now: float) -> list[tuple[str, ...]]:
    places: dict[str, list[float]] = {}
    for each in found.images:
        places.setdefault(each.place, []).append(each.used)
    return [(place, str(len(used)), ago(max(0, now - max(used)))) for place, used in sorted(places.items())]


def _in_all(found: Kept) -> str:
    told = f"{_count(len(found.layers), 'layer')}, {size(sum(each.size for each in found.layers))} in {found.folder}"
    return f"{told}; {_count(len(found.images), 'image')} elsewhere"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


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


def _size(layer: LayerTold) -> str:
    return size(layer.size) if layer.size else ""  # not known, as another machine made it


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
