"""Wires one engine, once: settings, buses, consumer, HTTP, heartbeat, signals.  `main` never returns.

An engine halts in two ways.  The supervisor asks (one byte on the control pipe): orders are held back and the open ones
withdrawn, and the engine goes on taking part until it is told to stop.  The supervisor is gone (end of file there): at
once nothing is committed any more, the heartbeat slot and `/health` say halted, and the engine ends.
"""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import uvicorn
import uvloop

from engines.kit import drill
from engines.kit.consumer import Consumer
from engines.kit.drill import Drills
from engines.kit.engine import Engine, LiveUnit, Storing
from engines.kit.leash import LOST, Leash
from engines.kit.origin import current
from engines.kit.processor import Processor
from engines.kit.runtime import Runtime
from engines.kit.service import Front, application
from engines.kit.trim import trim_until
from engines.kit.vitals import Vitals
from engines.kit.wallclock import WallClock
from engines.wire import manifest as manifests
from engines.wire.bus import Bus
from engines.wire.errors import Fenced, NautilusError, SettingsError
from engines.wire.leash import HALT, RESUME, SAY_S
from engines.wire.messages import TOPICS, BusName
from engines.wire.redis_bus import RedisBus
from engines.wire.settings import Settings, from_env
from engines.wire.state import EngineState
from engines.wire.version import VERSION

S = TypeVar("S")
EXIT_PERMANENT = 78  # EX_CONFIG: starting again cannot help
_WORKERS = 2
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OWN_FILES = 64  # of an engine's open files, what is not a client's connection
_KEEP_ALIVE_S = 600
_GRACE_S = 3
_WS_BYTES = 64 << 10  # of a client's message

log = logging.getLogger("nautilus")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling and its polling: the kit owns signals, and says when it is over."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Until the kit says so.  Without a date header, one tick (it makes the default headers) is enough."""
        await self.on_tick(0)
        await self.over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn waits a tenth of a second for connections even when there are none."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()


