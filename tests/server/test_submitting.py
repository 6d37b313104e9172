"""Runs that other programs submit: a spec with a text, or with a bundle that was made elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httpclient import HTTPClientError

from jobq_magic import commands, pipeline
from jobq_magic.capture import CaptureOptions, Source, capture
from jobq_magic.errors import CaptureError, OptionError
from jobq_magic.server import once, submitting
from jobq_magic.server.asking import Refused
from jobq_magic.server.specs import options_of, schema
from jobq_magic.server.submitting import Sent
from jobq_magic.server.unpacking import unpacked
from jobq_magic.spec import declared
from tests.support import eventually

LOCAL = {"mode": "local"}


@pytest.fixture
def submitted(store):
    """Submits; whatever was started has ended afterwards."""

    def submit(code="x = 6 * 7\nx", spec=None, key="", **more):
        return submitting.submit(store, Sent(LOCAL if spec is None else spec, code, **more), key)

    yield submit
    for run in store.list(live=True):
        store.request_stop(run)
    eventually(lambda: not store.list(live=True), 30)


def ended(store, run):
    eventually(lambda: commands.status(store, run).final, 30)
    return commands.result(store, run)


# A cell as text


def test_a_text_runs_as_a_cell_does(store, submitted):
    run, notes, again = submitted("import math\nx = math.floor(42.5)\nx")
    left = ended(store, run)
    assert (left.value["text/plain"], list(left.names), again) == ("42", ["x"], False)
    assert store.account(run) is not None
    assert isinstance(notes, tuple)


def test_nothing_of_the_server_travels(store, submitted):
    with pytest.raises(Refused) as refused:
        submitted("print(submitted, store)")
    assert refused.value.status == 422
    assert "is not defined in what was sent" in refused.value.what
    assert "cell" not in refused.value.do


def test_what_fails_fails_in_its_run(store, submitted):
    run, _, _ = submitted("raise ValueError('<b>no</b>')")
    assert "ValueError: <b>no</b>" in ended(store, run).error


@pytest.mark.parametrize(("code", "said"), [("", "no code"), (" \n", "no code"), ("x = (", "does not compile")])
def test_what_is_no_cell_is_refused(submitted, code, said):
    with pytest.raises(Refused, match=said) as refused:
        submitted(code)
    assert refused.value.status == 422


def test_a_credential_in_a_text_does_not_travel(submitted):
    with pytest.raises(Refused) as refused:
        submitted("key = 'AKIAIOSFODNN7EXAMPLQ'")
    assert refused.value.code == "secret-in-value"
    assert "AKIA" not in str(refused.value)


# The spec


def test_each_mistake_in_a_spec_is_one_sentence(submitted):
    with pytest.raises(Refused) as refused:
        submitted(spec={"mode": "local", "cpus": "many", "colour": 1, "debug": True, "env": 3, "timeout": "soon"})
    assert refused.value.status == 400
    told = refused.value.why.splitlines()
    assert len(told) == 3
    assert told[0].startswith("- There is no option colour")
    assert told[1] == "- debug is for cells of a notebook. Leave it out."
    assert told[2] == "- env must be an object of texts, or a list of texts"
    with pytest.raises(Refused) as refused:
        submitted(spec={"mode": "local", "cpus": "many", "timeout": "soon"})
    assert len(refused.value.why.splitlines()) == 2


def test_what_would_have_no_effect_is_refused(submitted):
    with pytest.raises(Refused, match="queue") as refused:
        submitted(spec={"mode": "local", "queue": "main"})
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "ray", "address": "http://169.254.169.254/latest"},
        {"requirement": "x @ https://elsewhere.example/x.whl"},
        {"requirement": ["numpy", "git+https://elsewhere.example/x"]},
    ],
)
def test_no_address_that_is_sent_is_asked(submitted, spec, monkeypatch):
    monkeypatch.setattr(pipeline, "submit", lambda *_, **__: pytest.fail("it went on"))
    with pytest.raises(Refused) as refused:
        submitted(spec=spec)
    assert refused.value.code == "address-sent"


def test_files_of_the_server_are_not_taken_along(submitted):
    Path("secret.txt").write_text("x")
    with pytest.raises(Refused, match="files names files") as refused:
        submitted(spec={**LOCAL, "files": ["*"]})
    assert refused.value.status == 400


def test_settings_of_the_user_count_as_for_any_cell(store, submitted, monkeypatch):
    monkeypatch.setenv("JOBQ_NAME", "x")
    monkeypatch.setenv("JOBQ_TIMEOUT", "5m")
    run, _, _ = submitted("1", spec={"name": "from outside"})
    assert (run.name, run.spec["timeout"], run.spec["mode"]) == ("from outside", 300, "local")


def test_the_schema_has_every_option_but_those_of_notebooks():
    missing = {"debug", "dry_run", "wait", "job", "include", "exclude", "remake", "files"}
    assert schema()["properties"].keys() == declared().keys() - missing
    assert schema()["properties"]["cpus"]["type"] == ["string", "number", "null"]
    assert schema()["additionalProperties"] is False


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([*declared(), "max_workers", "gpu_type", "<b>"]), _ANY, max_size=4))
def test_whatever_is_sent_as_a_spec_is_taken_or_refused_in_words(spec):
    from jobq_magic.config import resolve

    try:
        resolved = resolve(options_of(spec), cwd=Path("/"), environ={"HOME": "/nowhere"}, interactive=True)
    except OptionError as error:
        assert all(error.lines())
    else:
        json.dumps(resolved.spec.model_dump(mode="json"), allow_nan=False).encode()


# Sent again


def test_the_same_key_is_the_same_run(store, submitted):
    first, _, again = submitted(key="k-1")
    second, _, repeated = submitted(key="k-1")
    other, _, _ = submitted(key="k-2")
    assert (first.id, again, repeated) == (second.id, False, True)
    assert other.id != first.id
    assert len(store.list()) == 2


def test_without_a_key_each_is_another(store, submitted):
    assert submitted()[0].id != submitted()[0].id


def test_a_key_with_something_else_is_refused(submitted):
    submitted(key="k")
    with pytest.raises(Refused) as refused:
        submitted("2", key="k")
    assert (refused.value.status, refused.value.code) == (409, "key-taken")


def test_what_was_refused_may_be_sent_again_with_its_key(store, submitted, monkeypatch):
    with pytest.raises(Refused):
        submitted(spec={"mode": "nowhere"}, key="k")
    assert submitted(key="k")[2] is False


def test_of_many_at_the_same_time_one_is_submitted(store, submitted):
    found = []
    threads = [threading.Thread(target=lambda: found.append(submitted(key="k"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for run, _, _ in found}) == 1
    assert sorted(again for *_, again in found) == [False] + [True] * 5
    assert len(store.list()) == 1


def test_who_died_after_the_run_was_opened_has_not_lost_it(store, submitted, monkeypatch):
    written = once._write
    monkeypatch.setattr(once, "_write", lambda store, path, known: known["run"] or written(store, path, known))
    first, _, _ = submitted(key="k")  # the answer, and the word that it is there, are lost
    monkeypatch.undo()
    second, _, again = submitted(key="k")
    assert (second.id, again) == (first.id, True)


def test_who_died_before_it_was_handed_over_has_it_submitted_anew(store, submitted, monkeypatch):
    key = hashlib.sha256(b"k").hexdigest()
    dead = store.open(
        spec={"mode": "local", "workers": None},
        target={"backend": "local", "where": "this machine"},
        name="cell",
        cell={once.KEY: key},
    )
    store.append(dead, phase="failed", reason="refused")
    once._write(store, store.root / "submitted" / key, {"content": Sent(LOCAL, "1").content, "run": None})
    run, _, again = submitted("1", key="k")
    assert run.id != dead.id
    assert not again


def test_the_key_of_a_run_that_was_removed_makes_no_second_one(store, submitted):
    run, _, _ = submitted(key="k")
    ended(store, run)
    store.discard(run)
    with pytest.raises(Refused) as refused:
        submitted(key="k")
    assert refused.value.code == "key-used"


def test_old_keys_are_forgotten_where_there_are_many(store):
    folder = store.root / "submitted"
    folder.mkdir(parents=True)
    for number in range(300):
        (folder / str(number)).touch()
        os.utime(folder / str(number), (1, 1) if number < 290 else None)
    once._forget(folder)
    assert len(list(folder.iterdir())) == 10


# A bundle


@pytest.fixture
def bundle(tmp_path):
    """A bundle of a notebook elsewhere, as files."""
    Path("data.csv").write_text("1,2\n")
    namespace = {"rows": list(range(1000)), "__name__": "__main__"}
    source = Source("total = sum(rows)\nopen('data.csv').read()", "Cell [3]", namespace)
    return capture(source, tmp_path / "b", CaptureOptions(files=("data.csv",), here=False))


def packed(folder, *, change=None, extra=()):
    """An archive of a folder; `change` may alter each member or leave it out."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            member = archive.gettarinfo(path, str(path.relative_to(folder)))
            if change is not None and (member := change(member)) is None:
                continue
            archive.addfile(member, io.BytesIO(path.read_bytes()) if member.isreg() else None)
        for member, content in extra:
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def named(name, content=b"", **more):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for what, value in more.items():
        setattr(member, what, value)
    return member, content


