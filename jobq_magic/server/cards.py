"""The card of a run as its panel draws it: for a page that goes on where a kernel with its panel is gone."""

from __future__ import annotations

from jobq_magic import commands
from jobq_magic.render import html, text
from jobq_magic.server.asking import Asked
from jobq_magic.server.shapes_cards import CardTold

__all__ = ["told"]


def told(asked: Asked) -> CardTold:
    """How the run looks now; one that has ended as it is to stay in its notebook."""
    card = commands.card(asked.store, asked.run)
    return CardTold(
        run=asked.run.id,
        final=card.snapshot.final,
        bundle={"text/html": html.card(card), "text/plain": text.card(card)},
    )
