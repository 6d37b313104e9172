"""How the documentation becomes a site: `make docs`. Nothing is loaded from elsewhere, neither now nor by a reader."""

import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "jobq-magic"
author = "the jobq-magic developers"
project_copyright = f"{author}, Apache-2.0"
version = release = version_of("jobq-magic")

extensions = ["generated", "myst_nb", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["evidence"]
nitpicky = True

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
# The notebooks have been executed, and tests compare what they show.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}
smartquotes = False  # would make a dash of the two hyphens of an option

html_theme = "pydata_sphinx_theme"
html_title = "jobq-magic"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "jobq-magic"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "github-dark",
    "back_to_top_button": False,
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "tutorial": [], "gallery": []}
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre, div.highlight-toml pre"


def _bring_the_examples(*_: object) -> None:
    """Puts examples/*.ipynb where Sphinx finds them; a file that has not changed is not built again."""
    gallery = HERE / "gallery"
    gallery.mkdir(exist_ok=True)
    there = {path.name: path for path in (HERE.parent / "examples").glob("*.ipynb")}
    for old in gallery.glob("*.ipynb"):
        if old.name not in there:
            old.unlink()
    for name, path in there.items():
        if not (gallery / name).exists() or (gallery / name).read_bytes() != path.read_bytes():
            shutil.copyfile(path, gallery / name)


def _list_the_decisions(_: Sphinx, page: str, source: list[str]) -> None:
    """Their list is a plain table, for who reads it where it lies; the site's navigation wants a toctree."""
    if page == "decisions/README":
        source[0] += "\n:::{toctree}\n:hidden:\n:glob:\n\n0*\n:::\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _list_the_decisions)
    app.connect("config-inited", _bring_the_examples)
