"""What the extension costs who starts Jupyter and never looks at a run, and what the parts do that are not asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

import pytest

import jobq_magic
from jobq_magic.errors import JobqError, OptionError
from jobq_magic.server import bodies
from jobq_magic.server.asking import Answer, Asked, Refused, flag, integer, number, read, status_of, text
from jobq_magic.server.extension import rules
from jobq_magic.server.handlers import as_text
from jobq_magic.server.view import View

HEAVY = ("pydantic", "IPython", "ipywidgets", "kubernetes", "docker", "ray", "httpx", "rich", "cloudpickle", "sqlite3")
LOADED = f"""
import json, sys
import jupyter_server.serverapp
there = set(sys.modules)
from types import SimpleNamespace
from jobq_magic import _load_jupyter_server_extension
application = SimpleNamespace(settings={{"base_url": "/"}}, add_handlers=lambda host, rules: None)
_load_jupyter_server_extension(SimpleNamespace(web_app=application, log=SimpleNamespace(info=lambda *_: None)))
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules and name not in there]))
"""


def test_starting_jupyter_imports_nothing_heavy_for_it():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=100, check=True)
    assert json.loads(done.stdout) == []


def test_jupyter_finds_it_by_the_name_of_the_package():
    (point,) = jobq_magic._jupyter_server_extension_points()
    assert point == {"module": "jobq_magic"}
    assert callable(jobq_magic._load_jupyter_server_extension)


def test_all_addresses_lie_below_the_base_url_whatever_letters_that_has():
    assert all(pattern.startswith(r"/a%40b/x\.y/jobq\-magic/") for pattern, _, _ in rules("/a%40b/x.y/"))


# Queries

TABLE = (
    text("q", ""),
    text("state", "", enum=("live", "ended"), many=True),
    text("find", "", required=True),
    integer("limit", "", default=50, least=1, most=500),
    number("since", ""),
    flag("case", ""),
)


def test_what_is_not_asked_for_has_its_default():
    expected = {"q": None, "state": (), "find": "x", "limit": 50, "since": None, "case": False}
    assert read(TABLE, {"find": [b"x"]}) == expected


def test_values_are_what_the_table_says():
    given = {
        "find": ["ä".encode()],
        "state": [b"live", b"ended"],
        "limit": [b"7"],
        "since": [b"-1.5e3"],
        "case": [b"1"],
    }
    expected = {"q": None, "state": ("live", "ended"), "find": "ä", "limit": 7, "since": -1500.0, "case": True}
    assert read(TABLE, given) == expected


@pytest.mark.parametrize(
    "given",
    [{}, {"find": [b""]}, {"find": [b"x"], "limit": ["１".encode()]}, {"find": [b"x"], "case": [b"true"]}],
    ids=str,
)
def test_what_is_missing_or_only_looks_like_a_number_is_refused(given):
    with pytest.raises(OptionError) as refusal:
        read(TABLE, given)
    assert refusal.value.code == "bad-query"


def test_a_word_that_is_not_known_is_answered_with_those_that_are():
    with pytest.raises(OptionError) as refusal:
        read(TABLE, {"find": [b"x"], "serach": [b"x"]})
    assert "find" in refusal.value.do
    with pytest.raises(OptionError) as refusal:
        read(TABLE, {"find": [b"x"], "state": [b"lvie"]})
    assert "live, ended" in refusal.value.do


# Answers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused(410, "gone", "It is gone"), 410),
        (OptionError("bad-value", "no"), 400),
        (JobqError("unknown-run", "no"), 404),
        (JobqError("not-ended", "no"), 409),
        (JobqError("anything-else", "no"), 409),
    ],
)
def test_an_error_has_a_status(error, status):
    assert status_of(error) == status


def test_answers_are_json_as_its_standard_has_it():
    told = as_text({"a": float("nan"), "b": [float("inf"), "\udc80", "</script>"], "c": (1, {"d": float("-inf")})})
    assert json.loads(told) == {"a": None, "b": [None, "\udc80", "</script>"], "c": [1, {"d": None}]}
    told.encode("ascii")


def test_who_has_a_version_is_known_by_it():
    asked = Asked(None, known=frozenset({'"v-1"'}))  # type: ignore[arg-type]
    assert asked.unchanged('"v-1"')
    assert not asked.unchanged('"v-2"')
    assert Answer.same('"v-1"').status == 304


# Bodies


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"code": 1}', b"\xff", b'{"what": "x"}', b"9" * 5000])
def test_what_is_sent_and_has_not_its_shape_is_refused(raw):
    with pytest.raises(Refused) as refusal:
        bodies.checked("shapes:Error", raw)
    assert (refusal.value.status, refusal.value.code) == (400, "bad-body")


def test_what_has_its_shape_is_taken():
    sent = {"code": "a", "what": "b", "why": "", "do": ""}
    assert bodies.checked("shapes:Error", json.dumps(sent).encode()) == sent


# Work aside


async def test_who_waits_for_a_slow_place_holds_up_nobody_who_only_reads(store):
    view, held = View(store), threading.Event()
    slow = [asyncio.ensure_future(view.slow(held.wait, 30)) for _ in range(8)]
    await asyncio.sleep(0)
    assert (await asyncio.wait_for(view.quick(view.look), 20)).known
    assert not any(one.done() for one in slow)
    held.set()
    assert all(await asyncio.gather(*slow))
    view.close()


async def test_too_much_at_once_is_told_to_come_again(store, monkeypatch):
    monkeypatch.setattr("jobq_magic.server.view._WAITING", 2)
    view, held = View(store), threading.Event()
    waiting = [asyncio.ensure_future(view.slow(held.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refusal:
        await view.slow(held.wait)
    assert (refusal.value.status, refusal.value.code) == (503, "busy")
    held.set()
    await asyncio.gather(*waiting)
    assert await view.slow(lambda: 1) == 1
    view.close()
