import os
import subprocess
import time

import pytest

from jobq_magic.provenance import provenance

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"


@pytest.fixture
def git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "répo"
    (folder / "books").mkdir(parents=True)

    def git(*command):
        return subprocess.run(
            ["git", "-c", "user.email=a@b", *command], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("config", "user.name", "Ada L.")
    (folder / "books/a.ipynb").write_text("{}")
    (folder / "code.py").write_text("x = 1\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    git.folder = folder
    return git


def test_an_image_knows_the_commit_the_notebook_the_cell_and_the_user(git):
    assert provenance(git.folder / "books", "a.ipynb", "abc-1") == {
        REVISION: git("rev-parse", "HEAD"),
        "jobq.dirty": "false",
        "jobq.notebook": "books/a.ipynb",
        "jobq.cell": "abc-1",
        "jobq.user": "Ada L.",
    }


def test_what_changed_since_the_commit_has_a_hash_of_its_own(git):
    def told():
        return provenance(git.folder, "books/a.ipynb")

    (git.folder / "code.py").write_text("x = 2\n")
    first = told()
    assert first["jobq.dirty"] == "true"
    assert told() == first
    (git.folder / "new file.txt").write_text("")
    second = told()
    git("add", "code.py")
    assert told()["jobq.diff"] == second["jobq.diff"] != first["jobq.diff"]
    git("commit", "-qm", "second", "code.py")
    third = told()
    assert third["jobq.diff"] not in {first["jobq.diff"], second["jobq.diff"]}
    assert third[REVISION] != first[REVISION]
    (git.folder / "new file.txt").unlink()
    assert told()["jobq.dirty"] == "false"
    assert "jobq.diff" not in told()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://me:pa55@host.org:8443/team/x.git", "https://host.org:8443/team/x.git"),
        ("https://token@host.org/x?private_token=abc", "https://host.org/x"),
        ("git@host.org:team/x.git", "ssh://host.org/team/x.git"),
        ("ssh://git@host.org/x", "ssh://host.org/x"),
        ("/srv/git/x.git", None),
        ("file:///srv/git/x.git", None),
        ("../x", None),
    ],
)
def test_the_repository_is_named_without_who_may_read_it(git, address, says):
    git("remote", "add", "origin", address)
    assert provenance(git.folder).get(SOURCE) == says


def test_nothing_of_this_machine_is_told(git, tmp_path):
    told = "\n".join(provenance(git.folder, str(git.folder / "books/a.ipynb"), "c").values())
    assert str(tmp_path) not in told
    assert os.uname().nodename not in told


def test_a_folder_without_a_repository_tells_what_there_is(tmp_path, git, monkeypatch):
    (tmp_path / "plain").mkdir()
    told = provenance(tmp_path / "plain", "/somewhere/else/b.ipynb", "c")
    assert (told["jobq.notebook"], told["jobq.cell"]) == ("b.ipynb", "c")
    assert REVISION not in told
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance(git.folder, "books/a.ipynb")["jobq.notebook"] == "a.ipynb"
    assert "jobq.notebook" not in provenance(tmp_path / "missing")


def test_a_repository_without_a_commit_has_no_revision(tmp_path, git):
    subprocess.run(["git", "init", "-q", str(tmp_path / "fresh")], check=True)
    assert REVISION not in provenance(tmp_path / "fresh")


def test_a_git_that_does_not_answer_holds_nothing_up(tmp_path, git, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    began = time.monotonic()
    assert provenance(git.folder, "books/a.ipynb", "c")["jobq.cell"] == "c"
    assert time.monotonic() - began < 10
