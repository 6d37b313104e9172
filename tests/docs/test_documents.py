"""What README and docs show is what happens."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import ROOT, Document, alike
from tests.services.engine import engine_host

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
# What cannot be tried inside a test: it would be `make test` again, or change the environment.
_ONLY_NAMED = ("make", "pip install")


def _having(language: str) -> list:
    found = [path for path in DOCUMENTS if Document.read(path).of(language)]
    return [pytest.param(path, id=path.name) for path in found]


@pytest.fixture(scope="module")
def engine():
    """The address of a Docker Engine, for the documents that use one."""
    with engine_host() as host:
        yield host


@pytest.mark.timeout(250)  # a cold Ray, on busy cores
@pytest.mark.parametrize("path", _having("python"))
def test_its_cells_show_what_it_says_and_its_commands_work(path, workshop, request, monkeypatch):
    document = Document.read(path)
    cells = document.of("python")
    if any("--mode docker" in block.text for block in cells):
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("engine"))
    for block, found in zip(cells, workshop.execute(cells, person=document.person), strict=True):
        where = f"{path.name}, line {block.line}"
        if block.shows is None and not (document.person and block.text.startswith("%%jobq")):
            assert not re.search(r"Traceback|Error: ", found), f"{where}:\n{found}"
        elif block.shows is not None:
            assert _alike(block.shows, found), f"{where} shows:\n{found}"
    # In the store of these very runs.
    for line in (line for block in document.of("sh") for line in block.text.splitlines()):
        command = line.partition("#")[0].strip()
        if command and not command.startswith(_ONLY_NAMED):
            done = workshop.shell(command)
            assert done.returncode == 0, f"{path.name}: {command}\n{done.stdout}{done.stderr}"


# Lines that a document may leave out: the last one of a headless cell, and that a cell waited.
_OPTIONAL = (r"^[\w-]+ \[\w+\] (?:succeeded|failed: .*)\n", r"^Waited .*\n")


def _alike(said: str, found: str) -> bool:
    """Whether what a cell shows is what the document says, which may leave some lines out."""
    for line in _OPTIONAL:
        if not re.search(line, said, re.MULTILINE):
            found = re.sub(line, "", found, flags=re.MULTILINE)
    return alike(said, found)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in DOCUMENTS])
def test_the_make_targets_that_it_names_are_there(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = path.read_text()
    named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name)
        for path in [*DOCUMENTS, ROOT / "CHANGELOG.md", *ROOT.glob("docs/decisions/*.md")]
    ],
)
def test_what_it_links_to_is_there(path):
    links = re.findall(r"\]\(([^)#]+)", path.read_text())
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_every_decision_is_in_their_list():
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    there = {}
    for path in sorted(folder.glob("0*.md")):
        number, _, title = path.read_text().partition("\n")[0].removeprefix("# ").partition(" ")
        there[path.name] = (number, title)
    assert {file: (number, title) for number, file, title in listed} == there


def test_the_readme_names_every_verb_and_no_other():
    from jobq_magic.cli.verbs import VERBS
    from jobq_magic.notebook.verbs import VERBS as LINE_VERBS

    text = (ROOT / "README.md").read_text()
    table = re.findall(r"^\| (?:`%jobq (\w+)` )?\| (?:`jobq (\w+)` )?\|", text, re.MULTILINE)
    assert {first for first, _ in table if first} == set(LINE_VERBS)
    assert {second for _, second in table if second} == set(VERBS)


def test_the_readme_says_of_every_mode_where_it_runs():
    from jobq_magic.spec import MODES

    text = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (`\w+`.*?) \| .+ \| .+ \|$", text, re.MULTILINE)
    assert set(MODES) <= set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_the_readme_names_the_public_functions():
    import jobq_magic

    text = (ROOT / "README.md").read_text()
    assert [name for name in jobq_magic.__all__ if name not in text and name not in ("__version__", "JobqError")] == []
