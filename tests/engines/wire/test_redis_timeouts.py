"""A server that takes commands and does not answer: each kind of use ends by itself, and no late reply is taken."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from engines.wire import redis_bus
from engines.wire.bus import START, Commit
from engines.wire.errors import BusError, CommitUnknown
from engines.wire.redis_bus import RedisBus


@asynccontextmanager
async def _silent(folder: Path, late: bytes = b"", after_s: float = 0.0) -> AsyncIterator[str]:
    """A server that greets, then answers nothing, or `late` after so many seconds."""
    held: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with suppress(asyncio.CancelledError):  # the test's end; a server's task has nobody else to tell
            while data := await reader.read(65_536):
                if b"CLIENT" in data:  # the client's greeting
                    writer.write(b"+OK\r\n" * data.count(b"CLIENT"))
                elif late:
                    await asyncio.sleep(after_s)
                    writer.write(late)

    server = await asyncio.start_unix_server(serve, path=str(folder / "s"))
    try:
        yield f"unix://{folder / 's'}?db=0"
    finally:
        server.close()
        for writer in held:
            writer.close()


async def _read(bus: RedisBus) -> object:
    return await bus.read({"orders": START}, 10, 0)


async def _ask(bus: RedisBus) -> object:
    return await bus.ping()


async def _commit(bus: RedisBus) -> object:
    return await bus.commit(Commit(owner="a", epoch=1, cursors={}))


@pytest.mark.parametrize(("use", "error"), [(_read, BusError), (_ask, BusError), (_commit, CommitUnknown)])
def test_a_silent_server_ends_the_call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[RedisBus], Awaitable[object]],
    error: type[BusError],
) -> None:
    monkeypatch.setattr(redis_bus, "_TIMEOUT_S", 0.2)

    async def scene() -> None:
        async with _silent(tmp_path) as url:
            bus = RedisBus(url)
            with pytest.raises(error) as found:
                await asyncio.wait_for(use(bus), 10)
            assert "0.2 s" in found.value.why
            await bus.close()

    asyncio.run(scene())


def test_a_reply_that_comes_late_is_not_the_next_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_bus, "_TIMEOUT_S", 0.2)

    async def scene() -> None:
        async with _silent(tmp_path, late=b"*-1\r\n", after_s=0.3) as url:
            bus = RedisBus(url)
            for _ in range(3):  # a connection kept would hold the last call's answer by now
                with pytest.raises(BusError):
                    await bus.read({"orders": START}, 10, 0)
                await asyncio.sleep(0.2)
            await bus.close()

    asyncio.run(scene())
