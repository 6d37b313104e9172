"""The documentation is built without a warning, and shows itself without the network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT

# Attributes by which a page makes a browser load something; a link is followed by a person.
_LOADS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class _Page(HTMLParser):
    """What a page loads, links to, and has anchors for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value for name, value in attrs if value}
        if tag in _LOADS and _LOADS[tag] in given and given.get("rel") != "canonical":
            self.loads.append(given[_LOADS[tag]])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "id" in given:
            self.anchors.add(given["id"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-d", folder / "trees"]
    done = subprocess.run([*command, ROOT / "docs", folder / "html"], capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site) -> dict[str, _Page]:
    """Its pages, by path."""
    return {str(path.relative_to(site)): _Page(path.read_text()) for path in site.rglob("*.html")}


def test_no_page_loads_anything_from_elsewhere(site, pages):
    assert len(pages) > 20
    elsewhere = {name: [one for one in page.loads if "//" in one] for name, page in pages.items()}
    assert {name: found for name, found in elsewhere.items() if found} == {}
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", sheet.read_text()) == [], sheet


def test_every_link_within_the_site_leads_somewhere(site, pages):
    lost = []
    for name, page in pages.items():
        for link in page.links:
            if "//" in link or link.startswith("mailto:"):
                continue
            path, _, anchor = link.partition("#")
            target = (site / name).parent / path if path else site / name
            there = pages.get(str(target.resolve().relative_to(site)))
            if not target.exists() or (anchor and there is not None and anchor not in there.anchors):
                lost.append(f"{name}: {link}")
    assert lost == []


@pytest.mark.parametrize("name", [path.stem for path in sorted(ROOT.glob("examples/*.ipynb"))])
def test_every_example_is_in_the_gallery_with_what_it_shows(site, name):
    assert 'class="cell_output' in (site / "gallery" / f"{name}.html").read_text()


def test_the_tables_say_what_the_code_says(site):
    from jobq_magic.notebook.verbs import VERBS
    from jobq_magic.snapshot import Phase

    for page, words in (
        ("verbs", VERBS),
        ("phases", Phase),
        ("errors", ("missing-name", "unknown-run", "ray-missing")),
    ):
        text = re.sub(r"<[^>]+>", "", (site / f"{page}.html").read_text())
        assert [word for word in words if word not in text] == []
