"""Logs over the wire: by place, found in, followed, and as a whole."""

from __future__ import annotations

import json

import pytest
from tornado.httpclient import HTTPClientError

from jobq_magic.cli.main import main
from jobq_magic.runs.logview import matching
from tests.server.asks import of_shape


@pytest.fixture
def written(made, store):
    """A run that has ended and wrote these bytes."""

    def make(stdout=b"", stderr=b"", *, phase="succeeded", workers=()):
        run = made("fit", "submitting", "running")
        for rank, data in enumerate((stdout, *workers)):
            paths = run.paths.attempt(1).worker(rank)
            paths.folder.mkdir(parents=True)
            paths.stdout.write_bytes(data)
        if stderr:
            run.paths.attempt(1).stderr.write_bytes(stderr)
        if phase:
            store.append(run, phase=phase)
        return run

    return make


def numbered(count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(1, count + 1))


def texts(body) -> list[str]:
    return [line["text"] for line in body["lines"]]


async def got(asked, run, **query):
    """Lines, once all were counted."""
    while True:
        status, body = await asked(f"runs/{run.id}/log", params={name.rstrip("_"): v for name, v in query.items()})
        assert status == 200, body
        if of_shape("shapes_logs:Lines", body)["complete"]:
            return body


async def found_in(asked, run, **query):
    """What was found, once all was counted."""
    while True:
        status, body = await asked(f"runs/{run.id}/log/find", params=query)
        assert status == 200, body
        if of_shape("shapes_logs:Found", body)["total"] is not None:
            return body


async def test_lines_are_given_by_place_from_the_beginning_and_from_the_end(asked, written):
    run = written(numbered(2500))
    body = await got(asked, run, from_=1001, count=3)
    assert (body["first"], body["total"], body["firm"]) == (1001, 2500, 2500)
    assert (body["complete"], body["ended"]) == (True, True)
    assert texts(body) == ["line 1001", "line 1002", "line 1003"]
    assert [line["n"] for line in body["lines"]] == [1001, 1002, 1003]
    assert texts(await got(asked, run, from_=-2)) == ["line 2499", "line 2500"]
    assert (await got(asked, run, from_=2501))["lines"] == []


async def test_text_of_strangers_comes_as_it_is_and_as_json(asked, written):
    text = "<script>alert(1)</script>\x1b[31mred\x1b[0m\u202e\x00\x07 ü \U0001f600"
    run = written(text.encode() + b"\n\xff cut \xe2\x82\n")
    assert texts(await got(asked, run)) == [text, "\ufffd cut \ufffd"]


async def test_lines_of_one_worker_and_lines_of_errors_keep_their_numbers(asked, written):
    run = written(b"zero\n", b"warned\n", workers=[b"one a\none b\n"])
    whole = await got(asked, run)
    of_one = await got(asked, run, source="1")
    assert (of_one["total"], texts(of_one)) == (2, ["one a", "one b"])
    assert of_one["lines"] == [line for line in whole["lines"] if line["source"] == "1"]
    errors = await got(asked, run, errors=1)
    assert [(line["stream"], line["text"]) for line in errors["lines"]] == [("stderr", "warned")]
    status, refused = await asked(f"runs/{run.id}/log", params={"source": "../1"})
    assert (status, refused["code"]) == (404, "no-such-worker")


async def test_what_is_looked_for_is_found_with_its_place_in_the_line(asked, written):
    run = written(b"a\n\x1b[31mEr\x1b[0mror 1\nb\n\xf0\x9f\x98\x80 error 2\n")
    found = await found_in(asked, run, text="error")
    assert found["hits"] == [{"n": 2, "at": 2, "spans": [[0, 5]]}, {"n": 4, "at": 4, "spans": [[3, 8]]}]
    assert (found["total"], found["before"], found["next"], found["looked"]) == (2, 0, None, 4)
    back = await found_in(asked, run, text=r"error \d$", regex=1, backwards=1, limit=1)
    assert [hit["n"] for hit in back["hits"]] == [4]
    assert (back["total"], back["before"], back["next"]) == (2, 1, 2)
    assert (await found_in(asked, run, text="error", case=1))["total"] == 1


async def test_what_cannot_be_looked_for_is_refused_in_a_sentence(asked, written, monkeypatch):
    monkeypatch.setattr(matching, "PATIENCE", 0.3)
    run = written(b"a" * 60 + b"!\n")
    for query, code, words in [
        ({"text": "("  , "regex": 1}, "bad-regex", "( is no regular expression"),
        ({"text": "(a|a)*$", "regex": 1}, "regex-too-slow", "longer than 0.3 seconds"),
        ({}, "bad-query", "text"),
    ]:  # fmt: skip
        status, refused = await asked(f"runs/{run.id}/log/find", params=query)
        assert (status, refused["code"]) == (400, code)
        assert words in refused["what"]


async def test_a_log_is_given_as_a_whole_as_the_command_line_prints_it(jp_fetch, written, capfdbinary):
    run = written(b"zero\rnought\n", workers=[numbered(40_000)])
    answer = await jp_fetch("jobq-magic", "runs", run.id, "log", "download")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run.id}.log"'
    main(["logs", run.id])
    assert answer.body == capfdbinary.readouterr().out
    one = await jp_fetch("jobq-magic", "runs", run.id, "log", "download", params={"source": "1"})
    assert one.body == numbered(40_000)
    with pytest.raises(HTTPClientError, match="404"):
        await jp_fetch("jobq-magic", "runs", run.id, "log", "download", params={"source": "7"})


async def test_a_run_says_what_there_is_of_its_log(asked, written):
    run = written(b"zero\n", workers=[b"one\n"])
    assert (await asked(f"runs/{run.id}"))[1]["log"] == {"lines": None, "bytes": 9, "sources": ["0", "1"]}
    await got(asked, run)
    assert (await asked(f"runs/{run.id}"))[1]["log"]["lines"] == 2


async def test_who_follows_is_told_of_every_line_once_and_of_the_end(jp_ws_fetch, written, store):
    run = written(b"first\n", phase=None)
    socket = await jp_ws_fetch("jobq-magic", "runs", run.id, "log", "follow", params={"from": 1})
    file = run.paths.attempt(1).stdout.open("ab", buffering=0)
    known: list[str] = []
    for number in range(20):
        file.write(b"line %d\n50 " % number if number % 2 else b"%d line\n" % number)
    ended = False
    while (message := await socket.read_message()) is not None:
        body = of_shape("shapes_logs:Lines", {**json.loads(message)})
        known[body["first"] - 1 :] = texts(body)
        assert len(known) == body["total"]
        if body["total"] >= 20 and not ended:
            file.write(b" the end")
            store.append(run, phase="succeeded")
            ended = True
    file.close()
    assert known == run.paths.attempt(1).stdout.read_text().splitlines()
    assert socket.close_code == 1000
    socket.close()
