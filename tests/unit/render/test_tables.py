"""Findings and neighbours: what a cluster says of others shows as text."""

from __future__ import annotations

import re

from jobq_magic.findings import Finding
from jobq_magic.render import findings, nearby
from jobq_magic.render.html import STYLE
from tests.unit.asking.conftest import NEIGHBOURS

EVIL = Finding("rbac/<b>", "problem", "\x1b[31m<script>", "Try %jobq list\nor not")


def test_a_finding_acts_on_nothing():
    drawn = findings.drawn_html([EVIL])
    assert "<script>" not in drawn
    assert "rbac/&lt;b&gt;" in drawn
    assert "✗ problem" in drawn
    assert '<code class="jq-copy">%jobq list' in drawn
    assert "\x1b" not in findings.drawn([EVIL])
    assert len(findings.drawn([EVIL]).splitlines()) == 4


def test_what_can_be_typed_is_set_apart_in_what_was_found_and_in_the_advice():
    found = Finding("rbac", "warning", "You may not patch: `pause` is refused", "Ask, or leave --store s3://B out")
    drawn = findings.drawn_html([found])
    assert re.findall("<code class=[^>]*>(.*?)</code>", drawn) == ["pause", "--store s3://B"]
    assert "`" not in drawn.removeprefix(STYLE)


def test_neighbours_act_on_nothing():
    drawn = nearby.drawn_html(NEIGHBOURS, now=100.0)
    assert "<b>" not in re.sub(r"<style>.*?</style>", "", drawn, flags=re.DOTALL)
    assert "&lt;b&gt;" in drawn
    assert "Pods of others may not be read" in drawn
    plain = nearby.drawn(NEIGHBOURS, now=100.0)
    assert "\x1b" not in plain
    assert len(plain.splitlines()) == 5
