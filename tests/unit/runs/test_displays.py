"""What a job wrote among its displays, whatever that is, can be sent to a front end, or shows nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobq_magic.runs.displays import Display, parse

ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def line(**told) -> bytes:
    return json.dumps({"type": "display_data"} | told).encode() + b"\n"


def bundle(data) -> dict:
    shown = parse(line(data=data))
    assert shown is not None
    return dict(shown.bundle)


def test_a_display_comes_as_it_was_made():
    told = {"data": {"text/plain": "a"}, "metadata": {"m": 1}, "transient": {"display_id": "x"}}
    assert parse(line(**told)) == Display("display_data", {"text/plain": "a"}, {"m": 1}, {"display_id": "x"})
    assert parse(line(type="clear_output", wait=True)) == Display("clear_output", {}, wait=True)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\xff\x00\n",
        b"7\n",
        b'{"type": ["display_data"]}\n',
        b"[" * 200_000,
        line(type="execute_request"),
        line(data=["a"]),
        line(metadata="m"),
        line(transient=[]),
    ],
)
def test_what_is_no_display_shows_nothing(wrong):
    assert parse(wrong) is None


@given(type_=st.sampled_from(["display_data", "clear_output"]), data=ANY, metadata=ANY, transient=ANY, wait=ANY)
def test_whatever_it_holds_it_can_be_sent(type_, data, metadata, transient, wait):
    shown = parse(line(type=type_, data=data, metadata=metadata, transient=transient, wait=wait))
    if shown is not None:
        json.dumps([shown.bundle, shown.metadata, shown.transient], ensure_ascii=False).encode()
        assert set(shown.transient) <= {"display_id"}
        assert isinstance(shown.wait, bool)


def test_text_is_text_and_json_stays_json():
    assert bundle({"text/html": ["a", "b"], "text/plain": 5}) == {"text/html": "ab", "text/plain": "5"}
    plot = {"application/vnd.plotly.v1+json": {"data": [1, None]}, "application/json": [1]}
    assert bundle(plot) == plot
    assert bundle({"text/plain": "\ud800 \U0001f600"}) == {"text/plain": "? \U0001f600"}


def test_a_widget_is_told_in_words_as_it_cannot_live_here():
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "of another cell"}}
    told = bundle({**view, "text/plain": "IntSlider(value=3)"})
    assert set(told) == {"text/plain"}
    assert told["text/plain"].startswith("IntSlider(value=3)\nThis is a widget.")
    assert bundle({**view, "text/html": "<b>3</b>", "text/plain": "3"}) == {"text/html": "<b>3</b>", "text/plain": "3"}
