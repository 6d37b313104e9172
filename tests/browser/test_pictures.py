"""The pictures in the docs are what a browser shows: `make pictures` renews them."""

from __future__ import annotations

CELL = """\
%%jobq --name pi
import random

from jobq_magic import progress

inside = 0
for done in progress(range(200)):
    inside += sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(5_000))
    if done % 50 == 49:
        print(f"{(done + 1) * 5_000:,} points: {4 * inside / (done + 1) / 5_000:.5f}")
"""


def test_a_run_can_be_seen_in_both_themes(lab):
    book = lab.open([CELL])
    book.start(0)
    book.says(0, "succeeded")
    book.idle()
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        made = book.picture(0, f"panel-{theme.lower()}.png")
        assert made.stat().st_size > 2_000
