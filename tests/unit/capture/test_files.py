"""`--files`: what is named travels, from the notebook's folder; what cannot is refused by name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from jobq_magic.capture.files import collect_files
from jobq_magic.capture.tree import copy_file
from jobq_magic.capture.unshipped import unshipped
from jobq_magic.errors import CaptureError
from jobq_magic.runtime.launch import runtime_folder


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A notebook's folder, which is the working folder."""
    folder = tmp_path / "book"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def collect(book, tmp_path):
    """Collects into a bundle's folder."""

    def collect(*globs, **options):
        return collect_files(globs, book, folder=tmp_path / "bundle" / "files", **options)

    return collect


def put(folder, name, text=""):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(found):
    return [name for name, _ in found.files]


def refusal(collect, *globs, **options):
    with pytest.raises(CaptureError) as caught:
        collect(*globs, **options)
    assert len(caught.value.lines()) <= 2
    assert all(line.isprintable() for line in caught.value.lines())
    return caught.value


def test_a_file_travels_as_it_is(collect, book, tmp_path):
    put(book, "data.csv", "a,b\n1,2\n")
    program = put(book, "run.sh", "#!/bin/sh\n")
    program.chmod(0o755)
    found = collect("data.csv", "./run.sh")
    assert names(found) == ["data.csv", "run.sh"]
    assert (tmp_path / "bundle/files/data.csv").read_text() == "a,b\n1,2\n"
    assert os.access(tmp_path / "bundle/files/run.sh", os.X_OK)
    assert [(row.name, row.kind, row.size) for row in found.travellers] == [
        ("data.csv", "file", 8),
        ("run.sh", "file", 10),
    ]
    assert found.travellers[0].digest == found.files[0][1]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.csv", ["top.csv"]),
        ("data/*.csv", ["data/a.csv", "data/b.csv"]),
        ("data/?.csv", ["data/a.csv", "data/b.csv"]),
        ("data/[a].csv", ["data/a.csv"]),
        ("**/*.csv", ["data/a.csv", "data/b.csv", "data/deep/c.csv", "top.csv"]),
        ("data/**/c.csv", ["data/deep/c.csv"]),
        ("data/**", ["data/a.csv", "data/b.csv", "data/deep/c.csv"]),
        ("data", ["data/a.csv", "data/b.csv", "data/deep/c.csv"]),
        ("data/", ["data/a.csv", "data/b.csv", "data/deep/c.csv"]),
        ("./data/../data/deep", ["data/deep/c.csv"]),
        ("d*/d*", ["data/deep/c.csv"]),
        ("data/.hidden", ["data/.hidden"]),
        ("data/.h*", ["data/.hidden"]),
        ("odd[1].csv", ["odd[1].csv"]),
        ("{book}/top.csv", ["top.csv"]),
    ],
)
def test_patterns(collect, book, glob, expected):
    for name in ("top.csv", "data/a.csv", "data/b.csv", "data/deep/c.csv", "data/.hidden", "other/x.txt", "odd[1].csv"):
        put(book, name, name)
    if "odd" not in glob:
        (book / "odd[1].csv").unlink()
    assert names(collect(glob.replace("{book}", str(book)))) == expected


def test_files_that_two_patterns_name_travel_once(collect, book):
    put(book, "a.csv")
    assert names(collect("a.csv", "*.csv")) == ["a.csv"]


def test_many_files_are_told_as_one_line(collect, book):
    for number in range(30):
        put(book, f"data/{number}.txt", "xy")
    found = collect("data")
    assert len(found.files) == 30
    assert [(row.name, row.size, row.origin) for row in found.travellers] == [("data", 60, "30 files")]


