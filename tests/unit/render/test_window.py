"""The page in place of a dashboard: what is waited for, since when it is gone, why it is not opened."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from jobq_magic.raytold import RayTold, TasksTold
from jobq_magic.render import window
from jobq_magic.render.card import Card
from jobq_magic.snapshot import Phase, PhaseTime, Snapshot

NASTY = '<img src=x onerror="alert(1)"></script>\u202e'
NOW = 1_800_000_000.0
QUEUED = Snapshot(
    run="pi-4f2a",
    name="pi",
    mode="rayjob",
    where="queue team-a",
    phase=Phase.QUEUED,
    created=NOW - 900,
    workers=2,
    times=(PhaseTime(Phase.QUEUED, NOW - 890, 1),),
)
DONE = replace(
    QUEUED,
    phase=Phase.SUCCEEDED,
    times=(PhaseTime(Phase.RUNNING, NOW - 800, 1), PhaseTime(Phase.SUCCEEDED, NOW - 240, 1)),
)


def test_what_is_awaited_is_said_and_looked_for_again_by_the_browser_itself():
    page = window.awaited(Card(QUEUED, NOW))
    assert "The Ray dashboard is not there yet" in page
    assert '<meta http-equiv="refresh" content="2">' in page
    assert "queue team-a" in page
    assert "The cluster is silent." in window.awaited(Card(QUEUED, NOW), "The cluster is silent.")


def test_what_is_gone_is_gone_since_then_and_what_ray_knew_is_there():
    told = RayTold(NOW - 240, tasks=(TasksTold(NASTY, 0, 0, 203, 3),), history=((NOW - 600, 1.0, 1 << 30, 1),) * 2)
    page = window.over(Card(replace(DONE, ray=told), NOW), NOW - 240)
    assert f"gone since {time.strftime('%H:%M', time.localtime(NOW - 240))}" in page
    assert "Its Ray ended 4 min ago." in page
    assert ">203<" in page
    assert "http-equiv" not in page
    assert "<img" not in page
    assert "\u202e" not in page


def test_of_what_is_long_gone_the_day_is_told():
    page = window.over(Card(DONE, NOW), NOW - 90_000)
    assert f"gone since {time.strftime('%Y-%m-%d %H:%M', time.localtime(NOW - 90_000))}" in page
    assert "What is known of the run was kept" in page


def test_why_it_is_not_opened_is_said_and_where_it_is():
    page = window.closed(Card(QUEUED, NOW), NASTY, "http://127.0.0.1:4000/key/#/jobs/1")
    assert "&lt;img" in page
    assert 'href="http://127.0.0.1:4000/key/#/jobs/1" target="_blank" rel="noopener noreferrer"' in page
    assert "javascript" not in window.closed(Card(QUEUED, NOW), "No.", "javascript:alert(1)")


@pytest.mark.parametrize(
    ("theme", "marked"), [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ("", "")]
)
def test_it_is_in_the_theme_that_was_asked_for(theme, marked):
    page = window.awaited(Card(QUEUED, NOW), theme=theme)
    assert f'<html lang="en"{marked}>' in page
    assert f"html{{color-scheme:{theme or 'light dark'}}}" in page


def test_it_has_no_script_and_fetches_nothing():
    for page in (
        window.awaited(Card(QUEUED, NOW)),
        window.over(Card(DONE, NOW), NOW),
        window.closed(Card(DONE, NOW), ""),
    ):
        assert "<script" not in page
        assert " src=" not in page
        assert "url(" not in page
