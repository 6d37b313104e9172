"""What is asked of places: what their queues have, and whether cells will run there. A place may be slow, or silent.

Nobody waits for one: it is asked aside, one question at a time, and who wants to know is told what is known so far, and
that more is coming. Answers are kept for a while, so that fifty tabs ask no more than one.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import JobqError
from jobq_magic.server.asking import Asked
from jobq_magic.server.plain import plain

if TYPE_CHECKING:
    from jobq_magic.findings import Finding
    from jobq_magic.nearby import Allotment
    from jobq_magic.queues import Place
    from jobq_magic.runs.store import Store

__all__ = ["Doctors", "Survey", "doctor", "queues"]

_FRESH = 15.0
"""Seconds for which what queues have is not asked again."""
_SETTINGS = 5.0
"""The same for the profiles, which are in files."""
_PATIENT = 0.3
"""Seconds that an answer waits for places that are quick."""
_AT_ONCE = threading.BoundedSemaphore(4)
"""Places that are asked at the same time."""
_MOST = 32
_SEEN = 10.0
"""Seconds for which an examination that is over is what there is; who asks later has it done again."""


class _Kept:
    """What is known of one place."""

    def __init__(self) -> None:
        self.found: tuple[Allotment, ...] | None = None
        self.unknown = ""
        self.at: float | None = None
        self.due = float("-inf")
        self.asking: threading.Event | None = None


class Survey:
    """What the queues of all profiles have. Threads may share it.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._places: tuple[float, list[Place]] = (float("-inf"), [])

    def look(self, store: Store, *, patience: float = _PATIENT) -> dict[str, Any]:
        """What is known now; what is not fresh is asked aside, and waited for only a little.

        Args:
            store: whose runs are one's own.
            patience: seconds.
        """
        places = self._named()
        kept = [self._asked(place, store) for place in places]
        deadline = time.monotonic() + patience
        for one in kept:
            if one.found is None and (event := one.asking) is not None:
                event.wait(max(0.0, deadline - time.monotonic()))
        told = [each for place, one in zip(places, kept, strict=True) for each in _rows(place, one)]
        return {"queues": told, "pending": any(each["pending"] for each in told)}

    def _named(self) -> list[Place]:
        from jobq_magic import queues

        with self._lock:
            until, found = self._places
        if self._clock() < until:
            return found
        found = queues.places(Path.cwd(), os.environ)[:_MOST]
        with self._lock:
            self._places = self._clock() + _SETTINGS, found
        return found

    def _asked(self, place: Place, store: Store) -> _Kept:
        """What is kept of a place, which is being asked anew where that is due."""
        with self._lock:
            one = self._kept.pop(place.key, None) or _Kept()
            self._kept[place.key] = one
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
            if place.unknown or one.asking is not None or self._clock() < one.due:
                return one
            one.asking = threading.Event()
            turn = self._turns[place.site]
        threading.Thread(target=self._ask, args=(place, one, store, turn), name="jobq-survey", daemon=True).start()
        return one

    def _ask(self, place: Place, one: _Kept, store: Store, turn: threading.Lock) -> None:
        from jobq_magic import queues

        found, unknown = None, ""
        try:
            with _AT_ONCE, turn:
                found = queues.ask(place, queues.own_runs(store))
        except JobqError as error:
            unknown = ": ".join(filter(None, (error.what, error.why)))
        except Exception as error:  # noqa: BLE001 - a thread of its own: who asked is told
            unknown = f"It could not be asked: {type(error).__name__}: {error}"
        with self._lock:
            event, one.asking = one.asking, None
            one.due, one.unknown = self._clock() + _FRESH, unknown
            if found is not None:
                one.found, one.at = found, time.time()
        if event is not None:
            event.set()


def _rows(place: Place, one: _Kept) -> list[dict[str, Any]]:
    """One entry a queue; where nothing is known yet, what will be told of."""
    from jobq_magic import queues
    from jobq_magic.nearby import Allotment

    unknown = place.unknown or one.unknown
    found = one.found
    pending = found is None and not unknown
    if found is None:
        found = tuple(Allotment(queue) for queue in place.queues or ("",))
    rows = queues.as_json(place, found)
    # What was known before a place fell silent is still the best there is; that it is old is said.
    return [plain({**row, "unknown": unknown or row["unknown"], "pending": pending, "at": one.at}) for row in rows]


class _Examination:
    """What there is to say of a place, finding by finding."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.began = time.time()
        self.ended: float | None = None
        self.over = threading.Event()

    def work(self, findings: Callable[[], Any]) -> None:
        """Makes all findings."""
        from jobq_magic.findings import Finding

        try:
            for finding in findings():
                self.findings.append(finding)
        except JobqError as error:
            self.findings.append(Finding("doctor", "problem", error.what, error.do))
        except Exception as error:  # noqa: BLE001 - a thread of its own: who asked is told
            self.findings.append(Finding("doctor", "unknown", f"{type(error).__name__}: {error}", needed=True))
        self.ended = time.time()
        self.over.set()


class Doctors:
    """Examinations of places, one at a time for each profile. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Examination] = OrderedDict()

    def look(self, profile: str, *, patience: float = _PATIENT) -> dict[str, Any]:
        """What was found so far; an examination is begun where none is under way, or the last is some time ago.

        Args:
            profile: which; "": what holds where none is named.
            patience: seconds that it waits for the end.

        Raises:
            OptionError: there is no such profile, or it is not known which place it means.
        """
        from jobq_magic import doctor as doctors
        from jobq_magic import neighbours

        resolved = neighbours.here(["--profile", profile] if profile else [], interactive=True)
        with self._lock:
            one = self._known.get(profile)
            if one is None or (one.ended is not None and time.time() - one.ended > _SEEN):
                one = self._known[profile] = _Examination()
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
                work = threading.Thread(
                    target=one.work, args=(lambda: doctors.examine(resolved),), name="jobq-doctor", daemon=True
                )
                work.start()
        one.over.wait(patience)
        done = one.over.is_set()
        told = doctors.as_json(list(one.findings))
        return {
            "profile": profile,
            "where": plain(str(resolved.target["where"])),
            "done": done,
            "ok": told["ok"] if done else None,
            "unanswered": plain(told["unanswered"]),
            "findings": plain(told["findings"]),
            "began": one.began,
            "ended": one.ended,
        }


_SURVEY, _DOCTORS = Survey(), Doctors()


def queues(asked: Asked) -> Mapping[str, Any]:
    """What the queues of all profiles have, and who uses it, as far as it is known."""
    return _SURVEY.look(asked.store)


def doctor(asked: Asked) -> Mapping[str, Any]:
    """Whether cells will run where a profile sends them; what was found so far."""
    return _DOCTORS.look(asked.query["profile"])