def test_what_is_ignored_stays_unless_it_is_named(collect, book):
    put(book, ".gitignore", "*.csv\nraw/\n*.tmp\n")
    for name in ("a.csv", "data/b.csv", "data/c.tmp", "data/d.txt", "raw/e.csv", "raw/f.txt"):
        put(book, name)
    assert names(collect("data")) == ["data/d.txt"]
    assert names(collect("a.csv")) == ["a.csv"]
    assert names(collect("*.csv")) == ["a.csv"]
    assert names(collect("**/*.csv")) == ["a.csv", "data/b.csv"]
    assert names(collect("raw")) == ["raw/f.txt"]
    assert names(collect("raw/*.csv")) == ["raw/e.csv"]
    assert names(collect("raw/f.txt")) == ["raw/f.txt"]
    error = refusal(collect, "data/*mp", "r*")
    assert error.code == "no-such-file"
    assert "raw" in str(error)
    assert ".gitignore leaves it out" in str(error)


def test_jobqignore_wins_over_gitignore(collect, book):
    put(book, ".gitignore", "*.csv\n")
    put(book, ".jobqignore", "!keep.csv\nbig.bin\n")
    for name in ("data/keep.csv", "data/a.csv", "data/big.bin", "data/x.txt"):
        put(book, name)
    assert names(collect("data")) == ["data/keep.csv", "data/x.txt"]
    assert names(collect("data/*.[bt]*", "data/big.bin")) == ["data/big.bin", "data/x.txt"]
    assert refusal(collect, "data/*.bin").code == "no-such-file"


def test_rules_of_nested_folders_and_of_the_repository_count(collect, book, tmp_path):
    put(tmp_path, ".git/HEAD")
    put(tmp_path, ".gitignore", "*.log\n")
    put(book, "data/.gitignore", "!special.log\n/own\nbad[pattern\n!\n")
    for name in ("data/special.log", "data/other.log", "data/own", "data/below/own"):
        put(book, name)
    assert names(collect("data")) == ["data/below/own", "data/special.log"]


def test_a_repository_in_a_repository_has_rules_of_its_own(collect, book, tmp_path):
    put(tmp_path, ".git/HEAD")
    put(tmp_path, ".gitignore", "*.csv\n")
    put(book, ".git/HEAD")
    put(book, "data/a.csv")
    for glob in ("data", "."):
        assert names(collect(glob)) == ["data/a.csv"]


def test_what_matches_nothing_is_refused(collect, book):
    put(book, "data/train.csv")
    error = refusal(collect, "data/trian.csv")
    assert error.code == "no-such-file"
    assert "Did you mean data/train.csv?" in str(error)
    assert refusal(collect, "*.parquet").code == "no-such-file"
    assert refusal(collect, "nowhere/*.csv").code == "no-such-file"
    assert refusal(collect, "data/train.csv/x").code == "no-such-file"
    assert refusal(collect, "").code == "no-such-file"
    assert refusal(collect, "a\0b").code == "no-such-file"
    (book / "empty").mkdir()
    assert refusal(collect, "empty").code == "no-such-file"


@pytest.mark.parametrize("glob", ["../outside.csv", "/etc/hostname", "data/../../outside.csv", "..", "~/x", "../*.csv"])
def test_what_leads_outside_is_refused(collect, book, tmp_path, glob):
    put(tmp_path, "outside.csv")
    assert refusal(collect, glob).code == "outside-folder"


def test_links_out_of_the_folder_do_not_travel(collect, book, tmp_path):
    put(tmp_path, "secret/x.csv", "hidden")
    (book / "data").mkdir()
    put(book, "data/a.csv")
    (book / "data/out.csv").symlink_to(tmp_path / "secret/x.csv")
    (book / "data/folder").symlink_to(tmp_path / "secret")
    (book / "data/in.csv").symlink_to("a.csv")
    (book / "data/nowhere").symlink_to("gone")
    (book / "data/itself").symlink_to("itself")
    for glob in ("data", "data/*"):
        found = collect(glob)
        assert names(found) == ["data/a.csv", "data/in.csv"], glob
    assert any("out.csv" in note and "outside" in note for note in found.notes)
    for glob in ("data/out.csv", "data/folder", "data/folder/x.csv", "data/folder/*.csv"):
        assert refusal(collect, glob).code == "outside-folder"


