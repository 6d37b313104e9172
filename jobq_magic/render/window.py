"""The page in place of a dashboard: while it is awaited, when it is gone, or where it is not opened. Pure.

It has no script and fetches nothing; a browser asks for it anew by itself while something is awaited.
"""

from __future__ import annotations

import time
from typing import Literal

from jobq_magic.render import html, rayhtml
from jobq_magic.render.card import Card
from jobq_magic.render.safe import html as safe
from jobq_magic.render.safe import link
from jobq_magic.render.style import STYLE
from jobq_magic.words import about

__all__ = ["AGAIN", "Theme", "awaited", "closed", "over"]

Theme = Literal["", "light", "dark"]
AGAIN = 2
"""Seconds between two looks of a page at what it waits for."""
_PAGE = (
    "<style>html{{color-scheme:{scheme}}}body{{margin:16px auto;max-width:60em;padding:0 16px;"
    "font:13px/1.45 system-ui,sans-serif}}h1{{font-size:16px;font-weight:600;margin:0 0 4px}}"
    ".jq{{margin:12px 0}}.jq-told{{border:0;background:none;margin:0}}</style>"
)


def awaited(card: Card, why: str = "", theme: Theme = "") -> str:
    """The dashboard is not there yet: what is waited for."""
    told = why or "It opens here by itself as soon as Ray is up."
    return _page(card, "The Ray dashboard is not there yet", told, html.live(card).state, theme, again=True)


def over(card: Card, since: float, theme: Theme = "") -> str:
    """The dashboard is gone: since when, and what is kept of what it showed.

    Args:
        card: of the run.
        since: when it ended, as seconds since the epoch.
        theme: of the page; "": as the reader's system has it.
    """
    at = time.strftime("%H:%M" if card.now - since < 43200 else "%Y-%m-%d %H:%M", time.localtime(since))
    kept = rayhtml.body(card.snapshot)
    what = "What Ray knew of its workers and tasks was kept:" if kept else "What is known of the run was kept:"
    drawn = html.live(card).state + (f'<div class="jq">{kept}</div>' if kept else "")
    told = f"Its Ray ended {about(max(0.0, card.now - since))} ago. {what}"
    return _page(card, f"The Ray dashboard is gone since {at}", told, drawn, theme)


def closed(card: Card, why: str, elsewhere: str = "", theme: Theme = "") -> str:
    """The dashboard is not opened here: why, and where it is."""
    drawn = html.live(card).state
    if address := link(elsewhere):
        leads = (
            f'<a href="{safe(address)}" target="_blank" rel="noopener noreferrer">Open it by a port of its own ↗</a>'
        )
        drawn = f'<div class="jq jq-told">{leads}, from a browser on the machine of the run</div>{drawn}'
    return _page(card, "The Ray dashboard is not opened here", f"{why.rstrip('.')}.", drawn, theme)


def _page(card: Card, title: str, told: str, drawn: str, theme: Theme, *, again: bool = False) -> str:
    """A whole document."""
    marked = f' data-theme="{theme}"' if theme else ""
    refresh = f'<meta http-equiv="refresh" content="{AGAIN}">' if again else ""
    name, look = safe(card.snapshot.name), _PAGE.format(scheme=theme or "light dark")
    return (
        f'<!doctype html><html lang="en"{marked}><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{refresh}'
        f"<title>{safe(title)} · {name}</title>{STYLE}{look}</head><body><main>"
        f'<div class="jq jq-told" role="status"><h1>{safe(title)}</h1>{safe(told)}</div>{drawn}</main></body></html>\n'
    )
