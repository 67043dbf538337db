"""Wires one engine, once: settings, buses, consumer, HTTP, heartbeat, signals.  `main` never returns."""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import uvicorn
import uvloop

from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.processor import Processor
from engines.kit.runtime import Runtime
from engines.kit.service import Front, application
from engines.kit.trim import trim_until
from engines.kit.vitals import Vitals
from engines.wire import manifest as manifests
from engines.wire.bus import Bus
from engines.wire.errors import Fenced, NautilusError, SettingsError
from engines.wire.messages import TOPICS, BusName
from engines.wire.redis_bus import RedisBus
from engines.wire.settings import Settings, from_env
from engines.wire.state import EngineState
from engines.wire.version import VERSION

S = TypeVar("S")
EXIT_PERMANENT = 78  # EX_CONFIG: starting again cannot help
_WORKERS = 2
_KEEP_ALIVE_S = 600
_GRACE_S = 3
_WS_BYTES = 64 << 10  # of a client's message
_HALT_S = 0.5  # time for a halted engine to say so before it ends

log = logging.getLogger("nautilus")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the kit owns signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
        self.code = 0

    async def run(self) -> int:
        """Start, take part, stop; returns the exit code."""
        main, market = RedisBus(self.settings.bus_main_url), RedisBus(self.settings.bus_market_url)
        halted = asyncio.Event()
        build = self.engine.unit or Processor
        unit = build(self.engine, self.manifest.consumes, main, time.monotonic_ns)
        workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
        runtime = Runtime(self.manifest, self.settings, main, market, unit, workers, self.stop, halted)
        vitals = Vitals(self.engine, unit, runtime, VERSION)
        vitals.beat(EngineState.STARTING)
        consumer = Consumer(unit, _by_bus(self.manifest.consumes, main, market), self.stop)
        vitals.consumer = consumer
        app = application(self.manifest.title, VERSION, self.engine.routes(runtime), vitals)
        front = Front(app, self.settings.token, _hosts(self.settings, self.manifest.port))
        vitals.front = front
        server = _Server(self._uvicorn(front))
        self._listen_for_the_end(halted)
        self.engine.warm()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(consumer))
            group.create_task(vitals.beats(server))
            group.create_task(vitals.checks())
            sources = [group.create_task(source()) for source in self.engine.sources(runtime)]
            buses: dict[BusName, Bus] = {"main": main, "market": market}
            trimming = trim_until(self.stop, self.manifest.publishes, self.manifests, buses)
            sources.append(group.create_task(trimming))
            serving = group.create_task(server.serve())
            await asyncio.wait([serving, group.create_task(self.stop.wait())], return_when=asyncio.FIRST_COMPLETED)
            self._check_served(serving)
            vitals.beat(EngineState.STOPPING)
            self.stop.set()
            await asyncio.sleep(_HALT_S if halted.is_set() else 0)
            server.should_exit = True
            for source in sources:
                source.cancel()
        await main.close()
        await market.close()
        vitals.beat(EngineState.STOPPED)
        return self.code

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
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )

    def _listen_for_the_end(self, halted: asyncio.Event) -> None:
        """SIGTERM and SIGINT stop; end of file on the control pipe halts first (the supervisor is gone)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)

        def supervisor_gone() -> None:
            loop.remove_reader(self.settings.control_fd)
            log.error("the supervisor is gone: halted, ending")
            halted.set()
            self.stop.set()

        if self.settings.control_fd >= 0:
            loop.add_reader(self.settings.control_fd, supervisor_gone)


def _by_bus(topics: tuple[str, ...], main: Bus, market: Bus) -> dict[Bus, list[str]]:
    return {
        main: [topic for topic in topics if TOPICS[topic] == "main"],
        market: [topic for topic in topics if TOPICS[topic] == "market"],
    }


def _hosts(settings: Settings, port: int) -> list[str]:
    at = port + settings.port_offset
    return [f"{host}:{at}" for host in dict.fromkeys(("127.0.0.1", "localhost", "[::1]", settings.host))]
