"""CONTRIBUTING's map of rooms, compared with the rooms."""

from __future__ import annotations

from tests.docs.conftest import ROOT, Document


def _mapped() -> dict[str, str]:
    """Path of each file on the map, and what is said of it."""
    document = Document.read(ROOT / "CONTRIBUTING.md")
    [block] = [block for block in document.of("text") if block.text.startswith("jobq_magic/")]
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block.text.splitlines():
        entry = line.strip()
        if entry.startswith("#"):
            continue
        depth = (len(line) - len(entry)) // 2
        name, _, told = entry.partition(" ")
        folders[depth:] = []
        if name.endswith("/"):
            folders.append(name)
        else:
            name = name if name.endswith(".py") else f"{name}.py"
            found["".join(folders) + name] = told.strip()
    return found


def test_the_map_names_every_module_and_none_that_is_gone():
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("jobq_magic/**/*.py") if path.stat().st_size}
    mapped = set(_mapped())
    assert sorted(there - mapped) == [], "not on the map in CONTRIBUTING.md"
    assert sorted(mapped - there) == [], "on the map in CONTRIBUTING.md, and gone"


def test_the_map_says_something_of_each():
    assert [name for name, told in _mapped().items() if not told] == []
