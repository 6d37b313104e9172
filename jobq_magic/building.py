"""The image of a run: what it is to be made from is written down where the cell is submitted; it is made afterwards.

`order` needs the kernel: its environment, its installed packages, its working folder. `Building` needs only the run's
folder and what was handed over, so that any process can do it, again and again.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jobq_magic import handover, needing
from jobq_magic.bundle import Bundle, Requirement
from jobq_magic.config import Resolved
from jobq_magic.errors import BackendError, CaptureError
from jobq_magic.image import BuildRequest, Image, Packages, Recipe
from jobq_magic.places import cache_root
from jobq_magic.run import Run
from jobq_magic.runtime.sites import store_of
from jobq_magic.runtime.stores import needs, packages_for, shown
from jobq_magic.runtime.wire import canonical, replace_file
from jobq_magic.snapshot import Progress

if TYPE_CHECKING:
    from jobq_magic.images.cache import Cache
    from jobq_magic.images.model import Destination

__all__ = ["Building", "again", "order", "summary"]

_PERIOD = 0.2
"""Seconds between two words of how far it is."""


def order(
    run: Run, resolved: Resolved, recipe: Recipe, bundle: Bundle, wanted: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, ...]:
    """Writes down what the image of a run is made from; returns what the user should know.

    Args:
        run: the run.
        resolved: what was asked for, and where it goes.
        recipe: what the image is to be.
        bundle: what the cell takes along.
        wanted: what its place cannot do without, as `protocols.Needs` has it.

    Raises:
        JobqError: it cannot be made, as far as that can be known now.
    """
    from jobq_magic.images import platforms
    from jobq_magic.provenance import provenance

    spec = resolved.spec
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    platform = spec.platform or platforms.here()
    packages, notes = Packages(), tuple[str, ...]()
    own = tuple(bundle.account.requirements)
    of_its_store = of_store(resolved.target, own)
    if (own or of_its_store) and not recipe.as_it_is:
        from jobq_magic.capture.requirements.locking import lock

        how = functools.partial(
            lock,
            python=python,
            platform=platforms.for_uv(platform),
            gpus=bool(spec.gpus),
            cache=cache_root() / "locks",
            no_lock=spec.no_lock,
        )
        try:
            locked = how((*own, *of_its_store))
        except CaptureError as error:
            if not of_its_store:
                raise
            how(own)  # else it is not the store that does not fit
            raise _unfit(resolved.target, of_its_store, error) from error
        packages, notes = Packages(locked.text, locked.build), locked.notes
    elif packages_for(store := store_of(resolved.target)):
        notes = (f"The image is used as it is: results are kept only where it has {needs(store)}",)
    needing.refuse(wanted, recipe, packages)
    request = BuildRequest(
        recipe=recipe,
        packages=packages,
        python=python,
        platform=platform,
        ray=needing.here("ray"),
        needs=needing.names(wanted),
        destination={name: resolved.target[name] for name in ("to", "push", "pull") if name in resolved.target},
        provenance=provenance(Path.cwd(), run.cell.get("notebook", ""), run.cell.get("cell_id", "")),
    )
    replace_file(run.paths.request, canonical(request.to_json()))
    return notes


def of_store(target: Mapping[str, Any], others: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """What the job needs, beside other requirements, to keep its results where its site keeps them."""
    there = {one.name for one in others}
    wanted = {line.partition(">=")[0].replace("_", "-"): line for line in packages_for(store_of(target))}
    new = {name: line for name, line in wanted.items() if name not in there}
    return tuple(Requirement(name, "", "asked", line, "the store of results") for name, line in new.items())


def _unfit(target: Mapping[str, Any], wanted: Sequence[Requirement], error: CaptureError) -> CaptureError:
    store = store_of(target)
    names = " and ".join(one.name for one in wanted)
    what = "which" if names == needs(store) else f"and {names}"
    return CaptureError(
        "store-packages",
        f"The store {shown(store)} needs {needs(store)}, {what} cannot go with what is installed here",
        why=error.what[:1].upper() + error.what[1:],
        do=f"Install {names} here, so that all versions agree, or keep results on a claim: --store pvc://CLAIM/FOLDER",
    )


def again(old: Run, run: Run) -> None:
    """Orders for a run the image that another one had."""
    request = BuildRequest.from_json(json.loads(old.paths.request.read_bytes()))
    try:
        base = Image.load(old.paths.image).base
    except (OSError, ValueError):
        base = ""
    if base:  # what its base was then, whatever its name means now
        if "@" in base and request.recipe.base.startswith("http://"):  # else it would be asked for by https
            base = f"http://{base}"
        request = replace(request, recipe=replace(request.recipe, base=base))
    replace_file(run.paths.request, canonical(request.to_json()))


class Building:
    """The making of a run's image, in a thread of its own, since it cannot be interrupted everywhere."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stopped = False
        self._done = threading.Event()
        self._image: Image | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._work, name=f"image-{run.id}", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether it is done, at the latest after some time."""
        return self._done.wait(seconds)

    def stop(self) -> None:
        """It ends as soon as it can; nobody need wait for that."""
        self._stopped = True

    def image(self) -> Image:
        """The image, when it is done.

        Raises:
            JobqError: it could not be made.
        """
        if self._error is not None:
            raise self._error
        assert self._image is not None
        return self._image

    def _work(self) -> None:
        try:
            self._image = _built(self._run, self._report())
        except BaseException as error:  # noqa: BLE001 - who waits for it raises it
            self._error = error
        finally:
            self._done.set()

    def _report(self) -> Callable[[Sequence[Progress]], None]:
        last = float("-inf")

        def report(under_way: Sequence[Progress]) -> None:
            nonlocal last
            if self._stopped:
                raise _Stopped
            if time.monotonic() - last > _PERIOD:
                last = time.monotonic()
                told = [asdict(each) for each in under_way]
                try:
                    replace_file(self._run.paths.building, json.dumps(told).encode())
                except OSError:
                    return  # it is only for people

        return report


class _Stopped(Exception):
    """Nobody wants the image any more."""


def _built(run: Run, report: Callable[[Sequence[Progress]], None]) -> Image:
    from jobq_magic.images.cache import Cache
    from jobq_magic.images.ensure import ensure

    request = BuildRequest.from_json(json.loads(run.paths.request.read_bytes()))
    environ = handover.environment(run.id, os.environ)
    cache = Cache(cache_root() / "images")
    destination = _destination(request, environ, cache)
    try:
        image = ensure(request, run.paths.bundle, destination=destination, cache=cache, environ=environ, report=report)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        do = f"Make room below {cache_root()}" if full else f"See to {cache_root()}"
        raise BackendError(
            "image-disk",
            f"The image could not be assembled: {error}",
            do=f"{do}, or name another folder in JOBQ_CACHE",
        ) from error
    needing.refuse_old(request.needs, image)
    replace_file(run.paths.image, canonical(image.to_json()))
    run.paths.building.unlink(missing_ok=True)
    return image


def _destination(request: BuildRequest, environ: Mapping[str, str], cache: Cache) -> Destination:
    to = request.destination
    if to["to"] == "engine":
        from jobq_magic.engine.client import kept
        from jobq_magic.images.intoengine import EngineDestination

        return EngineDestination(kept(environ), cache.known)
    from jobq_magic.images.destinations import lasting

    return lasting(to["push"], to.get("pull") or "", environ, cache)


def summary(image: Image) -> dict[str, object]:
    """What the record says of an image."""
    told = image.to_json()
    return {name: told[name] for name in ("reference", "layers", "sent", "seconds")}
