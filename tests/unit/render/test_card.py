from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobq_magic.bundle import Account, Traveller
from jobq_magic.phrases import WITH_STORE
from jobq_magic.render import content, html, text
from jobq_magic.render.card import Came, Card
from jobq_magic.render.colours import contrast
from jobq_magic.snapshot import (
    FINAL,
    Before,
    ImageTold,
    LayerTold,
    Link,
    Phase,
    PhaseTime,
    PlaceTold,
    Progress,
    QuotaTold,
    Snapshot,
    Usage,
    WorkerTold,
)
from jobq_magic.words import about, clock, some
from tests.support import golden

T = 1_800_000_000.0
NOW = T + 42
TIMES = (PhaseTime(Phase.CAPTURING, T), PhaseTime(Phase.STARTING, T + 0.012), PhaseTime(Phase.RUNNING, T + 1.4))
SENT = (
    Traveller("np", "import", "cell", None, "numpy 2.1"),
    Traveller("train", "source", "cell → train", 812, "Cell [3]"),
    Traveller("df", "value", "cell", 4_000_000, "Cell [2]"),
)
HISTORY = (0.2, 0.9, 0.95, 1.0, 0.97, 0.98, 1.0, 0.99, 0.9, 0.98, 1.0, 1.0, 0.97)
FOUR = tuple(Usage(str(number), 0.95 + number / 100, 540_000_000, 600_000_000, HISTORY) for number in range(1, 5))
RUNNING = Snapshot(
    run="pi-4f2a1c00",
    name="pi",
    mode="ray",
    where="Ray on this machine",
    phase=Phase.RUNNING,
    created=T,
    workers=4,
    times=TIMES,
    progress=(Progress("", 6412, 10000),),
    links=(Link("ray-dashboard", "Ray dashboard", "http://127.0.0.1:8265/#/jobs/x"),),
    usage=FOUR,
)
LOG = "".join(f"\x1b[35mdriver\x1b[0m {100 * number:,} batches\n" for number in range(40, 52))
TRACEBACK = """Traceback (most recent call last):
  File "Cell [8]", line 2, in <module>
    model.predict(X)
    \x1b[31m~~~~~~~~~~~~~^^^\x1b[0m
  File "Cell [7]", line 12, in predict
    raise ValueError(f"X has {X.shape[1]} features, but Model expects {self.n}")
  File "/usr/lib/python3/lib.py", line 3, in deep
ValueError: X has 3 features, but Model expects 4
"""
BARS = (
    "loading\nepoch:  30%|###    | 3/10 [00:12<00:28,  4.00s/it]\n"
    "batch:  64%|####   | 640/1000 [00:02<00:01, 310.22it/s]\nwords: 4512it [00:01, 4012.40it/s]\n"
)


def live(card: Card) -> str:
    """All that a panel draws of it."""
    return "".join(html.live(card))


def ended(phase, **more):
    return replace(RUNNING, phase=phase, times=(*TIMES, PhaseTime(phase, T + 62.4)), progress=(), **more)


