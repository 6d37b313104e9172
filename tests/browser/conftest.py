"""A Jupyter server, a browser, and a tab in it; see lab.py for what a test does with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.lab import ROOT, Lab, Server
from tests.support import eventually

expect.set_options(timeout=20_000)  # a busy machine is slow; what is there at once costs nothing

_SETTINGS = {
    # No questions, no news, nothing saved that a test did not save.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "docmanager-extension/plugin": {"autosave": False},
    # Every cell is in the page, whether it is in view or not.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
_PAGE = {
    "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True, "@jupyterlab/debugger-extension": True}
}
_CONFIG = {
    "ServerApp": {
        "allow_root": True,
        "ip": "127.0.0.1",
        "jpserver_extensions": {"jobq_magic": True, "jupyter_lsp": False, "jupyter_server_terminals": False},
        "log_level": "WARN",
        "open_browser": False,
        "port": 0,  # the system's choice; the server's own file says which
    },
    "IdentityProvider": {"token": ""},
    "LabApp": {"expose_app_in_browser": True, "news_url": None},
    "JupyterNotebookApp": {"expose_app_in_browser": True},
}


# The scope is the folder: while Playwright is there, this thread has a running event loop, which the tests of other
# rooms must not meet.
@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    """One Jupyter server for all browser tests."""
    with serving() as running:
        yield running


@contextmanager
def serving(**more: str) -> Iterator[Server]:
    """A Jupyter server with a home, a store and settings of its own; `more` is in its environment, too."""
    with (
        tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime,
        tempfile.TemporaryDirectory(prefix="jobq ü ", ignore_cleanup_errors=True) as base,
    ):
        home, work = Path(base, "home"), Path(base, "work")
        work.mkdir()
        for name, settings in _SETTINGS.items():
            file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBQ_", "RAY_", "JUPYTER"))}
        own = {
            "HOME": str(home),
            "IPYTHONDIR": str(home / ".ipython"),
            "JOBQ_HOME": f"{base}/store",
            "JOBQ_RUNTIME_DIR": runtime,
            "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": f"{runtime}/jupyter",
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **more,
        }
        # What is being worked on, and not what was installed when .venv was made.
        (home / "data/labextensions").mkdir(parents=True)
        (home / "data/labextensions/jobq-magic").symlink_to(ROOT / "jobq_magic/labextension")
        (home / ".jupyter/labconfig").mkdir(parents=True)
        (home / ".jupyter/labconfig/page_config.json").write_text(json.dumps(_PAGE))
        (home / ".jupyter/jupyter_server_config.json").write_text(json.dumps(_CONFIG))
        with Path(base, "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab"], cwd=work, env={**kept, **own}, stdout=log, stderr=log
            )
        try:
            said = Path(runtime, "jupyter", f"jpserver-{process.pid}.json")
            eventually(lambda: process.poll() is not None or (said.exists() and said.read_text().endswith("}")), 60)
            assert process.poll() is None, Path(base, "log").read_text()
            yield Server(json.loads(said.read_text())["url"].rstrip("/"), work, {**kept, **own})
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all browser tests."""
    with browsing() as opened:
        yield opened


@contextmanager
def browsing() -> Iterator[Browser]:
    """Debian's Chromium, or the one that $CHROMIUM names."""
    found = subprocess.run(["sh", Path(__file__).with_name("chromium.sh")], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def tab(browser: Browser, server: Server) -> Iterator[Lab]:
    """JupyterLab in a tab, shared by all browser tests."""
    with tabbed(browser, server) as lab:
        yield lab


@contextmanager
def tabbed(browser: Browser, server: Server, **options: Any) -> Iterator[Lab]:
    """JupyterLab in a tab; `options` are those of a context of Playwright."""
    usual = {"viewport": {"width": 1100, "height": 900}, "locale": "en-GB", "color_scheme": "light"}
    context = browser.new_context(**usual | options)
    context.set_default_timeout(60_000)
    lab = Lab(context.new_page(), server)
    lab.start()
    yield lab
    context.close()


@contextmanager
def drawn(browser: Browser, server: Server, *, high: int = 900) -> Iterator[Lab]:
    """A small JupyterLab of its own, drawn large: for pictures. Fails where the page complained."""
    with tabbed(browser, server, device_scale_factor=2, viewport={"width": 940, "height": high}) as lab:
        lab.alone()
        yield lab
        lab.close()
        assert lab.problems == []


@pytest.fixture
def lab(tab: Lab) -> Iterator[Lab]:
    """JupyterLab with no notebook open. The test fails where the page complained."""
    tab.problems.clear()
    yield tab
    tab.close()
    assert tab.problems == []


@pytest.fixture
def classic(browser: Browser, server: Server) -> Iterator[Lab]:
    """A tab for Notebook 7: `classic.open_classic([...])`. The test fails where the page complained."""
    with blank(browser, server) as lab:
        yield lab


@contextmanager
def blank(browser: Browser, server: Server) -> Iterator[Lab]:
    """A tab in which nothing is loaded yet. Fails where the page complained."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, locale="en-GB")
    context.set_default_timeout(60_000)
    lab = Lab(context.new_page(), server)
    yield lab
    lab.close()
    context.close()
    assert lab.problems == []
