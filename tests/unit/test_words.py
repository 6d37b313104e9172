import re
import signal
import string

import pytest

from jobq_magic import phrases, words
from jobq_magic.figures import binary, brief, number
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import ICONS, duration, say, size


def snapshot(phase=Phase.FAILED, reason="", **facts):
    return Snapshot(
        run="pi-1a2b3c4d",
        name="pi",
        mode="local",
        where="this machine",
        phase=phase,
        created=0,
        reason=reason,
        facts=facts,
    )


@pytest.mark.parametrize("phase", sorted(Phase))
def test_every_phase_has_a_sentence_and_an_icon(phase):
    assert say(snapshot(phase)).sentence
    assert ICONS[phase]


def test_the_sentence_of_a_reason_names_the_facts():
    assert say(snapshot(reason="exit", exit_code=3)).sentence == "The cell ended its process with exit status 3"
    assert say(snapshot(reason="signal", signal=int(signal.SIGSEGV))).sentence == "killed (SIGSEGV)"
    assert say(snapshot(reason="signal", signal=99)).sentence == "killed (signal 99)"
    assert say(snapshot(reason="deadline", seconds=5400)).sentence == "Stopped after its time limit of 1:30:00"
    assert say(snapshot(reason="ray-died")).advice == "Run it again with %jobq rerun pi-1a2b3c4d"


def test_a_fact_that_is_not_known_is_said_to_be_unknown():
    assert say(snapshot(reason="exit")).sentence == "The cell ended its process with exit status (no exit_code known)"


def test_who_was_given_up_before_there_was_advice_is_advised_too():
    advice = "Let it wait for longer by --max-wait, or ask for less"
    assert say(snapshot(reason="waited", seconds=60, why="x")).advice == advice
    assert say(snapshot(reason="waited", seconds=60, why="x", do="")).advice == advice


def test_a_fact_with_braces_in_it_is_quoted_as_it_is():
    assert say(snapshot(reason="exception", error="KeyError: '{run}'")).sentence == "KeyError: '{run}'"


def test_an_unknown_reason_falls_back_to_the_phase():
    assert say(snapshot(Phase.RUNNING, reason="of-a-later-version")) == say(snapshot(Phase.RUNNING))


def test_sentences_are_sentences_without_full_stop_and_their_advice_stands_alone():
    for said in [*words.PHASES.values(), *words.REASONS.values()]:
        for text in filter(None, (said.sentence, said.advice)):
            assert not re.search(r"[.!]$|\s$|^\s", text)
            assert all(name is None or name.isidentifier() for _, name, _, _ in string.Formatter().parse(text))


def test_nobody_is_told_to_do_what_the_roles_that_we_ship_do_not_permit():
    # They neither read storage classes, nor make or change claims, ConfigMaps, service accounts and queues.
    not_theirs = re.compile(
        r"kubectl|(?<!to )\b(([Mm]ake|[Dd]elete|[Ee]dit) (it|them|the)\b|[Aa]dd the|[Cc]heck its claim)"
    )
    assert [said.advice for said in words.REASONS.values() if not_theirs.search(said.advice)] == []


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0121, "12 ms"),
        (0.9996, "1.0 s"),
        (1.44, "1.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1:00"),
        (187, "3:07"),
        (3599.6, "1:00:00"),
        (7390, "2:03:10"),
    ],
)
def test_a_length_of_time_is_written_as_people_write_it(seconds, written):
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (28, "28 B"), (999, "999 B"), (1000, "1.0 kB"), (2100, "2.1 kB"), (99_600, "100 kB"),
     (999_600, "1.0 MB"), (400e6, "400 MB"), (2.5e9, "2.5 GB"), (3e12, "3.0 TB")],
)  # fmt: skip
def test_a_size_is_written_as_people_write_it(count, written):
    assert size(count) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [(512 * 2**20, "512Mi"), (3 * 2**29, "1.5Gi"), (10**10, "10.0 GB"), (12160 * 2**20, "11.9Gi"),
     (2**50, "1024Ti"), (8 * 2**30 - 1, "8.0Gi"), (900, "900 B"), (0, "0 B")],
)  # fmt: skip
def test_an_amount_of_memory_is_written_as_the_cluster_writes_it(count, written):
    assert binary(count) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (4, "4"), (0.25, "0.25"), (0.001, "0.001"), (9999.7, "10,000"), (12345.6, "12,346"),
     (12_160_000, "12,160,000"), (-2.5, "-2.5"), (1 / 3, "0.3333")],
)  # fmt: skip
def test_a_number_is_never_written_by_a_power_of_ten(value, written):
    assert number(value) == written


def test_digests_are_as_long_as_people_compare_them_also_where_a_message_was_cut():
    digest = "sha256:" + "0123456789ab" + "f" * 52
    assert brief(f"team/fit@{digest} is gone, and {digest[:40]}…") == (
        "team/fit@sha256:0123456789ab… is gone, and sha256:0123456789ab…"
    )


def test_a_run_that_is_being_stopped_is_not_told_as_stopped():
    assert say(snapshot(Phase.STOPPING, "stopped")).sentence == "Its processes are being ended"
    assert say(snapshot(Phase.CANCELLED, "stopped")).sentence == "Stopped on request"


def test_a_refusal_is_told_with_its_way_out():
    told = say(snapshot(reason="refused", error="No base", lines=["No base", "No network. Choose --base host."]))
    assert (told.sentence, told.advice) == ("No base", "No network. Choose --base host")
    assert say(snapshot(reason="refused", error="No base", lines=["No base"])).advice == ""


@pytest.mark.parametrize(("seconds", "written"), [(-3600, "0 s"), (42.7, "42 s"), (7390, "2:03:10")])
def test_a_length_of_time_that_grows_is_never_less_than_nothing_though_a_clock_was_put_back(seconds, written):
    assert words.ongoing(seconds) == written


def test_what_would_have_come_by_itself_is_not_advised_to_who_waits_no_more():
    def left(advice):
        return words.to_do(words.Words("", advice))

    assert left("It begins when it is its turn; a higher --priority goes before") == "A higher --priority goes before"
    assert left("It starts when the other is done; or use another volume") == "Use another volume"
    assert left("Make it, or correct its name; it starts as soon as there is one") == "Make it, or correct its name"
    assert left("It begins when they are done") == ""
    for code, (_, advice) in phrases.CLUSTER.items():
        assert not re.search(r"\bit (starts|begins|is tried)\b", left(advice), re.IGNORECASE), code