FAILED = ended(Phase.FAILED, reason="exception", facts={"error": "ValueError: X has 3 features, but Model expects 4"})
IMAGE = ImageTold(
    "registry.example.org/team/jobq@sha256:" + "ab12" * 16,
    (
        LayerTold("base", "python:3.11-slim", 30_000_000, "reused"),
        LayerTold("base", "python:3.11-slim", 18_000_000, "reused"),
        LayerTold("requirements", "numpy, pandas and 4 more", 64_000_000, "reused"),
        LayerTold("runtime", "jobq 0.1", 60_000, "reused"),
        LayerTold("code", "3 steps and the cell", 34_000, "pushed"),
    ),
    36_100,
    0.064,
)
BUILDING = replace(
    RUNNING,
    mode="docker",
    where="Docker on this machine",
    workers=None,
    phase=Phase.BUILDING,
    times=(TIMES[0], PhaseTime(Phase.BUILDING, T + 0.03)),
    progress=(
        Progress("numpy, pandas and 4 more", 34_000_000, 112_000_000, "bytes"),
        Progress("df", 1_600_000_000, 1_600_000_000, "bytes"),
        Progress("base", 4_100_000, None, "bytes"),
    ),
    usage=(),
    links=(),
)
BUILT_TIMES = (TIMES[0], PhaseTime(Phase.BUILDING, T + 0.03), PhaseTime(Phase.SUBMITTING, T + 0.094))
CAME = (Came("estimate", 28), Came("history", 80_400), Came("model", 4_000_000, "changed"))
WAITING = replace(
    RUNNING,
    mode="kueue",
    where="Kueue, queue main of team-blue",
    workers=2,
    phase=Phase.QUEUED,
    times=(TIMES[0], PhaseTime(Phase.QUEUED, T + 0.03)),
    progress=(),
    links=(),
    usage=(),
    facts={"said": "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor <small>"},
    place=PlaceTold(
        "main",
        "blue",
        3,
        12,
        ("ada/train: 4 cpus", "eve/fit: 1 cpu"),
        240.0,
        (
            QuotaTold("cpu", "small", 4, 1, 8, 6),
            QuotaTold("memory", "small", 8 * 2**30, 2**29, 2**35, None),
        ),
    ),
)
PAIR = (
    WorkerTold(0, "running", "jobq-pi-0-x", "node-a"),
    WorkerTold(1, "failed", "jobq-pi-1-y", "node-<b>", "exit", {"exit_code": 3}),
    WorkerTold(2, ""),
)
CROWD = (
    *(WorkerTold(rank, "running") for rank in range(61)),
    WorkerTold(61, "queued"),
    WorkerTold(62, "starting"),
    WorkerTold(63, "failed", node="node-z", reason="out-of-memory", facts={"limit": 2**29}),
)
CASES = {
    "waiting": Card(WAITING, T + 187, awaited=("model",)),
    "place-unknown": Card(
        replace(WAITING, place=PlaceTold("main", unknown="Your account may not read the order of the queue"), facts={}),
        T + 187,
    ),
    "workers": Card(replace(RUNNING, mode="kueue", usage=(), links=(), each=PAIR), NOW, "\x1b[0;36m[0]\x1b[0m one\n"),
    "crowd": Card(replace(RUNNING, mode="kueue", usage=(), links=(), workers=64, each=CROWD), NOW),
    "again": Card(
        replace(RUNNING, usage=(), links=(), attempt=2, before=Before("container-killed")), NOW, account=None
    ),
    "paused": Card(
        replace(WAITING, phase=Phase.PAUSED, times=(*TIMES, PhaseTime(Phase.PAUSED, T + 9)), place=None, facts={}), NOW
    ),
    "running": Card(RUNNING, NOW, LOG, account=Account(travellers=SENT)),
    "bars": Card(replace(RUNNING, progress=()), NOW, BARS, awaited=("model", "history")),
    "building": Card(BUILDING, NOW, awaited=("model",)),
    "built": Card(
        replace(
            BUILDING,
            phase=Phase.SUCCEEDED,
            reason="built",
            times=(*BUILT_TIMES[:2], PhaseTime(Phase.SUCCEEDED, T + 0.094)),
            progress=(),
            image=IMAGE,
        ),
        NOW,
    ),
    "with-image": Card(
        replace(
            BUILDING,
            phase=Phase.RUNNING,
            times=(*BUILT_TIMES, PhaseTime(Phase.RUNNING, T + 0.4)),
            progress=(),
            image=IMAGE,
        ),
        NOW,
        account=Account(travellers=SENT),
    ),
    "queued": Card(
        replace(
            RUNNING, phase=Phase.QUEUED, times=(TIMES[0], PhaseTime(Phase.QUEUED, T + 0.03)), progress=(), attempt=2
        ),
        T + 187,
        awaited=("model",),
        rerun_of="pi-00000000",
    ),
    "failed": Card(FAILED, NOW, LOG, traceback=TRACEBACK, account=Account(travellers=SENT)),
    "killed": Card(ended(Phase.FAILED, reason="killed", notes=("2 names did not travel",)), NOW),
    "cancelled": Card(ended(Phase.CANCELLED, reason="stopped"), NOW, "a\nb\n"),
    "lost": Card(ended(Phase.LOST, reason="supervisor-lost"), NOW),
    "succeeded": Card(ended(Phase.SUCCEEDED, result="ready"), NOW, came=CAME),
    "printed": Card(
        ended(Phase.SUCCEEDED, result="ready"),
        NOW,
        LOG * 2,
        cut=True,
        account=Account(travellers=SENT),
        skipped=({"name": "fig", "reason": "Figure cannot be pickled"},),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_card_looks_as_agreed(case):
    golden(f"render/card-{case}.txt", text.card(CASES[case]) + "\n")
    golden(
        f"render/card-{case}.html", re.sub(r"(?=<(div|pre|details|tr))", "\n", unstyled(html.card(CASES[case]))) + "\n"
    )


def unstyled(drawn):
    return re.sub(r"<style>.*?</style>", "", drawn, flags=re.DOTALL)


def words(drawn):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", unstyled(drawn)))


# What is ours: elements, and attributes of each.
OURS = {
    "a": {"href", "target", "rel"},
    "b": {"title"},
    "br": set(),
    "button": {"type", "class", "onclick", "data-commandlinker-command", "data-commandlinker-args"},
    "circle": {"cx", "cy", "r", "fill", "stroke", "stroke-width", "stroke-dasharray"},
    "code": {"class", "tabindex"},
    "details": {"class", "open"},
    "div": {
        "tabindex",
        *("class", "role", "aria-label", "aria-hidden", "aria-valuemin", "aria-valuemax", "aria-valuenow"),
        *("aria-valuetext", "data-code"),
    },
    "i": {"class", "style"},
    "li": set(),
    "ol": {"class"},
    "path": {"d", "fill", "stroke", "stroke-width"},
    "polyline": {"points"},
    "pre": {"class", "role", "aria-label", "tabindex"},
    "rect": {"x", "y", "width", "height", "rx", "fill"},
    "span": {"class", "style", "title", "role", "aria-label"},
    "style": {"onload", "data-say"},
    "summary": set(),
    "svg": {"viewbox", "width", "height", "aria-hidden"},
    "table": {"class"},
    "tbody": set(),
    "td": {"class", "title"},
    "th": {"scope", "class"},
    "thead": set(),
    "tr": set(),
}


SPOKEN = (
    re.search('onload="([^"]*)"', html.voice(Card(RUNNING, NOW))).group(1).replace("&gt;", ">").replace("&#x27;", "'")
)
COPIED = ").then(()=>this.textContent='Copied')"


class Page(HTMLParser):
    """Elements and attributes that are ours, each closed in order."""

    def __init__(self, drawn):
        super().__init__()
        self.open, self.roles, self.said = [], [], ""
        self.feed(drawn)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        got = dict(attributes)
        assert set(got) <= OURS[tag]
        # Of the web, or of the server that the notebook came from.
        assert re.fullmatch(r"(https?://|/(?![/\\])).*", got.get("href", "http://x"), re.DOTALL)
        assert "url" not in got.get("style", "")
        assert got.get("data-commandlinker-command", "notebook:run-cell") == "notebook:run-cell"
        assert got.get("data-commandlinker-args", "{}") == "{}"
        clipboard = r"navigator\.clipboard\?\.writeText\('[a-z0-9-]+'\)\.then\(\(\)=>this\.textContent='Copied'\)"
        assert re.fullmatch(
            clipboard, got.get("onclick", "navigator.clipboard?.writeText('x').then(()=>this.textContent='Copied')")
        )
        assert got.get("onload", SPOKEN) == SPOKEN
        self.said += got.get("data-say", "")
        if "role" in got:
            self.roles.append(got)
        if tag not in {"br", "circle", "path", "rect", "polyline"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in {"circle", "path", "rect", "polyline"}:
            assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_data(self, data):
        self.said += data


EVIL = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "\"'><img src=x onerror=alert(1)>",
            "\x1b[31mred\x1b[0m",
            "\u202etxet\u2066",
            "a\nb\rc",
            "</pre></details>",
            "');alert(1)//",
            "javascript:alert(1)",
            "https://x/\"onmouseover='x'",
            "\ud800",
        ]
    ),
)


