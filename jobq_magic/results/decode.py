"""From a signed result to values. Only who asks for a value comes here; what is shown is read by `read` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic import pool
from jobq_magic.errors import JobFailed, ResultError
from jobq_magic.figures import size
from jobq_magic.phrases import ONCE_MORE, UNREAD_STORE, WITH_STORE
from jobq_magic.run import AttemptPaths, Run
from jobq_magic.runtime.carrier import LIMIT
from jobq_magic.runtime.sites import store_of
from jobq_magic.runtime.stores import shown
from jobq_magic.runtime.wire import Damaged, read_group, unseal

__all__ = ["Outcome", "decode", "read"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back, as values."""

    names: Mapping[str, Any] = field(default_factory=dict)
    """What the cell bound."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """What was shipped, and changed in place."""
    same: Mapping[str, str] = field(default_factory=dict)
    """Of `names` those that hold what was shipped under another name, or the same, and did not change."""
    apart: tuple[tuple[str, ...], ...] = ()
    """Arrays that showed the same memory in the job, and are arrays of their own here."""
    value: Any = None
    """The last value, where it could come back."""
    shown: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    """MIME bundle and metadata of a last value that could not come back itself."""
    error: BaseException | None = None
    skipped: tuple[Mapping[str, str], ...] = ()
    """`name` and `reason` of what could not come back, and `advice` where there is some."""
    later: Mapping[str, int] = field(default_factory=dict)
    """What was too large to be read at once, with the bytes of the group that each name is in; reading without a
    limit gives it."""


def read(run: Run, attempt: int, key: bytes) -> dict[str, Any]:
    """The result as the runner wrote it, after the check of its signature; nothing is unpickled.

    Raises:
        ResultError: there is none, or it does not carry this run's signature.
    """
    path = run.paths.attempt(attempt).result
    try:
        result = unseal(path.read_bytes(), key, run=run.id, attempt=attempt)
        return _without_lost(result, run, run.paths.attempt(attempt))
    except FileNotFoundError:
        raise _no_result(run, run.paths.attempt(attempt)) from None
    except OSError as error:
        raise ResultError("result-unreadable", f"The result of {run.id} cannot be read", why=str(error)) from error
    except Damaged as error:
        raise _refused(run, path, error) from error


def decode(run: Run, attempt: int, key: bytes, *, most: int | None = None) -> Outcome:
    """The values of a result. Each group is unpickled once, after the check of its digest.

    Args:
        run: which.
        attempt: of the run.
        key: of the run.
        most: groups of more bytes are left for later.

    Raises:
        ResultError: there is no result, it was changed on disk, or a value cannot be made here.
    """
    result = read(run, attempt, key)
    groups = _Groups(run, attempt)
    if result["error"] is not None:
        return Outcome(error=_error(run, result["error"], groups), skipped=tuple(result["skipped"]))
    value = result["value"]
    fits = value is not None and value["group"] is not None
    entries = {**result["names"], **result["changed"], **({"_": value} if fits else {})}
    later = {name: entry["size"] for name, entry in entries.items() if most is not None and entry["size"] > most}
    return Outcome(
        names={n: groups.value(entry["group"], n) for n, entry in result["names"].items() if n not in later},
        same=result.get("same", {}),
        apart=tuple(map(tuple, result.get("apart", ()))),
        changed={
            n: groups.value(entry["group"], entry.get("name", n))
            for n, entry in result["changed"].items()
            if n not in later
        },
        value=groups.value(value["group"], value.get("name", "_")) if fits and "_" not in later else None,
        shown=(value["bundle"], value.get("metadata", {})) if value is not None and not fits else None,
        skipped=tuple(result["skipped"]),
        later=later,
    )


def _no_result(run: Run, paths: AttemptPaths) -> ResultError:
    """Why there is none: it left none, or it did not come through the log of its pod."""
    try:
        known = json.loads((paths.folder / "collected.json").read_bytes())
        cut, large = "result.json" in known["missing"], "result.json" in known["beyond"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        cut = large = False
    if not cut and not large:
        advice = f"%jobq logs {run.id} shows what it printed"
        return ResultError("no-result", f"{run.id} left no result", do=advice)
    why = (
        "It was lost with a part of the log, which was gone before it was read" if cut else "It is too large for a log"
    )
    advice = ONCE_MORE if store_of(run.target) else WITH_STORE
    return ResultError("no-result", f"The result of {run.id} did not come back", why=why, do=advice)


def _without_lost(result: dict[str, Any], run: Run, paths: AttemptPaths) -> dict[str, Any]:
    """Without the values that did not come through the log of a pod, which are told as what did not come back."""
    if not (paths.folder / "collected.json").exists():
        return result
    try:
        beyond = json.loads((paths.folder / "beyond.json").read_bytes())
        kept, sizes = bool(beyond["kept"]), {name.rpartition("/")[2]: size for name, size in beyond["sizes"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        kept, sizes = False, {}
    too_large = {} if kept else sizes
    there = paths.values.is_dir()  # else they came, and were taken away since
    store = shown(store_of(run.target))

    def lost(entry: Mapping[str, Any]) -> bool:
        group = entry["group"]
        return group is not None and (there or group in too_large) and not (paths.values / group).exists()

    def why(entry: Mapping[str, Any]) -> dict[str, str]:
        if store and kept:
            return {"reason": f"it is kept in {store}, and could not be read from here", "advice": UNREAD_STORE}
        if store:
            return {"reason": f"it came neither through the log nor from {store}", "advice": ONCE_MORE}
        whole = too_large.get(entry["group"])
        cut = "it was lost with a part of the log, which was gone before it was read"
        reason = cut if whole is None else _too_large(entry.get("own", whole), whole)
        return {"reason": reason, "advice": WITH_STORE}

    done, gone = dict(result), []
    for part in ("names", "changed"):
        done[part] = {name: entry for name, entry in result[part].items() if not lost(entry)}
        gone += [(name, entry) for name, entry in result[part].items() if lost(entry)]
    for part, name in (("value", "_"), ("error", "exception")):
        if (entry := result[part]) is not None and lost(entry):
            done[part] = {**entry, "group": None}
            if "name" not in entry:  # else it is told by that
                gone.append((name, entry))
    told = {name: {"name": name, **why(entry)} for name, entry in gone}
    return {**done, "skipped": [*result["skipped"], *told.values()]}


def _too_large(own: int, whole: int) -> str:
    def amount(count: int) -> str:
        return f"more than {size(LIMIT)}" if count > LIMIT and size(count) == size(LIMIT) else size(count)

    beside = f", {amount(whole)} with what comes together with it" if whole > own * 1.1 else ""
    taken = ", which smaller ones have taken" if whole <= LIMIT else ""
    return f"it takes {amount(own)}{beside}, and a log carries {size(LIMIT)} of values{taken}"


class _Groups:
    def __init__(self, run: Run, attempt: int) -> None:
        self._run = run
        self._folder = run.paths.attempt(attempt).values
        self._read: dict[str, dict[str, Any]] = {}

    def value(self, group: str, name: str) -> Any:
        if group not in self._read:
            path = self._folder / group
            try:
                self._read[group] = read_group(path, digest=group)
            except FileNotFoundError:
                run = self._run.id
                raise ResultError(
                    "result-pruned", f"The values of {run} are no longer kept", do=f"%jobq rerun {run}"
                ) from None
            except Damaged as error:
                raise _refused(self._run, path, error) from error
            except Exception as error:  # unpickling runs whatever the classes of the values say
                raise ResultError(
                    "value-unfit",
                    f"{name} of {self._run.id} cannot be made here",
                    why=f"{type(error).__name__}: {error}",
                    do="Import or define here what it is made of, then run %jobq attach " + self._run.id,
                ) from error
            pool.keep(self._run.paths.pool, path)
        return self._read[group][name]


def _error(run: Run, told: Mapping[str, Any], groups: _Groups) -> BaseException:
    lines = [f"{run.name} ran on {run.target['where']}, and raised:", *told["text"].rstrip().splitlines()]
    if told["group"] is not None:
        try:
            error: BaseException = groups.value(told["group"], "exception")
            # A SystemExit or a KeyboardInterrupt, raised here, would end more than the cell; and IPython only prints
            # a UsageError, so that a headless notebook would pass.
            if isinstance(error, Exception) and not _is_usage_error(error):
                error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # IPython asks for it
                error.__jobq_run__ = run.id  # type: ignore[attr-defined]  # for debuggers: its frames are not here
                return error
        except (ResultError, AttributeError) as unfit:
            if isinstance(unfit, ResultError) and unfit.code == "result-damaged":
                raise
    # Its class is named after the one that could not come, so that the front end shows that name.
    told_once = {"__str__": lambda _: told["message"]}
    stand_in: JobFailed = type(told["type"], (JobFailed,), told_once)("exception", f"{told['type']}: {told['message']}")
    stand_in._render_traceback_ = lambda: lines  # type: ignore[method-assign]
    stand_in.__jobq_run__ = run.id  # type: ignore[attr-defined]
    return stand_in


def _is_usage_error(error: Exception) -> bool:
    return any((kind.__module__, kind.__name__) == ("IPython.core.error", "UsageError") for kind in type(error).__mro__)


def _refused(run: Run, path: Path, error: Damaged) -> ResultError:
    return ResultError(
        "result-damaged",
        f"The result of {run.id} was changed after the run wrote it, and is not used",
        why=str(error),
        do=f"Look at {path.parent}",
    )
