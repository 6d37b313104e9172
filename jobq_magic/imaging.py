"""What CLI and `%jobq` share about images, as data: that of a run, what this machine keeps, and what it need not."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from jobq_magic.errors import OptionError, StoreError, closest
from jobq_magic.image import Image
from jobq_magic.places import cache_root

if TYPE_CHECKING:
    from jobq_magic.commands import Parser
    from jobq_magic.images.prune import InUse, KeptImage, KeptLayer, PrunedImages
    from jobq_magic.run import Run
    from jobq_magic.runs.store import Store

__all__ = ["Answer", "Kept", "as_json", "image", "kept", "told", "words"]

_WEEK = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What this machine keeps of images."""

    folder: str
    layers: tuple[KeptLayer, ...]
    images: tuple[KeptImage, ...]


Answer: TypeAlias = "Image | Kept | PrunedImages"


def image(store: Store, run: Run) -> Image:
    """The image that the job of a run is, or was, started from.

    Raises:
        StoreError: it has none, or not yet, or what is known of it cannot be read.
    """
    try:
        return Image.load(run.paths.image)
    except FileNotFoundError:
        pass  # why it is not there is told below
    except (OSError, ValueError) as error:
        what = f"What is known of the image of {run.id} cannot be read"
        raise StoreError("broken-image", what, why=str(error), do="Run its cell again") from error
    if not run.paths.request.exists():
        place = run.target.get("where", run.spec["mode"])
        raise StoreError(
            "no-image", f"{run.id} has no image", why=f"It runs on {place}" if not _ended(store, run) else "",
            do="%%jobq --mode docker runs a cell from an image; jobq image RUN names another run",
        )  # fmt: skip
    if _ended(store, run):
        raise StoreError("no-image", f"{run.id} ended before its image was there", do=f"See jobq status {run.id}")
    raise StoreError("no-image-yet", f"The image of {run.id} is not there yet", do=f"See jobq status {run.id}")


def kept() -> Kept:
    """What this machine keeps: layers with their bytes, and which images it put where."""
    from jobq_magic.images import prune
    from jobq_magic.images.cache import Cache

    cache = Cache(_folder())
    return Kept(str(cache.root), tuple(prune.layers(cache)), tuple(prune.images(cache)))


def words(parser: Parser) -> Callable[[Store, argparse.Namespace], Answer]:
    """Adds the arguments of `image` to a parser.

    Returns:
        What performs it with the arguments that were parsed.
    """
    parser.add_argument(
        "what", nargs="*", metavar="RUN", help="the image of this run (the last); or `list`, `prune`, or `show RUN`"
    )
    parser.add_argument(
        "--older-than", metavar="TIME", help="prune: what was not used for so long, for example 12h (7d)"
    )
    parser.add_argument("--registry", action="store_true", help="prune: images in registries too, that were put there")
    parser.add_argument("--dry-run", action="store_true", help="prune: only say what would be removed")

    def perform(store: Store, args: argparse.Namespace) -> Answer:
        action, *rest = args.what or ["show"]
        if action not in ("show", "list", "prune"):
            action, rest = "show", args.what
        given = [flag for flag, value in _flags(args) if value]
        if given and action != "prune":
            raise OptionError("bad-command", f"image {action} knows no {given[0]}", do=f"image prune {given[0]} is one")
        if len(rest) > (action == "show"):
            stray = rest[action == "show"]
            known = closest(stray, ["list", "prune", "show"]) if action == "show" else ""
            raise OptionError("stray-word", f"image {action} takes no {stray}", do=known)
        if action == "show":
            return image(store, store.find(rest[0] if rest else "-1"))
        return kept() if action == "list" else _prune(store, args)

    return perform


def told(answer: Answer, *, now: float) -> str:
    """What was answered, as text."""
    from jobq_magic.render import image as drawn

    if isinstance(answer, Image):
        return drawn.drawn(answer)
    return drawn.kept(answer, now=now) if isinstance(answer, Kept) else drawn.pruned(answer)


def as_json(answer: Answer) -> dict[str, Any]:
    """What there is to say, for machines."""
    told = asdict(answer)
    for layer in told.get("layers", ()) if isinstance(answer, Kept) else ():
        del layer["notes"], layer["blob"]
    return told


def _flags(args: argparse.Namespace) -> tuple[tuple[str, object], ...]:
    return ("--older-than", args.older_than), ("--registry", args.registry), ("--dry-run", args.dry_run)


def _prune(store: Store, args: argparse.Namespace) -> PrunedImages:
    from jobq_magic.images import places
    from jobq_magic.images.cache import Cache
    from jobq_magic.images.prune import prune
    from jobq_magic.quantities import Refusal, seconds

    try:
        older = _WEEK if args.older_than is None else float(seconds(args.older_than))
    except Refusal as refusal:
        raise OptionError("bad-time", f"--older-than {args.older_than} {refusal.problem}", do=refusal.do) from refusal
    cache = Cache(_folder())
    found = places.reachable(cache, os.environ, registries=args.registry)
    done = prune(cache, older=older, in_use=_in_use(store), places=found.remove, dry_run=args.dry_run)
    return replace(done, notes=(*found.notes, *done.notes))


def _in_use(store: Store) -> InUse:
    """What runs that have not ended use. A run that nobody looked at since its process died has ended."""
    from jobq_magic.commands import list_runs
    from jobq_magic.images.prune import InUse

    digests: set[str] = set()
    since = float("inf")
    for snapshot in list_runs(store, live=True):
        run = store.get(snapshot.run)
        try:
            found = Image.load(run.paths.image)
        except (OSError, ValueError):
            since = min(since, run.created) if run.paths.request.exists() else since
        else:
            digests |= {found.digest, *(layer.digest for layer in found.layers)}
    return InUse(frozenset(digests), since)


def _folder() -> Path:
    return cache_root() / "images"


def _ended(store: Store, run: Run) -> bool:
    return store.snapshot(run).final