@st.composite
def cards(draw):
    evil = lambda: draw(EVIL)  # noqa: E731
    number = st.floats(0, 1e6)
    snapshot = replace(
        RUNNING,
        run=evil(),
        name=evil(),
        mode=evil(),
        where=evil(),
        phase=draw(st.sampled_from(list(Phase))),
        reason=draw(st.sampled_from(["", "exception", "refused", "supervisor-lost", "deadline", "ray-failed"])),
        facts={"error": evil(), "seconds": 3, "said": evil()},
        progress=tuple(
            Progress(evil(), draw(number), draw(st.none() | number)) for _ in range(draw(st.integers(0, 3)))
        ),
        links=(Link("a", evil(), evil()),),
        notes=(evil(),),
        result=draw(st.sampled_from(["", "ready", "lost"])),
        attempt=draw(st.integers(1, 3)),
        usage=(Usage(evil(), draw(number), 3, 4, (draw(number), 0.1)),),
        before=draw(st.none() | st.just(Before("refused", {"error": evil()}))),
        place=PlaceTold(
            evil(),
            evil(),
            draw(st.none() | st.integers(1, 200)),
            draw(st.none() | st.integers(1, 200)),
            (evil(), evil()),
            draw(st.none() | number),
            (QuotaTold(evil(), evil(), draw(number), draw(st.none() | number)), QuotaTold("memory", evil(), 3.5)),
            evil(),
        ),
        each=tuple(
            WorkerTold(
                rank, draw(st.sampled_from(["", "running", "failed"])), evil(), evil(), "refused", {"error": evil()}
            )
            for rank in range(draw(st.integers(0, 18)))
        ),
    )
    return Card(
        snapshot,
        T + draw(number),
        draw(st.lists(EVIL, max_size=30).map("\n".join)),
        draw(st.booleans()),
        Account((Traveller(evil(), evil(), evil(), 3, evil()),)),
        (Came(evil(), 3), Came(evil(), 3, "changed")),
        ({"name": evil(), "reason": evil()},),
        (evil(),),
        (evil(),),
        evil(),
        evil(),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(card=cards())
def test_whatever_a_run_says_shows_as_text(card):
    drawings = [html.card(card), live(card), html.final(card.snapshot), html.details(card.account), html.voice(card)]
    drawings += [html.table([card.snapshot], now=T), html.line(*card.notes, card.rerun_of)]
    for drawn in drawings:
        drawn.encode()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", drawn)
        Page(drawn) if drawn.startswith("<") else None
    told = text.card(card)
    told.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told)