def test_links_in_circles_end(collect, book):
    put(book, "data/deep/a.csv")
    (book / "data/deep/again").symlink_to("..")
    (book / "data/twice").symlink_to("deep")
    assert names(collect("data")) == ["data/deep/a.csv", "data/twice/a.csv"]
    assert names(collect("**/*.csv")) == ["data/deep/a.csv"]


def test_what_is_no_file_never_waits(collect, book):
    os.mkfifo(book / "pipe")
    os.mkfifo(book / ".gitignore")
    put(book, "a.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("talk")
        assert refusal(collect, "pipe").code == "cannot-travel"
        assert refusal(collect, "talk").code == "cannot-travel"
        found = collect(".")
    assert names(found) == ["a.txt"]
    assert any("pipe" in note and "no regular file" in note for note in found.notes)


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        "prod.env",
        "site.pem",
        "tls.key",
        "id_rsa",
        "id_ed25519",
        ".netrc",
        ".pgpass",
        ".pypirc",
        "kubeconfig",
        "credentials.json",
        "client_secret_12.json",
        ".aws/config",
        ".ssh/known",
        "secrets.toml",
    ],
)
def test_files_made_for_credentials_are_refused(collect, book, name):
    put(book, f"conf/{name}", "x")
    put(book, "conf/plain.txt")
    for here in (False, True):
        error = refusal(collect, f"conf/{name}", here=here)
        assert error.code == "secret-in-file"
        assert name in str(error)
        assert "--secret" in str(error)
    assert names(collect("conf")) == ["conf/plain.txt"]
    assert names(collect(f"conf/{name}", insisted=frozenset({f"conf/{name}"}))) == [f"conf/{name}"]


@pytest.mark.parametrize("name", [".env.example", "id_rsa.pub", "environment.yml", "keys.csv", "credentials_guide.md"])
def test_files_about_credentials_travel(collect, book, name):
    put(book, name, "x")
    assert names(collect(name)) == [name]


def test_a_link_to_a_file_made_for_credentials_is_one(collect, book):
    put(book, "conf/site.pem", "x")
    (book / "harmless.txt").symlink_to("conf/site.pem")
    assert refusal(collect, "harmless.txt").code == "secret-in-file"


def test_a_credential_in_a_file_is_refused_by_its_line(collect, book, tmp_path):
    put(book, "conf.yaml", "host: here\ngithub: ghp_" + "a1B2" * 10)
    error = refusal(collect, "conf.yaml")
    assert error.code == "secret-in-file"
    assert "line 2 of conf.yaml" in str(error)
    assert "a1B2" not in str(error)
    assert not (tmp_path / "bundle/files/conf.yaml").exists()
    assert names(collect("conf.yaml", insisted=frozenset({"conf.yaml"}))) == ["conf.yaml"]


def test_limits_are_told(collect, book, monkeypatch):
    for number in range(5):
        put(book, f"data/{number}", "x" * 100)
    monkeypatch.setattr("jobq_magic.capture.files._MOST_FILES", 4)
    error = refusal(collect, "data")
    assert error.code == "too-large"
    assert "5 files" in str(error)
    assert "At most 4" in str(error)
    monkeypatch.setattr("jobq_magic.capture.files._LARGEST", 300)
    assert refusal(collect, "data/[0-3]").code == "too-large"
    monkeypatch.setattr("jobq_magic.capture.files._MOST_LOOKED_AT", 3)
    for glob in ("data", "**/0", "data/0*"):
        assert "more than 3 files" in str(refusal(collect, glob))


def test_hostile_names_are_told_on_one_line(collect, book):
    put(book, "line\nbreak.csv", "1")
    put(book, "data/a.txt")
    (book / "data" / os.fsdecode(b"b\xff.txt")).touch()
    found = collect("*break.csv", "data")
    assert names(found) == ["data/a.txt", "line\nbreak.csv"]
    assert all(row.name.isprintable() for row in found.travellers)
    assert any("UTF-8" in note and note.isprintable() for note in found.notes)
    assert refusal(collect, os.fsdecode(b"data/b\xff.txt")).code == "cannot-travel"
    assert "line" in str(refusal(collect, "line\nbrake.csv"))


