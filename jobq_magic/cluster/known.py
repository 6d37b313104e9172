"""Known: what is known of the objects of one kind, and what was last known of those that are gone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from jobq_magic.cluster.names import PREFIX

__all__ = ["Known", "of_ours"]

Object = dict[str, Any]
GONE = 1000
"""Objects that are kept after they were deleted: the newest ones."""
EACH = 200
"""Events that are kept of one object: the newest ones."""


def of_ours(event: Object) -> str:
    """The object of a run that an event is about; "" where it is about something else."""
    name = str((event.get("involvedObject") or {}).get("name") or "")
    return name if name.startswith(PREFIX) else ""


class Known:
    """Objects by name. One thread writes, any thread reads.

    Args:
        about: what an object is about; "" leaves it out, and of what is about one thing the newest `EACH` are kept.
            None: all objects are kept.
    """

    def __init__(self, about: Callable[[Object], str] | None = None) -> None:
        self._about = about
        self._lock = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._gone: OrderedDict[str, Object] = OrderedDict()
        self._each: dict[str, OrderedDict[str, None]] = {}
        self._view: Mapping[str, Object] | None = None

    def objects(self) -> Mapping[str, Object]:
        """All that are there, as of now; the mapping does not change afterwards."""
        with self._lock:
            if self._view is None:
                self._view = MappingProxyType(dict(self._objects))
            return self._view

    def last(self, name: str) -> Object | None:
        """An object as it was last seen, whether or not it is still there."""
        with self._lock:
            return self._objects.get(name) or self._gone.get(name)

    def deleted(self, name: str) -> bool:
        """Whether an object was there, and is there no more."""
        with self._lock:
            return name not in self._objects and name in self._gone

    def replace(self, found: Iterable[Object]) -> bool:
        """All that there is, as it was listed; whether that is news."""
        found = list(found)
        names = {_name(item) for item in found}
        with self._lock:
            news = [self._put(item) for item in found]
            news += [self._drop(name) for name in [name for name in self._objects if name not in names]]
            return any(news)

    def apply(self, how: str, item: Object) -> bool:
        """One change, as it was watched: ADDED, MODIFIED, DELETED; whether that is news."""
        with self._lock:
            if how != "DELETED":
                return self._put(item)
            if self._about is None:
                self._put(item)  # as it was in the end
            return self._drop(_name(item))

    def _put(self, item: Object) -> bool:
        about = self._about(item) if self._about is not None else ""
        if self._about is not None and not about:
            return False
        name, meta = _name(item), item.get("metadata") or {}
        meta.pop("managedFields", None)  # half of an object's size, and nobody reads it
        old = self._objects.get(name)
        if old is not None and old["metadata"].get("resourceVersion") == meta.get("resourceVersion"):
            return False
        self._objects[name] = item
        self._gone.pop(name, None)
        self._view = None
        if about:
            of = self._each.setdefault(about, OrderedDict())
            of[name] = None
            of.move_to_end(name)
            if len(of) > EACH:
                self._drop(next(iter(of)))
        return True

    def _drop(self, name: str) -> bool:
        item = self._objects.pop(name, None)
        if item is None:
            return False
        self._view = None
        if self._about is not None:
            # Events expire after an hour, which says nothing of what they told.
            about = self._about(item)
            of = self._each.get(about, OrderedDict())
            of.pop(name, None)
            if not of:
                self._each.pop(about, None)
            return True
        self._gone[name] = item
        self._gone.move_to_end(name)
        while len(self._gone) > GONE:
            self._gone.popitem(last=False)
        return True


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])
