"""What a run left and what it took along, as the server tells it."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from jobq_magic.backends.local import LocalBackend
from jobq_magic.bundle import Account, Requirement, Stayed, Traveller
from jobq_magic.errors import ResultError, StoreError
from jobq_magic.image import Image, ImageLayer
from jobq_magic.runs.store import Store
from jobq_magic.runtime import wire
from jobq_magic.server import came, gallery
from jobq_magic.server.asking import Refused
from jobq_magic.server.plain import plain
from tests.byhand import opened
from tests.server.asks import asked, of_shape
from tests.support import eventually

HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m \u202egnp\u2069 \x00 😀"
SHOWS = f"""
class Picture:
    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {{"text/html": {HOSTILE!r}, "text/plain": "p", "application/json": {{"loss": float("nan")}}}}
        return data, {{"text/html": {{"isolated": True}}}}
from IPython.display import display
display(Picture())
x = 41
Picture()
"""


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def ran(store):
    """Runs a cell on this machine, to its end."""

    def run(cell, outs=(), cell_=None):
        run = opened(store, cell, target={"backend": "local", "where": "this machine"}, outs=outs, mode="local")
        store.append(run, phase="submitting")
        store.set_handle(run, LocalBackend().submit(run, 1))
        eventually(lambda: store.snapshot(run).final, 30)
        return run

    return run


@pytest.fixture
def written(store):
    """A live run whose displays the test writes."""
    run = opened(store, "1", target={"backend": "local", "where": "this machine"}, mode="local")
    for phase in "submitting", "running":
        store.append(run, phase=phase)
    run.paths.attempt(1).folder.mkdir(parents=True)
    return Written(store, run)


class Written:
    def __init__(self, store, run):
        self.store, self.run, self.paths = store, run, run.paths.attempt(1)
        self.paths.stdout.touch()

    def show(self, text, name=None, kind="display_data", **more):
        transient = {"display_id": name} if name else {}
        self._line({"type": kind, "data": {"text/plain": text}, "metadata": {}, "transient": transient, **more})

    def clear(self, *, wait=False):
        self._line({"type": "clear_output", "wait": wait})

    def say(self, text):
        with self.paths.stdout.open("a") as file:
            file.write(text)
        self._sample()

    def _line(self, known):
        with self.paths.displays.open("a") as file:
            file.write(json.dumps(known) + "\n")
        self._sample()

    def _sample(self):
        sizes = self.paths.stdout.stat().st_size, self.paths.displays.stat().st_size if self._shown() else 0
        with self.paths.order.open("a") as file:
            file.write(f"{time.time()} {sizes[0]} 0 {sizes[1]}\n")

    def _shown(self):
        return self.paths.displays.exists()

    def ask(self, after=""):
        return of_shape("shapes_came:Displays", came.displays(asked(self.store, self.run, after=after)))

    def texts(self):
        return [one["data"]["text/plain"] for one in self.ask()["displays"]]


def test_a_result_is_told_as_the_runner_rendered_it(store, ran):
    run = ran("x = 41\nx + 1", outs=["x"])
    told = of_shape("shapes_came:Result", came.result(asked(store, run)))
    assert told["value"]["text/plain"] == "42"
    assert list(told["names"]) == ["x"]
    assert (told["phase"], told["error"], told["displays"]) == ("succeeded", "", 0)


def test_an_exception_is_told_by_its_traceback(store, ran):
    told = of_shape("shapes_came:Result", came.result(asked(store, ran(f"raise ValueError({HOSTILE!r})"))))
    assert told["phase"] == "failed"
    assert told["value"] is None
    assert "ValueError" in told["error"]
    assert "<script>" in told["error"]


def test_hostile_texts_and_numbers_that_json_has_not_come_through_as_data(store, ran):
    run = ran(SHOWS, outs=["x"])
    told = of_shape("shapes_came:Result", came.result(asked(store, run)))
    assert told["value"]["text/html"] == HOSTILE
    assert told["value"]["application/json"] == {"loss": None}
    assert told["metadata"] == {"text/html": {"isolated": True}}
    assert told["displays"] == 1
    shown = of_shape("shapes_came:Displays", came.displays(asked(store, run, after="")))
    assert shown["displays"][0]["data"]["text/html"] == HOSTILE
    assert json.loads(json.dumps([told, shown], ensure_ascii=False, allow_nan=False).encode()) == [told, shown]


def test_a_run_that_goes_on_has_no_result_yet(store):
    run = opened(store, "1", target={"backend": "kueue", "where": "queue main"}, mode="kueue")
    with pytest.raises(ResultError, match="has not ended") as refused:
        came.result(asked(store, run))
    assert refused.value.code == "not-ended"


def test_a_result_in_another_form_is_refused_though_its_job_signed_it(store, ran):
    run = ran("1")
    known = {"run": run.id, "attempt": 1, "value": [1], "names": {"x": {}}, "changed": 3, "skipped": [], "error": None}
    run.paths.attempt(1).result.write_bytes(wire.seal(known, store.key(run)))
    with pytest.raises(ResultError) as refused:
        came.result(asked(store, run))
    assert refused.value.code == "result-unreadable"


def test_a_result_that_was_changed_on_disk_is_refused(store, ran):
    run = ran("42")
    path = run.paths.attempt(1).result
    path.write_bytes(path.read_bytes().replace(b"42", b"43"))
    with pytest.raises(ResultError):
        came.result(asked(store, run))


def test_displays_come_in_their_order(written):
    for text in "abc":
        written.show(text)
    assert written.texts() == ["a", "b", "c"]


def test_an_update_takes_the_place_of_what_it_updates(written):
    written.show("0 %", "bar")
    written.show("beside")
    first = written.ask()
    written.show("50 %", "bar", kind="update_display_data")
    assert written.texts() == ["50 %", "beside"]
    news = written.ask(first["version"])
    assert [(one["place"], one["data"]["text/plain"]) for one in news["displays"]] == [(0, "50 %")]
    assert news["total"] == 2


def test_clear_output_clears_and_with_wait_only_when_something_comes(written):
    written.show("a")
    written.show("b")
    first = written.ask()
    written.clear(wait=True)
    assert written.texts() == ["a", "b"]
    written.say("x\n")
    news = written.ask(first["version"])
    assert (news["total"], news["displays"]) == (0, [])
    written.show("c")
    written.clear()
    assert written.texts() == []


def test_who_has_the_newest_gets_nothing_and_who_has_what_nobody_gave_gets_all(written):
    written.show("a")
    version = written.ask()["version"]
    assert written.ask(version)["displays"] == []
    for other in ("zz.1", "7", version.partition(".")[0], f"{version}9x", "\u0663.\u0663"):
        assert len(written.ask(other)["displays"]) == 1


def test_a_front_end_that_only_applies_what_is_new_sees_what_there_is(written):
    seen, version = [], ""
    for step in range(12):
        if step % 5 == 4:
            written.clear()
        elif step % 3 == 2:
            written.show(f"u{step}", "one", kind="update_display_data")
        else:
            written.show(str(step), "one" if step % 2 else None)
        news = written.ask(version)
        version = news["version"]
        seen = [*seen[: news["total"]], *[None] * (news["total"] - len(seen))]
        for each in news["displays"]:
            seen[each["place"]] = each["data"]["text/plain"]
        assert seen == written.texts()


def test_nothing_more_comes_once_a_run_has_ended_and_all_was_given(written, store):
    written.show("a")
    assert not written.ask()["complete"]
    store.append(written.run, phase="collecting")
    store.append(written.run, phase="succeeded")
    assert written.ask()["complete"]


def test_a_run_without_displays_is_not_read_through_for_them(written, store, monkeypatch):
    monkeypatch.setattr(gallery.Tail, "poll", lambda self: pytest.fail("its whole log was read"))
    written.say("much\n" * 1000)
    assert written.ask() == {**written.ask(), "total": 0, "displays": [], "complete": False}


def test_a_long_log_is_read_in_steps_of_which_each_is_answered(written, monkeypatch):
    monkeypatch.setattr(gallery, "_PATIENT", -1.0)
    written.say("x" * 1023 + "\n")
    with written.paths.stdout.open("a") as file:
        file.write("y" * (4 << 20))
    written.show("late")
    assert written.ask()["behind"]
    eventually(lambda: written.texts() == ["late"])
    assert not written.ask()["behind"]


def test_pictures_of_few_runs_are_kept(store):
    kept = gallery.Galleries()
    runs = [opened(store, "1", target={"backend": "local", "where": "x"}, mode="local") for _ in range(9)]
    for run in runs:
        kept.look(store, run)
    assert len(kept._kept) == 4


def test_what_travelled_is_told_with_how_much_it_was(store, written):
    account = Account(
        (Traveller(HOSTILE, "value", "cell", 2000, "Cell [3]"),),
        (Requirement("numpy", "2.0"),),
        (Stayed("x", "why"),),
        (HOSTILE,),
        "ab",
        0.5,
    )
    store.set_account(written.run, account)
    told = of_shape("shapes_came:Travelled", came.travelled(asked(store, written.run)))
    assert told["shipped"] == "1 name, 2.0 kB; 1 package"
    assert told["account"]["travellers"][0]["name"] == told["account"]["notes"][0] == HOSTILE


def test_what_travelled_is_not_known_before_it_was_captured(store, written):
    with pytest.raises(StoreError) as refused:
        came.travelled(asked(store, written.run))
    assert refused.value.code == "not-captured"


def test_an_image_is_told_layer_by_layer(store, written):
    image = Image("r@sha256:a", "sha256:a", "k", layers=(ImageLayer("code", HOSTILE, "sha256:b", 3, "pushed"),))
    written.run.paths.image.write_text(json.dumps(image.to_json()))
    told = of_shape("shapes_came:Image", came.image(asked(store, written.run)))
    assert told["layers"][0] == {"kind": "code", "name": HOSTILE, "digest": "sha256:b", "size": 3, "state": "pushed"}


def test_a_run_without_an_image_says_so(store, written):
    with pytest.raises(Refused) as refused:
        came.image(asked(store, written.run))
    assert (refused.value.status, refused.value.code) == (404, "no-image")


def test_what_a_job_wrote_over_its_image_is_refused(store, written):
    image = {**Image("r", "d", "k").to_json(), "sent": {"<b>": 1}}
    written.run.paths.image.write_text(json.dumps(image))
    with pytest.raises(Refused) as refused:
        came.image(asked(store, written.run))
    assert refused.value.code == "broken-record"


def test_what_a_cluster_was_sent_is_told_as_yaml_that_means_the_same(store, written):
    sent = [{"kind": "Job", "metadata": {"name": "jobq-pi", "annotations": {"a": HOSTILE, "b": "yes", "c": "1e3"}}}]
    written.run.paths.manifests.write_text(json.dumps(sent))
    (told,) = of_shape("shapes_came:Manifests", came.manifests(asked(store, written.run)))["manifests"]
    assert (told["kind"], told["name"]) == ("Job", "jobq-pi")
    assert yaml.safe_load(told["yaml"]) == sent[0]


@pytest.mark.parametrize("text", ["", "[1]", "{}}", '"x"', "[[]]", "[" * 70_000])
def test_manifests_that_are_none_are_not_shown(store, written, text):
    written.run.paths.manifests.write_text(text)
    told = of_shape("shapes_came:Manifests", came.manifests(asked(store, written.run)))
    assert told["manifests"] == []
    assert told["why"]


def test_why_there_are_no_manifests_is_said(store, written):
    assert "this machine" in came.manifests(asked(store, written.run))["why"]
    there = opened(store, "1", target={"backend": "kueue", "where": "queue main", "site": {}}, mode="kueue")
    assert came.manifests(asked(store, there))["why"] == "Nothing has been sent to the cluster yet"


def test_the_cell_is_told_with_where_it_stood(store):
    run = store.open(
        spec={"mode": "local", "workers": None},
        target={"backend": "local", "where": "this machine"},
        name="pi",
        cell={"notebook": f"/home/{HOSTILE}.ipynb", "cell_id": "c-1", "label": "Cell [3]"},
    )
    told = of_shape("shapes_came:Source", came.source(asked(store, run)))
    assert told["text"] is None
    assert told["why"]
    (run.paths.bundle / "code").mkdir(parents=True)
    (run.paths.bundle / "code" / "cell.py").write_bytes(HOSTILE.encode() + b"\xff")
    told = of_shape("shapes_came:Source", came.source(asked(store, run)))
    assert told["text"] == HOSTILE + "\ufffd"
    assert (told["label"], told["cell_id"], told["notebook"]) == ("Cell [3]", "c-1", f"/home/{HOSTILE}.ipynb")


def test_half_characters_do_not_keep_an_answer_from_being_sent():
    told = plain({"\ud800": ["a\udfff", float("inf"), (1, True, None)]})
    assert told == {"?": ["a?", None, [1, True, None]]}


def test_what_is_nested_without_end_is_cut():
    deep = []
    for _ in range(900):
        deep = [deep]
    assert "…" in json.dumps(plain(deep), ensure_ascii=False)
