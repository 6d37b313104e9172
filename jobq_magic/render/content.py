"""What a card says, before a face draws it: text and HTML say the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from jobq_magic import queuewords
from jobq_magic.figures import number
from jobq_magic.phrases import LOST
from jobq_magic.render import queue
from jobq_magic.render.bars import Bar, seconds, split
from jobq_magic.render.card import Card
from jobq_magic.render.console import Line, plain, screen
from jobq_magic.render.safe import one_line, short
from jobq_magic.snapshot import Phase, Progress, Snapshot
from jobq_magic.words import SPENT, about, duration, lasted, layers, ongoing, say, size, some, unreturned

__all__ = [
    "Content",
    "Span",
    "beside",
    "captions",
    "closed",
    "counted",
    "load",
    "notes",
    "percent",
    "place",
    "read",
    "sentence",
    "spans",
    "sr",
    "there",
    "will_come",
    "word",
]

BARS = 6
"""Bars that are drawn at most."""

_FRAME = re.compile(r'^[ |+]*File "(?P<file>Cell \[[^\]"]*\]|<[^">]*>)", line (?P<line>\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Span:
    """A phase on the line of time."""

    word: str
    took: float
    going: bool = False
    """Whether it goes on."""


@dataclass(frozen=True, slots=True)
class Content:
    """What must be worked out once, and is drawn in several places."""

    spans: tuple[Span, ...]
    bars: tuple[Bar, ...]
    hidden: int
    """Bars that are not drawn."""
    left: float | None
    """Seconds until it is done, by the first bar that says so."""
    log: tuple[Line, ...]
    """The lines of the log without the bars."""


def read(card: Card) -> Content:
    """What there is to draw at this moment."""
    snapshot = card.snapshot
    lines = screen(card.log, cut=card.cut)
    if snapshot.final:  # how far it was is history: bars are what it printed, like the rest
        return Content(tuple(spans(snapshot)), (), 0, None, tuple(lines))
    found, rest = split(lines)
    own = [(_own_bar(each), _left(card, each)) for each in snapshot.progress]
    every = [*own, *((bar, seconds(bar.left)) for bar in found)]
    kept = every
    if len(every) > BARS:
        open_first = sorted(range(len(every)), key=lambda at: (every[at][0].closed, -at))[:BARS]
        kept = [every[at] for at in sorted(open_first)]
    left = next((time for bar, time in every if time is not None and not bar.closed), None)
    if snapshot.phase is not Phase.RUNNING:
        left = None
    bars = tuple(_with_rate(card, bar, time) for bar, time in kept)
    return Content(tuple(spans(snapshot, card.now)), bars, len(every) - len(kept), left, tuple(_trimmed(rest)))


def spans(snapshot: Snapshot, now: float | None = None) -> Iterator[Span]:
    """What took how long, and with `now` what goes on. A phase that came twice is told once."""
    took: dict[str, float] = {}
    for before, after in zip(snapshot.times, snapshot.times[1:], strict=False):
        word = lasted(before.phase, after.phase)
        took[word] = took.get(word, 0) + max(0, after.at - before.at)
    yield from (Span(word, time) for word, time in took.items())
    if now is not None and snapshot.times and not snapshot.final:
        yield Span(snapshot.phase, max(0, now - snapshot.times[-1].at), going=True)


def captions(card: Card, content: Content) -> list[tuple[str, str, str]]:
    """The line of times, each as what stands before the figure, the figure, and what stands after it."""
    image = layers(card.snapshot.image.layers) if card.snapshot.image else ""
    beside = {SPENT[Phase.BUILDING]: f", {one_line(image)}"} if image else {}
    told = [
        (each.word, ongoing(each.took) if each.going else duration(each.took), beside.get(each.word, ""))
        for each in content.spans
        if each.took >= (1 if each.going else 0.0005)
    ]
    if content.left is not None:
        told.append(("about", about(content.left), "left"))
    workers = card.snapshot.usage
    if card.snapshot.final and workers:
        many = f"in one of {len(workers)}" if len(workers) > 1 else ""
        told.append(("peak", size(max(each.peak for each in workers)), many))
    return told


def sentence(card: Card) -> tuple[str, str, str]:
    """The sentence, where in the notebook it broke, and what to do; each may be empty."""
    snapshot = card.snapshot
    words = say(snapshot)
    if snapshot.phase is Phase.SUCCEEDED and not snapshot.reason:
        return "", "", ""
    first = short(words.sentence)
    if snapshot.reason != "exception":
        first = first[:1].upper() + first[1:]
    return first, _broke(card.traceback) if snapshot.phase is Phase.FAILED else "", one_line(words.advice)


def place(card: Card) -> str:
    """Where it runs, and what is special about it: `Ray on this machine · 4 workers · attempt 2`."""
    snapshot = card.snapshot
    parts = [snapshot.where]
    if snapshot.workers is not None:
        parts.append(f"{snapshot.workers} worker{'s' * (snapshot.workers != 1)}")
    if again := queuewords.again(snapshot):
        parts.append(again)
    if card.rerun_of:
        parts.append(f"rerun of {card.rerun_of}")
    return short(" · ".join(parts))


def will_come(card: Card) -> str:
    """What stands after the names that are awaited."""
    will = "may not" if card.snapshot.phase is Phase.STOPPING else "will"
    return f"{will} come back; cells that read {'it' if len(card.awaited) == 1 else 'them'} wait"


def load(cpu: float) -> str:
    """How busy: `98 %` of one core."""
    return f"{100 * cpu:.0f} %"


def notes(card: Card) -> list[str]:
    """What there is to say beside the rest, each once."""
    return [short(note) for note in dict.fromkeys((*queue.notes(card.snapshot), *beside(card)))]


def beside(card: Card) -> tuple[str, ...]:
    """What there is to say beside what the cluster tells; of lost values name by name, where that is known."""
    of_run = (note for note in card.snapshot.notes if not (card.skipped and LOST in note))
    return (*of_run, *unreturned(card.skipped), *card.notes)


def percent(bar: Bar) -> float | None:
    """How much of a bar is full; None where nobody knows."""
    return min(100.0, max(0.0, 100 * bar.done / bar.total)) if bar.total else None


def counted(state: Progress) -> str:
    """How far, in figures: `6,412 / 10,000`, `34 MB / 112 MB`."""
    told = size if state.unit == "bytes" else number
    return told(state.done) + (f" / {told(state.total)}" if state.total else "")


def there(snapshot: Snapshot) -> float | None:
    """How much of the image is there while it is assembled, in percent of the bytes; None where nobody knows."""
    known = [(one.done, one.total) for one in snapshot.progress if one.unit == "bytes" and one.total]
    whole = sum(total for _, total in known)
    return min(100.0, 100 * sum(done for done, _ in known) / whole) if whole else None


def word(snapshot: Snapshot) -> str:
    """The word for where it stands, as on the pill."""
    if snapshot.phase is not Phase.SUCCEEDED:
        return snapshot.phase
    if snapshot.reason == "built":
        return "built"
    part = ", result lost" if snapshot.result == "lost" else ", not all came back"
    return snapshot.phase + part * (snapshot.result == "lost" or any(LOST in note for note in snapshot.notes))


def sr(card: Card) -> str:
    """One sentence for who listens instead of looking. It changes seldom: progress is told in steps of ten percent."""
    snapshot = card.snapshot
    told = [f"Run {one_line(snapshot.run)}: {snapshot.phase}"]
    if snapshot.phase is Phase.RUNNING:
        full = next((part for bar in read(card).bars if (part := percent(bar)) is not None), None)
        told += [f"{int(full // 10) * 10} percent done"] if full is not None and full >= 10 else []
    elif snapshot.phase is Phase.BUILDING:
        part = there(snapshot) or 0
        told += [f"{int(part // 10) * 10} percent of its image"] if part >= 10 else [say(snapshot).sentence]
    elif snapshot.phase is Phase.SUCCEEDED and not snapshot.reason:
        back = some([one_line(each.name) for each in card.came])
        told += [" and ".join(filter(None, (", ".join(back[:-1]), back[-1]))) + " came back"] if back else []
        told += ["Its result is lost"] if snapshot.result == "lost" else []
    else:
        told += filter(None, (short(queue.place(snapshot), 120), short(sentence(card)[0], 200)))
    return " ".join(closed(part) for part in told)


def _own_bar(state: Progress) -> Bar:
    return Bar(short(state.label, 200), state.done, state.total, count=counted(state))


def _left(card: Card, state: Progress) -> float | None:
    """Seconds until this is done, at the pace that it had since the run began."""
    ran = _ran(card)
    if ran is None or not state.total or not 0 < state.done < state.total:
        return None
    left = ran * (state.total - state.done) / state.done
    return left if left < inf else None


def _ran(card: Card) -> float | None:
    """How long the code runs; None where that tells no pace: of several bars, nobody knows when each began."""
    times = card.snapshot.times
    if len(card.snapshot.progress) != 1 or not times or times[-1].phase is not Phase.RUNNING:
        return None
    ran = card.now - times[-1].at
    return ran if ran >= 1 else None


def _with_rate(card: Card, bar: Bar, left: float | None) -> Bar:
    ran = _ran(card)
    if bar.rate or ran is None or left is None or bar.total is None:
        return bar
    each = ran / bar.done if bar.done > 0 else inf
    if not 0 < each < inf:
        return bar
    told = f"{1 / each:,.0f}/s" if each <= 0.1 else f"{1 / each:.1f}/s" if each <= 1 else f"{duration(each)} each"
    return Bar(bar.label, bar.done, bar.total, told, bar.left, bar.count)


def _broke(traceback: str) -> str:
    """Where in the notebook the exception came from: `in Cell [3], line 2, called from Cell [4], line 3`."""
    last = plain(traceback).rpartition("Traceback (most recent call last)")[2]
    frames = [f"{found['file'].strip('<>')}, line {found['line']}" for found in _FRAME.finditer(last)]
    if not frames:
        return ""
    return one_line(f"in {frames[-1]}" + (f", called from {frames[0]}" if frames[0] != frames[-1] else ""))


def _trimmed(lines: list[Line]) -> list[Line]:
    """Without empty lines at the ends, which bars leave behind."""
    first = next((at for at, line in enumerate(lines) if line), len(lines))
    last = next((at for at, line in enumerate(reversed(lines)) if line), 0)
    return lines[first : len(lines) - last]


def closed(sentence: str) -> str:
    """With a full stop, where it ends without one."""
    return sentence if sentence.endswith((".", "?", "!", ")")) else f"{sentence}."