def test_a_bundle_travels_as_it_is(store, submitted, bundle):
    run, _, _ = submitted(None, bundle=packed(bundle.folder), digest=bundle.digest)
    left = ended(store, run)
    assert left.phase == "succeeded", left.error
    assert list(left.names) == ["total"]
    assert left.value["text/plain"] == "'1,2\\n'"
    account = store.account(run)
    assert {one.name for one in account.travellers} >= {"rows", "data.csv"}
    assert account.digest == bundle.digest


def test_an_archive_as_tar_makes_it_is_taken(store, submitted, bundle):
    def dotted(member):
        member.name = f"./{member.name}"
        return member

    run, _, _ = submitted(None, bundle=packed(bundle.folder, change=dotted))
    assert ended(store, run).phase == "succeeded"


def test_nothing_is_unpickled_by_the_server(store, submitted, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "loads", lambda *_, **__: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "Unpickler", lambda *_, **__: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled"))
    mark = tmp_path / "mark"
    evil = pickle.dumps(Opens(mark))
    digest = hashlib.sha256(evil).hexdigest()

    def swap(known):
        step = next(step for step in known["steps"] if step["kind"] == "value")
        step["file"] = f"values/{digest}"

    run, _, _ = submitted(None, bundle=rewritten(bundle, swap, {f"values/{digest}": evil}))
    assert not mark.exists()
    ended(store, run)  # what is in it is for its job, which refuses it: it is no value group


class Opens:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def rewritten(bundle, change, files=None):
    """The bundle with another manifest, and with other files."""
    known = json.loads((bundle.folder / "manifest.json").read_bytes())
    change(known)
    there = {path for step in (*known["steps"], known["cell"]) if (path := step.get("file"))}
    there |= {f"{part}/{pair[0]}" for part in ("modules", "files") for pair in known[part]}
    kept = lambda member: member if member.name in there else None  # noqa: E731
    told = [("manifest.json", json.dumps(known).encode()), *(files or {}).items()]
    return packed(bundle.folder, change=kept, extra=[named(name, content) for name, content in told])


def refusal(data, tmp_path, digest=""):
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    with pytest.raises(CaptureError) as refused:
        unpacked(data, folder, digest=digest)
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))
    return refused.value


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "code/../../outside",
        "/etc/outside",
        "files//x",
        "files/./x",
        "files/a\nb",
        "files/\x1b[31m",
        "files/" + "x" * 256,
        "files/" + "x/" * 600 + "x",
        "files/a\\b",
        "..",
        "files/..",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(bundle, tmp_path, name):
    error = refusal(packed(bundle.folder, extra=[named(name, b"x")]), tmp_path)
    assert error.code == "bundle-path"
    assert "\x1b" not in error.what
    assert not (tmp_path.parent / "outside").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_what_is_no_plain_file_is_refused(bundle, tmp_path, kind):
    member = named("files/x", type=kind, linkname="/etc/passwd")
    assert refusal(packed(bundle.folder, extra=[member]), tmp_path).code in ("bundle-member", "bundle-tar")
    assert not (tmp_path / "out" / "files" / "x").exists()


