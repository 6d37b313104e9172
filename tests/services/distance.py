"""Distance: a way to a service that takes time, in a process of its own.

The kernels of test machines often have no netem, so bytes are held back here: each piece is passed on when it would
have arrived over a line of that delay and rate. Opening a connection takes a round trip too.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

from tests.services.registry import Service

_PIECE = 16 * 1024


@contextlib.contextmanager
def far(service: Service, *, delay: float, rate: float) -> Iterator[Service]:
    """The same service at another port, from where it is far.

    Args:
        service: plain http.
        delay: seconds that a byte is under way, each way.
        rate: bytes a second, each way.
    """
    words = [sys.executable, "-m", "tests.services.distance", str(service.port), str(delay), str(rate)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as way:
        assert way.stdout is not None
        try:
            yield replace(service, port=int(way.stdout.readline()), process=None)
        finally:
            way.kill()


class _Line:
    """One direction, shared by all connections."""

    def __init__(self, delay: float, rate: float) -> None:
        self._delay, self._rate = delay, rate
        self._free = 0.0

    def arrival(self, size: int) -> float:
        now = asyncio.get_running_loop().time()
        self._free = max(self._free, now) + size / self._rate
        return self._free + self._delay


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

    async def arrive() -> None:
        while True:
            at, data = await under_way.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    task = asyncio.create_task(arrive())
    while data := await reader.read(_PIECE):
        await under_way.put((line.arrival(len(data)), data))
    await under_way.put((line.arrival(0), b""))
    await task


async def _serve(port: int, delay: float, rate: float) -> None:
    there, back = _Line(delay, rate), _Line(delay, rate)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # SYN, and its answer
        with contextlib.suppress(OSError):
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_carry(reader, other_writer, there), _carry(other_reader, writer, back))
            other_writer.close()
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
