"""Progress in what a run prints: bars of tqdm, by the form of their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jobq_magic.render.console import Line, screen, told

__all__ = ["Bar", "recognised", "seconds", "split"]


@dataclass(frozen=True, slots=True)
class Bar:
    """How far a piece of work is, as its line says."""

    label: str
    done: float
    total: float | None
    rate: str = ""
    """`40.1it/s`, or nothing."""
    left: str = ""
    """`00:01`, or nothing."""
    count: str = ""
    """What is done, as the line has it: `1.5k/2.05k`."""

    @property
    def closed(self) -> bool:
        """Whether nothing is left to do."""
        return self.total is not None and self.done >= self.total


_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?[kKMGTPEZY]?"
_TIME = r"(?:\d+d ?)?(?:\d+:)?\d{1,2}:\d\d"
_TIMES = rf"\[{_TIME}(?:<(?P<left>{_TIME}|\?))?, ?(?P<rate>\s*[^,\[\]/]{{1,40}}/[^,\[\]/]{{1,20}})(?:, [^\]]*)?\]"
# `desc:  45%|████      | 45/100 [00:01<00:01, 40.1it/s, loss=0.3]`
_FULL = re.compile(rf"\s{{0,3}}\d{{1,3}}%\|[^|]{{0,400}}\|\s*(?P<done>{_NUMBER})/(?P<total>{_NUMBER}|\?) ?{_TIMES}")
# `desc: 45it [00:01, 40.1it/s]`: nobody said how many
_OPEN = re.compile(rf"(?:^|(?<=: ))\s*(?P<done>{_NUMBER})(?P<unit>[^\d\[\]:|]{{1,24}}?) {_TIMES}")

_SCALE = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21, "Y": 1e24}
_LONGEST = 1000
"""Characters of a line that may be a bar."""


def recognised(log: str) -> tuple[Bar, ...]:
    """The bars in what was printed, in the order of their lines."""
    return split(screen(log))[0]


def split(lines: Iterable[Line]) -> tuple[tuple[Bar, ...], list[Line]]:
    """The bars among the lines, and the lines without them.

    A bar that a later line goes on with is left out: it stays behind where something else was printed between.
    """
    bars: list[Bar] = []
    rest: list[Line] = []
    for line in lines:
        text = told(line)
        found = _bar(text) if len(text) <= _LONGEST and "[" in text else None
        if found is None:
            rest.append(line)
            continue
        bar, after = found
        bars = [each for each in bars if each.closed or (each.label, each.total) != (bar.label, bar.total)]
        bars.append(bar)
        if after:  # printed where the bar ended, without a line of its own
            rest.append(((after, line[-1][1]),))
    return tuple(bars), rest


def seconds(left: str) -> float | None:
    """How long `left` is; None where it does not say."""
    days, _, clock = left.rpartition("d")
    if not re.fullmatch(r"(\d+:)?\d+:\d+", clock.strip()):
        return None
    total = 86400 * int(days or 0)
    for power, part in enumerate(reversed(clock.split(":"))):
        total += 60**power * int(part)
    return total


def _bar(text: str) -> tuple[Bar, str] | None:
    for form in _FULL, _OPEN:
        if found := form.search(text):
            break
    else:
        return None
    part = found.groupdict("")
    total = part.get("total", "?")
    rate = part["rate"].strip()
    return Bar(
        label=text[: found.start()].strip().removesuffix(":").rstrip(),
        done=_value(part["done"]),
        total=None if total == "?" else _value(total),
        rate="" if rate.startswith("?") else rate,
        left="" if part["left"] in {"", "?"} else part["left"],
        count=f"{part['done']} / {total}" if total != "?" else f"{part['done']} {part.get('unit', '').strip()}".strip(),
    ), text[found.end() :].strip()


def _value(number: str) -> float:
    return float(number.rstrip("kKMGTPEZY")) * _SCALE.get(number[-1], 1)