def test_only_an_id_can_be_copied():
    assert "writeText('pi-4f2a1c00')" in html.copy_id("pi-4f2a1c00")
    for other in "", "a'b", "A", "a b", "a\n", "x" * 200:
        assert "button" not in html.copy_id(other)


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_word_and_a_drawing(phase):
    drawn = html.card(Card(replace(RUNNING, phase=phase), NOW))
    assert f"</svg>{phase.capitalize()}" in drawn
    assert f'role="group" aria-label="Run pi-4f2a1c00: {phase}"' in drawn
    assert content.sr(Card(replace(RUNNING, phase=phase), NOW)).startswith(f"Run pi-4f2a1c00: {phase}.")


def test_who_listens_hears_how_far_it_is():
    page = Page(live(CASES["bars"]))
    bars = [one for one in page.roles if one["role"] == "progressbar"]
    assert [(one["aria-label"], one["aria-valuenow"]) for one in bars] == [("epoch", "30"), ("batch", "64")]
    assert bars[0]["aria-valuetext"] == "3 of 10, 4.00s/it · 00:28 left"
    assert [one["role"] for one in page.roles if one["role"].startswith("list")] == ["list", *["listitem"] * 5]
    assert "aria-live" not in live(CASES["bars"])


def test_what_a_run_says_is_spoken_and_never_markup():
    card = Card(replace(FAILED, facts={"error": "ValueError: <img src=x onerror=alert(1)>"}), NOW)
    assert "<img" not in html.voice(card)
    assert "<img src=x onerror=alert(1)>" in Page(html.voice(card)).said


