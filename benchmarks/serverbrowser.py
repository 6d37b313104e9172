"""The log in the page, with a real browser: jumped in, found in, gone through, and followed while it is written."""

from __future__ import annotations

import json
import statistics
import threading
import time
from pathlib import Path

import psutil

from benchmarks.table import Row
from jobq_magic.snapshot import Phase
from tests.browser.conftest import browsing, serving, tabbed
from tests.browser.lab import Lab, Server
from tests.browser.made import Made, many_lines

ROUNDS, SECONDS, RATE = 7, 10, 10_000
_NODE = "const node = document.querySelector(`[id='jobq-run-${id}']`);"
_UNTIL = """const until = async check => {
    for (let found; ; await new Promise(requestAnimationFrame)) { if ((found = check())) return found; }
};"""
# From the moment that a person acts until the lines are drawn: a frame later than they are in the page.
_OPEN = f"""async id => {{ {_UNTIL}
    const began = performance.now();
    await jupyterapp.commands.execute("jobq:open", {{id, tab: "log"}});
    {_NODE}
    await until(() => node.querySelector(".jp-JobqRun-line:not(.jp-mod-awaited)"));
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}}"""
_JUMP = f"""async ([id, part]) => {{ {_UNTIL} {_NODE}
    const lines = node.querySelector(".jp-JobqRun-lines"), began = performance.now();
    lines.scrollTop = part * lines.scrollHeight;
    const there = () => Number(node.querySelectorAll(".jp-JobqRun-line")[8]?.getAttribute("aria-rowindex"));
    await until(() => Math.abs(there() / Number(lines.getAttribute("aria-rowcount")) - part) < 0.01);
    await until(() => !node.querySelector(".jp-mod-awaited"));
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}}"""
_FIND = f"""async ([id, text]) => {{ {_UNTIL} {_NODE}
    const input = node.querySelector("input[type=search]"), began = performance.now();
    input.value = text;
    input.dispatchEvent(new Event("input"));
    await until(() => [...node.querySelectorAll("mark")].some(one => one.textContent === text));
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}}"""
_WATCH = """() => {
    window.longTasks = [];
    const take = list => longTasks.push(...list.getEntries().map(one => one.duration));
    new PerformanceObserver(take).observe({type: "longtask"});
}"""


def rows() -> list[Row]:
    """The rows of this bench."""
    with serving() as server, browsing() as browser, tabbed(browser, server) as lab:
        made = Made.open(server, "million", Phase.SUBMITTING, Phase.RUNNING)
        made.prints(*many_lines(1000), at=made.began)
        made.ends(Phase.SUCCEEDED, after=1000)
        lab.evaluate(_OPEN, made.run.id)  # the lines are counted, and the page's program is there
        opened = [_again(lab, made.run.id) for _ in range(ROUNDS)]
        before = _memory(lab)
        jumped = [lab.evaluate(_JUMP, [made.run.id, (7 * at % 40) / 40 + 0.012]) for at in range(40)]
        found = [lab.evaluate(_FIND, [made.run.id, f"step {at:04d}7"]) for at in range(3, 1000, 1000 // ROUNDS)]
        held = _memory(lab) - before
        _close(lab, made.run.id)
        longest, lost, share = _follow(lab, server)
    note, many = f"after {len(jumped)} jumps and {len(found)} finds", f"{RATE * SECONDS:,} in {SECONDS} s"
    return [
        _quick("1,000,000 lines: open at the end", opened),
        _quick("1,000,000 lines: jump anywhere", jumped),
        _quick("1,000,000 lines: find a word", found),
        Row("memory of the page", held, 100, held / 100, "<= 100 MB", held <= 100, "MB", note),
        Row("following: longest task of the page", longest, 100, longest / 100, "<= 100 ms", longest <= 100, "ms"),
        Row("following: lines lost", lost, 0, float(lost), "0", lost == 0, "lines", many),
        Row("following: a core of the server", share, 25, share / 25, "<= 25 %", share <= 25, "%"),
    ]


def _quick(what: str, took: list[float]) -> Row:
    middle = statistics.median(took)
    return Row(
        what, middle, 300, middle / 300, "<= 300 ms", middle <= 300, "ms", f"worst of {len(took)}: {max(took):.0f} ms"
    )


def _again(lab: Lab, run: str) -> float:
    _close(lab, run)
    return float(lab.evaluate(_OPEN, run))


def _close(lab: Lab, run: str) -> None:
    lab.evaluate("id => jupyterapp.shell.widgets('main').find(w => w.id === id)?.close()", f"jobq-run-{run}")


def _memory(lab: Lab) -> float:
    """What the page's program holds, in MB."""
    session = lab.page.context.new_cdp_session(lab.page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return float(used) / 1e6


def _follow(lab: Lab, server: Server) -> tuple[float, int, float]:
    """The longest task of the page, lines that are not there at the end, and the server's share of a core."""
    made = Made.open(server, "fast", Phase.SUBMITTING, Phase.RUNNING)
    made.prints(b"up\n")
    lab.evaluate(_OPEN, made.run.id)
    lab.evaluate(_WATCH)
    (told,) = Path(server.env["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")
    process = psutil.Process(json.loads(told.read_text())["pid"])
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    writer = threading.Thread(target=_write, args=(made,))
    writer.start()
    lab.page.wait_for_timeout(1000 * (SECONDS + 1))
    writer.join()
    share = 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
    wanted = 1 + RATE * SECONDS
    shown = f"document.querySelector(\"[id='jobq-run-{made.run.id}'] .jp-JobqRun-lines\")"
    lab.page.wait_for_function(f"Number({shown}.getAttribute('aria-rowcount')) >= {wanted}")
    count = int(lab.evaluate(f"() => Number({shown}.getAttribute('aria-rowcount'))"))
    longest = max([0.0, *lab.evaluate("() => longTasks")])
    made.ends(Phase.SUCCEEDED, after=60)
    return longest, abs(wanted - count), share


def _write(made: Made) -> None:
    """As a job prints that says much: a sample of its order every 50 ms."""
    began, part = time.monotonic(), RATE // 20
    for number in range(SECONDS * 20):
        time.sleep(max(0.0, began + number / 20 - time.monotonic()))
        made.prints(
            b"".join(b"step %d of a calculation that takes long\n" % (number * part + one) for one in range(part))
        )
