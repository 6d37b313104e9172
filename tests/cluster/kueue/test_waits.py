"""Why is it not running? What JupyterLab shows of the commonest waits; PICTURES keeps it for docs/waiting.md."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import browsing, drawn, serving
from tests.browser.lab import Lab, picture
from tests.cluster.kueue.waits import Queues, profile
from tests.cluster.layout import REGISTRY_PULL

CELL = """\
%%jobq --name {name} --queue {options} -o model
model = fit(epochs=3)"""
NOTEBOOK = """\
import time


def fit(epochs):
    for epoch in range(epochs):
        print("epoch", epoch + 1, flush=True)
        time.sleep({seconds})
    return "a model"
"""


@dataclass(frozen=True)
class Wait:
    """One reason to wait: how one gets there, and what the panel says of it."""

    name: str
    """Of the run, and of its picture."""
    options: str
    phase: str
    sentence: str
    advice: str


WAITS = (
    Wait("no-quota", "main --cpus 0.5", "queued",
         "Waiting for quota: others use it, and 0.4 cpus more must become free", "0.1 cpus would fit now"),
    Wait("in-line", "busy --cpus 1", "queued", "3rd of 5 in queue busy", "What stands ahead: 2"),
    Wait("too-large", "small --cpus 1", "queued",
         "It can never start: it asks for 1 cpu, and its queue gives a run at most 0.5 cpus",
         "Ask for at most 0.5 cpus, or use queue wide, which has 64 cpus"),
    Wait("queue-stopped", "night --cpus 1", "queued", "The queue night is stopped", "use another queue with --queue"),
    Wait("no-image", f"wide --cpus 0.05 --pull {REGISTRY_PULL}/elsewhere", "starting",
         "is not in the registry", "what --push has put must be found where --pull says"),
    Wait("no-node", "wide --cpus 48", "starting",
         "It has its quota, but no node has room for it: none has 48 cpus free", "It starts when a node has room"),
    Wait("preempted", "shared --cpus 0.1", "queued",
         "It had to make room for urgent, which goes before it, and waits again", "It begins anew by itself"),
)  # fmt: skip


@pytest.fixture
def queues(admin, namespace, queue) -> Queues:
    """Queues for each of these waits."""
    made = Queues(admin, namespace)
    made.make("busy", queueingStrategy="StrictFIFO")
    made.make("small")
    made.make("night", stopPolicy="Hold")
    made.make("wide", "64")
    made.make("shared", preemption={"withinClusterQueue": "LowerPriority"})
    made.hold("main", "nightly-report", "900m")
    made.hold("small", "backup", "1")
    made.hold("busy", "ablation", "1", priority=1000)
    for ahead in ("baseline", "sweep"):
        made.hold("busy", ahead, "1", priority=1)
    for behind in ("ensemble", "report"):
        made.hold("busy", behind, "1", priority=-1)
    made.admitted("nightly-report", "backup", "ablation")
    return made


@pytest.fixture
def sharp(kubeconfig, images, tmp_path) -> Iterator[Lab]:
    """A small JupyterLab, of a user with just the rights that we ship, drawn large."""
    settings = tmp_path / "config.toml"
    settings.write_text(profile())
    more = {"KUBECONFIG": str(kubeconfig), "JOBQ_CACHE": str(images), "JOBQ_CONFIG": str(settings)}
    with serving(**more) as server, browsing() as browser, drawn(browser, server) as lab:
        yield lab


def card(area: Locator) -> Locator:
    """The panel of a run."""
    return area.locator(".jp-OutputArea-output").first


@pytest.mark.timeout(240)
def test_each_wait_says_why_and_what_would_help(sharp: Lab, queues: Queues):
    cells = [CELL.format(name=wait.name, options=wait.options) for wait in WAITS]
    book = sharp.open([NOTEBOOK.format(seconds=600), *cells])
    book.run(0)
    for at, wait in enumerate(WAITS, 1):
        assert book.run(at), (wait.name, book.text(at))
    areas = {wait.name: book.area(at) for at, wait in enumerate(WAITS, 1)}

    # What happens to them meanwhile.
    expect(areas["too-large"].get_by_role("group", name="queued")).to_be_visible()
    queues.shrink("small", "500m")
    expect(areas["preempted"].get_by_role("group", name="running")).to_be_visible(timeout=60_000)
    queues.hold("shared", "urgent", "1", priority=1000)

    for wait in WAITS:
        area = areas[wait.name]
        expect(area.get_by_role("group", name=wait.phase)).to_be_visible(timeout=60_000)
        expect(area).to_contain_text(wait.sentence, timeout=60_000)
        expect(area).to_contain_text(wait.advice, timeout=60_000)
    if os.environ.get("PICTURES"):
        for theme in ("Dark", "Light"):
            sharp.theme(f"JupyterLab {theme}")
            for wait in WAITS:
                picture(card(areas[wait.name]), f"wait-{wait.name}-{theme.lower()}.png")
    names = [wait.name for wait in WAITS]
    book.quietly(f"from jobq_magic import Job\nfor name in {names}: Job.from_id(name).stop()")
    for wait in WAITS:
        expect(areas[wait.name].get_by_role("group", name="cancelled")).to_be_visible(timeout=60_000)
