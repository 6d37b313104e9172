"""Colours of a terminal on a page: readable on light and dark, whatever was asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import NamedTuple

__all__ = ["PALETTE", "PLAIN", "STEPS", "Colour", "Style", "contrast", "cube", "paint", "readable", "rules"]

Colour = int | str | None
"""One of the sixteen, `#rrggbb`, or what text has by itself."""


class Style(NamedTuple):
    """How characters look."""

    front: Colour = None
    back: Colour = None
    flags: frozenset[str] = frozenset()
    """Of b, d, i, u, v: bold, dim, italic, underlined, inverse."""


PLAIN = Style()

PALETTE = (
    ("#24292f", "#9aa4ae"),
    ("#c21f2b", "#ff7b72"),
    ("#187733", "#3fb950"),
    ("#855900", "#d29922"),
    ("#0860ca", "#58a6ff"),
    ("#7a45d8", "#bc8cff"),
    ("#1b7178", "#39c5cf"),
    ("#59636e", "#c9d1d9"),
    ("#57606a", "#9aa4ae"),
    ("#a40e26", "#ff938a"),
    ("#116329", "#56d364"),
    ("#6f4a00", "#e3b341"),
    ("#0550ae", "#79c0ff"),
    ("#6639ba", "#d2a8ff"),
    ("#0f5a61", "#56d4dd"),
    ("#424a53", "#f0f6fc"),
)
"""The sixteen as text: on light, on dark."""

_BACKS = (
    *("#24292f", "#cf222e", "#187733", "#8a5d00", "#0860ca", "#7a45d8", "#1b7178", "#d0d7de"),
    *("#57606a", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#ffffff"),
)
STEPS = (0, 95, 135, 175, 215, 255)
"""The levels of the 6 × 6 × 6 colours between 16 and 231."""

_FLAGS = {
    "b": ".jq-ab{font-weight:600}",
    "i": ".jq-ai{font-style:italic}",
    "u": ".jq-au{text-decoration:underline}",
    "v": ".jq-av{color:var(--jq-bg);background:var(--jq-fg)}",
}
# Luminance that text may have to be 4.5 times as strong as the lightest of dark grounds, and the darkest of light ones.
_DARKEST, _LIGHTEST = 0.285, 0.15
_LINEAR = tuple(v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in range(256))


def cube(number: int) -> Colour:
    """One of the 256 colours."""
    if number < 16:
        return number
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    red, rest = divmod(number - 16, 36)
    return "#" + "".join(f"{STEPS[step]:02x}" for step in (red, *divmod(rest, 6)))


def contrast(one: str, other: str) -> float:
    """How much stronger one colour is than another, from 1 to 21."""
    dark, light = sorted((_luminance(_channels(one)), _luminance(_channels(other))))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(4096)
def readable(colour: str) -> tuple[str, str]:
    """A colour as it can be read on light, and on dark: as near to itself as that allows."""
    linear = _channels(colour)
    there = _luminance(linear)
    down = min(1.0, _LIGHTEST / there) if there else 1.0
    up = max(0.0, (_DARKEST - there) / (1 - there)) if there < 1 else 0.0
    return _hex([value * down for value in linear]), _hex([value + up * (1 - value) for value in linear])


def rules(drawn: str) -> str:
    """The style sheet of what `paint` made: as much of it as is used."""
    used = sorted(set(re.findall(r'[" ]jq-a(\d+|[biuv])(?=[" ])', drawn)))
    sheet = "".join(_FLAGS.get(one) or _front(int(one)) for one in used)
    return f"<style>{sheet}</style>" if sheet else ""


def paint(text: str, style: Style) -> str:
    """A span of HTML that looks like `style`."""
    if style == PLAIN:
        return escape(text, quote=False)
    return f"<span{_attributes(style)}>{escape(text, quote=False)}</span>"


@lru_cache(4096)
def _attributes(style: Style) -> str:
    front, back, flags = style
    classes = [f"jq-a{flag}" for flag in "biu" if flag in flags]
    css = ""
    if "v" in flags:
        front, back = back, front
    if back is not None:
        ground = _concrete(back)
        letters = None if front is None else _concrete(front)
        if letters is None or contrast(letters, ground) < 4.5:
            letters = max("#ffffff", "#000000", key=lambda one: contrast(one, ground))
        css = f"color:{letters};background:{ground}"
    elif "v" in flags:
        classes.append("jq-av")
    elif isinstance(front, int):
        classes.append(f"jq-a{front}")
    elif front is not None:
        light, dark = readable(front)
        css = f"color:light-dark({light},{dark})"
    elif "d" in flags:
        classes.append("jq-mut")
    return (f' class="{" ".join(classes)}"' if classes else "") + (f' style="{css}"' if css else "")


def _front(number: int) -> str:
    light, dark = PALETTE[number % len(PALETTE)]
    return f".jq-a{number}{{color:light-dark({light},{dark})}}"


def _concrete(colour: int | str) -> str:
    return _BACKS[colour] if isinstance(colour, int) else colour


def _channels(colour: str) -> tuple[float, float, float]:
    return _LINEAR[int(colour[1:3], 16)], _LINEAR[int(colour[3:5], 16)], _LINEAR[int(colour[5:7], 16)]


def _luminance(linear: tuple[float, float, float]) -> float:
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(linear: list[float]) -> str:
    return "#" + "".join(
        f"{round(255 * (v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)):02x}" for v in linear
    )