def test_a_file_that_cannot_be_read_is_refused(collect, book, monkeypatch):
    put(book, "shut.csv")

    def refused(path, *rest):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("jobq_magic.capture.tree.os.open", refused)
    error = refusal(collect, "shut.csv")
    assert error.code == "cannot-travel"
    assert "Permission denied" in str(error)


def test_a_file_that_changes_while_it_is_copied_is_taken_whole_or_refused(tmp_path):
    source = put(tmp_path, "growing.log", "a" * 10)
    seen = []

    def once(piece):
        seen.append(piece)
        if len(seen) == 1:
            source.write_text("b" * 20)

    _digest, size = copy_file(source, tmp_path / "copy", once)
    assert (tmp_path / "copy").read_text() == "b" * 20
    assert size == 20
    with pytest.raises(CaptureError) as caught:
        copy_file(source, tmp_path / "again", lambda piece: source.write_bytes(piece + b"c"))
    assert caught.value.code == "file-changed"


def test_where_the_job_sees_the_folder_nothing_is_copied(collect, book, tmp_path):
    put(book, "data.csv", "1")
    found = collect("*.csv", here=True)
    assert (found.files, found.travellers) == ((), ())
    assert found.names == {"data.csv"}
    assert not (tmp_path / "bundle").exists()
    assert refusal(collect, "*.parquet", here=True).code == "no-such-file"


# In the job


def replay(bundle, folder):
    """Lays out the files of a bundle and runs its cell, in a folder."""
    code = (
        "import json, sys; from _jobq_runtime import main, workfiles; bundle = sys.argv[1];"
        "manifest = json.load(open(bundle + '/manifest.json')); fresh = main.fresh_main();"
        "workfiles.lay_out(bundle, manifest.get('files', ())); main.load_steps(bundle, manifest['steps'], fresh);"
        "print(main._cell(bundle, manifest['cell'], fresh))"
    )
    runtime = runtime_folder(bundle.parent / "runtime")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(bundle)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(runtime)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_job_finds_them_in_its_working_folder(notebook, book, tmp_path):
    put(book, "data/deep/a.txt", "hello")
    put(book, "b.txt", "new")
    cell = "open('data/deep/a.txt').read() + open('b.txt').read()"
    bundle = notebook.capture(cell, files=("data", "b.txt"))
    assert bundle.notes == ()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    put(elsewhere, "b.txt", "its own")
    assert replay(bundle.folder, elsewhere) == "helloits own"
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["a.txt", "b.txt", "data", "deep"]


def test_a_job_in_a_process_of_its_own_lays_them_out_before_its_steps(notebook, book, tmp_path):
    put(book, "k.txt", "7")
    notebook.run("def read():\n    return int(open('k.txt').read())")
    run = tmp_path / "run"
    bundle = notebook.capture("value = read()", files=("*.txt",))
    run.mkdir()
    bundle.folder.rename(run / "bundle")
    (run / "key").write_bytes(b"k" * 32)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "import sys; from _jobq_runtime import main; main.leave(main.run(main.Job.at(sys.argv[1], 1)))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(run)],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(runtime_folder(tmp_path / "runtime"))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + "".join(p.read_text() for p in (run / "attempts/1").glob("*err*"))
    assert (elsewhere / "k.txt").read_text() == "7"


def test_a_bundle_is_another_when_its_files_are(notebook, book):
    put(book, "a.txt", "1")
    first = notebook.capture("1", files=("a.txt",)).digest
    assert notebook.capture("1", files=("a.*",)).digest == first
    put(book, "a.txt", "2")
    assert notebook.capture("1", files=("a.txt",)).digest != first


# What is pointed out


