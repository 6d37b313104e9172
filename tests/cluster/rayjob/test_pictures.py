"""A run on a Ray cluster of its own in JupyterLab, up to the notebook that is saved; PICTURES keeps what it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import browsing, drawn, serving
from tests.browser.lab import Book, Lab, picture
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.support import eventually

HELPERS = """\
import time


def prepare(part):
    return [part * step % 97 for step in range(100_000)]


def fit(fold, rows):
    until = time.perf_counter() + 0.6
    while time.perf_counter() < until:
        score = sum(rows) / len(rows) / 97
    if fold % 23 == 9:
        raise ValueError(f"fold {fold} does not converge")
    if fold % 7 == 0:
        print(f"fold {fold}: {score:.3f}")
    return score"""
CELL = """\
%%jobq --name folds --mode ray --workers 2 -o scores
import ray

from jobq_magic import progress

parts = [ray.remote(prepare).remote(part) for part in range(6)]
waiting = [ray.remote(fit).remote(fold, parts[fold % 6]) for fold in range(100)]
scores = []
while waiting:
    (first,), waiting = ray.wait(waiting)
    try:
        scores.append(ray.get(first))
    except ValueError as error:
        print(error.args[0])
    progress(100 - len(waiting), 100, "folds")"""
READS = "len(scores)"
RUN = "head folds-"
"""How Ray calls the job."""


WAITS = """\
%%jobq --name folds --mode ray --workers 2 --profile apart
import ray

ray.get([ray.remote(fit).remote(fold, [1]) for fold in range(10, 4000, 23)])"""
PROFILE = f"""\
[profiles.{{name}}]
queue = "{{queue}}"
push = "http://{REGISTRY_PUSH}/tests"
pull = "{REGISTRY_PULL}/tests"
base = "{{base}}"
cpus = 1
memory = "900Mi"
driver_memory = "300Mi"
"""
APART = """\
[[profiles.apart.pod_template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution]]
topologyKey = "kubernetes.io/hostname"
labelSelector = { matchExpressions = [{ key = "jobq.run", operator = "Exists" }] }
"""
"""Each pod wants a node of its own, and there are two for three."""


@pytest.fixture
def sharp(kubeconfig, queue, base, second, images, tmp_path) -> Iterator[Lab]:
    """A small JupyterLab, of a user with just the rights that we ship, whose profile is a queue of the cluster."""
    settings = "".join(PROFILE.format(name=name, queue=queue, base=base) for name in ("default", "apart"))
    (tmp_path / "config.toml").write_text(settings + APART)
    more = {"KUBECONFIG": kubeconfig, "JOBQ_CACHE": images, "JOBQ_CONFIG": tmp_path / "config.toml"}
    with (
        serving(**{name: str(path) for name, path in more.items()}) as server,
        browsing() as browser,
        drawn(browser, server, high=1500) as lab,
    ):
        yield lab


def shown(book: Book, index: int, name: str) -> None:
    """Keeps what is below a cell in both themes."""
    for theme in ("Dark", "Light"):
        book.lab.theme(f"JupyterLab {theme}")
        picture(card(book.area(index)), f"{name}-{theme.lower()}.png")


def patient(page: Page, words: str) -> None:
    """Waits for words on a page of Ray's, which gives up where the dashboard takes long, and does not ask again."""
    for _ in range(4):
        try:
            return expect(page.get_by_text(words).first).to_be_visible(timeout=20_000)
        except AssertionError:
            page.reload()
    raise AssertionError(page.locator("body").inner_text())


def working(area: Locator, last: int) -> None:
    """Waits until the head of Ray has told of that worker, and what it does."""
    worker = area.get_by_role("table", name="Workers").get_by_role("row").nth(1 + last)
    expect(worker.get_by_role("cell")).to_have_count(6, timeout=60_000)


def card(area: Locator) -> Locator:
    """The panel of a run."""
    return area.locator(".jp-OutputArea-output").first


@pytest.mark.slow
@pytest.mark.timeout(500)  # an image is made, pushed and pulled, on busy cores
def test_a_run_from_its_panel_to_the_notebook_that_is_saved(sharp: Lab):
    book = sharp.open([HELPERS, CELL, READS])
    book.run(0)
    book.run(1)
    area = book.area(1)
    link = area.get_by_role("link", name="Ray dashboard")
    expect(link).to_be_visible(timeout=200_000)
    area.get_by_text("Workers, tasks, time line").click(timeout=100_000)
    expect(area.get_by_role("row", name="fit").get_by_role("cell").nth(2)).not_to_have_text("0", timeout=100_000)
    working(area, 2)
    shown(book, 1, "rayjob")

    with sharp.page.expect_popup() as opened:
        link.click()
    page = opened.value
    page.set_viewport_size({"width": 1100, "height": 560})
    patient(page, RUN)
    picture(page, "rayjob-dashboard.png")
    page.close()

    sharp.page.set_viewport_size({"width": 480, "height": 1800})
    shown(book, 1, "rayjob-narrow")
    sharp.page.set_viewport_size({"width": 940, "height": 1500})

    expect(area.get_by_role("group", name="succeeded")).to_be_visible(timeout=120_000)
    assert book.run(2)
    assert book.text(2).endswith("96")
    book.reload(kernel=False)
    sharp.alone()
    area = book.area(1)
    area.get_by_text("Workers and tasks").click()
    expect(area.get_by_text("The Ray dashboard lived until")).to_be_visible()
    expect(area.get_by_role("table", name="Workers").get_by_role("row")).to_have_count(4)
    area.get_by_role("radio", name="2", exact=True).click()
    expect(area.get_by_role("group", name="End of the log")).not_to_contain_text("[1]", use_inner_text=True)
    area.get_by_role("radio", name="all").click()
    shown(book, 1, "rayjob-done")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_waits_for_a_node_says_so_and_stop_ends_all(sharp: Lab, rayjobs, quota_free):
    book = sharp.open([HELPERS, WAITS])
    book.run(0)
    book.run(1)
    area = book.area(1)
    expect(area.get_by_role("listitem", name="Worker 1: running")).to_be_visible(timeout=200_000)
    expect(area.get_by_role("listitem", name="Worker 2: starting")).to_be_visible(timeout=60_000)
    area.get_by_text("Workers, tasks, time line").click(timeout=100_000)
    working(area, 1)
    expect(area.get_by_text("something that it must not run beside")).to_be_visible(timeout=60_000)
    shown(book, 1, "rayjob-waits")
    area.get_by_role("button", name="Stop").click()
    expect(area.get_by_role("group", name="cancelled")).to_be_visible(timeout=100_000)
    eventually(lambda: not rayjobs() and quota_free(), 60)
