"""A small HTTP server in a thread that misbehaves as the path of each request asks."""

import asyncio
import json
import socket
import struct
import threading
import time
from types import TracebackType

OK_BODY = json.dumps({"status": "ok", "rows": [{"value": 1.5}]}).encode()


class FaultyServer:
    """Paths: /ok /delay/MS /silent /reset /500 /404 /302 /half /chunked /big /until-close /close /garbage /wrong
    /flips/N: right until request N, then wrong in as many bytes.
    """

    def __init__(self) -> None:
        self.seen = 0  # requests read
        self.clients: set[tuple[str, int]] = set()  # whose requests were read
        self.paths: list[str] = []
        self.stall_at = -1  # the request number before whose reply the whole server sleeps
        self.stall_s = 0.0
        self.stalled_s = 0.0  # how long it slept
        self.ids: list[str] = []  # of the requests, in the order in which they were read
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="faulty-server")

    def __enter__(self) -> "FaultyServer":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listener)
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        path = head.split(" ")[1]
        self.seen += 1
        self.clients.add(writer.get_extra_info("peername"))
        self.paths.append(path)
        self.ids += [line.split(": ")[1] for line in head.split("\r\n") if line.startswith("X-Request-Id: ")]
        if self.seen == self.stall_at:
            began = time.monotonic()
            time.sleep(self.stall_s)  # noqa: ASYNC251 - the whole server is meant to stall
            self.stalled_s = time.monotonic() - began
        kind, _, argument = path[1:].partition("/")
        if kind == "delay":
            await asyncio.sleep(float(argument) / 1000)
        if kind == "silent":
            await self._stop.wait()
        if kind == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if kind == "flips":
            kind = "flipped" if self.seen > int(argument) else "ok"
        for part in reply(kind):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001 if kind in ("chunked", "half", "big") else 0)
        return kind not in ("half", "until-close", "close", "garbage")


START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SIZED = b"Content-Length: %d\r\n\r\n" % len(OK_BODY)
CHUNKS = [b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in (OK_BODY[:7], OK_BODY[7:20], OK_BODY[20:])]

# The parts in which the replies of each kind are written.
REPLIES = {
    "half": [START + SIZED + OK_BODY[:10]],
    "chunked": [START + b"Transfer-Encoding: chunked\r\n\r\n", *CHUNKS, b"0\r\nTrailer: x\r\n\r\n"],
    "big": [START + b"Content-Length: 200000\r\n\r\n", b" " * 99_999, b" " * 100_001],
    "until-close": [b"HTTP/1.0 200 OK\r\n\r\n" + OK_BODY],
    "close": [START + b"Connection: close\r\n" + SIZED + OK_BODY],
    "garbage": [b"this is no HTTP reply at all, not one line of it\r\n\r\n"],
    "flipped": [START + SIZED + OK_BODY.replace(b"1.5", b"2.5")],
    "wrong": [START + b'Content-Length: 16\r\n\r\n{"status":"bad"}'],
}


def reply(kind: str) -> list[bytes]:
    """The parts of the reply to a path of this kind."""
    if kind.isdigit():
        return [b"HTTP/1.1 %s Word\r\nContent-Length: 2\r\n\r\n{}" % kind.encode()]
    return REPLIES.get(kind, [START + SIZED + OK_BODY])