def serve(engine: Engine[S]) -> None:
    """Run an engine until it is told to stop.  Exits 0 after a clean stop, 78 when starting again cannot help."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        settings = from_env()
        if not settings.bus_main_url or not settings.bus_market_url:
            raise SettingsError(
                f"{engine.name} does not know its buses.",
                "NAUTILUS_BUS_MAIN_URL and NAUTILUS_BUS_MARKET_URL are unset.",
                f"Start it with `nautilus up {engine.name}`.",
            )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_Process(engine, settings).run())
    except NautilusError as error:
        log.error("%s", error)
        code = EXIT_PERMANENT
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # DuckDB's and the workers' threads have nothing left to save


class _Process(Generic[S]):
    """One engine's process from its first line to its last."""

    def __init__(self, engine: Engine[S], settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.manifests = manifests.discover()
        self.manifest = manifests.pick(self.manifests, engine.name)
        self.stop = asyncio.Event()
        self.halted = asyncio.Event()
        self.obeying: asyncio.Future[None] | None = None
        self.code = 0

    async def run(self) -> int:
        """Start, take part, stop; returns the exit code."""
        main, market = RedisBus(self.settings.bus_main_url), RedisBus(self.settings.bus_market_url)
        build = self.engine.unit or Processor
        unit = build(self.engine, self.manifest.consumes, main, time.monotonic_ns)
        workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
        runtime = Runtime(self.manifest, self.settings, main, market, unit, workers, self.stop, self.halted)
        runtime.drills = self._drills(unit, runtime.wall)
        vitals = Vitals(self.engine, unit, runtime, VERSION)
        vitals.beat(EngineState.STARTING)
        consumer = self._consumer(unit, main, market)
        vitals.consumer = consumer
        runtime.command = lambda name: consumer.command(name, current())
        more = drill.routes(runtime.drills) if runtime.drills is not None else ()
        app = application(self.manifest.title, VERSION, [*self.engine.routes(runtime), *more], vitals)
        exposed = self.settings.host not in _LOOPBACK
        hosts = _hosts(self.settings, self.manifest.port)
        front = Front(app, self.settings.token, hosts, exposed=exposed, name=self.engine.name)
        vitals.front, front.alive = front, vitals.alive
        server = _Server(self._uvicorn(front))
        self._listen(consumer, vitals)
        began = time.monotonic()
        self.engine.warm()
        vitals.warm_s = time.monotonic() - began
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(consumer))
            buses: dict[BusName, Bus] = {"main": main, "market": market}
            trimming = trim_until(self.stop, self.manifest.publishes, self.manifests, buses)
            own = (source() for source in self.engine.sources(runtime))
            endless = [group.create_task(task) for task in (vitals.beats(server), vitals.checks(), trimming, *own)]
            serving = group.create_task(server.serve())
            await asyncio.wait([serving, group.create_task(self.stop.wait())], return_when=asyncio.FIRST_COMPLETED)
            self._check_served(serving)
            vitals.beat(EngineState.STOPPING)
            self.stop.set()
            for task in endless:
                task.cancel()
            await asyncio.sleep(SAY_S if vitals.lost else 0)
            server.over.set()
        await main.close()
        await market.close()
        vitals.beat(EngineState.STOPPED)
        return self.code

    def _drills(self, unit: LiveUnit[S], wall: WallClock) -> Drills | None:
        """Where the fleet was started for them: drills, to which a unit with a store listens before it writes, and the
        log's dates to the clock.
        """
        if not self.settings.drills:
            return None
        drills = Drills(self.manifest.limits.memory_mb, wall)
        for handler in logging.getLogger().handlers:
            handler.addFilter(wall.date)
        if isinstance(unit, Storing):
            unit.store.before_write = drills.write
        return drills

    def _consumer(self, unit: LiveUnit[S], main: Bus, market: Bus) -> Consumer:
        hold = unit.hold if isinstance(unit, Processor) and self.engine.hold is not None else None
        do = unit.command if isinstance(unit, Processor) else None
        return Consumer(unit, _by_bus(self.manifest.consumes, main, market), self.stop, hold, self.manifest.stale_s, do)

    async def _consume(self, consumer: Consumer) -> None:
        try:
            await consumer.run()
        except* Fenced as group:
            log.error("this incarnation is over: %s", group.exceptions[0])
            self.code = EXIT_PERMANENT
            self.stop.set()

    def _check_served(self, serving: asyncio.Task[None]) -> None:
        if serving.done() and not self.stop.is_set():
            log.error("the HTTP server ended; is port %s taken?", self.manifest.port + self.settings.port_offset)
            self.code = 1

    def _uvicorn(self, front: Front) -> uvicorn.Config:
        return uvicorn.Config(
            front,
            host=self.settings.host,
            port=self.manifest.port + self.settings.port_offset,
            loop="none",
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=4096,
            ws_max_size=_WS_BYTES,
            ws_per_message_deflate=False,
            limit_concurrency=max(_OWN_FILES, self.manifest.limits.files - _OWN_FILES),  # beyond: 503
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )

    def _listen(self, consumer: Consumer, vitals: Vitals[S]) -> None:
        """SIGTERM and SIGINT stop; the control pipe says the rest, in a thread of its own."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)

        def hear(word: bytes) -> None:
            if word == LOST:
                consumer.cut = True
                vitals.cut()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the engine has just ended
                loop.call_soon_threadsafe(obey, word)

        def obey(word: bytes) -> None:
            if word == LOST:
                log.error("the supervisor is gone: halted, ending")
                self.halted.set()
                vitals.renew(EngineState.HALTED)
                self.stop.set()
            elif word in (HALT, RESUME):
                self.obeying = asyncio.ensure_future(self._hold(consumer, vitals, held=word == HALT))

        if self.settings.control_fd >= 0:
            Leash(self.settings.control_fd, hear).start()

    async def _hold(self, consumer: Consumer, vitals: Vitals[S], *, held: bool) -> None:
        """Have orders held back, and say so once that is committed; or have them leave again."""
        log.info("the supervisor says %s", "halt" if held else "resume")
        await consumer.hold(held)
        (self.halted.set if held else self.halted.clear)()
        vitals.beat(EngineState.HALTED if held else EngineState.READY)


def _by_bus(topics: tuple[str, ...], main: Bus, market: Bus) -> dict[Bus, list[str]]:
    return {
        main: [topic for topic in topics if TOPICS[topic] == "main"],
        market: [topic for topic in topics if TOPICS[topic] == "market"],
    }


def _hosts(settings: Settings, port: int) -> list[str]:
    at = port + settings.port_offset
    return [f"{host}:{at}" for host in dict.fromkeys(("127.0.0.1", "localhost", "[::1]", settings.host))]