def test_a_file_with_holes_is_refused_since_it_is_larger_than_what_was_sent(bundle, tmp_path):
    content = b"1\n1073741824\n0\n".ljust(512, b"\0")
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1073741824"}
    member = named("files/x", content, pax_headers={**headers, "GNU.sparse.name": "files/x"})
    assert "no plain file" in refusal(packed(bundle.folder, extra=[member]), tmp_path).what


@pytest.mark.parametrize("name", ["run.json", "code/x.sh", "values/abc", "other/x", "code/a/b.py", "key"])
def test_what_has_no_place_in_a_bundle_is_refused(bundle, tmp_path, name):
    assert refusal(packed(bundle.folder, extra=[named(name)]), tmp_path).code == "bundle-member"


def test_what_the_manifest_does_not_name_is_refused(bundle, tmp_path):
    assert refusal(packed(bundle.folder, extra=[named("files/more")]), tmp_path).code == "bundle-file"


def test_a_file_that_is_missing_is_named(bundle, tmp_path):
    data = packed(bundle.folder, change=lambda member: None if member.name == "files/data.csv" else member)
    assert "'files/data.csv' is in the manifest" in refusal(data, tmp_path).what


@pytest.mark.parametrize("path", ["code/cell.py", "files/data.csv", "values"])
def test_a_file_with_another_content_is_refused(bundle, tmp_path, path):
    target = bundle.folder / path
    target = next(target.iterdir()) if target.is_dir() else target
    target.chmod(0o600)
    target.write_bytes(target.read_bytes() + b" ")
    assert refusal(packed(bundle.folder), tmp_path).code == "bundle-digest"


