"""What Ray did to a run's work, as a few notes with counts: killed for memory, died, moved to disk.

Such things come in swarms, so a note waits until nothing more has come for a while, at most half a minute, or until the
end. Pure, but for who is told.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = ["News"]

QUIET, LONGEST = 10.0, 30.0
"""Seconds without more of its kind, and since the first, after which something is told."""
_NAMES = 3
"""Names of tasks or actors of which each kind is told by itself."""
_LONG = 60
_TASKS = {"OUT_OF_MEMORY": "memory", "WORKER_DIED": "crashed", "NODE_DIED": "gone"}
"""What became of tasks, by their `error_type`."""
_CRASHED = "Worker exit type: SYSTEM_ERROR"
"""In the words of an actor's end: nobody wished it."""
_WISHED = ("Job finishes", "INTENDED_")
"""In the words of a task's end: its driver has ended, or it left by itself."""
_ADVICE = {
    "memory": "ask for more with {option}, or run fewer at once",
    "crashed": "what it printed last may say why; if its memory was full, ask for more with {option}",
    "gone": "Ray runs tasks again that may be, by max_retries; actors by max_restarts",
}
_MIB = 1 << 20


class News:
    """Gathers what Ray tells at each look.

    Args:
        note: takes a sentence for the record.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._counts: dict[tuple[str, str, str], dict[str, str]] = {}
        self._looked: set[str] = set()
        self._came: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._spilled: dict[str, int] = {}

    def nodes(self, known: Mapping[str, Mapping[str, Any]], spilled: Mapping[str, int], now: float) -> None:
        """How nodes are.

        Args:
            known: by their ids: `name`, `head`, `memory_most`.
            spilled: the bytes that each has moved to disk, since it began.
            now: seconds, by any clock.
        """
        self._nodes |= known
        before = sum(self._spilled.values())
        for node, count in spilled.items():
            self._spilled[node] = max(count, self._spilled.get(node, 0))
        if sum(self._spilled.values()) > before:
            self._hear(("disk", "", ""), now)

    def tasks(self, rows: Sequence[Mapping[str, Any]], now: float) -> bool:
        """Tasks as they are listed, of which most are known already.

        Returns:
            Whether there are new ones of which only a list with details says whose wish their end was.
        """
        unclear = False
        for row in rows:
            kind = _TASKS.get(row.get("error_type") or "")
            if kind is None or row.get("type") == "ACTOR_CREATION_TASK":
                continue
            who = f"{row['task_id']} {row.get('attempt_number', 0)}"
            if who in self._looked:
                continue
            if kind == "crashed" and "error_message" not in row:
                unclear = True
                continue
            self._looked.add(who)
            if kind != "crashed" or not any(wish in (row["error_message"] or "") for wish in _WISHED):
                self._add(kind, "task", row.get("func_or_class_name") or row["name"], who, row.get("node_id"), now)
        return unclear

    def actors(self, rows: Sequence[Mapping[str, Any]], now: float) -> None:
        """Actors that are dead, as they are listed with details."""
        for row in rows:
            if kind := _end(row.get("death_cause") or {}):
                self._add(kind, "actor", row["class_name"], row["actor_id"], row.get("node_id"), now)

    def tell(self, now: float, *, last: bool = False) -> None:
        """Says what is due; all that there is, where it is the last time."""
        for key, (first, latest) in self._came.items():
            if key not in self._told and (last or now - latest >= QUIET or now - first >= LONGEST):
                self._note(self._sentence(*key))
                self._told.add(key)

    def _add(self, kind: str, what: str, name: str, who: str, node: str | None, now: float) -> None:
        name = name if len(name) <= _LONG else f"{name[: _LONG - 1]}…"
        names = {known for known_kind, known_what, known in self._counts if (known_kind, known_what) == (kind, what)}
        key = kind, what, name if name in names or len(names - {""}) < _NAMES else ""
        seen = self._counts.setdefault(key, {})
        if who not in seen:
            seen[who] = node or ""
            self._hear(key, now)

    def _hear(self, key: tuple[str, str, str], now: float) -> None:
        self._came[key] = self._came.get(key, (now, now))[0], now

    def _sentence(self, kind: str, what: str, name: str) -> str:
        if kind == "disk":
            return self._disk()
        nodes = set(self._counts[kind, what, name].values())
        many = len(self._counts[kind, what, name])
        of = f" of `{name}`" if name else " of other names"
        them = f"{many:,} {what}s{of}" if many > 1 else f"{'an' if what == 'actor' else 'a'} {what}{of}"
        head = bool(nodes) and all(self._nodes.get(node, {}).get("head") for node in nodes)
        advice = _ADVICE[kind].format(option="--driver-memory" if head else "--memory")
        where = self._where(nodes)
        if kind == "memory":
            most = {self._nodes[node]["memory_most"] for node in nodes if node in self._nodes}
            full = f" ({_size(max(most))})" if most else ""
            return f"Ray killed {them}{where}, as memory was full{full}: {advice}"
        them = f"{them[0].upper()}{them[1:]} {'were' if many > 1 else 'was'} lost"
        if kind == "gone":
            return f"{them} with a node that is gone: {advice}"
        process = "the processes" if many > 1 else "the process"
        return f"{them}{where}, as {process} crashed or ended: {advice}"

    def _disk(self) -> str:
        nodes = {node for node, count in self._spilled.items() if count}
        size = _size(sum(self._spilled.values()))
        return (
            f"Ray moved {size} of objects to disk{self._where(nodes)}, which is slow: its memory for objects was full; "
            "ask for more with --shm, or let go of what is not needed any more (del)"
        )

    def _where(self, nodes: set[str]) -> str:
        known = [self._nodes[node] for node in nodes if node in self._nodes]
        if not known or len(known) < len(nodes):
            return ""
        if len(known) > 1:
            return f" on {len(known)} nodes"
        return " on the head" if known[0]["head"] else f" on the worker {known[0]['name']}"


def _end(cause: Mapping[str, Any]) -> str:
    """What became of an actor; "" where somebody wished it, or it has raised."""
    if "oom_context" in cause:
        return "memory"
    if "node_died_error_context" in cause:
        return "gone"
    died = cause.get("actor_died_error_context") or {}
    said = str(died.get("error_message") or "")
    if died.get("reason") == "NODE_DIED":
        return "gone"
    return "crashed" if died.get("reason") == "WORKER_DIED" and _CRASHED in said else ""


def _size(count: int) -> str:
    return f"{count / _MIB:,.0f} MiB" if count < 10 << 30 else f"{count / (1 << 30):,.1f} GiB"