def test_nothing_that_is_drawn_all_the_time_takes_the_focus():
    drawn = html.live(CASES["running"])
    assert not re.search("<(a|button|summary)|tabindex", drawn.state + drawn.log + drawn.awaited)
    assert "<a " in drawn.links
    assert not html.live(CASES["succeeded"]).links


def test_who_listens_is_not_told_every_step():
    def said(done):
        return content.sr(Card(replace(RUNNING, progress=(Progress("", done, 100),)), NOW))

    assert said(61) == said(69.9) == "Run pi-4f2a1c00: running. 60 percent done."
    assert said(3) == "Run pi-4f2a1c00: running."
    assert content.sr(CASES["succeeded"]) == "Run pi-4f2a1c00: succeeded. estimate, history and model came back."
    assert content.sr(CASES["failed"]).endswith("failed. ValueError: X has 3 features, but Model expects 4.")


def test_an_ended_run_needs_no_kernel():
    for case, card in CASES.items():
        drawn = html.card(card)
        assert ("%jobq rerun pi-4f2a1c00" in drawn) == card.snapshot.final, case
        assert drawn.count("<button") == 2 * card.snapshot.final


def test_a_bar_is_drawn_and_not_printed_again():
    said = words(live(CASES["bars"]))
    assert "loading" in said
    assert "%|" not in said
    assert "%|" not in text.card(CASES["bars"])


def test_a_bar_of_an_ended_run_is_what_it_printed_last():
    drawn = html.card(Card(ended(Phase.FAILED, reason="killed"), NOW, BARS))
    assert "progressbar" not in drawn
    assert "64%|####   | 640/1000" in drawn


def test_how_much_of_an_image_is_there_is_told_in_bytes_and_drawn():
    said = words(live(CASES["building"]))
    assert "34.0 MB / 112 MB" in said
    assert 'aria-valuetext="34.0 MB of 112 MB"' in live(CASES["building"])
    assert text.row(BUILDING, now=NOW)[1] == "… building 95 %"
    assert content.sr(CASES["building"]) == "Run pi-4f2a1c00: building. 90 percent of its image."
    assert text.row(replace(BUILDING, progress=()), now=NOW)[1] == "… building"


def test_layers_that_were_there_and_those_that_travelled_are_told_beside_the_time_and_listed_where_it_is_unfolded():
    drawn = html.card(CASES["with-image"])
    assert "image <b>64 ms</b>, 4 layers reused (112 MB), 1 pushed (34.0 kB)" in drawn
    assert "<summary>Image: 5 layers, 112 MB</summary>" in drawn
    assert "python:3.11-slim, 2 layers" in words(drawn)
    assert f'<code class="jq-copy" tabindex="0">{IMAGE.reference}</code>' in drawn
    assert "image: 4 layers reused (112 MB), 1 pushed (34.0 kB)" in text.live(CASES["with-image"].snapshot, now=NOW)


