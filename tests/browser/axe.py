"""axe-core on a part of a page: what a person with a screen reader, or without a mouse, would stumble over."""

from __future__ import annotations

import importlib.util
from typing import Any

from playwright.sync_api import Locator

from tests.browser.lab import ROOT

__all__ = ["serious"]

_AXE = ROOT / "labextension/node_modules/axe-core/axe.min.js"
_RUN = """async node => {
    const {violations} = await axe.run(node, {resultTypes: ["violations"]});
    const told = ({html, failureSummary}) => `${html} ${failureSummary}`;
    return violations.map(({id, impact, nodes}) => ({id, impact, where: nodes.map(told)}));
}"""


def serious(part: Locator) -> list[dict[str, Any]]:
    """What axe finds there that is serious or critical: id, impact, and the elements."""
    page = part.page
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    return [one for one in part.evaluate(_RUN) if one["impact"] in ("serious", "critical")]


def _script() -> str:
    if not _AXE.exists():  # it comes with what the sidebar is built with
        spec = importlib.util.spec_from_file_location("labextension_build", ROOT / "labextension/build.py")
        assert spec is not None
        assert spec.loader is not None
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        build.modules()
    # A module loader on the page would take it otherwise.
    return f"(() => {{ const module = undefined, exports = undefined, define = undefined; {_AXE.read_text()} }})()"