def test_a_capture_points_out_what_the_job_would_miss(notebook, book, monkeypatch):
    monkeypatch.setenv("SOME_NAME", "here")
    put(book, "data.csv", "1")
    put(book, "more.csv", "2")
    notebook.run("import os\ndef load():\n    return open('more.csv').read() + os.environ['SOME_NAME']")
    bundle = notebook.capture("open('data.csv').read() + load()", files=("data.csv",))
    assert bundle.notes == (
        "more.csv is named in load and does not travel; add --files more.csv",
        "load reads SOME_NAME of the environment; pass it with --env SOME_NAME, or --secret SOME_NAME",
    )
    assert notebook.capture("open('data.csv').read() + load()", here=True, environ=None).notes == ()


@pytest.mark.parametrize(
    "cell",
    [
        "pd.read_csv('data.csv')",
        "open('data.csv')",
        "open('data.csv', 'rb').read()",
        "Path('data.csv').read_text()",
        "np.load(file='data.csv')",
        "files = ['data.csv']",
        "open('./data.csv')",
        "def f(path='data.csv'):\n    return path",
        "open('data.csv', 'a')",
    ],
)
def test_a_file_that_is_named_and_stays_is_pointed_out(book, cell):
    put(book, "data.csv")
    assert unshipped([("cell", cell)], book) == [
        "data.csv is named in the cell and does not travel; add --files data.csv"
    ]
    assert unshipped([("cell", cell)], book, {"data.csv"}) == []


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("Path('data') / 'in' / 'a.csv'", "data/in/a.csv"),
        ("os.path.join('data', 'in', 'a.csv')", "data/in/a.csv"),
        ("Path('data').joinpath('in', 'a.csv')", "data/in/a.csv"),
        ("Path.cwd() / 'data/in/a.csv'", "data/in/a.csv"),
        ("Path('data', 'in/a.csv')", "data/in/a.csv"),
        ("open('{book}/data/in/a.csv')", "data/in/a.csv"),
        ("os.listdir('data/in')", "data/in"),
        ("load_model('model')", "model"),
        ("open('a name.csv')", '"a name.csv"'),
    ],
)
def test_paths_that_are_put_together_are_understood(book, cell, named):
    for name in ("data/in/a.csv", "model", "a name.csv"):
        put(book, name)
    [note] = unshipped([("train", cell.replace("{book}", str(book)))], book)
    assert f"--files {named}" in note
    assert "in train and" in note


@pytest.mark.parametrize(
    "cell",
    [
        "df.to_csv('data.csv')",
        "open('data.csv', 'w')",
        "open('data.csv', mode='xb')",
        "Path('data.csv').open('w')",
        "Path('data.csv').write_text('x')",
        "plt.savefig('data.csv')",
        "np.save('data.csv', a)",
        "(Path('data') / 'in.csv').unlink()",
        "'data.csv'",
        "d['README']",
        "open('gone.csv')",
        "open('../outside.csv')",
        "open('/etc/hostname')",
        "open('')",
        "open('.')",
        "open('data')",
        "open('x\\0y')",
        "open('data.csv\\n')",
        f"open('{'x' * 5000}')",
        "open(",
    ],
)
def test_what_is_no_file_to_read_is_not_pointed_out(book, tmp_path, cell):
    for name in ("data.csv", "README", "data/in.csv"):
        put(book, name)
    put(tmp_path, "outside.csv")
    assert unshipped([("cell", cell)], book) == []


def test_values_that_travel_may_name_files_too(book):
    path = put(book, "data.csv")
    values = [("source", path), ("name", "data.csv"), ("n", 3), ("README", "README")]
    put(book, "README")
    [note] = unshipped([], book, values=values)
    assert "data.csv is named in source" in note
    assert "name it as data.csv" in note


def test_a_credential_file_is_not_offered_to_files(book):
    put(book, "conf/.env")
    [note] = unshipped([("cell", "load_dotenv('conf/.env')")], book)
    assert "--secret NAME" in note
    assert "--files" not in note


def test_only_some_are_pointed_out(book):
    cell = "\n".join(f"open('{put(book, f'{number}.csv').name}')" for number in range(30))
    notes = unshipped([("cell", cell)], book)
    assert len(notes) == 21
    assert notes[-1].startswith("10 more")