def test_a_panel_has_the_image_as_a_piece_of_its_own_which_does_not_change_while_the_run_goes_on():
    card = CASES["with-image"]
    assert html.live(card).image == html.live(replace(card, now=NOW + 9)).image != ""
    assert html.live(CASES["building"]).image == ""


def test_a_run_that_was_to_be_built_only_says_that_nothing_was_run_and_says_so_in_the_same_words_each_time():
    built = CASES["built"].snapshot
    assert text.final(built) == "pi [docker] succeeded: Its image is ready; the cell was not run"
    assert text.row(built, now=NOW)[1] == "✓ built"
    assert "Its image is ready; the cell was not run" in html.final(built)
    assert "pi-4f2a1c00" not in html.final(built)


def test_the_time_that_is_left_is_told_where_progress_tells_it():
    assert "about <b>23 s</b> left" in live(CASES["running"])
    assert "about <b>28 s</b> left" in live(CASES["bars"])
    assert "about" not in live(Card(replace(RUNNING, progress=(Progress("", 5, None),)), NOW))
    two = (Progress("load", 10, 10), Progress("fit", 3, 10))
    assert "about" not in live(Card(replace(RUNNING, progress=two), NOW))
    assert "about" not in live(replace(CASES["queued"], log=BARS))


def test_a_failure_says_what_and_where_first():
    drawn = html.card(CASES["failed"])
    assert "<b>ValueError: X has 3 features, but Model expects 4</b>" in drawn
    said = words(drawn)
    where = said.index("in Cell [7], line 12, called from Cell [8], line 2.")
    assert said.index("but Model expects 4") < where < said.index("Traceback")
    assert said.index("Traceback") < said.index("driver")


def test_a_long_log_is_there_to_be_unfolded():
    card = replace(CASES["succeeded"], log="".join(f"line {number}\n" for number in range(40)))
    folded, _, whole = html.card(card).partition("<details")
    assert "line 27" not in folded
    assert "… 28 lines above" in folded
    assert "Full log (40 lines)" in whole
    assert "line 0\n" in whole
    assert "<details" not in html.card(replace(card, log="one\n"))
    assert "<details" not in live(card)


def test_what_travelled_is_a_table():
    drawn = html.details(Account(SENT))
    assert "What travelled: 3 names, 4.0 MB" in drawn
    assert "<td>cell → train</td>" in drawn
    assert not html.details(None)


def test_many_of_anything_stay_few():
    many = tuple(f"name_{number}" for number in range(50))
    drawn = live(replace(CASES["running"], awaited=many, notes=many))
    assert "</code>, 43 more will come back; cells that read them wait" in drawn
    assert drawn.count("jq-note") == 8
    log = "".join(f"b{number}:  30%|###    | 3/10 [00:12<00:28,  4.00s/it]\n" for number in range(20))
    drawn = live(Card(RUNNING, NOW, log))
    assert drawn.count("progressbar") == 6
    assert "and 15 more" in drawn
    drawn = live(Card(replace(RUNNING, usage=FOUR * 20), NOW))
    assert "and 56 more, 43.2 GB in all" in drawn


def test_a_message_that_is_a_table_is_told_by_its_beginning():
    long = "KeyError: " + "column " * 5000
    card = Card(replace(FAILED, facts={"error": long}, notes=(long,)), NOW)
    assert len(unstyled(html.card(card))) < 4000
    assert len(text.card(card)) < 2000
    assert "KeyError: column column" in content.sr(card)
    assert len(content.sr(card)) < 300


def test_processes_are_drawn_while_they_work_and_told_by_their_peak_at_the_end():
    drawn = live(CASES["running"])
    assert drawn.count("<polyline") == 4
    assert "96 %" in drawn
    assert "2.2 GB in all" in drawn
    assert "peak <b>600 MB</b> in one of 4" in html.card(CASES["succeeded"])
    assert "<polyline" not in html.card(CASES["succeeded"])
    assert "1 96 % 540 MB" in text.card(CASES["running"])