def test_another_digest_than_was_told_is_refused(bundle, tmp_path):
    assert refusal(packed(bundle.folder), tmp_path, "0" * 64).code == "bundle-digest"


def test_a_file_twice_and_a_file_that_is_a_folder_are_refused(bundle, tmp_path):
    assert "twice" in refusal(packed(bundle.folder, extra=[named("files/data.csv")]), tmp_path).what
    inside = packed(bundle.folder, extra=[named("files/data.csv/x")])
    assert "a file and a folder" in refusal(inside, tmp_path).what


def test_too_many_files_are_refused(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("jobq_magic.server.unpacking.MOST_FILES", 3)
    extra = [named(f"files/{number}") for number in range(5)]
    assert refusal(packed(bundle.folder, extra=extra), tmp_path).code == "bundle-large"


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8b\x08" + b"x" * 600, b"x" * 2000])
def test_what_is_no_tar_is_refused(tmp_path, data):
    assert refusal(data, tmp_path).code in ("bundle-tar", "bundle-manifest")


def test_an_archive_that_is_cut_short_is_refused(bundle, tmp_path):
    data = packed(bundle.folder)
    for part in (700, len(data) // 2):
        assert refusal(data[:part], tmp_path).code.startswith("bundle-")


def change(path, value):
    def changed(known):
        *above, last = path
        for key in above:
            known = known[key]
        known[last] = value

    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cell", "file"], "../../../etc/passwd"),
        (["cell", "file"], "code/../x.py"),
        (["cell", "outs"], ["a b"]),
        (["cell", "line"], -1),
        (["cell", "line"], "1"),
        (["cell", "more"], 1),
        (["steps", 0, "kind"], "shell"),
        (["steps", 0, "names"], "rows"),
        (["steps", 0, "file"], "values/../../key"),
        (["modules"], [["a"]]),
        (["modules"], [["../a.py", "0" * 64]]),
        (["modules"], {}),
        (["protocol"], 99),
        (["python"], "4.0"),
        (["more"], 1),
        (["requirements"], [{"name": "x", "version": "1", "source": "directory"}]),
        (["requirements"], [{"name": "x", "version": "1", "source": "asked", "origin": "x @ http://elsewhere/x"}]),
        (["requirements"], [{"name": "-r /etc/passwd", "version": "1", "source": "index"}]),
        (["requirements"], [{"name": "x", "version": "1\n--index-url http://x", "source": "index"}]),
    ],
)
def test_a_manifest_of_another_form_is_refused_in_a_sentence(bundle, tmp_path, path, value):
    error = refusal(rewritten(bundle, change(path, value)), tmp_path)
    assert error.code in ("bundle-manifest", "bundle-protocol", "bundle-requirement", "bundle-file")
    assert len(error.what) < 700


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"protocol": NaN}', b"[" * 100_000, b"\xff", b'"\\ud800"'])
def test_a_manifest_that_is_none_is_refused(bundle, tmp_path, text):
    data = packed(
        bundle.folder,
        change=lambda member: None if member.name == "manifest.json" else member,
        extra=[named("manifest.json", text)],
    )
    assert refusal(data, tmp_path).code == "bundle-manifest"


def test_what_a_bundle_says_itself_is_refused_in_a_spec(submitted, bundle):
    with pytest.raises(Refused, match="out is said by the bundle itself"):
        submitted(None, {**LOCAL, "out": ["x"]}, bundle=packed(bundle.folder))


