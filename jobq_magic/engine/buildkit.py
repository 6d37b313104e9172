"""BuildKit as a Docker Engine has it, without a client of its own: one request, and its trace as it comes back.

docker-py knows only the older builder (docker/docker-py#2230). What a build may ask of a client (secrets, the SSH
agent, a cache elsewhere) cannot be had this way.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobq_magic.engine.client import Engine

__all__ = ["build", "traced"]

_VERTEXES, _LOGS = 1, 3
"""Fields of BuildKit's StatusResponse (moby/buildkit, api/services/control/control.proto)."""
_NAME, _COMPLETED = 3, 6
_MESSAGE = 4


def build(engine: Engine, args: Mapping[str, str], dockerfile: str, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Builds from an archive; told in the older builder's words.

    Args:
        engine: where.
        args: of the build.
        dockerfile: its name in the archive.
        file: the archive.
    """
    with contextlib.closing(engine.another()) as api:
        api.params = {"version": "2"}  # in the query of each of its requests; docker-py has no word for it
        yield from _told(
            api.build(
                fileobj=file,
                custom_context=True,
                dockerfile=dockerfile,
                buildargs=dict(args),
                decode=True,
                rm=True,
                timeout=None,
            )
        )


def _told(lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What an engine tells of a build, with the trace in the older builder's words."""
    done: set[bytes] = set()
    seen: dict[bytes, str] = {}
    for line in lines:
        if line.get("id") != "moby.buildkit.trace":
            yield line
            continue
        vertexes, logs = traced(base64.b64decode(line["aux"]))
        for digest, name, completed in vertexes:
            if name and digest not in seen:
                seen[digest] = name
                yield {"stream": f"Step {len(done) + 1}/{max(len(seen), len(done) + 1)} : {name}"}
            if completed:
                done.add(digest)
        yield from ({"stream": text} for text in logs)


def traced(data: bytes) -> tuple[list[tuple[bytes, str, bool]], list[str]]:
    """What one piece of a trace tells: digest, name and whether it is complete of each step, and what was printed."""
    vertexes, logs = [], []
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == _VERTEXES:
            told = dict(_fields(value))
            name = told.get(_NAME, b"")
            digest = told.get(1, b"")
            if isinstance(name, bytes) and isinstance(digest, bytes):
                vertexes.append((digest, name.decode("utf-8", "replace"), _COMPLETED in told))
        elif number == _LOGS:
            message = dict(_fields(value)).get(_MESSAGE, b"")
            if isinstance(message, bytes):
                logs.append(message.decode("utf-8", "replace"))
    return vertexes, logs


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message in the wire format of protocol buffers."""
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _number(data, at)
            yield tag >> 3, value
            continue
        size, at = _number(data, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, len(data)), at)
        yield tag >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            break
        shift += 7
    return value, at