def test_a_usual_card_is_small():
    drawn = live(CASES["running"])
    assert len(drawn.encode()) <= 9 * 1024
    assert len(drawn.encode()) - len(html.STYLE.encode()) <= 6 * 1024


def test_the_final_card_says_the_same_of_another_run():
    other = replace(
        FAILED, run="pi-99999999", created=T + 9, times=tuple(replace(t, at=t.at * 2) for t in FAILED.times)
    )
    assert html.final(other) == html.final(FAILED)
    assert "pi-4f2a1c00" not in html.final(FAILED)


def test_a_phase_that_came_twice_is_told_once():
    times = (*TIMES, PhaseTime(Phase.QUEUED, T + 11), PhaseTime(Phase.RUNNING, T + 12))
    told = [(span.word, round(span.took, 1)) for span in content.spans(replace(RUNNING, times=times), T + 15)]
    assert told == [("captured", 0.0), ("started", 1.4), ("ran", 9.6), ("queued", 1.0), ("running", 3.0)]


@pytest.mark.parametrize(("name", "least"), [("fg", 4.5), ("blue", 4.5), ("green", 4.5), ("amber", 4.5), ("red", 4.5)])
def test_colours_can_be_read_on_light_and_on_dark(name, least):
    light, dark = re.search(rf"--jq-{name}:[^;]*?light-dark\((#\w+),(#\w+)\)", html.STYLE).groups()
    assert min(contrast(light, ground) for ground in ("#ffffff", "#f6f6f7")) >= least
    assert min(contrast(dark, ground) for ground in ("#161b22", "#1e232a", "#212121", "#2a2a2a")) >= least


@pytest.mark.parametrize(
    ("letters", "ground"),
    [("#1f2328", "#ffffff"), ("#e6edf3", "#161b22"), ("#212121", "#ffffff"), ("#dedede", "#212121")],
)
def test_muted_text_can_be_read(letters, ground):
    share = int(re.search(r"--jq-mut:color-mix\(in srgb,var\(--jq-fg\) (\d+)%", html.STYLE)[1]) / 100
    pairs = zip(bytes.fromhex(letters[1:]), bytes.fromhex(ground[1:]), strict=True)
    muted = "#" + bytes(round(one * share + other * (1 - share)) for one, other in pairs).hex()
    assert contrast(muted, ground) >= 4.5


def test_nothing_moves():
    assert "animation" not in html.STYLE
    assert "transition" not in html.STYLE


def test_more_of_a_log_can_be_shown():
    assert "Nothing printed yet" in html.log(Printed("", cut=False))
    drawn = html.log(Printed("x\n\x1b[31mred\x1b[0m\n", cut=True))
    assert "… more above" in drawn
    assert ".jq-a1{" in drawn


@dataclass(frozen=True)
class Printed:
    text: str
    cut: bool
    sources: tuple[str, ...] = ()


def test_a_sentence_has_its_advice_beside_it():
    assert text.line("Waiting for a", "Interrupt to go on") == "Waiting for a Interrupt to go on"
    drawn = html.line("Waiting for <a>", "Type %jobq stop pi-1")
    assert "Waiting for &lt;a&gt;" in drawn
    assert '<code class="jq-copy">%jobq stop pi-1</code>' in drawn


def test_times_are_guessed_in_one_unit():
    assert [about(seconds) for seconds in (0.2, 22, 59.6, 250, 5400, 9000, 200000)] == [
        *("1 s", "22 s", "1 min", "4 min", "1.5 h", "2.5 h", "2 days")
    ]
    assert [clock(seconds) for seconds in (0.9, 42.7, 61, 7390)] == ["0:00", "0:42", "1:01", "2:03:10"]
    assert some(["a", "b", "c"], 2) == ["a", "2 more"]


