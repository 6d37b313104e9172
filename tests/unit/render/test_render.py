from __future__ import annotations

import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jobq_magic.errors import StoreError
from jobq_magic.render import html, text
from jobq_magic.render.card import Card
from jobq_magic.snapshot import FINAL, Link, Phase, PhaseTime, Progress, Snapshot
from jobq_magic.words import ago
from tests.support import golden

T = 1_800_000_000.0
TIMES = (
    PhaseTime(Phase.CAPTURING, T),
    PhaseTime(Phase.SUBMITTING, T + 0.012),
    PhaseTime(Phase.STARTING, T + 0.02),
    PhaseTime(Phase.RUNNING, T + 1.4),
)
RUNNING = Snapshot(
    run="pi-4f2a1c00",
    name="pi",
    mode="ray",
    where="Ray on this machine",
    phase=Phase.RUNNING,
    created=T,
    workers=4,
    times=TIMES,
    progress=(Progress("", 6412, 10000), Progress("warm up", 3, None)),
    links=(Link("ray-dashboard", "Ray dashboard", "http://127.0.0.1:8265/#/jobs/x"),),
)
ENDED = (*TIMES, PhaseTime(Phase.COLLECTING, T + 62), PhaseTime(Phase.SUCCEEDED, T + 62.1))
SUCCEEDED = replace(RUNNING, phase=Phase.SUCCEEDED, times=ENDED, result="ready")
FAILED = replace(
    RUNNING,
    phase=Phase.FAILED,
    times=(*TIMES, PhaseTime(Phase.FAILED, T + 3)),
    reason="exception",
    facts={"error": "ValueError: X has 3"},
)
KILLED = replace(
    FAILED,
    mode="local",
    where="this machine",
    workers=None,
    reason="killed",
    facts={},
    notes=("2 names did not travel",),
)
QUEUED = replace(RUNNING, phase=Phase.QUEUED, times=TIMES[:2], progress=(), links=(), attempt=2)
CASES = {"running": RUNNING, "succeeded": SUCCEEDED, "failed": FAILED, "killed": KILLED, "queued": QUEUED}


@pytest.mark.parametrize("case", CASES)
def test_a_snapshot_looks_as_agreed(case):
    snapshot = CASES[case]
    golden(f"render/{case}.txt", text.live(snapshot, now=T + 42) + "\n")


def live(card: Card) -> str:
    """All that a panel draws of it."""
    return "".join(html.live(card))


def test_the_list_looks_as_agreed():
    golden("render/list.txt", text.table(CASES.values(), now=T + 4000) + "\n")
    golden("render/list.html", html.table(CASES.values(), now=T + 4000).removeprefix(html.STYLE) + "\n")


def test_an_empty_list_says_so():
    assert text.table([], now=T) == "No runs"
    assert "No runs" in html.table([], now=T)


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (SUCCEEDED, "pi [ray] succeeded"),
        (replace(SUCCEEDED, result="lost"), "pi [ray] succeeded, result lost"),
        (FAILED, "pi [ray] failed: ValueError: X has 3"),
        (KILLED, "pi [local] failed: killed (SIGKILL), most likely out of memory"),
    ],
)
def test_the_final_line_is_the_same_at_every_execution(snapshot, line):
    assert text.final(snapshot) == line
    later = replace(
        snapshot,
        run="pi-99999999",
        created=T + 9,
        times=tuple(PhaseTime(t.phase, t.at + 9.3) for t in snapshot.times),
        links=(),
    )
    assert text.final(later) == line
    assert html.final(later) == html.final(snapshot)
    assert "4f2a1c00" not in html.final(snapshot)


class Tags(HTMLParser):
    """Every element that was opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open, self.attributes = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.open += [tag] if tag != "br" else []
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\x9b\nnext"


def hostile(phase):
    return replace(
        RUNNING,
        phase=phase,
        run=EVIL,
        name=EVIL,
        where=EVIL,
        mode=EVIL,
        reason="exception",
        facts={"error": EVIL},
        progress=(Progress(EVIL, 1, 2), Progress(EVIL, 1, None)),
        notes=(EVIL,),
        links=(Link("a", EVIL, "https://x/" + EVIL), Link("b", "b", "javascript:alert(1)")),
    )


@pytest.mark.parametrize("phase", list(Phase))
def test_whatever_a_record_holds_is_escaped(phase):
    snapshot = hostile(phase)
    for drawn in (
        live(Card(snapshot, T)),
        html.card(Card(snapshot, T)),
        html.final(snapshot),
        html.table([snapshot], now=T),
        html.error(StoreError("x", EVIL, do=EVIL)),
    ):
        tags = Tags(drawn)
        assert not {"script", "img"} & set(tags.seen)
        assert not [name for name, _ in tags.attributes if name.startswith("on")]
        assert not [value for name, value in tags.attributes if name == "href" and value.startswith("javascript")]


@pytest.mark.parametrize("phase", list(Phase))
def test_no_control_character_reaches_a_terminal(phase):
    snapshot = hostile(phase)
    lines = [
        text.final(snapshot),
        text.status(snapshot, now=T),
        text.table([snapshot], now=T),
        text.live(snapshot, now=T),
    ]
    assert not set("\x1b\x9b\r\x07") & set("".join(lines))
    assert "\n" not in lines[0] + lines[1]


@pytest.mark.parametrize("phase", list(Phase))
def test_a_snapshot_of_every_phase_can_be_drawn(phase):
    bare = Snapshot(run="x-1", name="x", mode="local", where="this machine", phase=phase, created=T)
    assert str(phase) in text.live(bare, now=T)
    assert phase.capitalize() in live(Card(bare, T))
    assert (phase in FINAL) == bare.final


def test_progress_beyond_its_total_is_drawn_full():
    assert "█" * 24 + " 7 / 3" in text.live(replace(RUNNING, progress=(Progress("", 7, 3),)), now=T)
    assert "width:100.0%" in live(Card(replace(RUNNING, progress=(Progress("", 7, 3),)), T))


def test_an_error_is_its_two_lines():
    assert text.error(StoreError("c", "What", why="Why", do="Do")) == "What\n  Why. Do."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "now"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (3 * 86400, "3 days ago")],
)
def test_how_long_ago_is_said_in_one_unit(seconds, words):
    assert ago(seconds) == words


@pytest.mark.parametrize("end", [",y", "", ")."])
@pytest.mark.parametrize("part", [":", "A", ".", "a:"])
def test_what_somebody_else_says_is_read_for_what_can_be_typed_in_no_time(part, end):
    began = time.perf_counter()
    html.typed(f"Try --x {part * 2000}{end}")
    assert time.perf_counter() - began < 1
