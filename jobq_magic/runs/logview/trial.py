"""A process of its own in which a regular expression is tried: it can be ended, which a thread cannot. Alone in here.

Started as a file, with the standard library only. It is told a pattern, then texts of many lines; of each text it says
in which lines the pattern is found (`w`), or where in each of them (`s`).
"""

from __future__ import annotations

import json
import re
import resource
import signal
import struct
import sys
from array import array
from contextlib import suppress

HEAD = struct.Struct("<cQ")
MOST_SPANS = 100
"""Of a line."""
_SECONDS, _MEMORY = 60, 1 << 30
"""What it may use at most, should nobody end it."""


def main() -> None:
    """Answers until its input ends, or an answer takes more of a processor than it may: then this process ends."""
    for what, most in ((resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_AS, _MEMORY)):
        with suppress(ValueError, OSError):  # macOS has no such bound
            resource.setrlimit(what, (most, most))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    pattern: re.Pattern[str] | None = None
    seconds = 1.0
    while head := source.read(HEAD.size):
        kind, size = HEAD.unpack(head)
        text = source.read(size).decode()
        # Of its own time, not of the clock's: on a busy machine an expression takes long that takes little.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        if kind == b"p":
            told = json.loads(text)
            seconds = told["seconds"]
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                pattern = re.compile(told["pattern"], 0 if told["case"] else re.IGNORECASE)
                said = b""
            except (re.error, OverflowError, RecursionError, MemoryError) as error:
                said = (str(error) or type(error).__name__).encode()
        elif pattern is None:
            return
        elif kind == b"w":
            search = pattern.search
            said = array("I", [number for number, line in enumerate(text.split("\n")) if search(line)]).tobytes()
        else:
            said = json.dumps([spans(pattern, line) for line in text.split("\n")]).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(HEAD.pack(kind, len(said)) + said)
        sink.flush()


def spans(pattern: re.Pattern[str], line: str) -> list[tuple[int, int]]:
    """Where a pattern is found in a line; nothing is not shown."""
    found: list[tuple[int, int]] = []
    for each in pattern.finditer(line):
        if each.end() > each.start():
            found.append(each.span())
            if len(found) == MOST_SPANS:
                break
    return found


if __name__ == "__main__":
    main()