def test_what_was_laid_out_for_a_look_is_gone_afterwards(store, submitted, bundle):
    left = lambda: list(Path(os.environ["JOBQ_RUNTIME_DIR"]).glob("bundle-*"))  # noqa: E731
    submitted(None, bundle=packed(bundle.folder))
    with pytest.raises(Refused):
        submitted(None, bundle=b"no tar")
    assert left() == []
    assert len(store.list()) == 1


# Over HTTP


@pytest.fixture
def post(jp_fetch):
    async def post(body, kind="application/json", **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            answer = await jp_fetch(
                "jobq-magic", "runs", method="POST", body=raw, headers={"Content-Type": kind, **headers}
            )
        except HTTPClientError as error:
            return SimpleNamespace(code=error.code, body=json.loads(error.response.body), headers={})
        return SimpleNamespace(code=answer.code, body=json.loads(answer.body), headers=answer.headers)

    return post


@pytest.fixture
def tended(monkeypatch, store):
    """Ends what a test has started."""
    yield
    for run in store.list(live=True):
        store.request_stop(run)
    eventually(lambda: not store.list(live=True), 30)


def form(**parts):
    lines = []
    for name, content in parts.items():
        filename = f'; filename="{name}.tar"' if name == "bundle" else ""
        lines += [b"--jobq", f'Content-Disposition: form-data; name="{name}"{filename}'.encode(), b"", content]
    return b"\r\n".join([*lines, b"--jobq--", b""]), "multipart/form-data; boundary=jobq"


async def test_a_program_submits_over_http_and_is_told_where_the_run_is(post, jp_fetch, store, tended):
    answer = await post({"spec": LOCAL, "code": "6 * 7"}, **{"Idempotency-Key": "k"})
    assert answer.code == 201
    assert urlsplit(answer.headers["Location"]).path.endswith(f"/jobq-magic/runs/{answer.body['run']}")
    assert answer.body == {**answer.body, "where": "this machine", "again": False}
    again = await post({"spec": LOCAL, "code": "6 * 7"}, **{"Idempotency-Key": "k"})
    assert (again.code, again.body["run"], again.body["again"]) == (200, answer.body["run"], True)
    assert ended(store, store.get(answer.body["run"])).value["text/plain"] == "42"
    listed = await jp_fetch("jobq-magic", "runs")
    assert [row["id"] for row in json.loads(listed.body)["rows"]] == [answer.body["run"]]


async def test_a_program_submits_a_bundle_over_http(post, store, bundle, tended):
    body, kind = form(spec=json.dumps(LOCAL).encode(), bundle=packed(bundle.folder), digest=bundle.digest.encode())
    answer = await post(body, kind)
    assert answer.code == 201
    assert list(ended(store, store.get(answer.body["run"])).names) == ["total"]


REFUSED = [
    ({"spec": LOCAL}, 400, "bad-body"),
    ({"spec": [], "code": "1"}, 400, "bad-body"),
    ({"spec": LOCAL, "code": 1}, 400, "bad-body"),
    (b"{", 400, "bad-body"),
    ({"spec": {"mode": "nowhere"}, "code": "1"}, 400, "unknown-mode"),
    ({"spec": LOCAL, "code": "x ="}, 422, "syntax-error"),
]
NO_PARTS = [
    {"spec": b"{}"},
    {"bundle": b"x"},
    {"spec": b"[]", "bundle": b"x"},
    {"spec": b"{", "bundle": b"x"},
    {"spec": b"{}", "bundle": b"x", "more": b"x"},
]


async def test_what_cannot_be_submitted_is_refused_over_http(post, store):
    for body, status, code in REFUSED:
        answer = await post(body)
        assert (answer.code, answer.body["code"]) == (status, code)
        assert answer.body["what"]
    for parts in NO_PARTS:
        answer = await post(*form(**parts))
        assert (answer.code, answer.body["code"]) == (400, "bad-body")
    assert [run.id for run in store.list() if not store.snapshot(run).final] == []


async def test_another_type_too_much_and_a_strange_key_are_refused(post, monkeypatch):
    assert (await post(b"x", "text/plain")).code == 415
    assert (await post({"spec": LOCAL, "code": "1"}, **{"Idempotency-Key": "a b"})).body["code"] == "bad-key"
    monkeypatch.setattr(submitting, "MOST", 10)
    assert (await post({"spec": LOCAL, "code": "1"})).code == 413