def test_every_end_is_drawn():
    assert {card.snapshot.phase for card in CASES.values()} >= FINAL


@pytest.mark.parametrize(
    ("advice", "typed"),
    [
        ("Name it as `store` of the profile", ["store"]),
        (
            "A store carries it: --store s3://BUCKET/FOLDER, or `store` of the profile",
            ["--store s3://BUCKET/FOLDER", "store"],
        ),
        (
            "Ask for at most 8Gi of memory: --memory 8Gi, or use --queue gpu, which has 4 GPUs",
            ["--memory 8Gi", "--queue gpu"],
        ),
        ("Name other versions with --requirement, or go without a lock by --no-lock.", ["--requirement", "--no-lock"]),
        ("Ask for fewer with --workers or --gpus", ["--workers", "--gpus"]),
        ("Choose one that says so, by --base python:3.11-slim.", ["--base python:3.11-slim"]),
    ],
)
def test_what_can_be_typed_is_set_apart_an_option_with_its_value(advice, typed):
    drawn = html.typed(advice)
    assert re.findall("<code[^>]*>(.*?)</code>", drawn) == typed
    assert "`" not in drawn


def test_values_that_were_too_large_for_a_log_are_told_once_and_in_the_head():
    lost = "2.3 MB of what came of it are lost: a log carries 262 kB of values. " + WITH_STORE
    why = {"reason": "it takes 1.2 MB, and a log carries 262 kB of values", "advice": WITH_STORE}
    done = replace(RUNNING, phase=Phase.SUCCEEDED, notes=(lost, "Its node was slow"))
    named = Card(done, NOW, skipped=({"name": "big", **why}, {"name": "_", **why}), notes=("big: cells wait",))
    assert content.notes(named) == [
        "Its node was slow",
        "big did not come back: it takes 1.2 MB, and a log carries 262 kB of values",
        "The last value did not come back: it takes 1.2 MB, and a log carries 262 kB of values",
        WITH_STORE,
        "big: cells wait",
    ]
    assert content.notes(Card(done, NOW)) == [lost, "Its node was slow"]
    assert content.word(done) == "succeeded, not all came back"
    assert "Succeeded, not all came back" in html.card(named)
    assert content.word(replace(done, notes=())) == "succeeded"
    told = text.live(done, now=NOW, beside=content.beside(named))
    assert "✓ succeeded, not all came back" in told
    assert (told.count("big did not come back"), told.count(WITH_STORE), lost in told) == (1, 1, False)


def test_a_pace_that_is_too_slow_to_be_counted_is_not_told():
    slow = Progress("rows", 5e-324, 3.5)
    hardly = replace(RUNNING, progress=(slow,))
    assert content.read(Card(hardly, NOW)).bars[0].rate == ""


def test_what_never_started_is_not_said_to_have_started():
    def times(*phases: Phase) -> list[str]:
        told = replace(RUNNING, phase=phases[-1], times=tuple(PhaseTime(one, at) for at, one in enumerate(phases)))
        assert [what for what, _ in text.spent(told)] == [span.word for span in content.spans(told)]
        return [span.word for span in content.spans(told)]

    assert times(Phase.QUEUED, Phase.STARTING, Phase.STOPPING, Phase.CANCELLED) == ["queued", "starting", "stopped"]
    assert times(Phase.QUEUED, Phase.STARTING, Phase.RUNNING, Phase.FAILED) == ["queued", "started", "ran"]


def test_of_a_run_that_is_to_end_no_names_are_promised():
    stopping = replace(RUNNING, phase=Phase.STOPPING, reason="stopped")
    assert content.will_come(Card(RUNNING, NOW, awaited=("x",))) == "will come back; cells that read it wait"
    assert content.will_come(Card(stopping, NOW, awaited=("x", "y"))) == "may not come back; cells that read them wait"
